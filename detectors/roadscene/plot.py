"""Draw history.json as curves.

python detectors/roadscene/plot.py --history runs/roadscene/history.json --out detectors/roadscene/curves.png
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt


def plot_history(history: list[dict[str, float]], out: Path) -> None:
    """Losses on the left, scores on the validation pictures on the right, both against training minutes."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), constrained_layout=True)
    minutes = [row["seconds"] / 60 for row in history]
    for name in ("box", "class", "bins"):
        left.plot(minutes, [row[name] for row in history], label=name)
    left.set(xlabel="training time [min]", ylabel="weighted loss", yscale="log")
    scored = [row for row in history if "map50_95" in row]
    for name, label in (("map50_95", "mAP50-95"), ("map50", "mAP50")):
        right.plot([row["seconds"] / 60 for row in scored], [row[name] for row in scored], marker="o", label=label)
    right.set(xlabel="training time [min]", ylabel="validation score", ylim=(0, 1))
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(out, dpi=110)


def main() -> None:
    """Read the history, write the picture."""
    parser = argparse.ArgumentParser(description="Plot a training history.")
    parser.add_argument("--history", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    plot_history(json.loads(args.history.read_text()), args.out)


if __name__ == "__main__":
    main()
