"""The gate of a deployment: INT8 against the baseline on the detector's frozen set."""

from __future__ import annotations

from edgekit.control.evaluation.gate import gate_of, known_gate
from edgekit.control.services import OnState
from edgekit.control.survey import Survey
from edgekit.core.engine import EngineManifest
from edgekit.core.gate import Gate
from edgekit.core.progress import OnProgress


def is_gated(facts: Survey) -> bool:
    """True if INT8 is to be judged against the baseline: both are ordered, and there is a labelled set.

    Agreement with the model would not do: the baseline agrees with it nearly by definition, and INT8 that is as
    accurate as the baseline still differs.
    """
    frozen = facts.yardstick.frozen
    return len(facts.orders) == 2 and frozen is not None and frozen.truth is not None


def gate_of_before(facts: Survey) -> Gate | None:
    """What was judged before of the engines that lie on the device; asks nobody. None if it never was."""
    engines = [engine for request in facts.requests if (engine := facts.engine(request.engine_id))]
    frozen = facts.yardstick.frozen
    if not is_gated(facts) or frozen is None or len(engines) != 2:
        return None
    return known_gate(facts.project, facts.device.name, facts.detector, engines[0], engines[1], frozen)


def judge_int8(
    facts: Survey, engines: tuple[EngineManifest, ...], on_progress: OnProgress, on_state: OnState
) -> Gate | None:
    """The gate of the engines that could be built, baseline first; None where INT8 or a labelled set is missing."""
    frozen = facts.yardstick.frozen
    if not is_gated(facts) or frozen is None or len(engines) != 2:
        return None
    project, device, detector, (baseline, int8) = facts.project, facts.device.name, facts.detector, engines
    if known_gate(project, device, detector, baseline, int8, frozen) is None:
        on_state("verifying")
    return gate_of(project, device, facts.link, detector, baseline, int8, frozen, on_progress)
