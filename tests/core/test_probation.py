"""What a release must show: frames that keep coming, and as fast as the device's targets say."""

from __future__ import annotations

import pytest

from edgekit.core.probation import Outcome, Probation, Report, Watch, judge, look
from edgekit.core.service import Health

RELEASE = "b" * 16
RULE = Probation(frames=30, seconds=5.0, deadline_s=120.0)


def health(frames, release=RELEASE, pid=7, p99_ms=None, last_error="", loaded_from=""):
    figures = ("street", release, pid, frames, 0, 20.0, 9.0, 0, "e", "fp32", 0.0, 0.0, last_error, p99_ms)
    return Health(*figures, loaded_from=loaded_from)


def watch_of(*reports, began_s=0.0):
    """The watch after (time, health) pairs, each seen as it came."""
    watch = Watch(began_s=began_s, now_s=began_s)
    for now_s, report in reports:
        watch = look(watch, now_s, RELEASE, Report(report, fresh=True), changed=True)
    return watch


def steady(fps, seconds, **more):
    return watch_of(*((float(second), health(1 + int(fps * second), **more)) for second in range(seconds + 1)))


def test_frames_for_long_enough_pass():
    """Lost: the way into service."""
    assert judge(RULE, steady(15, 5), 0).outcome is Outcome.PASSED


@pytest.mark.parametrize(("fps", "seconds"), [(15, 4), (5, 5)], ids=["too short", "too few"])
def test_neither_frames_nor_time_alone_pass(fps, seconds):
    """A burst of thirty frames says nothing of the next minute."""
    assert judge(RULE, steady(fps, seconds), 0).outcome is Outcome.RUNNING


def test_the_rate_is_measured_from_the_first_report_on():
    """What the engine took to load must not count against it."""
    late = watch_of((100.0, health(1)), (103.0, health(46)), (106.0, health(91)))
    assert late.fps == pytest.approx(15.0)


def test_a_service_that_starts_anew_is_measured_anew():
    """Frames of the run that crashed are no sign that this one works."""
    watch = watch_of((0.0, health(10)), (4.0, health(100)), (6.0, health(3, pid=8)), (7.0, health(20, pid=8)))
    assert (watch.frames, watch.watched_s) == (20, 1.0)


def test_of_a_release_that_was_taken_over_only_its_own_frames_count():
    """The process has seen thousands by the release before, and its rate goes on."""
    before = (0.0, health(9000, release="a" * 16))
    watch = watch_of(
        before, *((float(second), health(9000 + 10 * second, loaded_from="a" * 16)) for second in (1, 2, 3))
    )
    assert (watch.frames, watch.first_s, watch.fps) == (20, 2.0, 10.0)
    assert judge(RULE, watch, 0).outcome is Outcome.RUNNING


def test_one_that_stands_still_after_it_was_taken_over_has_shown_nothing():
    """New thresholds must not be committed on the frames of the old."""
    watch = watch_of(*((float(second), health(9000, loaded_from="a" * 16)) for second in range(1, 130, 2)))
    assert watch.first_s is None
    assert judge(RULE, watch, 0).reason.startswith("no good frame within 120 s")


def test_a_report_of_another_release_is_forgotten_with_the_report():
    """The supervisor takes old reports away; a service that is starting must not be restarted for what was before."""
    old = watch_of((0.0, health(5, release="a" * 16)))
    assert old.other_reports and not look(old, 1.0, RELEASE, None, changed=True).other_reports


@pytest.mark.parametrize(
    ("rule", "watch", "reason"),
    [
        pytest.param(RULE, Watch(now_s=121.0), "no good frame within 120 s", id="nothing"),
        pytest.param(
            RULE,
            Watch(now_s=121.0, last_error="no camera"),
            "no good frame within 120 s; its last error: no camera",
            id="nothing, and it says why",
        ),
        pytest.param(
            RULE,
            look(steady(10, 2), 18.0, RELEASE, None, changed=False),
            "no report for 16 s after 21 frames",
            id="hangs",
        ),
        pytest.param(
            RULE, watch_of((0.0, health(1)), (126.0, health(9))), "9 good frames in 126 s, 30 wanted", id="few"
        ),
        pytest.param(
            Probation(min_fps=15.0), steady(12, 6), "12.0 FPS over 6.0 s, at least 15 less 2 % wanted", id="slow"
        ),
        pytest.param(
            Probation(max_p99_ms=40.0),
            steady(20, 6, p99_ms=55.04),
            "p99 latency 55.0 ms, at most 40 ms wanted",
            id="late",
        ),
        pytest.param(RULE, Watch(now_s=246.0, first_s=244.0, frames=1), "not steady within 246 s", id="never steady"),
    ],
)
def test_a_failure_says_what_was_seen_and_what_was_wanted(rule, watch, reason):
    """These words are what a person reads the next morning."""
    verdict = judge(rule, watch, 0)
    assert (verdict.outcome, verdict.reason) == (Outcome.FAILED, reason)


def test_more_than_two_restarts_fail():
    """A crash loop between good frames."""
    assert judge(RULE, steady(15, 5), 2).outcome is Outcome.PASSED
    assert judge(RULE, steady(15, 5), 3).reason == "it was restarted 3 times"


def test_a_latency_that_is_not_known_yet_is_waited_for():
    """A hundred frames are a while at five a second; passing without a figure would be a guess."""
    rule = Probation(max_p99_ms=40.0)
    assert judge(rule, steady(15, 6), 0).outcome is Outcome.RUNNING
    assert judge(rule, steady(15, 6, p99_ms=30.0), 0).outcome is Outcome.PASSED


def test_a_camera_that_is_a_little_slow_by_its_own_clock_passes():
    """A 15 FPS camera gives 14.9: it must not be taken for an engine that is too slow."""
    assert judge(Probation(min_fps=15.0), steady(14.8, 6), 0).outcome is Outcome.PASSED
    assert judge(Probation(min_fps=15.0), steady(14.4, 6), 0).outcome is Outcome.FAILED


def test_good_frames_do_not_pass_while_there_is_an_error():
    """An engine that gives no numbers any more is not well for having given some."""
    assert judge(RULE, steady(15, 6, last_error="the outputs are not finite"), 0).outcome is Outcome.RUNNING


def test_limits_that_are_met_pass():
    """Exactly on the limit is within it."""
    assert judge(Probation(min_fps=15.0, max_p99_ms=30.0), steady(15, 6, p99_ms=30.0), 0).outcome is Outcome.PASSED


def test_the_report_of_another_release_is_no_sign_of_this_one():
    """The old release still writes while the new one loads."""
    watch = look(Watch(), 1.0, RELEASE, Report(health(99, release="a" * 16), fresh=True), changed=True)
    assert (watch.frames, watch.first_s, watch.other_reports) == (0, None, True)


def test_an_old_report_counts_its_frames_but_is_no_sign_of_life():
    """A short source may be over before anyone looks; a dead service's last report must not start the clock."""
    watch = look(Watch(), 1.0, RELEASE, Report(health(5), fresh=False), changed=True)
    assert (watch.frames, watch.first_s) == (5, None)
