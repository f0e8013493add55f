"""Root's part of starting and stopping services: /usr/local/libexec/edgekit-control, run by edgekit-control.service.

The login user leaves a file in /run/edgekit/requests, named after a service, that holds one word: start, stop, restart
or reload. This program removes it and tells systemd. It believes nothing: a name is a service's or nothing, a word is
one of four, a link, folder or pipe is removed unread. It has no capabilities; root's group may delete in the folder.

Standard library and Python 3.6 syntax only; it runs in a device's own Python, without edgekit beside it.
"""

import os
import re
import shutil
import stat
import subprocess
import sys
import time
from typing import List

REQUESTS = "/run/edgekit/requests"
ENABLED = "/etc/systemd/system/multi-user.target.wants"
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
WORDS = ("start", "stop", "restart", "reload")
TAKEN = ".taken"
TEMPORARY_S = 1.0  # how long a writer may take from making a temporary file to renaming it
PAUSE_S = 5.0  # systemd starts this program again while anything is left in the folder


def main() -> None:
    """Carry out every request in the folder. Arguments, for tests: FOLDER SYSTEMCTL ENABLED."""
    folder, systemctl, enabled = (sys.argv[1:] + [REQUESTS, "systemctl", ENABLED][len(sys.argv) - 1 :])[:3]
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        left = serve(descriptor, systemctl, enabled)
    finally:
        os.close(descriptor)
    if left:
        say("cannot remove %s" % ", ".join(repr(name) for name in left))
        time.sleep(PAUSE_S)


def serve(folder: int, systemctl: str, enabled: str) -> List[str]:
    """Take and carry out all requests in an open folder; the names that could not be removed."""
    left: List[str] = []
    for name in sorted(os.listdir(folder)):
        if name.startswith("."):
            wait_for_writer(folder, name)
            left += [] if remove(folder, name) else [name]
    for name in sorted(os.listdir(folder)):
        taken = take(folder, name)
        word = read_word(folder, taken)
        if not remove(folder, taken):
            left.append(taken)
        elif not NAME.fullmatch(name):
            say("%r is no name of a service" % name)
        elif word not in WORDS:
            say("the request for %s is none of %s, or cannot be read by its group" % (name, ", ".join(WORDS)))
        else:
            carry_out(systemctl, enabled, name, word)
    return left


def take(folder: int, name: str) -> str:
    """Give a request a name of our own before it is read: a newer one may come under its name at any time."""
    try:
        os.rename(name, TAKEN, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        return name
    return TAKEN


def wait_for_writer(folder: int, name: str) -> None:
    """Give a temporary file the time to be renamed: it is the beginning of a request."""
    deadline = time.monotonic() + TEMPORARY_S
    while time.monotonic() < deadline and exists(folder, name):
        time.sleep(0.02)


def exists(folder: int, name: str) -> bool:
    """True if the folder has that name."""
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return False
    return True


def read_word(folder: int, name: str) -> str:
    """The first characters of a plain file, "" for anything else. O_NONBLOCK: a pipe must not hold us up."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return ""
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return ""
        return os.read(descriptor, 16).decode("ascii", "replace").strip()
    except OSError:
        return ""
    finally:
        os.close(descriptor)


def remove(folder: int, name: str) -> bool:
    """Remove whatever bears that name; False if that cannot be."""
    try:
        if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            # By the path of the open folder: Python 3.6 cannot remove a tree relative to a descriptor.
            shutil.rmtree("/proc/self/fd/%d/%s" % (folder, name))
        else:
            os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def carry_out(systemctl: str, enabled: str, name: str, word: str) -> None:
    """Tell systemd. It does not wait for the service: one that is slow to start must not hold up another's request."""
    unit = "edgekit@%s.service" % name
    say("%s %s" % (word, unit))
    is_enabled = os.path.lexists(os.path.join(enabled, unit))
    if word == "stop":
        if is_enabled:
            run(systemctl, "disable", unit)
        run(systemctl, "--no-block", "stop", unit)
        return
    if word == "reload":
        # The release that it takes over has a count of restarts of its own, and is watched as one that is started is.
        run(systemctl, "reset-failed", unit, quiet=True)
        run(systemctl, "--no-block", "reload", unit)
        run(systemctl, "--no-block", "start", "edgekit-reconcile@%s.service" % name)
        return
    if not is_enabled:
        run(systemctl, "enable", unit)
    # One that failed too often may not start until its count is cleared; there is nothing to clear for a new one.
    run(systemctl, "reset-failed", unit, quiet=True)
    run(systemctl, "--no-block", word, unit)


def run(systemctl: str, *words: str, quiet: bool = False) -> None:
    """Run systemctl; what it says and a failure of it go to the log."""
    done = subprocess.run(
        [systemctl, "--no-ask-password", "--no-pager", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode != 0 and not quiet:
        say("systemctl %s: %s" % (" ".join(words), done.stdout.decode("utf-8", "replace").strip()[:500]))


def say(text: str) -> None:
    """A line for the log."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main()
