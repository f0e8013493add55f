"""The verb bench: what is refused, what every answer holds, and each scenario in a real process."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgekit.core.engine import BuildRequest
from edgekit.core.requests import BenchAnswer, BenchRequest
from edgekit.core.results import SCENARIOS
from edgekit.core.wire import from_wire, to_wire
from edgekit.errors import UsageError
from edgekit.files import sha256_file
from edgekit.runtime.engines import build_engine
from edgekit.runtime.probe import probe_device
from tests.fakes import FakeEngine, Greys, detector_spec
from tests.tiny_yolo import save_tiny_yolo

REPOSITORY = Path(__file__).resolve().parents[3]
MEMORY = "memory://?width=128&height=96&frames=3"
LIVE = "scenes://?width=128&height=96&fps=30&live=1"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"duration_s": 0.0}, "cannot measure for 0.0 s"),
        ({"duration_s": -1.0}, "cannot measure for -1.0 s"),
        ({"warmup_frames": -1}, "after -1 frames"),
        ({"parts": 0}, "in 0 parts"),
        ({"streams": 0}, "0 streams"),
        ({"power_every_s": -0.1}, "every -0.1 s"),
        ({"idle_s": -1.0}, "idle for -1.0 s"),
        ({"scenario": "race"}, "no scenario 'race'"),
    ],
)
def test_what_cannot_be_measured_is_refused(benching, options, told):
    """The result would be a division by zero, or a wait without end."""
    with pytest.raises(UsageError, match=told):
        benching(FakeEngine(), **{"scenario": "pipeline", "source": MEMORY, **options})


def test_conditions_say_how_the_machine_was_set(benching):
    """Figures with fixed clocks would be compared with figures without."""
    answer = benching(FakeEngine(), "pipeline", source=MEMORY, duration_s=0.1)
    assert (answer.conditions.clocks_locked, answer.conditions.governor) == (False, "schedutil")
    assert answer.preflight.busy_pct == 3.0


def test_conditions_keep_no_password_of_a_camera(benching, monkeypatch):
    """A result is a file that people pass on."""
    monkeypatch.setattr("edgekit.runtime.bench.continuous.open_source", lambda uri: Greys(None, live=True, fps=200.0))
    monkeypatch.setattr("edgekit.runtime.bench.streams.open_source", lambda uri: Greys(None, live=True, fps=200.0))
    uris = ("rtsp://admin:secret@one/1", "rtsp://admin:secret@two/1")
    camera = benching(FakeEngine(), "camera", source=uris[0], duration_s=0.2)
    streams = benching(FakeEngine(), "streams", source=uris[0], more_sources=uris[1:], duration_s=0.2)
    assert "secret" not in str((camera, streams))
    assert "one" in camera.conditions.source
    assert "two" in streams.conditions.source


@pytest.mark.parametrize("scenario", ["pipeline", "soak", "streams"])
def test_an_engine_that_gives_no_numbers_has_no_figures_to_compare(benching, scenario):
    """It is fast, since nothing is found: the best result of all would be that of a broken engine."""

    class Broken(FakeEngine):
        def infer(self, tensors):
            return {name: np.full_like(output, np.nan) for name, output in super().infer(tensors).items()}

    disturbances = benching(Broken(delay_s=0.002), scenario, source=MEMORY, duration_s=0.2).measurement.disturbances
    assert any("the engine's answer was NaN or infinite for" in text for text in disturbances)


@pytest.fixture(scope="module", name="tiny")
def _tiny(tmp_path_factory):
    """(detector, engine folder) of three convolutions, built for this machine's processor."""
    folder = tmp_path_factory.mktemp("tiny")
    model = save_tiny_yolo(folder / "tiny.onnx")
    detector = replace(detector_spec(64, 96), model_sha256=sha256_file(model))
    profile = probe_device()
    request = BuildRequest(detector, "fp32", profile.engine_key, str(model), str(folder))
    return detector, folder / build_engine(request, profile, lambda *_: None).engine_id


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_scenario_runs_as_the_host_asks_for_it(scenario, tiny, tmp_path):
    """A device measures with this alone: a process, a request, and lines of JSON."""
    detector, engine = tiny
    source = LIVE if scenario == "camera" else MEMORY
    request = BenchRequest(
        str(engine), detector, source, duration_s=0.6, scenario=scenario, streams=2, parts=3, threads=1
    )
    lines = in_a_process(request, tmp_path)
    answer = from_wire(BenchAnswer, lines[-1]["result"])
    assert answer.conditions.scenario == scenario
    assert answer.measurement.rate.fps > 0
    assert answer.measurement.frames > 5
    assert (answer.measurement.engine_rate is None) == (scenario in ("camera", "streams", "soak"))
    assert (answer.measurement.pipeline_rate is None) == (scenario == "engine")
    assert answer.conditions.cuda_graph is None  # ONNX Runtime has none
    assert answer.preflight.busy_pct is not None
    assert {line["event"] for line in lines[:-1]} == {"progress"}
    assert lines[-2]["done"] == lines[-2]["total"] > 0


def in_a_process(request, folder):
    path = folder / "request.json"
    path.write_text(json.dumps(to_wire(request)))
    command = [sys.executable, "-m", "edgekit.runtime", "bench", str(path)]
    done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, timeout=120)
    assert done.returncode == 0, done.stdout
    return [json.loads(line) for line in done.stdout.splitlines()]
