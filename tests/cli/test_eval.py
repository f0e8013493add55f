"""`edgekit eval`, and the gate of `edgekit deploy`, with real engines on this machine's ONNX Runtime."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from PIL import Image

from edgekit.control.deploy import load_deployment
from edgekit.control.detectors import load_detector
from edgekit.control.evaluation.model_truth import truth_from_model
from edgekit.control.project import Project
from edgekit.control.sets.calibration_sets import load_set, materialise
from tests.made_up_sets import quiet
from tests.onnx_models import LABELS, save_yolov8
from tests.report.english import english_in

DEVICES = """
devices:
  local:
    kind: local
    detector: tiny
    precision: auto
    source: "scenes://?seed=3&width=320&height=192&fps=20&live=1"
    probation: {seconds: 0.5, frames: 5}
"""
PICTURES = 24  # half by day, half by night


def save_bright_model(path: Path) -> None:
    """A network of random weights whose first layer tells bright from dark by far more than its biases."""
    model = onnx.load(str(save_yolov8(path)))
    first = model.graph.initializer[0]
    first.CopyFrom(numpy_helper.from_array(8 * numpy_helper.to_array(first), first.name))
    onnx.save(model, str(path))


def write_pictures(folder: Path, count: int, brightest: dict[str, int]) -> None:
    """Blurred noise: a grid of grey cells that the network of random weights makes objects of."""
    rng = np.random.default_rng(5)
    for number in range(count):
        condition = sorted(brightest)[number % len(brightest)]
        small = rng.integers(0, brightest[condition], (12, 12, 3)).astype(np.uint8)
        path = folder / condition / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), cv2.resize(small, (64, 64), interpolation=cv2.INTER_CUBIC))


def write_labels(project: Project, name: str) -> None:
    """Label a set with what the model itself finds, in YOLO's form: INT8 can then only lose."""
    detector = load_detector(project, "tiny")
    made = materialise(project, load_set(project, name), quiet)
    truth = truth_from_model(project, detector, made, quiet)
    folder = project.calib_sets_dir / name
    for key, picture in truth.pictures.items():
        boxes = picture.objects.boxes_xyxy / 64
        centres, sizes = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
        rows = np.column_stack([picture.objects.class_ids, centres, sizes])
        path = folder / "labels" / Path(key.replace("__", "/")).with_suffix(".txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{int(row[0])} {' '.join(f'{value:.6f}' for value in row[1:])}\n" for row in rows))
    (folder / "set.yaml").write_text(
        f"images: {{folder: images}}\nlabels: {{yolo: labels, classes: [{', '.join(LABELS)}]}}\n"
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A detector whose calibration set is black: INT8 made with it loses what is bright."""
    root = tmp_path_factory.mktemp("project")
    (root / "devices.yaml").write_text(DEVICES)
    detector = root / "detectors" / "tiny"
    detector.mkdir(parents=True)
    save_bright_model(detector / "model.onnx")
    (detector / "detector.yaml").write_text(
        "labels: [car, person]\ncalibration: black\nfrozen: labelled\nthresholds: {confidence: 0.3, iou: 0.7}\n"
    )
    for name, brightest in (("black", {"day": 2}), ("labelled", {"day": 255, "night": 60}), ("plain", {"day": 255})):
        folder = root / "calib_sets" / name
        write_pictures(folder / "images", PICTURES, brightest)
        (folder / "set.yaml").write_text("images: {folder: images}\n")
    write_labels(Project(root), "labelled")
    yield root
    if (root / ".edgekit" / "devices" / "local" / "journal").exists():
        edgekit(root, "stop")


def edgekit(root, *arguments):
    command = [sys.executable, "-m", "edgekit", "--project", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)


def answer(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_accuracy_of_one_engine_is_told_by_stratum_size_and_class(project):
    """The figures that a decision rests on, of whatever engine is asked for."""
    found = answer(edgekit(project, "eval", "--json"))
    accuracy = found["candidate"]["accuracy"]
    assert (found["baseline"], found["gate"]) == (None, None)
    assert accuracy["map50_95"] > 0.95  # the labels are its model's own answers
    assert set(accuracy["per_condition"]) == {"day", "night"}
    assert set(accuracy["per_class"]) <= set(LABELS) and accuracy["per_class"]
    assert set(accuracy["per_size"]) <= {"small", "medium", "large"} and accuracy["per_size"]


def test_an_engine_that_lost_a_stratum_does_not_pass_the_gate(project):
    """The exit code by which a script stops an engine that went blind."""
    done = edgekit(project, "eval", "--precision", "int8", "--gate")
    assert done.returncode == 7, done.stderr
    assert "the gate refuses INT8 engine" in done.stdout and "too little is left in day" in done.stdout
    gate = answer(edgekit(project, "eval", "--precision", "int8", "--json"))["gate"]
    assert {row["stratum"]: row["verdict"] for row in gate["rows"]} == {"all": "lost", "day": "lost", "night": "kept"}


def test_deploy_ships_the_baseline_and_names_the_strata_that_int8_lost(project):
    """INT8 that fails in some scenes must not reach a camera, and the next deployment must not ask again."""
    first = answer(edgekit(project, "deploy", "--json"))
    assert first["precision"] == "fp32"
    assert "INT8 is refused" in first["decision"] and "too little is left in day" in first["decision"]
    assert "edgekit sensitivity" in first["decision"]
    assert first["gate"]["rows"][0]["verdict"] == "lost"
    assert load_deployment(Project(project), "local").gate.lost[0].stratum == "all"  # reports read it
    second = answer(edgekit(project, "deploy", "--json"))
    assert (second["steps"], second["changed"], second["gate"]) == ([], False, first["gate"])


def test_deploy_judges_engines_that_were_checked_before_there_was_a_gate(project):
    """Projects of the version before hold records without one."""
    answer(edgekit(project, "deploy", "--json"))
    (record,) = (project / ".edgekit" / "gates" / "local").glob("*.json")
    record.unlink()
    steps = answer(edgekit(project, "deploy", "--dry-run", "--json"))["steps"]
    assert steps[0]["action"] == "verify" and steps[0]["subject"].startswith("int8")
    again = answer(edgekit(project, "deploy", "--json"))
    assert again["precision"] == "fp32" and record.is_file()


def test_int8_that_was_asked_for_outright_is_refused_by_name_of_the_strata(project):
    """--precision int8 is a wish, not a licence to go blind."""
    done = edgekit(project, "deploy", "--precision", "int8")
    assert done.returncode == 7
    assert "98.5 % is needed" in done.stderr and "edgekit sensitivity" in done.stderr


def test_what_was_asked_before_is_not_asked_again(project):
    """Hundreds of pictures through a small board take minutes."""
    answer(edgekit(project, "eval", "--json"))
    folder = project / ".edgekit" / "cache" / "predictions" / "local"
    before = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.jsonl")}
    answer(edgekit(project, "eval", "--json"))
    assert {path.name: path.stat().st_mtime_ns for path in folder.glob("*.jsonl")} == before


def test_the_worst_pictures_are_drawn_on_a_page(project, tmp_path):
    """People would rather look than read figures."""
    out = tmp_path / "worst"
    found = answer(edgekit(project, "eval", "--precision", "int8", "--worst", "3", "--out", str(out), "--json"))
    worst = found["worst"]
    assert [frame["harm"] for frame in worst] == sorted((frame["harm"] for frame in worst), reverse=True)
    assert worst[0]["harm"] > 0 and worst[0]["strata"][0] == "day"  # what the black set never showed
    for frame in worst:
        with Image.open(out / frame["picture"]) as picture:
            assert picture.width > 2 * picture.height  # labels, baseline and candidate side by side
    page = (out / "index.html").read_text("utf-8")
    assert page.count("data:image/jpeg") == 3 and found["candidate"]["engine_id"] in page
    assert "<script" not in page
    answer(edgekit(project, "eval", "--precision", "int8", "--worst", "3", "--out", str(out), "--lang", "zh", "--json"))
    page = (out / "index.html").read_text("utf-8")
    assert english_in(page) == [] and f"INT8 引擎 {found['candidate']['engine_id']}" in page


def test_without_labels_it_is_agreement_and_called_so(project):
    """Agreement with the model read as accuracy would promise what nobody measured."""
    done = edgekit(project, "eval", "--on", "plain", "--against", "model")
    assert done.returncode == 0, done.stderr
    assert "nobody labelled plain: these figures are agreement with the FP32 model, not accuracy" in done.stdout
    assert "only labels can say" in done.stdout
    found = answer(edgekit(project, "eval", "--on", "plain", "--against", "model", "--json"))
    assert found["labelled_by"] == "model"
    assert found["baseline"]["accuracy"]["map50_95"] == pytest.approx(1.0, abs=0.01)
    assert found["gate"]["rows"][0]["kept"] > 0.97  # ONNX Runtime's FP32 engine is the model


def test_a_dry_run_says_what_would_be_built_and_asked(project, tmp_path):
    """A build takes minutes on a board: a look before it."""
    fresh = tmp_path / "fresh"
    subprocess.run(["cp", "-a", project, fresh], check=True)
    subprocess.run(["rm", "-rf", fresh / ".edgekit" / "devices"], check=True)
    plan = answer(edgekit(fresh, "eval", "--precision", "int8", "--dry-run", "--json"))["would"]
    assert sum(line.startswith("build ") for line in plan) == 2
    assert sum(line.startswith("run ") and f"{PICTURES} pictures of labelled" in line for line in plan) == 2
    assert not list((fresh / ".edgekit" / "devices").glob("local/engines/*"))


@pytest.mark.parametrize(
    "arguments, said",
    [
        (("--worst", "3"), "--worst draws pictures"),
        (("--gate",), "nothing to compare with"),
        (("--against", "fp32"), "is the engine that is to be judged"),
        (("--on", "labeled"), "did you mean"),
        (("--calibration", "black"), "--calibration is for INT8"),
    ],
)
def test_what_cannot_be_is_refused_by_name(project, arguments, said):
    """Lost: an answer in a line instead of a wrong figure."""
    done = edgekit(project, "eval", *arguments)
    assert done.returncode in (2, 3, 4), done.stderr
    assert said in done.stderr
