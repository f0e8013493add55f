"""The few functions of GStreamer that reading a camera takes, called through ctypes.

OpenCV from the Python index has no GStreamer, and PyGObject is tied to the system's own Python. The C library is on
every Jetson, its ABI has been stable since 1.0, and it says what went wrong and when a picture was taken, which OpenCV
does not. A crash in it ends a capture process, and nothing else.

Source: the GStreamer 1.x core and app library reference. The offsets into structures are those of 64-bit machines.
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_uint, c_uint64, c_void_p
from typing import Any, Dict, FrozenSet, Iterable, NamedTuple, Optional, Tuple

NULL, PLAYING = 1, 4
_ERROR, _EOS = 1 << 1, 1 << 0
_NO_TIME = (1 << 64) - 1
_TIME_FORMAT = 3
_G_TYPE_STRING = 16 << 2
_MESSAGE_TYPE_AT = 64  # GstMessage: GstMiniObject (64 bytes), type
_BUFFER_PTS_AT = 72  # GstBuffer: GstMiniObject (64 bytes), pool, pts
_SIGNATURES: Dict[str, Tuple[Any, Tuple[Any, ...]]] = {
    "gst_init_check": (c_int, (c_void_p, c_void_p, POINTER(c_void_p))),
    "gst_version_string": (c_void_p, ()),
    "gst_element_factory_find": (c_void_p, (c_char_p,)),
    "gst_element_factory_create": (c_void_p, (c_void_p, c_char_p)),
    "gst_object_ref_sink": (c_void_p, (c_void_p,)),
    "gst_object_unref": (None, (c_void_p,)),
    "gst_mini_object_unref": (None, (c_void_p,)),
    "gst_parse_launch": (c_void_p, (c_char_p, POINTER(c_void_p))),
    "gst_bin_get_by_name": (c_void_p, (c_void_p, c_char_p)),
    "gst_element_set_state": (c_int, (c_void_p, c_int)),
    "gst_element_get_bus": (c_void_p, (c_void_p,)),
    "gst_element_get_base_time": (c_uint64, (c_void_p,)),
    "gst_element_get_clock": (c_void_p, (c_void_p,)),
    "gst_bus_timed_pop_filtered": (c_void_p, (c_void_p, c_uint64, c_int)),
    "gst_message_parse_error": (None, (c_void_p, POINTER(c_void_p), POINTER(c_void_p))),
    "gst_app_sink_try_pull_sample": (c_void_p, (c_void_p, c_uint64)),
    "gst_sample_get_caps": (c_void_p, (c_void_p,)),
    "gst_sample_get_buffer": (c_void_p, (c_void_p,)),
    "gst_sample_get_segment": (c_void_p, (c_void_p,)),
    "gst_segment_to_running_time": (c_uint64, (c_void_p, c_int, c_uint64)),
    "gst_caps_to_string": (c_void_p, (c_void_p,)),
    "gst_caps_get_structure": (c_void_p, (c_void_p, c_uint)),
    "gst_structure_get_int": (c_int, (c_void_p, c_char_p, POINTER(c_int))),
    "gst_buffer_get_size": (c_size_t, (c_void_p,)),
    "gst_buffer_extract": (c_size_t, (c_void_p, c_size_t, c_void_p, c_size_t)),
    "g_object_class_list_properties": (POINTER(c_void_p), (c_void_p, POINTER(c_uint))),
    "g_param_spec_get_name": (c_char_p, (c_void_p,)),
    "g_object_set_property": (None, (c_void_p, c_char_p, c_void_p)),
    "g_type_name_from_instance": (c_char_p, (c_void_p,)),
    "g_value_init": (c_void_p, (c_void_p, c_size_t)),
    "g_value_set_string": (None, (c_void_p, c_char_p)),
    "g_value_unset": (None, (c_void_p,)),
    "g_error_free": (None, (c_void_p,)),
    "g_free": (None, (c_void_p,)),
}


class GStreamerError(Exception):
    """What GStreamer said. It may quote addresses with passwords."""


class EndOfCamera(Exception):  # noqa: N818 - an end is no error of the library
    """The stream ended by itself."""


class _GError(ctypes.Structure):
    _fields_ = (("domain", ctypes.c_uint32), ("code", c_int), ("message", c_char_p))


class Sample(NamedTuple):
    """One picture of an appsink, to be given back with `release`. captured_ns: None where no clock says it."""

    handle: int
    buffer: int
    size: int
    width_px: int
    height_px: int
    captured_ns: Optional[int]


class GStreamer:
    """The library, loaded and initialised. Raises GStreamerError where it is missing."""

    def __init__(self) -> None:
        names = ("libgstreamer-1.0.so.0", "libgstapp-1.0.so.0", "libgobject-2.0.so.0", "libglib-2.0.so.0")
        try:
            libraries = [ctypes.CDLL(name) for name in names]
            self._functions = {name: _function(libraries, name) for name in _SIGNATURES}
        except (OSError, AttributeError) as error:
            raise GStreamerError(f"GStreamer is not installed: {error}") from None
        problem = c_void_p()
        if not self.call("gst_init_check", None, None, byref(problem)):
            raise GStreamerError(self.take_error(problem))

    def call(self, name: str, *arguments: Any) -> Any:
        """One of the functions in the table."""
        return self._functions[name](*arguments)

    def elements(self, names: Iterable[str], with_properties: Iterable[str]) -> Dict[str, FrozenSet[str]]:
        """Those of `names` that exist, with their properties for those of `with_properties`, which loads their code."""
        asked = frozenset(with_properties)
        found: Dict[str, FrozenSet[str]] = {}
        for name in names:
            factory = self.call("gst_element_factory_find", name.encode())
            if factory:
                found[name] = self._properties(factory) if name in asked else frozenset()
                self.call("gst_object_unref", factory)
        return found

    def launch(self, text: str) -> Pipeline:
        """A pipeline that stands still. Raises GStreamerError if the text makes none."""
        error = c_void_p()
        handle = self.call("gst_parse_launch", text.encode(), byref(error))
        problem = self.take_error(error) if error.value else ""
        if not handle or problem:
            raise GStreamerError(problem or "no pipeline came out")
        return Pipeline(self, self.call("gst_object_ref_sink", handle))

    def take_error(self, error: c_void_p) -> str:
        """The message of a GError, which is freed."""
        if not error.value:
            return "unknown error"
        text = (ctypes.cast(error, POINTER(_GError)).contents.message or b"").decode(errors="replace")
        self.call("g_error_free", error)
        return text

    def take_string(self, pointer: Optional[int]) -> str:
        """A string that is ours to free."""
        if not pointer:
            return ""
        text = ctypes.string_at(pointer).decode(errors="replace")
        self.call("g_free", pointer)
        return text

    def _properties(self, factory: int) -> FrozenSet[str]:
        element = self.call("gst_element_factory_create", factory, None)
        if not element:
            return frozenset()
        self.call("gst_object_ref_sink", element)
        count = c_uint()
        of_class = ctypes.cast(element, POINTER(c_void_p))[0]
        specs = self.call("g_object_class_list_properties", of_class, byref(count))
        names = frozenset(self.call("g_param_spec_get_name", specs[i]).decode() for i in range(count.value))
        self.call("g_free", specs)
        self.call("gst_object_unref", element)
        return names


class Pipeline:
    """A pipeline with an appsink named "sink". `stop` ends it; what it held is given back when the process ends."""

    def __init__(self, library: GStreamer, handle: int) -> None:
        self._library, self._handle = library, handle
        self._call = library.call
        self._bus = self._call("gst_element_get_bus", handle)
        self._sink = self._call("gst_bin_get_by_name", handle, b"sink")
        self._has_system_clock: Optional[bool] = None

    def set_text(self, element: str, name: str, text: str) -> None:
        """Set a string property of the element of that name; any text is safe."""
        target = self._call("gst_bin_get_by_name", self._handle, element.encode())
        value = (c_uint64 * 3)()
        self._call("g_value_init", value, _G_TYPE_STRING)
        self._call("g_value_set_string", value, text.encode())
        self._call("g_object_set_property", target, name.encode(), value)
        self._call("g_value_unset", value)
        self._call("gst_object_unref", target)

    def play(self) -> None:
        """Start. Raises GStreamerError if an element refuses at once."""
        if self._call("gst_element_set_state", self._handle, PLAYING) == 0:
            self.check(1.0)
            raise GStreamerError("the pipeline does not start")

    def stop(self) -> None:
        """Let go of the camera; may wait for it."""
        self._call("gst_element_set_state", self._handle, NULL)

    def pull(self, timeout_s: float) -> Optional[int]:
        """A sample's handle, to be given to `release`, or None after the time. Raises as `check` does."""
        sample: Optional[int] = self._call("gst_app_sink_try_pull_sample", self._sink, int(timeout_s * 1e9))
        if not sample:
            self.check(0.0)
        return sample

    def check(self, wait_s: float) -> None:
        """Raises GStreamerError for an error that was reported, EndOfCamera at the end of the stream."""
        message = self._call("gst_bus_timed_pop_filtered", self._bus, int(wait_s * 1e9), _ERROR | _EOS)
        if not message:
            return
        if c_int.from_address(message + _MESSAGE_TYPE_AT).value == _EOS:
            raise EndOfCamera
        error, debug = c_void_p(), c_void_p()
        self._call("gst_message_parse_error", message, byref(error), byref(debug))
        text = f"{self._library.take_error(error)} {self._library.take_string(debug.value)}"
        self._call("gst_mini_object_unref", message)
        raise GStreamerError(text)

    def caps_of(self, sample: int) -> str:
        """The caps of a sample as text."""
        caps = self._call("gst_sample_get_caps", sample)
        return self._library.take_string(self._call("gst_caps_to_string", caps)) if caps else ""

    def describe(self, sample: int) -> Sample:
        """What a sample holds: a picture whose rows may be padded to whole words."""
        structure = self._call("gst_caps_get_structure", self._call("gst_sample_get_caps", sample), 0)
        width, height = c_int(), c_int()
        self._call("gst_structure_get_int", structure, b"width", byref(width))
        self._call("gst_structure_get_int", structure, b"height", byref(height))
        buffer = self._call("gst_sample_get_buffer", sample)
        size = self._call("gst_buffer_get_size", buffer)
        return Sample(sample, buffer, size, width.value, height.value, self._captured_ns(sample, buffer))

    def extract(self, buffer: int, target: int, count: int, offset: int = 0) -> int:
        """Copy bytes of a buffer to an address; the number copied."""
        copied: int = self._call("gst_buffer_extract", buffer, offset, target, count)
        return copied

    def release(self, sample: int) -> None:
        """Give a sample back."""
        self._call("gst_mini_object_unref", sample)

    def _captured_ns(self, sample: int, buffer: int) -> Optional[int]:
        """On CLOCK_MONOTONIC, which GStreamer's own clock counts; None where a pipeline follows another clock."""
        pts = c_uint64.from_address(buffer + _BUFFER_PTS_AT).value
        if self._has_system_clock is None:
            clock = self._call("gst_element_get_clock", self._handle)
            self._has_system_clock = bool(clock) and self._call("g_type_name_from_instance", clock) == b"GstSystemClock"
        if pts == _NO_TIME or not self._has_system_clock:
            return None
        segment = self._call("gst_sample_get_segment", sample)
        running: int = self._call("gst_segment_to_running_time", segment, _TIME_FORMAT, pts)
        base: int = self._call("gst_element_get_base_time", self._handle)
        return None if running == _NO_TIME else base + running


def _function(libraries: Iterable[ctypes.CDLL], name: str) -> Any:
    result, arguments = _SIGNATURES[name]
    for library in libraries:
        if hasattr(library, name):
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
            return function
    raise AttributeError(name)
