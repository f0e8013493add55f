"""Root's part of provision: what it looks at, what it refuses, and that nobody can lead it astray."""

from __future__ import annotations

import json
import os
import pwd
import stat
import subprocess
import sys

import pytest

from edgekit.bootstrap import install
from edgekit.control.units import device_files


def me():
    return pwd.getpwuid(os.getuid())


@pytest.fixture
def record(tmp_path, monkeypatch):
    """Where an earlier install would have left its record."""
    path = tmp_path / "etc/provision.json"
    path.parent.mkdir()
    monkeypatch.setattr(install, "RECORD", str(path))
    return path


def test_a_dry_run_tells_of_every_change_and_makes_none(tmp_path):
    """It is run as the login user, to see whether root is needed at all."""
    root = tmp_path / "edgekit"
    request = {"action": "install", "dry_run": True, "user": "daemon", "root": str(root)}
    request.update(files=device_files("daemon", 249), owned={"device.json": "{}\n"})
    done = subprocess.run(
        [sys.executable, install.__file__, json.dumps(request)], capture_output=True, text=True, check=True
    )
    answer = json.loads(done.stdout)
    assert f"made the folder {root}" in answer["changed"]
    assert f"wrote {root}/device.json" in answer["changed"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("user", ["root", "daemon"])
def test_neither_root_nor_the_services_user_may_be_the_login_user(user, monkeypatch):
    """What is deployed must not belong to the user that runs it, nor everything to root."""
    monkeypatch.setattr(install, "SERVICE_USER", "daemon")
    with pytest.raises(install.RefusedError, match="cannot be the login user"):
        install.find_login(user)


def test_a_user_that_is_not_there_is_named():
    with pytest.raises(install.RefusedError, match="no user 'nobody-of-that-name'"):
        install.find_login("nobody-of-that-name")


def test_a_folder_of_somebody_else_is_not_touched(tmp_path):
    """Undo removes the device folder with all that is in it."""
    root = tmp_path / "edgekit"
    root.mkdir()
    install.refuse_foreign(str(root), me(), {})
    (root / "thesis.tex").write_text("x")
    with pytest.raises(install.RefusedError, match="edgekit did not make it"):
        install.refuse_foreign(str(root), me(), {})


def test_another_login_user_is_refused(tmp_path):
    """Objects and releases belong to the first one: the second could not write."""
    with pytest.raises(install.RefusedError, match="provisioned for the user nvidia"):
        install.refuse_foreign(str(tmp_path), me(), {"user": "nvidia", "root": str(tmp_path)})


def test_a_link_in_the_login_users_folder_is_replaced_and_never_written_through(tmp_path):
    """Otherwise whoever owns that folder could have root write any file."""
    target, path = tmp_path / "passwd", tmp_path / "device.json"
    target.write_text("root")
    path.symlink_to(target)
    install.replace(str(path), "{}", 0o644, os.getuid(), os.getgid())
    assert (target.read_text(), path.read_text(), path.is_symlink()) == ("root", "{}", False)
    assert install.content(str(path)) == ("{}", 0o644, os.getuid())


def test_what_is_behind_a_link_is_not_read(tmp_path):
    (tmp_path / "secret").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "pipe")
    assert install.content(str(tmp_path / "link")) is None
    assert install.content(str(tmp_path / "pipe")) is None


def test_a_folders_owner_is_not_set_through_a_link(tmp_path):
    """`chown` of /opt/edgekit must not become one of /etc."""
    (tmp_path / "etc").mkdir(mode=0o700)
    (tmp_path / "edgekit").symlink_to(tmp_path / "etc")
    with pytest.raises(OSError):
        install.make_folder(str(tmp_path / "edgekit"), os.getuid(), os.getgid())
    assert stat.S_IMODE((tmp_path / "etc").stat().st_mode) == 0o700


def test_removing_a_link_leaves_what_it_leads_to(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "edgekit").symlink_to(tmp_path / "home")
    install.remove_tree(str(tmp_path / "edgekit"))
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_the_login_user_joins_the_group_of_the_services(monkeypatch):
    """Settings with passwords are given to that group; else only an open mode would let services read them."""
    monkeypatch.setattr(install, "SERVICE_USER", "daemon")
    changes, record = install.Changes(dry_run=True), {}
    install.join_services(changes, record, me().pw_name)
    group = install.grp.getgrgid(pwd.getpwnam("daemon").pw_gid).gr_name
    assert record == {"joined": {me().pw_name: [group]}}
    monkeypatch.setattr(install, "SERVICE_USER", "nobody-of-that-name")
    changes = install.Changes(dry_run=True)
    install.join_services(changes, {}, me().pw_name)
    assert changes.changed == [f"{me().pw_name} joined the group nobody-of-that-name"], "it is made in the same run"


def test_undo_without_a_record_does_nothing(record):
    """It removes only what is written down, and never guesses."""
    changes = install.Changes(dry_run=True)
    install.undo(changes, "/opt/edgekit")
    assert changes.changed == []


def test_undo_goes_by_the_record_alone(record, tmp_path):
    for name in ("ours.service", "theirs.service"):
        (tmp_path / name).write_text("")
    files = [str(tmp_path / "ours.service"), str(tmp_path / "gone.service")]
    record.write_text(json.dumps({"root": str(tmp_path / "edgekit"), "user": "nvidia", "files": files}))
    changes = install.Changes(dry_run=True)
    install.undo(changes, str(tmp_path / "edgekit"))
    removed = [line for line in changes.changed if ".service" in line]
    assert removed == [f"removed {tmp_path}/ours.service"]
    assert not any("user" in line for line in changes.changed)


def test_a_damaged_record_is_not_taken_for_none(record):
    record.write_text("{")
    with pytest.raises(install.RefusedError, match="damaged"):
        install.read_record()
