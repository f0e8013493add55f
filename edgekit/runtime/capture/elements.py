"""What GStreamer can do on this machine, asked in a process of its own: its plugins run code of many makers.

`python -m edgekit.runtime.capture.elements` answers with one line of JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Dict, FrozenSet, Tuple

from edgekit.core.camera_pipeline import ASKED
from edgekit.core.cameras import GStreamerFacts, readings_of
from edgekit.runtime.capture.gstreamer import GStreamer, GStreamerError
from edgekit.runtime.capture.gstreamer_reader import ASK_PROPERTIES
from edgekit.runtime.capture.process import capture_environment

_COMMAND = (sys.executable, "-s", "-m", "edgekit.runtime.capture.elements")
_PATIENCE_S = 30.0  # the first start of all looks through every plugin


def gstreamer_facts(command: Tuple[str, ...] = _COMMAND, patience_s: float = _PATIENCE_S) -> GStreamerFacts:
    """By what each kind of camera is read here. Never raises: without GStreamer OpenCV reads what it can."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=patience_s, env=capture_environment(), check=False
        )
        told = json.loads(done.stdout.splitlines()[-1])
        elements: Dict[str, FrozenSet[str]] = {name: frozenset(told["elements"][name]) for name in told["elements"]}
        version = str(told["version"])
    except subprocess.TimeoutExpired:
        return GStreamerFacts("", readings_of(None), f"GStreamer did not answer within {patience_s:.0f} s")
    except (IndexError, KeyError, TypeError, ValueError):
        said = done.stderr.strip().splitlines()[-1:] or [f"it ended with code {done.returncode}"]
        return GStreamerFacts("", readings_of(None), said[0])
    return GStreamerFacts(version, readings_of(elements))


def main() -> int:
    """Exit code 1, with the reason on standard error, where there is no GStreamer."""
    try:
        library = GStreamer()
    except GStreamerError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    elements = library.elements(ASKED, ASK_PROPERTIES)
    version = library.take_string(library.call("gst_version_string"))
    answer = {"version": version, "elements": {name: sorted(found) for name, found in elements.items()}}
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
