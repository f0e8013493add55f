"""Two engine keys that differ are told apart part by part, in words a person can act on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgekit.core.engine import check_fits
from edgekit.core.engine_key import EngineKey, key_differences, parse_engine_key
from edgekit.errors import EngineMismatchError
from tests.made_up_engines import KEY, XAVIER, tensorrt_manifest

PC = replace(XAVIER, module="x86_64", backend="onnxruntime", backend_version="1.23.2", cpu_features=("avx2",), l4t=None)


def test_a_key_is_read_back_as_it_was_written():
    """Otherwise every sentence below is about something else."""
    assert XAVIER.engine_key == KEY
    assert parse_engine_key(XAVIER.engine_key) == EngineKey("xavier-nx", "tensorrt", "8.5.2.2", sm=72, l4t="35.4.1")
    without = replace(XAVIER, module="x86_64", l4t=None, sm=90)
    assert parse_engine_key(without.engine_key) == EngineKey("x86_64", "tensorrt", "8.5.2.2", sm=90)
    assert parse_engine_key(PC.engine_key) == EngineKey("x86_64", "onnxruntime", "1.23.2", cpu="avx2")
    assert parse_engine_key("made up") is None


def test_equal_keys_differ_in_nothing():
    """The ordinary case."""
    assert key_differences(KEY, KEY) == ()


@pytest.mark.parametrize(
    ("device", "sentences"),
    [
        pytest.param(
            replace(XAVIER, module="xavier-nx-16gb"),
            ("module: it was built on xavier-nx, this device is xavier-nx-16gb",),
            id="module",
        ),
        pytest.param(
            replace(XAVIER, sm=87),
            ("GPU: it was built for compute capability 7.2 (SM 72), this GPU has 8.7 (SM 87)",),
            id="gpu",
        ),
        pytest.param(
            replace(XAVIER, backend_version="10.3.0"),
            ("TensorRT: it was built by TensorRT 8.5.2.2, this device has TensorRT 10.3.0",),
            id="tensorrt",
        ),
        pytest.param(
            replace(XAVIER, l4t="35.6.0"),
            ("L4T: it was built under Jetson Linux 35.4.1, this device runs 35.6.0",),
            id="l4t-after-an-upgrade",
        ),
        pytest.param(
            replace(XAVIER, l4t=None),
            ("L4T: it was built under Jetson Linux 35.4.1, this device has none",),
            id="no-l4t-on-a-pc",
        ),
        pytest.param(
            replace(XAVIER, module="orin-nano-8gb", sm=87, backend_version="10.3.0", l4t="36.4.3"),
            (
                "module: it was built on xavier-nx, this device is orin-nano-8gb",
                "GPU: it was built for compute capability 7.2 (SM 72), this GPU has 8.7 (SM 87)",
                "TensorRT: it was built by TensorRT 8.5.2.2, this device has TensorRT 10.3.0",
                "L4T: it was built under Jetson Linux 35.4.1, this device runs 36.4.3",
            ),
            id="all-four",
        ),
        pytest.param(
            PC,
            (
                "module: it was built on xavier-nx, this device is x86_64",
                "back end: it was built by TensorRT 8.5.2.2, this device has ONNX Runtime 1.23.2",
            ),
            id="another-back-end",
        ),
    ],
)
def test_each_part_of_a_jetsons_key_that_differs_is_named(device, sentences):
    """ "Engine key mismatch" leaves people to compare two long words; half of them see no difference."""
    assert key_differences(KEY, device.engine_key) == sentences


@pytest.mark.parametrize(
    ("device", "sentence"),
    [
        pytest.param(
            replace(PC, cpu_features=("avx512_vnni",)),
            "processor: it was built for avx2 instructions, the best of this processor are avx512_vnni",
            id="processor",
        ),
        pytest.param(
            replace(PC, backend_version="1.24.0"),
            "ONNX Runtime: it was built by ONNX Runtime 1.23.2, this device has ONNX Runtime 1.24.0",
            id="version",
        ),
    ],
)
def test_each_part_of_a_pcs_key_that_differs_is_named(device, sentence):
    """The local device refuses engines by the same words."""
    assert key_differences(PC.engine_key, device.engine_key) == (sentence,)


def test_a_key_of_unknown_form_is_shown_as_it_is():
    """A later edgekit may add a part."""
    (sentence,) = key_differences("made up", KEY)
    assert "made up" in sentence
    assert KEY in sentence


def test_the_error_holds_every_difference_and_the_command():
    """It is all that a person on a board sees."""
    device = replace(XAVIER, backend_version="8.4.1", l4t="35.1.0")
    with pytest.raises(EngineMismatchError) as caught:
        check_fits(tensorrt_manifest(), device.engine_key)
    assert caught.value.why.splitlines() == list(key_differences(KEY, device.engine_key))
    assert caught.value.hint == "edgekit build roadscene --precision int8"
