"""Frames that a device has kept, brought here: each checked against what the device says of it before it is decoded.

What is here whole is not fetched again, and nothing is deleted on the device.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edgekit import files
from edgekit.control.field.ledger import read_judged
from edgekit.control.field.limits import MOST_JSON_BYTES, digest_or_empty, frame_problem
from edgekit.control.inventory import Device
from edgekit.control.link import Link
from edgekit.control.project import Project
from edgekit.core.field import FieldAnswer, FieldRequest, KeptFrame
from edgekit.core.progress import OnProgress
from edgekit.core.wire import from_wire, to_wire
from edgekit.errors import ConfigError, DeviceError, OversizeError, UnreachableError, UsageError

NOT_FETCHED = "not fetched"  # why of a frame that could not be read on the device just now; the next fetch asks again

_MIB = 1 << 20
_AT_ONCE = 25  # frames in one go of the link, whose start takes longer than a frame; progress is told after each
_LEAST_FREE_SHARE = 0.05  # of this machine's disk; a device that keeps frames for years must not fill it


@dataclass(frozen=True)
class FieldFrame:
    """A frame that is here whole: bytes and SHA-256 of `path` were those that `kept` says when it arrived."""

    kept: KeptFrame
    path: Path


@dataclass(frozen=True)
class Refused:
    """A frame that is not used. why: a word of REFUSALS; detail: a sentence. path: where a picture is safe to show."""

    sha256: str
    why: str
    detail: str
    stream: str = ""
    path: Path | None = None


@dataclass(frozen=True)
class Fetched:
    """All frames of a service that are here, oldest first, those of earlier fetches too.

    streams: names of the device's cameras, "" for a single one. new: came just now. gone: the device removed them for
    room before they could be fetched. refused: arrived, and are not what the device says; they are not kept here.
    damaged: what the device itself calls so.
    """

    device: str
    service: str
    folder: Path
    streams: tuple[str, ...]
    frames: tuple[FieldFrame, ...]
    new: int = 0
    new_mib: float = 0.0
    gone: int = 0
    refused: tuple[Refused, ...] = ()
    damaged: tuple[str, ...] = ()


def field_folder(project: Project, device: str, service: str) -> Path:
    """Where frames of a device's service lie on this machine."""
    return project.state_dir / "field" / device / service


def fetched_before(project: Project, device: Device) -> Fetched:
    """What is here of a device, without asking it."""
    folder = field_folder(project, device.name, device.service)
    return Fetched(device.name, device.service, folder, _streams(device), tuple(_frames_here(folder)))


def ask_kept(link: Link, service: str, on_progress: OnProgress) -> FieldAnswer:
    """What a device has kept, as it says. Raises DeviceError for an answer that no honest device gives."""
    try:
        return link.call("field", FieldRequest(link.root, service), FieldAnswer, on_progress)
    except ConfigError as error:
        raise DeviceError(
            f"{link.device} tells of its kept frames in a form that is not known here",
            why=str(error)[:2000],
            hint="deploy this version of edgekit to it first: edgekit deploy --device " + link.device,
        ) from None


@dataclass(frozen=True)
class KeptOnDevice:
    """What a device says it has. refused: frames whose description is wrong; damaged: what the device calls so."""

    frames: tuple[KeptFrame, ...]
    refused: tuple[Refused, ...]
    damaged: tuple[str, ...]


def kept_on_device(link: Link, service: str, on_progress: OnProgress) -> KeptOnDevice:
    """What a device has kept, without fetching it. Raises DeviceError, UnreachableError."""
    answer = ask_kept(link, service, on_progress)
    problems = [(kept, frame_problem(kept, service)) for kept in answer.frames]
    refused = [Refused(digest_or_empty(kept.sha256), "foreign", problem) for kept, problem in problems if problem]
    return KeptOnDevice(
        tuple(kept for kept, problem in problems if not problem), tuple(refused), _printable(answer.damaged)
    )


def fetch_frames(project: Project, device: Device, link: Link, on_progress: OnProgress) -> Fetched:
    """Bring what a device has kept and this machine lacks; an interrupted fetch goes on where it ended.

    Raises DeviceError if none of the frames that the device still lists can be read, UnreachableError if it is lost,
    UsageError if they do not fit this machine's disk.
    """
    project.ensure_state()
    folder = field_folder(project, device.name, device.service)
    answer = ask_kept(link, device.service, on_progress)
    arrivals = _Arrivals(link, answer.folder, folder)
    arrivals.fetch(_wanted(answer.frames, device.service, folder, arrivals.refused), on_progress)
    gone = _gone(link, device.service, arrivals, on_progress)
    return Fetched(
        device.name,
        device.service,
        folder,
        _streams(device),
        tuple(_frames_here(folder)),
        arrivals.new,
        round(arrivals.new_bytes / _MIB, 2),
        gone,
        tuple(arrivals.refused),
        _printable(answer.damaged),
    )


class _Arrivals:
    """Frames on their way here."""

    def __init__(self, link: Link, remote: str, folder: Path) -> None:
        self._link, self._remote, self._folder = link, remote, folder
        self._arriving = folder / ".arriving"
        self.refused: list[Refused] = []
        self.failed: dict[str, str] = {}  # SHA-256 -> why it could not be read there
        self.new = self.new_bytes = 0

    def fetch(self, wanted: list[KeptFrame], on_progress: OnProgress) -> None:
        shutil.rmtree(self._arriving, ignore_errors=True)  # of a fetch that was killed
        _check_room(self._folder, sum(kept.bytes for kept in wanted))
        try:
            for start in range(0, len(wanted), _AT_ONCE):
                batch = wanted[start : start + _AT_ONCE]
                self._fetch_batch(batch)
                on_progress(f"fetch frames of {self._link.device}", start + len(batch), len(wanted))
        except OSError as error:
            raise UsageError(f"{self._folder} cannot be written: {error.strerror}") from None
        finally:
            shutil.rmtree(self._arriving, ignore_errors=True)

    def _fetch_batch(self, batch: list[KeptFrame]) -> None:
        """Whatever comes is kept, also of a batch that fails."""
        try:
            self._link.fetch_files(self._remote, {_picture(kept): kept.bytes for kept in batch}, self._arriving)
        except UnreachableError:
            self._take(batch)
            raise
        except DeviceError as error:
            self._take_or_retry(batch, error)
        else:
            absent = self._take(batch)
            self.failed.update({kept.sha256: "it is not there" for kept in absent})

    def _take_or_retry(self, batch: list[KeptFrame], error: DeviceError) -> None:
        """One bad frame costs itself alone: those that did not come are asked for one by one."""
        absent = self._take(batch)
        if len(batch) > 1:
            for kept in absent:
                self._fetch_batch([kept])
        elif isinstance(error, OversizeError):
            self.refused.append(Refused(batch[0].sha256, "size", error.what, batch[0].stream))
        elif absent:
            self.failed[batch[0].sha256] = error.what

    def _take(self, batch: Iterable[KeptFrame]) -> list[KeptFrame]:
        """Judge what has come and keep what is as the device says; those that have not come."""
        absent = []
        for kept in batch:
            arriving = self._arriving / _picture(kept)
            if arriving.is_file():
                self._take_one(kept, arriving)
            else:
                absent.append(kept)
        return absent

    def _take_one(self, kept: KeptFrame, arriving: Path) -> None:
        problem = _arrival_problem(arriving, kept)
        if problem:
            arriving.unlink()
            self.refused.append(problem)
            return
        os.replace(arriving, self._folder / _picture(kept))
        # The JSON comes last: a frame without it is fetched again.
        files.write_json(self._folder / f"{kept.sha256}.json", to_wire(kept))
        self.new, self.new_bytes = self.new + 1, self.new_bytes + kept.bytes


def _picture(kept: KeptFrame) -> str:
    """The name of a frame's picture, there and here."""
    return f"{kept.sha256}.jpg"


def _arrival_problem(path: Path, kept: KeptFrame) -> Refused | None:
    size = path.stat().st_size
    if size != kept.bytes:
        detail = f"{size} bytes arrived, and the device says {kept.bytes}"
        return Refused(kept.sha256, "size", detail, kept.stream)
    if files.sha256_file(path) != kept.sha256:
        return Refused(kept.sha256, "digest", "its content is not that of its name", kept.stream)
    return None


def _wanted(frames: Iterable[KeptFrame], service: str, folder: Path, refused: list[Refused]) -> list[KeptFrame]:
    """The frames that are not here yet and were never judged; those whose description is wrong are refused by it."""
    done = read_judged(folder)
    wanted: dict[str, KeptFrame] = {}
    for kept in frames:
        if kept.sha256 in done or _frame_here(folder, kept.sha256) is not None:
            continue
        problem = frame_problem(kept, service)
        if problem:
            refused.append(Refused(digest_or_empty(kept.sha256), "foreign", problem))
        else:
            wanted[kept.sha256] = kept
    return list(wanted.values())


def _gone(link: Link, service: str, arrivals: _Arrivals, on_progress: OnProgress) -> int:
    """How many of the frames that failed are no longer listed. Raises DeviceError if one is and none came."""
    if not arrivals.failed:
        return 0
    listed = {kept.sha256 for kept in ask_kept(link, service, on_progress).frames}
    there = {sha256: why for sha256, why in arrivals.failed.items() if sha256 in listed}
    if there and not arrivals.new:
        sha256, why = next(iter(there.items()))
        raise DeviceError(
            f"{len(there)} frames that {link.device} has kept cannot be read there, such as {sha256[:12]}",
            why=why,
            hint=f"edgekit doctor --device {link.device}",
        )
    arrivals.refused += [Refused(sha256, NOT_FETCHED, why) for sha256, why in there.items()]
    return len(arrivals.failed) - len(there)


def _check_room(folder: Path, needed_bytes: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    disk = shutil.disk_usage(folder)
    if disk.free - needed_bytes < _LEAST_FREE_SHARE * disk.total:
        raise UsageError(
            f"{needed_bytes / _MIB:.0f} MiB of frames would leave less than 5 % of this machine's disk free",
            why=f"{disk.free / _MIB:.0f} MiB are free in {folder}",
            hint="make room; old frames that no set uses may be deleted there",
        )


def _frames_here(folder: Path) -> Iterator[FieldFrame]:
    """What is here whole, oldest first."""
    found = [_frame_here(folder, path.stem) for path in folder.glob("*.json") if len(path.stem) == 64]
    yield from sorted((one for one in found if one), key=lambda one: (one.kept.time_unix_s, one.kept.sha256))


def _frame_here(folder: Path, sha256: str) -> FieldFrame | None:
    """One frame, None if it is not here whole; one that is half here is fetched again."""
    if not digest_or_empty(sha256):
        return None
    path, said = folder / f"{sha256}.jpg", folder / f"{sha256}.json"
    try:
        if said.stat().st_size > MOST_JSON_BYTES:
            return None
        kept = from_wire(KeptFrame, json.loads(said.read_text("utf-8")), said.name)
        whole = kept.sha256 == sha256 and path.stat().st_size == kept.bytes
    except (OSError, ValueError, RecursionError, ConfigError):
        return None
    return FieldFrame(kept, path) if whole else None


def _printable(lines: Iterable[str]) -> tuple[str, ...]:
    """Text of a device that may be shown in a terminal."""
    return tuple("".join(letter if letter.isprintable() else "?" for letter in line[:200]) for line in lines)


def _streams(device: Device) -> tuple[str, ...]:
    return tuple(stream.name for stream in device.streams)
