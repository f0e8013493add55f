"""What happened to a machine while it was measured that forbids comparing the figures.

Source of the counters: Linux, drivers of soctherm on Jetsons (oc1 counts under-voltage, oc2 average and oc3
instantaneous over-current, since the start) and of Intel's processors (core_throttle_count). Of the reasons that NVML
gives for a GPU's clocks only those count that protect it: to run at its power limit is how a GPU works under load.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, List, Optional, Sequence, Tuple

from edgekit.core.energy import Window
from edgekit.core.sentences import Sentences

# Of which it is known what they count.
_COUNTERS = ("oc1_event_cnt", "oc2_event_cnt", "oc3_event_cnt", "core_throttle_count", "package_throttle_count")
SENTENCES = Sentences(
    {
        "throttled": "the chip slowed itself down for heat in {looks:d} of {all:d} looks at it ({alerts})",
        "gpu_slowed": "the GPU slowed itself down in {looks:d} of {all:d} looks at it ({reasons})",
        "oc1_event_cnt": "its voltage was too low: a stronger power supply is due (oc1_event_cnt rose by {times:d})",
        "oc2_event_cnt": "it drew more current than it may on average (oc2_event_cnt rose by {times:d})",
        "oc3_event_cnt": "it drew more current than it may at a moment (oc3_event_cnt rose by {times:d})",
        "core_throttle_count": "a processor core slowed itself down for heat (core_throttle_count rose by {times:d})",
        "package_throttle_count": "the processor slowed itself down for heat (package_throttle_count rose by "
        "{times:d})",
        "other_event": "{event} ({counter} rose by {times:d})",
        "power_mode": "the power mode changed: {turns}",
        "clock_limits": "the clock limits of {what} changed: {turns}",
    }
)
"""What may have happened. Counters have their own, by their names."""

_KEEP_ALL, _KEEP_EVERY_S = 1200, 5.0
# At its highest clocks a Super module meets its limit of current all the time; that is how it is made.
_MODES_WITH_OC3 = "MAXN_SUPER"

GPU_PROTECTS_ITSELF = {
    0x08: "hardware slowdown",
    0x20: "heat, by the driver",
    0x40: "heat, by the hardware",
    0x80: "power brake of the board",
}
"""The bits of nvmlDeviceGetCurrentClocksEventReasons that slow a GPU down to protect it. Source: nvml.h."""


@dataclass(frozen=True)
class MachineSample:
    """One look at a machine while it is measured; t_s as of the power samples. None: not measured.

    throttling: the thermal alerts that are on. gpu_reasons: the bits of NVML, see above. events: counters since the
    machine's start. clock_limits: "lowest-highest kHz" or Hz by what they are of, as the kernel writes them.
    gpu_memory_mib and process_memory_mib are this process's own.
    """

    t_s: float
    temperature_c: Optional[float] = None
    hottest_zone: str = ""
    throttling: Tuple[str, ...] = ()
    gpu_reasons: Optional[int] = None
    events: Dict[str, int] = field(default_factory=dict)
    power_mode: Optional[str] = None
    clock_limits: Dict[str, str] = field(default_factory=dict)
    gpu_load_pct: Optional[float] = None
    gpu_clock_mhz: Optional[float] = None
    gpu_memory_mib: Optional[int] = None
    memory_available_mib: Optional[int] = None
    process_memory_mib: Optional[int] = None


def worth_keeping(sample: MachineSample, kept: Sequence[MachineSample]) -> bool:
    """Whether it tells something that those kept before do not: a soak of a day is a hundred thousand looks.

    For ten minutes each look at every half a second is; later one in 5 s, and always what changed, began or ended.
    Counters need no more: what one look misses, the next one has.
    """
    if not kept:
        return True
    due_s = min(_KEEP_EVERY_S, (sample.t_s - kept[0].t_s) / _KEEP_ALL)
    return sample.t_s - kept[-1].t_s >= due_s or _noteworthy(sample) != _noteworthy(kept[-1])


def _noteworthy(sample: MachineSample) -> Tuple[object, ...]:
    return (sample.throttling, _protections(sample.gpu_reasons), sample.power_mode, sample.clock_limits)


def while_counted(samples: Sequence[MachineSample], windows: Sequence[Window]) -> List[MachineSample]:
    """The samples from the first window's start to the last one's end, and the nearest before and behind.

    Without windows all of them.
    """
    if not windows:
        return list(samples)
    start_s, end_s = min(start for start, _ in windows), max(end for _, end in windows)
    first = max((row for row, sample in enumerate(samples) if sample.t_s <= start_s), default=0)
    last = min((row for row, sample in enumerate(samples) if sample.t_s >= end_s), default=len(samples) - 1)
    return list(samples[first : last + 1])


def find_disturbances(samples: Sequence[MachineSample], windows: Sequence[Window]) -> Tuple[str, ...]:
    """One sentence for each thing that makes figures of these windows unfit to be compared; empty: none is known."""
    seen = while_counted(samples, windows)
    return (*_throttled(seen), *_gpu_slowed(seen), *_counted_events(seen), *_changed(seen))


def _throttled(samples: Sequence[MachineSample]) -> List[str]:
    hot = [sample for sample in samples if sample.throttling]
    if not hot:
        return []
    alerts = sorted({alert for sample in hot for alert in sample.throttling})
    return [SENTENCES.say("throttled", looks=len(hot), all=len(samples), alerts=", ".join(alerts))]


def _gpu_slowed(samples: Sequence[MachineSample]) -> List[str]:
    slowed = [sample for sample in samples if _protections(sample.gpu_reasons)]
    if not slowed:
        return []
    reasons = sorted({reason for sample in slowed for reason in _protections(sample.gpu_reasons)})
    return [SENTENCES.say("gpu_slowed", looks=len(slowed), all=len(samples), reasons=", ".join(reasons))]


def _protections(bits: Optional[int]) -> List[str]:
    return [name for bit, name in GPU_PROTECTS_ITSELF.items() if (bits or 0) & bit]


def _counted_events(samples: Sequence[MachineSample]) -> List[str]:
    names = sorted({name for sample in samples for name in sample.events})
    return [sentence for name in names for sentence in _stepped(name, samples)]


def _stepped(name: str, samples: Sequence[MachineSample]) -> List[str]:
    known = [sample for sample in samples if name in sample.events]
    counts = [sample.events[name] for sample in known]
    # It begins at 0 again with the driver: then only what it counted since is known.
    times = sum(max(0, count - counts[max(0, row - 1)]) for row, count in enumerate(counts))
    normal = name == "oc3_event_cnt" and all(sample.power_mode == _MODES_WITH_OC3 for sample in known)
    if not times or normal:
        return []
    if name in _COUNTERS:
        return [SENTENCES.say(name, times=times)]
    return [SENTENCES.say("other_event", event=name, counter=name, times=times)]


def _changed(samples: Sequence[MachineSample]) -> List[str]:
    modes = _in_turn([sample.power_mode for sample in samples])
    found = [SENTENCES.say("power_mode", turns=" -> ".join(modes))] if len(modes) > 1 else []
    for name in sorted({name for sample in samples for name in sample.clock_limits}):
        limits = _in_turn([sample.clock_limits.get(name) for sample in samples])
        if len(limits) > 1:
            found.append(SENTENCES.say("clock_limits", what=name, turns=" -> ".join(limits)))
    return found


def _in_turn(values: Sequence[Optional[str]]) -> List[str]:
    turns: List[str] = []
    for value in values:
        if value is not None and (not turns or turns[-1] != value):
            turns.append(value)
    return turns
