"""What is installed on a device: Debian packages, Python packages and interpreters, copies of TensorRT.

The texts are those of bootstrap/collect.py: a line each, fields parted by tabs. Lines of another form are left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Dict, Iterable, List, Optional, Tuple

# Where a Python that is called by that name looks for packages: "/usr/lib/python3.8/dist-packages".
_PYTHON_FOLDER = re.compile(r"/python(3\.\d+)/")
_LIBRARY = re.compile(r"libnvinfer\.so\.(\d+\.\d+\.\d+)$")


@dataclass(frozen=True)
class PythonPackage:
    """A Python package. version is "" where it does not say it; seen: the device's python3 finds it, without -s."""

    name: str
    version: str
    folder: str
    seen: bool

    @property
    def python(self) -> Optional[str]:
        """The Python it is for, "3.8"; None in a folder that all of them share."""
        found = _PYTHON_FOLDER.search(f"{self.folder}/")
        return found.group(1) if found else None


def parse_dpkg(text: str) -> Dict[str, str]:
    """Name -> version of what is installed ("ii"), from `dpkg-query -W` lines "NAME<TAB>VERSION<TAB>STATUS"."""
    rows = _rows(text, 3)
    return {name: version for name, version, status in rows if status.startswith("ii") and version}


def upstream_version(version: str) -> str:
    """A Debian version without its packaging: "10.3.0.30-1+cuda12.5" -> "10.3.0.30"."""
    return version.partition(":")[2 if ":" in version else 0].partition("-")[0]


def parse_python_packages(text: str, search: Tuple[str, ...]) -> Tuple[PythonPackage, ...]:
    """Lines "NAME<TAB>VERSION<TAB>FOLDER". search: the folders that python3 looks in."""
    found = (
        PythonPackage(re.sub(r"[-_.]+", "-", name).lower(), version, folder, folder in search)
        for name, version, folder in _rows(text, 3)
    )
    return tuple(dict.fromkeys(found))


def parse_tensorrt_copies(text: str, search: Tuple[str, ...]) -> Tuple[PythonPackage, ...]:
    """Lines "FOLDER<TAB>VERSION"; those that python3 finds come first, in the order in which it looks."""
    found = [PythonPackage("tensorrt", version, folder, folder in search) for folder, version in _rows(text, 2)]
    places: List[str] = [*search, *(each.folder for each in found)]
    return tuple(sorted(dict.fromkeys(found), key=lambda each: places.index(each.folder)))


def parse_tensorrt_libraries(text: str) -> Tuple[str, ...]:
    """Versions of libnvinfer by the names of its files, "8.5.2", each once."""
    found = (_LIBRARY.search(line.strip()) for line in text.splitlines())
    return tuple(dict.fromkeys(match.group(1) for match in found if match))


def parse_interpreters(text: str) -> Tuple[str, ...]:
    """The Pythons there are, "3.8" and "3.10", in order, from lines "PATH<TAB>WHAT IT LEADS TO"."""
    names = (re.search(r"python(3\.\d+)$", real) for _, real in _rows(text, 2))
    found = {match.group(1) for match in names if match}
    return tuple(sorted(found, key=lambda version: int(version.partition(".")[2])))


def version_numbers(version: str) -> Tuple[int, ...]:
    """The leading numbers of a version, (1, 24, 4) of "1.24.4rc1"; empty if it begins with none."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in found.group().split(".")) if found else ()


def _rows(text: str, count: int) -> Iterable[List[str]]:
    rows = (line.split("\t") for line in text.splitlines())
    return (row for row in rows if len(row) == count)
