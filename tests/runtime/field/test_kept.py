"""What the verb `field` tells of a folder that a service writes to, and that may hold anything."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from edgekit.core.collecting import CollectSettings
from edgekit.core.field import FieldAnswer, FieldRequest
from edgekit.core.wire import from_wire, to_wire
from edgekit.errors import DeployError, DeviceError
from edgekit.runtime.field.kept import list_kept, look
from edgekit.runtime.field.store import FieldStore
from tests.crash.harness import run_child
from tests.runtime.field.frames_kept import frame_of
from tests.tiny_releases import quiet


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "state" / "street" / "field"


def asked(tmp_path):
    return list_kept(FieldRequest(str(tmp_path), "street"), quiet)


def keep(folder, *frames):
    with FieldStore(folder, CollectSettings(stratum_share=1.0)) as store:
        for jpeg, frame in frames:
            store.add(jpeg, frame)
    return [frame for _, frame in frames]


def test_a_service_that_never_kept_a_frame_has_none(tmp_path):
    """A device without `collect:` is no error."""
    assert asked(tmp_path) == FieldAnswer(str(tmp_path / "state" / "street" / "field"), ())


def test_a_name_that_is_no_service_is_refused(tmp_path):
    """It would become part of a path."""
    with pytest.raises(DeployError, match="no service name"):
        list_kept(FieldRequest(str(tmp_path), "../../etc"), quiet)


def test_frames_are_told_oldest_first(tmp_path, folder):
    """Who takes only some takes the same ones each time."""
    frames = keep(folder, *(frame_of(number) for number in (3, 1, 2)))
    assert asked(tmp_path).frames == tuple(sorted(frames, key=lambda frame: frame.time_unix_s))


def test_the_device_answers_in_the_form_of_every_verb(tmp_path, folder):
    """The host reads the last line of a process."""
    (frame,) = keep(folder, frame_of(1))
    command = [sys.executable, "-m", "edgekit.runtime", "field", f"root={tmp_path}", "service=street"]
    done = subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=True)
    answer = from_wire(FieldAnswer, json.loads(done.stdout.splitlines()[-1])["result"])
    assert answer == FieldAnswer(str(folder), (frame,))


def test_files_that_are_no_frames_are_passed_over(tmp_path, folder):
    """A note, a half-written picture or a folder would end the answer."""
    keep(folder, frame_of(1))
    other = frame_of(2)[1].sha256
    (folder / f"{other}.jpg").write_bytes(b"not acknowledged yet")
    (folder / f".{other}-x.part.json").write_bytes(b"{")
    (folder / "notes.json").write_text("{}")
    (folder / f"{'a' * 64}.json").mkdir()
    answer = asked(tmp_path)
    assert (len(answer.frames), answer.damaged) == (1, ())


def test_frames_that_are_not_what_they_claim_are_told_and_not_handed_out(tmp_path, folder):
    """A picture under another's name, or half of one, would go into a calibration set."""
    frames = keep(folder, *(frame_of(number) for number in range(7)))
    whole, cut, gone, torn, other, renamed, large = frames
    (folder / f"{cut.sha256}.jpg").write_bytes(b"short")
    (folder / f"{gone.sha256}.jpg").unlink()
    (folder / f"{torn.sha256}.json").write_bytes(b'{"sha256": "\xff')
    (folder / f"{other.sha256}.json").write_text(json.dumps({**to_wire(other), "lens": "wide", "bytes": "many"}))
    (folder / f"{renamed.sha256}.json").write_text(json.dumps(to_wire(whole)))
    (folder / f"{large.sha256}.json").write_text(" " * (1 << 20) + "{}")
    answer = asked(tmp_path)
    assert answer.frames == (whole,)
    said = dict(line.split(": ", 1) for line in answer.damaged)
    assert said[cut.sha256] == "its JPEG has 5 bytes, not 4096"
    assert said[gone.sha256] == "its JPEG is missing"
    assert said[torn.sha256].startswith("its JSON cannot be read")
    assert "lens: unknown field" in said[other.sha256]
    assert said[renamed.sha256] == f"it tells of {whole.sha256}"
    assert said[large.sha256] == "its JSON has 1048578 bytes"


def test_json_that_would_end_a_reader_ends_only_its_frame(tmp_path, folder):
    """A hundred thousand brackets are a RecursionError."""
    (frame,) = keep(folder, frame_of(1))
    (folder / f"{frame.sha256}.json").write_text("[" * 200_000)
    assert asked(tmp_path).damaged == (f"{frame.sha256}: its JSON is nested too deep",)


def test_a_link_is_no_frame(tmp_path, folder):
    """Whoever runs the service could have the login user hand out any file."""
    whole, linked, described = keep(folder, *(frame_of(number) for number in range(3)))
    secret = tmp_path / "secret"
    secret.write_bytes((folder / f"{linked.sha256}.jpg").read_bytes())
    (folder / f"{linked.sha256}.jpg").unlink()
    (folder / f"{linked.sha256}.jpg").symlink_to(secret)
    (folder / f"{described.sha256}.json").unlink()
    (folder / f"{described.sha256}.json").symlink_to(secret)
    answer = asked(tmp_path)
    assert answer.frames == (whole,)
    assert answer.damaged == (f"{linked.sha256}: its JPEG is missing",)


def test_a_frame_that_goes_for_room_meanwhile_is_no_damage(folder, monkeypatch):
    """On a busy device every answer would report trouble that there is not."""
    frames = keep(folder, frame_of(1), frame_of(2))
    first = sorted(frame.sha256 for frame in frames)[0]
    lstat = Path.lstat

    def removed_by_the_service(path):
        if path.name == f"{first}.jpg":
            for suffix in ("json", "jpg"):
                (folder / f"{first}.{suffix}").unlink(missing_ok=True)
        return lstat(path)

    monkeypatch.setattr(Path, "lstat", removed_by_the_service)
    assert [(entry.sha256 == first, entry.problem) for entry in look(folder)] == [(False, "")]


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user takes root")
def test_a_user_outside_the_group_is_told_what_to_do():
    """PermissionError: [Errno 13] says nothing of groups."""

    def look_as_nobody():
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        asked(root)

    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        keep(root / "state" / "street" / "field", frame_of(1))
        told = run_child(look_as_nobody)
    assert told.code == DeviceError.exit_code, told.words
    assert "edgekit provision makes the login user a member" in told.words
