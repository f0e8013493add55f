"""The units are what systemd takes them for, and nearly closed: judged by systemd itself."""

from __future__ import annotations

import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from edgekit.control.units import CONTROL_PATH, TEMPLATES, UNIT_FOLDER, device_files, render

SYSTEMD_UNITS = Path("/usr/lib/systemd/system")
# JetPack 5, 6, 7.
VERSIONS = (245, 249, 255)
# An instance of each template that runs a program.
LONG_RUNNING = (
    *("edgekit@camera-1.service", "edgekit-reconcile@camera-1.service"),
    *("edgekit-control.service", "edgekit-argus.service"),
)
EXPOSED_AT_MOST = 20  # tenths; most units that systems ship have 90 and more
# Settings by the version of systemd that brought them. Source: systemd's NEWS.
NEWER = {
    246: ("ConditionEnvironment", "CoredumpFilter", "RootHash", "TimeoutStartFailureMode", "TimeoutStopFailureMode"),
    247: ("LoadCredential", "MountImages", "ProcSubset", "ProtectProc", "SetCredential", "SystemCallLog"),
    248: ("ExecPaths", "ExtensionImages", "IPCNamespacePath", "NoExecPaths", "PrivateIPC"),
    249: ("OnSuccess", "SocketBindAllow", "SocketBindDeny", "Upholds"),
    250: ("ExitType", "RestrictFileSystems", "RestrictNetworkInterfaces", "TriggerLimitIntervalSec"),
    254: ("ImportCredential", "MemoryKSM", "RestartMaxDelaySec", "RestartMode", "RestartSteps"),
    255: ("SetLoginEnvironment",),
}


def analyze(*words):
    return subprocess.run(["systemd-analyze", "--no-pager", *words], capture_output=True, text=True, check=False)


def why_not():
    if shutil.which("systemd-analyze") is None:
        return "there is no systemd-analyze here"
    version = int(analyze("--version").stdout.split()[1])
    if version < 250:
        return f"systemd-analyze {version} cannot judge units offline; 250 or newer can"
    return "" if SYSTEMD_UNITS.is_dir() else f"{SYSTEMD_UNITS} is not there"


judged_by_systemd = pytest.mark.skipif(bool(why_not()), reason=why_not())


def place(root, path, text="#!/bin/sh\n", mode=0o755):
    file = root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(mode)


@pytest.fixture(params=VERSIONS)
def root(request, tmp_path):
    """A root file system with the units as a device with that systemd gets them, and the programs that they start."""
    shutil.copytree(SYSTEMD_UNITS, tmp_path / "usr/lib/systemd/system", symlinks=True)
    for path, wanted in device_files("nvidia", request.param).items():
        place(tmp_path, path, wanted["text"], wanted["mode"])
    for path in ("/opt/edgekit/venv/bin/python", "/usr/bin/python3", "/bin/kill"):
        place(tmp_path, path)
    return tmp_path


@judged_by_systemd
def test_systemd_has_nothing_to_say_against_the_units(root):
    """A setting with a typing error is passed over by systemd: a sandbox with a hole."""
    done = analyze("verify", "--man=no", f"--root={root}", *LONG_RUNNING, "edgekit-control.path", "edgekit-argus.path")
    assert (done.returncode, done.stderr) == (0, "")


@judged_by_systemd
def test_verification_would_notice_a_typing_error(root):
    unit = root / UNIT_FOLDER.lstrip("/") / "edgekit@.service"
    unit.write_text(unit.read_text().replace("ProtectHome=", "ProtectHomes="))
    assert "ProtectHomes" in analyze("verify", "--man=no", f"--root={root}", LONG_RUNNING[0]).stderr


@judged_by_systemd
@pytest.mark.parametrize("unit", LONG_RUNNING)
def test_no_unit_is_exposed_by_more_than_two_points(root, unit):
    """Reliability goal: what gets hold of a detection process gains next to nothing by it."""
    done = analyze("security", "--offline=true", f"--threshold={EXPOSED_AT_MOST}", f"--root={root}", unit)
    assert done.returncode == 0, done.stdout[-200:]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", TEMPLATES)
def test_a_unit_names_nothing_that_its_systemd_lacks(name, version):
    """Unknown settings are warnings in the log of every start, and look like protection that is not there."""
    lacking = {setting for since, settings in NEWER.items() if since > version for setting in settings}
    settings = {line.partition("=")[0] for line in render(name, "nvidia", version).splitlines()}
    assert not settings & lacking


def test_newer_versions_are_protected_better():
    assert "ProtectProc=invisible" in render("edgekit@.service", "nvidia", 249)
    assert "ProtectProc" not in render("edgekit@.service", "nvidia", 245)


def test_only_what_needs_the_login_user_names_it():
    """The service runs as edgekit, so that a hole in it does not open the account that deploys."""
    assert "User=edgekit" in render("edgekit@.service", "nvidia", 249).splitlines()
    assert "User=nvidia" in render("edgekit-reconcile@.service", "nvidia", 249).splitlines()
    texts = [str(file["text"]) for file in device_files("nvidia", 249).values()]
    assert not any("{user}" in line for text in texts for line in text.splitlines() if not line.startswith("#"))


def test_the_control_program_is_what_its_unit_starts():
    program = device_files("nvidia", 249)[CONTROL_PATH]
    assert CONTROL_PATH in render("edgekit-control.service", "nvidia", 249)
    assert program["text"].startswith("#!/usr/bin/python3 -IS\n")
    assert stat.S_IXOTH & program["mode"]
