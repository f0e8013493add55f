"""`edgekit inspect` shows engines of any origin, and fails only for one that is damaged."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from edgekit.cli.app import app
from edgekit.cli.tables.engine import printable
from edgekit.control.inspect import find_engine
from edgekit.core.deployment import StateAnswer
from edgekit.core.engine_key import parse_engine_key
from edgekit.errors import NotFoundError, UsageError
from tests.made_up_engines import plan_bytes, tensorrt_manifest, with_header, write_engine

DEVICES = "devices:\n  local: {kind: local}\n  xavier-nx: {kind: jetson, address: 192.0.2.1, source: /data/a.mp4}\n"


@pytest.fixture
def project(tmp_path, monkeypatch):
    root = tmp_path / "project"
    root.mkdir()
    (root / "devices.yaml").write_text(DEVICES)
    monkeypatch.chdir(root)
    write_engine(root / ".edgekit" / "devices" / "local" / "engines" / "abcdef0123456789")
    return root


def inspect(*arguments):
    return CliRunner().invoke(app, ["inspect", *map(str, arguments)], env={"COLUMNS": "200", "NO_COLOR": "1"})


SHOWN = (
    "abcdef0123456789",
    "xavier-nx, compute capability 7.2 (SM 72), TensorRT 8.5.2.2, Jetson Linux 35.4.1",
    "engine.plan, 228 bytes: whole",
    "kernels.cubin, 18 bytes: whole",
    "module: it was built on xavier-nx, this device is ",
    "calibrator",
    "60 of 64",
    "300 pictures, digest 333333333333",
    "images (?, 3, 384, 640) float32",
    "output0 (?, 12, 5040) float32",
    "1x384x640 to 4x384x640, tuned for 2x384x640",
    "parse 0.2 s, calibrate 12.5 s, build 301.0 s, check 1.8 s",
    "reused",
    "12.5 MiB for activations",
    "1840 MiB at its peak, workspace limit 512 MiB",
    "225 layers of the model became 16",
    "int8 13, fp16 2, not told 1",
    "CaskConvolution",
    "cuda 11.4, tensorrt 8.5.2.2",
    "3 tactics were skipped for want of memory",
)


def test_an_engine_on_a_device_is_shown_by_the_first_digits_of_its_id(project):
    """All that its manifest knows; what is missing from the page cannot be looked up anywhere else."""
    done = inspect("abc")
    assert done.exit_code == 0
    assert [words for words in SHOWN if words not in done.output] == []
    assert "edgekit build roadscene --precision int8 --device local" in done.output
    assert "/backbone/11/Conv" not in done.output


def test_every_layer_is_listed_when_asked_for(project):
    """None is left out: a table that stops at twenty hides the one that stayed in FP32."""
    done = inspect("abc", "--layers")
    for layer in tensorrt_manifest().build.layers:
        assert layer.name in done.output


def test_a_folder_and_the_file_in_it_are_the_same_engine(project, tmp_path):
    """People point at either; no project is needed for it."""
    folder = write_engine(tmp_path / "engine")
    for path in (folder, folder / "engine.plan", folder / "engine.json"):
        done = inspect(path, "--project", tmp_path / "nowhere")
        assert done.exit_code == 0, done.output
        assert "225 layers of the model became 16" in done.output


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_an_engine_without_build_facts_is_shown_without_holes(tmp_path, precision):
    """ONNX Runtime's manifests have none."""
    made = tensorrt_manifest(precision, build=None, backend="onnxruntime", warnings=(), golden_distance=None)
    done = inspect(write_engine(tmp_path / "engine", made))
    assert done.exit_code == 0
    assert "None" not in done.output
    assert "fusion" not in done.output


def test_json_holds_manifest_files_fit_and_layers(project):
    """For programs, one document."""
    found = json.loads(inspect("abc", "--json").stdout)
    assert found["manifest"]["engine_id"] == "abcdef0123456789"
    assert [check["state"] for check in found["files"]] == ["whole", "whole"]
    assert found["fit"]["fits"] is False
    assert len(found["layers"]) == 16
    assert found["layers_from"] == "engine.json"


@pytest.mark.parametrize(
    ("data", "word"), [(plan_bytes()[:100], "cut short"), (plan_bytes()[:-1] + b"?", "altered"), (None, "missing")]
)
def test_a_damaged_engine_is_shown_and_ends_with_6(project, tmp_path, data, word):
    """A script must notice; a person must still see what it was."""
    folder = write_engine(tmp_path / "engine")
    (folder / "engine.plan").unlink()
    if data is not None:
        (folder / "engine.plan").write_bytes(data)
    done = inspect(folder)
    assert done.exit_code == 6
    assert word.upper() in done.output
    assert "edgekit build roadscene --precision int8 --force" in done.output
    as_json = inspect(folder, "--json")
    assert as_json.exit_code == 6
    assert json.loads(as_json.stdout)["files"][0]["state"] == word


@pytest.mark.parametrize("text", ["", "{}", "no json", '{"engine_id": 3}'])
def test_a_damaged_manifest_is_an_error_of_the_engine(tmp_path, text):
    folder = write_engine(tmp_path / "engine")
    (folder / "engine.json").write_text(text)
    assert inspect(folder).exit_code == 6


def test_an_engine_of_ultralytics_is_explained_and_not_run(tmp_path):
    """Such files lie on many boards; why ours does not take them must be said, with the way out."""
    path = tmp_path / "yolov8n.engine"
    metadata = {"task": "detect", "imgsz": [640, 640], "names": {"0": "car"}, "note": "a\x1b[31mb"}
    path.write_bytes(with_header(plan_bytes((10, 3, 0, 26)), metadata))
    done = inspect(path)
    assert done.exit_code == 0
    for words in ("TensorRT 10.3.0.26", "task", "detect", "[640, 640]", "does not run this file", "edgekit build"):
        assert words in done.output
    assert "\x1b" not in done.output
    found = json.loads(inspect(path, "--json").stdout)
    assert found["lone"]["metadata"] == metadata
    assert found["manifest"] is None


def test_a_plain_plan_tells_its_release_and_another_file_is_doubted(tmp_path):
    """A plan without a header, and a file that is no plan."""
    plan, other = tmp_path / "a.plan", tmp_path / "b.plan"
    plan.write_bytes(plan_bytes((8, 6, 1, 6)))
    other.write_bytes(b"just some words, nothing more")
    assert "TensorRT 8.6.1.6" in inspect(plan).output
    done = inspect(other)
    assert done.exit_code == 0
    assert "perhaps no engine of TensorRT" in done.output and "a plain plan" not in done.output


@pytest.mark.parametrize("data", [b"", b'\x0a\0\0\0{"a":', with_header(b"", {"a": 1})])
def test_a_lone_file_that_is_broken_ends_with_6(tmp_path, data):
    """An empty file, and half a download of one of Ultralytics' files."""
    path = tmp_path / "a.engine"
    path.write_bytes(data)
    assert inspect(path).exit_code == 6


def test_a_manifest_of_another_edgekit_is_refused_in_a_few_lines(tmp_path):
    """Twenty missing fields on the screen hide what to do about them."""
    folder = write_engine(tmp_path / "engine")
    (folder / "engine.json").write_text("{}")
    done = inspect(folder)
    assert "was written by another edgekit" in done.output and "EngineManifest" not in done.output
    assert done.output.count("missing") == 5 and "more" in done.output


@pytest.mark.parametrize(("arguments", "said"), [(("",), "ENGINE is empty"), (("--layers",), "layers of which engine")])
def test_a_question_about_no_engine_is_asked_back(project, arguments, said):
    """An empty shell variable is not the current folder, and --layers is not silently left out."""
    done = inspect(*arguments)
    assert done.exit_code == 2 and said in done.output


def test_an_engine_damaged_on_a_device_is_built_again_on_that_device(project):
    """Or the command mends another engine, here."""
    (project / "devices.yaml").write_text("devices:\n  pc: {kind: local}\n")
    folder = write_engine(project / ".edgekit" / "devices" / "pc" / "engines" / "abcdef0123456789")
    (folder / "engine.plan").write_bytes(b"ftrt")
    assert "--force --device pc" in inspect("abc", "--device", "pc").output


def test_files_are_held_against_local_and_opened_by_its_python(project, tmp_path):
    """TensorRT may belong to another Python than edgekit's: only that one can say whether an engine fits."""
    log, script = tmp_path / "log", tmp_path / "python"
    script.write_text(f'#!/bin/sh\necho "$3" >> {log}\nexec {sys.executable} "$@"\n')
    script.chmod(0o755)
    (project / "devices.yaml").write_text(f"devices:\n  local: {{kind: local, python: {script}}}\n")
    folder = write_engine(tmp_path / "engine", tensorrt_manifest(build=None))
    assert "not local" in inspect(folder, "--layers").output
    assert sorted(log.read_text().split()) == ["inspect", "probe"]


def test_an_unknown_id_is_met_with_what_there_is(project):
    """The next thing typed should be right."""
    done = inspect("zzz")
    assert done.exit_code == 2
    assert "abcdef0123456789" in done.output


def test_the_beginning_of_two_ids_asks_for_more_digits():
    """Showing one of them would be a guess."""
    first = tensorrt_manifest()
    state = StateAnswer((first, replace(first, engine_id="abcd000000000000")), ())
    with pytest.raises(UsageError, match="2 engines on local"):
        find_engine(state, "abcd", "local")
    assert find_engine(state, "abcde", "local") == first
    with pytest.raises(NotFoundError):
        find_engine(StateAnswer((), ()), "a", "local")


def test_without_an_engine_all_of_the_device_are_listed(project):
    """Ids have to be found somewhere."""
    done = inspect()
    assert done.exit_code == 0
    assert "abcdef0123456789" in done.output
    assert json.loads(inspect("--json").stdout)["engines"][0]["precision"] == "int8"


def test_a_folder_without_an_engine_names_the_file_to_look_at(tmp_path):
    (tmp_path / "model.engine").write_bytes(plan_bytes())
    done = inspect(tmp_path)
    assert done.exit_code == 2
    assert f"edgekit inspect {tmp_path / 'model.engine'}" in done.output.replace("\n", "")


def test_layers_that_cannot_be_asked_for_are_a_note_and_no_failure(tmp_path):
    """The rest of the page is of use without them."""
    folder = write_engine(tmp_path / "engine", tensorrt_manifest(build=None))
    done = inspect(folder, "--layers")
    assert done.exit_code == 0
    assert "its layers are not known" in done.output


def test_an_engine_of_this_very_machine_fits_it(project, tmp_path):
    """Or nothing ever would."""
    here = json.loads(inspect("abc", "--json").stdout)["fit"]["engine_key"]
    assert parse_engine_key(here) is not None
    done = inspect(write_engine(tmp_path / "engine", tensorrt_manifest(engine_key=here)), "--device", "local")
    assert "yes, local" in done.output


def test_a_device_that_cannot_be_asked_leaves_the_fit_open(project, tmp_path):
    """The board is switched off; the engine in the folder can be looked at all the same."""
    done = inspect(write_engine(tmp_path / "engine"), "--device", "xavier-nx")
    assert done.exit_code == 0, done.output
    assert "not known: xavier-nx could not be asked" in done.output


def test_text_from_a_file_cannot_steer_a_terminal():
    """Escape sequences can rewrite what stands above them."""
    assert printable("a\x1b]0;x\x07b\u202e\ud800ä") == "a\\x1b]0;x\\x07b\\u202e\\ud800ä"
