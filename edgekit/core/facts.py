"""What a device says of itself when bootstrap/collect.py runs there: raw texts -> facts."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Dict, Optional, Tuple

from edgekit.core.boards import Board, identify_board
from edgekit.core.disks import Disk, disk_of, parse_df
from edgekit.core.installed import (
    PythonPackage,
    parse_dpkg,
    parse_interpreters,
    parse_python_packages,
    parse_tensorrt_copies,
    parse_tensorrt_libraries,
    upstream_version,
    version_numbers,
)
from edgekit.core.jetson_clocks import clocks_locked, parse_cpu_clocks, parse_jetson_clocks
from edgekit.core.l4t import jetpack_of, parse_stated, parse_tegra_release, release_numbers
from edgekit.core.meminfo import Swap, parse_meminfo, parse_swaps
from edgekit.core.nvpmodel import PowerMode, parse_power_mode, parse_power_modes, stored_power_mode
from edgekit.core.opencv import parse_gstreamer
from edgekit.core.thermal import ThermalZone, parse_counters, parse_zones
from edgekit.core.wire import from_wire
from edgekit.errors import DeviceError, EdgekitError

DEVICE_FOLDER = "/opt/edgekit"
_L4T_PACKAGE = "nvidia-l4t-core"
_CONTROL = re.compile(r"[\x01-\x08\x0b-\x1f\x7f-\x9f]")
_SYSTEMD = re.compile(r"^systemd (\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Collected:
    """The answer of bootstrap/collect.py: each item is either a text or the reason why there is none."""

    texts: Dict[str, str]
    reasons: Dict[str, str] = field(default_factory=dict)
    schema: int = 1

    def text(self, item: str) -> str:
        """An item's text, "" where there is none."""
        return self.texts.get(item, "")


@dataclass(frozen=True)
class Camera:
    """A video device. name is the driver's, "" where the kernel gives none."""

    path: str
    name: str


@dataclass(frozen=True)
class OpenCV:
    """The OpenCV that the device's python3 finds. gstreamer and error are known only if it was tried."""

    origin: str
    gstreamer: Optional[bool] = None
    error: str = ""  # why it cannot be imported


@dataclass(frozen=True)
class Cuda:
    """What CUDA code can be compiled with. Paths, "" where there is none."""

    compiler: str = ""
    header: str = ""
    version: str = ""


@dataclass(frozen=True)
class Account:
    """Who is logged in there. sudo: root's rights without a password."""

    name: str = ""
    uid: int = -1
    groups: Tuple[str, ...] = ()
    sudo: bool = False


@dataclass(frozen=True)
class DeviceFacts:
    """All that decides what can be built and run on a device. None means that it could not be read."""

    machine: str  # "aarch64"
    kernel: str
    python: Tuple[int, ...]  # of /usr/bin/python3: (3, 8, 10)
    pythons: Tuple[str, ...]  # all of them: "3.8"
    board: Optional[Board]  # None: no Jetson
    model: str  # as the board calls itself
    l4t: Optional[str]
    systemd: Optional[int]
    packages: Dict[str, str]  # Debian package -> version
    tensorrt: Tuple[PythonPackage, ...]  # the one that python3 finds first
    tensorrt_libraries: Tuple[str, ...]  # versions
    python_packages: Tuple[PythonPackage, ...]
    cuda: Cuda
    opencv: Optional[OpenCV]  # None: python3 finds none
    power_mode: Optional[str]
    power_modes: Tuple[PowerMode, ...]
    clocks_locked: Optional[bool]
    memory_total_mib: int
    memory_available_mib: int
    swaps: Tuple[Swap, ...]
    disk: Optional[Disk]  # that of /opt
    root_media: str  # "MMC", "SD", "NVMe", "other" or ""
    dla_cores: Optional[int]  # enabled in the device tree; whether TensorRT can use them is another matter
    cameras: Tuple[Camera, ...]
    zones: Tuple[ThermalZone, ...]
    counters: Dict[str, int]  # of throttling, see core.thermal
    clock: str  # "2026-11-20 17:22 UTC"
    clock_unix_s: float
    account: Account
    groups: Tuple[str, ...]  # that exist there
    uptime_s: Optional[float]
    gst_inspect: bool
    provisioned: bool
    folder_writable: Optional[bool]  # /opt/edgekit, by who is logged in; None: it is not there
    reasons: Dict[str, str] = field(default_factory=dict)  # item of collect.py -> why it has no text

    @property
    def jetpack(self) -> Optional[str]:
        """The JetPack that its L4T belongs to, None if there is none that is known."""
        return jetpack_of(self.l4t)

    @property
    def jetpack_before_7(self) -> bool:
        """True for a Jetson whose system was built for numpy 1: JetPack 6 and older."""
        return self.l4t is not None and release_numbers(self.l4t)[0] < 38

    @property
    def title(self) -> str:
        """What people call it: "Jetson Xavier NX"; for another machine its processor."""
        return self.board.title if self.board else f"{self.model or 'a machine'} ({self.machine})"


def parse_collected(output: str) -> Collected:
    """The answer in collect.py's output; greetings of a shell before it are passed over. Raises DeviceError."""
    for line in reversed(output.splitlines()):
        if line.startswith("{"):
            try:
                return _printable(from_wire(Collected, json.loads(line), "the device's facts"))
            except (ValueError, EdgekitError) as error:
                raise DeviceError("the device's facts cannot be read", why=str(error)) from None
    raise DeviceError("the device told nothing about itself", why=f"its answer ends {output[-200:]!r}")


def _printable(told: Collected) -> Collected:
    """Without escape sequences: a device that was broken into is not to write to the terminal of who looks at it."""
    texts, reasons = (
        {item: _CONTROL.sub("?", text) for item, text in part.items()} for part in (told.texts, told.reasons)
    )
    return Collected(texts, reasons, told.schema)


def read_facts(collected: Collected) -> DeviceFacts:
    """The facts in the texts. Raises DeviceError if not even memory and Python can be read."""
    text = collected.text
    machine, kernel = [*text("machine").split("\t"), "", ""][:2]
    total_mib, available_mib = parse_meminfo(text("meminfo"))
    packages = parse_dpkg(text("packages"))
    search = tuple(text("search_path").splitlines())
    disks = parse_df(text("disks"))
    clocks = parse_jetson_clocks(text("jetson_clocks")) or parse_cpu_clocks(text("cpu_clocks"))
    asked = parse_power_mode(text("nvpmodel"))
    return DeviceFacts(
        machine=machine,
        kernel=kernel,
        python=version_numbers(text("python")),
        pythons=parse_interpreters(text("pythons")),
        board=identify_board(text("compatible"), text("model")),
        model=text("model").strip("\0 \n"),
        l4t=_l4t(text("tegra_release"), packages),
        systemd=_systemd(text("systemd")),
        packages=packages,
        tensorrt=parse_tensorrt_copies(text("tensorrt"), search),
        tensorrt_libraries=parse_tensorrt_libraries(text("tensorrt_libraries")),
        python_packages=parse_python_packages(text("distributions"), search),
        cuda=_cuda(text("cuda")),
        opencv=_opencv(collected),
        power_mode=asked or stored_power_mode(text("nvpmodel_status"), text("nvpmodel_modes")),
        power_modes=parse_power_modes(text("nvpmodel_modes")),
        clocks_locked=clocks_locked(clocks),
        memory_total_mib=total_mib,
        memory_available_mib=available_mib,
        swaps=parse_swaps(text("swaps")),
        disk=disk_of("/opt", disks),
        root_media=[*text("root_disk").split("\t"), "", ""][2],
        dla_cores=_dla_cores(collected),
        cameras=_cameras(text("cameras")),
        zones=parse_zones(text("temperatures")),
        counters=parse_counters(text("throttling")),
        clock=text("clock").partition("\t")[2],
        clock_unix_s=_number(text("clock").partition("\t")[0]) or 0.0,
        account=_account(collected),
        groups=tuple(text("groups").splitlines()),
        uptime_s=_number(text("uptime")),
        gst_inspect=bool(text("gst_inspect")),
        provisioned={"device.json\tyes", "venv/bin/python\tyes"} <= set(text("installation").splitlines()),
        folder_writable=_writable(text("installation")),
        reasons=dict(collected.reasons),
    )


def _l4t(release: str, packages: Dict[str, str]) -> Optional[str]:
    """The release file, or else the version of the package that brings it."""
    try:
        return parse_tegra_release(release)
    except DeviceError:
        version = upstream_version(packages.get(_L4T_PACKAGE, ""))
        return parse_stated(version) if re.fullmatch(r"\d+\.\d+(\.\d+)?", version) else None


def _number(text: str) -> Optional[float]:
    return float(text) if re.fullmatch(r"\d{1,15}(\.\d{1,9})?", text) else None


def _systemd(text: str) -> Optional[int]:
    found = _SYSTEMD.search(text)
    return int(found.group(1)) if found else None


def _cuda(text: str) -> Cuda:
    rows = [line.split("\t") for line in text.splitlines()]
    first: Dict[str, str] = {}
    for row in rows:
        if len(row) == 2:
            first.setdefault(row[0], row[1])
    return Cuda(**{name: first.get(name, "") for name in ("compiler", "header", "version")})


def _opencv(collected: Collected) -> Optional[OpenCV]:
    origin = collected.text("opencv")
    if not origin:
        return None
    build, reason = collected.text("opencv_build"), collected.reasons.get("opencv_build", "")
    if "Traceback" in build:
        return OpenCV(origin, error=build.strip().splitlines()[-1])
    return OpenCV(origin, parse_gstreamer(build), reason)


def _dla_cores(collected: Collected) -> Optional[int]:
    if "dla" not in collected.texts:
        return None
    return sum(line.endswith("\tokay") for line in collected.text("dla").splitlines())


def _writable(text: str) -> Optional[bool]:
    found = [line.partition("\t")[2] for line in text.splitlines() if line.startswith("writable\t")]
    return found[0] == "yes" if found else None


def _cameras(text: str) -> Tuple[Camera, ...]:
    rows: Any = ([*line.split("\t"), ""][:2] for line in text.splitlines() if line)
    return tuple(Camera(path, name) for path, name in rows)


def _account(collected: Collected) -> Account:
    name, uid, groups = [*collected.text("user").split("\t"), "", "", ""][:3]
    return Account(
        name,
        int(uid) if uid.isdecimal() else -1,
        tuple(group for group in groups.split(",") if group),
        sudo="sudo" in collected.texts or uid == "0",
    )
