"""What holds for every test."""

from __future__ import annotations

import signal

from _pytest.runner import runtestprotocol

# Whoever is started in the background inherits that Ctrl-C is ignored, and so would each process that a test starts.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# nohup does the same with SIGHUP, which must not end the tests themselves: a handler is no inheritance.
if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)

TRIES = 3
_again = []


def pytest_runtest_protocol(item, nextitem):
    """A test marked `timed` has three tries: other work on the machine only ever adds to a time or takes from a rate.

    What needed more than one is told at the end.
    """
    if item.get_closest_marker("timed") is None:
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for number in range(1, TRIES + 1):
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        if number == TRIES or not any(report.failed for report in reports):
            break
        _again.append(f"{item.nodeid}: {_last_line(reports)}")
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def _last_line(reports):
    failed = next(report for report in reports if report.failed)
    return getattr(failed.longrepr, "reprcrash", None) or str(failed.longrepr).strip().splitlines()[-1]


def pytest_terminal_summary(terminalreporter):
    """Tries that failed: a test that stands here often measures too much."""
    if _again:
        terminalreporter.section("timed tests that were tried again")
        for line in _again:
            terminalreporter.write_line(line)
