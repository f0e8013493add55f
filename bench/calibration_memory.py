"""What calibrating takes of memory, by the number of pictures: the peak of the process that makes INT8.

    python bench/calibration_memory.py --work DIR [--counts 100 300 1000] [--save]

Draws 1280 x 720 scenes, builds the INT8 engine of roadscene (network 640 wide) on the device `local` once for each
count in a process of its own, and takes the highest resident memory of that process and those it starts, as the kernel
counts it (getrusage). Constant memory shows as the same peak for every count.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from common import machine, save_result

from edgekit.control.build import complete, place_order
from edgekit.control.connect import link_to
from edgekit.control.groundwork import Groundwork
from edgekit.control.inventory import load_inventory
from edgekit.control.project import Project, init_project
from edgekit.control.sets.writing import write_set
from edgekit.core.wire import to_wire

DETECTOR = "roadscene"


def quiet(what: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


def measure(project: Project, count: int) -> dict[str, Any]:
    """One build with so many pictures, nothing reused."""
    name = f"memory-{count}"
    scenes = {"split": "calib", "count": count, "width": 1280, "height": 720}
    write_set(project.calib_sets_dir / name, {"scenes": scenes}, "Drawn by bench/calibration_memory.py.")
    entry, ground = load_inventory(project).device("local"), Groundwork(project)
    with closing(link_to(project, entry)) as link:
        order = place_order(ground, entry, link, "int8", quiet, detector=DETECTOR, calibration=name)
        request = replace(complete(order, quiet), force=True)
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(to_wire(request), file)
            file.flush()
            started_s = time.monotonic()
            peak_mib = peak_of([sys.executable, "-m", "edgekit.runtime", "build", file.name])
    return {"pictures": count, "peak_mib": round(peak_mib, 1), "seconds": round(time.monotonic() - started_s, 1)}


def peak_of(command: list[str]) -> float:
    """MiB. A process of its own runs the command, since the kernel adds up all children that one ever waited for."""
    code = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); "
    code += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)"
    done = subprocess.run([sys.executable, "-c", code, *command], check=True, stdout=subprocess.PIPE, env=os.environ)
    return float(done.stdout)


def table(result: dict[str, Any]) -> str:
    """For people."""
    lines = [f"# Memory of calibrating: {result['backend']}", "", "| pictures | peak MiB | seconds |", "|---|---|---|"]
    lines += [f"| {row['pictures']} | {row['peak_mib']:.0f} | {row['seconds']:.0f} |" for row in result["rows"]]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="a project of its own is made here")
    parser.add_argument("--counts", type=int, nargs="+", default=[100, 300, 1000])
    parser.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    parser.add_argument("--save", action="store_true", help="also write bench/results/")
    arguments = parser.parse_args()
    if not (arguments.work / "devices.yaml").exists():
        init_project(arguments.work)
    project = Project(arguments.work.resolve())
    rows = [measure(project, count) for count in arguments.counts]
    backend = "ONNX Runtime's static quantisation on a CPU, roadscene"
    result = {"backend": backend, "rows": rows, **machine()}
    save_result("calibration_memory", result, table(result), arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
