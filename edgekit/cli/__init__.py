"""The command line: one thin file a verb. Nothing here is imported by the rest of the kit."""

from __future__ import annotations

import signal
import sys

INSTALL_HINT = 'pip install "edgekit[host,local]"'


def main() -> None:
    """What `edgekit` runs. A bare wheel without the host's packages gets one line that mends it."""
    # Told to end, by whoever: clean up as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        from edgekit.cli.app import app
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("edgekit"):
            raise
        sys.stderr.write(f"error: the Python package {error.name!r} is missing\n  try: {INSTALL_HINT}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    app(prog_name="edgekit")
