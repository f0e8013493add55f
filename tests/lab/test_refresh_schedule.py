"""`edgekit refresh --schedule` under a real systemd: the host is a virtual machine, whose timer fires by itself."""

from __future__ import annotations

import json
import shlex
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest

import edgekit
from tests.lab.deploying import SERVICE, make_project, wait_for
from tests.lab.test_field import COLLECT, NIGHT_AND_FOG
from tests.lab.virtual_jetson import VirtualJetson

pytestmark = pytest.mark.lab

DESK, UNITS = "/srv/desk", "~/.config/systemd/user"
PACKAGES, PROJECT, PYTHON = f"{DESK}/packages", f"{DESK}/street", f"{DESK}/host/bin/python"
# Large, and not what `edgekit refresh` needs.
LEFT_OUT = ("mypy*", "*__mypyc*", "selenium", "hypothesis", "trio", "pip", "sqlalchemy", "psycopg*", "edgekit", "*.pth")
# It looks like a Jetson, so TensorRT would be asked for.
BACKEND = "EDGEKIT_BACKEND=onnxruntime"
SOON = "*-*-* *:*:0/5"
# As a person would with `systemctl --user edit`: half an hour of chance is for fleets.
AT_ONCE = "[Timer]\nRandomizedDelaySec=0\nAccuracySec=100ms\n"


class Host:
    """A virtual machine with the host's package for its own Python, used over SSH by a person."""

    def __init__(self, machine: VirtualJetson) -> None:
        self.machine = machine

    def shell(self, command: str, check: bool = True) -> str:
        """A command in a login of its own."""
        config = self.machine.place.folder / "ssh_config"
        login = ["ssh", "-F", str(config), self.machine.name, command]
        done = subprocess.run(login, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=180)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def edgekit(self, *words: str) -> Any:
        """What the command line answers."""
        command = ["env", BACKEND, PYTHON, "-m", "edgekit", "--project", PROJECT, *words, "--json"]
        return json.loads(self.shell(shlex.join(command)))

    def history(self) -> list[Any]:
        """The refreshes, newest first."""
        found: list[Any] = self.edgekit("refresh", "--history")["refreshes"]
        return found

    def timers(self) -> list[str]:
        """Of edgekit, known to the user's systemd."""
        listed = self.shell("systemctl --user list-timers --all --no-legend --no-pager")
        return [line for line in listed.splitlines() if "edgekit-refresh-local" in line]


@pytest.fixture(scope="module")
def host(jetson, tmp_path_factory) -> Host:
    """With a service of its own that has kept frames, and whose user may run timers while nobody is logged in."""
    machine = jetson("orin-nano", name="desk")
    made = Host(machine)
    bring(machine, Path(sysconfig.get_paths()["purelib"]), PACKAGES, LEFT_OUT)
    bring(machine, Path(edgekit.__file__).parent, f"{PACKAGES}/edgekit", ("__pycache__",))
    project = make_project(tmp_path_factory.mktemp("desk") / "project")
    entry = {
        "kind": "local", "backend": "onnxruntime", "detector": "tiny", "precision": "auto", "source": NIGHT_AND_FOG,
        "collect": COLLECT, "probation": {"frames": 5, "seconds": 1},
    }  # fmt: skip
    (project / "devices.yaml").write_text(json.dumps({"devices": {"local": entry}}))
    bring(machine, project, PROJECT, ())
    machine.write("/etc/environment.d/edgekit.conf", f"{BACKEND}\n")
    machine.run(["chown", "-R", "jetson:jetson", DESK])
    made.shell(f"/usr/bin/python3.11 -m venv --without-pip {DESK}/host")
    made.shell(f"echo {PACKAGES} > {DESK}/host/lib/python3.11/site-packages/packages.pth")
    machine.run(["loginctl", "enable-linger", "jetson"])
    made.edgekit("deploy", "--device", "local")
    field = f"{PROJECT}/.edgekit/devices/local/state/{SERVICE}/field"
    wait_for(lambda: made.shell(f"ls {field} | wc -l", check=False).strip() > "", limit_s=30)
    wait_for(lambda: int(made.shell(f"ls {field} | wc -l")) >= 120, limit_s=120)  # two files a frame
    return made


def kept_records(host: Host) -> int:
    """How many refreshes are in the history, looked at without a login."""
    folder = f"{PROJECT}/.edgekit/refreshes/local"
    return len(host.machine.run(["find", folder, "-name", "*.json"]).stdout.splitlines())


def bring(machine: VirtualJetson, source: Path, target: str, left_out: tuple[str, ...]) -> None:
    """Copy a folder of this machine, as root."""
    machine.run(["mkdir", "-p", target])
    pack = ["tar", "-C", str(source), *(f"--exclude={pattern}" for pattern in left_out), "-cf", "-", "."]
    with subprocess.Popen(pack, stdout=subprocess.PIPE) as packing:
        unpack = machine.inside(["tar", "-C", target, "--no-same-owner", "-xf", "-"])
        subprocess.run(unpack, stdin=packing.stdout, check=True, timeout=180)
    assert packing.returncode == 0


def test_a_timer_fires_by_itself_and_its_refresh_is_in_the_history(host) -> None:
    """A schedule that nobody sees fire is a promise: the words of the command, its folder and its Python must fit."""
    done = host.edgekit("refresh", "--device", "local", "--schedule", SOON)["scheduled"][0]
    assert done["active"] and done["todo"] == []  # lingering is on: nothing is left to do
    assert len(host.timers()) == 1
    unit = done["timer"]
    folder = f"{UNITS}/{unit}.d"
    host.shell(f"mkdir -p {folder} && printf {shlex.quote(AT_ONCE)} > {folder}/override.conf")
    host.shell(f"systemctl --user daemon-reload && systemctl --user restart {unit}")
    wait_for(lambda: len(host.history()) > 0 and host.history()[-1]["outcome"] != "failed", limit_s=120)
    first = host.history()[-1]
    assert first["device"] == "local" and first["outcome"] in ("kept", "unchanged"), first
    journal = host.machine.run(["journalctl", "--no-pager", "_UID=1000"]).stdout
    assert "Refresh the calibration of local" in journal


def test_it_fires_though_nobody_is_logged_in(host) -> None:
    """That is what lingering is for: a desk at night."""
    before = kept_records(host)
    wait_for(lambda: kept_records(host) > before, limit_s=60)
    assert host.machine.run(["pgrep", "-f", "sshd: jetson"], check=False).stdout == ""


def test_unscheduling_leaves_no_timer_and_no_unit(host) -> None:
    """One that went on would calibrate a device that somebody took out of use."""
    host.edgekit("refresh", "--device", "local", "--unschedule")
    assert host.timers() == []
    left = host.shell(f"ls -F {UNITS}").splitlines()
    assert [name for name in left if not name.endswith("/")] == []  # what people edited themselves stays
