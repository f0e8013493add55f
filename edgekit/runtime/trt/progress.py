"""How far a build has come, where TensorRT tells: from release 10 on by a monitor, before that by step only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Optional

from edgekit.core.progress import OnProgress
from edgekit.runtime.trt.library import load_library


@dataclass(eq=False)
class FirstFailure:
    """What went wrong first in code that TensorRT called. TensorRT swallows exceptions; the build raises this one."""

    error: Optional[BaseException] = None

    def note(self, error: BaseException) -> None:
        """Keep the first one."""
        self.error = self.error or error

    def raise_if_any(self) -> None:
        """Raise what was kept."""
        if self.error is not None:
            raise self.error


class Phases:
    """The nested phases that a builder reports, as one line of progress: the outermost one counts."""

    def __init__(self, on_progress: OnProgress, failure: FirstFailure) -> None:
        self._on_progress, self._failure = on_progress, failure
        self._open: List[str] = []
        self._steps: Dict[str, int] = {}

    def start(self, phase: str, steps: int) -> None:
        """A phase of so many steps begins."""
        self._open.append(phase)
        self._steps[phase] = steps
        self.step(phase, 0)

    def step(self, phase: str, done: int) -> bool:
        """So many steps of a phase are done. False asks TensorRT to give up, after a failure anywhere."""
        if self._failure.error is None and self._open and phase == self._open[0]:
            steps = self._steps[phase]
            try:
                self._on_progress(f"building: {phase}", min(done, steps), steps)
            except BaseException as error:
                self._failure.note(error)
        return self._failure.error is None

    def finish(self, phase: str) -> None:
        """A phase is over."""
        if phase in self._open:
            self._open.remove(phase)
        self._steps.pop(phase, None)


def progress_monitor(phases: Phases) -> Optional[Any]:
    """A tensorrt.IProgressMonitor that tells `phases`; None where TensorRT has no such thing, before release 10.

    Whoever sets it on a builder config keeps it as long as the config lives.
    """
    trt = load_library()
    if not hasattr(trt, "IProgressMonitor"):
        return None

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)

        def phase_start(self, phase_name: str, parent_phase: Optional[str], num_steps: int) -> None:
            phases.start(phase_name, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            return phases.step(phase_name, step + 1)

        def phase_finish(self, phase_name: str) -> None:
            phases.finish(phase_name)

    return Monitor()
