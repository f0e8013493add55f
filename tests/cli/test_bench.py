"""`edgekit bench` with real engines and a real service on this machine; tables of made-up results."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console as RichConsole
from typer.testing import CliRunner

from edgekit.cli.app import app
from edgekit.cli.bench.outcome import DeviceBench, outcome_of
from edgekit.cli.tables.bench import bench_lines
from edgekit.cli.verbs.bench import normalise_arguments
from edgekit.core.limits import Limits
from edgekit.core.results import FPS_MEANS_OF, BenchResult, Energy, MachineRun, Soak, SoakPart, StreamPoint
from edgekit.report.load import load_results
from tests.cli.test_service import answer, edgekit, make_project, services, stop_services, wait_for
from tests.report.made_up import result

ENERGY = Energy(
    of="module input", sensor="INA3221", samples=100, sampled_s=10.0, longest_gap_s=0.1, mean_w=9.5, max_w=11.0,
    joules=95.0, error_joules=1.0, frames=200, idle_w=4.5,
)  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with a service that runs and two engines."""
    root = make_project(tmp_path_factory.mktemp("bench") / "project")
    answer(edgekit(root, "build", "--precision", "int8", "--json"))
    answer(edgekit(root, "deploy", "--json"))
    yield root
    stop_services(root)


def results_dir(root: Path) -> Path:
    return root / ".edgekit" / "results"


def partials(root: Path) -> list[dict[str, object]]:
    return [json.loads(path.read_text()) for path in results_dir(root).glob("*.partial.json")]


def begin_bench(root: Path, *arguments: str) -> subprocess.Popen[str]:
    """A bench in a process group of its own, as a shell starts it, once it has begun to measure."""
    process = subprocess.Popen(
        [sys.executable, "-m", "edgekit", "--project", str(root), "bench", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    wait_for(lambda: any(one["done"] for one in partials(root)), limit_s=60)
    return process


def test_two_engines_in_turns_are_one_document_with_pairs_and_every_limit_that_was_missed(project):
    """What a pipeline reads: one JSON document, whatever the exit code says."""
    done = edgekit(
        project, "bench", "--precision", "all", "--rounds", "2", "--scenario", "engine", "--seconds", "1", "--json",
        "--fps", "100000000", "--watts", "0.001", "--note", "noon",
    )  # fmt: skip
    assert done.returncode == 10, done.stderr
    found = json.loads(done.stdout)
    turns = [(item["round"], item["engine"]["precision"]) for item in found["results"]]
    assert turns == [(1, "fp32"), (1, "int8"), (2, "int8"), (2, "fp32")]
    assert {item["session"] for item in found["results"]} == {found["session"]}
    assert {(item["note"], item["conditions"]["scenario"]) for item in found["results"]} == {("noon", "engine")}
    assert found["ratios"][0]["ratio"]["pairs"] == 2
    assert found["headline"]["precision"] == "fp32" and found["headline"]["means"] == FPS_MEANS_OF["engine"]
    assert [item["limit"] for item in found["missed"]] == ["fps", "watts"]
    assert found["error"]["kind"] == "TargetMissedError"
    assert "below the limit of 1e+08" in done.stderr and "power was not measured" in done.stderr
    assert services(project)[0]["running"] and partials(project) == []
    listed = edgekit(project, "history", "--json")  # a second step that people forget is a history with holes
    assert all(item["result_id"] in listed.stdout for item in found["results"]), listed.stderr


def test_a_dry_run_says_everything_and_touches_nothing(project):
    """Whoever shares a device wants to know before its service stops."""
    before = sorted(results_dir(project).glob("*")), services(project)[0]["pid"]
    (project / "bench" / "scenarios").mkdir(parents=True, exist_ok=True)
    (project / "bench" / "scenarios" / "fast.yaml").write_text("seconds: 5\nlimits: {fps: 10, mib: 300}\n")
    plan = answer(
        edgekit(project, "bench", "--scenario", "fast", "--fps", "20", "--rounds", "3", "--dry-run", "--json")
    )
    assert (plan["stops"], plan["rounds"], plan["seconds"], plan["scenario"]) == ("tiny", 3, 5.0, "fast")
    assert plan["limits"] == {"fps": 20.0, "p99_ms": None, "watts": None, "joules_per_frame": None, "mib": 300.0}
    assert plan["engines"][0].startswith("fp32 ")
    assert (sorted(results_dir(project).glob("*")), services(project)[0]["pid"]) == before


def test_killed_in_the_middle_it_leaves_no_result_and_the_next_bench_mends_the_rest(project):
    """kill -9 leaves an outage behind, and half a measurement that must never be taken for a whole one."""
    whole = load_results(results_dir(project)).results
    process = begin_bench(project, "--fps", "--seconds", "60")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)
    assert not services(project)[0]["running"]
    (left,) = partials(project)
    assert left["partial"] is True and left["stopped_service"] == "tiny" and 0 < left["done"] < left["total"] == 120
    found = load_results(results_dir(project))
    assert found.results == whole and "what a run that was stopped left behind" in found.problems[0]
    again = edgekit(project, "bench", "--scenario", "engine", "--seconds", "1")
    assert again.returncode == 0, again.stderr
    assert "was cut off after" in again.stderr and "tiny was left stopped" in again.stderr
    assert services(project)[0]["running"] and partials(project) == []


def test_ctrl_c_starts_the_service_again_before_it_ends(project):
    """Nobody looks again at a device after giving up on a measurement."""
    process = begin_bench(project, "--fps", "--seconds", "60")
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert services(project)[0]["running"]
    (left,) = partials(project)
    assert left["stopped_service"] == ""
    for path in results_dir(project).glob("*.partial.json"):
        path.unlink()


def test_preflight_alone_measures_nothing(project):
    """A look at a device must not stop its service."""
    pid = services(project)[0]["pid"]
    found = answer(edgekit(project, "bench", "--preflight", "--json"))
    assert found["busy_pct"] is None or 0 <= found["busy_pct"] <= 100
    assert isinstance(found["findings"], list) and services(project)[0]["pid"] == pid


def test_a_bench_of_several_devices_tells_of_each(project):
    """One that cannot be measured takes nothing from the others."""
    done = edgekit(project, "bench", "-d", "local", "-d", "broken", "--scenario", "engine", "--seconds", "1", "--json")
    found = json.loads(done.stdout)["devices"]
    assert [one["state"] for one in found] == ["measured", "failed"]
    assert found[0]["result"]["results"][0]["device"] == "local"
    assert done.returncode == 8 and "nothing is deployed for tiny on broken" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--precision", "int8", "--engine", "a"), "both say which engines"),
        (("--tune", "--untune"), "exclude each other"),
        (("--streams", "2", "--scenario", "pipeline"), "measures a single stream"),
        (("--streams", "2", "--source", "a", "--source", "b"), "opens one source several times"),
        (("--scenario", "nope"), "no scenario named 'nope'"),
        (("--untune", "--ask-sudo-password"), "there is no terminal to ask for a password"),
        (("--source", "street.mp4", "--device", "away"), "not an absolute path"),
    ],
)
def test_what_contradicts_itself_is_refused_before_anything_is_touched(tmp_path, arguments, said):
    """A service must not be stopped for a typing error."""
    (tmp_path / "devices.yaml").write_text(
        "devices: {local: {kind: local}, away: {address: 127.0.0.1, port: 1, source: /a.mp4}}\n"
    )
    outcome = CliRunner().invoke(app, ["--project", str(tmp_path), "bench", *arguments])
    assert outcome.exit_code == 2 and said in outcome.stderr


def test_fps_may_stand_alone_or_be_given_a_target():
    """`edgekit bench --fps` is on the first page."""
    assert normalise_arguments(["--fps"]) == ["--fps", "0"]
    assert normalise_arguments(["--fps", "--device", "a"]) == ["--fps", "0", "--device", "a"]
    assert normalise_arguments(["--fps", "12.5"]) == ["--fps", "12.5"]
    assert normalise_arguments(["--fps", "1e3"]) == ["--fps", "1e3"]


def made_up(**figures: object) -> BenchResult:
    made = result("int8", fps=25.0)
    return replace(made, session="s", round=1, measurement=replace(made.measurement, **figures))


def printed(*results: BenchResult) -> str:
    """What people read of these results of one device."""
    done: DeviceBench = outcome_of(results, "", Limits())
    out = RichConsole(file=io.StringIO(), width=200, highlight=False, force_terminal=False)
    for line in bench_lines(done, with_headline=True):
        out.print(line)
    text: str = out.file.getvalue()  # type: ignore[attr-defined]
    return " ".join(text.split())


def test_power_is_told_with_its_sensor_its_error_and_what_idling_takes():
    """Watts without saying of what, and joules without an error, cannot be defended."""
    text = printed(made_up(energy=ENERGY, machine=MachineRun(48.0, 61.5, "GPU-therm")))
    assert "9.50 W mean, 11.00 W at most, of the module input (INA3221)" in text
    assert "0.4750 J a frame, give or take 0.0050 by sampling; 0.2500 J above the 4.50 W of the idle machine" in text
    assert "48.0 to 61.5 \N{DEGREE SIGN}C at most (GPU-therm)" in text


def test_what_was_not_measured_is_said_and_never_a_zero():
    """A board that draws 0 W would win every comparison."""
    text = printed(made_up(memory_peak_mib=None))
    assert "power: not measured temperature: not measured memory: not measured" in text
    assert " 0.00 W" not in text and " W " not in text.split("stage")[0]


def test_a_disturbed_run_is_shown_with_its_reason_and_left_out_of_medians():
    """A throttled board looks like a slow engine."""
    spoilt = replace(made_up(disturbances=("the GPU was throttled for 3 s",)), round=2)
    alone = printed(spoilt)
    assert "(disturbed)" in alone and "disturbed, and not to be compared: the GPU was throttled for 3 s" in alone
    both = printed(made_up(), spoilt)
    assert "1 of 2" in both and "round 2 was disturbed and is left out: the GPU was throttled for 3 s" in both
    assert "and not to be compared" not in both


def test_an_unstable_rate_says_why_and_what_to_do():
    """ "Unstable" alone helps nobody."""
    text = printed(replace(result("int8", stable=False), session="s"))
    assert "not stable: windows differ by 25% of their mean: close other programs or run longer" in text


def test_rounds_show_medians_their_range_and_the_ratio_of_pairs():
    """The figure that people quote must be the one that repeats."""
    rounds = [
        replace(result(precision, fps=fps + number), session="s", round=number, result_id=f"{precision}{number}")
        for number in (1, 2, 3)
        for precision, fps in (("fp32", 10.0), ("int8", 20.0))
    ]
    text = printed(*rounds)
    assert "12.0 11.0-13.0" in text and "22.0 21.0-23.0" in text
    assert "x the FPS of fp32: 3 pairs of turns" in text
    assert "22.0 FPS (21.0 to 23.0 over 3 rounds) with INT8 on local, stable" in text


def test_p99_is_not_printed_below_a_hundred_frames():
    """Of 50 frames it would be the slowest one."""
    few = {name: replace(summary, samples=50, p99_ms=None) for name, summary in result().measurement.stages.items()}
    text = printed(made_up(stages=few))
    assert "p99 ms" not in text.split("stage")[0]
    assert text.split("end to end")[1].split()[4] == "-"


def test_streams_and_soaks_have_tables_of_their_own():
    """How many cameras, and does it last: neither is one figure."""
    made = made_up()
    rate = made.measurement.rate
    points = (StreamPoint(1, rate, 25.0, 25.0, 0), StreamPoint(2, rate, 10.0, 15.0, 3))
    text = printed(replace(made, measurement=replace(made.measurement, stream_points=points)))
    assert "with 2 streams" in text and "2 25.0 24.5-25.5 10.0 15.0 0.67 3" in text
    soak = Soak((SoakPart(0.0, 25.0, 50.0, 300, 55.5, 9.0), SoakPart(60.0, 24.0, None)), (-4.0, -6.0, -2.0), None)
    text = printed(replace(made, measurement=replace(made.measurement, soak=soak)))
    assert "60 24.0 - - - -" in text
    assert "trend of FPS: -4.00 % an hour (-6.00 to -2.00)" in text
    assert "trend of memory: not measured, too few parts" in text


def test_a_camera_that_is_kept_up_with_says_so():
    """Its rate is the camera's; whether frames were lost is the question."""
    made = made_up(source_fps=30.0, dropped=7)
    verdict = "12.4 of 30.0 frames a second are taken: the engine is the slowest part"
    rate = replace(made.measurement.rate, verdict=verdict)
    text = printed(replace(made, measurement=replace(made.measurement, pipeline_rate=rate)))
    assert "the source gives 30.0 FPS; 7 of its frames were dropped" in text
    assert verdict in text and "not stable" not in text


def test_the_deployed_engine_gives_the_headline_and_is_held_to_the_limits():
    """INT8 beside it may be quicker; it is not what runs."""
    both = [replace(result(name), session="s", round=1) for name in ("fp32", "int8")]
    done = outcome_of(both, both[0].engine.engine_id, Limits(fps=30.0))
    assert done.headline.precision == "fp32" and [item.limit for item in done.missed] == ["fps"]
    assert outcome_of(both, "", Limits(fps=30.0)).missed == ()
