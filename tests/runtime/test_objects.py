"""Files by content: what must travel, what is taken from the device itself, and what is placed for a call."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from edgekit.core.deployment import Blob, MissingRequest, PlaceRequest
from edgekit.core.release import SERVICE_ONLY, ReleaseFile
from edgekit.errors import DeployError
from edgekit.runtime import objects, space
from edgekit.runtime.objects import collect, find_missing, place
from edgekit.runtime.store import Store
from tests.tiny_releases import deliver, quiet, sha256_of

CONTENT = {"a.txt": b"one", "b/c.txt": b"two"}
FILES = tuple(ReleaseFile(path, len(data), sha256_of(data)) for path, data in CONTENT.items())
BLOBS = tuple(Blob(file.sha256, file.size) for file in FILES)


def missing(root):
    return find_missing(MissingRequest(str(root), BLOBS), quiet).offsets


def test_what_is_not_there_must_be_sent_from_its_beginning(tmp_path):
    """A new device has nothing."""
    assert missing(tmp_path) == {blob.sha256: 0 for blob in BLOBS}


def test_what_was_received_or_is_an_object_does_not_travel_again(tmp_path):
    """Lost: bandwidth on a cellular link."""
    deliver(tmp_path, CONTENT)
    assert missing(tmp_path) == {}
    collect(Store(str(tmp_path)), FILES)
    assert missing(tmp_path) == {} and not list((tmp_path / "incoming").iterdir())


def test_what_is_for_the_service_alone_is_closed_before_it_has_a_name(tmp_path, monkeypatch):
    """The settings with the password of a camera, at every place where they lie on the device."""
    secret = ReleaseFile("settings.json", 3, FILES[0].sha256, SERVICE_ONLY)
    given = []
    monkeypatch.setattr(os, "chown", lambda path, uid, gid: given.append((Path(path).parent.name, uid, gid)))
    monkeypatch.setattr(objects, "service_group", lambda store: 4711)
    deliver(tmp_path, CONTENT)
    assert missing(tmp_path) == {}
    store = Store(str(tmp_path))
    collect(store, [secret, FILES[1]])
    modes = {file.path: store.object_path(file.sha256).stat().st_mode & 0o777 for file in FILES}
    assert modes == {"a.txt": 0o640, "b/c.txt": 0o644}
    assert given == [("incoming", -1, 4711)]
    assert (tmp_path / "incoming").stat().st_mode & 0o777 == 0o700


def test_an_object_that_was_open_is_closed_once_it_is_for_the_service_alone(tmp_path):
    """It came with a release of an earlier edgekit."""
    deliver(tmp_path, CONTENT)
    store = Store(str(tmp_path))
    collect(store, FILES)
    collect(store, [ReleaseFile("settings.json", 3, FILES[0].sha256, SERVICE_ONLY)])
    assert store.object_path(FILES[0].sha256).stat().st_mode & 0o777 == 0o640


def test_who_may_not_give_a_file_to_the_services_is_told_to_provision(tmp_path, monkeypatch):
    """A device of before: a release that its service cannot read must not be tried."""

    def refuse(path, uid, gid):
        raise PermissionError

    monkeypatch.setattr(os, "chown", refuse)
    monkeypatch.setattr(objects, "service_group", lambda store: 4711)
    deliver(tmp_path, CONTENT)
    with pytest.raises(DeployError, match="cannot be given to it alone") as refusal:
        collect(Store(str(tmp_path)), [ReleaseFile("settings.json", 3, FILES[0].sha256, SERVICE_ONLY)])
    assert "edgekit provision" in refusal.value.hint


def test_an_interrupted_transfer_is_gone_on_with(tmp_path):
    """Lost: fifty megabytes over a bad link, again and again."""
    (tmp_path / "incoming").mkdir()
    (tmp_path / "incoming" / f"{BLOBS[0].sha256}.part").write_bytes(b"on")
    (tmp_path / "incoming" / f"{BLOBS[1].sha256}.part").write_bytes(b"longer than it may be")
    assert missing(tmp_path) == {BLOBS[0].sha256: 2, BLOBS[1].sha256: 0}


def test_a_damaged_object_is_sent_again(tmp_path):
    """An edit inside a release damages the object that it is a link to."""
    deliver(tmp_path, CONTENT)
    collect(Store(str(tmp_path)), FILES)
    (tmp_path / "objects" / BLOBS[0].sha256).write_bytes(b"0ne")
    assert missing(tmp_path) == {BLOBS[0].sha256: 0}


def test_an_engine_that_is_on_the_device_does_not_travel_and_takes_no_second_room(tmp_path):
    """Engines are built on the device; sending them back would double the time, copying them the disk."""
    engine = tmp_path / "engines" / "e1" / "engine.onnx"
    engine.parent.mkdir(parents=True)
    engine.write_bytes(b"one")
    assert BLOBS[0].sha256 not in missing(tmp_path)
    collect(Store(str(tmp_path)), FILES[:1])
    assert (tmp_path / "objects" / BLOBS[0].sha256).samefile(engine)


def test_there_must_be_room_for_what_is_missing(tmp_path, monkeypatch):
    """To find out after an hour of sending would be late."""
    monkeypatch.setattr(space, "FLOOR_SHARE", 1.0)
    with pytest.raises(DeployError, match="too little free"):
        missing(tmp_path)


def test_placed_files_are_links_in_a_folder_named_by_its_content(tmp_path):
    """A model for a build lies once on the device, however often it is asked for."""
    deliver(tmp_path, CONTENT)
    first = Path(place(PlaceRequest(str(tmp_path), FILES), quiet).folder)
    assert {path: (first / path).read_bytes() for path in CONTENT} == CONTENT
    os.utime(first, (0, 0))
    assert place(PlaceRequest(str(tmp_path), FILES), quiet).folder == str(first)
    assert time.time() - first.stat().st_mtime < 60, "it would be deleted while it is in use"
    assert (first / "a.txt").stat().st_nlink == 2


def test_a_placed_folder_that_was_changed_is_made_anew(tmp_path):
    """A build that overwrote its own input must not poison the next."""
    deliver(tmp_path, CONTENT)
    path = Path(place(PlaceRequest(str(tmp_path), FILES), quiet).folder, "a.txt")
    path.unlink()
    path.write_text("0ne")
    place(PlaceRequest(str(tmp_path), FILES), quiet)
    assert path.read_text() == "one"


def test_an_executable_file_does_not_change_its_twin(tmp_path):
    """Links share their mode: the same bytes as a program and as data are two files."""
    program = ReleaseFile("run", 3, sha256_of(b"one"), 0o755)
    deliver(tmp_path, CONTENT)
    folder = Path(place(PlaceRequest(str(tmp_path), (FILES[0], program)), quiet).folder)
    assert [(folder / name).stat().st_mode & 0o777 for name in ("a.txt", "run")] == [0o644, 0o755]


@pytest.mark.parametrize("name", ["../../etc/passwd", "A" * 64, "", "abc"])
def test_a_digest_cannot_be_a_path(tmp_path, name):
    """Lost: any file of the device, to a forged request."""
    with pytest.raises(DeployError, match="is no digest"):
        find_missing(MissingRequest(str(tmp_path), (Blob(name, 1),)), quiet)
