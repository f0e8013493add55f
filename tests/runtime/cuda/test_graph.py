"""Recording work as a CUDA graph and launching it again and again."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from edgekit.core.layouts import DecodeContext, decode
from edgekit.core.nms import Suppression, nms
from edgekit.errors import DeviceError
from edgekit.runtime.cuda import driver
from edgekit.runtime.cuda.candidates import GpuCandidates
from edgekit.runtime.cuda.graph import capture
from edgekit.runtime.cuda.memory import DeviceBuffer, PinnedArray


class Words:
    """A device buffer of 16 words and a way to see it."""

    def __init__(self, gpu):
        self._stream = gpu.stream
        self.device, self.host = DeviceBuffer(64), PinnedArray((16,), np.int32)
        driver.fill_words(self.device.pointer, 0, 16, gpu.stream)

    def fill(self, value):
        driver.fill_words(self.device.pointer, value, 16, self._stream)

    def read(self):
        driver.copy_to_host(self.host.pointer, self.device.pointer, 64, self._stream)
        driver.stream_synchronise(self._stream)
        return set(self.host.array.tolist())

    def free(self):
        self.device.free()
        self.host.free()


@pytest.fixture
def words(gpu):
    made = Words(gpu)
    yield made
    driver.stream_synchronise(gpu.stream)
    made.free()


def test_recorded_work_runs_when_launched_and_not_before(gpu, words):
    """A recording that ran at once would be half a frame ahead."""
    graph = capture(gpu.stream, lambda: words.fill(7))
    assert {0} == words.read()
    graph.launch(gpu.stream)
    assert {7} == words.read()
    words.fill(1)
    graph.launch(gpu.stream)
    assert {7} == words.read()
    graph.free()
    graph.free()


def test_a_graph_gives_what_the_stream_gives(gpu):
    """The whole second half of a frame: counters reset, output filtered, candidates copied back, three times over."""
    context = DecodeContext(96, 64, 5, 0.7)
    random = np.random.default_rng(0)
    outputs = []
    for _ in range(3):
        output = random.random((2, 9, 600)).astype(np.float32) ** 6
        output[:, :4] = random.uniform(1, 90, (2, 4, 600))
        outputs.append(output)
    found = GpuCandidates("yolov8", (2, 9, 600), "float32", context, Suppression(0.45), gpu.kernels)
    buffer, on_device = found.make_buffer(), DeviceBuffer(outputs[0].nbytes)
    found.enqueue(on_device.pointer, buffer, 2, gpu.stream)
    driver.stream_synchronise(gpu.stream)
    graph = capture(gpu.stream, lambda: found.enqueue(on_device.pointer, buffer, 2, gpu.stream))
    for output in outputs:
        driver.copy_to_device(on_device.pointer, output.ctypes.data, output.nbytes, gpu.stream)
        graph.launch(gpu.stream)
        driver.stream_synchronise(gpu.stream)
        for item, expected in enumerate(decode("yolov8", {"a": output}, context)):
            detections = found.to_detections(buffer, item)
            assert len(expected) > 5
            np.testing.assert_array_equal(expected.boxes_xyxy, detections.boxes_xyxy)
            np.testing.assert_array_equal(expected.scores, detections.scores)
            kept = expected.select(nms(expected.boxes_xyxy, expected.scores, expected.class_ids, 0.45))
            np.testing.assert_array_equal(kept.boxes_xyxy, found.suppressed(buffer, item).boxes_xyxy)
    graph.free()
    buffer.free()
    on_device.free()


def test_a_failure_while_recording_ends_the_recording(gpu, words):
    """A stream left recording refuses all further work, and the engine would have to be loaded anew."""

    def enqueue():
        words.fill(7)
        raise RuntimeError("a plugin gave up")

    with pytest.raises(RuntimeError, match="a plugin gave up"):
        capture(gpu.stream, enqueue)
    assert {0} == words.read()
    assert gc.isenabled()


def test_an_engine_that_refuses_to_enqueue_gives_no_graph(gpu, words):
    """TensorRT returns False instead of raising; a graph without the network would be very fast."""
    with pytest.raises(DeviceError, match="could not be recorded"):
        capture(gpu.stream, lambda: words.fill(7) or False)
    words.fill(3)
    assert {3} == words.read()


def test_waiting_while_recording_is_an_error_and_the_stream_works_on(gpu, words):
    """A plugin that waits for the GPU cannot be recorded: the caller must hear of it and go on without a graph."""
    with pytest.raises(DeviceError):
        capture(gpu.stream, lambda: driver.stream_synchronise(gpu.stream))
    words.fill(3)
    assert {3} == words.read()


@pytest.mark.parametrize("function", ["cuStreamEndCapture", "cuGraphInstantiateWithFlags"])
def test_a_driver_that_makes_no_graph_is_an_error_without_leaks(stand_in, function):
    """Drivers refuse some graphs only at the end."""
    stream = driver.make_stream()
    stand_in.stand_in_fail(function.encode(), 901)
    with pytest.raises(DeviceError, match=function):
        capture(stream, lambda: None)
    driver.destroy_stream(stream)
