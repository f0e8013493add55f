"""What people who look at a service's page cost its pipeline: FPS with 0, 1 and 4 viewers as a share of those without.

    python bench/page_cost.py --model detectors/roadscene/model.onnx --labels detectors/roadscene/labels.txt

Compared: a pipeline on ONNX Runtime that never waits for its source (1280x720 pictures that are there already), so
that all cores are busy. Slices of some seconds take turns: no page, a page that nobody has open, one viewer, four.
A viewer is a process of its own that asks as page.js does: a picture after the other, at most ten a second, and
status.json once a second. Viewers run on the same cores, which those of a device do not, so their own work is in the
FPS; frames for each second of the service's processor time leave it out, and other work on the machine too.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.core.machine import MachineReadings
from edgekit.core.service import Health
from edgekit.runtime.frames import Source
from edgekit.runtime.page.feed import Feed
from edgekit.runtime.page.pictures import Pictures
from edgekit.runtime.page.server import PageServer
from edgekit.runtime.pipeline import Pipeline
from edgekit.runtime.sources import open_source

sys.path.insert(0, str(Path(__file__).resolve().parent))
from common import add_model_arguments, detector_from, loaded_engine, machine, save_result

CASES = {"no page": None, "page, nobody looks": 0, "1 viewer": 1, "4 viewers": 4}
# It imports next to nothing, so that its start is not what is measured.
_VIEWER = """
import http.client, sys, time
connection, asked_s = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1])), 0.0
while True:
    started_s = time.monotonic()
    for path in ("/streams/_.jpg", "/status.json"):
        if path != "/status.json" or started_s - asked_s >= 1:
            connection.request("GET", path)
            connection.getresponse().read()
            asked_s = started_s if path == "/status.json" else asked_s
    time.sleep(max(0.0, started_s + 0.1 - time.monotonic()))
"""
_HEALTH = Health("street", "0" * 16, 1, 1, 0, 10.0, 40.0, 0, "e" * 16, "fp32", time.time(), time.time())


class Ready(Source):
    """Pictures that are there already, again and again."""

    constant = True

    def __init__(self, pictures: list[np.ndarray]) -> None:
        super().__init__()
        self._pictures = pictures

    def _read(self) -> tuple[np.ndarray, str, None]:
        return self._pictures[self._index % len(self._pictures)], "", None


def main() -> int:
    """Measure, print, and write bench/results/page_cost-DATE.{json,md} if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model_arguments(parser)
    parser.add_argument("--rounds", type=int, default=8, help="how often each case has its turn")
    parser.add_argument("--seconds", type=float, default=3.0, help="of one turn")
    arguments = parser.parse_args()
    result = measure(arguments) | machine()
    save_result("page_cost", result, render(result), arguments)
    return 0


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """FPS of each case in each round, and what one picture costs."""
    detector = detector_from(arguments)
    with ExitStack() as stack:
        _, stages = stack.enter_context(loaded_engine(detector, arguments.model))
        feed = Feed(detector.labels, ("",))
        frames = stack.enter_context(shown(stages, feed))
        take(frames, arguments.seconds)  # warm
        fps: dict[str, list[float]] = {case: [] for case in CASES}
        per_cpu_s: dict[str, list[float]] = {case: [] for case in CASES}
        for _ in range(arguments.rounds):
            for case, viewers in CASES.items():
                with watched(feed, viewers) if viewers is not None else nullcontext():
                    take(frames, 0.5)
                    rate, per_second = take(frames, arguments.seconds)
                    fps[case].append(round(rate, 2))
                    per_cpu_s[case].append(round(per_second, 2))
        return {"model": arguments.model.name, "fps": fps, "per_cpu_s": per_cpu_s, "picture_ms": picture_ms(feed)}


@contextmanager
def shown(stages: Any, feed: Feed) -> Iterator[Iterator[int]]:
    """Frame after frame of a pipeline, each shown to the feed as a service does."""
    with open_source("scenes://?seed=3&width=1280&height=720&frames=8") as scenes:
        pictures = [frame.pixels.copy() for frame in scenes]
    with Ready(pictures) as source, Pipeline(source, stages) as pipeline:

        def frames() -> Iterator[int]:
            for number, detected in enumerate(pipeline):
                feed.show(detected)
                yield number

        yield frames()


def take(frames: Iterator[int], seconds: float) -> tuple[float, float]:
    """Frames a second over some time, and for each second of this process's processor time."""
    started_s, before_s, count = time.monotonic(), time.process_time(), 0
    while time.monotonic() - started_s < seconds:
        next(frames)
        count += 1
    return count / (time.monotonic() - started_s), count / (time.process_time() - before_s)


@contextmanager
def watched(feed: Feed, viewers: int) -> Iterator[None]:
    """A page with people at it."""
    feed.say(_HEALTH, MachineReadings())
    with PageServer(feed, 0) as page:
        command = [sys.executable, "-c", _VIEWER, str(page.port)]
        looking = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(viewers)]
        try:
            time.sleep(0.5 if looking else 0.0)
            yield
        finally:
            for process in looking:
                process.kill()
                process.wait()


def picture_ms(feed: Feed) -> float:
    """Processor time of one picture: scaled, drawn, encoded."""
    pictures, shown_last = Pictures(feed), feed.latest("")
    assert shown_last is not None
    costs = []
    for number in range(1, 21):
        started_s = time.thread_time()
        pictures._picture("", shown_last._replace(number=number), number - 1)
        costs.append((time.thread_time() - started_s) * 1e3)
    return round(statistics.median(costs), 2)


def render(result: dict[str, Any]) -> str:
    """The result for people, Markdown."""
    rows = []
    for case, fps in result["fps"].items():
        shares = (share_of(result[key], case) for key in ("fps", "per_cpu_s"))
        rows.append(f"| {case} | {statistics.median(fps):.1f} | {' | '.join(shares)} |")
    return f"""# What the page costs

{result["model"]} FP32 on ONNX Runtime, 1280x720 frames, all cores busy; {len(fps)} rounds, the cases in turn.
One picture of the page (scaled to 960 px, drawn, JPEG) takes {result["picture_ms"]:.1f} ms of processor time, at most
ten times a second however many look. Shares are of the same round's turn without a page: median (least to most).

| | FPS, median | share of the FPS | share of the frames for a second of processor time |
|---|---|---|---|
{os.linesep.join(rows)}
"""


def share_of(figures: dict[str, list[float]], case: str) -> str:
    """How a case compares with no page, round by round."""
    shares = sorted(one / without for one, without in zip(figures[case], figures["no page"], strict=True))
    return f"{statistics.median(shares):.3f} ({shares[0]:.3f} to {shares[-1]:.3f})"


if __name__ == "__main__":
    sys.exit(main())
