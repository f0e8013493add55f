"""The scenario "soak": one pipeline for minutes or days, in parts, and what changes on the way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import List, Optional, Sequence, Tuple

from edgekit.core.latency_digest import LatencyDigest
from edgekit.core.machine_samples import MachineSamples
from edgekit.core.requests import BenchAnswer
from edgekit.core.results import Soak, SoakPart
from edgekit.core.trend import least_squares_trend
from edgekit.runtime.bench.continuous import run_continuously
from edgekit.runtime.bench.flow import Flow
from edgekit.runtime.bench.session import Session
from edgekit.runtime.pipeline import DetectedFrame

_HOUR_S = 3600.0
_SHORTEST_S = 60.0  # of a soak that says anything about an hour
_FLUSH_AT = 1024
_ROUNDING_S = 1e-6


def measure_soak(session: Session) -> BenchAnswer:
    """Measure for duration_s in equal parts; on_progress("soaking, 24.9 FPS so far", seconds done, total)."""
    parts = _Parts(session.request.duration_s / session.request.parts)
    run = run_continuously(session, _so_far, lambda batch, flow: parts.add(batch, flow.progress.measured_s))
    soak = parts.soak(session.watch.so_far())
    return run.answer(session, run.flow.progress.rate(), source_fps=run.stated_fps, soak=soak)


def _so_far(flow: Flow) -> str:
    seconds = flow.progress.measured_s
    return f"soaking, {flow.progress.frames / seconds:.1f} FPS so far" if seconds else "soaking"


@dataclass(frozen=True)
class _Part:
    """On two clocks: after the beginning of the soak, and the machine's."""

    started_s: float
    ended_s: float
    moment_s: float
    frames: int
    p99_ms: Optional[float]


@dataclass(eq=False)
class _Parts:
    """A soak cut at the first batch beyond each part_s, so that a part holds whole batches."""

    part_s: float
    done: List[_Part] = field(default_factory=list)
    _ages: LatencyDigest = field(default_factory=LatencyDigest)
    _pending_ms: List[float] = field(default_factory=list)
    _frames: int = 0

    def add(self, batch: Sequence[DetectedFrame], elapsed_s: float) -> None:
        """A batch that came out so long after the beginning."""
        self._frames += len(batch)
        self._pending_ms.extend(detected.age_ms for detected in batch)
        if elapsed_s >= (len(self.done) + 1) * self.part_s - _ROUNDING_S:
            self._close(elapsed_s, batch[0].finished_s)
        elif len(self._pending_ms) >= _FLUSH_AT:
            self._flush()

    def soak(self, machine: MachineSamples) -> Soak:
        """What is known of each part, and the trends through them; none of a soak of less than a minute."""
        parts = tuple(_described(part, machine) for part in self.done)
        if not self.done or self.done[-1].ended_s < _SHORTEST_S:
            return Soak(parts)
        middles_h = [(part.started_s + part.ended_s) / 2 / _HOUR_S for part in self.done]
        rates = [part.fps for part in parts]
        mean_fps = sum(rates) / len(rates) if rates else 0.0
        fps = least_squares_trend(middles_h, rates)
        known = [(part.ended_s / _HOUR_S, found.memory_mib) for part, found in zip(self.done, parts)]
        held = [(at_h, float(mib)) for at_h, mib in known if mib is not None]
        memory = least_squares_trend([at_h for at_h, _ in held], [mib for _, mib in held])
        return Soak(
            parts,
            _rounded(fps.scaled(100 / mean_fps)) if fps and mean_fps else None,
            _rounded(memory.scaled(1.0)) if memory else None,
        )

    def _close(self, elapsed_s: float, moment_s: float) -> None:
        self._flush()
        started_s = self.done[-1].ended_s if self.done else 0.0
        summary = self._ages.summary()
        p99_ms = summary.p99_ms if summary else None
        self.done.append(_Part(started_s, elapsed_s, moment_s, self._frames, p99_ms))
        self._ages, self._frames = LatencyDigest(), 0

    def _flush(self) -> None:
        self._ages.add(self._pending_ms)
        self._pending_ms = []


def _described(part: _Part, machine: MachineSamples) -> SoakPart:
    seconds = part.ended_s - part.started_s
    watts = machine.mean_watts((part.moment_s - seconds, part.moment_s))
    return SoakPart(
        started_s=round(part.started_s, 3),
        fps=round(part.frames / seconds, 3),
        p99_ms=part.p99_ms,
        memory_mib=machine.memory_at(part.moment_s),
        temperature_c=machine.temperature_at(part.moment_s),
        watts=None if watts is None else round(watts, 3),
    )


def _rounded(trend: Tuple[float, float, float]) -> Tuple[float, float, float]:
    slope, low, high = trend
    return round(slope, 3), round(low, 3), round(high, 3)
