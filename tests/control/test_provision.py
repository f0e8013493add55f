"""Provisioning refuses what cannot work, and asks for root only when there is something for root to do."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from edgekit.control import provision as module
from edgekit.control.inventory import Device
from edgekit.control.provision import environment_text, provision, refuse_unfit, unprovision
from edgekit.core.device import DeviceProfile
from edgekit.core.requests import TuneAnswer
from edgekit.errors import DeviceError
from tests.devices_told import orin_nano, xavier_nx

NX = Device("nx", "jetson", "roadscene", "street", "/v.mp4", backend="onnxruntime")
PROFILE = DeviceProfile("xavier-nx", "onnxruntime", "1.19.2", "3.8.10", "0.1.0", 6, 7000, 5000, 9000)


class Link:
    """Stands in for an SSHLink to a device on which root has `todo` to change. What was asked is in `asked`."""

    device, root, code = "nx", "/opt/edgekit", "/opt/edgekit/code/new"

    def __init__(self, todo=(), venv="", agent=""):
        self.asked, self._todo, self._look = [], list(todo), {"venv": venv, "agent": agent}

    def run_script(self, source, argument=None, *, as_root=False, sudo_password=None, **options):
        self.asked.append("root" if as_root else argument["action"])
        if as_root:
            assert sudo_password == "secret"
        return json.dumps(self._look if argument["action"] == "look" else {"changed": self._todo, "notes": []})

    def call(self, verb, request, answer):
        self.asked.append(verb)
        return PROFILE

    def close(self):
        self.asked.append("close")


@pytest.fixture(autouse=True)
def facts(monkeypatch):
    monkeypatch.setattr(module, "collect_facts", lambda link: xavier_nx())
    monkeypatch.setattr(module, "make_environment", lambda link, *words, **options: link.asked.append("environment"))
    monkeypatch.setattr(module, "left_tuned", lambda link: TuneAnswer(()))
    monkeypatch.setattr(module, "set_agent", lambda link: link.asked.append("agent"))


def wanted_venv():
    return module.packages_for(xavier_nx(), processor=True).name


def test_a_ready_device_is_left_alone_and_no_password_is_asked_for():
    link = Link(venv=wanted_venv(), agent=Link.code)
    done = provision(link, NX, lambda: pytest.fail("asked for a password"))
    assert (done.changed, done.profile) == ((), PROFILE)
    assert link.asked == ["install", "look", "probe"]


def test_only_what_is_missing_is_made():
    """New device code after an update of edgekit must not need root."""
    link = Link(venv=wanted_venv(), agent="/opt/edgekit/code/old")
    assert provision(link, NX, lambda: None).changed == ("brought device code",)
    assert link.asked == ["install", "look", "agent", "probe"]


def test_a_fresh_device_gets_everything_and_a_new_login():
    """Groups that a user joins count from the next login on: the log would stay closed to this one."""
    link = Link(todo=["made the system user edgekit"])
    done = provision(link, NX, lambda: "secret")
    assert link.asked == ["install", "root", "close", "look", "environment", "agent", "probe"]
    assert done.changed[0] == "made the system user edgekit"


def test_a_dry_run_only_looks():
    link = Link(todo=["made the system user edgekit"])
    done = provision(link, NX, lambda: pytest.fail("asked for a password"), dry_run=True)
    assert link.asked == ["install", "look"]
    assert (len(done.changed), done.profile, done.dry_run) == (3, None, True)


def test_undo_of_nothing_needs_no_password():
    link = Link()
    assert unprovision(link, NX, lambda: pytest.fail("asked for a password")).changed == ()


def test_what_cannot_work_is_refused_in_the_doctors_words():
    """All of it at once, each with its remedy: a board may be a long way off."""
    lacking = replace(orin_nano(), tensorrt=(), opencv=None)
    with pytest.raises(DeviceError) as raised:
        refuse_unfit(lacking, replace(NX, backend="auto"))
    assert "TensorRT: not installed" in raised.value.why
    assert "OpenCV: python3 finds none" in raised.value.why
    assert raised.value.hint.count("sudo apt install") == 2


def test_a_device_with_warnings_only_is_not_refused():
    refuse_unfit(orin_nano(), replace(NX, backend="auto"))


def test_the_back_end_that_was_chosen_reaches_the_services():
    assert "EDGEKIT_BACKEND=onnxruntime" in environment_text(NX).splitlines()
    assert "EDGEKIT_BACKEND" not in environment_text(replace(NX, backend="auto"))
