"""A device set for measuring, and set back whatever happens.

Changing settings needs root on the device, which nothing of edgekit has there after `provision`. So the code for it is
sent with each call, through sudo, and runs from memory; see bootstrap/as_root.py. This machine's own settings are
changed only where edgekit runs as root itself.
"""

from __future__ import annotations

import functools
import io
import os
import signal
import sys
import threading
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, cast

from edgekit import bootstrap
from edgekit.control.conversation import conclude, read_events
from edgekit.control.device_code import this_code
from edgekit.control.link import silent
from edgekit.core.preflight import Preflight
from edgekit.core.progress import OnProgress
from edgekit.core.requests import TuneAnswer, TuneRequest
from edgekit.errors import DeviceError, EdgekitError, UnreachableError

if TYPE_CHECKING:
    from edgekit.control.inventory import Device
    from edgekit.control.link import Link
    from edgekit.control.provision import AskPassword
    from edgekit.control.ssh.link import SSHLink

_LIMIT_S = 300.0  # for a handful of programs of 30 s at most, and another tune to be waited for


def read_preflight(link: Link, on_progress: OnProgress = silent) -> Preflight:
    """How a device is set and what else it does, about a second. Changes nothing, and needs no root."""
    return link.call("preflight", {}, Preflight, on_progress)


def left_tuned_text(entry: Device, found: Preflight) -> str:
    """A sentence for people, where a preflight finds settings changed that nobody is to set back."""
    names = ", ".join(name.replace("_", " ") for name in found.tuned)
    return f"{entry.name} is still set for measuring ({names}), by a bench that was cut off: {_again(entry)}"


@contextmanager
def tuned(
    link: Link,
    entry: Device,
    on_progress: OnProgress = silent,
    *,
    ask_password: AskPassword = lambda: None,
    settings: Sequence[str] = (),
) -> Iterator[TuneAnswer]:
    """Set a device for measuring meanwhile; yields what was changed, with the values of before.

    It is set back after an error too, and after Ctrl-C; another Ctrl-C meanwhile waits until that is done. What an
    earlier run left is set back first. settings: names of core.preflight_rules.SETTINGS; none for all that it has.

    Raises DeviceError if the device cannot be tuned at all, or not be set back, with what to type then.
    """
    ask = asked_once(ask_password)
    on_progress("set the device for measuring", 0, 0)
    try:
        answer = _ask(link, entry, "tune", settings, ask)
    except KeyboardInterrupt:
        _set_back(link, entry, on_progress, ask)  # it goes on there, and is waited for
        raise
    except UnreachableError as error:
        raise UnreachableError(
            error.what, why=f"{error.why}\nit may be set for measuring by now".strip(), hint=_again(entry)
        ) from None
    ended: EdgekitError | None = None
    try:
        yield answer
    except EdgekitError as error:
        ended = error
        raise
    finally:
        if answer.changed or answer.refused:
            _set_back(link, entry, on_progress, ask, ended)


def untune(
    link: Link, entry: Device, on_progress: OnProgress = silent, *, ask_password: AskPassword = lambda: None
) -> TuneAnswer:
    """Set a device back that was left tuned. changed: what was set back, with the values it has again; often nothing.

    Raises DeviceError if something could not be set back.
    """
    on_progress("set the device back", 0, 0)
    return _untune(link, entry, ask_password)


def left_tuned(link: SSHLink) -> TuneAnswer:
    """What `untune` would set back on a device, with the values of before. Changes nothing, and needs no password.

    Raises DeviceError if what says so there cannot be believed.
    """
    return _run(link, "left_tuned", ())


def _untune(link: Link, entry: Device, ask_password: AskPassword) -> TuneAnswer:
    answer = _ask(link, entry, "untune", (), ask_password)
    if answer.refused:
        raise DeviceError(
            f"{entry.name} is not quite as it was",
            why="\n".join(answer.refused),
            hint=f"{_again(entry)}\nor restart the device, which undoes all but the power mode",
        )
    return answer


def _set_back(
    link: Link,
    entry: Device,
    on_progress: OnProgress,
    ask_password: AskPassword,
    ended: EdgekitError | None = None,
) -> None:
    """ended: what the measuring ended with already, which is told as well."""
    told, hints = ([ended.what, ended.why], [ended.hint]) if ended else ([], [])
    with _interrupts_held():
        with suppress(KeyboardInterrupt):  # which a fleet that is to stop raises there
            on_progress("set the device back", 0, 0)
        try:
            _untune(link, entry, ask_password)
        except UnreachableError as error:
            raise UnreachableError(
                f"{entry.name} is still set for measuring: it could not be reached to set it back",
                why=_lines(*told, error.what),
                hint=_lines(*hints, _again(entry)),
            ) from None
        except EdgekitError as error:
            if error.hint.startswith(_again(entry)):
                raise
            raise DeviceError(
                f"{entry.name} is still set for measuring: {error.what}",
                why=_lines(error.why, *told),
                hint=_lines(_again(entry), *hints),
            ) from None


def _ask(link: Link, entry: Device, verb: str, settings: Sequence[str], ask_password: AskPassword) -> TuneAnswer:
    if entry.kind == "local":
        _need_root(verb)
        return link.call(verb, TuneRequest(tuple(settings)), TuneAnswer)
    return _run(cast("SSHLink", link), verb, settings, ask_password)


def _run(link: SSHLink, verb: str, settings: Sequence[str], ask_password: AskPassword | None = None) -> TuneAnswer:
    """Run the code there: as root, or without ask_password as the login user."""
    output = link.run_script(
        bootstrap.source("as_root"),
        {"verb": verb, "settings": list(settings)},
        stdin=_packed_code(),
        as_root=ask_password is not None,
        sudo_password=ask_password() if ask_password else None,
        limit_s=_LIMIT_S,
    )
    lines = (line.encode() for line in output.splitlines())
    return conclude(read_events(lines, silent), TuneAnswer, verb, 0, output.splitlines())


def _need_root(verb: str) -> None:
    if os.geteuid() == 0:
        return
    command = f"sudo {sys.executable} -m edgekit.runtime"
    hint = (
        f"{command} tune, then measure without --tune, then {command} untune" if verb == "tune" else f"{command} {verb}"
    )
    raise DeviceError(
        "this machine's settings can be changed by root alone", why="edgekit does not run as root", hint=hint
    )


@functools.cache
def _packed_code() -> bytes:
    """This edgekit's device code as a zip that Python imports from."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in this_code().files:
            if file.name.endswith(".py"):
                archive.writestr(f"edgekit/{file.name}", file.content)
    return packed.getvalue()


def asked_once(ask: AskPassword) -> AskPassword:
    """Asks the first time and remembers."""
    given: list[str | None] = []

    def answer() -> str | None:
        if not given:
            given.append(ask())
        return given[0]

    return answer


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C counts after this; a second one too. Only the main thread is ever interrupted."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)
    if pressed:
        raise KeyboardInterrupt


def _lines(*texts: str) -> str:
    """One below the other, each once."""
    return "\n".join(dict.fromkeys(line for text in texts for line in text.splitlines()))


def _again(entry: Device) -> str:
    return f"edgekit bench --untune --device {entry.name}"
