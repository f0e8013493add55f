"""What a deployment will do, decided from how things stand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgekit.core.plan import Candidate, Standing, candidates_for, plan_deploy

BOTH = (Candidate("fp32", "aaaa"), Candidate("int8", "bbbb"))
ALL = {"aaaa", "bbbb"}
HEALTHY = Standing(ALL, ALL, "r1", "r1", running=True, healthy=True)


def actions(standing):
    return [step.action for step in plan_deploy(BOTH, standing)]


def test_a_healthy_service_with_the_wanted_release_needs_nothing():
    """A no-change deploy that did work would restart cameras for nothing."""
    assert actions(HEALTHY) == []


def test_a_new_device_gets_every_step_in_order():
    """Lost: the order; an engine must be checked before it is released."""
    empty = Standing(set(), set(), "", "", running=False, healthy=False)
    assert actions(empty) == ["build", "verify", "build", "verify", "release", "activate"]


def test_only_what_is_missing_is_built():
    """Lost: minutes of building on a small board."""
    half = Standing({"aaaa"}, {"aaaa"}, "r0", "", running=True, healthy=True)
    assert actions(half) == ["build", "verify", "release", "activate"]


@pytest.mark.parametrize("running, reason", [(False, "it is not running"), (True, "it is not healthy")])
def test_a_stopped_or_sick_service_is_started_again(running, reason):
    """Lost: `deploy` as the one command that brings a device back."""
    (step,) = plan_deploy(BOTH, replace(HEALTHY, running=running, healthy=False))
    assert (step.action, step.reason) == ("start", reason)


def test_another_release_replaces_the_current_one():
    """Lost: changed settings that never reach the device."""
    assert actions(replace(HEALTHY, committed_release_id="r0")) == ["release", "activate"]


def test_a_release_on_probation_is_waited_for_and_not_begun_again():
    """After a cut link the same command must find its own work, not restart the camera in the middle of it."""
    tried = replace(HEALTHY, committed_release_id="r0", target_release_id="r1", healthy=False)
    (step,) = plan_deploy(BOTH, tried)
    assert (step.action, step.reason) == ("activate", "the release is on probation already")


def test_the_plan_says_why_the_release_failed_before():
    """Whoever reads the plan should not have to look for the reason in logs."""
    failed = replace(HEALTHY, committed_release_id="r0", failure="no frame within 120 s")
    assert plan_deploy(BOTH, failed)[-1].reason.endswith("it failed here before: no frame within 120 s")


@pytest.mark.parametrize(
    "wanted, backend, expected",
    [
        ("auto", "onnxruntime", ("fp32", "int8")),
        ("auto", "tensorrt", ("fp16", "int8")),
        ("int8", "tensorrt", ("fp16", "int8")),
        ("fp32", "tensorrt", ("fp32",)),
    ],
)
def test_int8_is_never_built_without_its_yardstick(wanted, backend, expected):
    """Lost: the baseline that INT8's accuracy is compared with."""
    assert candidates_for(wanted, backend) == expected
