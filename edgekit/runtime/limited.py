"""Work that may take too much memory, in a child process that is ended before it harms what else runs here.

On a Jetson the GPU takes its memory from the same pool as everything else, so a build that takes too much ends in the
kernel killing some process, often the service with the camera. The child gives itself to the kernel as the first one to
go, and the parent ends it before it comes to that.

RLIMIT_AS cannot do this: CUDA reserves address space for all memory of the machine and the GPU when it starts, tens of
GiB that nobody pays for, and fails where it is limited. What counts is what is resident, and what the machine has left.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, NoReturn, Optional, Type, TypeVar

from edgekit.core.wire import from_wire, to_wire
from edgekit.errors import BuildError, DeviceError, EdgekitError, error_from_dict, error_to_dict
from edgekit.runtime.headroom import headroom_mib, process_mib
from edgekit.runtime.modest import be_modest
from edgekit.runtime.parent import end_with_parent

T = TypeVar("T")

_POLL_S = 0.05
_STOP_GRACE_S = 2.0
_INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Limits:
    """What work may take. memory_mib: of the child alone; reserve_mib: what must stay free in the machine."""

    memory_mib: int
    reserve_mib: int
    deadline_s: float


def limited(work: Callable[[], T], answer: Type[T], limits: Limits, subject: str = "the build") -> T:
    """The answer of `work`, done in a child that is forked here. subject: what it is called in errors.

    For a process that has no threads and has not touched a GPU yet: neither survives a fork.
    Raises what the work raises, BuildError if it took too much memory or time, or crashed. It is ended when this
    process is, however that ends.
    """
    if threading.active_count() > 1:
        raise ValueError("limited: a process with threads cannot be forked safely")
    reader, writer = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        _live_as_child(work, writer)
    os.close(writer)
    child = _Child(pid, reader, limits, subject)
    try:
        document = child.wait()
    finally:
        child.end()
        os.close(reader)
    return _result(document, answer, subject)


class _Child:
    """The parent's view: waits for the answer and watches the memory."""

    def __init__(self, pid: int, reader: int, limits: Limits, subject: str) -> None:
        self._pid, self._reader, self._limits, self._subject = pid, reader, limits, subject
        self._deadline_s = time.monotonic() + limits.deadline_s
        self._peak_mib = 0
        self._status: Optional[int] = None

    def wait(self) -> Dict[str, Any]:
        """What the child wrote. Raises BuildError if it had to be ended, or ended without a word."""
        chunks: List[bytes] = []
        while True:
            if select.select([self._reader], [], [], _POLL_S)[0]:
                chunk = os.read(self._reader, 1 << 20)
                if not chunk:
                    break
                chunks.append(chunk)
            else:
                self._check()
        self._reap()
        if self._status != 0:  # then what it wrote may be cut short
            raise self._died()
        return json.loads(b"".join(chunks))  # type: ignore[no-any-return]

    def end(self) -> None:
        """Ask the child to clean up, then insist; nothing for one that is gone."""
        if self._status is None:
            self._kill(signal.SIGTERM)
            deadline_s = time.monotonic() + _STOP_GRACE_S
            while self._status is None and time.monotonic() < deadline_s:
                self._reap(os.WNOHANG)
                time.sleep(0.01)
        if self._status is None:
            self._kill(signal.SIGKILL)
            self._reap()

    def _check(self) -> None:
        took_mib, left_mib = process_mib(self._pid), headroom_mib()
        self._peak_mib = max(self._peak_mib, took_mib)
        if took_mib > self._limits.memory_mib:
            self._stop()
            raise _too_much_memory(f"it took {took_mib} MiB, and {self._limits.memory_mib} MiB are allowed", self)
        if left_mib < self._limits.reserve_mib:
            self._stop()
            raise _too_much_memory(f"only {left_mib} MiB of memory were left, with {took_mib} MiB taken by it", self)
        if time.monotonic() > self._deadline_s:
            self._stop()
            raise BuildError(
                f"{self._subject} was ended: it took longer than {self._limits.deadline_s:g} s",
                hint="see what else runs there, then run the same command again",
            )

    def _stop(self) -> None:
        """At once: it would go on taking memory while it cleans up, and TensorRT hears no signal before it is done."""
        self._kill(signal.SIGKILL)
        self._reap()

    def _kill(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(self._pid, number)

    def _reap(self, options: int = 0) -> None:
        if self._status is None:
            pid, status = os.waitpid(self._pid, options)
            self._status = status if pid else None

    def _died(self) -> EdgekitError:
        assert self._status is not None
        if not os.WIFSIGNALED(self._status):
            return BuildError(f"{self._subject} ended with code {os.WEXITSTATUS(self._status)} and no answer")
        number = os.WTERMSIG(self._status)
        if number == signal.SIGKILL:
            return _too_much_memory(f"the system killed it, after it had taken {self._peak_mib} MiB or more", self)
        return BuildError(
            f"{self._subject} crashed: {signal.Signals(number).name}",
            why="the library that builds engines failed; its last words are in the output of the device",
            hint="edgekit doctor, then try another precision",
        )

    @property
    def subject(self) -> str:
        """What it is called."""
        return self._subject

    @property
    def reserve_mib(self) -> int:
        """What must stay free."""
        return self._limits.reserve_mib


def _too_much_memory(what: str, child: _Child) -> BuildError:
    return BuildError(
        f"{child.subject} was ended for want of memory: {what}",
        why=f"{child.reserve_mib} MiB are kept for the services and the system of this device",
        hint="\n".join(
            [
                "close other programs there, and run without a desktop: sudo systemctl isolate multi-user.target",
                "or add swap on its SSD or card",
                "or allow TensorRT less scratch memory: --workspace-mib 256",
            ]
        ),
    )


def _live_as_child(work: Callable[[], Any], writer: int) -> NoReturn:
    """Everything the child does, from fork to exit. It never returns into the parent's code."""
    code = 1
    try:
        end_with_parent(signal.SIGKILL)
        be_modest()
        document = _document(work)
        with os.fdopen(writer, "wb") as stream:
            stream.write(json.dumps(document, allow_nan=False).encode("utf-8"))
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _document(work: Callable[[], Any]) -> Dict[str, Any]:
    try:
        return {"result": to_wire(work())}
    except EdgekitError as error:
        return {"error": error_to_dict(error)}
    except (KeyboardInterrupt, BrokenPipeError):
        return {_INTERRUPTED: True}
    except Exception as error:
        traceback.print_exc()
        last_line = traceback.format_exception_only(type(error), error)[-1].strip()
        what = f"edgekit failed on the device: {last_line}"
        return {"error": error_to_dict(DeviceError(what, why="this is a fault of edgekit itself"))}


def _result(document: Dict[str, Any], answer: Type[T], subject: str) -> T:
    if _INTERRUPTED in document:
        raise KeyboardInterrupt
    if "error" in document:
        raise error_from_dict(document["error"])
    return from_wire(answer, document["result"], f"the answer of {subject}")
