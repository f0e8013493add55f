"""The route to a precision, by the TensorRT of the target: a wrong one fails after minutes, or makes a blind engine."""

from __future__ import annotations

import pytest

from edgekit.core.precision import check_precision, choose_route, parse_release
from edgekit.errors import BuildError

XAVIER, ORIN = 72, 87


def chosen(precision, version, *, sm=ORIN, trained=False, wanted="auto"):
    route = choose_route(precision, version, sm=sm, trained=trained, wanted=wanted)
    return route.name, route.typed, route.prepares_model(precision)


@pytest.mark.parametrize("version", ["8.4.1", "8.5.2.2", "8.6.2.3", "10.3.0", "10.7.0", "10.13.3.9", "10.16.1"])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_below_tensorrt_11_float_engines_are_built_from_the_model_as_it_is(version, precision):
    """Another model file there would be a needless difference from what was trained."""
    assert chosen(precision, version) == ("plain", False, False)


@pytest.mark.parametrize(
    ("precision", "expected"),
    [("fp32", ("plain", True, False)), ("fp16", ("plain", True, True)), ("int8", ("explicit", True, True))],
)
def test_tensorrt_11_gets_its_types_from_the_model(precision, expected):
    """It has neither builder flags for types nor calibrators: an unprepared model would silently stay FP32."""
    assert chosen(precision, "11.4.0") == expected


@pytest.mark.parametrize("version", ["8.4.1", "8.5.2.2", "8.6.2.3", "10.3.0", "10.7.0", "10.13.3.9", "10.16.1"])
def test_int8_takes_the_explicit_route_unless_told_otherwise(version):
    """One route by default on every device, so that accuracy does not depend on the JetPack."""
    assert chosen("int8", version) == ("explicit", False, True)


@pytest.mark.parametrize(
    ("version", "works"),
    [
        ("8.2.1", False),
        ("8.4.1", True),
        ("8.5.2.2", True),
        ("8.6.2.3", True),
        ("10.0.1", True),
        ("10.3.0", False),
        ("10.7.0", True),
        ("10.13.3.9", True),
        ("10.16.1", True),
        ("11.4.0", False),
    ],
)
def test_the_calibrator_is_used_only_where_it_works(version, works):
    """In 10.3, that of JetPack 6.1 and 6.2, such builds fail; 11 has no calibrators."""
    if works:
        assert chosen("int8", version, wanted="calibrator") == ("calibrator", False, False)
        return
    with pytest.raises(BuildError) as refusal:
        chosen("int8", version, wanted="calibrator")
    assert refusal.value.why and "--route explicit" in refusal.value.hint


@pytest.mark.parametrize("version", ["8.5.2.2", "10.3.0", "11.4.0"])
def test_explicit_can_be_asked_for_everywhere(version):
    assert chosen("int8", version, wanted="explicit")[0] == "explicit"


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
@pytest.mark.parametrize(("version", "typed"), [("8.5.2.2", False), ("10.3.0", False), ("11.4.0", True)])
def test_a_model_trained_for_int8_keeps_its_own_scales(precision, version, typed):
    """Calibrating over trained scales would throw the training away."""
    assert chosen(precision, version, trained=True) == ("trained", typed, typed and precision != "fp32")


def test_a_trained_model_is_not_calibrated_even_if_asked_for():
    """Taking another route than the one asked for, without a word, would be a lie in the manifest."""
    with pytest.raises(BuildError, match="calibrator cannot be used on this model"):
        chosen("int8", "8.5.2.2", trained=True, wanted="calibrator")


@pytest.mark.parametrize("sm", [53, 62])
def test_gpus_without_8_bit_arithmetic_are_told_so_before_anything_is_calibrated(sm):
    """Nano and TX2."""
    with pytest.raises(BuildError, match=f"{sm / 10}"):
        chosen("int8", "8.5.2.2", sm=sm)
    with pytest.raises(BuildError, match=f"{sm / 10}"):
        chosen("fp16", "8.5.2.2", sm=sm, trained=True)
    assert chosen("fp16", "8.5.2.2", sm=sm)[0] == "plain"


def test_a_gpu_of_unknown_kind_is_not_refused():
    assert chosen("int8", "8.5.2.2", sm=None)[0] == "explicit"


@pytest.mark.parametrize(("text", "release"), [("8.5.2.2", (8, 5)), ("10.13.3+cuda13", (10, 13)), ("11.4", (11, 4))])
def test_releases_are_numbers_not_text(text, release):
    """As text, 10.13 would come before 10.3."""
    assert parse_release(text) == release


@pytest.mark.parametrize("text", ["", "unknown", "v8.5", "8"])
def test_what_is_no_version_is_refused(text):
    with pytest.raises(BuildError, match="no TensorRT version"):
        parse_release(text)


def test_a_cpu_builds_no_fp16():
    """It would be slower than FP32, and a plan for it would break off on the device."""
    with pytest.raises(BuildError, match="fp16"):
        check_precision("fp16", "onnxruntime")
    check_precision("fp16", "tensorrt")
    check_precision("int8", "onnxruntime")
