"""The one way out to people and programs: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from edgekit.core.progress import OnProgress
from edgekit.core.wire import to_wire
from edgekit.errors import EdgekitError, error_to_dict

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.table import Table

_WIDE = 200  # columns where output goes to a file or a pipe: rows are not to be broken there
_PLAIN_INTERVAL_S = 2.0


class Console:
    """Writes results, notes, progress and errors. Text is printed as it is: brackets in it are not markup.

    With as_json, standard output carries exactly one JSON document: the result, or {"error": {...}}.
    """

    def __init__(self, *, as_json: bool = False, debug: bool = False) -> None:
        self.as_json = as_json
        self.debug = debug
        self._progress_lines: RichConsole | None = None

    def result(self, value: Any, *human: Any) -> None:
        """The command's result: `value` (dataclass or plain) as JSON with --json, else `human`, texts and tables."""
        if self.as_json:
            self._write_json(value)
            return
        out = _rich(sys.stdout)
        for item in human:
            if isinstance(item, str):
                out.print(item, markup=False, soft_wrap=True)
            elif sys.stdout.isatty():
                out.print(item)
            else:
                sys.stdout.write(_without_padding(out, item))

    def note(self, text: str) -> None:
        """A line about what is being done, on standard error."""
        self._err().print(text, markup=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        """A line about something to look at, on standard error."""
        self._err().print("warning:", text, markup=False, soft_wrap=True, style="yellow")

    def error(self, error: EdgekitError) -> None:
        """What happened, why, what to type next, on standard error; with --json also an object on standard output."""
        self._tell(f"error: {error.what}", error)
        if self.as_json:
            self._write_json({"error": error_to_dict(error)})

    def failure(self, device: str, error: EdgekitError) -> None:
        """What went wrong with one of several devices, on standard error."""
        self._tell(f"{device}: {error.what}", error)

    def _tell(self, first_line: str, error: EdgekitError) -> None:
        err = self._err()
        err.print(first_line, markup=False, soft_wrap=True, style="bold red")
        for line in error.why.splitlines():
            err.print(f"  {line}", markup=False, soft_wrap=True)
        for line in remedy_lines(error.hint):
            err.print(line, markup=False, soft_wrap=True)

    @contextmanager
    def progress(self) -> Iterator[OnProgress]:
        """A function to be told of progress: bars on a terminal, else a line now and then, on standard error."""
        if not sys.stderr.isatty():
            yield _plain_progress(sys.stderr)
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        what_column = TextColumn("{task.description}", markup=False)
        columns = (what_column, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=_rich(sys.stderr), transient=True) as bars:
            tasks: dict[str, Any] = {}
            self._progress_lines = bars.console

            def on_progress(what: str, done: int, total: int) -> None:
                step = _step_of(what)
                if step not in tasks:
                    tasks[step] = bars.add_task(what, total=total or None)
                bars.update(tasks[step], description=what, completed=done, total=total or None)

            try:
                yield on_progress
            finally:
                self._progress_lines = None

    def _err(self) -> RichConsole:
        return self._progress_lines or _rich(sys.stderr)

    def _write_json(self, value: Any) -> None:
        sys.stdout.write(json.dumps(to_wire(value), indent=2, ensure_ascii=False, allow_nan=False, default=str) + "\n")
        sys.stdout.flush()


def remedy_lines(hint: str) -> list[str]:
    """A hint as it is shown: its first line after "try:", the others below."""
    lines = hint.strip().splitlines()
    return [("  try: " if number == 0 else "       ") + line for number, line in enumerate(lines)]


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, right: Sequence[str] = ()) -> Table:
    """A plain table; None is shown as "-", a Text as it is. The columns named in `right` are aligned to the right."""
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text("-" if cell is None else str(cell)) for cell in row))
    return made


def facts(pairs: Sequence[tuple[str, Any]]) -> Table:
    """Two columns, name and value, for what is known about one thing."""
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False, show_header=False)
    made.add_column(style="bold")
    made.add_column(overflow="fold")
    for name, value in pairs:
        made.add_row(name, Text("-" if value is None else str(value)))
    return made


def hush_broken_pipe() -> None:
    """After `edgekit ... | head`: keep the interpreter from complaining when it flushes standard output at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _rich(stream: TextIO) -> RichConsole:
    from rich.console import Console as RichConsole

    width = None if stream.isatty() else _WIDE
    return RichConsole(file=stream, width=width, highlight=False, emoji=False)


def _without_padding(out: RichConsole, item: Any) -> str:
    """A table as text for files and pipes, without the spaces that fill its last column."""
    with out.capture() as capture:
        out.print(item)
    return "".join(line.rstrip() + "\n" for line in capture.get().splitlines())


def _step_of(what: str) -> str:
    """What stays the same while a step tells more of itself: "measuring" of "measuring, 24.8 FPS so far"."""
    return what.partition(",")[0]


def _plain_progress(stream: TextIO) -> OnProgress:
    last: dict[str, tuple[float, bool]] = {}

    def on_progress(what: str, done: int, total: int) -> None:
        now = time.monotonic()
        finished = bool(total) and done >= total
        said_s, was_finished = last.get(_step_of(what), (float("-inf"), False))
        if now - said_s < _PLAIN_INTERVAL_S and (was_finished or not finished):
            return
        last[_step_of(what)] = (now, finished)
        stream.write(f"{what}: {done}/{total}\n" if total else f"{what}: {done}\n" if done else f"{what}\n")
        stream.flush()

    return on_progress
