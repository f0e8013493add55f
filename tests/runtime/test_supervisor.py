"""The supervisor that stands in for systemd: restarts, hangs, the end of a source, one at a time."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import threading
import time

import pytest

from edgekit.core.deployment import ServiceRequest
from edgekit.errors import DeployError
from edgekit.runtime import supervisor
from edgekit.runtime.store import Store
from edgekit.runtime.supervisor import _Supervisor, supervise

SERVICE = "street"


@pytest.fixture
def quick(monkeypatch):
    """The same rules in tenths of seconds, and the test's own signal handlers left alone."""
    monkeypatch.setattr(supervisor, "_FIRST_PAUSE_S", 0.05)
    monkeypatch.setattr(supervisor, "_STARTING_S", 0.6)
    monkeypatch.setattr(supervisor, "_HUNG_AFTER_S", 0.4)
    monkeypatch.setattr(supervisor, "STOP_GRACE_S", 0.5)
    monkeypatch.setattr(supervisor.signal, "signal", lambda *_: None)


def install(root, script):
    """A release whose device code is `script`, made current."""
    code = root / "releases" / "r1" / "code" / "edgekit" / "runtime"
    code.mkdir(parents=True)
    (code.parent / "__init__.py").touch()
    (code / "__init__.py").touch()
    (code / "__main__.py").write_text(script)
    (root / "current").mkdir()
    (root / "current" / SERVICE).symlink_to("../releases/r1")
    store = Store(str(root))
    store.state_dir(SERVICE).mkdir(parents=True)
    return store


def run(store, until, limit_s=15.0):
    """Run a supervisor until its log is as wanted, then stop it; the log and the number of restarts."""
    keeper = _Supervisor(store, SERVICE)
    log = store.state_dir(SERVICE) / supervisor.LOG_NAME

    def stop_when_seen():
        deadline = time.monotonic() + limit_s
        while not until(log.read_text()) and time.monotonic() < deadline:
            time.sleep(0.05)
        keeper._stopping.set()

    watcher = threading.Thread(target=stop_when_seen)
    watcher.start()
    restarts = keeper.run()
    watcher.join()
    return log.read_text(), restarts


def test_a_service_that_crashes_is_started_again_with_its_last_words_in_the_log(tmp_path, quick):
    """Lost: the reason why a camera went dark at night."""
    store = install(tmp_path, "import sys; print('no camera', flush=True); sys.exit(4)")
    text, restarts = run(store, lambda text: text.count("no camera") == 3)
    assert "ended with code 4; starting it again" in text
    assert restarts >= 2


def test_a_service_that_hangs_is_ended_and_started_again(tmp_path, quick):
    """A frozen driver keeps a process alive for ever; only frames that stop coming tell."""
    store = install(tmp_path, "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)")
    text, _ = run(store, lambda text: "ended with code -9" in text)
    assert "no frame for" in text
    assert "ended with code -9" in text


def test_a_source_that_ends_ends_the_service(tmp_path, quick):
    """A folder of pictures must not be detected over and over again."""
    store = install(tmp_path, "print('done')")
    text, restarts = run(store, lambda text: "stopped" in text)
    assert "the source ended" in text and restarts == 0


def test_stopping_ends_the_service_before_the_supervisor_goes(tmp_path, quick):
    """Lost: a detector that runs on without anyone who knows of it."""
    store = install(tmp_path, "import time; print('up', flush=True); time.sleep(600)")
    text, _ = run(store, lambda text: "up" in text)
    assert text.rstrip().endswith("stopped")


def test_a_reload_is_passed_on_and_the_count_of_restarts_begins_anew(tmp_path, quick):
    """What was restarted long ago is no fault of the release that is taken over now."""
    script = (
        "import os, signal, sys, time\n"
        f"marker = {str(tmp_path / 'crashed')!r}\n"
        "if not os.path.exists(marker):\n    open(marker, 'w').close(); sys.exit(3)\n"
        "signal.signal(signal.SIGHUP, lambda *_: print('reloads', flush=True))\n"
        "print('up', flush=True)\n"
        "while True: time.sleep(0.05)\n"
    )
    store = install(tmp_path, script)
    keeper = _Supervisor(store, SERVICE)
    log = store.state_dir(SERVICE) / supervisor.LOG_NAME

    def reload_then_stop():
        wait_for_words(log, "up")
        keeper._reload.set()
        wait_for_words(log, "reloads")
        keeper._stopping.set()

    asker = threading.Thread(target=reload_then_stop)
    asker.start()
    assert keeper.run() == 0
    asker.join()
    text = log.read_text()
    assert "ended with code 3" in text and "reloads" in text and text.count("starting release") == 2


def wait_for_words(log, words, limit_s=15.0):
    deadline_s = time.monotonic() + limit_s
    while words not in log.read_text() and time.monotonic() < deadline_s:
        time.sleep(0.05)


# With a threading.Event in place of the Flag this hangs, or ends in a recursion of handlers.
_SIGNALS = """
import signal, time
from edgekit.runtime.flag import Flag
flag = Flag()
signal.signal(signal.SIGALRM, lambda *_: flag.set())
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
end_s = time.monotonic() + 0.5
while time.monotonic() < end_s:
    flag.wait(0.002)
    flag.clear()
signal.setitimer(signal.ITIMER_REAL, 0.0)
"""


def test_signals_at_any_moment_do_not_stop_a_supervisor_for_ever():
    """One came while its own flag was being looked at: it could not be stopped any more, nor anything started."""
    done = subprocess.run([sys.executable, "-c", _SIGNALS], capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_one_service_has_one_supervisor(tmp_path):
    """Two of them would start two detectors on one camera."""
    store = install(tmp_path, "")
    with (store.state_dir(SERVICE) / supervisor.LOCK_NAME).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(DeployError, match="has a supervisor already"):
            supervise(ServiceRequest(str(tmp_path), SERVICE), None)
