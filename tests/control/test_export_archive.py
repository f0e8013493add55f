"""An archive holds exactly a committed release, names nobody who made it, and activates where no edgekit reaches."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from edgekit.control.export_archive import pack, release_to_pack
from edgekit.control.inventory import Device
from edgekit.control.link import silent
from edgekit.control.local_link import LocalLink
from edgekit.core.activation import Probation
from edgekit.core.deployment import ActivateRequest, ServiceRequest
from edgekit.errors import DeviceError, NotFoundError
from edgekit.report.exports.archive import install_note
from edgekit.runtime.activation import activate
from edgekit.runtime.journal import read_journal
from edgekit.runtime.probe import probe_device
from edgekit.runtime.services import stop
from edgekit.runtime.store import Store
from tests.tiny_releases import QUICK, SERVICE, content_of, deliver, manifest_of, quiet, settled

ROOT = Path(__file__).resolve().parents[2]
RULE = Probation(frames=QUICK.frames, seconds=QUICK.seconds, deadline_s=QUICK.deadline_s)
DEVICE = Device("local", "local", "roadscene", SERVICE, (), probation=RULE)


@pytest.fixture
def device(tmp_path):
    """A device folder, prepared as `edgekit provision` does: device code and a Python."""
    yield from prepared(tmp_path / "device")


@pytest.fixture
def other(tmp_path):
    """Another device of the same kind, that edgekit's host never reaches."""
    yield from prepared(tmp_path / "other")


def prepared(root):
    (root / "code" / "0123456789abcdef").mkdir(parents=True)
    (root / "code" / "0123456789abcdef" / "edgekit").symlink_to(ROOT / "edgekit")
    (root / "agent").symlink_to(Path("code", "0123456789abcdef"))
    (root / "venv").symlink_to(sys.prefix)
    yield root
    stop(ServiceRequest(str(root), SERVICE), quiet)


def in_service(root, content, counter=1):
    """Activate a release made for this very machine, and see it committed."""
    deliver(root, content)
    profile = probe_device()
    manifest = manifest_of(content, counter, device_class={"engine_key": profile.engine_key})
    activate(ActivateRequest(str(root), manifest, QUICK), profile, quiet)
    assert settled(root).committed == manifest.release_id
    return manifest


def packed(root, folder, counter=None):
    """The archive of what is in service in a device folder."""
    link = LocalLink("local", root)
    found = release_to_pack(link, DEVICE, counter)
    folder.mkdir()
    archive = folder / f"{found.name}.tar.gz"
    pack(link, found, install_note(found.manifest, found.name), archive, silent)
    return archive


def install(archive, where, root):
    """Unpack and run the installer, as its note says."""
    where.mkdir(exist_ok=True)
    subprocess.run(["tar", "-xzf", str(archive), "-C", str(where)], check=True)
    (folder,) = where.iterdir()
    command = [sys.executable, str(folder / "install.py"), str(root)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_an_archive_brings_a_release_into_service_elsewhere(device, other, tmp_path):
    """The whole way: from one device into a file, and from the file into service on another."""
    manifest = in_service(device, content_of(note="first"), 3)
    archive = packed(device, tmp_path / "out")
    done = install(archive, tmp_path / "unpacked", other)
    assert (done.returncode, done.stdout) == (0, f"release {manifest.release_id} is in service\n"), done.stderr
    journal = read_journal(Store(str(other)), SERVICE)
    assert (journal.committed, journal.floor, journal.by) == (manifest.release_id, 3, "an archive")
    again = install(archive, tmp_path / "unpacked", other)
    assert again.returncode == 0 and not list((other / "incoming").iterdir())


def test_a_release_that_fails_there_is_taken_back_with_its_reason(device, other, tmp_path):
    """A courier that is told of success stops looking."""
    first = in_service(other, content_of(note="first"), 1)
    in_service(device, content_of(), 2)
    good = packed(device, tmp_path / "good")
    bad = tmp_path / "bad"
    bad.mkdir()
    subprocess.run(["tar", "-xzf", str(good), "-C", str(bad)], check=True)
    (folder,) = bad.iterdir()
    request = folder / "request.json"
    request.write_text(request.read_text().replace('"min_fps": null', '"min_fps": 900.0'))
    command = [sys.executable, str(folder / "install.py"), str(other)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 8 and "was taken back: " in done.stderr and "FPS" in done.stderr
    assert read_journal(Store(str(other)), SERVICE).committed == first.release_id


def test_an_older_counter_is_refused_and_another_can_be_given(device, other, tmp_path):
    """Rules of admission are those of the device, whatever the courier."""
    in_service(other, content_of(note="newer"), 5)
    manifest = in_service(device, content_of(note="older"), 4)
    refused = install(packed(device, tmp_path / "a"), tmp_path / "x", other)
    assert refused.returncode == 8 and "this device is at 5" in refused.stderr
    done = install(packed(device, tmp_path / "b", counter=6), tmp_path / "y", other)
    assert done.returncode == 0, done.stderr
    assert read_journal(Store(str(other)), SERVICE).committed == manifest.release_id


def test_equal_releases_make_equal_archives_that_name_nobody(device, tmp_path):
    """A checksum that changes from one export to the next proves nothing."""
    in_service(device, content_of())
    first = packed(device, tmp_path / "a")
    time.sleep(1.1)  # gzip and tar know seconds
    second = packed(device, tmp_path / "b")
    assert first.read_bytes() == second.read_bytes()
    with tarfile.open(first) as tar:
        members = tar.getmembers()
    assert {(one.mtime, one.uid, one.gid, one.uname, one.gname) for one in members} == {(0, 0, 0, "", "")}
    assert [one.name for one in members] == sorted(one.name for one in members)
    checked = subprocess.run(["sha256sum", "-c", f"{first.name}.sha256"], cwd=first.parent, check=False)
    assert checked.returncode == 0
    assert first.stat().st_mode & 0o777 == 0o600  # there may be passwords in it


def test_a_device_without_a_release_and_one_that_was_edited_are_refused(device, tmp_path):
    """What is packed is what proved itself, to the byte."""
    with pytest.raises(NotFoundError, match="nothing is in service"):
        release_to_pack(LocalLink("local", device), DEVICE, None)
    manifest = in_service(device, content_of())
    place = device / "releases" / manifest.release_id / "settings.json"
    place.unlink()
    place.write_text("{ }")
    with pytest.raises(DeviceError, match=r"settings.json of release"):
        packed(device, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_damaged_file_stops_the_installer_before_the_device_is_touched(device, other, tmp_path):
    in_service(device, content_of())
    archive = packed(device, tmp_path / "out")
    install_at = tmp_path / "unpacked"
    install_at.mkdir()
    subprocess.run(["tar", "-xzf", str(archive), "-C", str(install_at)], check=True)
    (folder,) = install_at.iterdir()
    one = sorted((folder / "incoming").iterdir())[0]
    one.write_bytes(one.read_bytes() + b"?")
    done = subprocess.run([sys.executable, str(folder / "install.py"), str(other)], capture_output=True, text=True)
    assert done.returncode == 6 and "1 of " in done.stderr
    assert not (other / "incoming").exists()


def test_a_device_that_was_not_prepared_says_what_to_do(device, tmp_path):
    in_service(device, content_of())
    archive, bare = packed(device, tmp_path / "out"), tmp_path / "bare"
    bare.mkdir()
    done = install(archive, tmp_path / "unpacked", bare)
    assert done.returncode == 2 and "edgekit provision" in done.stderr
    assert list(bare.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_the_installer_does_not_run_as_a_stranger(device, other, tmp_path):
    """Files of root in the login user's folder would stop its next deployment."""
    in_service(device, content_of())
    archive = packed(device, tmp_path / "out")
    os.chown(other, 12345, 12345)
    done = install(archive, tmp_path / "unpacked", other)
    assert done.returncode == 2 and "sudo -u '#12345'" in done.stderr
    os.chown(other, 0, 0)
