"""What is wrong with a device: asked over the network in one go, and of device code where that is there already."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgekit import bootstrap
from edgekit.control.bench.partial import left_behind, left_text, under_way
from edgekit.control.connect import link_to
from edgekit.control.fleet import run_fleet
from edgekit.control.inventory import Device
from edgekit.control.link import Link
from edgekit.control.project import Project
from edgekit.control.ssh.host_keys import find_keys, host_name, known_hosts_path
from edgekit.core.checkup import SEVERITIES, CheckupAnswer, CheckupRequest, Finding, worst_first
from edgekit.core.facts import DeviceFacts, parse_collected, read_facts
from edgekit.core.findings import Wanted, findings_of
from edgekit.errors import EdgekitError, UnreachableError

if TYPE_CHECKING:
    from edgekit.control.ssh.link import SSHLink

JOBS = 16  # they wait most of the time
# Words that a remedy on the host begins with; every other one is typed on the device.
_ON_THE_HOST = ("edgekit ", "correct ")


@dataclass(frozen=True)
class DeviceReport:
    """What was found about one device. facts is None for this machine, and where the device did not answer."""

    device: str
    findings: tuple[Finding, ...]  # worst first
    reachable: bool = True
    facts: DeviceFacts | None = None


def examine_fleet(project: Project, devices: Sequence[Device], *, jobs: int = JOBS) -> tuple[DeviceReport, ...]:
    """Every device, `jobs` at a time, in their order. What fails is a finding; Ctrl-C is raised."""
    done = run_fleet(
        devices, lambda device, told: ("examined", examine_device(project, device)), lambda event: None, jobs=jobs
    )
    if done.interrupted:
        raise KeyboardInterrupt
    return tuple(outcome.value or _mistaken(outcome.device, outcome.error) for outcome in done.outcomes)


def examine_device(project: Project, device: Device) -> DeviceReport:
    """One device. Never raises an EdgekitError."""
    left = [*check_benches(project, device)]
    if device.kind == "local":
        with closing(link_to(project, device)) as link:
            return DeviceReport(device.name, worst_first([*check_device(link), *left]))
    report = examine_jetson(project, device)
    return replace(report, findings=worst_first([*report.findings, *left]))


def check_benches(project: Project, device: Device) -> Iterator[Finding]:
    """Services that a bench stopped and was not there any more to start again."""
    for partial in left_behind(project.results_dir, device.name).values():
        if partial.stopped_service and not under_way(partial):
            yield Finding("warning", "bench", left_text(partial), f"edgekit start --device {device.name}")


def examine_jetson(project: Project, device: Device) -> DeviceReport:
    """A device that is reached over SSH: its host key, its answer, its facts, and its own checkup once it is ready."""
    from edgekit.control.ssh.link import SSHLink

    with closing(SSHLink(device, known_hosts_path(project))) as link:
        started_s = time.monotonic()
        try:
            facts = collect_facts(link, opencv=True)
        except EdgekitError as error:
            return _no_answer(device, error)
        found = [_answered(project, device, time.monotonic() - started_s), *findings_of(facts, wanted_of(device))]
        if facts.provisioned:
            found = merge(found, check_device(link))
    return DeviceReport(device.name, worst_first(_at_device(device.name, found)), facts=facts)


def collect_facts(link: SSHLink, *, opencv: bool = False) -> DeviceFacts:
    """What a device says of itself: one round trip, under a second, without root, before anything is installed there.

    opencv: ask OpenCV too how it was built, which takes a second more. Raises DeviceError.
    """
    output = link.run_script(bootstrap.source("collect"), {"opencv": opencv})
    return read_facts(parse_collected(output if isinstance(output, str) else output.decode("utf-8", "replace")))


def wanted_of(device: Device) -> Wanted:
    """What rules have to know of an entry of devices.yaml."""
    return Wanted(
        name=device.name,
        processor=device.backend == "onnxruntime",
        power_limited=device.targets.watts is not None,
        dla=device.tensorrt.dla_core is not None,
    )


def check_device(link: Link) -> Iterator[Finding]:
    """A device's own checkup. Where it fails, that is the finding."""
    try:
        yield from link.call("checkup", CheckupRequest(), CheckupAnswer).findings
    except EdgekitError as error:
        yield Finding("error", "device code", _first_words(error), error.hint or "edgekit devices --probe")


def merge(facts: Iterable[Finding], checkup: Iterable[Finding]) -> list[Finding]:
    """Both sides' findings; where both speak of one subject, those of the side that found it worse.

    If both found it alike, the checkup's are kept: it tried what the facts only tell of.
    """
    told, tried = _by_subject(facts), _by_subject(checkup)
    kept = {**told, **tried}
    for subject in told.keys() & tried.keys():
        if min(map(_rank, told[subject])) < min(map(_rank, tried[subject])):
            kept[subject] = told[subject]
    return [finding for findings in kept.values() for finding in findings]


def _by_subject(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    for finding in findings:
        found.setdefault(finding.subject, []).append(finding)
    return found


def _rank(finding: Finding) -> int:
    return SEVERITIES.index(finding.severity)


def _at_device(name: str, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Remedies that are typed on the device say so."""
    for finding in findings:
        elsewhere = finding.remedy and not finding.remedy.startswith(_ON_THE_HOST)
        yield replace(finding, remedy=f"on {name}: {finding.remedy}") if elsewhere else finding


def _answered(project: Project, device: Device, duration_s: float) -> Finding:
    assert device.address is not None  # the inventory refuses an entry without one
    keys = find_keys(known_hosts_path(project), host_name(device.address, device.port))
    pinned = f"host key {', '.join(str(key) for key in keys)}" if keys else "its host key is not in known_hosts"
    return Finding("ok", "SSH", f"it answered in {duration_s:.1f} s; {pinned}")


def _no_answer(device: Device, error: EdgekitError) -> DeviceReport:
    subject = "unreachable" if isinstance(error, UnreachableError) else "SSH"
    finding = Finding("error", subject, _first_words(error), error.hint or f"ssh {device.address}")
    return DeviceReport(device.name, (finding,), reachable=False)


def _mistaken(device: str, error: EdgekitError | None) -> DeviceReport:
    found = _first_words(error) if error else "it was not examined"
    return DeviceReport(device, (Finding("error", "doctor", found, error.hint if error else ""),), reachable=False)


def _first_words(error: EdgekitError) -> str:
    return error.what + (f": {error.why.splitlines()[0]}" if error.why else "")
