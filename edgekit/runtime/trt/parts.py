"""Which way frames take into the network and results out of it: kernels where there are some, else the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Callable, Dict, Optional, Tuple

import numpy as np

from edgekit.core.detector import DetectorSpec
from edgekit.core.layouts import DecodeContext, find_layout
from edgekit.core.nms import Suppression
from edgekit.core.tensors import InputSize
from edgekit.errors import DeviceError
from edgekit.runtime.cuda import candidates
from edgekit.runtime.cuda.candidates import GpuCandidates
from edgekit.runtime.cuda.compile import KERNELS_FILE
from edgekit.runtime.cuda.kernels import Kernels
from edgekit.runtime.cuda.letterbox import GpuLetterbox
from edgekit.runtime.input_sizes import image_name
from edgekit.runtime.preprocess import Preprocess
from edgekit.runtime.trt.inputs import Filler, GpuFiller, HostFiller
from edgekit.runtime.trt.plan import PlanTensor
from edgekit.runtime.trt.results import GpuReader, HostReader, Reader

if TYPE_CHECKING:
    from edgekit.runtime.trt.engine import TrtEngine

Shape = Tuple[int, ...]


class Parts:
    """What stands before and after the engine for one detector and batch. Made and closed on the owner thread.

    note(text) is told of each part that runs on the CPU.
    """

    def __init__(
        self,
        engine: TrtEngine,
        detector: DetectorSpec,
        size: InputSize,
        note: Callable[[str], None],
        *,
        use_kernels: bool = True,
    ) -> None:
        self._engine, self._detector, self._size, self._note = engine, detector, size, note
        self._inputs = {tensor.name: tensor for tensor in engine.plan.tensors if tensor.is_input}
        self.outputs: Dict[str, PlanTensor] = {
            tensor.name: tensor for tensor in engine.plan.tensors if not tensor.is_input
        }
        self.image = self._inputs[image_name(engine.manifest)]
        self.letterbox: Optional[GpuLetterbox] = None
        self._kernels = self._load_kernels() if use_kernels else None
        try:
            self.filler: Filler = self._make_filler()
            self.reader: Reader = self._make_reader()
        except BaseException:
            self.close()
            raise

    def input_shapes(self, rows: int) -> Dict[str, Shape]:
        """The inputs' shapes for a number of rows."""
        shapes: Dict[str, Shape] = {self.image.name: (rows, 3, self._size.height, self._size.width)}
        shapes.update({name: array.shape for name, array in self.side_inputs(rows).items()})
        return shapes

    def side_inputs(self, rows: int) -> Dict[str, np.ndarray]:
        """What the layout's networks take beside pictures, as this engine takes it; the same for every batch."""
        given = find_layout(self._detector.layout).side_inputs(rows, self._size.width, self._size.height)
        return {name: array.astype(self._inputs[name].dtype) for name, array in given.items() if name in self._inputs}

    def retune(self, detector: DetectorSpec) -> None:
        """Read results by other thresholds from now on; what slots hold for their results stays theirs."""
        self._detector = detector
        self.reader = self._make_reader()

    def close(self) -> None:
        """Give back kernels and tables. Slots are freed before."""
        for part in (self.letterbox, self._kernels):
            if part is not None:
                part.close()
        self.letterbox = self._kernels = None

    def _load_kernels(self) -> Optional[Kernels]:
        names = [attachment.file_name for attachment in self._engine.manifest.attachments]
        if KERNELS_FILE not in names:
            self._note("letterbox and filter run on the CPU: no compiled kernels lie beside the engine")
            return None
        try:
            return Kernels((Path(self._engine.folder) / KERNELS_FILE).read_bytes())
        except DeviceError as error:
            self._note(f"letterbox and filter run on the CPU: {error.what}" + (error.hint and f" ({error.hint})"))
            return None

    def _make_filler(self) -> Filler:
        size, spec = self._size, self._detector.input
        facts, dtype = self._engine.facts, self.image.dtype
        if self._kernels is not None and GpuLetterbox.supports(dtype):
            self.letterbox = GpuLetterbox(spec, size.height, size.width, dtype, self._kernels, facts)
            return GpuFiller(self.letterbox, size.batch)
        if self._kernels is not None:
            self._note(f"letterbox runs on the CPU: there is no kernel for {dtype}")
        preprocess = Preprocess(spec, size.height, size.width)
        return HostFiller(preprocess, (size.batch, 3, size.height, size.width), dtype, facts.integrated)

    def _make_reader(self) -> Reader:
        shapes = self._engine.batches.output_shapes(self.input_shapes(self._size.batch))
        sizes = {name: tensor.nbytes(shapes[name]) for name, tensor in self.outputs.items()}
        table = self._filtered_table(shapes)
        if self._kernels is not None and table:
            found = self._gpu_candidates(self.outputs[table], shapes[table], self._kernels)
            return GpuReader(self._detector, table, sizes, found)
        if self._kernels is not None:
            self._note(f"outputs are decoded on the CPU: there is no kernel for this form of {self._detector.layout}")
        return HostReader(self._detector, self.outputs, sizes, self._engine.facts.integrated)

    def _filtered_table(self, shapes: Dict[str, Shape]) -> str:
        """The output that a kernel can filter, "" if there is none."""
        tables = [name for name, shape in shapes.items() if len(shape) == 3]
        if len(tables) != 1 or not candidates.supports(self._detector.layout, self.outputs[tables[0]].dtype):
            return ""
        return tables[0]

    def _gpu_candidates(self, table: PlanTensor, shape: Shape, kernels: Kernels) -> GpuCandidates:
        size, detector = self._size, self._detector
        context = DecodeContext(size.width, size.height, len(detector.labels), detector.confidence)
        suppression = Suppression(detector.iou, detector.max_detections, detector.class_agnostic_nms)
        batch, first, second = shape
        return GpuCandidates(detector.layout, (batch, first, second), table.dtype, context, suppression, kernels)
