"""Telling systemd how a service does, as sd_notify(3) does it: a datagram to the socket that systemd names."""

from __future__ import annotations

import logging
import os
import socket
import time
from typing import Mapping

_log = logging.getLogger(__name__)

_SEND_WITHIN_S = 2.0


def notify(text: str) -> None:
    """Send lines such as "READY=1" to whoever started this process; nothing where nobody listens.

    Never raises: a message that does not arrive is logged, and systemd acts as it does on silence.
    Source: sd_notify(3); an address that begins with "@" is in the abstract name space.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.settimeout(_SEND_WITHIN_S)
            channel.sendto(text.encode("utf-8"), address)
    except OSError as error:
        _log.warning("systemd was not told %r: %s", text.partition("\n")[0], error)


def notify_status(text: str) -> None:
    """What the service is doing, for people: `systemctl status` shows it."""
    notify("STATUS=" + " ".join(text.split()))


class Watchdog:
    """Feeds systemd's watchdog, each time that `advance` is called and it is time: never by a clock of its own."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._every_s = watchdog_period_s(environment) / 3
        self._due_s = 0.0

    def advance(self) -> None:
        """A frame came through."""
        now_s = time.monotonic()
        if self._every_s and now_s >= self._due_s:
            self._due_s = now_s + self._every_s
            notify("WATCHDOG=1")


def watchdog_period_s(environment: Mapping[str, str] = os.environ) -> float:
    """Within how many seconds systemd wants to hear of this process; 0 if it does not watch it.

    Source: sd_watchdog_enabled(3).
    """
    period_us, pid = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if not period_us.isdigit() or (pid and pid != str(os.getpid())):
        return 0.0
    return int(period_us) / 1e6
