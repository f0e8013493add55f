"""CSI cameras that stay dark: a service may have the camera daemon restarted, rarely, and can do nothing else with it.

The lab has no CSI camera and no Argus: nvargus-daemon is a stand-in that sleeps, see tests/lab/layers. What is real is
systemd, the units, users and folders.
"""

from __future__ import annotations

import pytest

from tests.lab.conftest import MakeJetson
from tests.lab.deploying import SERVICE, UNIT, answer, edgekit, main_pid, make_project, provisioned_image, wait_for
from tests.lab.virtual_jetson import VirtualJetson

pytestmark = pytest.mark.lab

DAEMON = "nvargus-daemon.service"
REQUESTS = "/var/lib/edgekit/_argus"
HISTORY = "/run/edgekit/argus/history.json"


@pytest.fixture(scope="module")
def project(device, tmp_path_factory):
    return make_project(tmp_path_factory.mktemp("argus") / "project", device)


@pytest.fixture(scope="module")
def device(jetson: MakeJetson) -> VirtualJetson:
    return jetson("xavier-nx", name="csi", image=provisioned_image(jetson))


@pytest.fixture(scope="module")
def serving(project, device):
    """A device whose service runs and whose daemon was never restarted."""
    answer(edgekit(project, "deploy", "--device", device.name, "--json"))
    wait_for(lambda: main_pid(device) != "0")
    return device


@pytest.fixture(autouse=True)
def forgotten(device):
    """Each test begins without a history."""
    device.run(["rm", "-f", HISTORY])


def shell(device, line, user="root"):
    return device.run(["runuser", "-u", user, "--", "sh", "-c", line], check=False)


def ask(device, name=SERVICE):
    """As runtime.argus does it; until root has taken it."""
    assert shell(device, f"touch {REQUESTS}/{name}", "edgekit").returncode == 0
    wait_for(lambda: device.run(["ls", "-A", REQUESTS]).stdout == "")
    wait_for(lambda: shown(device, "edgekit-argus.service", "ActiveState") == "inactive")


def shown(device, unit, name):
    return device.run(["systemctl", "show", f"--property={name}", "--value", unit]).stdout.strip()


def pid_of(device, unit):
    return shown(device, unit, "MainPID")


def inside(device, line):
    """Run a line where the service lives: in its mounts, as its user."""
    words = ["nsenter", "--target", main_pid(device), "--mount", "runuser", "-u", "edgekit", "--", "sh", "-c", line]
    return device.run(words, check=False)


def test_the_service_can_leave_a_request_from_its_sandbox(serving) -> None:
    """All of the file system is read-only there, but for its own folders and this one."""
    before = pid_of(serving, DAEMON)
    assert inside(serving, f"touch {REQUESTS}/{SERVICE}").returncode == 0
    wait_for(lambda: pid_of(serving, DAEMON) not in (before, "0"))
    assert "EDGEKIT_SERVICE=tiny" in serving.run(["cat", f"/proc/{main_pid(serving)}/environ"]).stdout


def test_the_daemon_and_then_the_service_are_restarted(serving) -> None:
    """The daemon's socket that a service sees is that of its start."""
    daemon, service = pid_of(serving, DAEMON), main_pid(serving)
    ask(serving)
    assert pid_of(serving, DAEMON) not in (daemon, "0")
    wait_for(lambda: main_pid(serving) not in (service, "0"))
    wait_for(lambda: shown(serving, UNIT, "ActiveState") == "active")
    since = int(shown(serving, UNIT, "ExecMainStartTimestampMonotonic"))
    assert since > int(shown(serving, DAEMON, "ExecMainStartTimestampMonotonic"))
    assert shown(serving, UNIT, "Result") == "success", "no failure that a release could be blamed for"


def test_twenty_requests_at_once_restart_it_once(serving) -> None:
    """A camera that is not plugged in, or a service that somebody took over."""
    ask(serving)
    daemon = pid_of(serving, DAEMON)
    for _ in range(20):
        assert shell(serving, f"touch {REQUESTS}/{SERVICE}; sleep 0.1", "edgekit").returncode == 0
    wait_for(lambda: serving.run(["ls", "-A", REQUESTS]).stdout == "", 60)
    assert pid_of(serving, DAEMON) == daemon
    assert shown(serving, "edgekit-argus.path", "ActiveState") == "active", "systemd has not given it up"
    said = serving.run(["journalctl", "-u", "edgekit-argus.service", "-o", "cat", "--no-pager"]).stdout
    assert "tiny asks for a restart of nvargus-daemon: refused" in said


def test_a_service_that_is_stopped_stays_so(serving) -> None:
    """Whoever stopped it for maintenance must not meet it running."""
    serving.run(["systemctl", "stop", UNIT])
    try:
        ask(serving)
        assert shown(serving, UNIT, "ActiveState") == "inactive"
    finally:
        serving.run(["systemctl", "start", UNIT])


@pytest.mark.parametrize("name", ["ssh.service", "-rf", "../../x", "a b", "Street"])
def test_other_names_reach_no_unit(serving, name) -> None:
    daemon = pid_of(serving, DAEMON)
    shell(serving, f"cd {REQUESTS} && touch -- '{name}'", "edgekit")
    wait_for(lambda: serving.run(["ls", "-A", REQUESTS]).stdout == "", 60)
    assert pid_of(serving, DAEMON) == daemon


@pytest.mark.parametrize("user", ["jetson", "nobody"])
def test_nobody_else_may_ask(serving, user) -> None:
    """Other accounts have no business with cameras."""
    assert shell(serving, f"touch {REQUESTS}/{SERVICE}", user).returncode != 0
    assert shell(serving, f"ls {REQUESTS}", user).returncode != 0


def test_the_service_cannot_change_what_root_goes_by(serving) -> None:
    """Neither the history nor the program, nor the folder's own mode."""
    for line in (f"echo {{}} > {HISTORY}", "ls /run/edgekit/argus", "echo > /usr/local/libexec/edgekit-argus"):
        assert shell(serving, line, "edgekit").returncode != 0
    assert serving.run(["stat", "-c", "%U %G %a", REQUESTS]).stdout.strip() == "edgekit root 2770"
    assert serving.run(["stat", "-c", "%U %G %a", "/run/edgekit/argus"]).stdout.strip() == "root root 700"


def test_it_is_there_after_a_reboot(serving) -> None:
    """/run is made anew at each boot."""
    serving.reboot()
    wait_for(lambda: main_pid(serving) != "0")
    daemon = pid_of(serving, DAEMON)
    ask(serving)
    assert pid_of(serving, DAEMON) not in (daemon, "0")


def test_undo_leaves_nothing_of_it(project, serving) -> None:
    answer(edgekit(project, "provision", "--undo", "--yes", "--device", serving.name, "--json"))
    left = serving.run(["sh", "-c", "ls /etc/systemd/system /usr/local/libexec | grep edgekit"], check=False).stdout
    assert left == ""
    assert serving.run(["sh", "-c", "ls -d /run/edgekit /var/lib/edgekit 2>/dev/null"], check=False).stdout == ""
    assert "edgekit" not in serving.run(["id", "-nG", "jetson"]).stdout.split()
    assert shown(serving, DAEMON, "ActiveState") == "active", "NVIDIA's own stays as it was"
