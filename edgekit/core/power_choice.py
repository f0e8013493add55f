"""Which of a machine's power sensors is taken, and why not another.

In that order: the monitors of the board, since they measure most and cost least; tegrastats, which reads the same
monitors where we may not; the GPU's driver, which knows the GPU's board alone; the processor's own counters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Sequence, Tuple

from edgekit.core.power_rails import BoardPower

INA = "INA"
TEGRASTATS = "tegrastats"
NVML = "NVML"
RAPL = "RAPL"
ORDER = (INA, TEGRASTATS, NVML, RAPL)

_WHAT = {
    INA: "the board's power monitors",
    TEGRASTATS: "tegrastats",
    NVML: "the GPU's driver (NVML)",
    RAPL: "the processor's energy counters (RAPL)",
}


@dataclass(frozen=True)
class Trial:
    """What became of trying a kind of sensor, one of ORDER. problem: why there is none; power: what it said first."""

    kind: str
    power: Optional[BoardPower] = None
    problem: str = ""

    @property
    def against(self) -> str:
        """Why it cannot serve; "" if it can."""
        if self.power is None:
            return self.problem or "not there"
        if self.power.watts is None and self.power.joules is None:
            rails = ", ".join(rail.name for rail in self.power.rails)
            return f"no rule says which of {rails} are the whole board" if rails else "it gives no figure"
        return ""

    @property
    def of(self) -> str:
        """What its power is of; "" if it cannot serve."""
        return self.power.watts_of if self.power is not None and not self.against else ""


def describe_choice(trials: Sequence[Trial], sensor: str = "", of: str = "") -> Tuple[str, ...]:
    """Sentences for people about the trials, in their order; the last one's sensor was taken if `sensor` names it."""
    passed = [f"{_WHAT[trial.kind]}: {trial.against}" for trial in trials if trial.against]
    taken = f"power is measured by {sensor}: {of}" if sensor else "power is not measured"
    return (taken, *passed)
