"""What other tools print, read back: the figures, and the switches without which they mean nothing."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from edgekit.core.wire import canonical_json
from edgekit.errors import ConfigError, UsageError
from edgekit.report.history.importing import import_file
from edgekit.report.history.trtexec import parse_trtexec
from edgekit.report.history.ultralytics import parse_ultralytics

CASES = Path(__file__).resolve().parents[2] / "cases"
SHA256 = "ab" * 32


def cases(path: str):
    return [pytest.param(case, id=case["name"]) for case in json.loads((CASES / path).read_text("utf-8"))["cases"]]


def check(found, expected):
    assert len(found) == len(expected)
    for result, wanted in zip(found, expected):
        figures = wanted.pop("figures")
        assert {name: getattr(result, name) for name in wanted} == wanted
        assert {name: result.figures.get(name) for name in figures} == figures


@pytest.mark.parametrize("case", cases("trtexec/logs.json"))
def test_a_log_of_trtexec_gives_its_figures_version_and_switches(case):
    """The same engine prints other figures under other switches: without them a history compares apples with pears."""
    found = parse_trtexec("\n".join(case["lines"]), "a.log", SHA256)
    check(found, case["expected"])
    assert all("throughput_qps" in result.definitions for result in found)


@pytest.mark.parametrize("case", cases("ultralytics/tables.json"))
def test_a_table_of_ultralytics_gives_its_rows_with_what_their_fps_means(case):
    """Its FPS is 1000 / inference ms; kept under our name for FPS it would beat every honest figure."""
    found = parse_ultralytics("\n".join(case["lines"]), "benchmarks.log", SHA256)
    check(found, case["expected"])
    assert all("fps" not in result.figures for result in found)
    assert all(
        ("fps_from_inference" in result.figures) == ("fps_from_inference" in result.definitions) for result in found
    )


def query(start_ms: float, latency_ms: float, **more: float):
    times = {"startComputeMs": start_ms, "startH2dMs": start_ms - 0.5, "endD2hMs": start_ms - 0.5 + latency_ms}
    return {**times, "h2dMs": 0.5, "computeMs": latency_ms - 0.75, "d2hMs": 0.25, "latencyMs": latency_ms, **more}


def test_exported_times_are_summed_up_as_trtexec_does():
    """200 queries of 10 to 29.9 ms: percentiles by trtexec's own rule, throughput by the wall time of the trace."""
    queries = [query(1000 + 50 * index, 10 + index / 10) for index in range(200)]
    (found,) = parse_trtexec(json.dumps(queries), "times.json", SHA256)
    assert found.figures["queries"] == 200
    assert found.figures["latency_median_ms"] == pytest.approx(19.95)
    assert found.figures["latency_p99_ms"] == pytest.approx(29.7)  # of 200 the 2 largest are left out
    assert found.figures["throughput_qps"] == pytest.approx(1000 * 200 / (199 * 50 + 29.9))
    assert set(found.settings.values()) == {"unknown"}


def test_exported_times_of_old_releases_are_counted_without_their_warm_up():
    """8.4 and older write the warm-up too, whose first query may take a hundred times as long."""
    queries = [
        query(10, 900.0, endToEndMs=900.0),
        *(query(200 + 10 * index, 5.0, endToEndMs=9.0) for index in range(20)),
    ]
    (found,) = parse_trtexec(json.dumps(queries), "times.json", SHA256)
    assert found.figures["latency_max_ms"] == 5.0
    assert found.figures["end_to_end_median_ms"] == 9.0
    assert "latency_p99_ms" not in found.figures  # of 20 queries it would be a guess
    assert found.notes == "from --exportTimes, 20 queries, 1 of the warm-up left out"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("", "no performance summary", id="empty"),
        pytest.param(
            "&&&& RUNNING TensorRT.trtexec [TensorRT v8502] # trtexec --buildOnly\n", "no performance", id="built"
        ),
        pytest.param("[]", "no query after the warm-up", id="an empty list"),
        pytest.param('[{"latencyMs": 1}]', r"times.json\[0\]: expected a query", id="half a query"),
        pytest.param('[1, "x"]', r"times.json\[0\]: expected a query", id="another list"),
        pytest.param("[" * 100_000, "no performance summary", id="nested beyond reason"),
    ],
)
def test_what_is_no_output_of_trtexec_is_refused(text, why):
    """An import that takes nothing in and says nothing is believed to have worked."""
    with pytest.raises(ConfigError, match=why):
        parse_trtexec(text, "times.json", SHA256)


def test_a_log_that_powershell_wrote_is_read(tmp_path):
    """`yolo benchmark > log.txt` in PowerShell gives UTF-16."""
    case = json.loads((CASES / "ultralytics/tables.json").read_text("utf-8"))["cases"][0]
    path = tmp_path / "log.txt"
    path.write_bytes("\n".join(case["lines"]).encode("utf-16"))
    assert [result.figures["inference_ms"] for result in import_file("ultralytics", path)] == [25.5, 20.0, 10.0]


def test_colours_and_escapes_of_a_terminal_are_left_out(tmp_path):
    """Ultralytics prints in colours; and nothing out of a file may write to the terminal of whoever lists it."""
    path = tmp_path / "a.log"
    path.write_text("Selected Device: \x1b]0;owned\x07\x1b[31mOrin\x1b[0m\r\n\x1b[34mThroughput: 5 qps\x1b[0m\r\n")
    (found,) = import_file("trtexec", path)
    assert found.device == "]0;ownedOrin"
    assert found.figures == {"throughput_qps": 5.0}


def test_a_name_given_by_the_person_stands_instead_of_the_files(tmp_path):
    """`Selected Device: Orin` is what every Orin says; the fleet knows it as yard."""
    case = json.loads((CASES / "trtexec/logs.json").read_text("utf-8"))["cases"][2]
    path = tmp_path / "trtexec.log"
    path.write_text("\n".join(case["lines"]))
    found = import_file("trtexec", path, device="yard", model="net")
    assert [(result.device, result.model) for result in found] == [("yard", "net")] * 2
    assert len({result.foreign_id for result in found}) == 2


def test_a_missing_and_a_monstrous_file_are_refused_before_they_are_read(tmp_path):
    """A log is untrusted; nothing of it is parsed before its size is known."""
    path = tmp_path / "huge.log"
    with path.open("wb") as stream:
        stream.truncate(65 << 20)
    with pytest.raises(ConfigError, match="larger than 64 MiB"):
        import_file("trtexec", path)
    with pytest.raises(UsageError, match="cannot be read"):
        import_file("trtexec", tmp_path / "none.log")


@pytest.mark.parametrize(
    ("parse", "path"), [(parse_trtexec, "trtexec/logs.json"), (parse_ultralytics, "ultralytics/tables.json")]
)
def test_damaged_text_gives_figures_that_can_be_kept_or_a_refusal(parse, path):
    """A log cut by a full disk, or edited, ends in a sentence: never in a traceback, never in infinity."""
    rng = random.Random(7)
    whole = ["\n".join(case["lines"]) for case in json.loads((CASES / path).read_text("utf-8"))["cases"]]
    for text in whole * 40:
        letters = list(text)
        for _ in range(rng.randrange(1, 30)):
            letters[rng.randrange(len(letters))] = rng.choice("0.e+-9[]|& \n,:%NaN")
        try:
            found = parse("".join(letters[: rng.randrange(len(letters))]), "a.log", SHA256)
        except ConfigError:
            continue
        assert all(canonical_json(result) for result in found)


def test_a_figure_beyond_all_numbers_is_left_out():
    """JSON has no infinity, and a history that holds one cannot be exported."""
    queries = [query(1000, 5.0, h2dMs=float("inf"))]
    (found,) = parse_trtexec(json.dumps(queries), "times.json", SHA256)
    assert "h2d_max_ms" not in found.figures
    (found,) = parse_trtexec("Throughput: 5 qps\nTotal Host Walltime: 1e999 s", "a.log", SHA256)
    assert found.figures == {"throughput_qps": 5.0}
