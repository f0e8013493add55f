"""What was given to a labelling tool, kept so that what comes back can be compared with it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from edgekit import files
from edgekit.control.labels.boxes import HandedPicture
from edgekit.control.labels.formats import RECORD_NAME
from edgekit.control.project import Project
from edgekit.core.wire import from_wire, to_wire
from edgekit.errors import ConfigError

_SCHEMA = 1
_MAX_BYTES = 512 << 20


@dataclass(frozen=True)
class ExportRecord:
    """One export: the set, its pictures as they were given out, and when [UTC, ISO 8601] to which folder."""

    schema: int
    set_name: str
    set_sha256: str
    format: str
    made_utc: str
    out: str
    detector: str
    pictures: tuple[HandedPicture, ...]


def new_record(
    set_name: str,
    set_sha256: str,
    form: str,
    made_utc: str,
    out: Path,
    detector: str,
    pictures: tuple[HandedPicture, ...],
) -> ExportRecord:
    """A record of this version's schema."""
    return ExportRecord(_SCHEMA, set_name, set_sha256, form, made_utc, str(out), detector, pictures)


def write_record(path: Path, record: ExportRecord) -> None:
    """Replace a record."""
    text = json.dumps(to_wire(record), ensure_ascii=False, separators=(",", ":"))
    files.write_bytes(path, text.encode("utf-8"))


def kept_record(project: Project, set_name: str, form: str) -> Path:
    """Where the project keeps the record of the last export of a set in that form."""
    return project.state_dir / "labels" / f"{set_name}-{form}.json"


def find_record(project: Project, set_name: str, form: str, path: Path) -> ExportRecord | None:
    """The record of the export that the labels at `path` go back to: beside them, else the project's last; or None.

    Raises ConfigError for a record that is damaged: comparing with something else would misjudge every picture.
    """
    beside = (path if path.is_dir() else path.parent) / RECORD_NAME
    for place in (beside, kept_record(project, set_name, form)):
        record = _read(place)
        if record is not None and record.set_name == set_name:
            return record
    return None


def _read(path: Path) -> ExportRecord | None:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ConfigError(f"{path} is larger than {_MAX_BYTES >> 20} MiB")
        data = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} cannot be read", why=str(error), hint=f"delete it: rm {path}") from None
    return from_wire(ExportRecord, data, str(path))
