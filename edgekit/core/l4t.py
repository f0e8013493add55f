"""Jetson Linux (L4T): its release as a Jetson states it, and the JetPack it belongs to."""

from __future__ import annotations

import re
from typing import Optional, Tuple

from edgekit.errors import DeviceError

RELEASE_FILE = "etc/nv_tegra_release"
# A container on a Jetson may lack RELEASE_FILE, and Docker hides the device tree (it masks /sys/firmware): whoever
# starts it states the device's release and module in these.
L4T_VARIABLE = "EDGEKIT_L4T"
MODULE_VARIABLE = "EDGEKIT_MODULE"

_RELEASE = re.compile(r"^# R(\d+) \(release\), REVISION: (\d+)(?:\.(\d+))?", re.MULTILINE)
_STATED = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")

# Source: jetson_stats (NVIDIA_JETPACK) and the branches of meta-tegra; 36.5.2 from a Yocto layer.
# Not every release has a JetPack: 34.1.2 (Clara AGX) has none.
_JETPACKS = {
    "32.6.1": "4.6",
    "32.7.1": "4.6.1",
    "32.7.2": "4.6.2",
    "32.7.3": "4.6.3",
    "32.7.4": "4.6.4",
    "32.7.5": "4.6.5",
    "32.7.6": "4.6.6",
    "34.1.0": "5.0 DP",
    "34.1.1": "5.0.1 DP",
    "35.1.0": "5.0.2",
    "35.2.1": "5.1",
    "35.3.1": "5.1.1",
    "35.4.1": "5.1.2",
    "35.5.0": "5.1.3",
    "35.6.0": "5.1.4",
    "35.6.1": "5.1.5",
    "35.6.2": "5.1.5",
    "35.6.3": "5.1.5",
    "35.6.4": "5.1.6",
    "36.2.0": "6.0 DP",
    "36.3.0": "6.0",
    "36.4.0": "6.1",
    "36.4.2": "6.1",
    "36.4.3": "6.2",
    "36.4.4": "6.2.1",
    "36.4.7": "6.2.1",
    "36.5.0": "6.2.2",
    "36.5.2": "6.2.3",
    "38.2.0": "7.0",
    "38.2.1": "7.0",
    "38.2.2": "7.0",
    "38.4.0": "7.1",
    "39.0.0": "7.2 EA",
    "39.2.0": "7.2",
    "39.2.1": "7.2.1",
}


def parse_tegra_release(text: str) -> str:
    """The release in /etc/nv_tegra_release as "35.4.1"; a part that is not named is 0.

    The file's BOARD names a family, not the board. Raises DeviceError for another text.
    Source: files of R24 to R39, see tests/cases/jetson.
    """
    found = _RELEASE.search(text)
    if found is None:
        raise DeviceError(
            f"/{RELEASE_FILE} names no Jetson Linux release",
            why=f"it begins {text[:40]!r}",
            hint=f"set {L4T_VARIABLE} to the release, for example 36.4.4",
        )
    return ".".join(part or "0" for part in found.groups())


def parse_stated(text: str) -> str:
    """The release that EDGEKIT_L4T states, "36.4.4". Raises DeviceError for anything else than a release."""
    found = _STATED.fullmatch(text.strip())
    if found is None:
        raise DeviceError(
            f"{L4T_VARIABLE} is {text!r}",
            why="it is to name a Jetson Linux release",
            hint=f"{L4T_VARIABLE}=36.4.4, or unset it",
        )
    return ".".join(part or "0" for part in found.groups())


def jetpack_of(l4t: Optional[str]) -> Optional[str]:
    """The JetPack that ships a release of Jetson Linux, "5.1.2"; None where there is none or it is not known."""
    return _JETPACKS.get(l4t or "")


def release_numbers(l4t: str) -> Tuple[int, int]:
    """(major, minor): (36, 4) for "36.4.7"."""
    major, minor = parse_stated(l4t).split(".")[:2]
    return int(major), int(minor)
