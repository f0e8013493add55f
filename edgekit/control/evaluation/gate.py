"""Two engines on one set: what the second keeps of the first's accuracy, in every stratum, and whether it may ship."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from edgekit.control.detectors import Detector
from edgekit.control.evaluation.accuracy import check_comparable, load_predictions, pictures_by_stratum
from edgekit.control.evaluation.average_precision import Matches, match
from edgekit.control.evaluation.bootstrap_interval import paired_ratio
from edgekit.control.evaluation.judged_sets import judged_by
from edgekit.control.evaluation.predictions import predictions_dir, predictions_of
from edgekit.control.evaluation.truth import PictureTruth, Truth
from edgekit.control.link import Link
from edgekit.control.once import Once
from edgekit.control.project import Project
from edgekit.control.records import read_record
from edgekit.control.sets.calibration_sets import MaterialisedSet
from edgekit.core.engine import EngineManifest
from edgekit.core.gate import Gate, StratumKept, verdict_of
from edgekit.core.progress import OnProgress
from edgekit.core.wire import digest, to_wire
from edgekit.files import write_json

_RULE = 1  # of strata, limits and intervals: another rule judges anew
_ALL = "all"
_SHARED = Once()  # engines of a fleet that answer alike are judged once


def judge(
    truth: Truth,
    baseline: Mapping[str, PictureTruth],
    candidate: Mapping[str, PictureTruth],
    labels: Sequence[str],
    strata: Mapping[str, tuple[str, ...]],
    *,
    baseline_name: str,
    candidate_name: str,
    labelled_by: str = "people",
    resamples: int = 400,
    seed: int = 0,
) -> Gate:
    """The candidate against the baseline, both as `load_predictions` gives them.

    strata: picture name -> what it counts for. Of strata with the very same pictures one is told, a condition first.
    Raises ConfigError for a truth without objects, VerifyError for predictions that are not of this set.
    """
    for name, predictions in ((baseline_name, baseline), (candidate_name, candidate)):
        check_comparable(predictions, truth, len(labels), name)
    pair = (match(truth, baseline, len(labels)), match(truth, candidate, len(labels)))
    groups = {_ALL: frozenset(truth.pictures), **pictures_by_stratum(truth, strata)}
    rows = tuple(_row(truth, pair, name, names, resamples, seed) for name, names in groups.items())
    return Gate(baseline_name, candidate_name, truth.dataset, truth.sha256, rows, resamples, labelled_by)


def _row(
    truth: Truth, pair: tuple[Matches, Matches], name: str, pictures: frozenset[str], resamples: int, seed: int
) -> StratumKept:
    paired = paired_ratio(truth, *pair, pictures, resamples=resamples, seed=seed)
    objects = [len(truth.pictures[picture].objects) for picture in pictures]
    kept, filled = paired.ratio, sum(count > 0 for count in objects)
    return StratumKept(
        stratum=name,
        pictures=len(pictures),
        objects=sum(objects),
        baseline_map=paired.first_map,
        map50_95=paired.second_map,
        kept=kept.value,
        low=kept.low,
        high=kept.high,
        verdict=verdict_of(name, filled, paired.first_map, kept.value, kept.high),
    )


def gate_of(
    project: Project,
    device: str,
    link: Link,
    detector: Detector,
    baseline: EngineManifest,
    candidate: EngineManifest,
    made: MaterialisedSet,
    on_progress: OnProgress,
) -> Gate:
    """Ask two engines of a device about a set, made ready with the detector's labels, and judge; what is known already
    is not asked again. Without labels the model's own answers are the truth, and the gate says so."""
    known = known_gate(project, device, detector, baseline, candidate, made)
    if known is not None:
        return known
    keep = predictions_dir(project, device)
    first = predictions_of(link, detector, baseline, made, keep, on_progress)
    second = predictions_of(link, detector, candidate, made, keep, on_progress)
    judged = judged_by(project, detector, made, on_progress)

    def ask() -> Gate:
        return judge(
            judged.truth,
            load_predictions(first.path),
            load_predictions(second.path),
            detector.spec.labels,
            judged.strata,
            baseline_name=engine_name(baseline),
            candidate_name=engine_name(candidate),
            labelled_by=judged.labelled_by,
        )

    gate = _SHARED.get(
        (judged.truth.sha256, judged.labelled_by, first.sha256, second.sha256, baseline.engine_id, candidate.engine_id),
        ask,
    )
    write_json(_record(project, device, detector, baseline, candidate, made), to_wire(gate))
    return gate


def known_gate(
    project: Project,
    device: str,
    detector: Detector,
    baseline: EngineManifest,
    candidate: EngineManifest,
    made: MaterialisedSet,
) -> Gate | None:
    """What `gate_of` gave for the same engines and set before, None if it was never asked."""
    return read_record(Gate, _record(project, device, detector, baseline, candidate, made))


def _record(
    project: Project,
    device: str,
    detector: Detector,
    baseline: EngineManifest,
    candidate: EngineManifest,
    made: MaterialisedSet,
) -> Path:
    judged = [made.sha256, made.truth.sha256 if made.truth else None, sorted(made.tags.items())]
    key = digest([_RULE, baseline.file_sha256, candidate.file_sha256, judged, to_wire(detector.spec)])[:16]
    return project.state_dir / "gates" / device / f"{candidate.engine_id}-{key}.json"


def engine_name(engine: EngineManifest) -> str:
    """An engine in a sentence: "FP16 engine 0123456789abcdef"."""
    return f"{engine.precision.upper()} engine {engine.engine_id}"
