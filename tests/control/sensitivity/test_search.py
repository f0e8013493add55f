"""The search for sensitive layers, on a network of which it is known which layers 8 bits destroy."""

from __future__ import annotations

import onnx
import pytest

from edgekit.control.connect import link_to
from edgekit.control.detectors import load_detector
from edgekit.control.evaluation.judged_sets import judged_by
from edgekit.control.evaluation.truth import PictureTruth, make_truth, objects_from_boxes
from edgekit.control.groundwork import Groundwork
from edgekit.control.inventory import load_inventory
from edgekit.control.prepare import QUANTISER, prepare_model
from edgekit.control.sensitivity import search
from edgekit.control.sensitivity.layers import QuantisedModel
from edgekit.control.sensitivity.plan import advise
from edgekit.control.sensitivity.rank import rank_layers
from edgekit.control.sensitivity.record import load_search
from edgekit.control.sets.calibration_sets import load_set, materialise
from edgekit.core.precision import Route
from edgekit.errors import ConfigError, VerifyError
from tests.made_up_sets import make_outlier_project, quiet

LAYERS = ("conv0", "conv3", "conv6", "conv13", "conv20")


@pytest.fixture
def project(tmp_path):
    return make_outlier_project(tmp_path)


@pytest.fixture
def prepared(project):
    def make(quantiser=QUANTISER):
        detector = load_detector(project, "tiny")
        pictures = materialise(project, load_set(project, "few"), quiet)
        route = Route("explicit", False, "a test")
        made = prepare_model(project, detector, route, "int8", pictures, quiet, quantiser=quantiser)
        return detector, QuantisedModel(made.model_path, detector.model_path), pictures

    return make


def readers_of_8_bits(content: bytes) -> "set[str]":
    graph = onnx.load_from_string(content).graph
    rounded = {node.output[0] for node in graph.node if node.op_type == "DequantizeLinear"}
    return {node.name for node in graph.node if rounded & set(node.input)}


def test_one_layer_alone_computes_in_8_bits(prepared):
    """What is measured is then its harm, and nobody else's."""
    _, model, _ = prepared()
    assert model.layers == LAYERS
    assert readers_of_8_bits(model.alone("conv6")) == {"conv6"}
    assert readers_of_8_bits(model.in_float()) == set()


def test_what_follows_a_layer_alone_belongs_to_it(prepared):
    """The processor's back end also rounds activations; they are kept in float with their layer."""
    _, model, _ = prepared(f"{QUANTISER}:all:minmax")
    assert model.layers == LAYERS
    assert readers_of_8_bits(model.alone("conv3")) == {"conv3", "sigmoid4", "mul5"}


@pytest.mark.parametrize(
    "quantiser, destroyed", [(QUANTISER, {"conv3"}), (f"{QUANTISER}:all:minmax", {"conv0", "conv3"})]
)
def test_the_layers_that_8_bits_destroy_come_first(project, prepared, quantiser, destroyed):
    """A ranking that misses them has builds tried on a device for nothing."""
    detector, model, pictures = prepared(quantiser)
    truth = judged_by(project, detector, pictures, quiet).truth
    ranked = rank_layers(model, detector.spec, truth, pictures.paths, quiet)
    assert {one.layer for one in ranked[: len(destroyed)]} == destroyed
    assert {one.layer for one in ranked} == set(LAYERS)
    assert ranked[len(destroyed) - 1].harm > 1.5 * ranked[len(destroyed)].harm


def test_a_model_that_finds_nothing_ranks_nothing(project, prepared):
    """An order made of zeros would be the order of the file."""
    detector, model, pictures = prepared()
    boxes = {path.name: objects_from_boxes([[0, 0, 1, 1]], [0]) for path in pictures.paths}
    truth = make_truth("elsewhere", {name: PictureTruth(96, 72, objects) for name, objects in boxes.items()})
    with pytest.raises(VerifyError, match="finds nothing"):
        rank_layers(model, detector.spec, truth, pictures.paths, quiet)


def search_once(project, most_builds=8, **chosen):
    device = load_inventory(project).device("local")
    ground = search.prepare_search(Groundwork(project), device, link_to(project, device), quiet, **chosen)
    told = []
    return search.search(ground, most_builds, quiet, told.append), told, ground


def test_a_search_mends_int8_on_the_device_and_goes_on_where_it_was(project, monkeypatch):
    """Real engines, built and asked in processes of their own; the network's answers are the truth, and it is said."""
    begun, _, ground = search_once(project, most_builds=1)
    assert not begun.first.passed and begun.first.gate.labelled_by == "model"
    found, told, _ = search_once(project)
    assert told[: len(begun.attempts)] == list(begun.attempts)
    assert {"conv0", "conv3"} <= set(found.best.keep_float)
    assert found.best.layers_quantised == found.first.layers_quantised - len(found.best.keep_float)
    assert found.speed.engine_id == found.best.engine_id and found.speed.after_ms > 0
    assert load_search(ground.path) == found
    assert "agreement with the model" in advise(found).sentence

    monkeypatch.setattr(search, "rank_layers", lambda *_: pytest.fail("ranked again"))
    monkeypatch.setattr(search, "gate_of", lambda *_: pytest.fail("judged again"))
    assert search_once(project)[0] == found


def test_a_detector_that_names_no_frozen_set_is_told_what_is_missing(project):
    """Without pictures to judge on any layer would do."""
    document = project.detectors_dir / "tiny" / "detector.yaml"
    document.write_text(document.read_text().replace("frozen: few\n", ""))
    with pytest.raises(ConfigError, match="names no frozen set") as caught:
        search_once(project)
    assert "--on SET" in caught.value.hint
