"""A service's page: what feeds it, and the server where there is to be one."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator, Sequence

from edgekit.core.service import Health, ServiceSettings
from edgekit.errors import DeviceError
from edgekit.runtime.machine_watch import MachineWatch
from edgekit.runtime.page.feed import Feed
from edgekit.runtime.page.server import PageServer
from edgekit.runtime.say import say
from edgekit.runtime.service_report import ServiceReport
from edgekit.runtime.watching import Watching


@contextmanager
def serve_page(
    settings: ServiceSettings,
    labels: Sequence[str],
    watching: Watching,
    report: ServiceReport,
    machine: MachineWatch,
) -> Iterator[Feed]:
    """What a service shows its frames to, on its page for as long as this is entered.

    A port that another program uses is a warning: frames matter more than the page.
    """
    feed = Feed(labels, [stream.name for stream in settings.streams], settings.events)

    def tell(health: Health) -> None:
        feed.say(health, machine.readings, watching.counts())

    if settings.page_port == 0:
        yield feed
        return
    try:
        page = PageServer(feed, settings.page_port)
    except DeviceError as error:
        told = "there is no page: " + ": ".join(filter(None, (error.what, error.why)))
        report.warnings.append(lambda: [told])
        yield feed
        return
    with page:
        report.listeners.append(tell)
        say(f"the page is at http://127.0.0.1:{page.port}")
        yield feed
