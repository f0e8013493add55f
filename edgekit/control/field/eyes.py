"""Looks at many pictures through look.py; one that ends the process there, or keeps it too long, is named."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edgekit import files
from edgekit.control.field.frames import FieldFrame
from edgekit.control.field.look import Look
from edgekit.control.link import PACKAGE
from edgekit.core.progress import OnProgress
from edgekit.core.wire import from_wire, to_wire
from edgekit.errors import ConfigError

_MEMORY_MIB = 1536  # 8192 x 8192 px, the largest that is fetched, is read in 700
_DEADLINE_S = 20.0  # of one picture; that one takes 5
MOST_DEATHS = 10
_LONGEST_ANSWER_BYTES = 1 << 16
_SAVE_EVERY = 200
_NOT_LOOKED_AT = f"it was not looked at, for {MOST_DEATHS} frames before it ended the process that reads them"


@dataclass(frozen=True)
class Looks:
    """SHA-256 -> what each picture is. given_up: why the last ones were not looked at, a sentence, or ""."""

    by_digest: Mapping[str, Look]
    given_up: str = ""


def look_at_all(frames: Iterable[FieldFrame], memory_path: Path, on_progress: OnProgress) -> Looks:
    """Look at pictures; one that was looked at before, and kept size and time, is not looked at again.

    It gives up where several pictures end the process: they are an attack, or this machine has no memory left.
    """
    wanted = list(frames)
    memory = _Memory(memory_path)
    found: dict[str, Look] = {}
    with _Eyes() as eyes:
        try:
            for done, frame in enumerate(wanted, start=1):
                if eyes.deaths >= MOST_DEATHS:
                    found[frame.kept.sha256] = Look(frame.kept.sha256, "unreadable", _NOT_LOOKED_AT)
                    continue
                seen = memory.of(frame)
                if seen is None:
                    seen = eyes.look(frame, memory.put)
                    on_progress("look at new frames", done, len(wanted))
                found[frame.kept.sha256] = seen
        finally:
            memory.save()
    return Looks(found, eyes.given_up)


class _Eyes:
    """The process, started when it is first needed and again when it ended."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self.deaths = 0
        self._last = ""

    @property
    def given_up(self) -> str:
        """Why no more pictures are to be looked at, "" as long as they are."""
        if self.deaths < MOST_DEATHS:
            return ""
        return (
            f"{self.deaths} of the new frames could not be read without harm, the last one {self._last}; they are an "
            "attack on this machine, or it has no memory left"
        )

    def __enter__(self) -> _Eyes:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def look(self, frame: FieldFrame, remember: Callable[[FieldFrame, Look], None]) -> Look:
        """What a picture is. That it ended the process is not remembered: there may have been no memory just then."""
        kept = frame.kept
        question = {
            "path": str(frame.path),
            "sha256": kept.sha256,
            "width_px": kept.width_px,
            "height_px": kept.height_px,
        }
        process = self._process = self._process or _start()
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it ended; that it answers nothing tells so
            process.stdin.write(json.dumps(question).encode() + b"\n")
            process.stdin.flush()
        answer = _read_line(process, time.monotonic() + _DEADLINE_S)
        try:
            found = from_wire(Look, json.loads(answer), "look")
        except (ValueError, ConfigError):
            return self._died(frame)
        remember(frame, found)
        return found

    def _died(self, frame: FieldFrame) -> Look:
        assert self._process is not None
        slow = self._process.poll() is None
        code = self._end()
        why = f"took longer than {_DEADLINE_S:g} s" if slow else f"ended the process that did it, with code {code}"
        self.deaths += 1
        self._last = f"{frame.kept.sha256[:12]}, which {why}"
        return Look(frame.kept.sha256, "unreadable", f"reading it {why}")

    def _end(self) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        assert process.stdin is not None and process.stdout is not None
        with suppress(BrokenPipeError):
            process.stdin.close()
        try:
            code = process.wait(0.5)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        process.stdout.close()
        return code


def _start() -> subprocess.Popen[bytes]:
    """No threads in the libraries there: each would reserve memory that the limit counts."""
    path = os.pathsep.join(part for part in (str(PACKAGE.parent), os.environ.get("PYTHONPATH", "")) if part)
    one = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"), "1")
    command = [sys.executable, "-m", "edgekit.control.field.look", str(_MEMORY_MIB)]
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # libjpeg tells there of what is damaged, which the answer tells better
        env={**os.environ, **one, "PYTHONPATH": path},
    )


def _read_line(process: subprocess.Popen[bytes], deadline_s: float) -> bytes:
    """One line of its output; what there is of it by the deadline, or when the process ends."""
    assert process.stdout is not None
    answer = b""
    while not answer.endswith(b"\n") and len(answer) < _LONGEST_ANSWER_BYTES:
        left_s = deadline_s - time.monotonic()
        if left_s <= 0 or not select.select([process.stdout], [], [], left_s)[0]:
            break
        piece = os.read(process.stdout.fileno(), 1 << 16)
        if not piece:
            process.wait()
            break
        answer += piece
    return answer


class _Memory:
    """What was seen, by digest, size and time of change."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: dict[str, list[object]] = dict(_read_rows(path))
        self._unsaved = 0

    def of(self, frame: FieldFrame) -> Look | None:
        row = self._rows.get(frame.kept.sha256)
        if not isinstance(row, list) or len(row) != 3 or row[:2] != _stamp(frame.path):
            return None
        try:
            return from_wire(Look, row[2], "look")
        except ConfigError:
            return None

    def put(self, frame: FieldFrame, found: Look) -> None:
        self._rows[frame.kept.sha256] = [*_stamp(frame.path), to_wire(found)]
        self._unsaved += 1
        if self._unsaved >= _SAVE_EVERY:
            self.save()

    def save(self) -> None:
        if self._unsaved:
            files.write_json(self._path, self._rows)
            self._unsaved = 0


def _stamp(path: Path) -> list[object]:
    try:
        status = path.stat()
    except OSError:
        return [0, 0]
    return [status.st_size, status.st_mtime_ns]


def _read_rows(path: Path) -> Mapping[str, list[object]]:
    """The file; nothing for one that is damaged, for everything in it can be looked at again."""
    try:
        rows = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return rows if isinstance(rows, dict) else {}
