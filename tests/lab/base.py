"""The base of every device's root file system: Debian 12, systemd 252 and sshd. Made once, kept as a tar.zst too."""

from __future__ import annotations

import inspect
import os
import shutil
from pathlib import Path

from tests.lab.machine import run
from tests.lab.place import Place, digest_of

SUITE = "bookworm"
PACKAGES = (
    "systemd,systemd-sysv,dbus,libpam-systemd,openssh-server,sudo,python3,iproute2,procps,kmod,ca-certificates,strace"
)
USER, PASSWORD = "jetson", "jetson"

# Work at odd times, or what only a screen needs.
_MASKED = (
    "systemd-firstboot.service",
    "console-getty.service",
    "getty.target",
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "fstrim.timer",
    "systemd-networkd-wait-online.service",
    "proc-sys-fs-binfmt_misc.automount",
    "dev-hugepages.mount",
)
_FILES = {
    "etc/machine-id": "",
    "etc/default/locale": "LANG=C.UTF-8\n",
    # Ubuntu's, where commands over ssh find /usr/sbin; Debian has none.
    "etc/environment": 'PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"\n',
    # The journal outlives a power loss, but for the last seconds.
    "etc/systemd/journald.conf.d/lab.conf": "[Journal]\nStorage=persistent\nSystemMaxUse=64M\nSyncIntervalSec=5s\n",
    "etc/ssh/sshd_config.d/lab.conf": "UseDNS no\n",
}


def build_base(place: Place) -> Path:
    """The base's folder; made (25 s) or unpacked (4 s) where it is not there yet. Call it under place.lock().

    Raises LabError with mmdebstrap's words where packages cannot be fetched.
    """
    parts = (PACKAGES, repr(_MASKED), repr(_FILES), inspect.getsource(_fetch), inspect.getsource(_furnish))
    folder = place.layers / f"base-{SUITE}-{digest_of(*parts)}"
    if folder.is_dir():
        return folder
    new, tar = folder.with_name(f"{folder.name}.new"), folder.with_name(f"{folder.name}.tar.zst")
    for left in place.layers.glob("*.new"):
        shutil.rmtree(left)
    new.mkdir(parents=True)
    if tar.exists():
        run("tar", "-C", new, "--zstd", "--numeric-owner", "-xpf", tar)
    else:
        _fetch(new)
        _furnish(new)
        run("tar", "-C", new, "--zstd", "--numeric-owner", "-cf", f"{tar}.new", ".")
        os.replace(f"{tar}.new", tar)
    new.rename(folder)
    return folder


def _fetch(root: Path) -> None:
    unread = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("man", "doc", "info", "locale")]
    source = ("apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages", f"Codename: {SUITE}")
    mirror = os.environ.get("EDGEKIT_LAB_MIRROR", "").split() or run(*source, check=False).split()
    how = ["--mode=root", "--variant=minbase", "--dpkgopt=force-unsafe-io", f"--include={PACKAGES}", *unread]
    run("mmdebstrap", *how, SUITE, root, *mirror[:1])


def _furnish(root: Path) -> None:
    """Give the fresh root what all devices share: a user who may use sudo with a password, as on a Jetson."""
    for key in (root / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    for name, text in _FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for unit in _MASKED:
        link = root / "etc/systemd/system" / unit
        link.unlink(missing_ok=True)
        link.symlink_to("/dev/null")
    (root / "var/log/journal").mkdir(parents=True, exist_ok=True)
    run("chroot", root, "groupadd", "--system", "render")  # udev's elsewhere
    run("chroot", root, "useradd", "-m", "-s", "/bin/bash", "-G", "sudo,video,render", USER)
    run("chroot", root, "chpasswd", input=f"{USER}:{PASSWORD}\n")
