"""A session: engines in turns, every result saved at once, the service stopped meanwhile, and what a cut leaves."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.control.bench.engines import select_engines, turns
from edgekit.control.bench.partial import left_behind
from edgekit.control.bench.rounds import Asides, measure_rounds
from edgekit.control.device_use import alone_on
from edgekit.control.project import Project
from edgekit.control.scenarios import Scenario
from edgekit.core.activation import Journal
from edgekit.core.results import BenchResult
from edgekit.core.wire import from_wire
from edgekit.errors import DeployError, EngineError, NotFoundError, UnreachableError, UsageError
from edgekit.report.load import load_results
from tests.control.bench.made_up_device import SERVICE, MadeUpLink, device, visited
from tests.report.made_up import engine

FP32, INT8 = engine("fp32"), engine("int8")
SCENARIO = Scenario(seconds=12)


def quiet(what, done, total):
    """Nobody looks."""


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


@pytest.fixture
def link(tmp_path):
    return MadeUpLink(tmp_path / "device")


def partials(project):
    return [json.loads(path.read_text()) for path in project.results_dir.glob("*.partial.json")]


def test_engines_take_turns_and_every_second_round_goes_backwards():
    """A machine that warms up at a steady pace must not make the engine look slow that always comes second."""
    order = [(number, made.precision) for number, made in turns((FP32, INT8), 3)]
    assert order == [(1, "fp32"), (1, "int8"), (2, "int8"), (2, "fp32"), (3, "fp32"), (3, "int8")]


def test_every_result_says_which_session_and_round_it_is_of_and_is_saved_at_once(project, link):
    """Pairs are found by these; and of a long session that is cut off, the turns that were over must stay."""
    saved_before = []
    link.on_bench = lambda request, on_progress: saved_before.append(len(load_results(project.results_dir).results))
    told: list[BenchResult] = []
    seen = visited(project, link, FP32, INT8)
    made = measure_rounds(
        seen, (FP32, INT8), SCENARIO, 2, quiet, session="s1", note="with a fan", tell=Asides(result=told.append)
    )
    assert [(item.session, item.round, item.engine.precision) for item in made] == [
        ("s1", 1, "fp32"), ("s1", 1, "int8"), ("s1", 2, "int8"), ("s1", 2, "fp32"),
    ]  # fmt: skip
    assert saved_before == [0, 1, 2, 3]
    assert told == made and {item.note for item in made} == {"with a fan"}
    found = load_results(project.results_dir)
    assert found.problems == () and sorted(item.result_id for item in found.results) == sorted(
        item.result_id for item in made
    )


def test_the_service_is_stopped_before_and_started_after_all_turns(project, link):
    """It would share the cores; and stopping it for each turn anew would be a row of outages."""
    measure_rounds(visited(project, link, FP32, INT8), (FP32, INT8), SCENARIO, 1, quiet)
    assert link.asked == ["stop", FP32.engine_id, INT8.engine_id, "start", "state"]
    assert link.running and partials(project) == []


def test_what_fails_on_the_device_starts_the_service_again_and_leaves_no_partial_file(project, link):
    """An error is told; a file that speaks of a cut would send people searching."""

    def fail(request, on_progress):
        raise EngineError("it does not load")

    link.on_bench = fail
    with pytest.raises(EngineError):
        measure_rounds(visited(project, link, FP32), (FP32,), SCENARIO, 1, quiet)
    assert link.running and partials(project) == []


def test_ctrl_c_starts_the_service_again_and_leaves_a_file_that_is_no_result(project, link):
    """Half a measurement read as a whole one would be a figure that nobody took."""

    def interrupt(request, on_progress):
        on_progress("measuring", 3, 24)
        raise KeyboardInterrupt

    link.on_bench = interrupt
    with pytest.raises(KeyboardInterrupt):
        measure_rounds(visited(project, link, FP32), (FP32,), SCENARIO, 1, quiet, session="s1")
    assert link.running
    (left,) = partials(project)
    assert (left["partial"], left["schema"], left["session"], left["stopped_service"]) == (True, 2, "s1", "")
    assert (left["device"], left["detector"], left["precision"], left["scenario"]) == (
        "yard",
        "fake",
        "fp32",
        "pipeline",
    )
    found = load_results(project.results_dir)
    assert found.results == ()
    assert "what a run that was stopped left behind" in found.problems[0]


def test_a_link_that_breaks_leaves_the_name_of_the_stopped_service(project, link):
    """Nobody could start it again; the next bench must know."""

    def cut(request, on_progress):
        raise UnreachableError("the connection broke")

    def call(verb, request, answer, on_progress=None):
        if verb == "start":
            raise UnreachableError("the connection broke")
        return MadeUpLink.call(link, verb, request, answer, on_progress)

    link.on_bench = cut
    link.call = call
    with pytest.raises(UnreachableError):
        measure_rounds(visited(project, link, FP32), (FP32,), SCENARIO, 1, quiet)
    assert partials(project)[0]["stopped_service"] == SERVICE


def test_the_next_bench_starts_what_a_killed_one_left_stopped_and_says_so(project, link):
    """Killed with -9 in the middle, a bench cannot clean up: an outage that nobody ordered would last."""

    def die():
        link.on_bench = lambda request, on_progress: os._exit(9)
        measure_rounds(visited(project, link, FP32), (FP32,), SCENARIO, 1, quiet)

    child = multiprocessing.get_context("fork").Process(target=die)
    child.start()
    child.join(30)
    assert child.exitcode == 9
    assert [one.stopped_service for one in left_behind(project.results_dir, "yard").values()] == [SERVICE]
    link.running = False  # as the child left it
    notes: list[str] = []
    measure_rounds(visited(project, link, FP32), (FP32,), SCENARIO, 1, quiet, tell=Asides(note=notes.append))
    assert link.running and link.asked == [FP32.engine_id, "start", "state"]
    assert len(notes) == 1 and "was cut off after 0 of 12 s" in notes[0] and "street was left stopped" in notes[0]
    assert partials(project) == []


def test_a_service_that_people_stopped_stays_stopped(project, link):
    """Maintenance ends when people say so."""
    link.running = False
    measure_rounds(visited(project, link, FP32), (FP32,), SCENARIO, 1, quiet)
    assert not link.running and link.asked == [FP32.engine_id]


def test_a_release_on_probation_is_left_alone(project, link):
    """To stop it would fail it."""
    link.journal = Journal(SERVICE, phase="probation", target="r2", good=("r",))
    with pytest.raises(DeployError, match="is being tried"):
        measure_rounds(visited(project, link, FP32), (FP32,), SCENARIO, 1, quiet)
    assert link.asked == [] and partials(project) == []


def test_two_benches_on_one_machine_wait_for_each_other(project):
    """Side by side both would measure half a machine."""
    with alone_on(project, device("local"), quiet) as waited:
        assert not waited
        other = _bench_elsewhere(project, "jetson")
        assert other.wait(30) == 0  # another machine
        same = _bench_elsewhere(project, "local")
        assert same.stdout.readline().startswith(b"wait for a bench since ")
    assert same.wait(30) == 1
    same.stdout.close()
    other.stdout.close()


def _bench_elsewhere(project, kind):
    """Another process that wants the machine; it ends with 1 if it had to wait."""
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from edgekit.control.device_use import alone_on\nfrom edgekit.control.project import Project\n"
        "from tests.control.bench.made_up_device import device\n"
        "def tell(what, done, total): print(what, flush=True)\n"
        f"with alone_on(Project(Path({str(project.root)!r})), device({kind!r}, name='other'), tell) as waited:\n"
        "    sys.exit(int(waited))\n"
    )
    return subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[3], stdout=subprocess.PIPE)


def test_preflight_is_told_before_the_first_turn_and_the_service_is_stopped_by_then(project, link):
    """Its own service would be found to be the busy program; and after the run it is too late to close others."""
    told = []
    tell = Asides(preflight=lambda preflight: told.append((preflight.findings, list(link.asked))))
    measure_rounds(visited(project, link, FP32), (FP32,), SCENARIO, 1, quiet, tell=tell)
    assert told == [(("busy",), ["stop", "preflight"])]


def test_what_was_tuned_is_set_back_after_the_service_runs_again_and_stands_in_the_results(project, link):
    """Figures of a tuned machine must say so."""
    events = []

    @contextmanager
    def tuning():
        events.append("tuned")
        yield ("clocks",)
        events.append(("set back", link.running))

    (made,) = measure_rounds(visited(project, link, FP32), (FP32,), SCENARIO, 1, quiet, tuning=tuning())
    assert events == ["tuned", ("set back", True)]
    assert made.preflight is not None and (made.preflight.tuned, made.preflight.busy_pct) == (("clocks",), 1.0)


def test_a_password_in_a_cameras_address_reaches_the_device_and_no_file(project, link):
    """Results are mailed, committed and shown on pages."""
    scenario = replace(SCENARIO, kind="camera", source=None)
    (made,) = measure_rounds(visited(project, link, FP32), (FP32,), scenario, 1, quiet)
    assert link.requests[0].source == "rtsp://anna:secret@camera/1"
    assert made.conditions.source == "rtsp://***@camera/1"
    assert "secret" not in "".join(path.read_text() for path in project.results_dir.iterdir())


def test_the_partial_file_counts_the_seconds_of_all_turns(project, link, monkeypatch):
    """After 3 of 24 s is another matter than after 23."""
    monkeypatch.setattr("edgekit.control.bench.partial._WRITE_EVERY_S", 0.0)
    seen = []

    def watch(request, on_progress):
        on_progress("measuring", 3, 24)
        assert "a run that is not over" in load_results(project.results_dir).problems[0]
        seen.append([(one["done"], one["total"], one["precision"], one["round"]) for one in partials(project)])

    link.on_bench = watch
    measure_rounds(visited(project, link, FP32, INT8), (FP32, INT8), SCENARIO, 1, quiet)
    assert seen == [[(3, 48, "fp32", 1)], [(27, 48, "int8", 1)]]


def test_old_partial_files_can_be_damaged_or_of_other_devices(project, link):
    """They are left alone, and hinder nothing."""
    project.results_dir.mkdir(parents=True)
    (project.results_dir / "x.partial.json").write_text("{")
    (project.results_dir / "y.partial.json").write_text(json.dumps({"device": "yard"}))
    assert left_behind(project.results_dir, "yard") == {}
    measure_rounds(visited(project, link, FP32), (FP32,), SCENARIO, 1, quiet)
    assert len(list(project.results_dir.glob("*.partial.json"))) == 2


def test_a_result_file_is_read_back_as_it_was(project, link):
    """Every report rests on it."""
    (made,) = measure_rounds(visited(project, link, FP32), (FP32,), SCENARIO, 1, quiet)
    (path,) = project.results_dir.glob("*.json")
    assert from_wire(BenchResult, json.loads(path.read_text())) == made
    assert made.scenario_name == "pipeline" and made.schema == 2


def test_engines_are_chosen_by_the_beginning_of_their_ids(project, link):
    """Nobody types sixteen digits; two that begin alike must not be mixed up."""
    twins = engine("fp32", engine_id="aa11"), engine("int8", engine_id="aa22")
    seen = visited(project, link, *twins)
    assert select_engines(seen, None, ["aa2", "aa1", "aa11"]) == (twins[1], twins[0])
    with pytest.raises(UsageError, match="begins the ids of 2 engines"):
        select_engines(seen, None, ["aa"])
    with pytest.raises(NotFoundError) as missing:
        select_engines(seen, None, ["b"])
    assert "aa11" in missing.value.why and missing.value.hint
    assert [made.precision for made in select_engines(seen, "all")] == ["fp32", "int8"]
