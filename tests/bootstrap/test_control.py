"""The root program that starts and stops services does that and nothing else, whatever lies in its folder."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from edgekit.bootstrap import control

RECORDER = """#!/bin/sh
echo "$@" >> {log}
"""


class Device:
    """A folder of requests, and a stand-in for systemctl that writes down how it was called."""

    def __init__(self, folder):
        self.requests, self.enabled = folder / "requests", folder / "enabled"
        self.requests.mkdir()
        self.enabled.mkdir()
        self._log, self._systemctl = folder / "log", folder / "systemctl"
        self._systemctl.write_text(RECORDER.format(log=self._log))
        self._systemctl.chmod(0o755)

    def ask(self, name, word):
        (self.requests / name).write_text(word)

    def start_program(self):
        words = [control.__file__, str(self.requests), str(self._systemctl), str(self.enabled)]
        return subprocess.Popen([sys.executable, "-IS", *words], stderr=subprocess.PIPE, text=True)

    def run(self):
        """What the program said."""
        program = self.start_program()
        said = program.communicate(timeout=20)[1]
        assert program.returncode == 0, said
        return said

    @property
    def calls(self):
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        return [line.replace("--no-ask-password --no-pager ", "") for line in lines]

    @property
    def left(self):
        return sorted(path.name for path in self.requests.iterdir())


@pytest.fixture
def device(tmp_path):
    return Device(tmp_path)


def test_start_also_enables_so_that_the_service_is_there_after_a_reboot(device):
    device.ask("street", "start\n")
    device.run()
    unit = "edgekit@street.service"
    assert device.calls == [f"enable {unit}", f"reset-failed {unit}", f"--no-block start {unit}"]
    assert device.left == []


def test_an_enabled_service_is_not_enabled_again(device):
    """Each time systemd would read all of its units again."""
    (device.enabled / "edgekit@street.service").symlink_to("/nowhere")
    device.ask("street", "restart")
    device.run()
    assert device.calls == ["reset-failed edgekit@street.service", "--no-block restart edgekit@street.service"]


def test_stop_also_disables(device):
    (device.enabled / "edgekit@street.service").symlink_to("/nowhere")
    device.ask("street", "stop")
    device.run()
    assert device.calls == ["disable edgekit@street.service", "--no-block stop edgekit@street.service"]


def test_reload_keeps_the_process_and_has_the_release_watched(device):
    """A restart would also start the reconciler; without one nobody would commit what was taken over, or go back."""
    device.ask("street", "reload")
    device.run()
    unit = "edgekit@street.service"
    watcher = "edgekit-reconcile@street.service"
    assert device.calls == [f"reset-failed {unit}", f"--no-block reload {unit}", f"--no-block start {watcher}"]


@pytest.mark.parametrize("name", ["Street", "a b", "-rf", "ssh.service", "street;reboot", "x" * 64, "ü"])
def test_what_is_no_name_of_a_service_never_reaches_systemctl(device, name):
    """A unit's name is the only thing that a request decides."""
    device.ask(name, "start")
    assert "is no name of a service" in device.run()
    assert (device.calls, device.left) == ([], [])


@pytest.mark.parametrize("word", ["", "kill", "start stop", "start;reboot", "x" * 100_000, "\0\xff"])
def test_other_words_are_refused_and_not_repeated(device, word):
    device.ask("street", word)
    said = device.run()
    assert "none of start, stop, restart, reload" in said
    assert len(said) < 200
    assert (device.calls, device.left) == ([], [])


def test_links_pipes_and_folders_are_removed_unread(device, tmp_path):
    """A link would let the login user learn by the answer what only root may read."""
    secret = tmp_path / "secret"
    secret.write_text("start")
    (device.requests / "link").symlink_to(secret)
    os.mkfifo(device.requests / "pipe")
    (device.requests / "folder/inner").mkdir(parents=True)
    device.ask("folder/inner/start", "start")
    device.run()
    assert (device.calls, device.left) == ([], [])
    assert secret.exists()


def test_a_request_that_is_being_written_is_waited_for(device):
    """Requests appear by a rename; the temporary file must not be taken away from its writer."""
    temporary = device.requests / ".street-abc.part"
    temporary.write_text("start")
    program = device.start_program()
    time.sleep(0.3)
    os.replace(temporary, device.requests / "street")
    program.communicate(timeout=20)
    assert device.calls[-1] == "--no-block start edgekit@street.service"


def test_a_temporary_file_that_nobody_renames_does_not_stay(device):
    """systemd would start the program again and again while the folder is not empty."""
    device.ask(".street-abc.part", "start")
    device.run()
    assert (device.calls, device.left) == ([], [])


def test_a_failure_of_systemctl_is_told(device):
    device._systemctl.write_text("#!/bin/sh\necho 'Unit not found.'\nexit 5\n")
    device.ask("street", "start")
    assert "start edgekit@street.service: Unit not found." in device.run()


def test_one_bad_request_does_not_hold_up_the_others(device):
    for name in ("Bad", "gate", "street"):
        device.ask(name, "start")
    device.run()
    assert [call for call in device.calls if "no-block" in call] == [
        "--no-block start edgekit@gate.service",
        "--no-block start edgekit@street.service",
    ]
