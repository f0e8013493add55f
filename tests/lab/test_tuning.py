"""Settings of a virtual Jetson changed by root through its real sudo, and set back: over SSH, after a power cut too."""

from __future__ import annotations

from contextlib import closing

import pytest
from typer.testing import CliRunner

from edgekit.cli.app import app
from edgekit.control import tuning
from edgekit.control.inventory import load_inventory
from edgekit.control.ssh.host_keys import known_hosts_path
from edgekit.control.ssh.link import SSHLink
from edgekit.control.tuning import tuned, untune
from tests.lab.virtual_jetson import VirtualJetson

pytestmark = pytest.mark.lab

USUAL, BEST = "MODE_15W_6CORE", "MODE_20W_6CORE"
JOURNAL = "/var/lib/edgekit/tuned.json"
# The stand-in keeps nothing; what is set back by its file is of no matter here.
KEEPS = 's/--store | --fan) ;;/--store) echo \\/dev\\/null:1 > "$2" ;;/'


class Reached:
    """A device that was never provisioned, and what reaches it."""

    def __init__(self, device: VirtualJetson, project) -> None:
        self.device = device
        device.run(["sed", "-i", KEEPS, "/usr/bin/jetson_clocks"])
        device.run(["nvpmodel", "-m", "2"])
        trust = ["enroll", device.name, "--fingerprint", device.host_key_fingerprint, "--project", str(project.root)]
        assert CliRunner().invoke(app, trust).exit_code == 0
        self.entry = load_inventory(project).device(device.name)
        self._known_hosts = known_hosts_path(project)

    def link(self) -> SSHLink:
        return SSHLink(self.entry, self._known_hosts)

    def password(self) -> str:
        return self.device.password

    def mode(self) -> str:
        return self.device.run(["nvpmodel", "-q"]).stdout.split()[3]

    def has(self, path: str) -> bool:
        return self.device.run(["test", "-e", path], check=False).returncode == 0


@pytest.fixture(scope="module")
def reached(jetson, project) -> Reached:
    device = jetson("xavier-nx")
    return Reached(device, project(device))


def test_a_device_is_tuned_by_its_own_root_and_set_back(reached) -> None:
    """A Python without numpy, a sudo that takes a password, no code of ours on the disk."""
    with closing(reached.link()) as link:
        with tuned(link, reached.entry, ask_password=reached.password) as answer:
            assert {setting.name: setting.value for setting in answer.changed} == {
                "power_mode": USUAL,
                "clocks": "vary",
            }
            assert reached.mode() == BEST and reached.has("/run/jetson_clocks")
            assert reached.device.run(["stat", "-c", "%U %a", JOURNAL]).stdout == "root 644\n"
        assert reached.mode() == USUAL and not reached.has("/run/jetson_clocks") and not reached.has(JOURNAL)
        assert reached.device.run(["find", "/run", "-maxdepth", "1", "-name", ".clocks-*"]).stdout == ""
        assert not reached.has("/opt/edgekit")


def test_a_power_cut_leaves_a_power_mode_that_can_be_set_back(reached) -> None:
    """It lasts beyond a restart, so what says how it was must do so too."""
    with closing(reached.link()) as link:
        tuning._ask(link, reached.entry, "tune", (), reached.password)
        reached.device.run(["sync", "/var/lib/nvpmodel/status"])
    reached.device.power_loss()
    reached.device.power_on()
    assert reached.mode() == BEST
    with closing(reached.link()) as link:
        assert USUAL in {
            setting.value for setting in untune(link, reached.entry, ask_password=reached.password).changed
        }
    assert reached.mode() == USUAL and not reached.has(JOURNAL)
