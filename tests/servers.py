"""What tests against real cameras, brokers and browsers need of this machine.

    python -m tests.servers packages      the Debian packages, for apt-get
    python -m tests.servers doctor        what is missing; exit code 1 if anything is

Where something is missing, tests that need it are skipped and say so; with EDGEKIT_REQUIRE_SERVERS=1 they fail.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, List, Tuple

if TYPE_CHECKING:
    import pytest

PACKAGES = (
    "gstreamer1.0-plugins-base",
    "gstreamer1.0-plugins-good",
    "gstreamer1.0-plugins-bad",
    "gstreamer1.0-plugins-ugly",
    "gstreamer1.0-libav",
    "gstreamer1.0-tools",
    "gir1.2-gst-rtsp-server-1.0",
    "python3-gi",
    "ffmpeg",
    "mosquitto",
    "openssl",
    "postgresql",
    "chromium",
    "chromium-driver",
)
SYSTEM_PYTHON = "/usr/bin/python3"  # it alone has python3-gi
_RTSP_NEEDS = (
    "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import Gst, GstRtspServer; "
    "Gst.init(None); assert all(map(Gst.ElementFactory.find, ('x264enc', 'x265enc', 'avdec_h264', 'rtspsrc', "
    "'rtph264pay')))"
)


@functools.lru_cache(maxsize=None)
def no_rtsp_server() -> str:
    """Why no RTSP server can be had here, "" if one can."""
    if not Path(SYSTEM_PYTHON).exists():
        return f"no RTSP server: no {SYSTEM_PYTHON}"
    done = subprocess.run([SYSTEM_PYTHON, "-c", _RTSP_NEEDS], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else f"no RTSP server: {done.stderr.strip().splitlines()[-1:]}"


def no_program(*names: str) -> str:
    """Why none of these programs can be run, "" if one can; Debian keeps some of them where only root's path leads."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
    return "" if any(shutil.which(name, path=path) for name in names) else f"no {' or '.join(names)} on this machine"


def needed(reason: str) -> pytest.MarkDecorator:
    """A mark that skips what cannot run for a reason, "" for none. Ends the run where servers are required."""
    import pytest  # `make camera-packages` runs with a Python that may have none

    if reason and os.environ.get("EDGEKIT_REQUIRE_SERVERS") == "1":
        pytest.exit(f"{reason}: make camera-packages", returncode=1)
    return pytest.mark.skipif(bool(reason), reason=reason or "-")


def reasons() -> List[str]:
    """Everything that is missing."""
    browsers = no_program("chromium", "chromium-browser", "google-chrome")
    programs = [no_program(name) for name in ("ffmpeg", "mosquitto", "openssl", "chromedriver")]
    from tests.postgres import no_postgres

    return [reason for reason in (no_rtsp_server(), browsers, *programs, no_postgres()) if reason]


def known_packages() -> Tuple[str, ...]:
    """Those that apt knows here; the others are named on standard error: Ubuntu has Chromium as a snap only."""
    known = [name for name in PACKAGES if _apt_knows(name)]
    for name in set(PACKAGES) - set(known):
        print(f"apt knows no {name} here; tests that need it are skipped", file=sys.stderr)
    return tuple(known)


def _apt_knows(name: str) -> bool:
    done = subprocess.run(["apt-cache", "policy", name], capture_output=True, text=True, check=False)
    return "Candidate:" in done.stdout and "Candidate: (none)" not in done.stdout


def main() -> int:
    if sys.argv[1:] == ["packages"]:
        print("\n".join(known_packages()))
        return 0
    if sys.argv[1:] == ["doctor"]:
        missing = reasons()
        print("\n".join(missing), file=sys.stderr)
        return int(bool(missing))
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
