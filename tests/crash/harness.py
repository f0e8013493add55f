"""Kills and failing calls at exact places: a child process does one step of a deployment, strace interrupts it.

The child is forked from this process, so that nothing but the step itself makes system calls; strace attaches to it.
What keeps services running is left out here (`Keeper`): it would cost seconds for each of some thousand kills.
tests/crash/test_random_kills.py has it all, with real supervisors.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
import time
import traceback
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import AbstractSet, Callable, Iterator, List, Optional

from edgekit.core.activation import Probation, RunStatus
from edgekit.core.deployment import ServiceRequest
from edgekit.core.release import RELEASE_NAME
from edgekit.core.service import HEALTH_NAME
from edgekit.core.wire import canonical_json
from edgekit.errors import EdgekitError
from edgekit.files import sha256_file
from edgekit.runtime import activation, reconcile, space
from edgekit.runtime.journal import read_journal
from edgekit.runtime.store import Store
from tests.tiny_releases import SERVICE, quiet

# What changes a disk. A file that was created and not written is what a kill at the following write or fsync leaves.
CHANGES = (
    *("write", "pwrite64", "fsync", "fdatasync", "ftruncate", "chmod", "fchmod", "fchmodat"),
    *("chown", "fchown", "lchown", "fchownat"),
    *("rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "unlink", "unlinkat"),
    *("mkdir", "mkdirat", "rmdir"),
)
AT_ONCE = Probation(frames=1, seconds=0.0, deadline_s=60.0)  # passes with the first look
NEVER = Probation(frames=1, seconds=0.0, deadline_s=0.0)  # fails with the first look, where there is no frame
KILLED = -int(signal.SIGKILL)
FAILED_CLEARLY = 8  # DeployError
_PR_SET_PTRACER, _ANY = 0x59616D61, ctypes.c_ulong(-1)


def missing_tool() -> str:
    """Why nothing can be injected here, "" if it can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    killed = run_child(lambda: Path("/nowhere/at/all").rmdir(), inject="rmdir:signal=KILL:when=1")
    return "" if killed.code == KILLED else "strace may not attach to a process here"


class Keeper:
    """Stands where systemd or a supervisor does: whatever `current` names reports at once, well or badly.

    reloads: a service goes on by the release that it began with until it is restarted, or asked to take another over.
    """

    def __init__(self, store: Store, works: bool, reloads: bool = False) -> None:
        self._store, self._works, self._reloads = store, works, reloads
        self.wanted = True

    def restart(self, service: str) -> None:
        self.wanted = True
        self._run_current(service)

    def reload(self, service: str) -> None:
        self._run_current(service)

    def start(self, service: str) -> None:
        self.wanted = True

    def stop(self, service: str) -> None:
        self.wanted = False

    def watch(self, service: str) -> None:
        pass

    def status(self, service: str) -> RunStatus:
        """Each look finds a new report of what `current` names."""
        folder = self._store.state_dir(service)
        folder.mkdir(parents=True, exist_ok=True)
        release_id, began_with = self._store.current_release_id(service), folder / "runs"
        if self._reloads and began_with.exists():
            release_id = began_with.read_text()
        health = {
            "service": service,
            "release": release_id,
            "pid": 1,
            "frames": int(self._works),
            "detections": 0,
            "fps": 1.0,
            "frame_age_ms": None,
            "dropped": 0,
            "engine_id": "e",
            "precision": "fp32",
            "started_unix_s": 0.0,
            "updated_unix_s": 0.0,
        }
        (folder / ".new").write_text(json.dumps(health))
        os.replace(folder / ".new", folder / HEALTH_NAME)
        return RunStatus(running=self.wanted, wanted=self.wanted)

    def _run_current(self, service: str) -> None:
        if self._reloads:
            folder = self._store.state_dir(service)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "runs").write_text(self._store.current_release_id(service))


@contextmanager
def kept(works: bool = True, reloads: bool = False) -> Iterator[None]:
    """Let a Keeper run the services of this process, errors be tried again without a pause, and small disks do."""
    before = activation.runner_for, reconcile.runner_for, reconcile._TRY_AGAIN_S, space.FLOOR_MIB
    activation.runner_for = reconcile.runner_for = lambda store: Keeper(store, works, reloads)
    reconcile._TRY_AGAIN_S, space.FLOOR_MIB = 0.0, 1
    try:
        yield
    finally:
        activation.runner_for, reconcile.runner_for, reconcile._TRY_AGAIN_S, space.FLOOR_MIB = before


@dataclass(frozen=True)
class Result:
    """How a child ended: its exit code, or minus the signal that killed it; and what it said of a failure."""

    code: int
    words: str


def run_child(
    step: Callable[[], object], inject: str = "", watch: Optional[Path] = None, kill_after_s: Optional[float] = None
) -> Result:
    """Run a step in a forked child. Code 0: it came to its end.

    inject: strace's rule for its calls. watch: where strace writes the calls that it saw. kill_after_s: when it is
    killed, from its beginning on.
    """
    go_read, go_write = os.pipe()
    said_read, said_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        _be_child(step, go_read, said_write)
    os.close(go_read)
    os.close(said_write)
    tracer = _attach(pid, inject, watch) if inject or watch else None
    os.write(go_write, b"g")
    os.close(go_write)
    if kill_after_s is not None:
        time.sleep(kill_after_s)
        os.kill(pid, signal.SIGKILL)
    with open(said_read, "rb") as stream:
        words = stream.read().decode()
    status = os.waitpid(pid, 0)[1]
    if tracer is not None:
        tracer.wait(10)
    return Result(-os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status), words)


@dataclass(frozen=True)
class Point:
    """A system call of a step: the `occurrence`-th of its name, from 1. strace counts each name by itself."""

    call: str
    occurrence: int

    def inject(self, what: str) -> str:
        """strace's rule for it. what: "signal=KILL", "error=ENOSPC" ..."""
        return f"{self.call}:{what}:when={self.occurrence}"


def points_of(step: Callable[[], object], log: Path) -> List[Point]:
    """Every call of a step that changes the disk, in their order. The step is taken."""
    done = run_child(step, watch=log)
    assert done.code == 0, done.words
    counts: Counter[str] = Counter()
    points = []
    for line in log.read_text().splitlines():
        name = line.partition("(")[0]
        if name in CHANGES:
            counts[name] += 1
            points.append(Point(name, counts[name]))
    return points


def _be_child(step: Callable[[], object], go: int, said: int) -> None:
    code, words = 99, ""
    try:
        ctypes.CDLL(None).prctl(
            _PR_SET_PTRACER, _ANY, 0, 0, 0
        )  # a sibling may trace this, also where Yama restricts it
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        os.read(go, 1)
        step()
        code = 0
    except EdgekitError as error:
        code, words = error.exit_code, str(error)
    except BaseException:
        words = traceback.format_exc()
    finally:
        os.writev(said, [words.encode()])  # no call that anything is injected into
        os._exit(code)


def _attach(pid: int, inject: str, watch: Optional[Path]) -> "subprocess.Popen[bytes]":
    names = ",".join("?" + name for name in CHANGES)  # "?": some processors lack the older ones
    command = ["strace", "-q", "-p", str(pid), "-o", str(watch or os.devnull), "-e", f"trace={names}"]
    if inject:
        command += ["-e", f"inject={inject}"]
    tracer = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline_s = time.monotonic() + 10
    while _tracer_of(pid) == 0:
        if tracer.poll() is not None or time.monotonic() > deadline_s:
            break
        time.sleep(0.001)
    return tracer


def _tracer_of(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("TracerPid:"):
            return int(line.split()[1])
    return 0


def copy_device(template: Path, target: Path) -> Path:
    """A device folder like another, hard links and all."""
    shutil.rmtree(target, ignore_errors=True)
    subprocess.run(["cp", "-a", str(template), str(target)], check=True)
    return target


def settle_now(root: Path, works: bool = True, reloads: bool = False) -> None:
    """What the reconciler does after a reboot."""
    with kept(works, reloads):
        reconcile.reconcile(ServiceRequest(str(root), SERVICE), quiet)


def check_whole(root: Path, allowed: AbstractSet[str]) -> str:
    """The release that `current` names, after checking that it is whole and one of those allowed. "": there is none."""
    store = Store(str(root))
    journal = read_journal(store, SERVICE)
    release_id = store.current_release_id(SERVICE)
    assert release_id in allowed, f"current names {release_id or 'nothing'}, in phase {journal.phase}"
    written = {journal.committed, journal.target, journal.previous}
    assert release_id in written, f"{release_id} is current, and nobody wrote that down"
    if release_id:
        manifest = store.read_release(release_id)
        folder = store.release_dir(release_id)
        assert manifest is not None, f"{release_id} has no manifest"
        assert (folder / RELEASE_NAME).read_bytes() == canonical_json(manifest)
        for file in manifest.files:
            path = folder / file.path
            assert sha256_file(path) == file.sha256, f"{file.path} of {release_id} is not whole"
            assert path.stat().st_mode & 0o7777 == file.mode
    return release_id


def check_settled(root: Path, allowed: AbstractSet[str]) -> str:
    """As check_whole, of a device on which nothing is under way: it runs what it says it runs."""
    release_id = check_whole(root, allowed)
    journal = read_journal(Store(str(root)), SERVICE)
    assert journal.settled, f"still {journal.phase}"
    assert journal.committed == release_id
    return release_id


def check_tidy(root: Path) -> None:
    """No half-made folder or file is left."""
    left = [path for path in root.rglob("*") if path.name.endswith(".part") or path.name == f".{SERVICE}.new"]
    assert not left, f"left behind: {', '.join(map(str, left))}"
