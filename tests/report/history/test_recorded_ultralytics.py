"""What Ultralytics' benchmark really wrote and printed; tests/cases/ultralytics/README.md says where."""

from __future__ import annotations

import pytest

from edgekit.report.history.ultralytics import parse_ultralytics
from tests.report.history.test_foreign import CASES, SHA256


def read(name):
    text = (CASES / "ultralytics" / name).read_text("utf-8")
    return parse_ultralytics(text, name, SHA256)


def test_the_log_of_a_whole_benchmark_gives_the_formats_that_ran_and_no_other():
    """Twenty of its twenty-three rows say that an export failed: a zero of theirs would be a figure."""
    found = read("benchmarks-8.4.190.log")
    assert [result.settings["format"] for result in found] == ["PyTorch", "TorchScript", "ONNX"]
    assert [result.figures["inference_ms"] for result in found] == [28.84, 21.26, 19.49]
    assert {result.model for result in found} == {"yolov8n.pt"}


@pytest.mark.parametrize("figure", ["size_mb", "map50_95", "inference_ms", "fps_from_inference"])
def test_what_it_printed_of_three_exports_gives_three_results_and_no_line_between_them(figure):
    """Between tables the next export's log has lines with as many words, such as the network's summary."""
    found = read("printed-8.4.190.txt")
    expected = {
        "size_mb": [6.2, 12.3, 12.1],
        "map50_95": [0.0, 0.0, 0.0],
        "inference_ms": [19.41, 9.47, 10.86],
        "fps_from_inference": [51.52, 105.53, 92.04],
    }
    assert [result.figures[figure] for result in found] == expected[figure]
    assert {(result.tool_version, result.device) for result in found} == {("8.4.190", "AMD EPYC")}
