"""A candidate engine on its device: built, checked, compared with what serves and with what was never quantised."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edgekit.control.build import fulfil
from edgekit.control.deploy import verified
from edgekit.control.evaluation.gate import gate_of
from edgekit.control.evaluation.judged_sets import judged_by
from edgekit.control.groundwork import Groundwork
from edgekit.control.inventory import Device
from edgekit.control.link import Link
from edgekit.control.sets.calibration_sets import MaterialisedSet
from edgekit.control.survey import Survey, survey
from edgekit.core.engine import EngineManifest
from edgekit.core.gate import Gate
from edgekit.core.progress import OnProgress
from edgekit.core.refresh import Evidence
from edgekit.core.verification import Verification
from edgekit.errors import BuildError


@dataclass(frozen=True)
class Built:
    """The candidate and the engine that was never quantised, checked on golden frames. facts: with the new set."""

    facts: Survey
    unquantised: EngineManifest
    candidate: EngineManifest
    checked: tuple[Verification, ...]  # of these two, in this order


def build_candidate(ground: Groundwork, device: Device, link: Link, set_name: str, on_progress: OnProgress) -> Built:
    """Build INT8 with a set beside what runs, and check it. What lies there already is found again.

    The device builds in a process of low priority with a limit of memory, the first that the kernel ends when memory
    runs out. Raises BuildError, or VerifyError if the engine does not answer as its model does.
    """
    facts = survey(ground, replace(device, calibration=set_name), link, on_progress)
    if facts.int8_missing or len(facts.orders) != 2:
        raise BuildError(
            f"INT8 cannot be built on {device.name}",
            why=facts.int8_missing,
            hint=f"edgekit doctor --device {device.name}",
        )
    engines = [facts.engine(order.request.engine_id) or fulfil(order, on_progress) for order in facts.orders]
    checked = tuple(verified(facts, engine, on_progress) for engine in engines)
    return Built(facts, engines[0], engines[1], checked)


def _has_objects(facts: Survey, made: MaterialisedSet, on_progress: OnProgress) -> bool:
    """False for frames in which the model finds nothing: no engine can be told from another by them."""
    truth = judged_by(facts.project, facts.detector, made, on_progress).truth
    return any(len(picture.objects) for picture in truth.pictures.values())


def gather_evidence(
    built: Built,
    serving: EngineManifest,
    holdout: MaterialisedSet | None,
    new_strata: tuple[str, ...],
    on_progress: OnProgress,
) -> Evidence:
    """Have the engines answer the frozen set and the held-out field frames. holdout None: nothing is held out yet."""
    frozen = built.facts.yardstick.frozen

    def gate(baseline: EngineManifest, made: MaterialisedSet | None) -> Gate | None:
        facts = built.facts
        if made is None or not _has_objects(facts, made, on_progress):
            return None
        return gate_of(
            facts.project, facts.device.name, facts.link, facts.detector, baseline, built.candidate, made, on_progress
        )

    unquantised, candidate = built.checked
    return Evidence(
        # Agreement with the model says too little to let a quantised engine into service.
        unquantised=gate(built.unquantised, frozen if frozen and frozen.truth else None),
        serving=gate(serving, frozen),
        holdout=gate(serving, holdout),
        serving_precision=serving.precision,
        unquantised_p50_ms=unquantised.inference.p50_ms,
        candidate_p50_ms=candidate.inference.p50_ms,
        must_be_faster=built.facts.device.precision != "int8",
        new_strata=new_strata,
    )
