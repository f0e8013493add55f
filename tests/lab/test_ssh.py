"""SSH to a whole machine: a real sshd, sudo with a password, cables that are pulled and keys that change."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
import time

import pytest
from typer.testing import CliRunner

from edgekit.cli.app import app
from edgekit.control.inventory import load_inventory
from edgekit.control.ssh import connection, process
from edgekit.control.ssh.host_keys import known_hosts_path
from edgekit.control.ssh.link import SSHLink
from edgekit.errors import DeviceError, UnreachableError

pytestmark = pytest.mark.lab

PREPARE = """
mkdir -p /opt/edgekit/venv/bin && ln -sf /usr/bin/python3 /opt/edgekit/venv/bin/python && chown -R jetson: /opt/edgekit
"""


@pytest.fixture(scope="module")
def nx(jetson):
    """A device that is provisioned as far as the link needs it."""
    device = jetson("xavier-nx", name="ssh-nx")
    device.run(["sh", "-c", PREPARE])
    return device


@pytest.fixture(scope="module")
def home(nx, project):
    return project(nx)


def edgekit(home, *words):
    return CliRunner().invoke(app, [*words, "--project", str(home.root)])


@pytest.fixture
def link(nx, home):
    if not known_hosts_path(home).exists():
        assert edgekit(home, "enroll", nx.name, "--fingerprint", nx.host_key_fingerprint).exit_code == 0
    entry = load_inventory(home).device(nx.name)
    with contextlib.closing(SSHLink(entry, known_hosts_path(home))) as link:
        yield link


@pytest.fixture
def impatient(monkeypatch):
    """Notice a cut link within seconds instead of half a minute."""
    monkeypatch.setattr(process, "SILENCE_LIMIT_S", 3.0)
    monkeypatch.setattr(process, "_HEARTBEAT_S", 1.0)
    monkeypatch.setattr(process, "_POLL_S", 0.2)
    monkeypatch.setattr(connection, "CONNECT_LIMIT_S", 3)
    monkeypatch.setattr(connection, "_ANSWER_LIMIT_S", 3)


def test_a_device_is_enrolled_by_its_fingerprint_and_the_next_step_is_named(nx, project):
    """The first command that anyone types at a Jetson."""
    home = project(nx)
    refused = edgekit(home, "enroll", nx.name, "--fingerprint", "SHA256:" + "A" * 43)
    assert refused.exit_code == 9 and "shows another key" in refused.stderr
    assert not known_hosts_path(home).exists()
    done = edgekit(home, "enroll", nx.name, "--fingerprint", nx.host_key_fingerprint, "--json")
    assert done.exit_code == 0
    (told,) = json.loads(done.stdout)
    assert told["login"] and told["hosts"][0]["fingerprint"] == nx.host_key_fingerprint
    assert told["next"] == f"edgekit deploy --device {nx.name}"


def test_sudo_takes_the_password_from_its_input_and_nobody_sees_it(nx, link):
    """A password in a command line is in everyone's `ps`, and in the audit log."""
    nx.run(["sh", "-c", "echo jetson:planted-secret | chpasswd"])
    with pytest.raises(DeviceError, match="asks for a password"):
        link.run_script("print(1)", as_root=True)
    with pytest.raises(DeviceError, match="did not accept the password"):
        link.run_script("print(1)", as_root=True, sudo_password="wrong-secret")
    source = (
        "import glob,json,os,sys\n"
        "seen=[open(p,'rb').read().decode('utf-8','replace') for p in glob.glob('/proc/[0-9]*/cmdline')]\n"
        "print(json.dumps([os.getuid(), sys.stdin.read(), seen]))"
    )
    user, received, seen = json.loads(
        link.run_script(source, as_root=True, sudo_password="planted-secret", stdin=b"data")
    )
    assert (user, received) == (0, "data")
    assert not any("secret" in line for line in seen)
    journal = nx.run(["journalctl", "--no-pager"]).stdout
    assert "COMMAND=" in journal and "secret" not in journal


def test_a_user_without_sudo_is_told_so(nx, link):
    nx.run(["gpasswd", "-d", "jetson", "sudo"])
    try:
        with pytest.raises(DeviceError, match="may not use sudo") as told:
            link.run_script("print(1)", as_root=True, sudo_password="planted-secret")
        assert "usermod -aG sudo jetson" in told.value.hint
    finally:
        nx.run(["gpasswd", "-a", "jetson", "sudo"])


def test_what_is_given_up_here_ends_there(nx, link):
    """Ctrl-C during a build must not leave a builder on the board with all of its memory."""
    with pytest.raises(DeviceError, match="longer than"):
        link.run_script("import time\ntime.sleep(4321)", limit_s=0.5)
    deadline_s = time.monotonic() + 5
    while processes := nx.run(["sh", "-c", "pgrep -u jetson python3 || true"]).stdout.split():
        assert time.monotonic() < deadline_s, processes
        time.sleep(0.1)


def test_an_echo_in_bashrc_does_no_harm(nx, link):
    nx.run(["sh", "-c", "echo 'echo welcome; echo welcome >&2' >> ~jetson/.bashrc; chsh -s /bin/bash jetson"])
    try:
        assert link.run_script("print(7)") == "7\n"
        assert link.send_code().startswith("/opt/edgekit/code/")
    finally:
        nx.run(["sh", "-c", "sed -i '/welcome/d' ~jetson/.bashrc"])


def test_a_transfer_goes_on_after_a_pulled_cable(nx, link, impatient, tmp_path):
    """50 MB over a link that breaks: what arrived is not sent again."""
    content = os.urandom(12 << 20)
    name = hashlib.sha256(content).hexdigest()
    link.send_code()
    nx.slow(rate_mbit=30)
    timer = threading.Timer(1.5, nx.cut)
    timer.start()
    try:
        started_s = time.monotonic()
        with pytest.raises(UnreachableError, match="the link to ssh-nx broke"):
            link.deliver({name: content})
        assert time.monotonic() - started_s < 12
    finally:
        timer.cancel()
        nx.heal()
    arrived = int(nx.run(["stat", "-c", "%s", f"/opt/edgekit/incoming/{name}.part"]).stdout)
    assert arrived > 1 << 20
    seen = []
    link.deliver({name: content}, lambda what, done, total: seen.append(total))
    assert seen == [] or max(seen) <= 11, "the rest alone, in MiB"
    assert nx.run(["sha256sum", f"/opt/edgekit/incoming/{name}"]).stdout.split()[0] == name


def test_a_device_that_hangs_with_its_port_open_is_unreachable(nx, link, impatient):
    """A frozen sshd answers TCP; nothing else tells it from one that works for long."""
    assert link.run_script("print(1)") == "1\n"
    nx.run(["sh", "-c", "pkill -STOP sshd"])
    try:
        with pytest.raises(UnreachableError):
            link.run_script("print(1)")
    finally:
        nx.run(["sh", "-c", "pkill -CONT sshd"])
    assert link.run_script("print(2)") == "2\n"


def test_a_device_that_is_off_is_unreachable(nx, link, impatient):
    nx.cut()
    try:
        with pytest.raises(UnreachableError):
            link.run_script("print(1)")
    finally:
        nx.heal()


def journal_of_ssh(nx):
    return nx.run(["journalctl", "--no-pager", "-u", "ssh"]).stdout.splitlines()


def test_a_changed_host_key_is_refused_before_the_login(nx, link, home):
    """Also the last test here: the device is another one afterwards."""
    nx.run(["sh", "-c", "rm /etc/ssh/ssh_host_*; ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key"])
    nx.run(["systemctl", "restart", "ssh"])
    link.close()
    before = journal_of_ssh(nx)
    with pytest.raises(DeviceError, match="HAS CHANGED") as told:
        link.run_script("print(1)")
    assert nx.host_key_fingerprint in told.value.why
    after = journal_of_ssh(nx)[len(before) :]
    assert not any("jetson" in line for line in after), "not even the name of the user was sent"
    assert "HAS CHANGED" in edgekit(home, "enroll", nx.name, "--yes").stderr
    done = edgekit(home, "enroll", nx.name, "--yes", "--replace")
    assert done.exit_code == 0, done.stderr
