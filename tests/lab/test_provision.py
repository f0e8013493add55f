"""`edgekit provision` on virtual Jetsons: from a fresh system to services in their sandbox, and back again."""

from __future__ import annotations

import json
import shutil
import time
from contextlib import closing

import pytest
from typer.testing import CliRunner

from edgekit.cli.app import app
from edgekit.control.device_packages import DevicePackages
from edgekit.control.environments import look, make_environment
from edgekit.control.inventory import load_inventory
from edgekit.control.ssh.host_keys import known_hosts_path
from edgekit.control.ssh.link import SSHLink
from edgekit.control.wheels import fetch, read_lock
from tests.lab.virtual_jetson import VirtualJetson
from tests.made_up_packages import sources

pytestmark = pytest.mark.lab

# Nothing else on the device holds this text.
PASSWORD = "correct-horse-battery"
JETPACK_4 = "# R32 (release), REVISION: 7.4, GCID: 33514132, BOARD: t186ref, EABI: aarch64\n"

# In the place of a release: says what it may do, then serves until it is ended.
PROBE = """
import os, pwd, socket, sys, time

def notify(text):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
        way.sendto(text.encode(), os.environ["NOTIFY_SOCKET"])

def attempt(what, act):
    try:
        act()
        print("did", what, flush=True)
    except OSError:
        print("could not", what, flush=True)

def connect(family, address):
    with socket.socket(family) as way:
        way.settimeout(1)
        way.connect(address)

if sys.argv[1] == "serve":
    here = os.environ["HOME"].rpartition("/")[2]
    home, root_home = (pwd.getpwnam(user).pw_dir for user in ("jetson", "root"))
    for path in ("/opt/edgekit/x", "/opt/edgekit/current/%s/code/x" % here, "/etc/x", "/usr/local/x", "/run/x",
                 "/run/edgekit/requests/x", home + "/x", root_home + "/x", "/dev/x", "/proc/sys/kernel/hostname",
                 "/sys/class/thermal/thermal_zone0/temp", "/var/lib/edgekit/x", "/var/lib/edgekit/other/x",
                 "/var/lib/edgekit/%s/x" % here, "/var/cache/edgekit/%s/x" % here, "/tmp/x"):
        attempt("write " + path.replace(here, "OWN"), lambda: open(path, "w").close())
    attempt("list the home", lambda: os.listdir(home))
    attempt("see other processes", lambda: open("/proc/1/cmdline").close())
    attempt("open a loop device", lambda: open("/dev/loop0", "rb").close())
    attempt("become root", lambda: os.setuid(0))
    attempt("mount", lambda: os.unshare(0x20000) if hasattr(os, "unshare") else os.chroot("/"))
    attempt("open a raw socket", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close())
    attempt("reach the camera daemon", lambda: connect(socket.AF_UNIX, "/tmp/argus_socket"))
    print("user", os.getuid() == os.stat("/var/lib/edgekit/%s" % here).st_uid, flush=True)
notify("READY=1")
if sys.argv[1] == "reconcile":
    open("/opt/edgekit/reconciled", "w").close()
    sys.exit()
while True:
    time.sleep(0.5)
    notify("WATCHDOG=1")
"""
MAY = {
    "write /var/lib/edgekit/OWN/x",
    "write /var/cache/edgekit/OWN/x",
    "write /tmp/x",
    "reach the camera daemon",
}
# nvargus-daemon's socket.
ARGUS = "import socket as s,time; w=s.socket(s.AF_UNIX); w.bind('/tmp/argus_socket'); w.listen(); time.sleep(60)"


class Bench:
    """A device, a project that knows it, and the verb."""

    def __init__(self, device: VirtualJetson, project) -> None:
        self.device, self.project = device, project
        self.device.run(["sh", "-c", f"echo jetson:{PASSWORD} | chpasswd"])
        trust = ["enroll", device.name, "--fingerprint", device.host_key_fingerprint, "--project", str(project.root)]
        assert CliRunner().invoke(app, trust).exit_code == 0

    def provision(self, *words: str, password: str | None = PASSWORD):
        environment = {"EDGEKIT_SUDO_PASSWORD": password}
        words = ("provision", "--device", self.device.name, "--project", str(self.project.root), *words)
        return CliRunner().invoke(app, words, env=environment)

    def changed(self, *words: str, password: str | None = PASSWORD) -> list[str]:
        result = self.provision("--json", *words, password=password)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)["changed"]

    def link(self) -> SSHLink:
        return SSHLink(load_inventory(self.project).device(self.device.name), known_hosts_path(self.project))

    def shell(self, line: str) -> str:
        return self.device.run(["sh", "-c", line]).stdout.strip()

    def request(self, service: str, word: str) -> None:
        """Ask as the login user does, without being root."""
        path = f"/run/edgekit/requests/{service}"
        self.device.run(["su", "jetson", "-c", f"echo {word} > {path}.new && mv {path}.new {path}"])

    def until(self, line: str, wanted: str, limit_s: float = 20.0) -> None:
        """Wait until a command says that."""
        deadline_s = time.monotonic() + limit_s
        while (said := self.shell(f"{line} || true")) != wanted:
            assert time.monotonic() < deadline_s, f"{line}: {said!r} instead of {wanted!r}"
            time.sleep(0.1)


@pytest.fixture(scope="module")
def bench(jetson, project) -> Bench:
    device = jetson("xavier-nx", name="prov-nx")
    # As Ubuntu 20.04 has it, where distutils is a package of its own that is not installed; pip uses it on Python 3.8.
    device.run(["find", "/usr/lib/python3.8/distutils", "-name", "*.py", "!", "-name", "__init__.py", "-delete"])
    return Bench(device, project(device))


@pytest.fixture(scope="module")
def ready(bench) -> Bench:
    """The device after it was provisioned."""
    bench.changed()
    return bench


@pytest.fixture(scope="module")
def serving(ready) -> Bench:
    """A service "probe" that was started by a request, which tells what it may do."""
    release = "/opt/edgekit/releases/r/code/edgekit/runtime"
    ready.device.run(["su", "jetson", "-c", f"mkdir -p {release} /opt/edgekit/current"])
    ready.device.write(f"{release}/__main__.py", PROBE)
    ready.shell("ln -s ../releases/r /opt/edgekit/current/probe; ln -sfn releases/r/code /opt/edgekit/agent")
    ready.shell(f'nohup python3 -c "{ARGUS}" >/dev/null 2>&1 & sleep 0.5; chmod 666 /tmp/argus_socket')
    ready.request("probe", "start")
    ready.until("systemctl is-active edgekit@probe", "active")
    return ready


def test_a_dry_run_needs_no_password_and_changes_nothing(bench) -> None:
    """Looking must be free."""
    before = bench.shell("ls /opt /etc/systemd/system; id jetson")
    changed = bench.changed("--dry-run", password=None)
    assert "made the system user edgekit" in changed
    assert "brought device code" in changed
    assert bench.shell("ls /opt /etc/systemd/system; id jetson") == before


def test_without_a_password_it_says_how_to_give_one(bench) -> None:
    result = bench.provision(password=None)
    assert (result.exit_code, "--ask-sudo-password" in result.stderr) == (9, True)


def test_a_wrong_password_is_told_apart(bench) -> None:
    result = bench.provision(password="wrong")
    assert (result.exit_code, "did not accept the password" in result.stderr) == (9, True)


def test_jetpack_4_is_refused_in_the_doctors_words(bench) -> None:
    """Before anything is changed there."""
    release = bench.device.read("/etc/nv_tegra_release")
    bench.device.write("/etc/nv_tegra_release", JETPACK_4)
    try:
        result = bench.provision()
    finally:
        bench.device.write("/etc/nv_tegra_release", release)
    assert (result.exit_code, "JetPack 5.1 or newer" in result.stderr) == (9, True)
    assert bench.shell("ls /opt") == ""


def test_a_folder_of_somebody_else_is_not_taken_over(bench) -> None:
    bench.shell("mkdir -p /opt/edgekit; touch /opt/edgekit/thesis")
    try:
        assert "edgekit did not make it" in bench.provision().stderr
    finally:
        bench.shell("rm -r /opt/edgekit")


def test_provisioned_device_answers_with_its_back_end(ready) -> None:
    """All of it came from here: the lab has no way out."""
    with closing(ready.link()) as link:
        assert look(link)["agent"] == link.code
    assert ready.shell("systemctl is-enabled edgekit-control.path; systemctl is-active edgekit-control.path") == (
        "enabled\nactive"
    )
    assert ready.shell("systemctl --failed --no-legend") == ""
    assert ready.shell("stat -c '%U %a' /opt/edgekit /run/edgekit/requests") == "jetson 755\njetson 2770"


def test_second_run_finds_nothing_to_change_and_asks_nothing(ready) -> None:
    """Provisioning again is how one makes sure; it must be safe and quick, and need no root."""
    started_s = time.monotonic()
    assert ready.changed(password=None) == []
    assert time.monotonic() - started_s < 4  # under 1.5 s on a quiet machine


def test_the_password_is_left_nowhere(ready) -> None:
    """Not in the log, where sudo writes the commands it runs, nor in any file."""
    assert ready.shell(f"journalctl --no-pager | grep -c {PASSWORD} || true") == "0"
    assert ready.shell(f"grep -rl {PASSWORD} /etc /opt /var /run ~jetson /tmp 2>/dev/null || true") == ""


def test_no_right_to_become_root_is_left_behind(ready) -> None:
    assert ready.shell("grep -rl edgekit /etc/sudoers /etc/sudoers.d || true") == ""


def test_what_was_changed_by_hand_is_put_right(ready) -> None:
    """As is a device on which an update of the system took something away."""
    ready.shell("chmod 777 /opt/edgekit; echo '#' >> /etc/systemd/system/edgekit@.service; rm -r /run/edgekit")
    changed = ready.changed()
    assert "set owner and mode of /opt/edgekit" in changed
    assert "wrote /etc/systemd/system/edgekit@.service" in changed
    assert "made the folder /run/edgekit/requests" in changed
    assert not [line for line in changed if "Python" in line]


def test_a_request_starts_a_service_as_another_user_and_for_good(serving) -> None:
    """Started by the login user without root, and there again after a reboot."""
    assert serving.shell("systemctl is-enabled edgekit@probe") == "enabled"
    assert "did user" not in serving.shell("journalctl -u edgekit@probe --no-pager -o cat")
    assert "user True" in serving.shell("journalctl -u edgekit@probe --no-pager -o cat")
    assert serving.shell("ps -o user= -p $(systemctl show -P MainPID edgekit@probe)") == "edgekit"


def test_the_reconciler_ran_before_the_service_as_the_login_user(serving) -> None:
    """It decides what is run; it owns the device folder and nothing else."""
    assert serving.shell("stat -c %U /opt/edgekit/reconciled") == "jetson"
    order = "systemctl show -P ActiveEnterTimestampMonotonic"
    first, second = (
        serving.shell(f"{order} edgekit-reconcile@probe"),
        serving.shell("systemctl show -P ExecMainStartTimestampMonotonic edgekit@probe"),
    )
    assert int(first) <= int(second)


def test_a_service_can_do_nothing_outside_its_own(serving) -> None:
    """What takes over a detection process, by a hostile stream or model, is to gain next to nothing."""
    lines = serving.shell("journalctl -u edgekit@probe --no-pager -o cat").splitlines()
    did = {line.partition(" ")[2] for line in lines if line.startswith("did ")}
    could_not = {line.partition("not ")[2] for line in lines if line.startswith("could not ")}
    assert did == MAY
    assert len(could_not) >= 18


def test_a_kill_that_nobody_asked_systemd_for_starts_it_again(serving) -> None:
    """A program that frees memory sends SIGTERM; a camera must not stay dark for that."""
    pid = serving.shell("systemctl show -P MainPID edgekit@probe")
    serving.shell(f"kill -TERM {pid}")
    serving.until(
        f"test $(systemctl show -P MainPID edgekit@probe) -gt 1 -a "
        f"$(systemctl show -P MainPID edgekit@probe) != {pid} && echo again",
        "again",
    )


def test_stop_ends_it_for_good(serving) -> None:
    serving.request("probe", "stop")
    serving.until("systemctl is-active edgekit@probe", "inactive")
    assert serving.shell("systemctl is-enabled edgekit@probe || true") == "disabled"
    assert serving.shell("systemctl is-active edgekit-control.path") == "active"


def test_a_flood_of_requests_is_survived(serving) -> None:
    """systemd gives up a path unit whose service it has to start too often; deploys would hang for ever then."""
    line = "for n in $(seq 60); do echo nonsense > /run/edgekit/requests/s$n; sleep 0.02; done"
    serving.device.run(["su", "jetson", "-c", line])
    serving.until("ls /run/edgekit/requests | wc -l", "0")
    serving.request("probe", "start")
    serving.until("systemctl is-active edgekit@probe", "active")


def test_requests_work_after_a_reboot(serving) -> None:
    """/run is made anew at each boot."""
    serving.device.reboot()
    serving.until("systemctl is-active edgekit@probe", "active")
    serving.request("probe", "restart")
    serving.until("ls /run/edgekit/requests | wc -l", "0")
    serving.until("systemctl is-active edgekit@probe", "active")


def test_what_one_device_compiled_serves_the_next(ready, jetson, project, tmp_path) -> None:
    """The way of pycuda over real links, with sources that need no CUDA; for the others there is no compiler needed."""
    other_device = jetson("xavier-nx", name="prov-other")
    other = Bench(other_device, project(other_device))
    other.changed()
    pip = next(package for package in read_lock("cp38", "x86_64", "onnxruntime") if package.name == "pip")
    made_up = sources(tmp_path)
    files = fetch([pip], "cp38", "x86_64")
    for package, path in ((pip, files["pip"]), (made_up, tmp_path / "pycuda-1.0.tar.gz")):
        folder = tmp_path / "cache/wheels" / package.sha256
        folder.mkdir(parents=True)
        shutil.copy(path, folder)
    packages = DevicePackages("cp38", "x86_64", (pip, made_up), key="made-up")
    # Only the first has what compiling needs. The sources of this test need no more of it than that it is there.
    ready.shell("mkdir -p /usr/include/python3.8; touch /usr/include/python3.8/Python.h")
    for each in (ready, other):
        with closing(each.link()) as link:
            make_environment(link, packages, nvcc="/usr/local/cuda/bin/nvcc", cache=tmp_path / "cache")
            assert look(link)["venv"] == packages.name
        python = "/opt/edgekit/venv/bin/python -c 'import pycuda; print(pycuda.built_with)'"
        assert each.shell(python) == "/usr/local/cuda/bin"


def test_pythons_of_jetpack_6_and_7_in_one_go(jetson, project) -> None:
    """Each gets the packages of its own Python, both at once."""
    boards = [jetson("orin-nano", name="prov-nano"), jetson("agx-thor", name="prov-thor")]
    made = project(*boards, groups={"yard": [board.name for board in boards]})
    benches = [Bench(board, made) for board in boards]
    words = ["provision", "--device", "yard", "--json", "--project", str(made.root)]
    result = CliRunner().invoke(app, words, env={"EDGEKIT_SUDO_PASSWORD": PASSWORD})
    assert result.exit_code == 0, result.output
    profiles = [device["result"]["profile"] for device in json.loads(result.stdout)["devices"]]
    assert [profile["python"].rpartition(".")[0] for profile in profiles] == ["3.10", "3.12"]
    assert all(profile["backend_version"] for profile in profiles)
    assert all(bench.shell("systemctl --failed --no-legend") == "" for bench in benches)


def test_undo_leaves_the_device_as_it_was(ready) -> None:
    """With a service running, and users and groups that were there before kept."""
    refused = ready.provision("--undo")
    assert (refused.exit_code, "--yes" in refused.stderr) == (2, True)
    assert len(ready.changed("--undo", "--dry-run", password=None)) > 10
    ready.changed("--undo", "--yes")
    left = "ls -d /opt/edgekit /etc/edgekit /var/lib/edgekit /var/cache/edgekit /run/edgekit 2>/dev/null || true"
    assert ready.shell(left) == ""
    assert ready.shell("ls /etc/systemd/system /etc/tmpfiles.d /usr/local/libexec | grep edgekit || true") == ""
    assert ready.shell("getent passwd edgekit || id -nG jetson") == "jetson sudo video render"
    assert ready.shell("systemctl list-units --all --no-legend 'edgekit*'") == ""
    assert ready.changed("--undo", "--yes", password=None) == []
