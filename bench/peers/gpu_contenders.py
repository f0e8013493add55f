"""Ways from a BGR frame in memory to boxes on an NVIDIA GPU, all with one TensorRT plan, one confidence and one IoU.

    python bench/peers/gpu_contenders.py NAME ENGINE_DIR NMS_PLAN SECONDS    (started by bench/peers/gpu.py)

trtutils decodes plans that end in the plugin EfficientNMS, and no raw output: "trtutils" is its preprocessing and its
engine as its `end2end` calls them, with this script's decoding; "trtutils-end2end" is all its own, with the plan
NMS_PLAN of the same network (efficient_nms.py). Its kernel (0.6.1) takes squares only, and writes wrong tensors for
other sizes without a word: for those its preprocessing on the CPU is used. Python 3.8.
"""

from __future__ import annotations

import sys
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import numpy as np
from loop import (
    CONFIDENCE,
    IOU,
    SOURCE,
    by_opencv,
    count_boxes,
    frame_by_frame,
    frames_in_memory,
    pipeline_turn,
    serve,
)
from tensorrt_stages import detector_of

from edgekit.runtime.frames import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from loop import Turn

PLAN = "model.plan"


class OrdinaryFrames(Source):
    """The frames that the others get, over and over, in memory that the kit knows nothing of."""

    ready = True

    def __init__(self, frames: list[np.ndarray]) -> None:
        super().__init__()
        self._frames = frames
        self.size = (frames[0].shape[1], frames[0].shape[0])

    def close(self) -> None:
        """Nothing is held."""

    def _read(self) -> tuple[np.ndarray, str, str | None]:
        return self._frames[self._index % len(self._frames)], "", None


@contextmanager
def edgekit(engine_dir: Path, nms_plan: Path) -> Iterator[Turn]:
    """This kit: engine and pipeline as `edgekit bench` runs them, on frames that are copied like a camera's."""
    frames = frames_in_memory()
    with _stages(engine_dir) as stages:
        yield lambda seconds: pipeline_turn(stages, lambda: OrdinaryFrames(frames), seconds)


@contextmanager
def edgekit_locked(engine_dir: Path, nms_plan: Path) -> Iterator[Turn]:
    """The same on frames that lie in page-locked memory already, as `edgekit bench` measures by default."""
    from edgekit.runtime.sources import open_source

    with _stages(engine_dir) as stages:
        yield lambda seconds: pipeline_turn(stages, lambda: open_source(SOURCE), seconds)


@contextmanager
def _stages(engine_dir: Path) -> Iterator[Any]:
    from edgekit.runtime.detect import limit_cv_threads
    from edgekit.runtime.engines import load_engine
    from edgekit.runtime.host_stages import stages_for
    from edgekit.runtime.probe import probe_device

    limit_cv_threads()
    detector = detector_of(engine_dir)
    engine = load_engine(str(engine_dir), detector, probe_device())
    with closing(engine), closing(stages_for(detector, engine)) as stages:
        yield stages


@contextmanager
def trtutils(engine_dir: Path, nms_plan: Path) -> Iterator[Turn]:
    """trtutils' preprocessing and engine; on the GPU nothing is copied in between, as in its `YOLO.end2end`."""
    network = _trtutils_yolo(engine_dir / PLAN, engine_dir)

    def on_gpu(frame: np.ndarray) -> int:
        pointer, ratios, padding = network._preprocessor.direct_preproc(frame, resize="letterbox", no_warn=True)
        return count_boxes(network.engine.direct_exec([pointer], no_warn=True)[0], ratios[0], padding)

    def on_cpu(frame: np.ndarray) -> int:
        tensor, ratios, padding = network.preprocess(frame)
        return count_boxes(network.engine([tensor], no_copy=True)[0], ratios[0], padding)

    yield frame_by_frame(on_gpu if is_square(engine_dir) else on_cpu)


@contextmanager
def trtutils_end2end(engine_dir: Path, nms_plan: Path) -> Iterator[Turn]:
    """`YOLO(plan).end2end(frame)` of trtutils."""
    network = _trtutils_yolo(nms_plan, engine_dir)
    yield frame_by_frame(lambda frame: len(network.end2end(frame)))


def _trtutils_yolo(plan: Path, engine_dir: Path) -> Any:
    # TensorRT 8.5 asks NumPy for a name that 1.24 no longer has.
    np.bool = np.bool_  # type: ignore[attr-defined,assignment]
    from trtutils.impls.yolo import YOLO

    preprocessor = "cuda" if is_square(engine_dir) else "cpu"
    return YOLO(plan, preprocessor=preprocessor, conf_thres=CONFIDENCE, nms_iou_thres=IOU, warmup=True)


@contextmanager
def polygraphy(engine_dir: Path, nms_plan: Path) -> Iterator[Turn]:
    """Polygraphy's TrtRunner, with OpenCV before and after it."""
    from polygraphy.backend.common import BytesFromPath
    from polygraphy.backend.trt import EngineFromBytes, TrtRunner

    with TrtRunner(EngineFromBytes(BytesFromPath(str(engine_dir / PLAN)))) as runner:
        entry, end = (item.name for item in engine_io(engine_dir))
        size = input_size(engine_dir)
        yield frame_by_frame(lambda frame: by_opencv(frame, lambda tensor: runner.infer({entry: tensor})[end], size))


def engine_io(engine_dir: Path) -> tuple[Any, Any]:
    """The engine's input and output."""
    from edgekit.runtime.engine_files import read_manifest

    manifest = read_manifest(engine_dir)
    return manifest.inputs[0], manifest.outputs[0]


def input_size(engine_dir: Path) -> tuple[int, int]:
    """(height, width) px of the engine's input."""
    _, _, height, width = engine_io(engine_dir)[0].shape
    return height, width


def is_square(engine_dir: Path) -> bool:
    """Whether the engine's input is."""
    height, width = input_size(engine_dir)
    return height == width


@contextmanager
def pycuda_loop(engine_dir: Path, nms_plan: Path) -> Iterator[Turn]:
    """The loop of a tutorial: OpenCV's letterbox, copy, execute_async_v2, copy back, OpenCV's NMS, one by one."""
    import pycuda.driver as cuda
    import tensorrt

    cuda.init()
    context = cuda.Device(0).retain_primary_context()
    context.push()
    logger = tensorrt.Logger(tensorrt.Logger.WARNING)
    engine = tensorrt.Runtime(logger).deserialize_cuda_engine((engine_dir / PLAN).read_bytes())
    execution, stream = engine.create_execution_context(), cuda.Stream()
    entry, end = (cuda.pagelocked_empty(tuple(item.shape), np.float32) for item in engine_io(engine_dir))
    on_gpu = [cuda.mem_alloc(array.nbytes) for array in (entry, end)]

    def run(tensor: np.ndarray) -> np.ndarray:
        np.copyto(entry, tensor)
        cuda.memcpy_htod_async(on_gpu[0], entry, stream)
        execution.execute_async_v2([int(address) for address in on_gpu], stream.handle)
        cuda.memcpy_dtoh_async(end, on_gpu[1], stream)
        stream.synchronize()
        return end

    try:
        yield frame_by_frame(lambda frame: by_opencv(frame, run, input_size(engine_dir)))
    finally:
        context.pop()


CONTENDERS: dict[str, Callable[[Path, Path], Any]] = {
    "edgekit": edgekit,
    "edgekit-locked": edgekit_locked,
    "trtutils": trtutils,
    "trtutils-end2end": trtutils_end2end,
    "polygraphy": polygraphy,
    "pycuda-loop": pycuda_loop,
}


if __name__ == "__main__":
    serve(CONTENDERS)
