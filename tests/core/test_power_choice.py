"""Which power sensor is taken, and what is said about the others; and which of several GPUs is CUDA's first."""

from __future__ import annotations

import pytest

from edgekit.core.gpu_choice import GpuName, first_cuda_gpu
from edgekit.core.machine import Rail
from edgekit.core.power_choice import INA, NVML, ORDER, RAPL, TEGRASTATS, Trial, describe_choice
from edgekit.core.power_rails import BoardPower


def test_the_order_is_from_what_measures_most_to_what_measures_least():
    """A board's 20 W would be shown as the 8 W of its processor."""
    assert ORDER == (INA, TEGRASTATS, NVML, RAPL)


def test_a_sensor_serves_with_a_total_or_a_counter():
    """Rails without a rule are no total; a counter gives no power at its first reading."""
    assert Trial(INA, BoardPower(13.2, "module input")).against == ""
    assert Trial(RAPL, BoardPower(joules=0.0)).against == ""
    assert Trial(INA, BoardPower(rails=(Rail("VDD_IN", 5.0), Rail("VDD_SOC", 1.0)))).against == (
        "no rule says which of VDD_IN, VDD_SOC are the whole board"
    )
    assert Trial(NVML, BoardPower()).against == "it gives no figure"
    assert Trial(TEGRASTATS, problem="tegrastats said nothing within 3 s").against == (
        "tegrastats said nothing within 3 s"
    )
    assert Trial(RAPL).against == "not there"


def test_the_choice_is_told_with_its_reasons():
    """Someone who sees 60 W of a GPU must not take them for the machine's."""
    trials = [Trial(INA), Trial(TEGRASTATS), Trial(NVML, BoardPower(60.0, "GPU board"))]
    assert describe_choice(trials, "NVML", trials[-1].of) == (
        "power is measured by NVML: GPU board",
        "the board's power monitors: not there",
        "tegrastats: not there",
    )
    assert describe_choice(trials[:1])[0] == "power is not measured"


A, B = GpuName("NVIDIA A", "GPU-aaaa-1"), GpuName("NVIDIA B", "GPU-bbbb-2")


@pytest.mark.parametrize(
    ("gpus", "environment", "index"),
    [
        ([A], {}, 0),
        ([A, A], {}, 0),
        ([A, B], {}, None),
        ([A, B], {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}, 0),
        ([A, B], {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": "1,0"}, 1),
        ([A, B], {"CUDA_VISIBLE_DEVICES": "1"}, None),
        ([A, A], {"CUDA_VISIBLE_DEVICES": "1"}, 1),
        ([A, B], {"CUDA_VISIBLE_DEVICES": "GPU-bbbb"}, 1),
        ([A, B], {"CUDA_VISIBLE_DEVICES": "GPU-cccc"}, None),
        ([A], {"CUDA_VISIBLE_DEVICES": ""}, None),
        ([A], {"CUDA_VISIBLE_DEVICES": "-1"}, None),
        ([A], {"CUDA_VISIBLE_DEVICES": "7"}, None),
        ([], {}, None),
    ],
)
def test_the_gpu_that_is_measured_is_the_one_that_works(gpus, environment, index):
    """The idle GPU beside it would make the engine look frugal."""
    assert first_cuda_gpu(gpus, environment) == index
