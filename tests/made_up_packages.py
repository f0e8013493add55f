"""Tiny Python packages: a wheel, and sources that build themselves with nothing but the standard library."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

from edgekit.control.wheels import LockedPackage
from edgekit.files import sha256_file

# A build system inside the sources: what is compiled for CUDA in truth is one Python file here.
BACKEND = """
import os, sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from wheel_text import wheel_bytes

def prepare_metadata_for_build_wheel(folder, settings=None):
    os.mkdir(os.path.join(folder, "{name}-{version}.dist-info"))
    with open(os.path.join(folder, "{name}-{version}.dist-info/METADATA"), "w") as stream:
        stream.write("Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n")
    return "{name}-{version}.dist-info"

def build_wheel(folder, settings=None, metadata=None):
    {refuse}
    path = "{name}-{version}-py3-none-any.whl"
    with open(os.path.join(folder, path), "wb") as stream:
        stream.write(wheel_bytes("{name}", "{version}", "built_with = %r" % os.environ["PATH"].split(os.pathsep)[0]))
    return path
"""


def wheel_bytes(name: str, version: str, line: str = "") -> bytes:
    """A wheel with one module of that name."""
    folder = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"import os\nversion = '{version}'\n{line}\n",
        f"{folder}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{folder}/WHEEL": "Wheel-Version: 1.0\nGenerator: by hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},sha256={_digest(text)},{len(text.encode())}\n" for path, text in files.items())
    files[f"{folder}/RECORD"] = f"{record}{folder}/RECORD,,\n"
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return content.getvalue()


def wheel(folder: Path, name: str = "tiny", version: str = "1.0") -> LockedPackage:
    """Write a wheel into a folder."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    path.write_bytes(wheel_bytes(name, version))
    return LockedPackage(name, version, sha256_file(path))


def sources(folder: Path, name: str = "pycuda", version: str = "1.0", *, fails: bool = False) -> LockedPackage:
    """Write sources into a folder. fails: they do not compile."""
    refuse = "raise RuntimeError('cuda.h: no such file')" if fails else "pass"
    this = Path(__file__).read_text("utf-8")
    start, end = this.index("def wheel_bytes("), this.index("def wheel(")
    helper = "import base64, hashlib, io, zipfile\n\n" + this[start:end] + this[this.rindex("def _digest(") :]
    texts = {
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        "backend.py": BACKEND.format(name=name, version=version, refuse=refuse),
        "wheel_text.py": helper,
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
    }
    path = folder / f"{name}-{version}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for file, text in texts.items():
            item = tarfile.TarInfo(f"{name}-{version}/{file}")
            item.size = len(text.encode())
            archive.addfile(item, io.BytesIO(text.encode()))
    return LockedPackage(name, version, sha256_file(path))


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
