"""Becoming root on a device for one command: without a password where it takes none, else with it on standard input."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from edgekit.errors import DeviceError

_SUDO = ("env", "LC_ALL=C", "sudo")  # its messages are read below
SUDO_CHECK = shlex.join(["exec", *_SUDO, "-n", "true"])


def sudo_words(device: str, free: bool, password: str | None) -> tuple[tuple[str, ...], bytes]:
    """What to put in front of a command, and what to write to it first.

    free: sudo takes no password. Raises DeviceError if it takes one and there is none.
    """
    if free:
        return (*_SUDO, "-n", "--"), b""
    if password is None:
        raise DeviceError(f"sudo on {device} asks for a password", hint="the same command with --ask-sudo-password")
    # -k: also where sudo remembers us, for otherwise the command itself would read the password.
    return (*_SUDO, "-k", "-S", "-p", "", "--"), password.encode() + b"\n"


def explain_sudo(device: str, user: str | None, code: int, tail: Sequence[str]) -> DeviceError:
    """Why a command for root did not begin."""
    said = "\n".join(line for line in tail if line)
    if "incorrect password" in said or "no password was provided" in said:
        return DeviceError(f"sudo on {device} did not accept the password", hint="type it again")
    who = user or "this user"
    if "not in the sudoers" in said or "not allowed" in said or "may not run sudo" in said:
        return DeviceError(
            f"{who} may not use sudo on {device}",
            why=said,
            hint=f"as root on the device: usermod -aG sudo {user or 'USER'}",
        )
    if "must have a tty" in said:
        return DeviceError(f"sudo on {device} wants a terminal", why=said, hint="remove requiretty from /etc/sudoers")
    return DeviceError(f"a command for root did not run on {device}", why=said or f"it ended with code {code}")
