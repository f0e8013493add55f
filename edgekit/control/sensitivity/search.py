"""The search for the layers that cost INT8 its accuracy: rank them here, try on the device, keep as few in float as
the gate allows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.control.build import Order, fulfil, needs_calibration, place_order
from edgekit.control.evaluation.gate import gate_of
from edgekit.control.evaluation.judged_sets import Judged, judged_by
from edgekit.control.golden import spread
from edgekit.control.groundwork import Groundwork
from edgekit.control.inventory import Device
from edgekit.control.link import Link
from edgekit.control.prepare import QUANTISER, prepare_model
from edgekit.control.sensitivity.layers import QuantisedModel
from edgekit.control.sensitivity.plan import next_count
from edgekit.control.sensitivity.rank import PICTURES, rank_layers
from edgekit.control.sensitivity.record import Attempt, Search, Speed, load_search, save_search, search_path
from edgekit.control.sensitivity.speed import time_engines
from edgekit.control.sets.calibration_sets import MaterialisedSet, load_set, materialise
from edgekit.core.engine import EngineManifest
from edgekit.core.gate import Gate
from edgekit.core.precision import Route
from edgekit.core.progress import OnProgress
from edgekit.core.wire import digest, to_wire
from edgekit.errors import ConfigError, UsageError, VerifyError

TIMED_PICTURES = 24
_RULE = 1  # of ranking and trying: another rule begins anew
OnAttempt = Callable[[Attempt], None]


@dataclass(frozen=True)
class Ground:
    """What a search needs: the device, both engines as orders, and the pictures they are judged on."""

    work: Groundwork
    device: Device
    link: Link
    baseline: Order
    int8: Order
    judged_on: MaterialisedSet

    @property
    def path(self) -> Path:
        """Where the search is kept: another device, model, calibration set, option or yardstick is another search."""
        made, engines = self.judged_on, [self.baseline.request.engine_id, self.int8.request.engine_id]
        judged = [made.sha256, made.truth.sha256 if made.truth else None, sorted(made.tags.items())]
        key = digest([_RULE, engines, judged, to_wire(self.int8.detector.spec)])
        return search_path(self.work.project, self.device.name, key)


def prepare_search(
    work: Groundwork,
    device: Device,
    link: Link,
    on_progress: OnProgress,
    *,
    detector: str | None = None,
    judged_on: str | None = None,
    calibration: str | None = None,
) -> Ground:
    """Ask the device what it is, and make the pictures ready. Nothing is built.

    detector, judged_on and calibration replace the device's detector, the detector's frozen set and its calibration
    set. Raises ConfigError without a set to judge on, UsageError for a model that was trained for INT8.
    """
    chosen = work.detector(detector or device.detector)
    if not needs_calibration(chosen, "int8"):
        raise UsageError(
            f"{chosen.name} was trained for INT8 and brings its own scales",
            why="which of its layers compute in float was settled in training",
        )
    name = judged_on or chosen.frozen
    if not name:
        raise ConfigError(
            f"{chosen.name} names no frozen set, so nothing tells what INT8 loses",
            hint=f"add `frozen: NAME` to {chosen.folder / 'detector.yaml'}, or name a set: --on SET",
        )
    made = materialise(work.project, load_set(work.project, name), on_progress, labels=chosen.spec.labels)
    baseline = place_order(work, device, link, None, on_progress, detector=chosen.name)
    int8 = place_order(work, device, link, "int8", on_progress, detector=chosen.name, calibration=calibration)
    return Ground(work, device, link, baseline, int8, made)


def search(ground: Ground, most_builds: int, on_progress: OnProgress, on_attempt: OnAttempt) -> Search:
    """Find the fewest layers that must stay in float for INT8 to keep its accuracy; at most so many engines are built
    beside the first. A search that was interrupted goes on where it was: every step is kept as it is done.

    Raises what building, predicting and judging raise. An INT8 engine that does not answer as its model does, which
    every build ends with looking at, is an attempt that did not pass.
    """
    return _Search(ground, on_progress, on_attempt).run(most_builds)


class _Search:
    """One search on its way: the record, and the baseline that engines are compared with."""

    def __init__(self, ground: Ground, on_progress: OnProgress, on_attempt: OnAttempt) -> None:
        self._ground, self._on_progress, self._on_attempt = ground, on_progress, on_attempt
        self._baseline = fulfil(ground.baseline, on_progress)
        self._record = load_search(ground.path) or self._begun()

    def run(self, most_builds: int) -> Search:
        start = self._record.start
        passed = {0: self._try(start).passed}
        if passed[0]:
            return self._record
        if not self._record.harms:
            self._rank()
        worst = [harm.layer for harm in self._record.harms]
        while len(passed) <= most_builds and (count := next_count(passed, len(worst))) is not None:
            passed[count] = self._try(tuple(sorted({*start, *worst[:count]}))).passed
        best = self._record.best
        if best is not None and (self._record.speed is None or self._record.speed.engine_id != best.engine_id):
            self._keep(replace(self._record, speed=self._speed(best)))
        return self._record

    def _begun(self) -> Search:
        ground = self._ground
        return Search(
            device=ground.device.name,
            detector=ground.int8.detector.name,
            calibration=ground.int8.calibration.name if ground.int8.calibration else "",
            dataset=ground.judged_on.name,
            baseline_precision=self._baseline.precision,
            baseline_engine_id=self._baseline.engine_id,
            start=ground.int8.request.keep_float,
        )

    def _try(self, keep_float: tuple[str, ...]) -> Attempt:
        attempt = self._record.of(keep_float)
        if attempt is None:
            attempt = self._attempt(keep_float)
            self._keep(replace(self._record, attempts=(*self._record.attempts, attempt)))
        self._on_attempt(attempt)
        return attempt

    def _attempt(self, keep_float: tuple[str, ...]) -> Attempt:
        ground = self._ground
        order = replace(ground.int8, request=replace(ground.int8.request, keep_float=keep_float))
        try:
            engine = fulfil(order, self._on_progress)
        except VerifyError as error:
            return Attempt(keep_float, order.request.engine_id, 0, 0, None, error.what)
        return Attempt(keep_float, engine.engine_id, engine.layers_quantised, engine.layers_total, self._gate(engine))

    def _gate(self, engine: EngineManifest) -> Gate:
        ground = self._ground
        return gate_of(
            ground.work.project,
            ground.device.name,
            ground.link,
            ground.int8.detector,
            self._baseline,
            engine,
            ground.judged_on,
            self._on_progress,
        )

    def _rank(self) -> None:
        """On this machine, in a model quantised as nearly as can be to how the device does it."""
        ground, detector = self._ground, self._ground.int8.detector
        quantiser = ranking_quantiser(ground.int8)
        made = prepare_model(
            ground.work.project,
            detector,
            Route("explicit", False, "layers are ranked on this machine"),
            "int8",
            ground.int8.calibration,
            self._on_progress,
            quantiser=quantiser,
        )
        judged = judged_by(ground.work.project, detector, ground.judged_on, self._on_progress)
        pictures = self._telling_pictures(judged)
        model = QuantisedModel(made.model_path, detector.model_path)
        harms = rank_layers(model, detector.spec, judged.truth, pictures, self._on_progress)
        fresh = tuple(harm for harm in harms if harm.layer not in self._record.start)
        names = tuple(path.name for path in pictures)
        self._keep(replace(self._record, quantiser=quantiser, ranked_on=names, harms=fresh))

    def _telling_pictures(self, judged: Judged) -> tuple[Path, ...]:
        """Pictures with objects: of the strata that were lost, and as many of all where accuracy was lost over all."""
        gate = self._record.first.gate
        lost = {row.stratum for row in gate.lost} if gate else {"all"}
        full = [path for path in self._ground.judged_on.paths if len(judged.truth.pictures[path.name].objects)]
        telling = [path for path in full if lost & set(judged.strata.get(path.name, ()))]
        if "all" not in lost:
            return spread(telling or full, PICTURES)
        chosen = spread(telling, PICTURES // 2)
        return tuple(sorted((*chosen, *spread([path for path in full if path not in chosen], PICTURES - len(chosen)))))

    def _speed(self, best: Attempt) -> Speed:
        ground, first = self._ground, self._record.first
        before = (first.engine_id,) if first.gate else ()
        engines = (self._baseline.engine_id, best.engine_id, *before)
        pictures = spread(ground.judged_on.paths, TIMED_PICTURES)
        baseline_ms, after_ms, *rest = time_engines(
            ground.link, ground.int8.detector.spec, engines, pictures, self._on_progress
        )
        return Speed(best.engine_id, baseline_ms, rest[0] if rest else 0.0, after_ms)

    def _keep(self, record: Search) -> None:
        save_search(self._ground.path, record)
        self._record = record


def ranking_quantiser(order: Order) -> str:
    """The quantiser of this machine whose scales and places are most like those of the device's own route."""
    if order.route is None:
        return f"{QUANTISER}:all:minmax"
    if order.route.name == "calibrator":
        return f"{QUANTISER}:weighted:{order.request.tensorrt.calibrator}"
    return QUANTISER
