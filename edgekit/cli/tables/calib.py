"""What `edgekit calib` shows people of sets: tables and lines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.cli.console import table

if TYPE_CHECKING:
    from edgekit.control.labels.exporting import Exported
    from edgekit.control.labels.importing import Imported
    from edgekit.control.sets.adding import Added
    from edgekit.control.sets.checking import Checked
    from edgekit.control.sets.choosing import Chosen, Parted
    from edgekit.core.coverage import Coverage, StratumCoverage

_SHOWN = 8
_FIRST = 3  # of names within a sentence


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


def exported_rows(exported: Exported) -> list[tuple[str, Any]]:
    """What was given to a labelling tool, one fact a row."""
    bare = exported.pictures - exported.labelled - exported.proposed
    begin = [
        (exported.labelled, "with their labels"),
        (exported.proposed, f"with boxes of {exported.detector}"),
        (bare, "without a box"),
    ]
    return [
        ("set", exported.name),
        ("pictures", exported.pictures),
        ("begin", ", ".join(f"{count} {how}" for count, how in begin if count)),
        ("boxes", exported.boxes),
        ("classes", ", ".join(exported.classes)),
        ("written" if exported.written else "would be written", exported.labels),
    ]


def imported_lines(imported: Imported) -> list[Any]:
    """What came back, against what was given out."""
    against = f"the export in {imported.compared_with}" if imported.compared_with else "the labels that the set has"
    columns = ("class", "given", "back", "moved", "added", "removed")
    rows = [(row.label, row.given, row.back, row.moved, row.added, row.removed) for row in imported.classes]
    lines: list[Any] = [
        f"{imported.path}: {imported.format}, {imported.pictures} pictures, compared with {against}",
        *([table(columns, rows, right=columns[1:])] if rows else []),
    ]
    if imported.renamed:
        lines.append("other class: " + ", ".join(f"{pair} {count}" for pair, count in imported.renamed.items()))
    if imported.crowd_changed:
        lines.append(f"crowd or not changed: {imported.crowd_changed}")
    told = _picture_lines(imported)
    return [*lines, *(["", *told] if told else []), "", _verdict(imported)]


def _picture_lines(imported: Imported) -> list[str]:
    kinds: list[tuple[str, tuple[str, ...]]] = [
        ("newly labelled", imported.labelled),
        ("labels changed", imported.changed),
        ("stay without labels, nothing shows that they were looked at (--reviewed)", imported.unseen),
        ("stay without labels, the tool says skipped or not submitted", imported.skipped),
        ("had labels that the tool was not given, which these replace", imported.overruled),
        ("not in the set", imported.unknown),
    ]
    return [f"{what}: {len(names)} ({_first(names)})" for what, names in kinds if names]


def _first(names: tuple[str, ...]) -> str:
    rest = len(names) - _FIRST
    return ", ".join(names[:_FIRST]) + (f" and {rest} more; --json names them all" if rest > 0 else "")


def _verdict(imported: Imported) -> str:
    labels = f"{imported.labels_after} of {imported.set_pictures} pictures of {imported.name} have labels"
    if not imported.labelled and not imported.changed:
        return f"nothing changed; {labels}"
    before = f", {imported.labels_before} before"
    return f"{labels}{before}; {'written' if imported.written else 'would be written'}: {imported.labels}"
