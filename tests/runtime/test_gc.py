"""What is deleted, and above all what is not."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from edgekit.core.activation import Journal
from edgekit.core.deployment import GcRequest, PlaceRequest
from edgekit.core.wire import to_wire
from edgekit.errors import DeployError, UsageError
from edgekit.files import write_json
from edgekit.runtime.assembly import assemble
from edgekit.runtime.gc import collect_garbage
from edgekit.runtime.objects import place
from edgekit.runtime.store import Store
from tests.tiny_releases import ENGINE_KEY, SERVICE, content_of, deliver, manifest_of, quiet, sha256_of

CONTENTS = [content_of(note=str(number)) for number in range(5)]
IDS = [manifest_of(content).release_id for content in CONTENTS]
OLD_AGE_S = 3 * 24 * 3600.0


@pytest.fixture
def device(tmp_path):
    """Five releases were in service, the newest first; the oldest two of them are long forgotten."""
    store = Store(str(tmp_path))
    store.make()
    for content in CONTENTS:
        deliver(tmp_path, content)
        assemble(store, manifest_of(content))
    store.place_current(SERVICE, IDS[0])
    write_json(store.journal_path(SERVICE), to_wire(Journal(SERVICE, good=tuple(IDS))))
    return tmp_path


def gc(root, keep=2, **more):
    return collect_garbage(GcRequest(str(root), keep, **more), quiet)


def releases(root):
    return {path.name for path in (root / "releases").iterdir()}


def test_the_newest_good_releases_stay(device):
    """Lost: the way back."""
    answer = gc(device)
    assert releases(device) == set(IDS[:2])
    assert set(answer.removed) == {f"releases/{name}" for name in IDS[2:]}
    mine = {file.sha256 for content in CONTENTS[:2] for file in manifest_of(content).files}
    assert {path.name for path in (device / "objects").iterdir()} == mine


def test_the_release_that_the_process_was_started_from_stays(device):
    """It took others over since, without a restart. Capture processes and late imports come from its folder."""
    health = {"service": SERVICE, "release": IDS[0], "pid": 1, "frames": 1, "detections": 0, "fps": 1.0,
              "frame_age_ms": None, "dropped": 0, "engine_id": "e", "precision": "fp32", "started_unix_s": 0.0,
              "updated_unix_s": 0.0, "loaded_from": IDS[3]}  # fmt: skip
    write_json(device / "state" / SERVICE / "health.json", health)
    gc(device)
    assert releases(device) == {*IDS[:2], IDS[3]}


def test_what_is_current_or_under_way_stays_whatever_is_good(device):
    """Lost: the release in service, or the only one that could be gone back to."""
    journal = Journal(SERVICE, phase="probation", target=IDS[4], previous=IDS[3], good=tuple(IDS[:3]))
    write_json(Store(str(device)).journal_path(SERVICE), to_wire(journal))
    gc(device, keep=1)
    assert releases(device) == {IDS[0], IDS[3], IDS[4]}


def test_a_journal_that_cannot_be_read_keeps_everything(device):
    """Without it nobody knows what is needed."""
    Store(str(device)).journal_path(SERVICE).write_text("{")
    with pytest.raises(DeployError):
        gc(device)
    assert releases(device) == set(IDS)


def test_a_dry_run_says_the_same_and_deletes_nothing(device):
    """Lost: a look before the leap."""
    looked = gc(device, dry_run=True)
    assert releases(device) == set(IDS)
    assert gc(device) == looked


def test_freed_bytes_are_those_that_nobody_shares(device):
    """Four files of five are the same in all releases; what is told must be what the disk gains."""
    own = {path: data for path, data in CONTENTS[4].items() if path.endswith("__main__.py")}
    manifests = sum((device / "releases" / name / "release.json").stat().st_size for name in IDS[2:])
    assert gc(device).freed_bytes == 3 * len(next(iter(own.values()))) + manifests


def engine(root, name, precision, day, key=ENGINE_KEY, age_s=OLD_AGE_S):
    """The manifest of an engine as a build leaves it; its file's content does not matter here."""
    folder = root / "engines" / name
    folder.mkdir(parents=True)
    shapes = {"batch": 1, "height": 64, "width": 64}
    manifest = {
        "engine_id": name,
        "engine_key": key,
        "detector": "roadscene",
        "backend": "onnxruntime",
        "precision": precision,
        "file_name": "engine.onnx",
        "file_sha256": "0" * 64,
        "file_bytes": 4,
        "model_sha256": "1" * 64,
        "calibration_sha256": None,
        "calibration_images": 0,
        "options_sha256": "2" * 64,
        "profile": {"minimum": shapes, "optimum": shapes, "maximum": shapes},
        "inputs": [],
        "outputs": [],
        "tool_versions": {},
        "build_s": 1.0,
        "created_utc": f"2026-11-{day:02}T00:00:00+00:00",
        "layers_total": 1,
        "layers_quantised": 0,
    }
    (folder / "engine.json").write_text(json.dumps(manifest))
    (folder / "engine.onnx").write_bytes(b"plan")
    age(folder, age_s)


def age(path, seconds=OLD_AGE_S):
    os.utime(path, (time.time() - seconds,) * 2)


def test_engines_stay_that_a_release_has_or_that_are_the_newest_of_their_kind(device):
    """The next deployment looks for them: to build again what was there would take a board ten minutes."""
    engine(device, "e" * 16, "fp32", 1)  # of the releases
    engine(device, "a" * 16, "fp32", 2)
    engine(device, "b" * 16, "fp32", 3)
    engine(device, "c" * 16, "int8", 1)
    engine(device, "d" * 16, "fp32", 9, key="x86_64-avx2-ort1.18.0")  # of a version that is gone
    engine(device, "f" * 16, "fp32", 1, age_s=1.0)  # built just now
    gc(device)
    assert {path.name[0] for path in (device / "engines").iterdir()} == {"e", "b", "c", "f"}


def test_code_and_placed_folders_go_when_they_are_old_and_unused(device):
    """A folder of yesterday may be what a long build reads just now."""
    for name in ("1" * 64, "2" * 64, "3" * 64):
        (device / "code" / name / "edgekit").mkdir(parents=True)
    (device / "agent").symlink_to(f"code/{'1' * 64}")
    age(device / "code" / ("1" * 64))
    age(device / "code" / ("2" * 64))
    deliver(device, {"model.onnx": b"model"})
    file = manifest_of({"model.onnx": b"model"}).files
    placed = Path(place(PlaceRequest(str(device), file), quiet).folder)
    gc(device)
    assert {path.name[0] for path in (device / "code").iterdir()} == {"1", "3"}
    assert placed.is_dir()
    age(placed)
    gc(device)
    assert not placed.exists() and not (device / "objects" / sha256_of(b"model")).exists()


def test_half_received_files_stay_for_a_day(device):
    """The transfer goes on where it broke off, if it does so soon."""
    part = device / "incoming" / f"{'a' * 64}.part"
    part.write_bytes(b"half")
    gc(device)
    assert part.exists()
    age(part)
    gc(device)
    assert not part.exists()


def test_none_is_not_a_number_of_releases_to_keep(device):
    """The one in service is always kept; to ask for less is a mistake."""
    with pytest.raises(UsageError, match="at least 1"):
        gc(device, keep=0)
