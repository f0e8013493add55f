"""The note that travels in a release archive: what it is, and how Mender, Ansible or a person brings it to a device."""

from __future__ import annotations

from edgekit.core.release import ReleaseManifest
from edgekit.report.exports.served import built_for


def install_note(manifest: ReleaseManifest, name: str) -> str:
    """INSTALL.md. name: the archive's, without its suffixes."""
    device = built_for(manifest.device_class.get("engine_key", ""))
    return f"""# Release {manifest.release_id} of {manifest.service}

Detector {manifest.detector}, engine {manifest.engine_id}, counter {manifest.counter}.
For {device}; every other device refuses it before anything of it is opened.

The device must have been provisioned once (`edgekit provision`). Then, on it, as the user that owns /opt/edgekit:

    sha256sum -c {name}.tar.gz.sha256
    tar -xzf {name}.tar.gz
    python3 {name}/install.py

The installer checks each file by its digest, lays what the device lacks into /opt/edgekit/incoming, has the device's
own code activate the release, and waits for its probation. Exit code 0: it is in service. Any other: what ran before
runs on, and the reason is on standard error. After an interruption run it again. A device refuses a release whose
counter is not above the newest that it has committed: `edgekit export archive --counter N` gives it another, and
`edgekit rollback` goes back on purpose.

- **Ansible**: `unarchive`, then `command: python3 DIR/{name}/install.py` with `become_user` the owner of /opt/edgekit.
- **Mender**: an Update Module whose ArtifactInstall unpacks and runs the installer as that user (`sudo -u`). It returns
  when the device has decided; the device goes back by itself, so ArtifactRollback has nothing to do.

The checksum shows damage in transit. It is no signature: who may send a release is for your courier to check.
The settings of the service are inside, with the addresses of its cameras and any passwords in them. Treat the file so.
"""
