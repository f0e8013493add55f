"""What is wrong with a device, worst first, each finding with the command that mends it: rules over its facts.

Remedies are typed on the device, unless they begin with "edgekit" or tell to correct devices.yaml. Rules about
packages are in core.package_findings. An unknown release or module is no fault: what is installed counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Iterator, Tuple

from edgekit.core.checkup import Finding, worst_first
from edgekit.core.disks import Disk
from edgekit.core.facts import DEVICE_FOLDER, DeviceFacts
from edgekit.core.l4t import release_numbers
from edgekit.core.nvpmodel import strongest_mode
from edgekit.core.package_findings import check_numpy, check_opencv, check_pycuda, check_tensorrt
from edgekit.core.thermal import throttling_alerts

OLDEST_PYTHON = (3, 8)
OLDEST_SYSTEMD = 245  # JetPack 5
OLDEST_L4T = 34  # JetPack 5
_OLDEST_CLOCK_UNIX_S = 1704067200.0  # 2024
_NO_DISK_MIB, _LOW_DISK_MIB = 512, 2048
_LOW_MEMORY_MIB = 1024
_SMALL_BOARD_MIB = 8 * 1024  # what is left of 8 GB is less
_NEAR_CRITICAL_C = 10.0


@dataclass(frozen=True)
class Wanted:
    """What the device is to do, as far as rules depend on it."""

    name: str = "NAME"  # in devices.yaml
    processor: bool = False  # engines run on its processor: it needs no TensorRT
    power_limited: bool = False  # it has a target in watts: a weaker power mode may be meant
    dla: bool = False  # a DLA core is asked for


Rule = Callable[[DeviceFacts, Wanted], Iterator[Finding]]


def findings_of(facts: DeviceFacts, wanted: Wanted = Wanted()) -> Tuple[Finding, ...]:
    """Everything found about a device, worst first. Errors are what deploying to it would fail of."""
    return worst_first(finding for rule in RULES for finding in rule(facts, wanted))


def check_system(facts: DeviceFacts, wanted: Wanted) -> Iterator[Finding]:
    """Which Jetson this is, and whether edgekit can run on its JetPack at all."""
    if facts.l4t is None:
        yield _not_a_jetson(facts)
        return
    jetpack = f"JetPack {facts.jetpack}" if facts.jetpack else "of no JetPack known here; what is installed counts"
    found = f"{facts.title}, Jetson Linux {facts.l4t}, {jetpack}"
    if release_numbers(facts.l4t)[0] < OLDEST_L4T:
        yield _too_old(facts, found)
    else:
        known = facts.jetpack is not None and facts.board is not None and facts.board.known
        yield Finding("ok" if known else "info", "Jetson", found)


def check_python(facts: DeviceFacts, wanted: Wanted) -> Iterator[Finding]:
    """The interpreter that device code runs in."""
    version = ".".join(str(part) for part in facts.python)
    if facts.python[:2] < OLDEST_PYTHON:
        found = f"{version} is too old: device code needs {OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]} or newer"
        yield Finding("error", "Python", found, "JetPack 5 or newer brings one")
    else:
        yield Finding("ok", "Python", version)


def check_systemd(facts: DeviceFacts, wanted: Wanted) -> Iterator[Finding]:
    """What runs the services."""
    if facts.systemd is None:
        reason = facts.reasons.get("systemd", "it does not say its version")
        yield Finding("error", "systemd", f"not found: {reason}", "services need a system that systemd runs")
    elif facts.systemd < OLDEST_SYSTEMD:
        found = f"{facts.systemd} is too old: {OLDEST_SYSTEMD} or newer is needed"
        yield Finding("error", "systemd", found, "JetPack 5 or newer brings one")
    else:
        yield Finding("ok", "systemd", str(facts.systemd))


def check_disk(facts: DeviceFacts, wanted: Wanted) -> Iterator[Finding]:
    """Room for engines, releases and packages, which lie in /opt."""
    if facts.disk is None:
        yield Finding("info", "disk", f"not measured: {facts.reasons.get('disks', 'df told nothing')}")
        return
    media = f", {facts.root_media}" if facts.root_media else ""
    found = f"{facts.disk.free_mib} MiB free of {facts.disk.total_mib} on {facts.disk.mount}{media}"
    yield Finding(_disk_severity(facts.disk), "disk", found, _disk_remedy(facts.disk, wanted))


def check_memory(facts: DeviceFacts, wanted: Wanted) -> Iterator[Finding]:
    """Memory for a build; the GPU takes its own from it too. Small boards need swap for the hardest moments."""
    found = f"{facts.memory_available_mib} of {facts.memory_total_mib} MiB available"
    if facts.memory_available_mib < _LOW_MEMORY_MIB:
        remedy = "sudo systemctl isolate multi-user.target    (stops the desktop; set-default keeps it so)"
        yield Finding("warning", "memory", found, remedy)
    else:
        yield Finding("ok", "memory", found)
    if facts.memory_total_mib > _SMALL_BOARD_MIB:
        return
    yield from _swap(facts)
    if facts.l4t == "36.4.7":
        found = "Jetson Linux 36.4.7 fails to give large pieces of GPU memory on boards of 8 GB; 36.5.0 mends it"
        yield Finding("warning", "GPU memory", found, "sudo apt update && sudo apt full-upgrade")


def check_clock(facts: DeviceFacts, wanted: Wanted) -> Iterator[Finding]:
    """The wall clock: boards without a battery start in the past."""
    if facts.clock_unix_s < _OLDEST_CLOCK_UNIX_S:
        yield Finding("warning", "clock", f"it says {facts.clock}", "sudo timedatectl set-ntp true")
    else:
        yield Finding("ok", "clock", facts.clock)


def check_power(facts: DeviceFacts, wanted: Wanted) -> Iterator[Finding]:
    """The power mode, by name, and whether clocks may vary."""
    if facts.l4t is None:
        return
    best = strongest_mode(facts.power_modes)
    if facts.power_mode is None:
        yield Finding("info", "power mode", f"not known: {facts.reasons.get('nvpmodel', 'nvpmodel names none')}")
    elif best is None or best.name == facts.power_mode:
        yield Finding("ok", "power mode", facts.power_mode)
    else:
        found = f"{facts.power_mode}; the strongest of this board is {best.name}"
        severity = "info" if wanted.power_limited else "warning"
        yield Finding(severity, "power mode", found, f"sudo nvpmodel -m {best.number}    (it may ask for a restart)")
    if facts.clocks_locked is not None:
        vary = "they vary with the load, as they should in the field; lock them to measure"
        locked = facts.clocks_locked
        yield Finding("info", "clocks", "locked" if locked else vary, "" if locked else "sudo jetson_clocks")


def check_heat(facts: DeviceFacts, wanted: Wanted) -> Iterator[Finding]:
    """Whether the device slows itself down now, and what its power supply did since it started."""
    alerts = throttling_alerts(facts.counters)
    measured = [zone for zone in facts.zones if not zone.placeholder]
    hottest = max(measured, key=lambda zone: zone.temperature_c, default=None)
    near = [zone for zone in measured if zone.critical_c and zone.temperature_c > zone.critical_c - _NEAR_CRITICAL_C]
    if alerts:
        yield Finding("warning", "heat", f"it throttles: {', '.join(alerts)}", "better cooling, or a weaker power mode")
    elif near:
        found = ", ".join(f"{zone.name} {zone.temperature_c:.0f} of {zone.critical_c:.0f} degrees" for zone in near)
        yield Finding("warning", "heat", found, "better cooling, or a weaker power mode")
    elif hottest is not None:
        yield Finding("ok", "heat", f"{hottest.name} {hottest.temperature_c:.0f} degrees, no throttling")
    if facts.counters.get("oc1_event_cnt"):
        found = f"{facts.counters['oc1_event_cnt']} times too low a voltage since it started"
        yield Finding("warning", "power supply", found, "a stronger power supply, or a weaker power mode")


def check_dla(facts: DeviceFacts, wanted: Wanted) -> Iterator[Finding]:
    """Deep learning accelerators, where one is asked for."""
    if not wanted.dla:
        return
    if facts.l4t is not None and release_numbers(facts.l4t)[0] >= 39:
        found = f"TensorRT of Jetson Linux {facts.l4t} comes without a compiler for it"
        yield Finding("error", "DLA", found, "correct dla_core: in devices.yaml: this device is to do without")
    elif facts.dla_cores == 0 or (facts.dla_cores is None and facts.board is not None and not facts.board.dla_cores):
        yield Finding(
            "error", "DLA", "this module has none", "correct dla_core: in devices.yaml: this device is to do without"
        )


def check_account(facts: DeviceFacts, wanted: Wanted) -> Iterator[Finding]:
    """Whether the user who logs in may use the GPU and cameras."""
    account = facts.account
    lacking = [group for group in ("video", "render") if group in facts.groups and group not in account.groups]
    if lacking and account.uid != 0:
        found = f"{account.name} is not in {' and '.join(lacking)}: no GPU and no cameras"
        yield Finding(
            "warning", "user", found, f"sudo usermod -aG {','.join(lacking)} {account.name}, then log in anew"
        )
    else:
        yield Finding("ok", "user", account.name)


def check_cameras(facts: DeviceFacts, wanted: Wanted) -> Iterator[Finding]:
    """The cameras that the kernel sees."""
    names = ", ".join(f"{camera.path} {camera.name}".strip() for camera in facts.cameras)
    yield Finding("ok" if names else "info", "cameras", names or "none; files and network streams work without")


def check_provisioned(facts: DeviceFacts, wanted: Wanted) -> Iterator[Finding]:
    """Whether it was made ready."""
    if facts.provisioned and facts.folder_writable is False:
        found = f"{DEVICE_FOLDER} belongs to another user than {facts.account.name}, as whom we log in"
        yield Finding("warning", "edgekit", found, f"correct user: of {wanted.name} in devices.yaml")
    elif facts.provisioned:
        yield Finding("ok", "edgekit", "provisioned")
    else:
        remedy = f"edgekit provision --device {wanted.name}"
        yield Finding("warning", "edgekit", "not provisioned: nothing can be deployed yet", remedy)


def check_packages(facts: DeviceFacts, wanted: Wanted) -> Iterator[Finding]:
    """TensorRT, OpenCV, numpy and what pycuda is built with."""
    if not wanted.processor:
        yield from check_tensorrt(facts)
        yield from check_pycuda(facts)
        yield from check_opencv(facts)
    yield from check_numpy(facts)


# The order within one severity.
RULES: Tuple[Rule, ...] = (
    check_system,
    check_python,
    check_packages,
    check_systemd,
    check_provisioned,
    check_disk,
    check_memory,
    check_account,
    check_clock,
    check_heat,
    check_dla,
    check_power,
    check_cameras,
)


def _not_a_jetson(facts: DeviceFacts) -> Finding:
    if facts.board is not None:
        found = f"{facts.title} that does not say its Jetson Linux release"
        return Finding("warning", "Jetson", found, "sudo apt install --reinstall nvidia-l4t-core")
    return Finding("info", "Jetson", f"none: {facts.title}, without a Jetson's device tree and release file")


def _too_old(facts: DeviceFacts, found: str) -> Finding:
    reason = "its Python 3.6 cannot run device code, and its TensorRT 8.2 lacks the functions that edgekit calls"
    if facts.board is not None and not facts.board.supported:
        return Finding("error", "Jetson", f"{found}: {reason}", "there is no newer JetPack for it: use a newer module")
    return Finding("error", "Jetson", f"{found}: {reason}", "install JetPack 5.1 or newer with NVIDIA SDK Manager")


def _swap(facts: DeviceFacts) -> Iterator[Finding]:
    real = [swap for swap in facts.swaps if not swap.compressed]
    file = "sudo fallocate -l 8G /swap && sudo chmod 600 /swap && sudo mkswap /swap && sudo swapon /swap"
    if not facts.swaps:
        yield Finding("warning", "swap", "none: a build may be killed on a board with so little memory", file)
    elif not real:
        size_mib = sum(swap.size_mib for swap in facts.swaps)
        found = f"{size_mib} MiB of zram only, which takes memory itself; a file helps builds more"
        yield Finding("info", "swap", found, f"sudo systemctl disable --now nvzramconfig; {file}")
    else:
        yield Finding("ok", "swap", f"{sum(swap.size_mib for swap in real)} MiB")


def _disk_severity(disk: Disk) -> str:
    if disk.free_mib < _NO_DISK_MIB:
        return "error"
    return "warning" if disk.free_mib < _LOW_DISK_MIB else "ok"


def _disk_remedy(disk: Disk, wanted: Wanted) -> str:
    if disk.free_mib >= _LOW_DISK_MIB:
        return ""
    return f"edgekit gc --device {wanted.name}; on the device: sudo apt clean && sudo journalctl --vacuum-size=100M"
