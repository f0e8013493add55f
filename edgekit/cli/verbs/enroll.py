"""`edgekit enroll`: pin the host key of a device, after someone looked at it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgekit.cli.completion import complete_devices
from edgekit.cli.session import App
from edgekit.errors import DeviceError, EdgekitError, UsageError

if TYPE_CHECKING:
    from edgekit.control.enroll import Enrolment, Login
    from edgekit.control.inventory import Device

_COMPARE = "on the device itself: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"


def command(
    app: App,
    devices: Annotated[
        list[str],
        typer.Argument(
            metavar="DEVICE...", help="Devices of devices.yaml, or groups.", autocompletion=complete_devices
        ),
    ],
    fingerprint: Annotated[
        str | None, typer.Option("--fingerprint", metavar="SHA256:...", help="The key that the device must show.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Trust whatever key is shown, unseen.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Also where another key was trusted so far.")] = False,
) -> None:
    """Trust a device by its host key. Nothing is sent to a device, no login either, before its key is trusted.

    The key is shown with its fingerprint; compare that with the device's own, then confirm it. Trusted keys are kept in
    known_hosts beside devices.yaml: commit it, so that your colleagues trust the same devices. Jump hosts are enrolled
    on the way. Afterwards a login is tried.

    Examples:

        edgekit enroll xavier-nx
        edgekit enroll xavier-nx --fingerprint SHA256:1zKyAClrEi8hA6UJVTvBJ1kEBahMirTPg/zG7SjNAt0
        edgekit enroll street --yes
        edgekit enroll xavier-nx --replace
    """
    chosen = [device for device in app.inventory.select(devices) if device.kind == "jetson"]
    _check(devices, chosen, fingerprint, yes)
    outcomes = [_enroll(app, device, _judge(app, fingerprint, yes), replace) for device in chosen]
    app.console.result([value for value, _, _ in outcomes], *[text for _, text, _ in outcomes if text])
    code = max(code for _, _, code in outcomes)
    if code:
        raise typer.Exit(code)


def _check(names: list[str], chosen: list[Device], fingerprint: str | None, yes: bool) -> None:
    if not chosen:
        raise UsageError(
            f"{', '.join(names)}: this machine needs no enrolment",
            why="only devices that are reached over SSH have host keys",
        )
    if fingerprint and (len(chosen) > 1 or yes):
        raise UsageError("--fingerprint is the key of one device, and decides by itself", hint="leave out --yes")


def _enroll(app: App, device: Device, judge: Callable[[Enrolment], bool], replace: bool) -> tuple[Any, str, int]:
    """(JSON value, text, exit code) of one device; what goes wrong with it is not the end of the others."""
    from edgekit.control.enroll import enroll, try_login
    from edgekit.control.ssh.host_keys import known_hosts_path

    known_hosts = known_hosts_path(app.project)
    try:
        found = enroll(device, known_hosts, judge, replace=replace)
    except DeviceError as error:
        app.console.failure(device.name, error)
        return {"device": device.name, "enrolled": False, "error": _error(error)}, "", error.exit_code
    login = try_login(device, known_hosts)
    if login.error:
        app.console.failure(device.name, login.error)
    value = {
        "device": device.name,
        "enrolled": True,
        "hosts": [_host(item) for item in found],
        "login": login.works,
        "next": _next(device, login),
    }
    if login.error:
        value["error"] = _error(login.error)
    return value, _text(device, found, login), login.error.exit_code if login.error else 0


def _judge(app: App, fingerprint: str | None, yes: bool) -> Callable[[Enrolment], bool]:
    """How a key is judged: by the fingerprint that was given, not at all, or by a person."""

    def by_fingerprint(enrolment: Enrolment) -> bool:
        if not enrolment.is_device:
            raise _nobody_to_ask(enrolment)
        if enrolment.key.fingerprint == fingerprint:
            return True
        raise DeviceError(
            f"{enrolment.what} shows another key than {fingerprint}",
            why=f"it shows {enrolment.key}\nSomeone may stand between you and it. Nothing was sent to it.",
            hint=_COMPARE,
        )

    def by_person(enrolment: Enrolment) -> bool:
        if not _at_a_terminal():
            raise _nobody_to_ask(enrolment)
        app.console.note(f"{enrolment.what} ({enrolment.address}) shows\n  {enrolment.key}")
        for key in enrolment.trusted:
            app.console.warn(f"so far this key was trusted\n  {key}")
        app.console.note(f"Compare it {_COMPARE}")
        return typer.confirm("Is it the same?", err=True)

    if yes:
        return lambda enrolment: True
    return by_fingerprint if fingerprint else by_person


def _at_a_terminal() -> bool:
    return sys.stdin.isatty()


def _nobody_to_ask(enrolment: Enrolment) -> EdgekitError:
    return DeviceError(
        f"{enrolment.what} shows {enrolment.key}, and there is nobody to ask whether that is right",
        why=f"standard input is no terminal; compare it {_COMPARE}",
        hint=f"--fingerprint {enrolment.key.fingerprint}" if enrolment.is_device else "enroll it at a terminal first",
    )


def _error(error: EdgekitError) -> dict[str, str]:
    return {"what": error.what, "why": error.why, "hint": error.hint}


def _host(item: Enrolment) -> dict[str, str]:
    return {
        "host": item.address,
        "key_type": item.key.kind,
        "fingerprint": item.key.fingerprint,
        "state": {"new": "added", "changed": "replaced"}.get(item.state, item.state),
    }


def _next(device: Device, login: Login) -> str:
    if not login.works:
        return f"edgekit enroll {device.name}"
    return f"edgekit {'deploy' if login.provisioned else 'provision'} --device {device.name}"


def _text(device: Device, found: tuple[Enrolment, ...], login: Login) -> str:
    words = {
        "new": "trusted now",
        "changed": "trusted now, in the place of another",
        "unchanged": "was trusted already",
    }
    lines = [f"{item.what} ({item.address}): {item.key} {words[item.state]}" for item in found]
    lines.append(f"the login works; next: {_next(device, login)}" if login.works else "the login does not work yet")
    return "\n".join(lines)
