"""What `edgekit calib` shows people of sets: tables and lines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.cli.console import table

if TYPE_CHECKING:
    from edgekit.control.set_adding import Added
    from edgekit.control.set_checking import Checked
    from edgekit.control.set_choosing import Chosen, Parted
    from edgekit.core.coverage import Coverage, StratumCoverage

_SHOWN = 8


def added_rows(added: Added) -> list[tuple[str, Any]]:
    """The set as it is now, one fact a row."""
    conditions = ", ".join(f"{name or 'untagged'} {count}" for name, count in added.conditions.items())
    return [
        ("set", added.name),
        ("pictures", added.pictures),
        ("by condition", conditions),
        ("labels", "yes" if added.labelled else "none"),
        ("digest", added.sha256),
        ("left out", len(added.skipped)),
        ("written" if added.written else "would be written", f"{added.folder}/set.yaml"),
    ]


def left_out(skipped: tuple[str, ...]) -> list[str]:
    """The first pictures that are left out, with the reason; nothing if there are none."""
    if not skipped:
        return []
    rest = len(skipped) - _SHOWN
    more = [f"  and {rest} more; --json names them all"] if rest > 0 else []
    return ["", "left out:", *(f"  {line}" for line in skipped[:_SHOWN]), *more]


def coverage_lines(coverage: Coverage, path: Path | None) -> list[Any]:
    """What `calib inspect` shows on a terminal."""
    columns = ["stratum", "pictures", "share", *(["reference", "its share"] if coverage.reference else []), "verdict"]
    right = ("pictures", "share", "reference", "its share")
    rows = [_coverage_row(row, bool(coverage.reference)) for row in coverage.strata if row.verdict != "absent"]
    seen = f", objects seen by {coverage.detector}" if coverage.detector else ""
    against = f", against {coverage.reference} ({coverage.reference_pictures})" if coverage.reference else ""
    lines: list[Any] = [
        f"{coverage.name}: {coverage.pictures} pictures{against}{seen}",
        table(columns, rows, right=right),
    ]
    for what, names in (("missing", coverage.missing), ("thin", coverage.thin)):
        if names:
            lines += ["", f"{what}: {', '.join(names)}"]
    if coverage.near_duplicates:
        pairs = coverage.near_duplicates
        lines += ["", "near duplicates:", *(f"  {one}  {other}" for one, other in pairs[:_SHOWN])]
        lines += [f"  and {len(pairs) - _SHOWN} more"] if len(pairs) > _SHOWN else []
    return [*lines, *left_out(coverage.skipped), *(["", f"page: {path}"] if path else [])]


def _coverage_row(row: StratumCoverage, with_reference: bool) -> list[Any]:
    reference = [row.reference_pictures, _percent(row.reference_share)] if with_reference else []
    return [row.stratum, row.pictures, _percent(row.share), *reference, row.verdict]


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{100 * share:.1f} %"


def chosen_lines(chosen: Chosen) -> list[Any]:
    """Which floor took how many, and what filled the rest."""
    columns = ("stratum", "pool", "floor", "taken for it", "chosen")
    rows = [(row.stratum, row.pool, row.floor, row.taken, row.chosen) for row in chosen.strata]
    how = f"{chosen.random} at random" if chosen.random else f"{chosen.farthest} for their distance from the others"
    return [
        table(columns, rows, right=columns[1:]),
        "",
        f"{chosen.name}: {chosen.pictures} of {chosen.pool} pictures, seed {chosen.seed}: "
        f"{sum(row.taken for row in chosen.strata)} for floors, {how}"
        + (f"; {chosen.near_duplicates} near duplicates left out" if chosen.near_duplicates else ""),
    ]


def parted_rows(parted: Parted) -> list[tuple[str, Any]]:
    """The two parts of a set."""
    total = parted.calib_pictures + parted.frozen_pictures
    return [
        (parted.calib, f"{parted.calib_pictures} pictures"),
        (parted.frozen, f"{parted.frozen_pictures} pictures, {100 * parted.frozen_pictures / total:.1f} %"),
        ("kept together", f"{parted.joined} groups of several pictures, among {parted.groups} groups"),
        ("seed", parted.seed),
    ]


def checked_rows(checked: Checked) -> list[tuple[str, Any]]:
    """The verdict, one fact a row."""
    return [
        ("set", checked.name),
        ("pictures", checked.pictures),
        ("digest", f"{checked.sha256} ({'pinned' if checked.pinned else 'not pinned'})"),
        ("labels", "yes" if checked.labelled else "none"),
        ("verdict", "unfit, see below" if checked.problems else "fit"),
    ]
