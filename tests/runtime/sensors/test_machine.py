"""Reading a device: trees of every kind of board, files that vanish or lie, counters that wrap around, no waiting."""

from __future__ import annotations

import json
import random
import shutil
import statistics
import time
from pathlib import Path

import pytest

from edgekit.core.heat import HeatState, next_heat
from edgekit.core.machine import MachineReadings, Rail
from edgekit.core.wire import from_wire, to_wire
from edgekit.runtime.pace import Pace
from edgekit.runtime.sensors.machine import MachineReader
from tests.machine_trees import MACHINES, case_of, tree_of, write

SOON_S = 5.0


class Clock:
    def __init__(self):
        self.now_s = 1000.0

    def __call__(self):
        return self.now_s


def expected(machine):
    told = case_of(machine)["expected"]
    rails = tuple(Rail(name, milliwatts, total) for name, milliwatts, total in told.pop("rails"))
    return MachineReadings(**{**told, "throttling": tuple(told["throttling"]), "rails": rails})


def numbers(readings):
    fields = vars(readings)
    return {name: pytest.approx(value) if isinstance(value, float) else value for name, value in fields.items()}


@pytest.mark.parametrize("machine", MACHINES)
def test_each_kind_of_machine_is_read_as_a_whole(machine, tmp_path):
    """A figure of the wrong file, rail or scale would be shown as if it were measured."""
    reader = MachineReader(tree_of(machine, tmp_path))
    assert vars(reader.read()) == numbers(expected(machine))
    assert vars(reader.read()) == numbers(expected(machine))


def test_an_empty_root_gives_nothing_and_no_zero(tmp_path):
    """A container without /sys would be cold and draw no power."""
    assert MachineReader(tmp_path).read() == MachineReadings()


def test_a_total_is_not_that_of_fewer_rails(tmp_path):
    """An AGX Orin whose one monitor fails would look as if it saved half of its power."""
    root = tree_of("agx-orin-64gb-jetpack-5", tmp_path)
    reader = MachineReader(root)
    assert reader.read().watts == pytest.approx(6.755)
    current = root / "sys/devices/c240000.i2c/i2c-1/1-0040/hwmon/hwmon5/curr2_input"
    current.unlink()
    readings = reader.read()
    assert readings.watts is None
    assert readings.watts_of == ""
    assert [rail.name for rail in readings.rails] == ["VDD_GPU_SOC", "VIN_SYS_5V0", "VDDQ_VDD2_1V8AO"]
    current.write_text("78\n")
    assert reader.read().watts == pytest.approx(6.755)


def test_a_thor_whose_input_cannot_be_read_for_once_does_not_change_what_watts_mean(tmp_path):
    """23 W of the board and 14 W of its module in one curve would be read as a success."""
    root = tree_of("agx-thor-jetpack-7", tmp_path)
    reader = MachineReader(root)
    meter = root / "sys/class/hwmon/hwmon5/power1_input"
    assert reader.read().watts_of == "board input"
    meter.unlink()
    assert reader.read().watts is None


def test_a_thor_without_a_monitor_of_its_input_sums_its_module(tmp_path):
    """Some units have none; their figure must not pass for the board's."""
    root = tree_of("agx-thor-jetpack-7", tmp_path)
    (root / "sys/class/hwmon/hwmon5").unlink()
    (root / "sys/bus/i2c/drivers/ina238/2-0044").unlink()
    readings = MachineReader(root).read()
    assert readings.watts == pytest.approx(1.96 + 5.885 + 5.635)
    assert readings.watts_of == "module rails, not the board's input"


def test_negative_power_of_a_rail_that_is_off_is_read(tmp_path):
    """An idle Thor measures -392 mW on VDD_GPU; the rail would vanish."""
    root = tree_of("agx-thor-jetpack-7", tmp_path)
    write(root, "sys/class/hwmon/hwmon4/curr1_input", "-78\n")
    assert MachineReader(root).read().rails[0] == Rail("VDD_GPU", -390.0)


def test_an_unknown_board_shows_its_rails_without_a_total(tmp_path):
    """A guess at which rails add up would be an invented figure."""
    root = tree_of("orin-nano-8gb-jetpack-6", tmp_path)
    write(root, "sys/firmware/devicetree/base/compatible", "nvidia,p9999-0000+p9998-0000\0nvidia,tegra234\0")
    readings = MachineReader(root).read()
    assert readings.watts is None
    assert [(rail.name, rail.total) for rail in readings.rails] == [
        ("VDD_IN", False), ("VDD_CPU_GPU_CV", False), ("VDD_SOC", False),
    ]  # fmt: skip


def test_alerts_that_come_on_are_told_at_once(tmp_path):
    """The rate would not be lowered while the chip throttles."""
    root = tree_of("orin-nano-8gb-jetpack-6", tmp_path)
    reader = MachineReader(root)
    assert reader.read().throttling == ()
    write(root, "sys/class/thermal/cooling_device2/cur_state", "1\n")
    write(root, "sys/class/thermal/cooling_device6/cur_state", "1\n")  # hot-surface-alert slows nothing down
    assert reader.read().throttling == ("gpu-throttle-alert",)


def test_the_zone_nearest_to_its_limit_counts_and_not_the_hottest(tmp_path):
    """A zone that may get hotter would hide one that is about to trip."""
    root = tree_of("orin-nano-8gb-jetpack-6", tmp_path)
    write(root, "sys/class/thermal/thermal_zone0/temp", "97500\n")
    write(root, "sys/class/thermal/thermal_zone8/temp", "98000\n")
    readings = MachineReader(root).read()
    assert (readings.hottest_zone, readings.temperature_c, readings.limit_c) == ("tj-thermal", 98.0, None)
    assert (readings.limiting_zone, readings.headroom_c) == ("cpu-thermal", pytest.approx(1.5))


def test_a_device_that_warms_up_takes_fewer_frames_before_its_limit_and_all_of_them_later(tmp_path):
    """Each part may be right and the device still trip."""
    root, clock, pace, heat = tree_of("orin-nano-8gb-jetpack-6", tmp_path), Clock(), Pace(), HeatState()
    reader, taken = MachineReader(root, clock), []
    for second in range(260):
        clock.now_s += 1.0
        degrees = 90.0 + min(second, 60) * 0.1 if second < 90 else 80.0  # 94 at 40 s, 96 at 60 s; its limit is 99
        write(root, "sys/class/thermal/thermal_zone1/temp", f"{degrees * 1000:.0f}\n")
        heat = next_heat(heat, reader.read(), clock.now_s)
        pace.limit(heat.limit.share)
        taken.append(sum(pace.admits("gate", clock.now_s + number / 30) for number in range(30)))
    assert set(taken[:40]) == {30}
    assert 7 <= min(taken[80:90]) <= max(taken[80:90]) <= 8
    assert set(taken[-10:]) <= {29, 30}
    assert heat.steps == 0


def test_sensors_that_come_late_or_move_are_found_within_a_minute(tmp_path):
    """A service that starts before the driver of the power monitor would never measure power."""
    root, clock = tree_of("xavier-nx-jetpack-5", tmp_path), Clock()
    old, new = root / "sys/class/hwmon/hwmon4", root / "sys/class/hwmon/hwmon9"
    device = root / "sys/devices/c240000.i2c/i2c-1/1-0040/hwmon"
    reader = MachineReader(root, clock)
    assert reader.read().watts is not None
    old.unlink()
    (device / "hwmon4").rename(device / "hwmon9")
    new.symlink_to("../../devices/c240000.i2c/i2c-1/1-0040/hwmon/hwmon9")
    assert reader.read().watts is None
    clock.now_s += 60.0
    assert reader.read().watts == pytest.approx(2.765)


def energies(root, package_uj):
    write(root, "sys/class/powercap/intel-rapl:0/energy_uj", f"{package_uj}\n")


def test_energy_counters_of_a_pc_give_its_mean_power_also_around_the_wrap(tmp_path):
    """Power would be negative, or of weeks ago, once every half an hour."""
    root, clock = tree_of("pc", tmp_path), Clock()
    reader = MachineReader(root, clock)
    assert reader.read().watts is None  # one reading is no power
    clock.now_s += 2.0
    energies(root, 1_000_000_000 + 30_000_000)
    readings = reader.read()
    assert readings.watts == pytest.approx(15.0)
    assert readings.watts_of == "processor packages, not the whole machine"
    assert [(rail.name, rail.total) for rail in readings.rails] == [("package-0", True), ("psys", False)]
    clock.now_s += 61.0  # sensors are looked for again; what the counters said before is still known
    energies(root, 1_030_000_000 + 610_000_000)
    assert reader.read().watts == pytest.approx(10.0)
    clock.now_s += 100.0
    energies(root, 262143328850 - 10_000_000)
    assert reader.read().watts is None  # 2600 W are no processor's
    energies(root, 5_000_000)
    clock.now_s += 1.0
    assert reader.read().watts == pytest.approx(15.0)


def test_two_looks_at_once_and_a_long_sleep_invent_no_power(tmp_path):
    """The counter steps every millisecond, and a notebook that slept an hour may have wrapped around twice."""
    root, clock = tree_of("pc", tmp_path), Clock()
    reader = MachineReader(root, clock)
    reader.read()
    clock.now_s += 1.0
    energies(root, 1_020_000_000)
    assert reader.read().watts == pytest.approx(20.0)
    clock.now_s += 0.001
    energies(root, 1_021_000_000)
    assert reader.read().watts == pytest.approx(20.0)
    clock.now_s += 3600.0
    assert reader.read().watts is None
    clock.now_s += 1.0
    energies(root, 1_000)  # set back, by a processor that was off
    assert reader.read().watts is None


def test_energy_counters_that_only_root_may_read_are_no_zero(tmp_path):
    """Newer kernels close them; the machine would draw 0 W."""
    root, clock = tree_of("pc", tmp_path), Clock()
    counter = root / "sys/class/powercap/intel-rapl:0/energy_uj"
    counter.unlink()
    counter.mkdir()  # may not be read, whoever runs this test
    reader = MachineReader(root, clock)
    reader.read()
    clock.now_s += 1.0
    assert reader.read().watts is None


def program(root, script):
    path = root / "usr/sbin/nvpmodel"
    write(root, "usr/sbin/nvpmodel", f"#!/bin/sh\necho asked >> {root}/asked\n{script}\n")
    path.chmod(0o755)


def asked(root):
    log = root / "asked"
    return log.read_text().count("asked") if log.exists() else 0


def until(condition):
    deadline_s = time.monotonic() + SOON_S
    while not condition():
        assert time.monotonic() < deadline_s, "it did not come"
        time.sleep(0.01)


@pytest.mark.timed
def test_a_mode_that_no_file_keeps_is_asked_for_without_waiting_and_not_again_and_again(tmp_path):
    """A process each second takes time from the frames, and one that hangs would stop all reports."""
    clock = Clock()
    program(tmp_path, "sleep 0.3; echo 'NVPM WARN: fan mode is not set!'; echo 'NV Power Mode: MAXN'; echo 0")
    reader = MachineReader(tmp_path, clock)
    started_s = time.monotonic()
    assert reader.read().power_mode is None
    assert time.monotonic() - started_s < 0.2
    until(lambda: reader._power_mode.mode(clock.now_s) == "MAXN")
    for _ in range(40):
        clock.now_s += 1.0
        assert reader.read().power_mode == "MAXN"
    assert asked(tmp_path) == 1
    clock.now_s += 30.0
    reader.read()
    until(lambda: asked(tmp_path) == 2)


def test_a_mode_that_changes_is_known_ten_seconds_later_and_no_program_is_started(tmp_path):
    """Figures would be shown under the wrong power mode."""
    root, clock = tree_of("orin-nano-8gb-jetpack-6", tmp_path), Clock()
    program(root, "exit 1")
    reader = MachineReader(root, clock)
    assert reader.read().power_mode == "25W"
    write(root, "var/lib/nvpmodel/status", "pmode:0002 fmode:quiet\n")
    clock.now_s += 9.0
    assert reader.read().power_mode == "25W"
    clock.now_s += 1.0
    assert reader.read().power_mode == "MAXN_SUPER"
    assert asked(root) == 0


@pytest.mark.parametrize("seed", range(30))
def test_nothing_that_a_kernel_may_write_makes_reading_fail(seed, tmp_path):
    """One odd driver would end the service's report, and with it the watch over the cameras."""
    rng = random.Random(seed)
    root, clock = tree_of(rng.choice(MACHINES), tmp_path), Clock()
    reader = MachineReader(root, clock)
    files = sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    if seed % 2:
        reader.read()
    texts = [b"", b"-1\n", b"abc", b"\xff\xfe\0", b"9" * 19, b"9" * 5000, b"65535000\n", b"nan", b"1e9", b"\0" * 9]
    for path in rng.sample(files, len(files) // 2):
        what = rng.random()
        if what < 0.2:
            path.unlink()
        elif what < 0.3:
            path.unlink()
            path.mkdir()
        else:
            path.write_bytes(rng.choice(texts))
    for _ in range(3):
        clock.now_s += 61.0
        readings = reader.read()
        assert from_wire(MachineReadings, json.loads(json.dumps(to_wire(readings), allow_nan=False)), "it") == readings
    shutil.rmtree(root)
    clock.now_s += 61.0
    assert reader.read().rails == ()


def open_files():
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_reading_is_cheap_and_keeps_no_file_open(tmp_path):
    """It runs once a second beside the frames for months; sensors on a bus take time of their own."""
    reader = MachineReader(tree_of("orin-nano-8gb-jetpack-6", tmp_path))
    reader.read()
    open_before = open_files()
    times_s = []
    for _ in range(100):
        started_s = time.perf_counter()
        reader.read()
        times_s.append(time.perf_counter() - started_s)
    assert statistics.median(times_s) < 0.005
    assert open_files() == open_before
