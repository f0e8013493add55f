"""The list that pins the pictures of a set: a digest and a name a line, as sha256sum writes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edgekit import files
from edgekit.errors import CalibrationError, ConfigError, NotFoundError

_SHOWN = 5


def write_picture_list(path: Path, digests: Mapping[str, str]) -> None:
    """Replace a list. digests: name -> SHA-256."""
    lines = "".join(f"{sha256}  {name}\n" for name, sha256 in sorted(digests.items()))
    files.write_bytes(path, lines.encode("utf-8"))


def read_picture_list(path: Path) -> dict[str, str]:
    """Name -> SHA-256. Raises NotFoundError without the file, ConfigError naming every line that is none."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        raise NotFoundError(f"no file {path}", hint="it belongs beside set.yaml; make the set again") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None
    found, problems = {}, []
    for number, line in enumerate(lines, start=1):
        sha256, _, name = line.partition("  ")
        if len(sha256) == 64 and set(sha256) <= set("0123456789abcdef") and name:
            found[name] = sha256
        elif line.strip():
            problems.append(f"{path}:{number}: expected a SHA-256, two spaces and a name, got {line[:60]!r}")
    if problems:
        raise ConfigError(f"{path} cannot be used", problems=problems[:20])
    return found


def check_pinned(name: str, folder: Path, pinned: str, actual: str, digests: Mapping[str, str], listed: Path) -> None:
    """Raise CalibrationError naming what changed if a set is no longer the one that its digest: pins."""
    if pinned == actual:
        return
    changes = _changes(read_picture_list(listed), digests) if listed.is_file() else []
    raise CalibrationError(
        f"the pictures of set {name} are not those that digest: in {folder / 'set.yaml'} pins",
        why="\n".join(changes) or f"it pins {pinned[:12]}..., they have {actual[:12]}... ({len(digests)} pictures)",
        hint=f"bring the pictures back, or accept them as they are: edgekit calib check {name} --pin",
    )


def _changes(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    kinds = {
        "changed": sorted(name for name in before.keys() & now.keys() if before[name] != now[name]),
        "missing": sorted(before.keys() - now.keys()),
        "new": sorted(now.keys() - before.keys()),
    }
    return [f"{len(names)} {kind}: {_shown(names)}" for kind, names in kinds.items() if names]


def _shown(names: list[str]) -> str:
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
