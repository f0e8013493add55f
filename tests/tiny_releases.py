"""Releases whose device code is one short script that reports health: what activation is tested with.

They are real releases, kept by the real supervisor in real processes; only the detector is left out.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Dict, Tuple

from edgekit.core.activation import Journal, Probation
from edgekit.core.deployment import ActivateAnswer, ActivateRequest, ServiceRequest
from edgekit.core.detector import DetectorSpec, InputSpec
from edgekit.core.device import DeviceProfile
from edgekit.core.events import EventSettings
from edgekit.core.release import ReleaseFile, ReleaseManifest
from edgekit.core.service import ServiceSettings, StreamSettings
from edgekit.core.tensors import ShapeProfile
from edgekit.core.wire import to_wire
from edgekit.core.zones import Zone
from edgekit.runtime.activation import activate
from edgekit.runtime.settle import settle

SERVICE = "street"
ENGINE_KEY = "x86_64-avx2-ort1.19.2"
QUICK = Probation(frames=3, seconds=0.3, deadline_s=6.0)

# What the supervisor starts: `python -m edgekit.runtime serve -` in the release's code folder. MODE is set in front.
_SERVICE = """
import json, os, signal, socket, sys, time
request = json.loads(sys.stdin.read()) if "-" in sys.argv else dict(word.split("=") for word in sys.argv[2:])
folder = os.path.realpath(request["release_dir"])
release, loaded_from = os.path.basename(folder), ""
started, frames, every_s = time.time(), 0, float(os.environ.get("EDGEKIT_REPORT_EVERY_S", "0.05"))
def reload(*_):
    global release, loaded_from
    if MODE != "does not reload":
        loaded_from = loaded_from or release
        release = os.path.basename(os.path.realpath(os.path.join(folder, "../../current/street")))
signal.signal(signal.SIGHUP, reload)
def report(error=""):
    health = dict(service="street", release=release, pid=os.getpid(), frames=frames, detections=frames, fps=20.0,
        frame_age_ms=9.0, dropped=0, engine_id="e", precision="fp32", started_unix_s=started,
        updated_unix_s=time.time(), last_error=error, p99_ms=12.5, loaded_from=loaded_from, schema=1)
    path = os.path.join(request["state_dir"], "health.json")
    with open(path + ".part", "w") as stream:
        json.dump(health, stream)
    os.replace(path + ".part", path)
    if frames and not error and "NOTIFY_SOCKET" in os.environ:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.sendto(b"READY=1\\nWATCHDOG=1", os.environ["NOTIFY_SOCKET"])
if MODE == "crashes at start":
    print("no camera", flush=True)
    sys.exit(4)
while True:
    if MODE not in ("hangs", "sees nothing"):
        frames += 1
    if MODE == "crashes soon" and time.time() - started > 0.5:
        report("out of memory")
        sys.exit(6)
    if MODE == "ends well" and frames == 5:
        report()
        sys.exit(0)
    if MODE != "hangs":
        report("no frame yet" if MODE == "sees nothing" else "")
    time.sleep(0.5 if MODE == "is slow" else every_s)
"""


def content_of(mode: str = "works", note: str = "") -> Dict[str, bytes]:
    """The files of a release. mode: how its service behaves; note: makes it another release that behaves so."""
    code = f"MODE, NOTE = {mode!r}, {note!r}\n{_SERVICE}"
    return {
        "code/edgekit/__init__.py": b"",
        "code/edgekit/runtime/__init__.py": b"",
        "code/edgekit/runtime/__main__.py": code.encode(),
        "settings.json": b"{}",
    }


def tunable(mode: str = "works", confidence: float = 0.25, **settings: Any) -> Dict[str, bytes]:
    """The files of a release with settings and a detector that can be read, one camera and the class "car"."""
    wanted = ServiceSettings(SERVICE, (StreamSettings("csi://0"),), **settings)
    profile = ShapeProfile.fixed(1, 96, 96)
    detector = DetectorSpec("roadscene", "d" * 64, InputSpec("images"), profile, "yolov8", ("car",), confidence)
    made = {"settings.json": wanted, "detector.json": detector}
    return {**content_of(mode), **{name: json.dumps(to_wire(value)).encode() for name, value in made.items()}}


def watching(zone: str, classes: Tuple[str, ...] = ()) -> EventSettings:
    """Settings of events with one zone of that name."""
    corners = ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9))
    return EventSettings((Zone(zone, corners, classes=classes),))


def manifest_of(content: Dict[str, bytes], counter: int = 1, **changes: Any) -> ReleaseManifest:
    """The manifest of some files."""
    files = [ReleaseFile(path, len(data), sha256_of(data)) for path, data in sorted(content.items())]
    fields = {
        "product": "edgekit",
        "service": SERVICE,
        "device_class": {"engine_key": ENGINE_KEY},
        "counter": counter,
        "detector": "roadscene",
        "engine_id": "e" * 16,
        "files": tuple(files),
    }
    return ReleaseManifest(**{**fields, **changes})


def sha256_of(data: bytes) -> str:
    """The digest of bytes, as objects are named by."""
    return hashlib.sha256(data).hexdigest()


def deliver(root: Path, content: Dict[str, bytes]) -> None:
    """Lay files where a link puts them."""
    incoming = Path(root) / "incoming"
    incoming.mkdir(parents=True, exist_ok=True)
    for data in content.values():
        (incoming / sha256_of(data)).write_bytes(data)


def quiet(what: str, done: int, total: int) -> None:
    """Nobody wants to see it."""


def profile_of(engine_module: str = "x86_64", **changes: Any) -> DeviceProfile:
    """A device that these releases are made for."""
    fields = {
        "module": engine_module,
        "backend": "onnxruntime",
        "backend_version": "1.19.2",
        "python": "3.8.18",
        "edgekit": "0",
        "cpu_count": 2,
        "memory_total_mib": 4096,
        "memory_available_mib": 2048,
        "disk_free_mib": 9999,
        "cpu_features": ("avx2",),
    }
    return DeviceProfile(**{**fields, **changes})


def put(root: Path, content: Dict[str, bytes], counter: int = 1, **changes: Any) -> ActivateAnswer:
    """Deliver and activate; what is left is its probation."""
    deliver(root, content)
    request = ActivateRequest(str(root), manifest_of(content, counter), **{"probation": QUICK, **changes})
    return activate(request, profile_of(), quiet)


def settled(root: Path) -> Journal:
    """Wait until the release is committed or reverted."""
    return settle(ServiceRequest(str(root), SERVICE), quiet)
