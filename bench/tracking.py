"""How well the tracker keeps its numbers on the procedural street, whose truth knows who is who; and what it costs.

    python bench/tracking.py --save
    python bench/tracking.py --model detectors/roadscene/model.onnx --labels detectors/roadscene/labels.txt --save

Streets are moved without being painted. The truth is what `render_scene` calls an object (a quarter of it visible),
with the identity of what was placed in the street; who fades out at one end and comes back at the other is someone new.
The detections are that truth, spoilt: dropped at random, moved by a share of the box, scored at random from 0.3 to
0.95, with a wrong class, and with boxes that are nothing. With --model a network looks at the painted streets as well,
at 15 frames a second: the detections that the kit's own pipeline has for it.

Figures: MOTA and ID switches by the CLEAR rule (IoU of at least 0.5, pairs of the frame before are kept, the others by
the largest overlap first), IDF1 by the best one-to-one pairing of true with reported identities over a whole video.
Reported is what the tracker says it sees in a frame, so that an object it has not confirmed yet counts as missed. Two
lines through the picture are counted by the kit's rules, once with the true identities and once with the reported ones.
Each figure pools all videos of a row. The plain tracker beside it pairs boxes by their IoU with those of the
last second alone.
The tracker's constants were chosen on seeds from 900 up; the videos here are of seeds from 0 up.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgekit.core.association import iou
from edgekit.core.detections import Detections
from edgekit.core.event_rules import EventRules
from edgekit.core.events import EventSettings
from edgekit.core.tracking import Tracker, Tracks
from edgekit.core.zones import Line, Zone
from edgekit.scenes.look import CONDITIONS as LOOKS
from edgekit.scenes.look import random_look
from edgekit.scenes.motion import Motion
from edgekit.scenes.scene import far_to_near, figure_of, truth_of
from edgekit.scenes.stream import SceneStream
from edgekit.scenes.street import random_street
from edgekit.scenes.traffic import CLASSES, CROWDS, Actor, Crowd, populate
from edgekit.scenes.view import random_view

sys.path.insert(0, str(Path(__file__).resolve().parent))
from common import detector_from, machine, save_result

WIDTH, HEIGHT = 1280, 720
RATES_FPS = (5, 15, 30)
DETECTOR_FPS = 15
CONDITIONS = ("day", "occlusion", "tiny")
SEEDS = (0, 1)
PAIRED_IOU = 0.5
CROSSED = (Line("across", (0.0, 0.6), (1.0, 0.6)), Line("down", (0.5, 0.0), (0.5, 1.0)))
NOBODY = 0


@dataclass(frozen=True)
class Spoilt:
    """How detections differ from the truth."""

    dropped: float = 0.0  # share of the objects
    jitter: float = 0.0  # standard deviation of each coordinate, in shares of the root of the box's area
    unsure: bool = False  # scores from 0.3 to 0.95 instead of 0.9
    wrong_class: float = 0.0  # share of the objects
    false_boxes: float = 0.0  # a frame


SPOILT = {
    "perfect": Spoilt(),
    "10 % dropped": Spoilt(dropped=0.1),
    "20 % dropped": Spoilt(dropped=0.2),
    "30 % dropped": Spoilt(dropped=0.3),
    "5 % jitter": Spoilt(jitter=0.05),
    "all of it": Spoilt(dropped=0.2, jitter=0.05, unsure=True, wrong_class=0.05, false_boxes=0.5),
}


@dataclass(frozen=True)
class Seen:
    """What is in one frame, truth or report: boxes (N, 4) and who they are, (N,) int64."""

    boxes_xyxy: np.ndarray
    who: np.ndarray


Video = list[tuple[Detections, Seen]]
Follow = Callable[[Detections, float], Seen]


def street_video(seed: int, condition: str, fps: float, seconds: float) -> Video:
    """Truth and identities, frame by frame: the truth of a `SceneStream` of the same seed, without its pictures."""
    rng = np.random.default_rng([seed, len(LOOKS)])
    view, street = random_view(rng, WIDTH, HEIGHT), random_street(rng)
    rng = np.random.default_rng([seed, len(LOOKS), LOOKS.index(condition), 0])
    look = random_look(rng, condition)
    actors = populate(rng, condition, street, look)
    motion = Motion(actors, street.edge_m, CROWDS.get(condition, Crowd()))
    moving = {id(actor) for actor in motion.actors}
    still = [(actor, 1.0) for actor in actors if id(actor) not in moving]
    people = People()
    video: Video = []
    for _ in range(round(seconds * fps)):
        figures = {}
        for actor, opacity in [*still, *zip(motion.actors, motion.opacities())]:
            figure = figure_of(actor, street, view, look)
            if figure is not None and opacity > 0.02:
                figures[id(figure.solid)] = (figure._replace(opacity=opacity), people.number(actor))
        order = far_to_near([figure for figure, _ in figures.values()])
        truth = truth_of(order, view)
        video.append((truth, _identified(truth, [(figure, figures[id(figure.solid)][1]) for figure in order])))
        motion.step(1.0 / fps)
    return video


class People:
    """Numbers for actors; a new one for who left at one end of the way and came back at the other."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[int, float, float]] = {}
        self._last = 0

    def number(self, actor: Actor) -> int:
        """Who this is. The same actor at a place far from the one before is someone else."""
        number, x_m, z_m = self._known.get(id(actor), (0, 1e9, 1e9))
        if abs(actor.place.x_m - x_m) + abs(actor.place.z_m - z_m) > 10:
            self._last += 1
            number = self._last
        self._known[id(actor)] = (number, actor.place.x_m, actor.place.z_m)
        return number


def _identified(truth: Detections, figures: list) -> Seen:
    """The truth keeps the order of the figures it is taken from, and their boxes but for the picture's edge."""
    limit = np.array([WIDTH, HEIGHT, WIDTH, HEIGHT], np.float32)
    left, who = iter(figures), []
    for box, class_id in zip(truth.boxes_xyxy, truth.class_ids):
        for figure, number in left:
            clipped = np.clip(figure.box_xyxy, 0, limit).astype(np.float32)
            if figure.solid.class_id == class_id and (clipped == box).all():
                who.append(number)
                break
    assert len(who) == len(truth)
    return Seen(truth.boxes_xyxy, np.array(who, np.int64))


def spoil(truth: Detections, spoilt: Spoilt, rng: np.random.Generator) -> Detections:
    """What a detector might have made of it."""
    kept = truth.select(rng.random(len(truth)) >= spoilt.dropped)
    size = np.sqrt(np.prod(kept.boxes_xyxy[:, 2:] - kept.boxes_xyxy[:, :2], axis=1, keepdims=True))
    boxes = kept.boxes_xyxy + rng.normal(0, 1, kept.boxes_xyxy.shape) * size * spoilt.jitter
    wrong = rng.random(len(kept)) < spoilt.wrong_class
    classes = np.where(wrong, rng.integers(len(CLASSES), size=len(kept)), kept.class_ids)
    scores = rng.uniform(0.3, 0.95, len(kept)) if spoilt.unsure else np.full(len(kept), 0.9)
    count = int(rng.poisson(spoilt.false_boxes))
    corner, side = rng.uniform(0, (WIDTH - 150, HEIGHT - 150), (count, 2)), rng.uniform(20, 150, (count, 2))
    return Detections(
        np.concatenate([boxes, np.concatenate([corner, corner + side], axis=1)]).astype(np.float32),
        np.concatenate([scores, rng.uniform(0.3, 0.7, count)]).astype(np.float32),
        np.concatenate([classes, rng.integers(len(CLASSES), size=count)]).astype(np.int32),
    )


def ours() -> Follow:
    """The kit's tracker with its own settings."""
    tracker = Tracker()

    def follow(detections: Detections, now_s: float) -> Seen:
        tracks = tracker.update(detections, now_s)
        return Seen(tracks.boxes_xyxy[tracks.seen], tracks.ids[tracks.seen])

    return follow


def plain() -> Follow:
    """Twenty lines that many start with: a box is who overlapped it most in the last second, 0.3 at least."""
    boxes, who, seen_s, last = np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0), 0

    def follow(detections: Detections, now_s: float) -> Seen:
        nonlocal boxes, who, seen_s, last
        recent = now_s - seen_s <= 1.0
        boxes, who, seen_s = boxes[recent], who[recent], seen_s[recent]
        found = detections.boxes_xyxy
        numbers = np.zeros(len(found), np.int64)
        for row, column in largest_first(iou(boxes, found), 0.3):
            numbers[column], boxes[row], seen_s[row] = who[row], found[column], now_s
        new = np.flatnonzero(numbers == NOBODY)
        numbers[new] = np.arange(last + 1, last + 1 + len(new))
        last += len(new)
        boxes, who = np.concatenate([boxes, found[new]]), np.concatenate([who, numbers[new]])
        seen_s = np.concatenate([seen_s, np.full(len(new), now_s)])
        return Seen(found, numbers)

    return follow


def largest_first(overlap: np.ndarray, least: float) -> Iterator[tuple[int, int]]:
    """Pairs of rows and columns, each once."""
    rows, columns = np.nonzero(overlap >= least)
    free_rows, free_columns = set(rows.tolist()), set(columns.tolist())
    for index in np.argsort(-overlap[rows, columns], kind="stable"):
        row, column = int(rows[index]), int(columns[index])
        if row in free_rows and column in free_columns:
            free_rows.discard(row)
            free_columns.discard(column)
            yield row, column


@dataclass
class Score:
    """Counts over videos; figures from them."""

    truths: int = 0
    reports: int = 0
    missed: int = 0
    false: int = 0
    switches: int = 0
    same: int = 0  # boxes whose true and reported identities are paired over the video: IDTP
    people: int = 0
    numbers: int = 0
    crossings: int = 0  # of the two lines of CROSSED
    miscounted: int = 0  # by which the counters are too high or too low, each line and direction of each video apart

    @property
    def mota(self) -> float:
        return 1 - (self.missed + self.false + self.switches) / max(self.truths, 1)

    @property
    def idf1(self) -> float:
        return 2 * self.same / max(self.truths + self.reports, 1)

    def add(self, truths: list[Seen], reports: list[Seen]) -> None:
        """One video."""
        last: dict[int, int] = {}
        before: dict[int, int] = {}
        together: Counter[tuple[int, int]] = Counter()
        everybody, numbers = set(), set()
        for truth, report in zip(truths, reports):
            overlap = iou(truth.boxes_xyxy, report.boxes_xyxy)
            near = zip(*np.nonzero(overlap >= PAIRED_IOU))
            together.update((int(truth.who[row]), int(report.who[column])) for row, column in near)
            before = _pairs(truth, report, overlap, before)
            self.switches += sum(last.get(person, number) != number for person, number in before.items())
            last.update(before)
            self.missed += len(truth.who) - len(before)
            self.false += len(report.who) - len(before)
            self.truths += len(truth.who)
            self.reports += len(report.who)
            everybody.update(truth.who.tolist())
            numbers.update(report.who.tolist())
        expected, counted = crossings(truths), crossings(reports)
        self.crossings += sum(expected.values())
        self.miscounted += sum(abs(expected[key] - counted[key]) for key in expected.keys() | counted.keys())
        self.same += best_total(together)
        self.people += len(everybody)
        self.numbers += len(numbers)


def _pairs(truth: Seen, report: Seen, overlap: np.ndarray, before: dict[int, int]) -> dict[int, int]:
    """True identity -> reported one, in one frame."""
    people, numbers = truth.who.tolist(), report.who.tolist()
    left = overlap.copy()
    pairs = {}
    for row, person in enumerate(people):
        column = numbers.index(before[person]) if before.get(person) in numbers else None
        if column is not None and overlap[row, column] >= PAIRED_IOU:
            pairs[person] = numbers[column]
            left[row], left[:, column] = 0, 0
    pairs.update((people[row], numbers[column]) for row, column in largest_first(left, PAIRED_IOU))
    return pairs


def crossings(frames: list[Seen]) -> Counter[tuple[str, str]]:
    """(line, direction) -> how often, by the kit's rules for any identities; who is not in a frame is not forgotten."""
    rules = EventRules(EventSettings(lines=CROSSED))
    counted: Counter[tuple[str, str]] = Counter()
    known: dict[int, np.ndarray] = {}
    for index, seen in enumerate(frames):
        rows = {person: row for row, person in enumerate(seen.who.tolist())}
        known.update((person, seen.boxes_xyxy[row]) for person, row in rows.items())
        events = rules.update(_tracks(known, rows), (WIDTH, HEIGHT), index, 0.0)
        counted.update((event.place, event.direction) for event in events)
    return counted


def _tracks(known: dict[int, np.ndarray], rows: dict[int, int]) -> Tracks:
    people, count = sorted(known), len(known)
    return Tracks(
        ids=np.array(people, np.int64),
        boxes_xyxy=np.array([known[person] for person in people], np.float32).reshape(-1, 4),
        scores=np.ones(count, np.float32),
        class_ids=np.zeros(count, np.int32),
        ages_s=np.zeros(count),
        unseen_s=np.zeros(count),
        is_new=np.zeros(count, bool),
        rows=np.array([rows.get(person, -1) for person in people], np.int64),
    )


def best_total(together: Counter[tuple[int, int]]) -> int:
    """The largest sum over pairs of which no two share a side: the Hungarian method with potentials, O(n^3)."""
    people, numbers = sorted({a for a, _ in together}), sorted({b for _, b in together})
    if not people:
        return 0
    gain = np.zeros((len(people), max(len(people), len(numbers))))
    for (person, number), count in together.items():
        gain[people.index(person), numbers.index(number)] = count
    columns = _cheapest(-gain)
    return int(gain[np.arange(len(people)), columns].sum())


def _cheapest(cost: np.ndarray) -> np.ndarray:
    """The column of each row, of an (N, M) cost with N <= M: each row finds its shortest augmenting path."""
    rows, columns = cost.shape
    row_price, price, owner = np.zeros(rows), np.zeros(columns), np.full(columns, -1)
    for start in range(rows):
        distance, via, done = np.full(columns, np.inf), np.full(columns, -1), np.zeros(columns, bool)
        row, at, length = start, -1, 0.0
        while True:
            shorter = length + cost[row] - row_price[row] - price
            better = ~done & (shorter < distance)
            distance[better], via[better] = shorter[better], at
            at = int(np.where(done, np.inf, distance).argmin())
            length, done[at] = distance[at], True
            if owner[at] < 0:
                break
            row = int(owner[at])
        reached = done & (owner >= 0)
        row_price[owner[reached]] += length - distance[reached]
        row_price[start] += length
        price[done] -= length - distance[done]
        while at >= 0:
            owner[at] = owner[via[at]] if via[at] >= 0 else start
            at = via[at]
    result = np.zeros(rows, int)
    result[owner[owner >= 0]] = np.flatnonzero(owner >= 0)
    return result


def main() -> int:
    """Measure, print, and write bench/results/tracking-DATE.{json,md} if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each video")
    parser.add_argument("--model", type=Path, help="an ONNX file with YOLOv8's output layout, input 384 x 640")
    parser.add_argument("--labels", type=Path, help="one label a line")
    parser.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    parser.add_argument("--save", action="store_true", help="also write bench/results/")
    parser.set_defaults(height=384, width=640, confidence=0.25)
    arguments = parser.parse_args()
    rows = []
    for fps in RATES_FPS:
        videos = [street_video(seed, name, fps, arguments.seconds) for seed in SEEDS for name in CONDITIONS]
        for name, spoilt in SPOILT.items():
            seen = [spoilt_video(video, spoilt, number) for number, video in enumerate(videos)]
            rows += [{"detections": name, "fps": fps, **measure(make, seen, fps)} for make in (ours, plain)]
        if arguments.model and fps == DETECTOR_FPS:
            seen = list(detected_videos(arguments, videos))
            name = arguments.model.parent.name
            rows += [{"detections": name, "fps": fps, **measure(make, seen, fps)} for make in (ours, plain)]
    result = {"rows": rows, "cost": cost(), "seconds": arguments.seconds, "videos": len(SEEDS) * len(CONDITIONS)}
    save_result("tracking", result | machine(), render(result), arguments)
    return 0


def spoilt_video(video: Video, spoilt: Spoilt, number: int) -> Video:
    """The same frames with what a detector might have made of them."""
    rng = np.random.default_rng([number, 5])
    return [(spoil(truth, spoilt, rng), seen) for truth, seen in video]


def detected_videos(arguments: argparse.Namespace, videos: list[Video]) -> Iterator[Video]:
    """The same frames with what a network finds in their pictures."""
    from edgekit.core.engine import BuildRequest
    from edgekit.runtime.engines import build_engine, load_engine
    from edgekit.runtime.frames import Frame
    from edgekit.runtime.host_stages import stages_for
    from edgekit.runtime.probe import probe_device

    detector, profile = detector_from(arguments), probe_device()
    with tempfile.TemporaryDirectory() as folder:
        request = BuildRequest(detector, "fp32", profile.engine_key, str(arguments.model), folder)
        engine_id = build_engine(request, profile, lambda *_: None).engine_id
        stages = stages_for(detector, load_engine(str(Path(folder) / engine_id), detector, profile, threads=1))
        slot = stages.make_slot()
        streets = ((seed, name) for seed in SEEDS for name in CONDITIONS)
        for (seed, condition), video in zip(streets, videos):
            stream, detected = SceneStream(seed, WIDTH, HEIGHT, DETECTOR_FPS, (condition,)), []
            for index, (truth, seen) in enumerate(video):
                pixels, painted, _ = stream.read()
                assert np.array_equal(painted.boxes_xyxy, truth.boxes_xyxy)
                fit = stages.preprocess(Frame(pixels, index, 0.0, ""), slot, 0)
                stages.launch(slot, 1)
                detected.append((stages.collect(slot, [fit]).detections[0], seen))
            yield detected


def measure(make: Callable[[], Follow], videos: list[Video], fps: float) -> dict[str, object]:
    """The figures of one tracker over all videos."""
    score = Score()
    for video in videos:
        follow = make()
        score.add([seen for _, seen in video], [follow(found, index / fps) for index, (found, _) in enumerate(video)])
    return {
        "tracker": make.__name__,
        "mota": round(score.mota, 4),
        "idf1": round(score.idf1, 4),
        "switches": score.switches,
        "numbers_given": score.numbers,
        "people": score.people,
        "boxes": score.truths,
        "crossings": score.crossings,
        "miscounted": score.miscounted,
    }


def cost(objects: int = 30, frames: int = 1500) -> dict[str, float]:
    """Milliseconds an update takes, and one with the rules of four zones and two lines; the first 100 are left out."""
    rng = np.random.default_rng(3)
    corner, side = rng.uniform(0, (1700, 900), (objects, 2)), rng.uniform(30, 150, (objects, 2))
    speed, class_ids = rng.normal(0, 60, (objects, 2)), rng.integers(8, size=objects).astype(np.int32)
    tracker, rules = Tracker(), EventRules(_settings(), CLASSES)
    taken = []
    for index in range(frames):
        low = (corner + speed * index / 30) % (1700, 900) + rng.normal(0, 2, (objects, 2))
        seen = rng.random(objects) > 0.1
        boxes = np.concatenate([low, low + side], axis=1)[seen].astype(np.float32)
        scores = rng.uniform(0.3, 1, len(boxes)).astype(np.float32)
        started = time.perf_counter()
        tracks = tracker.update(Detections(boxes, scores, class_ids[seen]), index / 30)
        tracked = time.perf_counter()
        rules.update(tracks, (1920, 1080), index / 30, 0.0)
        taken.append((tracked - started, time.perf_counter() - tracked))
    update, zones = (sorted(times[100:]) for times in zip(*taken))
    middle, nearly_all = len(update) // 2, int(len(update) * 0.9)
    return {
        "objects": objects,
        "update_median_ms": round(update[middle] * 1e3, 3),
        "update_p90_ms": round(update[nearly_all] * 1e3, 3),
        "rules_median_ms": round(zones[middle] * 1e3, 3),
        "rules_p90_ms": round(zones[nearly_all] * 1e3, 3),
    }


def _settings() -> EventSettings:
    quarters = [(x, y) for x in (0.1, 0.55) for y in (0.1, 0.55)]
    outline = ((0.0, 0.0), (0.35, 0.0), (0.35, 0.35), (0.1, 0.4), (0.0, 0.35))
    zones = tuple(
        Zone(f"zone-{row}", tuple((x + across, y + down) for across, down in outline), stay_s=2.0)
        for row, (x, y) in enumerate(quarters)
    )
    return EventSettings(zones, CROSSED)


def render(result: dict) -> str:
    """Tables for people."""
    lines = [
        "# Tracking on the procedural street",
        "",
        f"{result['videos']} videos of {result['seconds']:g} s for each rate ({', '.join(CONDITIONS)}); their truth, "
        "spoilt, as detections. Each cell is the kit's tracker / plain IoU.",
        "",
        "| detections | FPS | MOTA % | IDF1 % | ID switches | numbers given | real objects | miscounted | crossings |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    names = [*SPOILT, *(row["detections"] for row in result["rows"])]
    rows = sorted(result["rows"], key=lambda row: names.index(row["detections"]))
    for kit, other in zip(rows[::2], rows[1::2]):
        pairs = [f"{kit[name] * 100:.1f} / {other[name] * 100:.1f}" for name in ("mota", "idf1")]
        pairs += [f"{kit[name]} / {other[name]}" for name in ("switches", "numbers_given")]
        counted = [str(kit["people"]), f"{kit['miscounted']} / {other['miscounted']}", f"{kit['crossings']} |"]
        lines.append(" | ".join([f"| {kit['detections']}", str(kit["fps"]), *pairs, *counted]))
    spent = result["cost"]
    return "\n".join(lines) + (
        f"\n\nTime for {spent['objects']} objects a frame, one core: update {spent['update_median_ms']} ms (p90 "
        f"{spent['update_p90_ms']}), four zones and two lines {spent['rules_median_ms']} ms "
        f"(p90 {spent['rules_p90_ms']}).\n"
    )


if __name__ == "__main__":
    raise SystemExit(main())
