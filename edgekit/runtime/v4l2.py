"""The cameras that the kernel lists, with what each offers: sysfs, and the questions of V4L2 that change nothing.

Source: Linux, include/uapi/linux/videodev2.h, whose structures are the same on all 64-bit machines.
"""

from __future__ import annotations

import fcntl
import os
import re
import struct
from contextlib import suppress
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Optional, Tuple

from edgekit.core.cameras import FoundCamera, VideoMode, codec_of_format

Ioctl = Callable[[int, int, bytearray], object]

QUERYCAP, ENUM_FMT, ENUM_FRAMESIZES, ENUM_FRAMEINTERVALS = 0x80685600, 0xC0405602, 0xC02C564A, 0xC034564B
CAPTURE, CAPTURE_PLANES, HAS_DEVICE_CAPS = 0x1, 0x1000, 0x80000000
_BUFFERS = {CAPTURE: 1, CAPTURE_PLANES: 9}  # capability -> type of buffer
_DISCRETE = 1
_CAPABILITIES_AT, _DEVICE_CAPS_AT = 84, 88
# A driver that never says "no more" must not hold us.
_MOST_FORMATS, _MOST_SIZES, _MOST_RATES = 64, 128, 32
# NVIDIA's capture driver: what is behind it is read through the camera daemon, by the sensor's number.
_CSI_DRIVER = "vi-output"


def list_cameras(root: Path = Path("/"), ioctl: Ioctl = fcntl.ioctl) -> Tuple[FoundCamera, ...]:
    """Cameras in the order of their numbers; nodes that give no pictures are left out. root: where /sys and /dev begin.

    The n-th node of NVIDIA's capture driver is taken for sensor n. It is not opened: that powers the sensor.
    """
    found: List[FoundCamera] = []
    sensors = 0
    for folder in sorted((root / "sys/class/video4linux").glob("video*"), key=_number):
        name = _read(folder / "name")
        if name.startswith(_CSI_DRIVER):
            found.append(FoundCamera(f"csi://{sensors}", f"/dev/{folder.name}", name.partition(",")[2].strip() or name))
            sensors += 1
            continue
        camera = _ask(root, folder, name, ioctl)
        if camera is not None:
            found.append(camera)
    return tuple(found)


def _ask(root: Path, folder: Path, name: str, ioctl: Ioctl) -> Optional[FoundCamera]:
    device = f"/dev/{folder.name}"
    uri = f"v4l2://{_lasting_name(root, folder.name)}"
    try:
        descriptor = os.open(root / device.lstrip("/"), os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        # A camera's further nodes carry no pictures; which is which the kernel cannot be asked now.
        index = _read(folder / "index")
        problem = f"{device} cannot be opened: {(error.strerror or str(error)).lower()}"
        return FoundCamera(uri, device, name, problem=problem) if index in ("", "0") else None
    try:
        buffers = _buffers(descriptor, ioctl)
        if buffers is None:
            return None
        return FoundCamera(uri, device, name, tuple(_modes(descriptor, buffers, ioctl)))
    except OSError as error:
        return FoundCamera(uri, device, name, problem=f"{device} does not answer: {error.strerror or error}")
    finally:
        os.close(descriptor)


def _buffers(descriptor: int, ioctl: Ioctl) -> Optional[int]:
    """The type of buffer that pictures come in; None for a node that gives none."""
    answer = bytearray(104)
    ioctl(descriptor, QUERYCAP, answer)
    whole, of_node = struct.unpack_from("=II", answer, _CAPABILITIES_AT)
    capabilities = of_node if whole & HAS_DEVICE_CAPS else whole
    return next((buffers for bit, buffers in _BUFFERS.items() if capabilities & bit), None)


def _modes(descriptor: int, buffers: int, ioctl: Ioctl) -> Iterator[VideoMode]:
    for index in range(_MOST_FORMATS):
        answer = bytearray(struct.pack("=II56x", index, buffers))
        if not _answered(ioctl, descriptor, ENUM_FMT, answer):
            return
        pixel_format = bytes(answer[44:48])
        yield from _sizes(descriptor, pixel_format, ioctl)


def _sizes(descriptor: int, pixel_format: bytes, ioctl: Ioctl) -> Iterator[VideoMode]:
    text = pixel_format.decode("ascii", "replace").strip()
    codec = codec_of_format(text)
    for index in range(_MOST_SIZES):
        answer = bytearray(struct.pack("=I4s36x", index, pixel_format))
        if not _answered(ioctl, descriptor, ENUM_FRAMESIZES, answer):
            return
        kind, width, height = struct.unpack_from("=III", answer, 8)
        if kind != _DISCRETE:
            _, width, _, _, height, _ = struct.unpack_from("=6I", answer, 12)
        fps = tuple(_rates(descriptor, pixel_format, width, height, ioctl))
        yield VideoMode(text, codec, width, height, fps, largest=kind != _DISCRETE)
        if kind != _DISCRETE:
            return


def _rates(descriptor: int, pixel_format: bytes, width: int, height: int, ioctl: Ioctl) -> List[float]:
    rates: List[float] = []
    for index in range(_MOST_RATES):
        answer = bytearray(struct.pack("=I4sII36x", index, pixel_format, width, height))
        if not _answered(ioctl, descriptor, ENUM_FRAMEINTERVALS, answer):
            break
        kind, numerator, denominator = struct.unpack_from("=III", answer, 16)  # of the shortest, where it is a range
        if numerator and denominator:
            rates.append(round(denominator / numerator, 3))
        if kind != _DISCRETE:
            break
    return sorted(rates, reverse=True)


def _answered(ioctl: Ioctl, descriptor: int, question: int, answer: bytearray) -> bool:
    """False where there is no item of that number; drivers say so with EINVAL, and ENOTTY where they know none."""
    try:
        ioctl(descriptor, question, answer)
    except OSError:
        return False
    return True


def _lasting_name(root: Path, node: str) -> str:
    """The name that stays with the camera over restarts, where udev made one; two equal cameras share a by-id name."""
    for folder in ("by-id", "by-path"):
        for link in sorted((root / "dev/v4l" / folder).glob("*")):
            if os.path.basename(os.path.realpath(link)) == node and re.fullmatch(r"[\w.:+-]+", link.name):  # noqa: PTH119
                return f"/dev/v4l/{folder}/{link.name}"
    return f"/dev/{node}"


def holders(device: str, processes: Path = Path("/proc")) -> Tuple[str, ...]:
    """Programs that hold a device open, "name (process 7)", as far as this user may see; ours is left out."""
    target = os.path.realpath(device)
    found: Dict[int, str] = {}
    for folder in processes.glob("[0-9]*"):
        number = int(folder.name)
        with suppress(OSError):
            links = (os.readlink(link) for link in (folder / "fd").iterdir())  # noqa: PTH115  (Path.readlink is 3.9)
            if number != os.getpid() and target in links:
                found[number] = f"{_read(folder / 'comm')} (process {number})"
    return tuple(found[number] for number in sorted(found))


def _number(folder: Path) -> int:
    digits = re.sub(r"\D", "", folder.name)
    return int(digits) if digits else 0


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace").strip()
    except OSError:
        return ""
