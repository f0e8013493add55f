"""How long deployments take, measured with virtual Jetsons on this machine: one of them, and many at once.

    python -m tests.lab enter python bench/deploy_times.py --devices 20 --out bench/results/deploy-DATE.md

Every figure is the wall time of one run of the command line, `python -m edgekit ...`, imports and connecting included.
All devices share this machine's cores with the host, so that what is said of many at once is a pessimist's figure.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.lab import fleet
from tests.lab.deploying import edgekit, make_project, write_inventory
from tests.lab.place import Place
from tests.lab.virtual_jetson import VirtualJetson

SLOW_SOURCE = "scenes://?seed={seed}&width=160&height=96&fps=4&live=1"
PROBATION = {"frames": 5, "seconds": 5, "deadline_s": 60}
BAD = "/nowhere/street.mp4"


@dataclass(frozen=True)
class Row:
    """One measured thing. seconds: every run."""

    what: str
    seconds: tuple[float, ...]

    @property
    def line(self) -> str:
        """A line of the table: median, least, most."""
        numbers = sorted(self.seconds)
        spread = f"{numbers[0]:.2f} to {numbers[-1]:.2f}" if len(numbers) > 1 else "one run"
        return f"| {self.what} | {statistics.median(numbers):.2f} | {spread} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--devices", type=int, default=20)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Place.from_environment(), Path(folder), given.devices, given.runs)
    text = report(rows, given.devices)
    print(text)
    if given.out:
        given.out.write_text(text)


def measure(place: Place, folder: Path, count: int, runs: int) -> list[Row]:
    """One device from nothing, then as many as asked for, started from its disk."""
    first = fleet.create(place, "xavier-nx", "cam-1")
    made = [first]
    try:
        first.power_on()
        rows = measure_one(first, folder, runs)
        first.power_off()
        first.image_copy(folder / "disk.img")
        first.power_on()
        for number in range(2, count + 1):
            device = fleet.create(place, "xavier-nx", f"cam-{number}", image=folder / "disk.img")
            made.append(device)
            device.power_on()
        return rows + measure_many(made, folder, runs)
    finally:
        for device in made:
            device.discard()


def measure_one(device: VirtualJetson, folder: Path, runs: int) -> list[Row]:
    project = make_project(folder / "one", device)
    named = ("--device", device.name)
    rows = [Row("provision a new device", (timed(project, "provision", *named),))]
    rows.append(Row("provision it again: nothing to do", repeated(runs, project, "provision", *named)))
    change(project, [device], seed=1)
    rows.append(Row("first deployment: build, verify, release, 5 s of probation", (timed(project, "deploy", *named),)))
    rows.append(Row("deployment that changes nothing", repeated(runs, project, "deploy", *named)))
    rows.append(Row("status", repeated(runs, project, "status")))
    rows.append(Row("new settings, 5 s of probation", changes(runs, project, [device], named)))
    rows.append(Row("rollback, 5 s of probation", (timed(project, "rollback", *named),)))
    change(project, [device], source=BAD)
    rows.append(Row("a release that crashes, until the old one is back", (timed(project, "deploy", *named, code=8),)))
    change(project, [device], seed=99)
    timed(project, "deploy", *named)
    return rows


def measure_many(devices: Sequence[VirtualJetson], folder: Path, runs: int) -> list[Row]:
    count, named = len(devices), ("--device", "all", "--jobs", str(len(devices)))
    project = make_project(folder / "many", *devices)
    change(project, devices, seed=99)
    timed(project, "deploy", *named)
    rows = [
        Row(f"deployment that changes nothing, {count} devices", repeated(runs, project, "deploy", *named)),
        Row(f"status, {count} devices", repeated(runs, project, "status", "--jobs", str(count))),
        Row(f"new settings, 5 s of probation, {count} devices", changes(min(runs, 3), project, devices, named)),
    ]
    devices[0].cut()
    rows.append(Row(f"the same, one of {count} cut off", changes(1, project, devices, named, code=9)))
    devices[0].heal()
    return rows


def change(project: Path, devices: Sequence[VirtualJetson], seed: int = 1, source: str = "") -> None:
    write_inventory(project, *devices, source=source or SLOW_SOURCE.format(seed=seed), probation=PROBATION)


def changes(
    runs: int, project: Path, devices: Sequence[VirtualJetson], named: Sequence[str], code: int = 0
) -> tuple[float, ...]:
    seconds = []
    for _ in range(runs):
        change(project, devices, seed=time.monotonic_ns() % 1_000_000 + 100)
        seconds.append(timed(project, "deploy", *named, code=code))
    return tuple(seconds)


def repeated(runs: int, project: Path, *arguments: str) -> tuple[float, ...]:
    return tuple(timed(project, *arguments) for _ in range(runs))


def timed(project: Path, *arguments: str, code: int = 0) -> float:
    """Run a command and give its wall time. It must end with this code."""
    started_s = time.monotonic()
    done = edgekit(project, *arguments, timeout=900)
    took_s = time.monotonic() - started_s
    assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stderr}"
    return took_s


def report(rows: Sequence[Row], count: int) -> str:
    """The table, and how it was made."""
    found = {row.what: statistics.median(row.seconds) for row in rows}
    ratios = [
        f"- {what}: {found[f'{what}, {count} devices'] / found[what]:.2f} times one device"
        for what in ("deployment that changes nothing", "status", "new settings, 5 s of probation")
    ]
    head = [
        "# Deployments to virtual Jetsons",
        "",
        f"`python -m tests.lab enter python bench/deploy_times.py --devices {count}` on {os.cpu_count()} cores, "
        f"Python {platform.python_version()} on the host and 3.8 on the devices, which share these cores; "
        f"load average at the end {os.getloadavg()[0]:.1f}.",
        "The detector is a network of some layers on 64 x 64 pixels: what is measured is the deployment, not TensorRT. "
        "No Jetson was measured.",
        "",
        "| what | median s | range s |",
        "|---|---|---|",
    ]
    return (
        "\n".join([*head, *(row.line for row in rows), "", f"{count} devices at once against one:", "", *ratios]) + "\n"
    )


if __name__ == "__main__":
    main()
