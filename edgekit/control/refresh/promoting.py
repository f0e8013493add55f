"""The last step of a refresh: devices.yaml names the new set, and the release is activated as any other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from edgekit.control.deploy import execute, plan
from edgekit.control.devices_edit import write_calibration
from edgekit.control.groundwork import Groundwork
from edgekit.control.inventory import Device
from edgekit.control.link import Link
from edgekit.control.refresh.judging import Built
from edgekit.control.services import OnState
from edgekit.control.survey import survey
from edgekit.core.progress import OnProgress
from edgekit.core.refresh import Evidence
from edgekit.core.verification import choose
from edgekit.errors import DeployError, EdgekitError, UnreachableError, VerifyError


class Told(Protocol):
    """Who is told how it goes."""

    @property
    def progress(self) -> OnProgress: ...
    @property
    def state(self) -> OnState: ...


@dataclass(frozen=True)
class Promotion:
    """How it ended. failure: why the device took the release back, "" if it serves."""

    release_id: str
    text: str
    failure: str = ""


def refuse_other_choice(built: Built, evidence: Evidence) -> None:
    """Raise VerifyError if `edgekit deploy` would ship another engine than the one that was judged."""
    device = built.facts.device
    chosen = choose(device.precision, built.checked, gate=evidence.unquantised)
    if chosen.engine_id != built.candidate.engine_id:
        raise VerifyError(
            f"the new engine is good enough, and `edgekit deploy` would not ship it: {chosen.decision}",
            hint=f"edgekit deploy --device {device.name} --dry-run",
        )


def promote(
    ground: Groundwork, device: Device, link: Link, built: Built, before: str | None, told: Told, *, retry: bool = False
) -> Promotion:
    """Name the set in devices.yaml, and deploy. If the device takes the release back, or refuses it, devices.yaml is
    put back to `before`. It stays if the link breaks on the way: then the device decides, and the next refresh looks.

    Raises ConfigError, with what to write, if devices.yaml cannot be edited: nothing was done then.
    """
    path, set_name = ground.project.devices_path, built.facts.device.calibration
    write_calibration(path, device.name, set_name)
    try:
        facts = survey(ground, replace(device, calibration=set_name), link, told.progress)
        done = execute(facts, plan(facts), told.progress, told.state, retry=retry)
    except UnreachableError:
        raise
    except DeployError as error:  # tried and taken back, now or before
        write_calibration(path, device.name, before)
        return Promotion("", "the device does not keep it; devices.yaml is as it was", error.what)
    except EdgekitError:
        write_calibration(path, device.name, before)
        raise
    return Promotion(done.release_id, f"release {done.release_id} serves; devices.yaml names {set_name}")
