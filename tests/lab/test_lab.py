"""What the lab promises: each device is a small Linux machine of its own that looks like a Jetson and can be hurt."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from edgekit.control.inventory import load_inventory
from tests.lab import fleet
from tests.lab.conftest import MakeJetson, MakeProject
from tests.lab.machine import LabError
from tests.lab.place import Place
from tests.lab.virtual_jetson import VirtualJetson

pytestmark = pytest.mark.lab

SERVICE = "[Service]\nExecStart=sleep infinity\n[Install]\nWantedBy=multi-user.target\n"


@pytest.fixture(scope="module")
def nx(jetson: MakeJetson) -> VirtualJetson:
    """One device for all tests that leave it as they found it."""
    return jetson("xavier-nx")


def ssh(device: VirtualJetson, command: str, timeout_s: float = 20) -> subprocess.CompletedProcess[str]:
    """Run a command over the network, as the operator does; the host key is checked."""
    config = device.place.folder / "ssh_config"
    argv = ["ssh", "-F", str(config), "-o", "ConnectTimeout=2", device.name, command]
    return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s)


def boot_id(device: VirtualJetson) -> str:
    """Another one after each boot."""
    return device.read("/proc/sys/kernel/random/boot_id")


def test_a_device_boots_in_order_within_seconds(jetson: MakeJetson) -> None:
    """Without it every lab test would wait, or run on a half-booted device."""
    started = time.monotonic()
    device = jetson("xavier-nx")
    assert time.monotonic() - started < 10
    assert device.run(["systemctl", "is-system-running"]).stdout == "running\n"
    fleet.remove_device(device)
    assert not device.folder.exists()


def test_the_operator_logs_in_with_the_key_and_knows_the_host_key(nx: VirtualJetson) -> None:
    """Enrolment tests compare with this fingerprint; a wrong one would make them prove nothing."""
    assert ssh(nx, "id -un").stdout == "jetson\n"
    printed = nx.run(["ssh-keygen", "-lf", "/etc/ssh/ssh_host_ed25519_key.pub"]).stdout
    assert printed.split()[1] == nx.host_key_fingerprint


def test_the_user_becomes_root_only_with_the_password(nx: VirtualJetson) -> None:
    """Provisioning must cope with a sudo that asks; one that does not ask would hide it."""
    assert ssh(nx, "sudo -n true").returncode != 0
    assert ssh(nx, f"echo {nx.password} | sudo -S -p '' id -un").stdout == "root\n"
    assert {"video", "render", "sudo"} <= set(ssh(nx, "id -Gn").stdout.split())


@pytest.mark.parametrize(
    ("board", "python", "release", "chip"),
    [
        ("xavier-nx", "3.8", "# R35 (release), REVISION: 4.1,", "nvidia,tegra194"),
        ("orin-nano", "3.10", "# R36 (release), REVISION: 5.0,", "nvidia,tegra234"),
        ("agx-thor", "3.12", "# R39 (release), REVISION: 2.0,", "nvidia,tegra264"),
    ],
)
def test_a_device_shows_the_surfaces_of_its_board(
    jetson: MakeJetson, board: str, python: str, release: str, chip: str
) -> None:
    """Probe and doctor read these; with other files they would be tested against nothing real."""
    device = jetson(board)
    found = ssh(device, "python3 -c 'import ctypes, ssl, sqlite3, sys; print(*sys.version_info[:2], sep=\".\")'")
    assert found.stdout == f"{python}\n", found.stderr
    assert device.read("/etc/nv_tegra_release").startswith(release)
    assert device.read("/sys/firmware/devicetree/base/compatible").split("\0")[-2] == chip
    assert device.run(["nvpmodel", "-q"]).stdout.startswith("NV Power Mode: ")
    assert "GR3D_FREQ" in device.run(["sh", "-c", "tegrastats --interval 100 | head -n 1"]).stdout
    assert "EMC MinFreq=" in device.run(["jetson_clocks", "--show"]).stdout
    fleet.remove_device(device)


def test_python_comes_without_pip_as_on_a_jetson(nx: VirtualJetson) -> None:
    """A deployment that leans on pip or ensurepip would work here and fail on a stock image."""
    for module in ("pip", "ensurepip", "numpy", "cv2"):
        assert nx.run(["python3", "-c", f"import {module}"], check=False).returncode == 1, module


def test_values_below_sys_can_be_changed(nx: VirtualJetson) -> None:
    """Tests of the doctor heat a device up this way."""
    zone = "/sys/class/thermal/thermal_zone0"
    assert nx.read(f"{zone}/type") == "AUX-therm\n"
    nx.write(f"{zone}/temp", "91000\n")
    assert ssh(nx, f"cat {zone}/temp").stdout == "91000\n"
    nx.write(f"{zone}/temp", "45000\n")


def test_the_power_mode_is_kept_and_a_wrong_one_refused(nx: VirtualJetson) -> None:
    """The doctor's advice on power modes is tried against this stand-in."""
    nx.run(["nvpmodel", "-m", "8"])
    assert ssh(nx, "nvpmodel -q").stdout == "NV Power Mode: MODE_20W_6CORE\n8\n"
    assert "request for bad power mode 9" in nx.run(["nvpmodel", "-m", "9"], check=False).stderr
    nx.run(["nvpmodel", "-m", "2"])


def test_units_of_nvidia_run_in_their_order(nx: VirtualJetson) -> None:
    """Services of the kit are ordered after these two; without them that order could not be seen."""
    assert nx.run(["systemctl", "is-active", "nvargus-daemon"]).stdout == "active\n"
    order = nx.run(["systemctl", "show", "-P", "After", "nvargus-daemon"]).stdout
    assert "nvpmodel.service" in order


def test_system_calls_of_a_process_can_be_injected(nx: VirtualJetson) -> None:
    """The kill tests stop an activation at chosen system calls with this."""
    killed = nx.run(["strace", "-qq", "-e", "inject=mkdir:signal=KILL", "mkdir", "/var/tmp/never"], check=False)
    assert killed.returncode in (137, -9), killed.stderr


def test_there_is_no_way_out(nx: VirtualJetson) -> None:
    """A device without internet is what the kit promises to serve; a route out would hide a download."""
    reach = "timeout 2 bash -c 'exec 3<>/dev/tcp/192.0.2.1/80'"
    assert "Network is unreachable" in ssh(nx, reach).stderr
    assert subprocess.run(["bash", "-c", reach], capture_output=True).returncode != 0


def test_a_cut_cable_silences_a_device_until_it_is_healed(nx: VirtualJetson) -> None:
    """Tests of lost links would prove nothing if packets still flowed."""
    nx.cut()
    assert ssh(nx, "true").returncode == 255
    nx.heal()
    assert ssh(nx, "true").returncode == 0


def test_a_slow_link_is_slow_and_a_lossy_one_still_delivers(nx: VirtualJetson) -> None:
    """5 Mbit/s carry a megabyte in 1.6 s at best."""
    nx.slow(rate_mbit=5, loss_pct=0.5)
    started = time.monotonic()
    assert len(ssh(nx, "head -c 1000000 /dev/zero").stdout) == 1_000_000
    slow_s = time.monotonic() - started
    assert slow_s > 1.3
    nx.heal()
    started = time.monotonic()
    assert len(ssh(nx, "head -c 1000000 /dev/zero").stdout) == 1_000_000
    assert time.monotonic() - started < slow_s


def test_a_full_disk_refuses_writes_until_it_is_freed(nx: VirtualJetson) -> None:
    """ENOSPC at each write of a deploy is made with this."""
    nx.fill_disk(leave_mib=1)
    command = ["dd", "if=/dev/zero", "of=/var/tmp/big", "bs=1M", "count=4"]
    assert "No space left on device" in nx.run(command, check=False).stderr
    assert ssh(nx, "true").returncode == 0
    nx.free_disk()
    nx.run(command)
    nx.run(["rm", "/var/tmp/big"])


def test_a_power_loss_loses_what_was_not_synced_and_keeps_what_was(jetson: MakeJetson) -> None:
    """The power tests stand on both halves: a disk that keeps all would never catch a missing fsync."""
    device = jetson("xavier-nx")
    device.write("/etc/systemd/system/stay.service", SERVICE)
    device.run(["systemctl", "enable", "--quiet", "stay"])
    device.run(["sync", "-f", "/"])
    first = boot_id(device)
    lost = 0
    for attempt in range(3):  # a sync(2) of anyone on this machine saves the unsynced file too
        device.write("/var/tmp/kept", f"{attempt}\n")
        device.run(["sh", "-c", "rm -f /var/tmp/lost; sync -f /; echo x > /var/tmp/lost"])
        device.power_loss()
        assert not device.is_on
        device.power_on()
        assert device.read("/var/tmp/kept") == f"{attempt}\n"
        lost += device.run(["test", "-s", "/var/tmp/lost"], check=False).returncode == 1
        if lost:
            break
    assert lost
    assert boot_id(device) != first
    assert float(device.read("/proc/uptime").split()[0]) < 10
    assert device.run(["systemctl", "is-active", "stay"]).stdout == "active\n"
    assert ssh(device, "true").returncode == 0
    fleet.remove_device(device)


def test_connections_fall_silent_when_the_power_goes(jetson: MakeJetson) -> None:
    """A peer that is told goodbye would notice at once; one of a dead device does not."""
    device = jetson("xavier-nx")
    config = device.place.folder / "ssh_config"
    argv = ["ssh", "-F", str(config), device.name, "echo begun; sleep 60"]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as connection:
        assert connection.stdout is not None
        assert connection.stdout.readline() == "begun\n"
        device.power_loss()
        time.sleep(0.5)
        assert connection.poll() is None
        connection.kill()
    fleet.remove_device(device)


def test_a_saved_disk_boots_as_it_was_at_that_moment(jetson: MakeJetson, tmp_path: Path) -> None:
    """The power cut tests boot copies taken between two system calls."""
    device = jetson("xavier-nx")
    device.write("/var/tmp/at", "first\n")
    device.image_copy(tmp_path / "disk.img")
    device.write("/var/tmp/at", "second\n")
    other = jetson("xavier-nx", image=tmp_path / "disk.img")
    assert other.read("/var/tmp/at") == "first\n"
    assert other.host_key == device.host_key
    assert device.read("/var/tmp/at") == "second\n"
    device.power_loss()
    device.insert_image(tmp_path / "disk.img")
    device.power_on()
    assert device.read("/var/tmp/at") == "first\n"
    for one in (device, other):
        fleet.remove_device(one)


def test_a_disk_saved_amid_writes_is_one_moment_of_it(jetson: MakeJetson, tmp_path: Path) -> None:
    """A copy that mixed two moments would show damage that no power cut can do."""
    device = jetson("xavier-nx")
    # Each round: a new file is synced, renamed over the old one, the folder synced, and only then the number told.
    script = "i=0; while :; do i=$((i+1)); echo $i > n; sync n; mv n kept; sync .; echo $i; done"
    writer = subprocess.Popen(device.inside(["sh", "-c", f"cd /var/tmp; {script}"]), stdout=subprocess.PIPE)
    with writer:
        assert writer.stdout is not None
        for _ in range(5):
            told = int(os.read(writer.stdout.fileno(), 1 << 20).split()[-1])
            device.image_copy(tmp_path / "disk.img")
            assert kept_in(tmp_path / "disk.img") >= told
        writer.kill()
    fleet.remove_device(device)


def kept_in(image: Path) -> int:
    """The number in /var/tmp/kept of a saved disk, once it is recovered as by a boot and found without fault."""
    recovered = subprocess.run(["e2fsck", "-p", image], capture_output=True, text=True)
    assert recovered.returncode in (0, 1), recovered.stdout
    checked = subprocess.run(["e2fsck", "-fn", image], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout
    return int(subprocess.run(["debugfs", "-R", "cat up/var/tmp/kept", image], capture_output=True, check=True).stdout)


def test_a_device_comes_back_from_a_reboot_and_from_being_off(nx: VirtualJetson) -> None:
    """A reboot in probation is one of the fault tests."""
    first = boot_id(nx)
    nx.reboot()
    second = boot_id(nx)
    nx.power_off()
    assert not nx.is_on
    nx.power_on()
    assert len({first, second, boot_id(nx)}) == 3
    assert ssh(nx, "systemctl is-system-running").stdout == "running\n"


def test_a_project_lists_the_devices(nx: VirtualJetson, project: MakeProject) -> None:
    """Every test of the command line starts from such a project."""
    inventory = load_inventory(project(nx, groups={"street": [nx.name]}, targets={"fps": 5}))
    (device,) = inventory.select(["street"])
    assert (nx.address, nx.user, 5.0) == (device.address, device.user, device.targets.fps)


def test_a_lab_has_room_for_so_many_and_names_what_is_wrong(lab: Place, nx: VirtualJetson) -> None:
    """The lab's own errors are read by whoever writes tests."""
    with pytest.raises(LabError, match="there is a device 'xavier-nx' already"):
        fleet.create(lab, "xavier-nx", nx.name)
    with pytest.raises(LabError, match="no board 'tx2'"):
        fleet.create(lab, "tx2")
    with pytest.raises(LabError, match="is on already"):
        nx.power_on()
