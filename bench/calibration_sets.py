"""What a calibration set is worth: mAP50-95 of INT8 by condition, for day-only, random and long-tail sets.

    python bench/calibration_sets.py compare --work DIR [--sizes 32 100 300] [--seeds 0 1 2] [--resamples 400] [--save]
    python bench/calibration_sets.py strata [--pictures 60] [--save]

`compare` draws an archive as a camera fills it, four fifths by day and the rest of the other ten conditions, chooses
sets from it by `edgekit calib select`, builds an INT8 engine from each on the device `local` (ONNX Runtime, or
TensorRT where there is one), and measures all on the frozen set. Intervals are paired over the frozen pictures, of the
difference to the engine that is not quantised. A second run with the same DIR builds nothing again.

`strata` draws fresh scenes of known condition and prints how the rules of core/strata.py judge them.
"""

from __future__ import annotations

import argparse
import collections
import itertools
import json
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from common import machine, save_result

from edgekit.control.build import fulfil, place_order
from edgekit.control.connect import link_to
from edgekit.control.evaluation.accuracy import load_predictions
from edgekit.control.evaluation.bootstrap_interval import Matches, match, mean_ap, paired_difference
from edgekit.control.evaluation.truth import Truth
from edgekit.control.groundwork import Groundwork
from edgekit.control.inventory import load_inventory
from edgekit.control.project import Project, init_project
from edgekit.control.sets import choosing
from edgekit.control.sets.calibration_sets import load_set, materialise
from edgekit.control.sets.writing import write_set
from edgekit.core.requests import PredictAnswer, PredictRequest
from edgekit.scenes import CONDITIONS

DETECTOR, FROZEN = "roadscene", "roadscene-frozen"
RARE = tuple(name for name in CONDITIONS if name != "day")
METHODS = ("day-only", "random", "long-tail")


def quiet(what: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


def make_archive(project: Project, pictures: int, width: int, height: int) -> None:
    """Two sets to choose from: all that the camera saw, and its days alone. Neither meets a frozen seed."""
    archive = ["day"] * (4 * len(RARE)) + list(RARE)
    size = {"width": width, "height": height}
    for name, conditions in (("archive", archive), ("archive-day", ["day"])):
        scenes = {"split": "calib", "count": pictures, **size, "conditions": conditions}
        write_set(project.calib_sets_dir / name, {"scenes": scenes}, "Drawn by bench/calibration_sets.py.")


class Measuring:
    """Engines of one device, judged on the frozen set."""

    def __init__(self, project: Project, device: str) -> None:
        self.project, self.ground = project, Groundwork(project)
        self.entry = load_inventory(project).device(device)
        self.detector = self.ground.detector(DETECTOR)
        self.frozen = materialise(project, load_set(project, FROZEN), quiet, labels=self.detector.spec.labels)
        self.backend = ""

    def matches(self, precision: str | None, calibration: str | None) -> Matches:
        """Build an engine, or find it, and settle what it hits."""
        assert self.frozen.truth is not None
        with closing(link_to(self.project, self.entry)) as link, link.work_folder() as work:
            order = place_order(
                self.ground, self.entry, link, precision, quiet, detector=DETECTOR, calibration=calibration
            )
            fulfil(order, quiet, force=False)
            self.backend = order.profile.backend_name
            out = f"{work}/predictions.jsonl"
            pictures = link.place(self.frozen.folder)
            link.call(
                "predict", PredictRequest(order.engine_dir, self.detector.spec, pictures, out), PredictAnswer, quiet
            )
            here = self.project.cache_dir / "bench-predictions.jsonl"
            link.fetch(out, here)
        return match(self.frozen.truth, load_predictions(here), len(self.detector.spec.labels))


def choose(measuring: Measuring, method: str, size: int, seed: int) -> str:
    """A set of that kind, by the name of its folder."""
    name = f"{method}-{size}-{seed}"
    source = "archive-day" if method == "day-only" else "archive"
    how = "coverage" if method == "long-tail" else "random"
    eyes = measuring.detector
    choosing.select(measuring.project, [source], name, size, how, seed, eyes, quiet, force=True, write=True)
    return name


def compare(arguments: argparse.Namespace) -> None:
    """The table of sets."""
    init_project(arguments.work)
    project = Project(arguments.work.resolve())
    make_archive(project, arguments.archive, arguments.width, arguments.height)
    if arguments.frozen:
        scenes = {"split": "frozen", "count": arguments.frozen, "width": arguments.width, "height": arguments.height}
        write_set(project.calib_sets_dir / FROZEN, {"scenes": scenes}, "A small one, for trying the script.")
    measuring = Measuring(project, arguments.device)
    truth = measuring.frozen.truth
    assert truth is not None
    started_s = time.monotonic()
    base = measuring.matches(None, None)
    rows = []
    for method, size, seed in itertools.product(METHODS, arguments.sizes, arguments.seeds):
        found = measuring.matches("int8", choose(measuring, method, size, seed))
        rows.append(comparison_row(truth, method, size, seed, base, found, arguments.resamples))
        print(f"{time.monotonic() - started_s:6.0f} s  {method} {size} seed {seed}", file=sys.stderr, flush=True)
    result = {
        "device": arguments.device,
        "backend": measuring.backend,
        "archive": {"pictures": arguments.archive, "day_share": 0.8},
        "frozen": len(truth.pictures),
        "resamples": arguments.resamples,
        "base_map50_95": round(mean_ap(base, np.ones(len(truth.pictures))), 6),
        "rows": rows,
        "seconds": round(time.monotonic() - started_s, 1),
        **machine(),
    }
    save_result("calibration_sets", result, comparison_table(result), arguments)


def comparison_row(
    truth: Truth, method: str, size: int, seed: int, base: Matches, found: Matches, resamples: int
) -> dict[str, Any]:
    """What one set's engine keeps of the unquantised one, by condition, and the differences with their intervals."""
    conditions = np.array([truth.pictures[name].condition for name in base.names])
    paired = paired_difference(truth, base, found, resamples=resamples, seed=seed)
    kept = {"all": _kept(base, found, np.ones(len(conditions)))}
    kept |= {str(name): _kept(base, found, (conditions == name).astype(float)) for name in np.unique(conditions)}
    intervals = {"all": paired.overall, **paired.per_condition}
    return {
        "method": method,
        "size": size,
        "seed": seed,
        "kept_pct": kept,
        "difference": {name: [one.value, one.low, one.high] for name, one in intervals.items()},
    }


def _kept(base: Matches, found: Matches, weights: np.ndarray) -> float:
    """Percent of the unquantised engine's mAP50-95."""
    return round(100 * mean_ap(found, weights) / mean_ap(base, weights), 2)


def comparison_table(result: dict[str, Any]) -> str:
    """Percent kept by condition, the mean of the seeds; then every difference with its interval."""
    rows = result["rows"]
    names = list(rows[0]["kept_pct"])
    lines = [
        f"# INT8 by calibration set: {result['backend']}",
        "",
        f"mAP50-95 kept, percent of the engine that is not quantised ({result['base_map50_95']:.4f} on "
        f"{result['frozen']} pictures), mean of the seeds, lowest and highest seed in brackets.",
        "",
        "| set | " + " | ".join(names) + " |",
        "|---" * (len(names) + 1) + "|",
    ]
    for size, method in itertools.product(sorted({row["size"] for row in rows}), METHODS):
        same = [row for row in rows if (row["method"], row["size"]) == (method, size)]
        cells = [_cell([row["kept_pct"][name] for row in same]) for name in names]
        lines.append(f"| {method} {size} | " + " | ".join(cells) + " |")
    lines += ["", f"Difference in points of mAP50-95 with 95 % interval ({result['resamples']} resamples, paired).", ""]
    lines += ["| set | seed | " + " | ".join(names) + " |", "|---" * (len(names) + 2) + "|"]
    for row in rows:
        cells = [_difference(row["difference"].get(name)) for name in names]
        lines.append(f"| {row['method']} {row['size']} | {row['seed']} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(values: list[float]) -> str:
    return f"{np.mean(values):.1f} ({min(values):.1f}-{max(values):.1f})"


def _difference(given: list[float] | None) -> str:
    if given is None:
        return "-"
    value, low, high = (100 * number for number in given)
    clear = "**" if low > 0 or high < 0 else ""
    return f"{clear}{value:+.2f}{clear} ({low:+.2f}..{high:+.2f})"


def strata(arguments: argparse.Namespace) -> None:
    """How the rules judge scenes of known condition, by numbers of pictures."""
    import cv2

    from edgekit.core.scene_descriptor import describe, small_size, with_objects
    from edgekit.core.strata import AXES, measured_strata
    from edgekit.scenes import render_scene, split_seed

    judged: dict[str, dict[str, collections.Counter[str]]] = {axis: {} for axis in AXES}
    spent_s = 0.0
    for number, condition in enumerate(CONDITIONS):
        for index in range(arguments.pictures):
            seed = split_seed("calib", arguments.first + number * arguments.pictures + index)
            scene = render_scene(seed, condition, 1280, 720)
            small = cv2.resize(scene.frame, small_size(1280, 720), interpolation=cv2.INTER_AREA)
            began_s = time.perf_counter()
            described = describe(small)
            spent_s += time.perf_counter() - began_s
            for axis, stratum in measured_strata(with_objects(described, scene.truth, 0.5)).items():
                judged[axis].setdefault(condition, collections.Counter())[stratum] += 1
    lines = ["# How descriptors judge scenes of known condition", ""]
    for axis, names in AXES.items():
        lines += [f"| {axis} | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
        lines += [
            f"| {condition} | " + " | ".join(str(counts.get(name, 0)) for name in names) + " |"
            for condition, counts in judged[axis].items()
        ] + [""]
    total = arguments.pictures * len(CONDITIONS)
    lines.append(f"{total} scenes; a descriptor took {1000 * spent_s / total:.2f} ms on average.")
    result = {"pictures": arguments.pictures, "first": arguments.first, "judged": judged, **machine()}
    save_result("scene_strata", json.loads(json.dumps(result)), "\n".join(lines) + "\n", arguments)


def main() -> int:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(required=True)
    comparing, judging = verbs.add_parser("compare"), verbs.add_parser("strata")
    comparing.set_defaults(function=compare)
    comparing.add_argument("--work", type=Path, required=True, help="a project of its own is made here")
    comparing.add_argument("--device", default="local")
    comparing.add_argument("--sizes", type=int, nargs="+", default=[32, 100, 300])
    comparing.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    comparing.add_argument("--archive", type=int, default=1000)
    comparing.add_argument("--frozen", type=int, default=0, help="a smaller frozen set, for trying the script")
    comparing.add_argument("--width", type=int, default=1280)
    comparing.add_argument("--height", type=int, default=720)
    comparing.add_argument("--resamples", type=int, default=400)
    judging.set_defaults(function=strata)
    judging.add_argument("--pictures", type=int, default=60, help="of each condition")
    judging.add_argument("--first", type=int, default=20_000, help="index of the first seed of the calib split")
    for one in (comparing, judging):
        one.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
        one.add_argument("--save", action="store_true", help="also write bench/results/")
    arguments = parser.parse_args()
    arguments.function(arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
