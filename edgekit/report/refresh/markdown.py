"""One refresh as Markdown: what was decided and from which figures, before and after. For a file, a wiki or a chat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgekit.core.gate import Gate, StratumKept
from edgekit.core.refresh import Refresh, change_of
from edgekit.report.markdown import escape
from edgekit.report.numbers import figure, moment

COLUMNS = ("pictures", "before", "after", "kept", "95 % interval", "verdict")


def refresh_markdown(record: Refresh) -> str:
    """The text, ending in one line feed."""
    sections = (_head(record), _steps(record), *(_compared(one) for one in compared(record)))
    return "\n".join(line for section in sections for line in section).rstrip() + "\n"


@dataclass(frozen=True)
class Comparison:
    """A gate and what it compares. limited: it has limits to keep; else the question is what changed."""

    title: str
    gate: Gate
    limited: bool = False

    @property
    def measure(self) -> str:
        """What before and after are. Agreement with a model is no accuracy, and must not look like it."""
        by_people = self.gate.labelled_by == "people"
        return "mAP50-95" if by_people else "agreement with the FP32 model (its own detections as truth)"

    def word(self, row: StratumKept) -> str:
        """The last of COLUMNS: the gate's verdict where it has limits, else "better", "worse", "same"."""
        change = change_of(row)
        return row.verdict if self.limited and change != "not judged" else change

    def cells(self, row: StratumKept) -> tuple[str, ...]:
        """A row's figures in the order of COLUMNS. What is not judged has no share: of few pictures it says nothing."""
        figures, word = (str(row.pictures), figure(row.baseline_map, 3), figure(row.map50_95, 3)), self.word(row)
        if word == "not judged":
            return (*figures, "", "", word)
        return (*figures, f"{100 * row.kept:.1f} %", f"{100 * row.low:.1f} to {100 * row.high:.1f} %", word)


def compared(record: Refresh) -> tuple[Comparison, ...]:
    """The comparisons that were made: on field frames first, they are why it was done."""
    found = record.evidence
    if found is None:
        return ()
    gates = (
        ("Held-out field frames, against the engine that served", found.holdout, False),
        ("Frozen set, against the engine that served", found.serving, False),
        ("Frozen set, against the engine that was never quantised", found.unquantised, True),
    )
    return tuple(Comparison(title, gate, limited) for title, gate, limited in gates if gate is not None)


def _head(record: Refresh) -> Iterator[str]:
    yield f"# Refresh of {escape(record.device)}, {moment(record.created_utc)}"
    yield ""
    yield f"**{record.outcome.capitalize()}**: {escape(record.why)}"
    yield ""
    yield from _table(("", ""), [(name, escape(value)) for name, value in record_facts(record)])


def record_facts(record: Refresh) -> tuple[tuple[str, str], ...]:
    """What went into a refresh, as pairs; what it did not come to is left out."""
    frames = record.frames
    refused = "".join(f", {count} {why}" for why, count in sorted(frames.refused.items()))
    chosen = f"{record.set_name}: {record.set_pictures} pictures, {frames.chosen} from the field"
    pairs = (
        ("detector", record.detector),
        ("service", record.service),
        ("field frames", f"{frames.kept} fetched, {frames.accepted} new and good{refused}"),
        ("field sets", f"{frames.calibration} to calibrate with, {frames.holdout} held out"),
        ("calibrated with", chosen if record.set_name else ""),
        ("served before", record.serving_engine_id),
        ("candidate", record.candidate_engine_id),
        ("serves now", f"release {record.release_id}" if record.release_id else ""),
    )
    return tuple((name, value) for name, value in pairs if value)


def _steps(record: Refresh) -> Iterator[str]:
    yield "## Steps"
    yield ""
    yield from _table(("step", "result", "s"), [(s.name, escape(s.result), f"{s.seconds:.1f}") for s in record.steps])


def _compared(one: Comparison) -> Iterator[str]:
    gate = one.gate
    yield f"## {one.title}"
    yield ""
    yield f"{escape(gate.dataset)}; figures are {one.measure}. Before: {escape(gate.baseline)}. "
    yield f"After: {escape(gate.candidate)}. Intervals are paired over the pictures, {gate.resamples} resamples."
    yield ""
    yield from _table(("stratum", *COLUMNS), [(escape(row.stratum), *one.cells(row)) for row in gate.rows])


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(columns) + " |"
    yield "|" + "---|" * len(columns)
    for row in rows:
        yield "| " + " | ".join(row) + " |"
    yield ""
