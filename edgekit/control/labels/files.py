"""What a labelling tool gives back: a file, a folder or a ZIP archive, read without being unpacked."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from edgekit.errors import ConfigError, NotFoundError

_MAX_BYTES = 512 << 20  # of one file: instances_train2017.json of COCO has 449 MB
_MAX_FILES = 1_000_000
_SUFFIXES = frozenset({".json", ".xml", ".txt", ".yaml", ".yml", ".names"})


@dataclass(frozen=True)
class LabelFiles:
    """Files that may hold labels, by name: the path below a folder or within an archive, with slashes."""

    path: Path
    names: tuple[str, ...]
    _read: Callable[[str], bytes]

    def text(self, name: str) -> str:
        """The content of a file. Raises ConfigError for one that is too large, damaged or not UTF-8."""
        try:
            return self._read(name).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ConfigError(f"{self.place(name)} is not UTF-8 text: byte {error.start} cannot be read") from None
        except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
            raise ConfigError(f"{self.place(name)} cannot be read", why=str(error)) from None

    def json(self, name: str) -> Any:
        """The content of a JSON file. Raises ConfigError with the line of what is wrong."""
        try:
            return json.loads(self.text(name))
        except json.JSONDecodeError as error:
            raise ConfigError(f"{self.place(name)}:{error.lineno}: not JSON: {error.msg}") from None
        except RecursionError:
            raise ConfigError(f"{self.place(name)} is nested too deeply") from None

    def named(self, *suffixes: str) -> tuple[str, ...]:
        """The names that end like this."""
        return tuple(name for name in self.names if PurePosixPath(name).suffix.lower() in suffixes)

    def place(self, name: str) -> str:
        """How messages call a file."""
        return str(self.path) if self.path.name == name else f"{self.path}/{name}"


def open_labels(path: Path) -> LabelFiles:
    """The files at a path. Raises NotFoundError if there is nothing, ConfigError for an archive that cannot be read."""
    if path.is_dir():
        return _of_folder(path)
    if not path.is_file():
        raise NotFoundError(
            f"{path} does not exist", hint="name the file, folder or ZIP archive that the labelling tool wrote"
        )
    if zipfile.is_zipfile(path):
        return _of_archive(path)
    return LabelFiles(path, (path.name,), lambda _: _limited(path))


def _of_folder(path: Path) -> LabelFiles:
    found = [file for file in path.rglob("*") if file.suffix.lower() in _SUFFIXES and file.is_file()]
    names = sorted(file.relative_to(path).as_posix() for file in found)
    _refuse_many(path, len(names))
    return LabelFiles(path, tuple(names), lambda name: _limited(path / name))


def _limited(path: Path) -> bytes:
    _refuse_large(str(path), path.stat().st_size)
    return path.read_bytes()


def _of_archive(path: Path) -> LabelFiles:
    with zipfile.ZipFile(path) as archive:
        found = [info for info in archive.infolist() if not info.is_dir()]
    names = sorted(info.filename for info in found if PurePosixPath(info.filename).suffix.lower() in _SUFFIXES)
    _refuse_many(path, len(names))
    return LabelFiles(path, tuple(names), _reader_of(path))


def _reader_of(path: Path) -> Callable[[str], bytes]:
    archive = zipfile.ZipFile(path)  # closed when the function that reads from it is forgotten

    def read(name: str) -> bytes:
        with archive.open(name) as stream:
            content = stream.read(_MAX_BYTES + 1)  # the header's size may lie
        _refuse_large(f"{path}/{name}", len(content))
        return content

    return read


def _refuse_large(place: str, size_bytes: int) -> None:
    if size_bytes > _MAX_BYTES:
        raise ConfigError(f"{place} is larger than {_MAX_BYTES >> 20} MiB, which no file of labels is")


def _refuse_many(path: Path, count: int) -> None:
    if count > _MAX_FILES:
        raise ConfigError(f"{path} holds {count} files; at most {_MAX_FILES} are read")
