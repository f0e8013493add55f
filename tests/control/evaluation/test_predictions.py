"""What an engine found is asked once, and again where anything of it changed."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgekit.control.evaluation import predictions
from edgekit.control.evaluation.accuracy import load_predictions
from edgekit.control.evaluation.predictions import predictions_of
from edgekit.control.sets.calibration_sets import MaterialisedSet
from edgekit.core.requests import PredictAnswer
from edgekit.core.stats import summarise_latency
from tests.fakes import detector_spec, manifest_for
from tests.made_up_sets import quiet

SPEC = detector_spec()
ENGINE = manifest_for(SPEC)


class Device:
    """A link to a device that counts how often it is asked, and finds one more object each time."""

    root = "/opt/edgekit"

    def __init__(self, folder):
        self.folder, self.asked = folder, 0

    @contextlib.contextmanager
    def work_folder(self):
        yield str(self.folder)

    def place(self, local):
        return str(local)

    def call(self, verb, request, answer, on_progress):
        self.asked += 1
        found = [{"box_xyxy": [1, 2, 30, 40], "score": 0.5, "class_id": 0}] * self.asked
        line = json.dumps({"image": "a.jpg", "width": 64, "height": 48, "detections": found})
        Path(request.out_path).write_text(line + "\n")
        return PredictAnswer(1, self.asked, summarise_latency([float(self.asked)] * 5))

    def fetch(self, remote, local):
        local.write_bytes(Path(remote).read_bytes())


@pytest.fixture
def device(tmp_path):
    (tmp_path / "device").mkdir()
    return Device(tmp_path / "device")


def ask(device, keep, *, engine=ENGINE, sha256="1" * 64, spec=SPEC):
    made = MaterialisedSet("few", keep, (keep / "a.jpg",), sha256, {})
    return predictions_of(device, SimpleNamespace(spec=spec), engine, made, keep, quiet)


def test_the_same_engine_and_set_are_asked_once(device, tmp_path):
    """220 pictures through a small board take a minute, and every deployment would pay it."""
    first, second = ask(device, tmp_path / "keep"), ask(device, tmp_path / "keep")
    assert device.asked == 1
    assert first == second
    assert second.inference.p50_ms == 1.0
    assert len(load_predictions(second.path)["a.jpg"].objects) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"sha256": "2" * 64},
        {"engine": dataclasses.replace(ENGINE, file_sha256="3" * 64)},
        {"spec": dataclasses.replace(SPEC, iou=0.6)},
    ],
)
def test_another_set_engine_file_or_detector_is_asked_anew(device, tmp_path, changed):
    """Figures of an engine that was built again under the same id would be those of the one before."""
    ask(device, tmp_path / "keep")
    ask(device, tmp_path / "keep", **changed)
    assert device.asked == 2


@pytest.mark.parametrize("damage", ["cut", "altered", "no note", "broken note"])
def test_a_damaged_file_is_not_believed(device, tmp_path, damage):
    """Half a file of predictions reads as an engine that sees half."""
    path = ask(device, tmp_path / "keep").path
    note = path.with_suffix(".json")
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-20])
    elif damage == "altered":
        path.write_text(path.read_text().replace("0.5", "0.9"))
    elif damage == "no note":
        note.unlink()
    else:
        note.write_text("{")
    assert ask(device, tmp_path / "keep").inference.p50_ms == 2.0


def test_only_the_newest_files_are_kept(device, tmp_path, monkeypatch):
    """Weekly refreshes would fill the host's disk."""
    monkeypatch.setattr(predictions, "KEPT_FILES", 2)
    kept = [ask(device, tmp_path / "keep", sha256=f"{number}" * 64).path for number in range(4)]
    assert kept[-1].is_file()
    assert sorted(path.suffix for path in (tmp_path / "keep").iterdir()) == [".json", ".json", ".jsonl", ".jsonl"]
