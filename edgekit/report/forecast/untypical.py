"""What is untypical about the newest release: a gain far under the history's own, fewer layers quantised, a worse
calibration set. Each with its likely cause and what to type next. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from edgekit.core.coverage import Coverage
from edgekit.core.engine import PRECISIONS, EngineManifest
from edgekit.core.results import BenchResult
from edgekit.core.stats import mean_interval
from edgekit.report.forecast.releases import Release, ReleaseHistory
from edgekit.report.forecast.texts import text

_MIN_EARLIER_GAINS = 3
_LEAST_SHORTFALL = 0.02  # of speed: a smaller one is no matter whatever its significance
_GAIN_NOISE = 0.02  # of the ratio of two rates of one session
_LAYERS_UP = 0.02  # of all weighted layers
_FEWER_PICTURES = 0.8
_COVERAGE_DOWN = 0.02  # of the strata
_DISTANCE_UP = 2.0


@dataclass(frozen=True)
class Untypical:
    """kind: "int8_gain", "layers", "coverage", "pictures", "tactics", "distance", "backend", "input", "power_mode".

    values: what its sentence is filled with, see texts. command: what to type next.
    """

    kind: str
    values: Mapping[str, str]
    command: str

    @property
    def what(self) -> str:
        """What stands out, in English, with the figures seen."""
        return text("en", f"{self.kind}_what", **self.values)

    @property
    def cause(self) -> str:
        """The likely cause, in English."""
        return text("en", f"{self.kind}_cause")


def untypical_steps(
    history: ReleaseHistory, results: Sequence[BenchResult], coverage: Mapping[str, Coverage] | None = None
) -> tuple[Untypical, ...]:
    """Everything that stands out in the newest release against those before it.

    results: all that were measured, also those that do not count in the history. coverage: digest of a calibration set
    -> how it covers the strata, for the sets of which it is known.
    """
    if not history.releases:
        return ()
    newest, earlier = history.releases[-1], history.releases[:-1]
    found = [*_power_mode(newest, results)]
    if earlier:
        found += [
            *_gain(history.releases, [*history.references, *history.releases]),
            *_layers(newest, earlier),
            *_calibration(newest, earlier, coverage or {}),
            *_tactics(newest, earlier[-1]),
            *_distance(newest, earlier[-1]),
            *_surroundings(newest, earlier[-1]),
        ]
    return tuple(found)


def quantisation_gains(releases: Sequence[Release], others: Sequence[Release]) -> list[tuple[str, float, str]]:
    """(engine id, log of its rate over that of the next wider precision, that precision), oldest release first.

    Only where both are engines of one model; sessions that measured both are preferred, for the machine was the same.
    """
    gains = []
    for release in releases:
        rivals = [other for other in others if _is_wider(other.engine, release.engine)]
        if release.engine.precision != "int8" or not rivals:
            continue
        nearest = min(rivals, key=lambda other: -PRECISIONS.index(other.engine.precision))
        ratio = _log_ratio(release.results, nearest.results)
        if ratio is not None:
            gains.append((release.engine.engine_id, ratio, nearest.engine.precision))
    return gains


def _is_wider(other: EngineManifest, engine: EngineManifest) -> bool:
    if other.model_sha256 != engine.model_sha256 or other.precision not in PRECISIONS:
        return False
    return PRECISIONS.index(other.precision) < PRECISIONS.index("int8")


def _log_ratio(ours: Sequence[BenchResult], theirs: Sequence[BenchResult]) -> float | None:
    shared = {one.session for one in ours} & {one.session for one in theirs} - {""}
    first = _mean_log_fps([one for one in ours if not shared or one.session in shared])
    second = _mean_log_fps([one for one in theirs if not shared or one.session in shared])
    return None if first is None or second is None else first - second


def _mean_log_fps(results: Sequence[BenchResult]) -> float | None:
    rates = [result.measurement.rate.fps for result in results]
    usable = [math.log(rate) for rate in rates if math.isfinite(rate) and rate > 0]
    return math.fsum(usable) / len(usable) if usable else None


def _gain(releases: Sequence[Release], others: Sequence[Release]) -> Iterator[Untypical]:
    gains = quantisation_gains(releases, others)
    if not gains or gains[-1][0] != releases[-1].engine.engine_id:
        return
    _, newest, against = gains[-1]
    earlier = [gain for _, gain, precision in gains[:-1] if precision == against]
    if len(earlier) < _MIN_EARLIER_GAINS:
        return
    usual, low = _usual_gain(earlier)
    if newest < low and usual - newest > _LEAST_SHORTFALL:
        values = {"now": _gained(newest), "usual": _gained(usual), "low": _gained(low)}
        engine = releases[-1].engine
        yield Untypical(
            "int8_gain",
            {**values, "against": against.upper(), "count": str(len(earlier))},
            f"edgekit inspect {engine.engine_id} --device {releases[-1].results[0].device} --layers",
        )


def _usual_gain(earlier: Sequence[float]) -> tuple[float, float]:
    """(mean, the lower end of the 95 % interval for one more gain), with room for the noise of a single ratio."""
    mean, low, _ = mean_interval(earlier)
    half_of_next = (mean - low) * math.sqrt(len(earlier) + 1)
    return mean, mean - max(half_of_next, 2 * _GAIN_NOISE)


def _layers(newest: Release, earlier: Sequence[Release]) -> Iterator[Untypical]:
    before = next((one for one in reversed(earlier) if one.engine.precision == "int8"), None)
    if newest.engine.precision != "int8" or before is None:
        return
    now, then = _float_share(newest.engine), _float_share(before.engine)
    if now is not None and then is not None and now - then > _LAYERS_UP:
        command = f"edgekit sensitivity {newest.engine.detector} --device {newest.results[0].device}"
        yield Untypical("layers", _pair(_pct(now), _pct(then)), command)


def _float_share(engine: EngineManifest) -> float | None:
    return 1 - engine.layers_quantised / engine.layers_total if engine.layers_total else None


def _calibration(newest: Release, earlier: Sequence[Release], coverage: Mapping[str, Coverage]) -> Iterator[Untypical]:
    engine = newest.engine
    before = next((one.engine for one in reversed(earlier) if one.engine.calibration_sha256), None)
    if engine.calibration_sha256 is None or before is None or before.calibration_sha256 == engine.calibration_sha256:
        return
    now, then = coverage.get(engine.calibration_sha256), coverage.get(before.calibration_sha256 or "")
    command = (
        f"edgekit calib inspect {now.name}"
        if now
        else f"edgekit report --coverage --device {newest.results[0].device} --detector {engine.detector}"
    )
    if now is not None and then is not None and _covered_share(then) - _covered_share(now) > _COVERAGE_DOWN:
        yield Untypical("coverage", _pair(_pct(_covered_share(now)), _pct(_covered_share(then))), command)
    if engine.calibration_images < _FEWER_PICTURES * before.calibration_images:
        yield Untypical("pictures", _pair(engine.calibration_images, before.calibration_images), command)


def _covered_share(coverage: Coverage) -> float:
    expected = [row for row in coverage.strata if row.verdict != "absent"]
    return sum(row.verdict == "well" for row in expected) / len(expected) if expected else 0.0


def _tactics(newest: Release, before: Release) -> Iterator[Untypical]:
    engine = newest.engine
    now = engine.build.skipped_tactics if engine.build else 0
    then = before.engine.build.skipped_tactics if before.engine.build else 0
    if now > then:
        device = newest.results[0].device
        command = f"edgekit build {engine.detector} --device {device} --precision {engine.precision} --force"
        yield Untypical("tactics", _pair(now, then), command)


def _distance(newest: Release, before: Release) -> Iterator[Untypical]:
    now, then = newest.engine.golden_distance, before.engine.golden_distance
    if now is None or then is None or newest.engine.precision != before.engine.precision or then <= 0:
        return
    if now > _DISTANCE_UP * then:
        yield Untypical("distance", {"factor": f"{now / then:.1f}"}, _evaluate(newest))


def _evaluate(release: Release) -> str:
    """Says what its accuracy is, also of small objects."""
    engine = release.engine
    return (
        f"edgekit eval --device {release.results[0].device} --detector {engine.detector} --precision {engine.precision}"
    )


def _surroundings(newest: Release, before: Release) -> Iterator[Untypical]:
    ours, theirs = newest.results[0], before.results[0]
    if ours.profile.backend_version != theirs.profile.backend_version:
        command = f"edgekit bench --fps --device {ours.device} --engine {before.engine.engine_id}"
        yield Untypical("backend", _pair(ours.profile.backend_name, theirs.profile.backend_name), command)
    now, then = (f"{one.conditions.input_width} x {one.conditions.input_height}" for one in (ours, theirs))
    if now != then:
        yield Untypical("input", _pair(now, then), _evaluate(newest))


def _power_mode(newest: Release, results: Sequence[BenchResult]) -> Iterator[Untypical]:
    mode = newest.results[-1].profile.power_mode
    earlier = [one for one in results if one.created_utc < newest.released_utc]
    before = max(earlier, key=lambda one: one.created_utc).profile.power_mode if earlier else mode
    if mode != before:
        command = f"edgekit bench --preflight --device {newest.results[0].device}"
        yield Untypical("power_mode", _pair(mode or "?", before or "?"), command)


def _pair(now: object, before: object) -> dict[str, str]:
    return {"now": str(now), "before": str(before)}


def _pct(share: float) -> str:
    return f"{100 * share:.0f} %"


def _gained(log_ratio: float) -> str:
    return f"{100 * math.expm1(log_ratio):.0f} %"
