"""What a board runs before it has any Python package, and what must start at once: without numpy and OpenCV."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Verbs of a device that is being provisioned, and what watches over every start of a service.
MODULES = ("visit", "objects", "activation", "reconcile", "settle", "services", "gc", "logs", "__main__")


@pytest.mark.parametrize("name", MODULES)
def test_it_needs_no_package(name):
    """A stock Jetson has neither: the packages could not even be sent. And each costs a second on a small board."""
    program = f"import sys, edgekit.runtime.{name} as _; print([m for m in ('numpy', 'cv2') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
