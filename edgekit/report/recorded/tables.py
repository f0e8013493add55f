"""Every table of sentences that a page may have to say in another language: code -> English, code -> Chinese."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgekit.core import disturbances, preflight_rules, stability
from edgekit.core.sentences import Sentences
from edgekit.report.recorded.build_texts import BUILD
from edgekit.report.recorded.decision_texts import DECISIONS
from edgekit.report.recorded.field_texts import BATCH_PARTS, BATCHES, FRAMES, PICTURES
from edgekit.report.recorded.file_texts import FILES
from edgekit.report.recorded.forecast_texts import CLOCK, CONDITIONS, LEFT_OUT
from edgekit.report.recorded.machine_texts import DISTURBANCES, PREFLIGHT, STABILITY
from edgekit.report.recorded.run_texts import CAMERA, POWER, RUN


@dataclass(frozen=True)
class Table:
    """The same codes on both sides."""

    english: Sentences
    chinese: Mapping[str, str]


def table_of(pairs: Mapping[str, tuple[str, str]]) -> Table:
    """Of (English, Chinese) by code."""
    return Table(
        Sentences({code: english for code, (english, _) in pairs.items()}),
        {code: chinese for code, (_, chinese) in pairs.items()},
    )


def say(table: str, code: str, /, **values: object) -> str:
    """A sentence of one of TABLES, in English."""
    return TABLES[table].english.say(code, **values)


TABLES: dict[str, Table] = {
    "stability": Table(stability.SENTENCES, STABILITY),
    "preflight": Table(preflight_rules.SENTENCES, PREFLIGHT),
    "disturbances": Table(disturbances.SENTENCES, DISTURBANCES),
    "run": table_of(RUN),
    "power": table_of(POWER),
    "camera": table_of(CAMERA),
    "build": table_of(BUILD),
    "batches": table_of(BATCHES),
    "batch_parts": table_of(BATCH_PARTS),
    "frames": table_of(FRAMES),
    "pictures": table_of(PICTURES),
    "decisions": table_of(DECISIONS),
    "files": table_of(FILES),
    "left_out": table_of(LEFT_OUT),
    "conditions": table_of(CONDITIONS),
    "clock": table_of(CLOCK),
}
