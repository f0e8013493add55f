"""Reads a camera through GStreamer: the pictures go from the appsink straight into shared memory."""

from __future__ import annotations

import ctypes
from typing import Callable, Optional

from edgekit.core.camera_pipeline import (
    ASKED,
    SOURCE_NAME,
    codec_of,
    compose_codec_probe,
    compose_pipeline,
    uses_hardware,
)
from edgekit.core.camera_uri import CameraUri
from edgekit.runtime.capture.gstreamer import GStreamer, GStreamerError, Pipeline, Sample
from edgekit.runtime.capture.lending import Lender, now_ns
from edgekit.runtime.capture.ring import SLOT_BYTES, Ring

Say = Callable[[str, str], None]  # kind of word, text
_PULL_S = 0.2
_PROBE_S = 8.0
_OLDEST_NS = 10 * 10**9
ASK_PROPERTIES = ("rtspsrc", "nvv4l2decoder", "avdec_h264", "avdec_h265")


class GStreamerReader:
    """One camera. `prepare` fails where another back end may serve, `run` only where the camera does."""

    def __init__(self, uri: CameraUri, say: Say) -> None:
        self._uri, self._say = uri, say
        self._library = GStreamer()
        self._elements = self._library.elements(ASKED, ASK_PROPERTIES)

    def prepare(self) -> None:
        """Raises SourceError naming what this machine lacks for the camera, as far as is known before connecting."""
        codec = "h264" if self._uri.codec == "auto" else self._uri.codec
        compose_pipeline(self._uri, codec, self._elements)

    def run(self, ring: Ring, lender: Lender, stopping: Callable[[], bool]) -> None:
        """Read until asked to stop. Raises GStreamerError, EndOfCamera, or SourceError."""
        codec = self._ask_codec(stopping) if self._uri.scheme == "rtsp" else self._uri.codec
        text = compose_pipeline(self._uri, codec, self._elements)
        by = "NVIDIA's decoder or converter" if uses_hardware(text) else "the CPU"
        self._say("note", f"read through GStreamer, {codec}, with {by}")
        pipeline = self._launch(text)
        try:
            while not stopping():
                sample = pipeline.pull(_PULL_S)
                if sample:
                    self._take(pipeline, sample, ring, lender)
        finally:
            pipeline.stop()

    def _ask_codec(self, stopping: Callable[[], bool]) -> str:
        """The stream's codec, from its first packet; a packet also tells a slow key frame from a dead camera."""
        pipeline = self._launch(compose_codec_probe(self._uri, self._elements))
        deadline_ns = now_ns() + int(_PROBE_S * 1e9)
        try:
            while now_ns() < deadline_ns and not stopping():
                sample = pipeline.pull(_PULL_S)
                if sample:
                    self._say("connected", "")
                    caps = pipeline.caps_of(sample)
                    pipeline.release(sample)
                    return _known(codec_of(caps)) if self._uri.codec == "auto" else self._uri.codec
        finally:
            pipeline.stop()
        raise GStreamerError("timed out: no packet of the stream came")

    def _launch(self, text: str) -> Pipeline:
        pipeline = self._library.launch(text)
        if self._uri.scheme == "v4l2":
            pipeline.set_text(SOURCE_NAME, "device", self._uri.place)
        elif self._uri.scheme == "rtsp":
            pipeline.set_text(SOURCE_NAME, "location", self._uri.place)
            if self._uri.credentials is not None:
                pipeline.set_text(SOURCE_NAME, "user-id", self._uri.credentials.user)
                pipeline.set_text(SOURCE_NAME, "user-pw", self._uri.credentials.password)
        pipeline.play()
        return pipeline

    def _take(self, pipeline: Pipeline, handle: int, ring: Ring, lender: Lender) -> None:
        sample = pipeline.describe(handle)
        try:
            captured_ns = _plausible(sample.captured_ns)
            if lender.is_due(captured_ns):
                self._copy(pipeline, sample, ring.slot(lender.free_slot))
                lender.publish(sample.width_px, sample.height_px, captured_ns)
        finally:
            pipeline.release(handle)

    def _copy(self, pipeline: Pipeline, sample: Sample, slot: memoryview) -> None:
        row = sample.width_px * 3
        wanted = row * sample.height_px
        if not 0 < wanted <= SLOT_BYTES:
            raise GStreamerError(f"pictures of {sample.width_px}x{sample.height_px} are larger than 8K")
        address = ctypes.addressof(ctypes.c_char.from_buffer(slot))
        padded = (row + 3) & ~3  # GStreamer's rows begin at whole words
        if padded == row:
            copied = pipeline.extract(sample.buffer, address, wanted)
        else:
            copied = sum(
                pipeline.extract(sample.buffer, address + y * row, row, y * padded) for y in range(sample.height_px)
            )
        if copied != wanted:
            raise GStreamerError(f"a picture of {wanted} bytes came with {copied}")


def _known(codec: Optional[str]) -> str:
    if codec is None:
        raise GStreamerError("unknown codec")
    return codec


def _plausible(captured_ns: Optional[int]) -> int:
    """A camera's clock that jumped, or an element that stamps by another one, must not make pictures old or early."""
    now = now_ns()
    return captured_ns if captured_ns is not None and now - _OLDEST_NS <= captured_ns <= now else now
