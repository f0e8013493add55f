"""Draw the calibration pictures and the frozen set on a machine that has only device code's Python (3.8).

    python bench/tensorrt_sets.py OUT_DIR

Writes OUT_DIR/calib (300 pictures) and OUT_DIR/frozen (220) as `calib_sets/roadscene*` describe them, from the same
seeds, as JPEG. OpenCV releases draw a few of them differently by single grey levels, so an engine is compared with ONNX
Runtime on the pictures drawn here, never on another machine's.
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2

from edgekit.scenes import CONDITIONS, render_scene, split_seed

SETS = {"calib": 300, "frozen": 220}


def draw(split: str, index: int, folder: Path) -> None:
    """One picture, named as the kit names it."""
    cv2.setNumThreads(1)
    condition = tuple(CONDITIONS)[index % len(CONDITIONS)]
    scene = render_scene(split_seed(split, index), condition, 1280, 720)
    cv2.imwrite(str(folder / f"{condition}-{index:05d}.jpg"), scene.frame, [cv2.IMWRITE_JPEG_QUALITY, 95])


def main() -> int:
    """Draw both sets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out_dir", type=Path)
    out_dir = parser.parse_args().out_dir
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for split, count in SETS.items():
            folder = out_dir / split
            folder.mkdir(parents=True, exist_ok=True)
            list(pool.map(draw, [split] * count, range(count), [folder] * count))
    return 0


if __name__ == "__main__":
    sys.exit(main())
