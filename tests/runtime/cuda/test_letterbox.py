"""The GPU letterbox against the CPU's, which OpenCV and numpy carry out."""

from __future__ import annotations

import types

import numpy as np
import pytest

from edgekit.core.detector import InputSpec
from edgekit.runtime.cuda import driver
from edgekit.runtime.cuda.kernels import Kernels
from edgekit.runtime.cuda.letterbox import GpuLetterbox
from edgekit.runtime.cuda.memory import DeviceBuffer, PinnedArray
from edgekit.runtime.preprocess import Preprocess

HEIGHT, WIDTH = 96, 160
# height, width: cameras, whole and broken ratios, enlarging, one pixel, one row, one column.
SIZES = [
    (1080, 1920), (720, 1280), (480, 640), (288, 480), (192, 320), (96, 160), (97, 161), (95, 159), (480, 800),
    (270, 480), (64, 96), (33, 97), (500, 31), (31, 500), (1, 1), (1, 50), (50, 1), (2, 2), (359, 641), (200, 100),
]  # fmt: skip
SPECS = {
    "letterbox": InputSpec("images"),
    "top-left": InputSpec(
        "images", geometry="top-left", colour="bgr", scale=1.0, mean=(103.53, 116.28, 123.675), std=(57.4, 57.1, 58.4)
    ),
    "stretch": InputSpec("input", geometry="stretch", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
}


def make_frame(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def on_cpu(frame, spec, dtype, height=HEIGHT, width=WIDTH):
    preprocess = Preprocess(spec, height, width)
    return preprocess(frame), preprocess.tensor[0].astype(dtype)


class Tensor:
    """A letterbox with somewhere to write."""

    def __init__(self, gpu, spec, dtype, height=HEIGHT, width=WIDTH):
        self.gpu = gpu
        self.letterbox = GpuLetterbox(spec, height, width, dtype, gpu.kernels, gpu.facts)
        self.upload = self.letterbox.make_upload()
        self.planes = DeviceBuffer(self.letterbox.item_bytes)
        self.result = PinnedArray((3, height, width), dtype)

    def enqueue(self, frame, constant=False):
        driver.fill_words(
            self.planes.pointer, 0x7FC07E00, self.planes.nbytes // 4, self.gpu.stream
        )  # NaN in both types
        return self.letterbox.enqueue(frame, self.upload, self.planes.pointer, self.gpu.stream, constant)

    def read(self):
        driver.copy_to_host(self.result.pointer, self.planes.pointer, self.planes.nbytes, self.gpu.stream)
        driver.stream_synchronise(self.gpu.stream)
        return self.result.array.copy()

    def __call__(self, frame, constant=False):
        return self.enqueue(frame, constant), self.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        driver.stream_synchronise(self.gpu.stream)
        self.upload.free()
        self.planes.free()
        self.result.free()
        self.letterbox.close()


def assert_alike(found, expected, spec):
    """At most one grey level apart anywhere, and the same in 99 of 100 places, to the last bit."""
    level = spec.scale / min(spec.std)
    np.testing.assert_allclose(found.astype(np.float64), expected.astype(np.float64), rtol=2e-3, atol=1.01 * level)
    assert np.mean(found == expected) > 0.99


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("geometry", SPECS)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
def test_the_tensor_equals_the_one_made_on_the_cpu(gpu, size, geometry, dtype):
    """Calibration and verification run on the CPU: another picture on the GPU costs accuracy in the field alone."""
    spec, frame = SPECS[geometry], make_frame(*size)
    fit, expected = on_cpu(frame, spec, dtype)
    with Tensor(gpu, spec, dtype) as tensor:
        found_fit, found = tensor(frame)
    assert fit == found_fit
    assert_alike(found, expected, spec)


@pytest.mark.parametrize("factor", [1, 3, 5, 7])
def test_odd_whole_ratios_take_the_very_pixel_and_send_no_other_row(gpu, factor):
    """1080p to 640 wide is such a case: a third of the frame is enough, which is what the link to a GPU can carry."""
    spec, frame = SPECS["letterbox"], make_frame(HEIGHT * factor, WIDTH * factor)
    with Tensor(gpu, spec, "float32") as tensor:
        found = tensor(frame)[1]
        before = gpu.stand_in.stand_in_copied_bytes() if gpu.stand_in else 0
        tensor.enqueue(frame)
        if gpu.stand_in and not gpu.facts.integrated:
            assert frame.nbytes // factor == gpu.stand_in.stand_in_copied_bytes() - before
    np.testing.assert_array_equal(on_cpu(frame, spec, "float32")[1], found)


def test_a_camera_frame_fills_the_whole_input(gpu):
    """The size that matters most, at its full size: 1080p into 640x384."""
    spec, frame = SPECS["letterbox"], make_frame(1080, 1920)
    with Tensor(gpu, spec, "float16", 384, 640) as tensor:
        found = tensor(frame)[1]
    assert_alike(found, on_cpu(frame, spec, "float16", 384, 640)[1], spec)


VIEWS = {
    "a crop": lambda frame: frame[10:80, 20:150],
    "every second row": lambda frame: frame[::2],
    "every second column": lambda frame: frame[:, ::2],
    "upside down": lambda frame: frame[::-1],
    "rgb": lambda frame: frame[:, :, ::-1],
}


@pytest.mark.parametrize("constant", [False, True], ids=["passing", "constant"])
@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS.keys())
def test_frames_that_are_views_of_other_pictures_work(gpu, view, constant):
    """Cropped, flipped and thinned cameras hand over rows that lie apart, or backwards."""
    spec, frame = SPECS["letterbox"], view(make_frame(120, 200))
    with Tensor(gpu, spec, "float32") as tensor:
        found = tensor(frame, constant)[1]
    assert_alike(found, on_cpu(np.ascontiguousarray(frame), spec, "float32")[1], spec)


def test_a_frame_may_change_as_soon_as_it_is_enqueued(gpu):
    """Cameras write the next picture into the same memory."""
    spec, frame = SPECS["letterbox"], make_frame(120, 200)
    expected = on_cpu(frame, spec, "float32")[1]
    with Tensor(gpu, spec, "float32") as tensor:
        tensor.enqueue(frame)
        frame[:] = 0
        assert_alike(tensor.read(), expected, spec)


def test_a_slot_that_was_filled_in_vain_can_be_filled_again(gpu):
    """At the end of a stream a batch may never be launched; the next frame must not mix with one still on its way."""
    spec, frames = SPECS["letterbox"], [make_frame(120, 200, seed) for seed in range(4)]
    with Tensor(gpu, spec, "float32") as tensor:
        for frame in frames:
            tensor.enqueue(frame)
        assert_alike(tensor.read(), on_cpu(frames[-1], spec, "float32")[1], spec)


@pytest.mark.parametrize("constant", ["no no no no", "yes no no no", "yes yes yes yes", "no yes no yes"])
def test_frames_that_follow_each_other_at_once_do_not_mix(gpu, constant):
    """Staging memory is written anew, grows or is passed by while earlier frames are still on their way."""
    spec, small, large = SPECS["letterbox"], make_frame(120, 200), make_frame(288, 480)
    frames = [np.roll(frame, number, axis=1) for number, frame in enumerate([small, small, large, small])]
    with Tensor(gpu, spec, "float32") as tensor:
        for frame in (small, large):
            tensor(frame)  # a size that is new waits
        tensor.upload.free()
        tensor.upload = tensor.letterbox.make_upload()
        results = [PinnedArray(tensor.result.array.shape, "float32") for _ in frames]
        for frame, result, word in zip(frames, results, constant.split()):
            tensor.enqueue(frame, word == "yes")
            driver.copy_to_host(result.pointer, tensor.planes.pointer, tensor.planes.nbytes, gpu.stream)
        driver.stream_synchronise(gpu.stream)
        found = [result.array.copy() for result in results]
        for result in results:
            result.free()
    for frame, planes in zip(frames, found):
        assert_alike(planes, on_cpu(frame, spec, "float32")[1], spec)


def test_constant_frames_are_read_where_they_are(gpu):
    """A benchmark that copies the same frames again and again measures the CPU's memory, not the pipeline."""
    spec, frames = SPECS["letterbox"], [make_frame(288, 480, seed) for seed in range(3)]
    with Tensor(gpu, spec, "float32") as tensor:
        for frame in frames * 2:
            assert_alike(tensor(frame, constant=True)[1], on_cpu(frame, spec, "float32")[1], spec)
        if gpu.stand_in:
            assert tensor.letterbox.notes == ()
            assert tensor.upload._pinned is None


@pytest.mark.parametrize("row_step", [1, 2], ids=["whole", "every second row"])
def test_constant_frames_that_cannot_be_locked_are_copied_once(stand_in, row_step):
    """Some drivers lock no memory of others, and none locks the same bytes twice."""
    stand_in.stand_in_fail(b"cuMemHostRegister_v2", 801)
    kernels, stream = Kernels(b"stand-in"), driver.make_stream()
    gpu = types.SimpleNamespace(kernels=kernels, stream=stream, facts=driver.gpu_facts())
    spec, frame = SPECS["letterbox"], make_frame(240, 200)[::row_step]
    with Tensor(gpu, spec, "float32") as tensor:
        for _ in range(2):
            assert_alike(tensor(frame, constant=True)[1], on_cpu(frame.copy(), spec, "float32")[1], spec)
        assert tensor.letterbox.notes == ()
        assert tensor.upload._pinned is None
    driver.destroy_stream(stream)
    kernels.close()


def test_constant_frames_without_room_are_copied_each_time_and_that_is_said(stand_in):
    """A slower benchmark must not look like a slower board."""
    stand_in.stand_in_fail(b"cuMemHostRegister_v2", 801)
    stand_in.stand_in_fail(b"cuMemHostAlloc", 2)
    kernels, stream = Kernels(b"stand-in"), driver.make_stream()
    letterbox = GpuLetterbox(SPECS["letterbox"], HEIGHT, WIDTH, "float32", kernels, driver.gpu_facts())
    upload, planes = letterbox.make_upload(), DeviceBuffer(letterbox.item_bytes)
    letterbox.enqueue(make_frame(120, 200), upload, planes.pointer, stream, constant=True)
    assert letterbox.notes == ("pictures are copied each time: the GPU is out of memory",)
    driver.stream_synchronise(stream)
    for memory in (upload, planes):
        memory.free()
    letterbox.close()
    driver.destroy_stream(stream)
    kernels.close()


def test_cameras_of_many_sizes_leave_no_traces_and_no_tables(gpu):
    """A recorded folder has pictures of any size: borders must be new for each, and memory must not grow."""
    spec = SPECS["letterbox"]
    with Tensor(gpu, spec, "float32") as tensor:
        for index in range(12):
            frame = make_frame(30 + 15 * index, 200 - 13 * index, index)
            assert_alike(tensor(frame)[1], on_cpu(frame, spec, "float32")[1], spec)
        alive = gpu.stand_in.stand_in_alive() if gpu.stand_in else 0
        for index in range(12, 20):
            tensor(make_frame(30 + 15 * index, 200, index))
        assert not gpu.stand_in or alive == gpu.stand_in.stand_in_alive()


@pytest.mark.parametrize("frame", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3))])
def test_other_arrays_than_bgr_frames_are_refused(gpu, frame):
    """A grey or float picture would give plausible nonsense."""
    with Tensor(gpu, SPECS["letterbox"], "float32") as tensor, pytest.raises(ValueError, match="expected a frame"):
        tensor(frame)


def test_inputs_of_other_types_are_left_to_the_cpu(gpu):
    """An engine with an INT8 input must not be fed floats."""
    assert not GpuLetterbox.supports("int8")
    with pytest.raises(ValueError, match="int8"):
        GpuLetterbox(SPECS["letterbox"], HEIGHT, WIDTH, "int8", gpu.kernels, gpu.facts)
