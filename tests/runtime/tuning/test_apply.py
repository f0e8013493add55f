"""A machine set for measuring and set back: whatever was refused, whoever was killed, whatever was restarted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgekit.core.preflight import Setting
from edgekit.errors import DeviceError, UsageError
from edgekit.runtime.measuring import measuring
from edgekit.runtime.tuning import apply, fan
from edgekit.runtime.tuning.apply import left_tuned, tune, untune
from edgekit.runtime.tuning.journal import check_tuned, tuned_names
from tests.runtime.tuning.board import CPU, FAN, GPU, JOURNAL, STATUS, Board

REPOSITORY = Path(__file__).resolve().parents[3]
CHILD = """
import sys
from pathlib import Path
from edgekit.runtime.tuning import apply, fan
apply._need_root, fan._TAKEN_BACK_S = (lambda: None), 0.0
try:
    getattr(apply, sys.argv[2])(root=Path(sys.argv[1]))
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.fixture
def board(tmp_path, monkeypatch) -> Board:
    monkeypatch.setattr(apply, "_need_root", lambda: None)
    monkeypatch.setattr(apply, "Fan", lambda root: fan.Fan(root, settle_s=0.0))
    return Board(tmp_path)


def child(board: Board, verb: str) -> subprocess.Popen:
    command = [sys.executable, "-c", CHILD, str(board.root), verb]
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(REPOSITORY)})


def until(holds, limit_s: float = 30.0) -> None:
    deadline_s = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def killed_in(board: Board, verb: str, program: str) -> None:
    """Kill a tune or untune in the middle of a program; that ends by itself, as an orphan."""
    board.write("hang", program)
    process = child(board, verb)
    until((board.root / "hanging").exists)
    process.kill()
    assert process.wait(10) == -signal.SIGKILL
    (board.root / "hang").unlink()
    until(lambda: not (board.root / "hanging").exists())


def test_everything_is_set_and_set_back_to_the_byte(board) -> None:
    """A device that a benchmark leaves in another state is no longer the one that was deployed to."""
    before = board.settings()
    done = tune(root=board.root)
    assert done.refused == ()
    assert done.changed == (
        Setting("power_mode", "25W"),
        Setting("governor", "schedutil"),
        Setting("clocks", "vary"),
        Setting("fan", "88 of 255"),
    )
    assert board.read(STATUS).startswith("pmode:0000")
    for policy in ("policy0", "policy4"):
        assert board.read(f"{CPU}/{policy}/scaling_governor") == "performance"
        assert board.read(f"{CPU}/{policy}/scaling_min_freq") == "1984000", (
            "locked after the change of mode, not before"
        )
    assert board.read(f"{GPU}/min_freq") == "1173000000" and board.read(FAN) == "255"
    assert tuned_names(board.root) == ("power_mode", "governor", "clocks", "fan")
    back = untune(board.root)
    assert {setting.name: setting.value for setting in back.changed}["power_mode"] == "25W" and back.refused == ()
    assert board.settings() == before
    assert not (board.root / JOURNAL).exists() and tuned_names(board.root) == ()


def test_clocks_that_were_locked_are_locked_again(board) -> None:
    """The change of mode and back unlocks them: a user's own jetson_clocks must survive a benchmark."""
    subprocess.run([board.root / "usr/bin/jetson_clocks"], check=True)
    before = board.settings()
    assert Setting("clocks", "locked") in tune(root=board.root).changed
    untune(board.root)
    assert board.settings() == before


def test_a_tuned_machine_has_nothing_to_change(board) -> None:
    """In the mode it should have and locked: then nothing is written, and there is nothing to set back."""
    for words in (
        ["usr/sbin/nvpmodel", "-m", "0"],
        ["usr/bin/jetson_clocks"],
        ["usr/bin/systemctl", "stop", "nvfancontrol"],
    ):
        subprocess.run([board.root / words[0], *words[1:]], check=True)
    for policy in ("policy0", "policy4"):
        board.write(f"{CPU}/{policy}/scaling_governor", "performance\n")
    board.write(FAN, "255\n")
    done = tune(root=board.root)
    assert (done.changed, done.refused) == ((), ())
    assert not (board.root / JOURNAL).exists()
    assert untune(board.root).changed == ()


def test_only_what_is_asked_for_is_changed(board) -> None:
    """Who measures in the mode of the field wants its clocks locked, not another mode."""
    done = tune(["clocks"], board.root)
    assert done.changed == (Setting("clocks", "vary"),)
    assert board.read(STATUS).startswith("pmode:0003") and board.read(FAN) == "88"
    assert board.read(f"{CPU}/policy0/scaling_min_freq") == "1497600"
    untune(board.root)


def test_a_setting_that_does_not_exist_is_refused_before_anything_is_changed(board) -> None:
    """A slip of the pen must not leave half of it tuned."""
    before = board.settings()
    with pytest.raises(UsageError, match="governer"):
        tune(["clocks", "governer"], board.root)
    assert board.settings() == before


def test_a_mode_that_needs_a_restart_is_never_asked_for(board) -> None:
    """From 10W only a restart brings the rest of the GPU back; the clocks of this mode are locked all the same."""
    board.write(STATUS, "pmode:0001 fmode:quiet\n")
    done = tune(root=board.root)
    assert "power_mode" not in {setting.name for setting in done.changed}
    assert board.read(STATUS).startswith("pmode:0001")
    assert untune(board.root).refused == ()


def test_a_question_for_a_restart_is_a_no(board) -> None:
    """Where the file does not tell that a mode gates other parts, the program does; a restart would cut us off."""
    program = board.root / "usr/sbin/nvpmodel"
    program.write_text(program.read_text().replace('!= "$(of "$2" TPC_POWER_GATING)"', '!= ""'))
    before = board.settings()
    done = tune(root=board.root)
    assert any("MAXN_SUPER needs a restart" in sentence for sentence in done.refused)
    assert not (board.root / "restarted").exists()
    assert {setting.name for setting in done.changed} == {"governor", "clocks", "fan"}
    untune(board.root)
    assert board.settings() == before


@pytest.mark.parametrize("program", ["nvpmodel", "jetson_clocks"])
@pytest.mark.parametrize("again", ["untune", "tune"])
def test_a_tune_that_is_killed_is_mended(board, program, again) -> None:
    """kill -9 in the middle of a program: the journal was on the disk before the first change."""
    before = board.settings()
    killed_in(board, "tune", program)
    assert board.settings() != before
    assert len(tuned_names(board.root)) == 4 and next(check_tuned(board.root)).severity == "warning"
    if again == "tune":
        assert [setting.value for setting in tune(root=board.root).changed] == ["25W", "schedutil", "vary", "88 of 255"]
    assert untune(board.root).refused == ()
    assert board.settings() == before


def test_an_untune_that_is_killed_is_finished_by_the_next(board) -> None:
    """What is set back already does no harm when it is set back again."""
    before = board.settings()
    tune(root=board.root)
    killed_in(board, "untune", "jetson_clocks")
    assert tuned_names(board.root) != ()
    untune(board.root)
    assert board.settings() == before and tuned_names(board.root) == ()


def test_a_restart_leaves_the_power_mode_to_be_set_back(board) -> None:
    """nvpmodel's choice outlasts it, all else does not: old values must not be written over what the system set."""
    before = board.settings()
    tune(root=board.root)
    board.restart()
    board.write(FAN, "120\n")
    assert tuned_names(board.root) == ("power_mode",)
    assert untune(board.root).changed == (Setting("power_mode", "25W"),)
    assert {**board.settings(), FAN: "88"} == before
    assert board.read(FAN) == "120"


def test_ctrl_c_waits_until_the_machine_is_in_one_state(board) -> None:
    """Half a tune that nobody knows of would be the worst of all."""
    board.write("hang", "jetson_clocks")
    process = child(board, "tune")
    until((board.root / "hanging").exists)
    process.send_signal(signal.SIGINT)
    (board.root / "hang").unlink()
    assert process.wait(30) in (130, -signal.SIGINT)
    assert tuned_names(board.root) == ("power_mode", "governor", "clocks", "fan")
    assert board.read(FAN) == "255"


def test_two_at_once_take_turns(board) -> None:
    """The second would keep the first one's settings as those of the machine."""
    before = board.settings()
    board.write("hang", "jetson_clocks")
    first = child(board, "tune")
    until((board.root / "hanging").exists)
    second = child(board, "tune")
    (board.root / "hang").unlink()
    assert (first.wait(30), second.wait(30)) == (0, 0)
    untune(board.root)
    assert board.settings() == before


def test_a_device_that_is_measured_is_not_tuned_by_another(board, monkeypatch) -> None:
    """It would be set back first, in the middle of a measurement at full clocks. Setting back is always allowed."""
    monkeypatch.setattr(apply, "_ENDING_S", 0.1)
    values = tune(root=board.root).changed
    engine = board.root / "opt" / "edgekit" / "engines" / "0123456789abcdef"
    with measuring(engine):
        with pytest.raises(DeviceError, match="being measured by another bench"):
            tune(root=board.root)
        assert left_tuned(board.root).changed == values
        untune(root=board.root)
    assert tune(root=board.root).changed == values
    untune(root=board.root)


def test_the_lock_of_root_follows_no_link(board) -> None:
    """Whoever may write to its folder would choose a file that root makes and holds."""
    before, elsewhere = board.settings(), board.root / "elsewhere"
    lock = board.root / "run" / "edgekit-tune.lock"
    lock.parent.mkdir(exist_ok=True)
    lock.symlink_to(elsewhere)
    with pytest.raises(OSError, match=r"edgekit-tune\.lock"):
        tune(root=board.root)
    assert not elsewhere.exists() and board.settings() == before


def test_what_a_tune_has_left_can_be_asked_for_without_changing_it(board) -> None:
    """Before a device is taken out of use, and by who is not root."""
    assert left_tuned(board.root).changed == ()
    values = tune(root=board.root).changed
    now = board.settings()
    assert left_tuned(board.root).changed == values and board.settings() == now
    untune(root=board.root)
    assert left_tuned(board.root).changed == ()


def test_what_cannot_be_set_back_stays_in_the_journal(board) -> None:
    """It is told, and tried again the next time; the rest is set back."""
    before = board.settings()
    tune(root=board.root)
    program = board.root / "usr/sbin/nvpmodel"
    whole = program.read_text()
    program.write_text("#!/bin/sh\necho 'NVPM ERROR: no'; exit 255\n")
    done = untune(board.root)
    assert [sentence for sentence in done.refused if sentence.startswith("power mode is not set back to 25W")]
    assert tuned_names(board.root) == ("power_mode",)
    with pytest.raises(DeviceError, match="cannot be set back"):
        tune(root=board.root)
    program.write_text(whole)
    untune(board.root)
    assert tuned_names(board.root) == ()
    assert board.settings() == before


def test_a_fan_that_the_kernel_takes_back_is_told(board, monkeypatch) -> None:
    """On some boards a governor of the kernel sets it again within a second: then "full" would be a lie."""
    before = board.settings()
    monkeypatch.setattr(fan, "time", SimpleNamespace(sleep=lambda s: board.write(FAN, "88\n")))
    done = tune(["fan"], board.root)
    assert done.changed == () and "took it back to 88 of 255" in done.refused[0]
    assert board.settings() == before and tuned_names(board.root) == ()


def test_the_fan_of_jetpack_4_is_taken_from_its_temperature_control(board) -> None:
    """It has no nvfancontrol; a file says whether temperature decides."""
    (board.root / "run/nvfancontrol").unlink()
    board.write("sys/devices/pwm-fan/target_pwm", "120\n")
    board.write("sys/devices/pwm-fan/temp_control", "1\n")
    assert tune(["fan"], board.root).changed == (Setting("fan", "120 of 255"),)
    assert (board.read("sys/devices/pwm-fan/target_pwm"), board.read("sys/devices/pwm-fan/temp_control")) == (
        "255",
        "0",
    )
    untune(board.root)
    assert (board.read("sys/devices/pwm-fan/target_pwm"), board.read("sys/devices/pwm-fan/temp_control")) == (
        "120",
        "1",
    )


def test_a_pc_gets_its_governor_and_nothing_else(board) -> None:
    """No Jetson's programs there; what it lacks is not told unless it was asked for."""
    for path in ("usr/sbin/nvpmodel", "usr/bin/jetson_clocks", "usr/bin/systemctl", "etc/nvpmodel.conf", FAN):
        (board.root / path).unlink()
    done = tune(root=board.root)
    assert done.changed == (Setting("governor", "schedutil"),)
    assert done.refused == ("clocks: there is no jetson_clocks to lock the clocks with",)
    untune(board.root)
    assert board.read(f"{CPU}/policy0/scaling_governor") == "schedutil"
    assert tune(["fan"], board.root).refused == ("fan: this machine has none that can be set",)


def test_a_processor_that_refuses_the_governor_keeps_its_own(board) -> None:
    """One group refuses: the other goes back too, for half a setting is none."""
    (board.root / f"{CPU}/policy4/scaling_governor").unlink()
    (board.root / f"{CPU}/policy4/scaling_governor").mkdir()
    done = tune(["governor"], board.root)
    assert done.changed == () and "policy4" in done.refused[0]
    assert board.read(f"{CPU}/policy0/scaling_governor") == "schedutil"


@pytest.mark.parametrize("spoil", ["others may write", "a link", "no JSON", "another form"])
def test_a_journal_that_others_could_have_written_is_not_believed(board, spoil, tmp_path) -> None:
    """jetson_clocks --restore writes any value to any path, as root."""
    tune(["clocks"], board.root)
    journal = board.root / JOURNAL
    text = journal.read_text()
    if spoil == "others may write":
        journal.chmod(0o666)
    elif spoil == "a link":
        journal.rename(tmp_path / "elsewhere")
        journal.symlink_to(tmp_path / "elsewhere")
    else:
        journal.write_text("{" if spoil == "no JSON" else json.dumps({**json.loads(text), "entries": 7}))
    with pytest.raises(DeviceError, match="cannot be used") as caught:
        untune(board.root)
    assert "sudo rm" in caught.value.hint
    assert next(check_tuned(board.root)).severity == "warning" and tuned_names(board.root) == ()


def test_who_is_not_root_is_told_so(tmp_path, monkeypatch) -> None:
    """Not with a permission denied of some file, after half of it."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(DeviceError, match="root alone"):
        tune(root=tmp_path)
    assert list(tmp_path.iterdir()) == []
