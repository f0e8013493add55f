"""TensorRT's Python module, imported once, and the one logger that this process gives it."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib
import logging
import threading
from typing import Any, Iterator, List, Tuple

from edgekit.core.precision import parse_release
from edgekit.errors import DeviceError

_log = logging.getLogger(__name__)

# TensorRT tells of every kernel it tries at this level: 100,000 lines a build.
_UNRECORDED = "VERBOSE"
_KEPT = 20_000
_ERRORS = ("INTERNAL_ERROR", "ERROR")

Message = Tuple[str, str]


@functools.lru_cache(maxsize=None)
def load_library() -> Any:
    """The module tensorrt. Raises DeviceError where it is not installed or cannot be loaded."""
    try:
        return importlib.import_module("tensorrt")
    except ModuleNotFoundError as error:
        raise DeviceError(
            f"the Python package {error.name!r} is missing on this device",
            why="TensorRT comes with JetPack and is seen by the system's own Python only",
            hint="sudo apt install python3-libnvinfer, or a virtual environment with --system-site-packages",
        ) from None
    except (ImportError, OSError) as error:
        raise DeviceError(
            "TensorRT is installed and cannot be loaded", why=str(error), hint="sudo apt install --reinstall tensorrt"
        ) from error


def release() -> Tuple[int, int]:
    """(major, minor) of the TensorRT installed here."""
    return parse_release(load_library().__version__)


class RecordingLogger:
    """What TensorRT says, kept. `logger()` gives the one instance, which is a tensorrt.ILogger too.

    messages: (severity, text) in order, severity "INTERNAL_ERROR", "ERROR", "WARNING" or "INFO"; the latest 10,000 at
    least. TensorRT's threads write while others read.
    """

    def __init__(self) -> None:
        self.messages: List[Message] = []
        self._recordings: List[List[Message]] = []
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def recorded(self) -> Iterator[List[Message]]:
        """A list that fills with what TensorRT says until the block ends, from whatever thread.

        Whoever records decides what becomes of it; without a recording, errors and warnings go to the log.
        """
        recording: List[Message] = []
        with self._lock:
            self._recordings.append(recording)
        try:
            yield recording
        finally:
            with self._lock:
                self._recordings = [each for each in self._recordings if each is not recording]

    def record(self, severity: str, text: str) -> None:
        """Keep one message. Never raises: TensorRT would end the process."""
        if severity == _UNRECORDED:
            return
        with self._lock:
            if len(self.messages) >= _KEPT:
                del self.messages[: _KEPT // 2]
            self.messages.append((severity, text))
            for recording in self._recordings:
                recording.append((severity, text))
            heard = bool(self._recordings)
        if not heard and severity != "INFO":
            _log.log(logging.ERROR if severity in _ERRORS else logging.WARNING, "TensorRT: %s", text)


@functools.lru_cache(maxsize=None)
def logger() -> RecordingLogger:
    """The logger for every Builder, Runtime and parser of this process. Raises DeviceError as load_library does.

    TensorRT keeps the first logger it is given for the whole process, so there must be one only.
    """
    trt = load_library()

    class TensorRTLogger(RecordingLogger, trt.ILogger):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            RecordingLogger.__init__(self)
            trt.ILogger.__init__(self)

        def log(self, severity: Any, text: str) -> None:
            self.record(severity.name, text)

    made = TensorRTLogger()
    # TensorRT's own globals may still point to it while the process ends.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(made))
    return made


def first_error(messages: List[Message]) -> str:
    """TensorRT's first complaint, on one line; its later ones are mostly consequences. "" if it made none."""
    for severity, text in messages:
        if severity in _ERRORS:
            return " ".join(text.split())[:300]
    return ""
