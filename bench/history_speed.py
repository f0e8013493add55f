"""How fast a history of many results, evaluations and refreshes is: adding, listing, filtering, statistics, reading.

    python bench/history_speed.py --like .edgekit/results/local-roadscene-....json --count 100000
    python bench/history_speed.py --like FILE --db postgresql://user@host/an_empty_database

The results are one real result told again: another id, time, device (20 of them), branch and rate each, another engine
after every five. As many evaluations of these engines in 12 strata stand beside them, and a tenth as many refreshes.
Without --db it is an SQLite file in a temporary folder. A time is the median of several calls; every call opens the
history anew, as a command does. Processor time of this process stands beside it, for other work on the machine is in
the other; a server's own work is not in it.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta, timezone
from functools import partial
from itertools import islice
from pathlib import Path

from edgekit.cli.history.line import line_of
from edgekit.core.gate import Gate, StratumKept
from edgekit.core.refresh import Evidence, Refresh, RefreshStep
from edgekit.core.results import Accuracy, BenchResult
from edgekit.report.history.address import parse_address
from edgekit.report.history.evaluations import EvaluationRecord
from edgekit.report.history.exporting import export
from edgekit.report.history.page import render_history
from edgekit.report.history.project_files import catch_up, save_evaluation
from edgekit.report.history.query import Query
from edgekit.report.history.series import series_of
from edgekit.report.history.store import History, open_history
from edgekit.report.load import load_result

sys.path.insert(0, str(Path(__file__).resolve().parent))
from common import machine, save_result

DEVICES, CALLS = 20, 5
STRATA = ("day", "dusk", "rain", "snow", "night", "fog", "low-sun", "tiny", "blur", "noise", "light:day", "light:night")
FILES = 1000  # records of a project that are looked through when its history is opened
FIRST = datetime(2021, 1, 1, tzinfo=timezone.utc)


def engine_of(number: int) -> str:
    """Each engine is measured and judged five times on each device."""
    return f"{number // DEVICES // 5:016x}"


def made_up(like: BenchResult, count: int) -> Iterator[BenchResult]:
    """One an hour and device, whose rates are drawn with a seed."""
    rng = random.Random(7)
    for number in range(count):
        rate = replace(like.measurement.rate, fps=round(rng.gauss(30, 1), 3))
        yield replace(
            like,
            result_id=f"{number:07}-{like.engine.precision}",
            created_utc=(FIRST + timedelta(hours=number // DEVICES)).isoformat(timespec="seconds"),
            device=f"device-{number % DEVICES:02}",
            git_branch="main" if number % 3 else f"topic-{number % 50}",
            engine=replace(like.engine, engine_id=engine_of(number)),
            measurement=replace(like.measurement, pipeline_rate=rate),
        )


def moment(number: int) -> str:
    """One an hour and device."""
    return (FIRST + timedelta(hours=number // DEVICES)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def made_up_gate(kept: float, engine_id: str) -> Gate:
    """INT8 against FP32 in all strata."""
    rows = [
        StratumKept(name, 20, 200, 0.75, round(0.75 * kept, 6), kept, kept - 0.005, kept + 0.005, "kept")
        for name in ("all", *STRATA)
    ]
    return Gate("FP32 engine 0123456789abcdef", f"INT8 engine {engine_id}", "frozen", "5" * 64, tuple(rows), 400)


def made_up_evaluations(like: BenchResult, count: int) -> Iterator[EvaluationRecord]:
    """Of the engines that the results were measured with; the shares are drawn with a seed."""
    rng = random.Random(8)
    judged = like.accuracy or Accuracy("frozen", "5" * 64, 220, 0.74, 0.91, dict.fromkeys(STRATA, 0.7), {"car": 0.7})
    for number in range(count):
        engine_id, kept = engine_of(number), round(rng.gauss(0.988, 0.003), 6)
        yield EvaluationRecord(
            evaluation_id=f"eval-{number:07}",
            created_utc=moment(number),
            source="eval",
            device=f"device-{number % DEVICES:02}",
            detector=like.engine.detector,
            precision=like.engine.precision,
            engine_id=engine_id,
            dataset="frozen",
            dataset_sha256="5" * 64,
            labelled_by="people",
            accuracy=judged,
            reference="FP32 engine 0123456789abcdef",
            reference_engine_id="0123456789abcdef",
            gate=made_up_gate(kept, engine_id),
            git_branch="main" if number % 3 else f"topic-{number % 50}",
        )


def made_up_refreshes(like: BenchResult, count: int) -> Iterator[Refresh]:
    """Each with its three comparisons."""
    judged = made_up_gate(0.99, like.engine.engine_id)
    for number in range(count):
        yield Refresh(
            device=f"device-{number % DEVICES:02}",
            service="made-up",
            detector=like.engine.detector,
            created_utc=moment(10 * number),
            outcome="kept" if number % 3 else "promoted",
            why="not proven better than the engine that serves",
            steps=tuple(RefreshStep(name, "so many frames", 1.5) for name in ("survey", "fetch", "choose", "judge")),
            candidate_engine_id=engine_of(10 * number),
            evidence=Evidence(judged, judged, judged, "int8", 20.0, 10.0),
            duration_s=70.0,
        )


def questions(folder: Path, count: int) -> dict[str, Callable[[History], object]]:
    """What people ask of a history."""
    recent = FIRST + timedelta(hours=count // DEVICES - 24 * 7)
    one = Query(device="device-07")
    return {
        "list the newest 20 of all kinds": lambda history: line_of(history, Query(limit=20), limit=20),
        "list the newest 20 of all kinds of a device": lambda history: line_of(
            history, Query(device="device-07", limit=20), limit=20
        ),
        "list the newest 20 evaluations": lambda history: history.records.evaluations(Query(limit=20)),
        "draw 500 of each kind of a device, with the mAP kept": lambda history: render_history(
            line_of(history, Query(device="device-07", limit=500))
        ),
        "find an evaluation by its id": lambda history: history.records.find_evaluation(f"eval-{count // 2:07}"),
        f"look for new records among {FILES:,} files": lambda history: catch_up(folder, history.records),
        "export all evaluations as a table": lambda history: export(history, Query(), folder / "e.csv", "eval"),
        "list the newest 20": lambda history: history.listed(Query(limit=20)),
        "list the newest 20 of a device and branch": lambda history: history.listed(
            Query(device="device-07", branch="topic-7", limit=20)
        ),
        "list a week of all devices": lambda history: history.listed(Query(since=recent)),
        "count all": lambda history: history.count(),
        "find one by its id": lambda history: history.find(f"{count // 2:07}"),
        "statistics of one device": lambda history: series_of(history.listed(one)),
        "statistics of all": lambda history: series_of(history.listed()),
        "read 1,000 whole results": lambda history: history.read(Query(device="device-07", limit=1000)),
        "export all as a table": lambda history: export(history, Query(), folder / "all.csv"),
    }


@dataclass(frozen=True)
class Taken:
    """Seconds by the clock, and of this process on a processor."""

    seconds: float
    cpu_seconds: float


def timed(work: Callable[[], object], calls: int = CALLS) -> Taken:
    """Medians of several calls."""
    clocks, processors = [], []
    for _ in range(calls):
        clock, processor = time.perf_counter(), time.process_time()
        work()
        clocks.append(time.perf_counter() - clock)
        processors.append(time.process_time() - processor)
    return Taken(statistics.median(clocks), statistics.median(processors))


def asked(address: str, ask: Callable[[History], object]) -> Callable[[], None]:
    """A question with the opening of the history, as a command asks it."""

    def work() -> None:
        with open_history(address) as history:
            ask(history)

    return work


def measure(address: str, like: BenchResult, count: int, folder: Path) -> dict[str, Taken]:
    """What each question took."""
    with open_history(address) as history:
        if history.count():
            sys.exit(f"{history.place} is not empty")
    everything = made_up(like, count)
    taken = {f"add {count:,} in one go": timed(asked(address, lambda history: history.add_all(everything)), calls=1)}
    judged, refreshed = made_up_evaluations(like, count), made_up_refreshes(like, count // 10)
    for what, records in ((f"{count:,} evaluations", judged), (f"{count // 10:,} refreshes", refreshed)):
        taken[f"add {what}"] = timed(asked(address, partial(_add_records, records)), calls=1)
    for record in islice(made_up_evaluations(like, count), min(count, FILES)):
        save_evaluation(folder, record)
    more = islice(made_up(like, count + CALLS), count, None)
    taken["add one"] = timed(asked(address, lambda history: history.add(next(more), live=True)))
    return taken | {what: timed(asked(address, ask)) for what, ask in questions(folder, count).items()}


def _add_records(records: Iterator[EvaluationRecord] | Iterator[Refresh], history: History) -> None:
    history.records.add_all(records)


def markdown(result: dict[str, object]) -> str:
    """The table."""
    rows = [
        f"| {what} | {taken['seconds']:.3f} | {taken['cpu_seconds']:.3f} |" for what, taken in result["taken"].items()
    ]
    place = result["database"]
    size = f", {result['file_mib']} MiB" if result["file_mib"] else ""
    return "\n".join(
        [
            f"# A history of {result['results']:,} results and as many evaluations",
            "",
            f"{place}{size}; each result is {result['document_kib']} KiB of JSON.",
            "Opening the history is in every time.",
            "",
            "| | seconds | of processor time |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--like", type=Path, required=True, metavar="FILE", help="a result file to tell again")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--db", metavar="URL", help="an empty PostgreSQL database, instead of an SQLite file")
    parser.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    parser.add_argument("--save", action="store_true", help="also write bench/results/")
    arguments = parser.parse_args()
    like = load_result(arguments.like)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        address = arguments.db or str(folder / "history.db")
        taken = measure(address, like, arguments.count, folder)
        size = round((folder / "history.db").stat().st_size / (1 << 20)) if not arguments.db else None
    kind = "PostgreSQL" if arguments.db else "SQLite"
    result = {
        "database": f"{kind}, {parse_address(address).drivername.partition('+')[2]}",
        "results": arguments.count,
        "file_mib": size,
        "document_kib": round(arguments.like.stat().st_size / 1024, 1),
        "taken": {what: {name: round(value, 4) for name, value in asdict(one).items()} for what, one in taken.items()},
        **machine(),
    }
    # The address may hold a password.
    result["command"] = result["command"].replace(arguments.db, "URL") if arguments.db else result["command"]
    save_result(f"history_speed-{kind.lower()}", result, markdown(result), arguments)


if __name__ == "__main__":
    main()
