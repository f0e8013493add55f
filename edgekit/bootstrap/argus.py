"""Root's part of bringing CSI cameras back: /usr/local/libexec/edgekit-argus, run by edgekit-argus.service.

A service whose CSI cameras give nothing leaves a file with its own name in /var/lib/edgekit/_argus. This program
removes it unread, restarts nvargus-daemon, and then the service: the daemon's socket that it sees has gone stale. It
does so at most once in two minutes and five times an hour, whatever is asked. A service that asks within ten minutes of
that and was not restarted then has the stale socket: only the service is restarted.

It believes nothing: a name is a service's or nothing, and no file is opened. Like edgekit-control it has no capability.
Standard library and Python 3.6 syntax only; it runs in a device's own Python, without edgekit beside it.
"""

import json
import os
import re
import stat
import subprocess
import sys
import time
from typing import Any, Dict, List, Tuple

REQUESTS = "/var/lib/edgekit/_argus"
HISTORY = "/run/edgekit/argus/history.json"
DAEMON = "nvargus-daemon.service"
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
EVERY_S = 120.0
HOUR_S = 3600.0
MOST_AN_HOUR = 5
STALE_S = 600.0  # a service that lost its socket has noticed by then
MOST_SERVICES = 8  # that are restarted with the daemon or after it
SOCKET_S = 2.0  # from the daemon's start to its socket
PAUSE_S = 5.0  # systemd starts this program again while anything is left in the folder
SYSTEMCTL_S = 90.0

History = Dict[str, Any]  # restarts: when the daemon was [s, monotonic]; served: services restarted since the latest


def main() -> None:
    """Serve what is in the folder. Arguments, for tests: FOLDER HISTORY SYSTEMCTL."""
    folder, history, systemctl = (sys.argv[1:] + [REQUESTS, HISTORY, "systemctl"][len(sys.argv) - 1 :])[:3]
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        names, left = take_all(descriptor)
    finally:
        os.close(descriptor)
    refused = [name for name in names[:MOST_SERVICES] if not serve(name, history, systemctl)]
    if left:
        say("cannot remove %s" % ", ".join(repr(name) for name in left[:4]))
    if refused or left or not names:
        time.sleep(PAUSE_S)


def take_all(folder: int) -> Tuple[List[str], List[str]]:
    """(services that ask, names that could not be removed) of an open folder, which is empty then."""
    names, left = [], []
    for name in sorted(os.listdir(folder)):
        if not remove(folder, name):
            left.append(name)
        elif NAME.fullmatch(name):
            names.append(name)
    return names, left


def remove(folder: int, name: str) -> bool:
    """Remove a file, a link or an empty folder; False if that cannot be."""
    try:
        is_folder = stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
        (os.rmdir if is_folder else os.unlink)(name, dir_fd=folder)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def serve(name: str, path: str, systemctl: str) -> bool:
    """Restart the daemon and the service, the service alone, or nothing: False. The history is written first."""
    history, now_s = read_history(path), time.monotonic()
    restarts = [at_s for at_s in history["restarts"] if now_s - at_s < max(HOUR_S, STALE_S)]
    served = history["served"]
    is_stale = bool(restarts) and now_s - restarts[-1] < STALE_S and name not in served
    if is_stale and len(served) < MOST_SERVICES:
        keep_history(path, {"restarts": restarts, "served": [*served, name]})
        restart_service(systemctl, name, "nvargus-daemon was restarted since it was")
        return True
    reason = too_often(restarts, now_s)
    if reason:
        say("%s asks for a restart of nvargus-daemon: refused, %s" % (name, reason))
        return False
    keep_history(path, {"restarts": [*restarts, now_s], "served": [name]})
    say("%s asks: restart %s" % (name, DAEMON))
    run(systemctl, "restart", DAEMON)
    time.sleep(SOCKET_S)
    restart_service(systemctl, name, "to see the daemon's new socket")
    return True


def too_often(restarts: List[float], now_s: float) -> str:
    """Why the daemon is not restarted again, "" if it may be."""
    if restarts and now_s - restarts[-1] < EVERY_S:
        return "the last one was %.0f s ago" % (now_s - restarts[-1])
    if sum(now_s - at_s < HOUR_S for at_s in restarts) >= MOST_AN_HOUR:
        return "there were %d within an hour" % MOST_AN_HOUR
    return ""


def restart_service(systemctl: str, name: str, why: str) -> None:
    """Restart a service if it runs, without waiting for it."""
    unit = "edgekit@%s.service" % name
    say("restart %s: %s" % (unit, why))
    run(systemctl, "--no-block", "try-restart", unit)


def read_history(path: str) -> History:
    """What was done since the last boot. A damaged one counts as a restart just now."""
    try:
        with open(path) as stream:
            found = json.load(stream)
        return {"restarts": [float(at_s) for at_s in found["restarts"]], "served": [str(n) for n in found["served"]]}
    except FileNotFoundError:
        return {"restarts": [], "served": []}
    except (ValueError, KeyError, TypeError):
        say("%s is damaged" % path)
        return {"restarts": [time.monotonic()], "served": []}


def keep_history(path: str, history: History) -> None:
    """Write it whole. Raises OSError: what cannot be counted is not done."""
    temporary = path + ".new"
    with open(temporary, "w") as stream:
        json.dump(history, stream)
    os.replace(temporary, path)


def run(systemctl: str, *words: str) -> None:
    """Run systemctl; a failure of it goes to the log."""
    try:
        done = subprocess.run(
            [systemctl, "--no-ask-password", "--no-pager", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SYSTEMCTL_S,
        )
    except subprocess.TimeoutExpired:
        say("systemctl %s: no end within %.0f s" % (" ".join(words), SYSTEMCTL_S))
        return
    if done.returncode != 0:
        say("systemctl %s: %s" % (" ".join(words), done.stdout.decode("utf-8", "replace").strip()[:500]))


def say(text: str) -> None:
    """A line for the log."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main()
