"""The one part of `edgekit provision` that runs as root: user, folders, units, and back again.

Travels as text: `python3 -c TEXT JSON`. The argument:

    action   "install", or "undo": take back what an earlier install made
    dry_run  true: say what would be changed, change nothing
    user     the login user, who will own root
    root     the device folder, /opt/edgekit
    files    path -> {"text": ..., "mode": 420}: what root owns: units, the tmpfiles rule, the control program
    owned    name in root -> text: files of the login user that provision decides: device.json, environment

It prints one JSON object: {"changed": [...], "notes": [...]}, one line each of what was changed or would be; or
{"error": {"what", "why", "hint"}}. A second run finds nothing to change. What was made is recorded in RECORD; undo goes
by it, and so never removes what edgekit did not make.

root belongs to the login user. Whoever got hold of that account must not gain more through this program: nothing below
root is opened or changed by following a link. Standard library and Python 3.6 syntax only.
"""

import grp
import json
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

RECORD = "/etc/edgekit/provision.json"
SERVICE_USER = "edgekit"
STATE = "/var/lib/edgekit"
CACHE = "/var/cache/edgekit"
REQUESTS = "/run/edgekit/requests"
ARGUS_REQUESTS = "/var/lib/edgekit/_argus"
TMPFILES = "/etc/tmpfiles.d/edgekit.conf"
WAKERS = ("edgekit-control.path", "edgekit-argus.path")
WANTS = "/etc/systemd/system/multi-user.target.wants"
# The GPU and cameras, render from Ubuntu 22.04 on; the log. A group that the system does not have is left out.
SERVICE_GROUPS = ("video", "render")
LOGIN_GROUPS = ("systemd-journal", "video", "render")
FIRST_PERSON_UID = 1000

Record = Dict[str, Any]  # what install made: schema, root, user, files, made_user, joined


class RefusedError(Exception):
    """What cannot be done: what, why, hint."""

    def __init__(self, what: str, why: str = "", hint: str = "") -> None:
        Exception.__init__(self, what)
        self.told = {"what": what, "why": why, "hint": hint}


class Changes:
    """Does things, or with dry_run only tells of them."""

    def __init__(self, dry_run: bool) -> None:
        self.dry_run = dry_run
        self.changed: List[str] = []
        self.notes: List[str] = []

    def do(self, text: str, function: Callable[..., Any], *arguments: Any, **options: Any) -> None:
        """Note a change and make it."""
        self.changed.append(text)
        if not self.dry_run:
            function(*arguments, **options)


def main() -> None:
    """Read the request, carry it out, print the answer."""
    request = json.loads(sys.argv[1])
    changes = Changes(request["dry_run"])
    answer: Dict[str, Any] = {}
    try:
        if os.geteuid() != 0 and not changes.dry_run:
            raise RefusedError("this part of provision needs root")
        if request["action"] == "undo":
            undo(changes, request["root"])
        else:
            install(changes, request)
    except RefusedError as refused:
        answer = {"error": refused.told}
    except OSError as error:
        answer = {"error": {"what": "the system refused: %s" % error, "why": "", "hint": ""}}
    else:
        answer = {"changed": changes.changed, "notes": changes.notes}
    sys.stdout.write(json.dumps(answer) + "\n")


def install(changes: Changes, request: Dict[str, Any]) -> None:
    """Make everything that is missing or different."""
    root, login = request["root"], find_login(request["user"])
    record = read_record()
    refuse_foreign(root, login, record)
    record.update(schema=1, root=root, user=login.pw_name)
    files = set(record.get("files", [])) | set(request["files"])
    record["files"] = sorted(files)
    # Written first: an install that is cut off can be undone.
    keep_record(changes, record)
    make_user(changes, record)
    for group in LOGIN_GROUPS:
        join(changes, record, login.pw_name, group)
    join_services(changes, record, login.pw_name)
    for group in SERVICE_GROUPS:
        join(changes, record, SERVICE_USER, group)
    keep_record(changes, record)
    make_folders(changes, root, login)
    written = write_files(changes, request["files"])
    for name, text in sorted(request["owned"].items()):
        write_owned(changes, os.path.join(root, name), text, login)
    make_requests(changes, login, TMPFILES in written)
    use_units(changes, written)


def find_login(name: str) -> pwd.struct_passwd:
    """The login user's entry. Refuses root and the services' own user."""
    try:
        login = pwd.getpwnam(name)
    except KeyError:
        raise RefusedError("there is no user %r on the device" % name) from None
    if login.pw_uid == 0 or name == SERVICE_USER:
        raise RefusedError(
            "%s cannot be the login user" % name,
            "services run as %s, and what is deployed belongs to another user that is not root" % SERVICE_USER,
            "name an ordinary user of the device as user: in devices.yaml",
        )
    return login


def refuse_foreign(root: str, login: pwd.struct_passwd, record: Record) -> None:
    """Refuse a device folder that something else made, and one of another login user."""
    if record.get("user", login.pw_name) != login.pw_name:
        raise RefusedError(
            "%s was provisioned for the user %s" % (root, record["user"]),
            "devices.yaml names %s" % login.pw_name,
            "correct user: in devices.yaml, or take it back first: edgekit provision --undo",
        )
    if record.get("root", root) != root:
        raise RefusedError("the device was provisioned with %s as its folder" % record["root"])
    if record or not os.path.lexists(root):
        return
    if os.path.islink(root) or not os.path.isdir(root) or os.listdir(root):
        raise RefusedError(
            "%s exists, and edgekit did not make it" % root,
            "it is a link, a file, or a folder with something in it",
            "look what it is, and move it away: sudo mv %s %s.old" % (root, root),
        )


def read_record() -> Record:
    """What an earlier install made; {} if there was none."""
    try:
        with open(RECORD) as stream:
            found: Record = json.load(stream)
    except FileNotFoundError:
        return {}
    except ValueError:
        raise RefusedError("%s is damaged" % RECORD, "it should be JSON", "remove it, then provision again") from None
    return found


def keep_record(changes: Changes, record: Record) -> None:
    """Write the record if it changed; it is no change worth telling of."""
    if changes.dry_run or record == read_record():
        return
    make_folder(os.path.dirname(RECORD), 0, 0)
    replace(RECORD, json.dumps(record, indent=2, sort_keys=True) + "\n", 0o644, 0, 0)


def make_user(changes: Changes, record: Record) -> None:
    """The user that services run as: nobody can log in as it, and it owns nothing but their state."""
    try:
        user = pwd.getpwnam(SERVICE_USER)
    except KeyError:
        command = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", STATE]
        command += ["--shell", "/usr/sbin/nologin", "--comment", "edgekit services", SERVICE_USER]
        record["made_user"] = True
        changes.do("made the system user %s" % SERVICE_USER, run, *command)
        return
    if user.pw_uid >= FIRST_PERSON_UID:
        raise RefusedError(
            "there is a user %s (number %d) that is not the services'" % (SERVICE_USER, user.pw_uid),
            "services run as a system user of that name",
            "give that person another name: sudo usermod --login NAME %s" % SERVICE_USER,
        )


def join(changes: Changes, record: Record, user: str, group: str) -> None:
    """Put a user into a group, where the system has it."""
    try:
        entry = grp.getgrnam(group)
    except KeyError:
        return
    if user in entry.gr_mem or is_primary(user, entry.gr_gid):
        return
    joined = record.setdefault("joined", {}).setdefault(user, [])
    if group not in joined:
        joined.append(group)
    changes.do("%s joined the group %s" % (user, group), run, "usermod", "--append", "--groups", group, user)


def join_services(changes: Changes, record: Record, user: str) -> None:
    """The group of the services: the login user gives it files with passwords, which nobody else may read."""
    try:
        group = grp.getgrgid(pwd.getpwnam(SERVICE_USER).pw_gid).gr_name
    except KeyError:  # a dry run before the user is made
        changes.changed.append("%s joined the group %s" % (user, SERVICE_USER))
        return
    join(changes, record, user, group)


def is_primary(user: str, group: int) -> bool:
    """True if it is the user's own group."""
    try:
        return pwd.getpwnam(user).pw_gid == group
    except KeyError:
        return False


def make_folders(changes: Changes, root: str, login: pwd.struct_passwd) -> None:
    """The device folder, and root's folders for state and cache, in which systemd makes one for each service."""
    want_folder(changes, root, login.pw_uid, login.pw_gid)
    want_folder(changes, STATE, 0, 0)
    want_folder(changes, CACHE, 0, 0)
    link = os.path.join(root, "state")
    if not (os.path.islink(link) and os.readlink(link) == STATE):
        if os.path.lexists(link) and not os.path.islink(link):
            raise RefusedError(
                "%s is not a link to %s" % (link, STATE), "", "move it away: mv %s %s.old" % (link, link)
            )
        changes.do("linked %s to %s" % (link, STATE), make_link, STATE, link, login)


def want_folder(changes: Changes, path: str, uid: int, gid: int) -> None:
    """A folder with that owner and mode 0755."""
    try:
        found = os.lstat(path)
    except OSError:
        changes.do("made the folder %s" % path, make_folder, path, uid, gid)
        return
    if not stat.S_ISDIR(found.st_mode):
        raise RefusedError("%s is not a folder" % path, "", "move it away: sudo mv %s %s.old" % (path, path))
    if (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) != (uid, gid, 0o755):
        changes.do("set owner and mode of %s" % path, make_folder, path, uid, gid)


def make_folder(path: str, uid: int, gid: int, mode: int = 0o755) -> None:
    """Make a folder, or give the one that is there this owner and mode."""
    if not os.path.lexists(path):
        make_parents(os.path.dirname(path))
        os.mkdir(path, 0o700)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        os.fchown(descriptor, uid, gid)
        os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)


def make_parents(path: str) -> None:
    """Root's folders above, mode 0755, where they are missing."""
    if not os.path.isdir(path):
        make_parents(os.path.dirname(path))
        make_folder(path, 0, 0)


def make_link(target: str, link: str, login: pwd.struct_passwd) -> None:
    """A link of the login user, in one step."""
    temporary = "%s.%d" % (link, os.getpid())
    os.symlink(target, temporary)
    os.lchown(temporary, login.pw_uid, login.pw_gid)
    os.replace(temporary, link)


def write_files(changes: Changes, files: Dict[str, Any]) -> List[str]:
    """Root's files; the paths of those that were different."""
    written = []
    for path, wanted in sorted(files.items()):
        if content(path) != (wanted["text"], wanted["mode"], 0):
            written.append(path)
            changes.do("wrote %s" % path, write_root_file, path, wanted["text"], wanted["mode"])
    return written


def write_root_file(path: str, text: str, mode: int) -> None:
    """A file of root's in a folder of root's."""
    make_parents(os.path.dirname(path))
    replace(path, text, mode, 0, 0)


def write_owned(changes: Changes, path: str, text: str, login: pwd.struct_passwd) -> None:
    """A file of the login user's."""
    if content(path) != (text, 0o644, login.pw_uid):
        changes.do("wrote %s" % path, replace, path, text, 0o644, login.pw_uid, login.pw_gid)


def content(path: str) -> Optional[Tuple[str, int, int]]:
    """Text, mode and owner of a plain file; None for anything else."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as stream:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            return None
        return stream.read(1 << 20).decode("utf-8", "replace"), stat.S_IMODE(found.st_mode), found.st_uid


def replace(path: str, text: str, mode: int, uid: int, gid: int) -> None:
    """Put a file in its place at once. What was there, a link too, is replaced and never written through."""
    descriptor, temporary = tempfile.mkstemp(prefix=".edgekit-", dir=os.path.dirname(path))
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(text.encode("utf-8"))
            stream.flush()
            os.fchown(descriptor, uid, gid)
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    sync_folder(os.path.dirname(path))


def sync_folder(path: str) -> None:
    """Make a rename survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_requests(changes: Changes, login: pwd.struct_passwd, rule_is_new: bool) -> None:
    """The folders of requests, which systemd-tmpfiles makes again at each boot."""
    wanted = [(REQUESTS, login.pw_name), (ARGUS_REQUESTS, SERVICE_USER)]
    if rule_is_new or not all(is_for_requests(path, user) for path, user in wanted):
        changes.do("made the folder %s" % REQUESTS, run, "systemd-tmpfiles", "--create", TMPFILES)


def is_for_requests(path: str, user: str) -> bool:
    """True if that folder is there, for a user to write and for root's group to clear."""
    try:
        found, uid = os.lstat(path), pwd.getpwnam(user).pw_uid
    except (OSError, KeyError):
        return False
    return (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (uid, 0, 0o2770)


def use_units(changes: Changes, written: List[str]) -> None:
    """Let systemd read new units, and let it watch for requests."""
    units = [path for path in written if path.startswith("/etc/systemd/system/")]
    if units:
        changes.do("systemd read its units again", run, "systemctl", "daemon-reload")
    for waker in WAKERS:
        if not is_so("is-enabled", waker) or not is_so("is-active", waker):
            changes.do("enabled %s" % waker, enable_waker, waker)
        elif any(path.endswith(waker) for path in units):
            changes.do("started %s again" % waker, run, "systemctl", "restart", waker)
    if any("edgekit@" in path for path in units) and services():
        changes.notes.append("services take their new unit when they are next started")


def enable_waker(waker: str) -> None:
    """Watch for requests, now and after each boot, also after it had given up."""
    run("systemctl", "reset-failed", waker, waker.replace(".path", ".service"), fails=True)
    run("systemctl", "enable", "--now", waker)


def services() -> List[str]:
    """The enabled services' units."""
    try:
        return sorted(name for name in os.listdir(WANTS) if name.startswith("edgekit@") and name.endswith(".service"))
    except FileNotFoundError:
        return []


def is_so(question: str, unit: str) -> bool:
    """The answer of `systemctl is-enabled` or `is-active`."""
    return answer(["systemctl", question, unit]).returncode == 0


def undo(changes: Changes, root: str) -> None:
    """Take back what the record says. The record goes last: an undo that is cut off is finished by the next one."""
    record = read_record()
    if not record:
        return
    if record["root"] != root:
        raise RefusedError("the device was provisioned with %s as its folder" % record["root"])
    stop_everything(changes)
    for path in record.get("files", []):
        if os.path.lexists(path):
            changes.do("removed %s" % path, os.unlink, path)
    changes.do("systemd read its units again", run, "systemctl", "daemon-reload")
    for path in (root, STATE, CACHE, os.path.dirname(REQUESTS)):
        if os.path.lexists(path):
            changes.do("removed %s" % path, remove_tree, path)
    for user, groups in sorted(record.get("joined", {}).items()):
        for group in groups if user != SERVICE_USER else ():
            changes.do("%s left the group %s" % (user, group), run, "gpasswd", "--delete", user, group, fails=True)
    if record.get("made_user") and has_user(SERVICE_USER):
        changes.do("removed the user %s" % SERVICE_USER, run, "userdel", SERVICE_USER)
    changes.do("removed %s" % os.path.dirname(RECORD), remove_tree, os.path.dirname(RECORD))


def stop_everything(changes: Changes) -> None:
    """End every service and the programs beside them, and start none of them again."""
    for waker in WAKERS:
        if is_so("is-enabled", waker) or is_so("is-active", waker):
            changes.do("stopped %s" % waker, run, "systemctl", "disable", "--now", waker, fails=True)
    for unit in services():
        changes.do("stopped %s" % unit, run, "systemctl", "disable", "--now", unit, fails=True)
    patterns = ["edgekit@*.service", "edgekit-reconcile@*.service", "edgekit-control.service", "edgekit-argus.service"]
    if not changes.dry_run:
        run("systemctl", "stop", *patterns, fails=True)
        run("systemctl", "reset-failed", *patterns, fails=True)


def has_user(name: str) -> bool:
    """True if the system has that user."""
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def remove_tree(path: str) -> None:
    """Remove a folder or whatever has taken its place; links are removed, not followed."""
    if os.path.islink(path) or not os.path.isdir(path):
        os.unlink(path)
    else:
        shutil.rmtree(path)


def run(*command: str, fails: bool = False) -> None:
    """Run a program of the system. Refuses with its last words if it fails, unless it may."""
    done = answer(command)
    if done.returncode != 0 and not fails:
        raise RefusedError(
            "%s failed on the device" % " ".join(command), done.stdout.decode("utf-8", "replace").strip()[-500:]
        )


def answer(command: Sequence[str]) -> "subprocess.CompletedProcess[bytes]":
    """Run a program to its end, with nothing to read and its words kept."""
    return subprocess.run(
        list(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )


if __name__ == "__main__":
    main()
