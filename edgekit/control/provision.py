"""Make a device ready, once: root's part, the Python environment, device code; and take all of it back.

Everything goes from here over SSH; the device fetches nothing. What is right already is left alone: a second run finds
nothing to change, and asks for no password.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit import bootstrap
from edgekit.control.device_doctor import collect_facts, wanted_of
from edgekit.control.device_packages import packages_for, refuse_without_cuda
from edgekit.control.environments import answer_of, look, make_environment, set_agent
from edgekit.control.link import DEVICE_ROOT, silent
from edgekit.control.tuning import asked_once, left_tuned, untune
from edgekit.control.units import device_files
from edgekit.core.device import BACKEND_VARIABLE, DeviceProfile
from edgekit.core.facts import DeviceFacts
from edgekit.core.findings import findings_of
from edgekit.core.progress import OnProgress
from edgekit.errors import DeviceError

if TYPE_CHECKING:
    from edgekit.control.inventory import Device
    from edgekit.control.ssh.link import SSHLink

# The password of the device's login user, asked for when it is first needed; None if there is none to be had.
AskPassword = Callable[[], "str | None"]


@dataclass(frozen=True)
class Provisioned:
    """What was changed on a device, or with dry_run would be, one line each; nothing if it was ready.

    profile is None after a dry run, and after what was there was taken back.
    """

    device: str
    changed: tuple[str, ...]
    notes: tuple[str, ...] = ()
    profile: DeviceProfile | None = None
    dry_run: bool = False


def provision(
    link: SSHLink,
    device: Device,
    ask_password: AskPassword,
    *,
    dry_run: bool = False,
    on_progress: OnProgress = silent,
    cache: Path | None = None,
) -> Provisioned:
    """Make a device ready. Raises DeviceError for one that cannot be, with what `edgekit doctor` says of it.

    cache: where fetched and compiled packages are kept, instead of the user's own cache.
    """
    on_progress("looking at the device", 0, 0)
    facts = collect_facts(link)
    refuse_unfit(facts, device)
    packages = packages_for(facts, processor=wanted_of(device).processor)
    changed, notes = _root_part(link, _request(facts, device), ask_password, dry_run, on_progress)
    found = look(link)
    if found["venv"] != packages.name:
        changed.append(f"made a Python environment with {', '.join(each.name for each in packages.packages)}")
        if not dry_run:
            if packages.compiled:
                refuse_without_cuda(facts)
            make_environment(link, packages, nvcc=facts.cuda.compiler, on_progress=on_progress, cache=cache)
    if found["agent"] != link.code:
        changed.append("brought device code")
        if not dry_run:
            set_agent(link)
    if dry_run:
        return Provisioned(device.name, tuple(changed), tuple(notes), dry_run=True)
    on_progress("probing", 0, 0)
    return Provisioned(device.name, tuple(changed), tuple(notes), link.call("probe", {}, DeviceProfile))


def unprovision(
    link: SSHLink, device: Device, ask_password: AskPassword, *, dry_run: bool = False, on_progress: OnProgress = silent
) -> Provisioned:
    """Take back what `provision` made: services, engines and releases too.

    What a bench that was cut off has left tuned is set back first, for what says how it was goes too. Raises
    DeviceError if that fails, with nothing taken back.
    """
    ask = asked_once(ask_password)
    back = _set_back(link, device, ask, dry_run, on_progress)
    changed, notes = _root_part(link, {"action": "undo", "root": DEVICE_ROOT}, ask, dry_run, on_progress)
    return Provisioned(device.name, (*back, *changed), tuple(notes), dry_run=dry_run)


def _set_back(
    link: SSHLink, device: Device, ask_password: AskPassword, dry_run: bool, on_progress: OnProgress
) -> list[str]:
    left = left_tuned(link)
    if left.changed and not dry_run:
        left = untune(link, device, on_progress, ask_password=ask_password)
    return [f"set {setting.name.replace('_', ' ')} back to {setting.value}" for setting in left.changed]


def refuse_unfit(facts: DeviceFacts, device: Device) -> None:
    """Raise DeviceError if something on the device would make a deployment fail, with every reason and its remedy."""
    errors = [found for found in findings_of(facts, wanted_of(device)) if found.severity == "error"]
    if errors:
        raise DeviceError(
            f"{device.name} cannot be provisioned as it is",
            why="\n".join(f"{error.subject}: {error.found}" for error in errors),
            hint="\n".join(f"on the device: {error.remedy}" for error in errors if error.remedy),
        )


def _request(facts: DeviceFacts, device: Device) -> dict[str, Any]:
    """What bootstrap/install.py is to make."""
    assert facts.systemd is not None  # doctor's rules refuse a device without it
    user = facts.account.name
    return {
        "action": "install",
        "user": user,
        "root": DEVICE_ROOT,
        "files": device_files(user, facts.systemd),
        "owned": {
            "device.json": json.dumps({"schema": 1, "runner": "systemd", "user": user}, indent=2) + "\n",
            "environment": environment_text(device),
        },
    }


def environment_text(device: Device) -> str:
    """The variables of device code on a device, KEY=VALUE lines as systemd reads them."""
    head = "# Written by edgekit provision. Variables of one service: systemctl edit edgekit@NAME, Environment=\n"
    return head + ("" if device.backend == "auto" else f"{BACKEND_VARIABLE}={device.backend}\n")


def _root_part(
    link: SSHLink, request: dict[str, Any], ask_password: AskPassword, dry_run: bool, on_progress: OnProgress
) -> tuple[list[str], list[str]]:
    """Run bootstrap/install.py: first as the login user, who may look; as root only if there is something to change."""
    script = bootstrap.source("install")
    on_progress("users, folders, units", 0, 0)
    answer = answer_of(link.run_script(script, {**request, "dry_run": True}))
    if not dry_run and answer["changed"]:
        request = {**request, "dry_run": False}
        answer = answer_of(link.run_script(script, request, as_root=True, sudo_password=ask_password()))
        # Groups that the login user joined count from the next login on.
        link.close()
    return answer["changed"], answer["notes"]
