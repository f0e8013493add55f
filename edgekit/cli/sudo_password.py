"""Where the password of sudo on devices comes from: it is asked for once, or in the environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import typer

from edgekit.errors import UsageError

PASSWORD_VARIABLE = "EDGEKIT_SUDO_PASSWORD"  # noqa: S105  the name of a variable


def password_source(ask: bool) -> Callable[[], str | None]:
    """Where the password comes from: asked for once, now, before a table of progress fills the terminal."""
    given = os.environ.pop(PASSWORD_VARIABLE, None)  # programs that are started from here have no need of it
    if ask and given is None:
        if not sys.stdin.isatty():
            raise UsageError("there is no terminal to ask for a password", hint=f"set {PASSWORD_VARIABLE} instead")
        given = typer.prompt("Password of sudo on the devices", hide_input=True, err=True)
    return lambda: given
