"""What a sink is, and all sinks of one run together."""

from __future__ import annotations

import errno
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Protocol, Sequence, Tuple, Type, Union

from edgekit.errors import DeviceError, EdgekitError, UsageError
from edgekit.runtime.pipeline import DetectedFrame


class Sink(Protocol):
    """One destination. After `finish` or `abort` it is not used again.

    A sink that goes on although something is wrong also has `problems`, a tuple of sentences about it, which may change
    at any time.
    """

    @property
    def target(self) -> Union[str, Path]:
        """What messages call it, without secrets."""

    def write(self, detected: DetectedFrame) -> None:
        """Take one frame."""

    def finish(self) -> List[str]:
        """Complete what was written; the paths that now exist."""

    def abort(self) -> None:
        """Remove what is incomplete."""


class Sinks:
    """All sinks of one run, as a context manager.

    Leaving it normally, by Ctrl-C or by exit completes the files with the frames written so far; any other error
    removes the incomplete ones. steady: a sink that cannot write is a problem and no error, until it can again; a full
    disk must not end a service.
    """

    def __init__(self, sinks: Sequence[Sink], *, steady: bool = False) -> None:
        self._sinks = list(sinks)
        self._steady = steady
        self._failing: Dict[Union[str, Path], str] = {}
        self._written: List[str] = []

    @property
    def written(self) -> Tuple[str, ...]:
        """Files and folders that are complete; filled when the context ends."""
        return tuple(self._written)

    @property
    def problems(self) -> Tuple[str, ...]:
        """Sentences for people on what does not get where it should, though frames go on; any thread may ask."""
        own = (problem for sink in list(self._sinks) for problem in getattr(sink, "problems", ()))
        return (*own, *list(self._failing.values()))

    def write(self, detected: DetectedFrame) -> None:
        """Give a frame to every sink. Raises DeviceError or UsageError if one cannot write, unless they are steady."""
        for sink in self._sinks:
            try:
                with reporting(sink.target):
                    sink.write(detected)
            except EdgekitError as error:
                if not self._steady:
                    raise
                self._failing[sink.target] = f"{error.what}: {error.why}"
            else:
                self._failing.pop(sink.target, None)

    def abort(self) -> None:
        """Remove what is incomplete; without error, whatever the disk says."""
        for sink in self._sinks:
            # A full disk fails once more when buffers are let go; the first error is the one to tell.
            with suppress(OSError):
                sink.abort()
        self._sinks.clear()

    def __enter__(self) -> Sinks:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], *_: Any) -> None:
        if kind is None or not issubclass(kind, Exception):
            self._finish()
        else:
            self.abort()

    def _finish(self) -> None:
        while self._sinks:
            sink = self._sinks[0]
            try:
                with reporting(sink.target):
                    self._written.extend(sink.finish())
            except BaseException:
                self.abort()
                raise
            self._sinks.pop(0)


@contextmanager
def reporting(target: Union[str, Path]) -> Iterator[None]:
    """Turn the errors of writing to `target` into those that people can act on."""
    try:
        yield
    except OSError as error:
        kind: Type[EdgekitError] = DeviceError if error.errno == errno.ENOSPC else UsageError
        raise kind(f"{target} cannot be written", why=error.strerror or str(error)) from None
