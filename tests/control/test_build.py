"""What the host orders: the route, the request and its id, and what it adds before a device builds."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

from edgekit.control import build as orders
from edgekit.control.connect import link_to
from edgekit.control.detectors import load_detector
from edgekit.control.golden import prepare_golden
from edgekit.control.groundwork import Groundwork
from edgekit.control.inventory import Device
from edgekit.control.link import silent
from edgekit.control.local_link import LocalLink
from edgekit.control.prepare import describe_preparation, prepare_model
from edgekit.control.project import Project
from edgekit.control.sets.calibration_sets import load_set, materialise
from edgekit.core.engine import PreparedModel, TensorRTOptions
from edgekit.core.precision import choose_route
from edgekit.core.wire import from_wire
from edgekit.errors import BuildError, CalibrationError, UsageError, VerifyError
from tests.made_up_engines import XAVIER
from tests.onnx_models import save_yolov8

# Made up from the facts of boards; no such device was asked.
THOR = dataclasses.replace(XAVIER, module="thor", backend_version="11.4.0", sm=110, l4t="38.2.0")
ORIN_62 = dataclasses.replace(XAVIER, module="orin-nano-8gb", backend_version="10.3.0", sm=87, l4t="36.4.3")


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "detectors" / "tiny"
    folder.mkdir(parents=True)
    save_yolov8(folder / "model.onnx")
    (folder / "detector.yaml").write_text("labels: [car, person]\ncalibration: few\n")
    images = tmp_path / "calib_sets" / "few" / "images"
    images.mkdir(parents=True)
    rng = np.random.default_rng(5)
    for index in range(6):
        small = rng.integers(0, 255, (6, 8, 3), np.uint8)
        cv2.imwrite(str(images / f"p{index}.png"), cv2.resize(small, (96, 72)))
    (images.parent / "set.yaml").write_text("images: {folder: images}\n")
    return Project(tmp_path)


@pytest.fixture
def detector(project):
    return load_detector(project, "tiny")


@pytest.fixture
def pictures(project):
    return materialise(project, load_set(project, "few"), silent)


def order(project, detector, profile, precision, pictures=None, **options):
    link = LocalLink("box", project.root / "box")
    return orders.order_engine(
        Groundwork(project), link, detector, profile, precision, pictures, TensorRTOptions(**options)
    )


def engine_id(*arguments, **options):
    return order(*arguments, **options).request.engine_id


def test_the_request_follows_the_route(project, detector, pictures):
    """Pictures travel to the device only where it is the device that calibrates."""
    explicit = orders.complete(order(project, detector, XAVIER, "int8", pictures), silent)
    assert (explicit.route, explicit.calibration_dir) == ("explicit", None)
    assert explicit.calibration_sha256 == pictures.sha256
    calibrator = orders.complete(order(project, detector, XAVIER, "int8", pictures, route="calibrator"), silent)
    assert (calibrator.route, calibrator.calibration_dir) == ("calibrator", str(pictures.folder.resolve()))
    plain = order(project, detector, XAVIER, "fp16", pictures).request
    assert (plain.route, plain.calibration_sha256, plain.calibration_dir) == ("plain", None, None)


def test_an_order_sends_nothing(project, detector, pictures):
    """A deployment that changes nothing asks for its engines by id; a model or pictures sent then cost seconds."""
    request = order(project, detector, XAVIER, "int8", pictures, route="calibrator").request
    assert (request.model_path, request.calibration_dir, request.golden) == ("", None, None)


def test_what_the_host_adds_does_not_change_the_id(project, detector, pictures):
    """The id is asked for before minutes of preparing; a second build must find the first by it."""
    request = order(project, detector, XAVIER, "int8", pictures).request
    prepared = PreparedModel("b" * 64, 6, "onnxruntime", 12, 5)
    added = dataclasses.replace(
        request, prepared=prepared, model_path="/other", head_layers=("a",), cache_dir="/c", force=True
    )
    assert added.engine_id == request.engine_id


def test_layers_kept_in_float_change_the_id_of_int8_alone(project, detector, pictures):
    """A mended engine is another one; FP16 ones, and those of detectors without such layers, stay what they are."""
    kept = dataclasses.replace(detector, keep_float=("conv0", "conv3"))
    assert order(project, kept, XAVIER, "int8", pictures).request.keep_float == ("conv0", "conv3")
    assert engine_id(project, kept, XAVIER, "int8", pictures) != engine_id(project, detector, XAVIER, "int8", pictures)
    assert engine_id(project, kept, XAVIER, "fp16", pictures) == engine_id(project, detector, XAVIER, "fp16", pictures)
    assert not order(project, detector, XAVIER, "int8", pictures).request.keep_float


@pytest.mark.parametrize("route", ["explicit", "calibrator"])
def test_layers_kept_in_float_reach_the_device(project, detector, pictures, route):
    """The explicit route leaves their pairs out on this machine; the calibrator is told, of activations too."""
    kept = dataclasses.replace(detector, keep_float=("conv3",))
    request = orders.complete(order(project, kept, XAVIER, "int8", pictures, route=route), silent)
    if route == "calibrator":
        assert request.keep_float == ("conv3",) and {"conv3", "sigmoid4", "mul5"} <= set(request.head_layers)
    else:
        plain = orders.complete(order(project, detector, XAVIER, "int8", pictures, route=route), silent)
        assert request.prepared.layers_quantised == plain.prepared.layers_quantised - 1


def test_options_without_effect_on_an_engine_do_not_change_its_id(project, detector, pictures):
    """Else a new calibrator in devices.yaml would rebuild every FP16 engine of the fleet."""
    fp16 = engine_id(project, detector, XAVIER, "fp16", pictures)
    assert fp16 == engine_id(project, detector, XAVIER, "fp16", pictures, route="calibrator", calibrator="minmax")
    auto = engine_id(project, detector, XAVIER, "int8", pictures)
    assert auto == engine_id(project, detector, XAVIER, "int8", pictures, route="explicit", calibrator="minmax")
    local = dataclasses.replace(XAVIER, backend="onnxruntime", backend_version="1.20")
    assert engine_id(project, detector, local, "fp32") == engine_id(project, detector, local, "fp32", workspace_mib=99)


def test_whatever_changes_the_engine_changes_its_id(project, detector, pictures):
    """Equal ids for two engines would ship the wrong one."""
    ids = [
        engine_id(project, detector, XAVIER, "fp32"),
        engine_id(project, detector, XAVIER, "fp16"),
        engine_id(project, detector, THOR, "fp16"),
        engine_id(project, detector, XAVIER, "int8", pictures),
        engine_id(project, detector, XAVIER, "int8", dataclasses.replace(pictures, sha256="d" * 64)),
        engine_id(project, detector, XAVIER, "int8", pictures, route="calibrator"),
        engine_id(project, detector, XAVIER, "int8", pictures, route="calibrator", calibrator="minmax"),
        engine_id(project, detector, XAVIER, "fp16", workspace_mib=256),
        engine_id(project, detector, XAVIER, "fp16", optimisation_level=4),
        engine_id(project, detector, XAVIER, "fp16", dla_core=0),
        engine_id(project, detector, XAVIER, "fp16", plugins=("/opt/p.so",)),
        engine_id(project, detector, XAVIER, "fp16", library_tactics=True),
    ]
    assert len(set(ids)) == len(ids)


def test_a_route_that_fails_there_is_refused_before_anything_is_sent(project, detector, pictures):
    with pytest.raises(BuildError, match="calibrator cannot be used"):
        order(project, detector, ORIN_62, "int8", pictures, route="calibrator")


def trained(project):
    """The detector again, its model with a Q/DQ pair in front, as quantisation-aware training leaves it."""
    path = project.root / "detectors" / "tiny" / "model.onnx"
    model = onnx.load(str(path))
    scale = onnx.helper.make_tensor("s", onnx.TensorProto.FLOAT, [], [1 / 255])
    zero = onnx.helper.make_tensor("z", onnx.TensorProto.UINT8, [], [0])
    model.graph.initializer.extend([scale, zero])
    for node in model.graph.node:
        node.input[:] = ["images_dq" if name == "images" else name for name in node.input]
    pair = [
        onnx.helper.make_node("QuantizeLinear", ["images", "s", "z"], ["images_q"]),
        onnx.helper.make_node("DequantizeLinear", ["images_q", "s", "z"], ["images_dq"]),
    ]
    for node in reversed(pair):
        model.graph.node.insert(0, node)
    onnx.save(model, str(path))
    return load_detector(project, "tiny")


def test_a_trained_model_needs_no_calibration_set(project):
    """Asking its owner for one would be asking for what is thrown away."""
    detector = trained(project)
    assert detector.facts.trained_quantised and not orders.needs_calibration(detector, "int8")
    request = order(project, detector, XAVIER, "int8").request
    assert (request.route, request.calibration_sha256) == ("trained", None)


def test_a_detector_without_a_set_says_what_to_add(project):
    (project.root / "detectors" / "tiny" / "detector.yaml").write_text("labels: [car, person]\n")
    with pytest.raises(CalibrationError, match="names no calibration set"):
        Groundwork(project).calibration(load_detector(project, "tiny"), None, silent)


LOCAL = Device("local", "local", "tiny", "tiny", "scenes://")


def place_order(project, device, precision, **given):
    return orders.place_order(Groundwork(project), device, link_to(project, device), precision, silent, **given)


@pytest.mark.parametrize(
    ("asked", "flag"),
    [({"workspace_mib": 99}, "--workspace-mib"), ({"plugins": ("a",)}, "--plugin:"), ({"route": "auto"}, "--route")],
)
def test_options_of_tensorrt_are_refused_where_onnx_runtime_builds(project, asked, flag):
    """Ignored without a word, they would be believed."""
    with pytest.raises(UsageError, match="does not build with TensorRT") as refusal:
        place_order(project, LOCAL, None, options=asked)
    assert flag in refusal.value.what


@pytest.mark.parametrize(
    ("asked", "precision", "said"),
    [
        ({"route": "explicit"}, "fp16", "the precision is fp16"),
        ({"calibrator": "minmax"}, "int8", "the route is 'explicit'"),
        ({"calibrator": "minmax"}, "fp16", "the route is 'plain'"),
    ],
)
def test_options_that_contradict_each_other_are_refused(detector, asked, precision, said):
    route = orders.route_to(detector, XAVIER, precision, TensorRTOptions(**asked))
    with pytest.raises(UsageError, match=said):
        orders._check_options(asked, "box", XAVIER, precision, route)


def test_the_default_precision_is_the_back_ends_baseline(project):
    placed = place_order(project, LOCAL, None)
    assert (placed.request.precision, placed.route) == ("fp32", None)


def test_settings_of_devices_yaml_may_stand_where_they_have_no_effect(project):
    """defaults: are shared with the local device."""
    device = dataclasses.replace(LOCAL, tensorrt=TensorRTOptions(workspace_mib=512))
    plain, other = (place_order(project, item, None) for item in (LOCAL, device))
    assert plain.request == other.request


def test_a_build_on_this_machine_is_compared_with_its_model(project):
    """The whole way: golden pictures, expected answers, a real build, and nothing done the second time."""
    placed = place_order(project, LOCAL, "fp32")
    assert not orders.is_built(placed)
    manifest = orders.fulfil(placed, silent)
    assert manifest.golden_distance is not None and manifest.golden_distance < 1e-6 and manifest.warnings == ()
    assert orders.is_built(placed)
    told = []
    again = orders.fulfil(placed, lambda what, done, total: told.append(what))
    assert again == manifest and told == ["already built"]
    file = Path(placed.engine_dir) / manifest.file_name
    file.write_bytes(file.read_bytes()[:-1])
    assert not orders.is_built(placed) and orders.fulfil(placed, silent).golden_distance is not None


def test_int8_on_this_machine_stays_within_its_golden_limit(project):
    placed = place_order(project, LOCAL, "int8")
    assert 0 < orders.fulfil(placed, silent).golden_distance < 0.05


def test_an_engine_of_another_network_fails_its_build(project, detector, tmp_path):
    """Weights that got lost on the way: the file is whole, the shapes are right, the answers are another model's."""
    placed = place_order(project, LOCAL, "fp32")
    honest = orders.complete(placed, silent)
    other = save_yolov8(tmp_path / "other.onnx", seed=9)
    answers = dataclasses.replace(detector, model_path=other)
    spec = dataclasses.replace(detector.spec, model_sha256="9" * 64)
    golden = prepare_golden(project, dataclasses.replace(answers, spec=spec), silent).place(placed.link)
    with pytest.raises(VerifyError, match="cannot be used"):
        orders.build(placed.link, dataclasses.replace(honest, golden=golden), silent)
    assert not orders.is_built(placed)


def test_the_golden_set_is_made_once_and_again_when_damaged(project, detector):
    """It would else cost every build a run of the model."""
    first = prepare_golden(project, detector, silent)
    assert len(list(first.pictures.iterdir())) == 4
    told = []
    assert prepare_golden(project, detector, lambda what, done, total: told.append(what)) == first
    assert "golden pictures" not in told
    first.expected.write_bytes(b"damaged")
    assert prepare_golden(project, detector, silent) == first
    wider = dataclasses.replace(detector.spec, input=dataclasses.replace(detector.spec.input, colour="bgr"))
    other = prepare_golden(project, dataclasses.replace(detector, spec=wider), silent)
    assert other.expected_sha256 != first.expected_sha256 and other.expected != first.expected


def test_of_a_drawn_set_only_the_golden_pictures_are_drawn(project, detector):
    """A frozen set of hundreds takes minutes to draw; a build wants four."""
    folder = project.calib_sets_dir / "many"
    folder.mkdir()
    (folder / "set.yaml").write_text("scenes: {count: 100000, width: 64, height: 64}\n")
    golden = prepare_golden(project, dataclasses.replace(detector, frozen="many"), silent)
    assert len(list(golden.pictures.iterdir())) == 4


def prepared(project, detector, route, precision, pictures, told=None):
    progress = silent if told is None else lambda what, done, total: told.append(what)
    return prepare_model(project, detector, route, precision, pictures, progress)


def test_explicit_int8_is_prepared_once_for_the_same_things(project, detector, pictures):
    """Quantising on the host takes minutes for a real model; other pictures must not find the old one."""
    route = choose_route("int8", "8.5.2.2", sm=72, trained=False)
    first = prepared(project, detector, route, "int8", pictures)
    assert first.prepared is not None and first.prepared.layers_quantised > 0 and first.prepared.calibration_images == 6
    assert any(node.op_type == "QuantizeLinear" for node in onnx.load(str(first.model_path)).graph.node)
    told = []
    assert prepared(project, detector, route, "int8", pictures, told) == first
    assert told == []
    other = prepared(project, detector, route, "int8", dataclasses.replace(pictures, sha256="e" * 64), told)
    assert other.model_path != first.model_path and told
    first.model_path.write_bytes(b"damaged")
    told.clear()
    assert prepared(project, detector, route, "int8", pictures, told).prepared is not None and told


def test_the_calibrator_route_learns_the_heads_layers(project, detector, pictures):
    """They stay out of INT8; without their names TensorRT would quantise boxes in pixels."""
    route = choose_route("int8", "8.5.2.2", sm=72, trained=False, wanted="calibrator")
    made = prepared(project, detector, route, "int8", pictures)
    names = {node.name for node in onnx.load(str(made.model_path)).graph.node}
    assert made.prepared is None or made.prepared.layers_quantised == 0
    assert made.head_layers and (made.prepared is None or set(made.head_layers) <= names)


def test_a_float_model_is_prepared_only_for_a_tensorrt_that_takes_types_from_it(project, detector):
    plain = choose_route("fp16", "8.5.2.2", sm=72, trained=False)
    assert prepared(project, detector, plain, "fp16", None).model_path == detector.model_path
    typed = choose_route("fp16", "11.4.0", sm=110, trained=False)
    made = prepared(project, detector, typed, "fp16", None)
    assert made.prepared is not None and made.model_path != detector.model_path


@pytest.mark.parametrize(
    ("version", "precision", "wanted", "said"),
    [
        ("8.5.2.2", "fp16", "auto", "nothing"),
        ("8.5.2.2", "int8", "explicit", "Q/DQ pairs, from 6 pictures"),
        ("8.5.2.2", "int8", "calibrator", "names of the head's layers"),
        ("11.4.0", "fp16", "auto", "FP16 types"),
        ("11.4.0", "int8", "auto", "Q/DQ pairs, from 6 pictures and FP16 types"),
    ],
)
def test_a_dry_run_says_what_would_be_prepared(pictures, version, precision, wanted, said):
    route = choose_route(precision, version, sm=87, trained=False, wanted=wanted)
    assert said in describe_preparation(route, precision, pictures)


def test_the_completed_request_survives_the_wire(project, detector, pictures):
    """What the host adds is read by Python 3.8 on the other side."""
    from edgekit.core.engine import BuildRequest
    from edgekit.core.wire import to_wire

    request = orders.complete(order(project, detector, XAVIER, "int8", pictures), silent)
    assert request.prepared is not None and request.golden is not None and request.head_layers
    assert Path(request.model_path).name == "model.onnx" and request.model_path != str(detector.model_path)
    assert from_wire(BuildRequest, json.loads(json.dumps(to_wire(request)))) == request
