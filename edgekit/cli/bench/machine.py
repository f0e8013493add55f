"""How a device is set before it is measured: shown, told, changed for a run, set back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from edgekit.cli.bench.facts import NOT_MEASURED
from edgekit.cli.console import Console, facts
from edgekit.cli.session import App
from edgekit.cli.tables.fleet import on_each, show_each

if TYPE_CHECKING:
    from edgekit.control.fleet import Told
    from edgekit.control.inventory import Device
    from edgekit.control.link import Link
    from edgekit.core.preflight import Preflight, Setting
    from edgekit.core.progress import OnProgress
    from edgekit.core.requests import TuneAnswer

AskPassword = Callable[[], "str | None"]
Note = Callable[[str], None]


@contextmanager
def tuned_for(
    note: Note, link: Link, entry: Device, ask_password: AskPassword, on_progress: OnProgress
) -> Iterator[tuple[str, ...]]:
    """Set a machine for measuring, and back at the end; the names of what was changed. What was refused is told."""
    from edgekit.control.tuning import tuned

    with tuned(link, entry, on_progress, ask_password=ask_password) as answer:
        for line in _tuned_lines(answer, "was") or ["--tune found nothing to change"]:
            note(f"{entry.name}: {line}")
        yield tuple(setting.name for setting in answer.changed)


def finding_lines(device: str, preflight: Preflight) -> list[str]:
    """What may spoil the figures of a device, for people."""
    return [f"{device}: {finding}" for finding in preflight.findings]


def tell_findings(console: Console, device: str, preflight: Preflight) -> None:
    """The same as warnings, before the figures are taken."""
    for line in finding_lines(device, preflight):
        console.warn(line)


def show_preflight(app: App, entries: Sequence[Device], jobs: int) -> int:
    """`--preflight`."""
    from edgekit.control.connect import link_to
    from edgekit.control.tuning import read_preflight

    def work(entry: Device, told: Told) -> tuple[str, Preflight]:
        told.state("reading")
        with closing(link_to(app.project, entry)) as link:
            return "read", read_preflight(link, told.progress)

    done = on_each(app, entries, work, jobs=jobs, quiet=True)
    return show_each(app.console, done, _preflight_table)


def show_untuned(app: App, entries: Sequence[Device], ask_password: AskPassword, jobs: int) -> int:
    """`--untune`."""
    from edgekit.control.connect import link_to
    from edgekit.control.tuning import untune

    def work(entry: Device, told: Told) -> tuple[str, TuneAnswer]:
        told.state("setting back")
        with closing(link_to(app.project, entry)) as link:
            answer = untune(link, entry, told.progress, ask_password=ask_password)
        return ("set back" if answer.changed else "unchanged"), answer

    done = on_each(app, entries, work, jobs=jobs)
    return show_each(app.console, done, lambda answer: "\n".join(_tuned_lines(answer, "is again")) or _NOTHING_TUNED)


_NOTHING_TUNED = "nothing was left tuned"


def _tuned_lines(answer: TuneAnswer, word: str) -> list[str]:
    changed = [f"{setting.name.replace('_', ' ')} {word} {setting.value}" for setting in answer.changed]
    return [*changed, *(f"not set: {reason}" for reason in answer.refused)]


def _preflight_table(preflight: Preflight) -> Any:
    settings = [(setting.name.replace("_", " "), _value(setting)) for setting in preflight.settings]
    return facts([*settings, *_measured(preflight), *(("finding", text) for text in preflight.findings)])


def _value(setting: Setting) -> str:
    advice = f" ({setting.advice})" if setting.advice else ""
    return f"{setting.value or 'not known'}{advice}"


def _measured(preflight: Preflight) -> list[tuple[str, str]]:
    names = f" ({', '.join(preflight.busiest)})" if preflight.busiest else ""
    busy, left, heat = preflight.busy_pct, preflight.memory_available_mib, preflight.temperature_c
    return [
        ("other programs", NOT_MEASURED if busy is None else f"take {busy:.0f} % of all cores{names}"),
        ("memory left", NOT_MEASURED if left is None else f"{left} MiB"),
        ("temperature", NOT_MEASURED if heat is None else f"{heat:.1f} \N{DEGREE SIGN}C"),
    ]
