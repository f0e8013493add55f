"""A device tuned over SSH through sudo, and set back whatever happens meanwhile. Server, sudo and code are real enough:
the code is sent, becomes root's as far as it knows, and changes a board that is a folder."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import threading
import time
import zipfile

import pytest

from edgekit.control import provision, tuning
from edgekit.control.inventory import Device
from edgekit.control.local_link import LocalLink
from edgekit.control.provision import unprovision
from edgekit.control.ssh.link import SSHLink
from edgekit.control.tuning import left_tuned, read_preflight, tuned, untune
from edgekit.errors import DeviceError, UnreachableError
from tests.runtime.tuning.board import FAN, Board
from tests.ssh_server import SSHServer, make_key

PASSWORD = "correct-horse"
# As sudo: -n true asks whether it takes a password; else the words after "--" are run.
FREE = '#!/bin/sh\n[ "$2" = true ] && exit 0\nshift 2; exec "$@"\n'
LOCKED = f"""#!/bin/sh
[ "$1" = -n ] && {{ echo 'sudo: a password is required' >&2; exit 1; }}
read -r given
[ "$given" = {PASSWORD} ] || {{ echo 'sudo: 1 incorrect password attempt' >&2; exit 1; }}
shift 5; exec "$@"
"""


class Lab:
    """A board, the link to it, and its entry in devices.yaml."""

    def __init__(self, board: Board, server: SSHServer, link: SSHLink, entry: Device, sudo) -> None:
        self.board, self.server, self.link, self.entry, self._sudo = board, server, link, entry, sudo

    def lock_sudo(self) -> None:
        self._sudo.write_text(LOCKED)


@pytest.fixture
def lab(tmp_path, monkeypatch):
    board = Board(tmp_path / "board")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "sudo").write_text(FREE)
    (programs / "sudo").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    code = code_for(board)
    monkeypatch.setattr(tuning, "_packed_code", lambda: code)
    keys = make_key(tmp_path / "host"), make_key(tmp_path / "user")
    with contextlib.closing(SSHServer(*keys)) as server:
        server.pin(tmp_path / "known_hosts")
        settings = {"address": "127.0.0.1", "port": server.port, "key": str(tmp_path / "user"), "user": "ed"}
        entry = Device("nx", "jetson", "roadscene", "street", "/v.mp4", **settings)
        with contextlib.closing(SSHLink(entry, tmp_path / "known_hosts", str(tmp_path / "device"))) as link:
            yield Lab(board, server, link, entry, programs / "sudo")


def code_for(board: Board) -> bytes:
    """The code as it is sent, but that its / is the board, and that it takes itself for root's."""
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(tuning._packed_code())) as whole, zipfile.ZipFile(packed, "w") as ours:
        for name in whole.namelist():
            text = whole.read(name).decode()
            if name.endswith("tuning/apply.py"):
                text = text.replace('_ROOT = Path("/")', f"_ROOT = Path({str(board.root)!r})")
                text = text.replace("os.geteuid() != 0", "False").replace("Fan(root))", "Fan(root, settle_s=0.0))")
            ours.writestr(name, text)
    return packed.getvalue()


def test_a_device_is_tuned_meanwhile_and_is_then_as_it_was(lab):
    """The whole way: the code as a zip through sudo, from memory, by the system's Python, and back."""
    before = lab.board.settings()
    with tuned(lab.link, lab.entry) as answer:
        assert [setting.name for setting in answer.changed] == ["power_mode", "governor", "clocks", "fan"]
        assert lab.board.read(FAN) == "255" and lab.board.settings() != before
    assert lab.board.settings() == before


def test_the_password_is_asked_for_once_and_reaches_nobody_else(lab):
    """It goes to sudo's standard input, before the code: not into a command line, which everyone there can read."""
    lab.lock_sudo()
    asked = []
    with tuned(lab.link, lab.entry, ask_password=lambda: asked.append(1) or PASSWORD):
        pass
    assert asked == [1]
    assert not any(PASSWORD in command for command in lab.server.commands)


@pytest.mark.parametrize("given", [None, "wrong"])
def test_without_the_password_nothing_is_changed_or_measured(lab, given):
    """A run that was to be tuned and is not would be compared as if it were."""
    lab.lock_sudo()
    before = lab.board.settings()
    with pytest.raises(DeviceError, match="password"), tuned(lab.link, lab.entry, ask_password=lambda: given):
        pytest.fail("it was measured all the same")
    assert lab.board.settings() == before


@pytest.mark.parametrize("fault", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_whatever_ends_the_measuring_sets_it_back(lab, fault):
    """A device that stays at full clocks is hot, loud and thirsty in the field."""
    before = lab.board.settings()
    with pytest.raises(fault), tuned(lab.link, lab.entry):
        raise fault
    assert lab.board.settings() == before


def test_a_fleet_that_is_told_to_stop_sets_its_devices_back(lab):
    """Its threads learn of Ctrl-C by their progress, which raises from then on, while setting back too."""
    before = lab.board.settings()
    stopping = threading.Event()

    def progress(what: str, done: int, total: int) -> None:
        if stopping.is_set():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), tuned(lab.link, lab.entry, progress):
        stopping.set()
        progress("measure", 1, 10)
    assert lab.board.settings() == before


def test_ctrl_c_while_it_is_set_back_waits_for_the_end(lab):
    """People press it twice."""
    before = lab.board.settings()

    def press() -> None:
        while not (lab.board.root / "hanging").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)
        (lab.board.root / "hang").unlink()

    with pytest.raises(KeyboardInterrupt), tuned(lab.link, lab.entry):
        lab.board.write("hang", "jetson_clocks")
        threading.Thread(target=press, daemon=True).start()
    assert lab.board.settings() == before


def test_ctrl_c_while_it_is_tuned_sets_it_back_too(lab):
    """Then the device goes on by itself; what it has begun is waited for, and taken back."""
    before = lab.board.settings()
    lab.board.write("hang", "jetson_clocks")

    def press() -> None:
        while not (lab.board.root / "hanging").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)
        (lab.board.root / "hang").unlink()

    threading.Thread(target=press, daemon=True).start()
    with pytest.raises(KeyboardInterrupt), tuned(lab.link, lab.entry):
        pytest.fail("it was measured all the same")
    assert lab.board.settings() == before


def test_a_device_that_is_gone_is_told_to_be_still_tuned(lab):
    """Who reads "unreachable" alone does not know that clocks and fan stay as they are."""
    before = lab.board.settings()
    with pytest.raises(UnreachableError, match="still set for measuring") as caught, tuned(lab.link, lab.entry):
        lab.server.close()
    assert caught.value.hint == "edgekit bench --untune --device nx"
    assert lab.board.settings() != before


def test_a_link_that_breaks_while_it_is_tuned_leaves_a_doubt_that_is_told(lab):
    """The device may have done it all; "unreachable" alone would let it stay so."""
    lab.board.write("hang", "jetson_clocks")

    def drop() -> None:
        while not (lab.board.root / "hanging").exists():
            time.sleep(0.01)
        lab.server.drop()
        (lab.board.root / "hang").unlink()

    threading.Thread(target=drop, daemon=True).start()
    with pytest.raises(UnreachableError) as caught, tuned(lab.link, lab.entry):
        pytest.fail("it was measured all the same")
    assert "may be set for measuring" in caught.value.why
    assert caught.value.hint == "edgekit bench --untune --device nx"


def test_what_a_killed_bench_left_is_set_back_by_hand(lab):
    """The first has never come to its end; the second finds nothing left to do."""
    before = lab.board.settings()
    tuning._ask(lab.link, lab.entry, "tune", (), lambda: None)
    assert len(untune(lab.link, lab.entry).changed) == 4
    assert lab.board.settings() == before
    assert untune(lab.link, lab.entry).changed == ()


def test_what_ended_the_measuring_is_told_beside_what_is_left_to_do(lab):
    """A cut link leaves two things behind, a stopped service and a tuned device: nobody would start the service."""
    with pytest.raises(UnreachableError, match="nx is still set for measuring") as caught, tuned(lab.link, lab.entry):
        lab.server.close()
        raise UnreachableError("street is still stopped", why="no way to nx", hint="edgekit start --device nx")
    assert caught.value.why.startswith("street is still stopped\nno way to nx\n")
    assert caught.value.hint == "edgekit start --device nx\nedgekit bench --untune --device nx"


def test_what_is_left_tuned_can_be_asked_for_by_anyone(lab):
    """A dry run must not need a password, nor change anything."""
    assert left_tuned(lab.link).changed == ()
    tuning._ask(lab.link, lab.entry, "tune", (), lambda: None)
    tuned_now = lab.board.settings()
    lab.lock_sudo()
    assert [(one.name, one.value) for one in left_tuned(lab.link).changed][:1] == [("power_mode", "25W")]
    assert lab.board.settings() == tuned_now


def test_undoing_a_provision_sets_a_tuned_device_back_first(lab, monkeypatch):
    """What says how it was goes with the rest, and full clocks would stay for ever."""
    before = lab.board.settings()
    tuning._ask(lab.link, lab.entry, "tune", (), lambda: None)
    seen = []

    def root_part(*words):
        seen.append(lab.board.settings())
        return ["gone"], []

    monkeypatch.setattr(provision, "_root_part", root_part)
    tuned_now = lab.board.settings()
    would = unprovision(lab.link, lab.entry, lambda: None, dry_run=True)
    assert would.changed[0] == "set power mode back to 25W" and lab.board.settings() == tuned_now
    done = unprovision(lab.link, lab.entry, lambda: None)
    assert seen == [tuned_now, before] and done.changed[-1] == "gone"
    assert sorted(done.changed) == sorted(would.changed) and len(done.changed) == 5


def test_a_device_that_cannot_be_set_back_keeps_what_says_how_it_was(lab, monkeypatch):
    """Better an undo that stops with a reason than one that makes the reason go away."""
    tuning._ask(lab.link, lab.entry, "tune", (), lambda: None)
    (lab.board.root / "usr/sbin/nvpmodel").write_text("#!/bin/sh\necho 'NVPM ERROR: no'; exit 255\n")
    monkeypatch.setattr(provision, "_root_part", lambda *words: pytest.fail("it was taken back all the same"))
    with pytest.raises(DeviceError, match="not quite as it was"):
        unprovision(lab.link, lab.entry, lambda: None)
    assert [one.name for one in left_tuned(lab.link).changed] == ["power_mode"]


def test_a_setting_that_does_not_go_back_is_an_error(lab):
    """The figures are there, but the device is not as it was: that must not end with code 0."""
    with pytest.raises(DeviceError, match="nx is not quite as it was") as caught, tuned(lab.link, lab.entry):
        (lab.board.root / "usr/sbin/nvpmodel").write_text("#!/bin/sh\necho 'NVPM ERROR: no'; exit 255\n")
    assert "power mode is not set back to 25W" in caught.value.why
    assert caught.value.hint.startswith("edgekit bench --untune --device nx\n")


def test_this_machine_is_tuned_by_root_alone_and_the_way_is_told(tmp_path, monkeypatch):
    """No password is asked for on the user's own machine behind their back."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    entry = Device("local", "local", "roadscene", "local", "/v.mp4")
    with pytest.raises(DeviceError, match="root alone") as caught, tuned(LocalLink("local", tmp_path), entry):
        pytest.fail("it was measured all the same")
    assert "-m edgekit.runtime tune, then measure without --tune, then sudo" in caught.value.hint


def test_a_device_tells_how_it_is_set(tmp_path):
    """Asked through the verb, as of any device; the child that answers is no other program to itself."""
    found = read_preflight(LocalLink("local", tmp_path))
    assert found.busy_pct is None or 0 <= found.busy_pct <= 100
    assert found.memory_available_mib is None or found.memory_available_mib > 0
