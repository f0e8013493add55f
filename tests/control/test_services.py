"""What the host says of a device's services: which release is meant, and why one was taken back."""

from __future__ import annotations

import pytest

from edgekit.control import services
from edgekit.control.services import find_release, operator, settle
from edgekit.core.activation import BadRelease, Journal
from edgekit.core.deployment import LogsAnswer, ServiceState
from edgekit.errors import DeployError, NotFoundError, UnhealthyError, UnreachableError, UsageError

GOOD, OLDER, BAD = "78fb9cb66a8e135d", "7812907340e39c38", "3765dd7539f556a3"
LOG = f"starting release {BAD}\nno picture matches\nstopped\nstarting release {GOOD}\nself-test passed\n"


class SettledLink:
    """Answers of a device whose journal is settled, after some lost connections. Written from runtime/settle.py."""

    device, root = "street-1", "/opt/edgekit"

    def __init__(self, journal, lost=0):
        self._journal, self._lost = journal, lost

    def call(self, verb, request, answer, on_progress=None):
        if verb == "logs":
            return LogsAnswer(LOG, "")
        assert (verb, request.service) == ("settle", "street")
        self._lost -= 1
        if self._lost >= 0:
            raise UnreachableError("the connection broke")
        return self._journal


def silent(what, done, total):
    """Nobody looks."""


def journal(**given):
    return Journal("street", good=(GOOD, OLDER), by="anna@desk", **given)


def test_a_release_is_found_by_its_first_digits():
    """Nobody types sixteen digits; two that begin alike must not be mixed up."""
    state = ServiceState("street", GOOD, True, False, 1, 0, journal())
    assert find_release(state, "78fb", "street-1") == GOOD
    with pytest.raises(UsageError, match="begins the ids of 2 releases"):
        find_release(state, "78", "street-1")
    with pytest.raises(NotFoundError) as missing:
        find_release(state, "ffff", "street-1")
    assert f"{GOOD}, in service\n{OLDER}" in missing.value.why


def test_a_lost_link_is_looked_for_until_the_device_has_decided(monkeypatch):
    """The device goes on by itself; whoever waits for it wants its answer, not the first hiccup of a radio link."""
    monkeypatch.setattr(services, "_PAUSE_S", 0.0)
    assert settle(SettledLink(journal(), lost=3), "street", GOOD, silent).committed == GOOD


def test_a_link_that_stays_lost_is_told_with_what_the_device_does(monkeypatch):
    """Unreachable is no verdict on the release."""
    monkeypatch.setattr(services, "_PAUSE_S", 0.0)
    monkeypatch.setattr(services, "_LOST_LINK_S", 0.0)
    with pytest.raises(UnreachableError, match="while the release was on probation") as lost:
        settle(SettledLink(journal(), lost=100), "street", GOOD, silent)
    assert "goes on by itself" in lost.value.why and "edgekit status street-1" in lost.value.hint


def test_a_release_that_was_taken_back_is_told_with_its_reason_and_its_own_log():
    """The end of the log is that of the release which runs again: not what anyone wants to see."""
    bad = journal(bad=(BadRelease(BAD, "no good frame within 120 s", 0.0),))
    with pytest.raises(UnhealthyError) as taken_back:
        settle(SettledLink(bad), "street", BAD, silent)
    assert f"failed: no good frame within 120 s; release {GOOD} runs again" in taken_back.value.what
    assert taken_back.value.why.splitlines() == LOG.splitlines()[:3]


def test_a_release_that_another_person_replaced_did_not_fail():
    """Two people at one device: the second must learn of the first, not look for a fault."""
    with pytest.raises(DeployError, match="was replaced by another") as replaced:
        settle(SettledLink(journal()), "street", BAD, silent)
    assert not isinstance(replaced.value, UnhealthyError) and "anna@desk" in replaced.value.why


def test_the_operator_is_named_for_the_journal():
    """A device that refuses names who holds it."""
    user, _, host = operator().partition("@")
    assert user and host
