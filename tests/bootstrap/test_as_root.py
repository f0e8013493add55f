"""Code that root runs: from memory, by any Python of the system, with nothing installed beside it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edgekit import bootstrap
from edgekit.control.tuning import _packed_code

# The Python of a device has no numpy that root may trust: none of edgekit's packages may be needed.
BARE = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("numpy", "cv2", "onnx", "onnxruntime"):
            raise ImportError(name + " is not there")
sys.meta_path.insert(0, Blocked())
"""
TELL = """
import json, sys
print(json.dumps([module.__file__ for name, module in sys.modules.items() if name.startswith("edgekit.")]))
"""


def run(request: dict, code: bytes, after: str = "") -> str:
    text = BARE + bootstrap.source("as_root") + after
    command = [sys.executable, "-I", "-S", "-c", text, json.dumps(request)]
    return subprocess.run(command, input=code, stdout=subprocess.PIPE, check=True).stdout.decode()


def test_code_is_imported_from_memory_and_from_nowhere_else(tmp_path, monkeypatch) -> None:
    """A file of the device folder is the login user's to write; root would run it."""
    monkeypatch.chdir(tmp_path)
    said = run({"verb": "tune", "settings": ["nonsense"]}, _packed_code(), TELL).splitlines()
    assert json.loads(said[0])["error"]["kind"] == "UsageError"
    assert "governor" in json.loads(said[0])["error"]["hint"]
    files = json.loads(said[1])
    assert files and all(Path(file).parts[:4] == ("/", "proc", "self", "fd") for file in files)
    assert list(tmp_path.iterdir()) == []


def test_code_that_is_cut_off_is_not_run() -> None:
    """A link that breaks while it is sent: Python refuses an archive without its end."""
    with pytest.raises(subprocess.CalledProcessError):
        run({"verb": "tune", "settings": []}, _packed_code()[:-1000])
