"""The folder of kept frames: what lies in it, what is cleared away, and what is never touched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgekit.core.collecting import CollectSettings
from edgekit.core.field import KeptFrame
from edgekit.core.wire import from_wire, to_wire
from edgekit.errors import DeployError, DeviceError
from edgekit.files import sha256_file
from edgekit.runtime import space
from edgekit.runtime.field.store import FieldStore
from tests.runtime.field.frames_kept import frame_of

SETTINGS = CollectSettings(quota_mib=8, stream_share=1.0, stratum_share=1.0)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "state" / "street" / "field"


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")


def files_of(*frames):
    return sorted(f"{frame.sha256}.{suffix}" for frame in frames for suffix in ("jpg", "json"))


def test_a_kept_frame_is_two_files_that_say_what_they_are(folder):
    """Who takes the frames knows nothing but these files."""
    jpeg, frame = frame_of(1)
    with FieldStore(folder, SETTINGS) as store:
        assert store.add(jpeg, frame)
        assert (store.kept, store.removed) == (1, 0)
        assert store.kept_mib == pytest.approx(8 / 1024)
    assert names(folder) == files_of(frame)
    assert sha256_file(folder / f"{frame.sha256}.jpg") == frame.sha256
    assert from_wire(KeptFrame, json.loads((folder / f"{frame.sha256}.json").read_text())) == frame


def test_frames_are_for_the_service_and_its_group_alone(folder):
    """They show people, and other users of the device must not see them; the login user is in the group."""
    before = os.umask(0o022)
    try:
        with FieldStore(folder, SETTINGS) as store:
            store.add(*frame_of(1))
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o7777 == 0o750
    assert {(folder / name).stat().st_mode & 0o7777 for name in names(folder)} == {0o640}


def test_the_same_picture_is_kept_once(folder):
    """A camera that shows nothing new would write it again and again."""
    with FieldStore(folder, SETTINGS) as store:
        assert store.add(*frame_of(1))
        assert not store.add(*frame_of(1))
        assert store.kept == 1


def test_the_next_start_finds_what_was_kept(folder):
    """After a restart the quota would count from zero, and the folder would grow without end."""
    frames = [frame_of(number, size_kib=1000) for number in range(7)]
    for jpeg, frame in frames:
        with FieldStore(folder, SETTINGS) as store:
            store.add(jpeg, frame)
            assert store.swept == ()
    with FieldStore(folder, SETTINGS) as store:
        assert store.kept == 7
        store.add(*frame_of(8, size_kib=1500))
        assert (store.kept, store.removed) == (7, 1)
    assert files_of(frames[0][1])[0] not in names(folder)


def test_a_start_clears_away_what_was_not_kept_to_the_end(folder):
    """Every kill would leave a file that nobody ever deletes."""
    jpeg, frame = frame_of(1)
    other = frame_of(2)[1].sha256
    with FieldStore(folder, SETTINGS) as store:
        store.add(jpeg, frame)
    left = [f"{other}.jpg", f".{other}-ab12_x.part.jpg", f".{other}-zz.part.json"]
    for name in left:
        (folder / name).write_bytes(b"half")
    with FieldStore(folder, SETTINGS) as store:
        assert store.swept == tuple(sorted(left))
        assert store.kept == 1
    assert names(folder) == files_of(frame)


def test_a_frame_that_a_disk_has_damaged_is_cleared_away(folder):
    """It takes room and is of no use to anyone."""
    frames = [frame_of(number) for number in range(4)]
    with FieldStore(folder, SETTINGS) as store:
        for jpeg, frame in frames:
            store.add(jpeg, frame)
    whole, cut, no_json, no_jpeg = (frame for _, frame in frames)
    (folder / f"{cut.sha256}.jpg").write_bytes(b"short")
    (folder / f"{no_json.sha256}.json").write_text('{"sha256": ')
    (folder / f"{no_jpeg.sha256}.jpg").unlink()
    with FieldStore(folder, SETTINGS) as store:
        assert store.kept == 1
    assert names(folder) == files_of(whole)


def test_what_another_version_kept_stays_until_room_is_needed(folder):
    """Going back to an older release would delete every frame that the newer one had acknowledged."""
    jpeg, frame = frame_of(1, size_kib=4000)
    with FieldStore(folder, SETTINGS) as store:
        store.add(jpeg, frame)
    described = folder / f"{frame.sha256}.json"
    described.write_text(json.dumps({**to_wire(frame), "lens": "wide"}))
    with FieldStore(folder, SETTINGS) as store:
        assert (store.kept, store.swept) == (1, ())
        assert described.exists()
        store.add(*frame_of(2, size_kib=3000))
        assert described.exists()
        store.add(*frame_of(3, size_kib=3000))
        assert not described.exists()
        assert store.removed == 1


def test_files_of_others_are_neither_counted_nor_deleted(folder):
    """Somebody keeps notes there."""
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("mine")
    (folder / "ABCD.jpg").write_text("mine")
    (folder / (".hidden-1.part.jpg")).write_text("mine")
    (folder / ("e" * 64)).mkdir()
    with FieldStore(folder, SETTINGS) as store:
        assert (store.kept, store.swept) == (0, ())
        store.add(*frame_of(1))
    assert {"notes.txt", "ABCD.jpg", ".hidden-1.part.jpg", "e" * 64} < set(names(folder))


def test_a_smaller_quota_is_kept_from_the_next_start_on(folder):
    """Someone gives the disk to something else, and nothing would happen."""
    with FieldStore(folder, CollectSettings(quota_mib=16, stratum_share=1.0)) as store:
        for number in range(10):
            store.add(*frame_of(number, size_kib=1000))
        assert store.kept == 10
    with FieldStore(folder, SETTINGS) as store:
        assert (store.kept, store.removed) == (8, 2)
        assert store.kept_mib <= 8


def test_each_stratum_keeps_its_share_of_the_folder(folder):
    """Hours of day would push out the minutes of night."""
    settings = CollectSettings(quota_mib=8, stratum_share=0.5)
    with FieldStore(folder, settings, lambda stratum: stratum == "light:night") as store:
        nights = [frame_of(number, strata=("light:night", "class:car"), size_kib=500) for number in range(3)]
        for jpeg, frame in nights:
            store.add(jpeg, frame)
        for number in range(10, 40):
            store.add(*frame_of(number, strata=("light:day",), size_kib=500))
        assert store.kept == 3 + 8
    assert set(files_of(*(frame for _, frame in nights))) < set(names(folder))


def test_a_frame_larger_than_the_quota_is_refused_in_words(folder):
    """A camera of a hundred megapixels would never keep a frame, and nobody would know why."""
    with FieldStore(folder, SETTINGS) as store:
        store.add(*frame_of(1))
        with pytest.raises(DeviceError, match=r"a frame of 8\.8 MiB is larger"):
            store.add(*frame_of(2, size_kib=9000))
        assert store.kept == 1


def test_a_disk_that_is_nearly_full_is_left_alone(folder, monkeypatch):
    """The last free bytes belong to the system; and what was kept before must not go for it."""
    with FieldStore(folder, SETTINGS) as store:
        store.add(*frame_of(1))
        monkeypatch.setattr(space, "FLOOR_SHARE", 1.0)
        with pytest.raises(DeployError, match="too little free"):
            store.add(*frame_of(2))
        assert store.kept == 1
        monkeypatch.undo()
        assert store.add(*frame_of(2))


def test_a_write_that_fails_leaves_nothing_of_the_frame(folder, monkeypatch):
    """Half a frame would take room until the next start."""
    with FieldStore(folder, SETTINGS) as store:
        store.add(*frame_of(1))
        (folder / f"{frame_of(2)[1].sha256}.json").mkdir()  # what cannot be replaced by a file
        with pytest.raises(OSError):
            store.add(*frame_of(2))
        assert store.kept == 1
    (folder / f"{frame_of(2)[1].sha256}.json").rmdir()
    assert names(folder) == files_of(frame_of(1)[1])


HOLDS = """
import sys
from pathlib import Path
from edgekit.core.collecting import CollectSettings
from edgekit.runtime.field.store import FieldStore
with FieldStore(Path(sys.argv[1]), CollectSettings()):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_processes_never_keep_frames_in_one_folder(folder):
    """Each would delete what the other has half written."""
    command = [sys.executable, "-c", HOLDS, str(folder)]
    root = Path(__file__).parents[3]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(DeviceError, match=rf"by a service \(process {other.pid}\) already"):
            FieldStore(folder, SETTINGS).__enter__()
        other.stdin.close()
        other.wait(20)
        with FieldStore(folder, SETTINGS) as store:
            store.add(*frame_of(1))
