"""Reading results back: a damaged file is named, and never hides the others."""

from __future__ import annotations

import pytest

from edgekit.core.wire import to_wire
from edgekit.errors import NotFoundError
from edgekit.report.load import load_results, load_shipped, results_of
from tests.report.made_up import result, write_document, write_results

OLD, NEW = result(created_utc="2001-01-01T00:00:00Z"), result("int8", created_utc="2001-01-02T00:00:00Z")


def test_results_come_back_oldest_first_whatever_their_file_names(tmp_path):
    """The newest decides what a report is about."""
    write_document(tmp_path / "a.json", to_wire(NEW))
    write_document(tmp_path / "b.json", to_wire(OLD))
    assert load_results(tmp_path).results == (OLD, NEW)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param('{"result_id": "x"', "x.json: not readable as JSON", id="half-a-file"),
        pytest.param("", "x.json: not readable as JSON", id="an-empty-file"),
        pytest.param("[1]", "x.json: expected an object", id="a-list"),
        pytest.param(
            '{"schema": 3}', "x.json: written by another edgekit (schema 3, this one reads up to 2)", id="newer"
        ),
        pytest.param("{}", "x.json: x.json is not a valid BenchResult", id="an-empty-object"),
        pytest.param("[" * 100_000, "x.json: not readable as JSON", id="nested-to-death"),
        pytest.param(b"\xff\xfe\x00", "x.json: not readable as JSON", id="not-text"),
        pytest.param(" " * (5 << 20), "x.json: larger than 4 MiB, not read", id="huge"),
    ],
)
def test_a_broken_file_is_named_and_the_others_are_read(tmp_path, content, problem):
    """A bench run killed by a power cut must not take the report with it."""
    write_results(tmp_path, OLD)
    (tmp_path / "x.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    found = load_results(tmp_path)
    assert found.results == (OLD,)
    assert len(found.problems) == 1
    assert found.problems[0].startswith(problem)
    assert "\n" not in found.problems[0]


def test_files_that_are_being_written_are_passed_over(tmp_path):
    """The temporary file of an atomic write lies in the same folder."""
    (tmp_path / ".run-abc.part.json").write_text("{", encoding="utf-8")
    assert load_results(tmp_path) == load_results(tmp_path / "none")


def test_the_newest_result_chooses_device_and_detector(tmp_path):
    """`edgekit report` without options is about what was measured last."""
    other = result(device="yard", created_utc="2001-01-03T00:00:00Z")
    found = load_results(write_results(tmp_path, OLD, NEW, other))
    assert results_of(found, tmp_path, None, None) == (other,)
    assert results_of(found, tmp_path, "local", "roadscene") == (OLD, NEW)


def test_no_results_at_all_say_how_to_get_some(tmp_path):
    """The first thing a newcomer may type."""
    with pytest.raises(NotFoundError) as caught:
        results_of(load_results(tmp_path), tmp_path, None, None)
    assert (caught.value.hint, caught.value.exit_code) == ("edgekit bench --fps", 2)
    assert str(tmp_path) in caught.value.what


def test_only_broken_results_say_what_is_wrong_with_them(tmp_path):
    """ "No results" alone would be puzzling beside a folder full of files."""
    (tmp_path / "x.json").write_text("{", encoding="utf-8")
    with pytest.raises(NotFoundError) as caught:
        results_of(load_results(tmp_path), tmp_path, None, None)
    assert "1 file there could not be read" in caught.value.what
    assert "x.json" in caught.value.why


def test_an_unknown_device_lists_what_was_measured(tmp_path):
    """A typo is mended at a glance."""
    with pytest.raises(NotFoundError) as caught:
        results_of(load_results(write_results(tmp_path, OLD)), tmp_path, "lokal", None)
    assert "device 'lokal'" in caught.value.what
    assert "local with roadscene" in caught.value.why
    assert caught.value.hint == "edgekit bench --fps --device lokal"


RECORD = {"precision": "int8", "decision": "INT8 is shipped.", "engine_id": "e", "release_id": "r"}


def test_the_deploy_record_is_read(tmp_path):
    """The page says which precision runs, and why; more fields may be added to the record."""
    write_document(tmp_path / "deploy.json", {**RECORD, "detector": "roadscene", "counter": 3})
    shipped = load_shipped(tmp_path / "deploy.json", "roadscene")
    assert (shipped.precision, shipped.decision, shipped.engine_id, shipped.release_id) == (
        "int8",
        "INT8 is shipped.",
        "e",
        "r",
    )


@pytest.mark.parametrize(
    "record",
    [None, [], {}, {**RECORD, "decision": None}, {**RECORD, "detector": "another"}],
    ids=["none", "a-list", "empty", "incomplete", "another-detector"],
)
def test_a_record_that_says_nothing_here_is_no_record(tmp_path, record):
    """The report is about figures; it must appear without the record, and not with a foreign one."""
    if record is not None:
        write_document(tmp_path / "deploy.json", record)
    assert load_shipped(tmp_path / "deploy.json", "roadscene") is None
