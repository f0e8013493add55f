"""tegrastats as a power sensor: a program that writes a line every so often, listened to in a thread of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Callable, Optional, Tuple

from edgekit.core.energy import SensorLimits
from edgekit.core.power_rails import BoardPower, RailReading, board_power
from edgekit.core.tegrastats import TegraSample, interval_argument, parse_tegrastats
from edgekit.errors import DeviceError
from edgekit.runtime.parent import end_with_parent

_PROGRAM = "usr/bin/tegrastats"
_FIRST_LINE_S = 3.0
_FASTEST_S = 0.1  # it costs a few percent of a core at that
_STALE_INTERVALS = 3
_END_S = 1.0
_LONGEST_LINE = 8192


class TegrastatsSource:
    """The rails of the latest line, while it is young. Close it at last; it ends too when this process is killed.

    Make it in a thread that lives as long: to the kernel that thread is what the program's life hangs on.
    """

    name = "tegrastats"
    limits = SensorLimits()  # it prints whole milliwatts; the step of what it reads is not known

    def __init__(
        self,
        module: Optional[str],
        every_s: float,
        root: Path = Path("/"),
        first_line_s: float = _FIRST_LINE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises DeviceError if there is no such program, or if it says nothing in time."""
        self._module, self._clock = module, clock
        self._every_s = max(_FASTEST_S, every_s)
        self._latest: Optional[Tuple[float, TegraSample]] = None
        self._said = threading.Event()
        self._process = _start(root / _PROGRAM, self._every_s)
        threading.Thread(target=self._listen, name="edgekit-tegrastats", daemon=True).start()
        self._said.wait(first_line_s)
        if self._latest is None:
            self.close()
            raise DeviceError(f"tegrastats said nothing within {first_line_s:g} s")

    def read(self, now_s: float) -> BoardPower:
        """What the latest line says; nothing once that is older than three intervals. now_s: of this clock."""
        latest = self._latest
        if latest is None or now_s - latest[0] > _STALE_INTERVALS * self._every_s:
            return BoardPower()
        rails = latest[1].rails_mw.items()
        return board_power(self._module, [RailReading(name, milliwatts=float(mw)) for name, mw in rails])

    def close(self) -> None:
        """End the program."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):  # one that hangs in a driver ends when that lets it
            self._process.wait(_END_S)

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in iter(lambda: lines.readline(_LONGEST_LINE), b""):
                sample = parse_tegrastats(line.decode("utf-8", "replace"))
                if sample is not None:
                    self._latest = (self._clock(), sample)
                    self._said.set()
        self._said.set()


def _end_with_us() -> None:
    end_with_parent(signal.SIGKILL)


def _start(program: Path, every_s: float) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            [str(program), *interval_argument(every_s)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for this process
            preexec_fn=_end_with_us,
        )
    except OSError as error:
        raise DeviceError(f"tegrastats cannot be started: {error.strerror}") from error
