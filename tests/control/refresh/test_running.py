"""A refresh on this machine: real frames, engines, processes and files; only the verdict on random weights is given."""

from __future__ import annotations

import dataclasses
import hashlib
import subprocess
import time
from contextlib import closing
from pathlib import Path

import cv2
import pytest

from edgekit.control import device_use
from edgekit.control.connect import link_to
from edgekit.control.deploy import execute, plan
from edgekit.control.groundwork import Groundwork
from edgekit.control.inventory import load_inventory
from edgekit.control.project import Project
from edgekit.control.refresh import promoting
from edgekit.control.refresh import running as refreshing
from edgekit.control.refresh.history import alone, load_history
from edgekit.control.refresh.preview import preview
from edgekit.control.refresh.running import Told, Wish, refresh
from edgekit.control.services import ask_state, find_service, stop
from edgekit.control.sets.calibration_sets import load_set
from edgekit.control.survey import survey
from edgekit.core.collecting import CollectSettings
from edgekit.core.field import KeptFrame
from edgekit.core.refresh import Decision
from edgekit.core.scene_descriptor import describe, small_size
from edgekit.core.strata import strata_of
from edgekit.errors import CalibrationError, DeviceError, NotFoundError, UnreachableError, UsageError
from edgekit.runtime.field.store import FieldStore
from edgekit.scenes import render_scene, split_seed
from tests.made_up_sets import quiet, save_scenes
from tests.onnx_models import save_yolov8

DEVICES = """\
# What people wrote.
devices:
  local:
    kind: local
    detector: tiny    # of random weights
    precision: int8
    source: "scenes://?seed=3&width=320&height=192&fps=20&live=1"
    page_port: 0
    probation: {seconds: 0.2, frames: 2, deadline_s: 20}
"""
BETTER = Decision(True, "better", "better, says the test")
START_S = time.time() - 86_400


def make_project(root: Path) -> Project:
    detector = root / "detectors" / "tiny"
    detector.mkdir(parents=True)
    save_yolov8(detector / "model.onnx")
    (detector / "detector.yaml").write_text("labels: [car, person]\ncalibration: by-day\n")
    by_day = root / "calib_sets" / "by-day"
    save_scenes(by_day / "images", {"day": 20})
    (by_day / "set.yaml").write_text("images: {folder: images}\n")
    (root / "devices.yaml").write_text(DEVICES)
    return Project(root)


def device_of(project: Project, **changes):
    return dataclasses.replace(load_inventory(project).device("local"), **changes)


def linked(project: Project):
    return closing(link_to(project, device_of(project)))


def stop_service(project: Project) -> None:
    with linked(project) as link:
        if find_service(ask_state(link), "tiny") is not None:
            stop(link, "tiny")


@pytest.fixture(scope="module")
def deployed_once(tmp_path_factory):
    """A project whose service was deployed by day, committed and stopped; for copies."""
    project = make_project(tmp_path_factory.mktemp("deployed") / "project")
    ground = Groundwork(project)
    with linked(project) as link:
        facts = survey(ground, device_of(project), link, quiet)
        execute(facts, plan(facts), quiet)
    stop_service(project)
    return project.root


@pytest.fixture
def project(tmp_path, deployed_once):
    """A copy, in which hard links stay hard links."""
    root = tmp_path / "project"
    subprocess.run(["cp", "-a", deployed_once, root], check=True)
    yield Project(root)
    stop_service(Project(root))


def keep(project: Project, frames: list, first: int = 0) -> None:
    """What the service would have kept: (condition, strata or None for the measured ones) each."""
    folder = project.device_root("local") / "state" / "tiny" / "field"
    with FieldStore(folder, CollectSettings(stratum_share=1, stream_share=1)) as store:
        for number, (condition, strata) in enumerate(frames, start=first):
            pixels = render_scene(split_seed("train", 7_000 + number), condition.removeprefix("dark "), 320, 180).frame
            if condition.startswith("dark "):
                pixels //= 100
            described = describe(cv2.resize(pixels, small_size(320, 180), interpolation=cv2.INTER_AREA))
            jpeg = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
            store.add(
                jpeg,
                KeptFrame(
                    sha256=hashlib.sha256(jpeg).hexdigest(),
                    bytes=len(jpeg),
                    width_px=320,
                    height_px=180,
                    stream="",
                    reasons=("far",),
                    strata=strata or strata_of(described),
                    described=described,
                    objects=(),
                    drift=None,
                    time_unix_s=START_S + 600 * number,
                    service="tiny",
                    engine_id="0" * 16,
                ),
            )


NIGHTS = [("night", None)] * 20


def run(project: Project, *, approve=lambda record: True, wish=Wish(), on_progress=quiet, **changes):  # noqa: B008
    with linked(project) as link:
        return refresh(Groundwork(project), device_of(project, **changes), link, wish, approve, Told(on_progress))


def serving(project: Project) -> tuple[str, str]:
    """Release and engine of what is committed."""
    with linked(project) as link:
        service = find_service(ask_state(link), "tiny")
    assert service is not None and service.release is not None
    return service.journal.committed, service.release.engine_id


def steps_of(record) -> list[str]:
    return [step.name for step in record.steps]


def test_a_better_engine_serves_in_the_end_and_devices_yaml_names_its_set(project, monkeypatch):
    """The command the kit leads with. And a second run must do nothing."""
    monkeypatch.setattr(refreshing, "decide", lambda evidence, *, accept_equal: BETTER)
    before = serving(project)
    keep(project, NIGHTS)
    record = run(project)
    assert (record.outcome, record.set_name) == ("promoted", "by-day-local-1")
    assert steps_of(record) == ["survey", "fetch", "screen", "sets", "choose", "build", "judge", "promote"]
    assert serving(project) == (record.release_id, record.candidate_engine_id) != before
    lines = project.devices_path.read_text().splitlines()
    assert [line for line in lines if line not in DEVICES.splitlines()] == ["    calibration: by-day-local-1"]
    assert record.frames.chosen > 0 and record.frames.holdout > 0
    assert record.evidence.holdout.labelled_by == "model"
    assert "light:night" in record.evidence.new_strata
    again = run(project)
    assert (again.outcome, steps_of(again)) == ("unchanged", ["survey", "fetch", "screen", "sets"])
    assert [one.outcome for one in load_history(project, "local")] == ["unchanged", "promoted"]


def test_a_refreshed_set_is_chosen_from_its_base_and_not_from_itself(project, monkeypatch):
    """Refresh after refresh the base would shrink to what the field happened to show."""
    monkeypatch.setattr(refreshing, "decide", lambda evidence, *, accept_equal: BETTER)
    keep(project, NIGHTS)
    run(project)
    keep(project, [("fog", None)] * 12, first=100)
    record = run(project)
    assert (record.outcome, record.base_set, record.serving_set) == ("promoted", "by-day", "by-day-local-1")
    assert record.set_name == "by-day-local-2"
    assert load_set(project, "by-day-local-2").pick.from_sets == ("by-day", "field-local")


def test_nothing_is_put_in_service_before_somebody_says_yes(project, monkeypatch):
    """A stranger before the camera would decide what runs. After the yes nothing is built or asked again."""
    monkeypatch.setattr(refreshing, "decide", lambda evidence, *, accept_equal: BETTER)
    before = serving(project)
    keep(project, NIGHTS)
    record = run(project, approve=lambda record: False)
    assert record.outcome == "waiting" and "--yes" in record.hint
    assert serving(project) == before
    assert project.devices_path.read_text() == DEVICES
    said = []
    later = run(project, on_progress=lambda what, done, total: said.append(what))
    assert (later.outcome, later.candidate_engine_id) == ("promoted", record.candidate_engine_id)
    assert not {"quantising", "calibrating", "pictures"} & set(said)


def test_an_engine_that_is_not_proven_better_changes_nothing_and_keeps_its_set(project):
    """Without a frozen set nothing can be proven: what serves goes on."""
    before = serving(project)
    keep(project, NIGHTS)
    record = run(project)
    assert (record.outcome, record.cause) == ("kept", "not measured")
    assert serving(project) == before
    assert project.devices_path.read_text() == DEVICES
    assert load_set(project, record.set_name).digest == record.set_sha256
    assert run(project).outcome == "unchanged"
    assert run(project, wish=Wish(again=True)).outcome == "kept"


@pytest.mark.parametrize(
    ("batch", "word"),
    [
        ([("dark day", None)] * 12 + [("night", None)] * 3, "show nothing"),
        ([("night", ("light:day", "weather:clear"))] * 12, "contradict"),
    ],
    ids=["black frames", "mislabelled strata"],
)
def test_a_poisoned_batch_stops_the_refresh_before_anything_is_built(project, batch, word):
    """A covered lens, or whoever holds the device, would calibrate for scenes that nobody meets."""
    before = serving(project)
    keep(project, batch)
    record = run(project)
    assert record.outcome == "refused" and word in record.why
    assert steps_of(record) == ["survey", "fetch", "screen"]
    assert (serving(project), project.devices_path.read_text()) == (before, DEVICES)
    assert not (project.calib_sets_dir / "field-local").exists()
    keep(project, NIGHTS, first=200)
    assert run(project).outcome == "kept", "a refused batch must not refuse those that come after it"


def test_a_release_that_the_device_takes_back_leaves_devices_yaml_as_it_was(project, monkeypatch):
    """The next deploy would try the failed release again."""
    monkeypatch.setattr(refreshing, "decide", lambda evidence, *, accept_equal: BETTER)
    before = serving(project)
    keep(project, NIGHTS)
    gone = dataclasses.replace(device_of(project).streams[0], uri=str(project.root / "none.mp4"))
    rule = dataclasses.replace(device_of(project).probation, deadline_s=2.0)
    record = run(project, streams=(gone,), probation=rule)
    assert record.outcome == "reverted" and "failed" in record.why
    assert serving(project)[0] == before[0]
    assert project.devices_path.read_text() == DEVICES
    assert run(project, streams=(gone,), probation=rule).outcome == "unchanged"


@pytest.mark.parametrize("handed_over", [False, True])
def test_a_link_that_breaks_while_the_release_is_tried_leaves_the_end_to_the_device(project, monkeypatch, handed_over):
    """devices.yaml would contradict a device that committed; or the history would never know."""
    monkeypatch.setattr(refreshing, "decide", lambda evidence, *, accept_equal: BETTER)
    keep(project, NIGHTS)

    def broken(*arguments, **options):
        if handed_over:
            execute(*arguments, **options)
        raise UnreachableError("the link broke")

    with monkeypatch.context() as here, pytest.raises(UnreachableError):
        here.setattr(promoting, "execute", broken)
        run(project)
    assert load_history(project, "local")[0].outcome == "promoting"
    assert "calibration: by-day-local-1" in project.devices_path.read_text()
    record = run(project)
    assert (record.outcome, record.set_name) == ("promoted", "by-day-local-1")
    assert serving(project)[1] == record.candidate_engine_id
    assert ("promote" in steps_of(record)) is not handed_over


def test_an_interrupted_refresh_is_recorded_and_goes_on_with_the_same_set(project):
    """An hour of fetching and building would be lost with a closed laptop."""
    keep(project, NIGHTS)

    def interrupt(what, done, total):
        if what == "quantising":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(project, on_progress=interrupt)
    (first,) = load_history(project, "local")
    assert (first.outcome, first.why, first.set_name) == ("failed", "interrupted", "by-day-local-1")
    second = run(project)
    assert second.set_name == "by-day-local-1"
    assert next(step for step in second.steps if step.name == "fetch").result.startswith("0 new frames")


def test_two_refreshes_of_one_device_do_not_run_at_once(project):
    """A timer and a person would build two engines in the memory of one board."""
    with alone(project, "local"), pytest.raises(UsageError, match="another refresh"):
        run(project)


def test_a_refresh_of_a_device_that_is_measured_is_refused_and_recorded(project, monkeypatch):
    """It would build beside the measurement; and what a timer did not do must be found in the history."""
    monkeypatch.setattr(device_use, "_WAIT_S", 0.0)
    with device_use.alone_on(project, device_of(project), quiet):
        with pytest.raises(DeviceError, match="local is being measured, and a refresh would spoil the figures"):
            run(project)
    (record,) = load_history(project, "local")
    assert (record.outcome, record.steps) == ("failed", ()) and "being measured" in record.why


def test_without_frames_a_refresh_says_how_to_get_some(project):
    """Most devices collect nothing: that is the default."""
    record = run(project)
    assert record.outcome == "unchanged" and "collect:" in record.hint


def test_more_pictures_than_there_are_is_refused_and_recorded(project):
    """A typing error in a timer would never be seen."""
    keep(project, NIGHTS)
    with pytest.raises(CalibrationError, match="cannot be chosen"):
        run(project, wish=Wish(size=5000))
    assert load_history(project, "local")[0].outcome == "failed"


def test_what_cannot_be_refreshed_is_said_at_once(project, tmp_path):
    """INT8 would be built for a device that is told to run FP32; or for one that runs nothing."""
    with pytest.raises(UsageError, match="not calibrated"):
        run(project, precision="fp32")
    with pytest.raises(NotFoundError, match="nothing is in service"):
        run(make_project(tmp_path / "fresh"))


def test_a_dry_run_tells_what_would_be_fetched_and_writes_nothing(project):
    """People look before they let frames of a street come to their machine."""
    keep(project, NIGHTS)
    with linked(project) as link:
        seen = preview(Groundwork(project), device_of(project), link, None, quiet)
    assert (seen.kept, seen.to_fetch, seen.size, seen.base_set) == (20, 20, 20, "by-day")
    assert load_history(project, "local") == ()
    assert not (project.state_dir / "field").exists()
