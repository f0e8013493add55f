"""Joules of an NVIDIA GPU told in three ways over the same seconds: what NVML is worth as a power sensor. Python 3.8.

    python bench/nvml_energy.py ENGINE_DIR [--seconds 8] [--save]

While an engine runs, all the time and half of it, the kit's sampler reads NVML; told are the joules of the GPU's own
counter read at both ends, the kit's from its samples of that counter, the kit's from samples of power alone, and those
of nvidia-smi's log, for samples 0.1 and 1 s apart. nvidia-smi asks the same driver: it checks the kit, not the GPU.
"""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
from common import machine, save_result
from gpu_machine import PowerMeter, gpu_machine
from tensorrt_stages import detector_of

from edgekit.core.energy import integrate
from edgekit.core.results import Energy
from edgekit.runtime.engines import load_engine
from edgekit.runtime.host_stages import stages_for
from edgekit.runtime.probe import probe_device
from edgekit.runtime.sensors.nvml import Gpu, open_gpu
from edgekit.runtime.sensors.sampler import MachineSampler
from edgekit.runtime.sources import open_source

DUTIES = {"all the time": 1.0, "half of it, 0.5 s on and 0.5 s off": 0.5}
INTERVALS_S = (0.1, 1.0)


def main() -> int:
    """Measure, print, and write bench/results/nvml_energy-DATE.{json,md} if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine_dir", type=Path)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    parser.add_argument("--save", action="store_true", help="also write bench/results/")
    arguments = parser.parse_args()
    detector = detector_of(arguments.engine_dir)
    engine = load_engine(str(arguments.engine_dir), detector, probe_device())
    rows = []
    with closing(engine), closing(stages_for(detector, engine)) as stages, closing(open_gpu()) as gpu:
        slot = stages.make_slot()
        with open_source("memory://?width=1920&height=1080&frames=1") as source:
            stages.preprocess(next(source), slot, 0)
        calls = calls_for(stages, slot, 0.01)
        for name, duty in DUTIES.items():
            for every_s in INTERVALS_S:
                told = measured(gpu, every_s, arguments.seconds, lambda duty=duty: work(stages, slot, calls, duty))
                rows.append({"engine runs": name, "every_s": every_s, **told})
    result = {"rows": rows, "gpu": gpu_machine(), **machine()}
    save_result("nvml_energy", result, render(result), arguments)
    return 0


def calls_for(stages: Any, slot: Any, seconds: float) -> int:
    """How often the engine runs in about so long."""
    stages.replay(slot, 100)
    started_s = time.monotonic()
    stages.replay(slot, 100)
    return max(1, round(100 * seconds / (time.monotonic() - started_s)))


def work(stages: Any, slot: Any, calls: int, duty: float) -> None:
    """A second of work, or a part of it and rest."""
    started_s = time.monotonic()
    while time.monotonic() - started_s < duty:
        stages.replay(slot, calls)
    time.sleep(max(0.0, started_s + 1 - time.monotonic()))


def measured(gpu: Gpu, every_s: float, seconds: float, work_a_second: Any) -> dict[str, Any]:
    """Joules over whole seconds of work, told in each way."""
    for _ in range(3):
        work_a_second()  # the driver tells the mean of the last second
    with MachineSampler(every_s) as sampler, PowerMeter() as smi:
        sampler.look()
        first_j, began_s = gpu.energy_j(), time.monotonic()
        for _ in range(round(seconds)):
            work_a_second()
        last_j, ended_s = gpu.energy_j(), time.monotonic()
        sampler.look()
        sampler.mark(began_s, ended_s)
        samples = sampler.stop()
    watts_only = replace(samples.power, joules=np.full(len(samples.power), np.nan))
    by_watts = integrate(watts_only, samples.windows, 0, limits=samples.limits)
    return {
        "seconds": round(ended_s - began_s, 4),
        "counter_j": None if first_j is None or last_j is None else round(last_j - first_j, 2),
        "kit_j": told(samples.energy(0)),
        "kit_watts_only_j": told(by_watts),
        "samples": len(samples.power),
        "nvidia_smi_j": None if smi.mean_w is None else round(smi.mean_w * (ended_s - began_s), 2),
        "sensor": samples.sensor,
        "of": samples.of,
    }


def told(energy: Energy | None) -> list[float] | None:
    """[joules, +- joules]; None if it was not measured."""
    return None if energy is None else [round(energy.joules, 2), round(energy.error_joules, 2)]


def render(result: dict[str, Any]) -> str:
    """The result for people, Markdown."""
    gpu = result["gpu"]
    lines = [
        "# The energy of a GPU by NVML: the kit's figure beside the GPU's own counter",
        "",
        f"{gpu['name']}, driver {gpu['driver_version']}, power limit {gpu['power.limit']}.",
        "",
        "| the engine runs | samples every | counter J | kit, counter sampled | kit, power sampled | nvidia-smi |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for row in result["rows"]:
        kit, watts = (" ± ".join(f"{value:.1f}" for value in row[key] or ()) for key in ("kit_j", "kit_watts_only_j"))
        counter, smi = row["counter_j"], row["nvidia_smi_j"]
        lines.append(f"| {row['engine runs']} | {row['every_s']:g} s | {counter} | {kit} | {watts} | {smi} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
