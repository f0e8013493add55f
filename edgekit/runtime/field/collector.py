"""Between a service's frames and what is kept of them: takes every frame, and picks those that are worth keeping."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from edgekit.core.collecting import FIELD_FOLDER, SCENES_NAME, CollectSettings, FieldHealth
from edgekit.core.detections import Detections
from edgekit.core.detector import DetectorSpec
from edgekit.core.field_budget import Budget, WorkLimit
from edgekit.core.field_rules import FAR_ABOVE, SeenClasses, StreamRules, View
from edgekit.core.scenes_seen import DriftWatch, ScenesSeen
from edgekit.core.service import ServiceSettings
from edgekit.errors import EdgekitError
from edgekit.runtime.field.keeper import Draft, Keeper
from edgekit.runtime.field.looks import Look, Looks, Wanted
from edgekit.runtime.field.store import nothing_is
from edgekit.runtime.pipeline_batch import DetectedFrame
from edgekit.runtime.release_parts import read_part
from edgekit.runtime.say import say

LOOK_EVERY_S = 0.5
RULES_SHARE = 0.02  # of the pipeline thread's time, at most: of fast frames some are then not judged
_RULES_AT_ONCE_S = 0.02  # as many cameras may send their frames at the same moment
_OTHERS_FIRST_S = 0.5  # how long a look waits for the stream whose turn it is


class Collector:
    """Takes every frame of a service while it is entered; those that are worth it reach the keeper.

    One thread calls `take` and `retune`; any may ask for `health` and `warnings`. `take` costs the rules on detections,
    at most RULES_SHARE of the thread's time; pictures are looked at elsewhere.
    """

    def __init__(
        self,
        settings: CollectSettings,
        detector: DetectorSpec,
        streams: Sequence[str],
        keeper: Keeper,
        watch: Optional[DriftWatch],
        precision: str,
    ) -> None:
        """streams: the names that frames carry. watch: the set of the engine that runs, None if that is not known.

        precision: of the engine that runs.
        """
        self._settings, self._detector, self._precision = settings, detector, precision
        self._keeper, self._watch = keeper, watch
        self._looks = Looks(detector, watch, self._looked_at)
        seen = SeenClasses()
        self._streams = {name: _Stream(StreamRules(seen)) for name in streams}
        self._look_due_s = time.monotonic()
        self._budget = Budget(settings, streams, np.random.default_rng(), time.monotonic())
        self._budgeting = threading.Lock()
        self._limit = WorkLimit(RULES_SHARE, _RULES_AT_ONCE_S)

    def __enter__(self) -> Collector:
        self._looks.__enter__()
        return self

    def __exit__(self, *_: Any) -> None:
        self._looks.__exit__()

    def take(self, detected: DetectedFrame) -> None:
        """A good frame; it is not held up."""
        stream = self._streams[detected.frame.stream]
        reasons = self._granted(detected.frame.stream, self._judged(stream, detected))
        counts = self._watch is not None and self._is_look_due(stream)
        if reasons or counts:
            self._looks.ask(Wanted(detected, stream.objects_lately, reasons, counts, time.time()))
        if reasons:
            stream.rules.kept(detected.detections)
            stream.before_kept = stream.before is detected

    def retune(self, detector: DetectorSpec) -> None:
        """Go on by other thresholds of the same detector; between two frames."""
        self._detector = detector

    def health(self) -> FieldHealth:
        """How it stands."""
        drift, keeper = self._looks.drift, self._keeper
        return FieldHealth(
            kept=keeper.kept,
            kept_mib=keeper.kept_mib,
            added=keeper.added,
            removed=keeper.removed,
            drift=drift.share if drift else None,
            unseen=drift.unseen if drift else (),
            looked_at=drift.looked_at if drift else 0,
            reasons=keeper.reasons,
        )

    def warnings(self) -> List[str]:
        """That the cameras show something else than the set did, and why frames are not kept."""
        drift, watch = self._looks.drift, self._watch
        told = drift.warning(self._precision, watch.set_name) if drift and watch else ""
        return [*filter(None, (told, self._looks.problem)), *self._keeper.problems]

    @property
    def _sure_score(self) -> float:
        return self._detector.confidence + self._settings.uncertain_band

    def _judged(self, stream: _Stream, detected: DetectedFrame) -> Tuple[str, ...]:
        """What the rules say of a frame, if there is time; the frame before it may be kept by that too."""
        if not self._limit.allows(time.monotonic()):
            return ()
        started_s = time.thread_time()
        height, width = detected.frame.pixels.shape[:2]
        view = View(detected.detections, width, height, detected.frame.captured_s)
        self._take_flicker(stream, view)
        reasons = stream.rules.reasons(view, self._sure_score)
        stream.judged(detected)
        self._limit.spent(time.thread_time() - started_s)
        return reasons

    def _granted(self, name: str, reasons: Tuple[str, ...]) -> Tuple[str, ...]:
        """The reasons for which a frame is kept, which may be chance; empty if it is not, or not yet."""
        now_s = time.monotonic()
        with self._budgeting:
            if self._budget.take_random(name, now_s):
                return (*reasons, "random")
            return reasons if reasons and self._budget.take(name, reasons, now_s) else ()

    def _may_keep(self, name: str, reason: str) -> bool:
        with self._budgeting:
            return self._budget.take(name, (reason,), time.monotonic())

    def _take_flicker(self, stream: _Stream, view: View) -> None:
        """Keep the frame before this one if it lacks what the frames around it have, and is not kept already."""
        flickered = stream.rules.flickered(view, self._sure_score)
        between = stream.before
        if not len(flickered) or between is None or stream.before_kept:
            return
        if self._may_keep(between.frame.stream, "flicker"):
            around = _together(stream.objects_lately, view.found)
            self._looks.ask(Wanted(between, around, ("flicker",), False, time.time()))
            stream.rules.kept(_together(between.detections, flickered))

    def _is_look_due(self, stream: _Stream) -> bool:
        """Streams take turns, but none waits for one that gives no frames."""
        now_s = time.monotonic()
        if now_s < self._look_due_s:
            return False
        is_next = stream.looked_s <= min(each.looked_s for each in self._streams.values())
        if not is_next and now_s < self._look_due_s + _OTHERS_FIRST_S:
            return False
        stream.looked_s = now_s
        self._look_due_s = max(self._look_due_s + LOOK_EVERY_S, now_s)
        return True

    def _looked_at(self, wanted: Wanted, look: Look) -> None:
        """Keep a frame that was to be kept, or that lies far from the set. Called by the thread that looks."""
        frame, reasons = wanted.detected.frame, wanted.reasons
        far = look.distance is not None and look.distance > FAR_ABOVE
        if far and (reasons or self._may_keep(frame.stream, "far")):
            reasons = ("far", *reasons)
        if reasons:
            draft = Draft(
                stream=frame.stream,
                reasons=reasons,
                strata=look.strata,
                described=look.described,
                drift=look.distance,
                time_unix_s=wanted.time_unix_s,
                around=wanted.around,
            )
            self._keeper.offer(frame.pixels, wanted.detected.detections, draft)


class _Stream:
    """What is remembered of one stream: the latest frame that was judged, and the objects of the one before that."""

    def __init__(self, rules: StreamRules) -> None:
        self.rules = rules
        self.before: Optional[DetectedFrame] = None
        self.before_kept = False
        self.looked_s = 0.0
        self._objects: Tuple[Detections, Detections] = (Detections.empty(), Detections.empty())

    @property
    def objects_lately(self) -> Detections:
        """What was found in the two frames judged last."""
        return _together(*self._objects)

    def judged(self, detected: DetectedFrame) -> None:
        """Go on to the next frame."""
        self.before, self.before_kept = detected, False
        self._objects = (detected.detections, self._objects[0])


@contextmanager
def collecting(
    settings: ServiceSettings, detector: DetectorSpec, release: Path, state: Path, engine_id: str, precision: str
) -> Iterator[Optional[Collector]]:
    """The collector of a service while this is entered; None if it is to keep nothing.

    release: the folder with scenes.json, if the release has one. state: the service's folder for what it writes.
    engine_id, precision: of the engine that runs.
    """
    if settings.collect is None:
        yield None
        return
    collect, names = settings.collect, [stream.name for stream in settings.streams]
    watch, folder = _watch(release), state / FIELD_FOLDER
    is_unseen = watch.is_unseen if watch else nothing_is
    keeper = Keeper(
        folder, collect, detector.labels, service=settings.service, engine_id=engine_id, is_unseen=is_unseen
    )
    with keeper, Collector(collect, detector, names, keeper, watch, precision) as collector:
        say(f"hard frames are kept in {folder}, {collect.per_hour} an hour at most")
        yield collector


def _watch(release: Path) -> Optional[DriftWatch]:
    path = release / SCENES_NAME
    if not path.exists():
        say("this release tells of no calibration set: whether the cameras show something else is not known")
        return None
    try:
        return DriftWatch(read_part(path, ScenesSeen))
    except EdgekitError as error:  # a service works without it
        say(f"{path} is not used, and drift is not known: {error.what}")
        return None


def _together(first: Detections, second: Detections) -> Detections:
    return Detections(
        np.concatenate([first.boxes_xyxy, second.boxes_xyxy]),
        np.concatenate([first.scores, second.scores]),
        np.concatenate([first.class_ids, second.class_ids]),
    )
