"""A release in service as one file: its objects, and what it takes to activate them without edgekit's own transport.

The device does all that it does for `edgekit deploy`: bootstrap/install_archive.py only lays the objects where
bootstrap/receive.py would, and calls the verbs `activate` and `settle` of the device's own code.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.control.blobs import size_of
from edgekit.control.inventory import Device
from edgekit.control.link import DEVICE_ROOT, PACKAGE, Link
from edgekit.control.services import ask_state, find_service
from edgekit.core.activation import Probation
from edgekit.core.deployment import ActivateRequest
from edgekit.core.progress import OnProgress
from edgekit.core.release import RELEASE_NAME, ReleaseManifest
from edgekit.core.wire import to_wire
from edgekit.errors import DeployError, DeviceError, NotFoundError, UsageError
from edgekit.files import sha256_file

INSTALLER = PACKAGE / "bootstrap" / "install_archive.py"
_PRIVATE = 0o600  # the settings of a service may hold passwords of cameras


@dataclass(frozen=True)
class Packed:
    """A release to pack: its manifest, with the counter that it is to have, and its probation."""

    manifest: ReleaseManifest
    probation: Probation

    @property
    def name(self) -> str:
        """The archive's name without its suffixes, and the folder inside."""
        return f"edgekit-{self.manifest.service}-{self.manifest.release_id}"


def release_to_pack(link: Link, device: Device, counter: int | None) -> Packed:
    """The release that the device has committed. counter None: its own.

    Raises NotFoundError without one, DeployError while another is being tried.
    """
    service = find_service(ask_state(link), device.service)
    if service is None or not service.journal.committed:
        raise NotFoundError(
            f"nothing is in service as {device.service} on {device.name}",
            why="an archive holds a release that has proved itself",
            hint=f"edgekit deploy --device {device.name}",
        )
    if not service.journal.settled or service.release is None or service.release_id != service.journal.committed:
        raise DeployError(
            f"{device.service} on {device.name} is changing, or its release is damaged",
            hint=f"edgekit status {device.name}",
        )
    manifest = service.release
    if counter is not None and counter < 1:
        raise UsageError(f"--counter: expected 1 or more, got {counter}")
    return Packed(replace(manifest, counter=counter or manifest.counter), device.probation_rule())


def pack(link: Link, packed: Packed, note: str, path: Path, on_progress: OnProgress) -> str:
    """Write the archive, and its SHA-256 beside it as PATH.sha256; the digest. Equal releases give equal bytes.

    note: INSTALL.md. Raises DeviceError for a file of the release that is not as its manifest says.
    """
    with tempfile.TemporaryDirectory(prefix=".release-", dir=path.parent) as work:
        folder = Path(work) / "release"
        on_progress("fetch the release", 0, 0)
        link.fetch(f"{link.root}/releases/{packed.manifest.release_id}", folder)
        objects = _checked(packed.manifest, folder)
        on_progress("pack", 0, 0)
        _write_tar(packed, note, objects, path)
    digest = sha256_file(path)
    path.with_name(f"{path.name}.sha256").write_text(f"{digest}  {path.name}\n", encoding="utf-8")
    return digest


def activate_request(packed: Packed) -> bytes:
    """request.json: what the verb `activate` is asked; the installer puts in the device folder that it is given."""
    request = ActivateRequest(DEVICE_ROOT, packed.manifest, packed.probation, by="an archive")
    return (json.dumps(to_wire(request), indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode("utf-8")


def _checked(manifest: ReleaseManifest, folder: Path) -> dict[str, Path]:
    """SHA-256 -> file of a fetched release."""
    found = {}
    for file in manifest.files:
        path = folder / file.path
        if not path.is_file() or path.is_symlink() or sha256_file(path) != file.sha256:
            raise DeviceError(
                f"{file.path} of release {manifest.release_id} is not as {RELEASE_NAME} says",
                why="someone changed it on the device, or it did not arrive whole",
                hint="edgekit deploy mends it",
            )
        found[file.sha256] = path
    return found


def _write_tar(packed: Packed, note: str, objects: dict[str, Path], path: Path) -> None:
    members: dict[str, Path | bytes] = {
        "INSTALL.md": note.encode("utf-8"),
        "install.py": INSTALLER.read_bytes(),
        "request.json": activate_request(packed),
        **{f"incoming/{sha256}": source for sha256, source in objects.items()},
    }
    path.touch(mode=_PRIVATE)
    with (
        path.open("wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as tar,
    ):
        for name, content in sorted(members.items()):
            _add(tar, f"{packed.name}/{name}", content)


def _add(tar: tarfile.TarFile, name: str, content: Path | bytes) -> None:
    """A member without a time, an owner or a host's modes: equal content gives equal bytes."""
    member = tarfile.TarInfo(name)
    member.size, member.mode = size_of(content), _PRIVATE
    with io.BytesIO(content) if isinstance(content, bytes) else content.open("rb") as stream:
        tar.addfile(member, stream)
