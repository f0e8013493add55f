"""What status.json and /healthz say."""

from __future__ import annotations

import json
import time

import pytest

from edgekit.core.events import Counts, LineCount
from edgekit.core.machine import MachineReadings
from edgekit.core.wire import from_wire
from edgekit.runtime.page import status as module
from edgekit.runtime.page.status import PageStatus, not_alive, status_json
from tests.runtime.page.conftest import HEALTH, detected, say


def read(feed) -> PageStatus:
    return from_wire(PageStatus, json.loads(status_json(feed)))


@pytest.mark.timed
def test_it_says_all_that_was_reported(feed):
    """The page shows nothing else, so what is left out here nobody sees."""
    feed.show(detected("gate"))
    counts = Counts(lines=(LineCount("kerb", "gate", "car", "in", 3),))
    machine = MachineReadings(temperature_c=61.5, hottest_zone="soc", memory_total_mib=7620)
    feed.say(HEALTH, machine, counts)
    told = read(feed)
    assert told.health == HEALTH and told.machine == machine and told.counts == counts
    assert told.alive and told.reason == "" and told.report_age_s < 2
    assert [view.name for view in told.streams] == ["yard", "gate"]
    assert told.streams[0].silent_s is None and told.streams[1].objects == 1


def test_what_was_not_measured_is_null_and_not_zero(feed):
    """0 watts would be read as a measurement."""
    say(feed, frame_age_ms=None)
    told = json.loads(status_json(feed))
    assert told["machine"]["watts"] is None and told["machine"]["temperature_c"] is None
    assert told["health"]["frame_age_ms"] is None


def test_before_the_first_report_it_is_not_alive(feed):
    """A service that is still loading its engine must not pass a health check."""
    assert read(feed).health is None and not_alive(feed.said) == "the service has not reported yet"


def test_the_reason_is_the_services_own_where_it_has_one(feed):
    """ "not alive" alone sends a person to the log."""
    say(feed)
    assert not_alive(feed.said) == ""
    say(feed, last_error="the engine's answer is NaN")
    assert not_alive(feed.said) == "the engine's answer is NaN"
    say(feed, frames=0)
    assert not_alive(feed.said) == "no frame came through yet"


def test_a_report_that_is_old_is_no_sign_of_life(feed, monkeypatch):
    """A pipeline that hangs reports nothing any more, while these threads go on answering."""
    say(feed)
    now_s = time.monotonic()
    monkeypatch.setattr(module.time, "monotonic", lambda: now_s + 8.2)
    assert "the latest report is 8 s old" in not_alive(feed.said)
