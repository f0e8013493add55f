"""A device that answers what measuring asks of it, at once, and notes what it was asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgekit.control.detectors import Detector
from edgekit.control.groundwork import Groundwork
from edgekit.control.inventory import Device
from edgekit.control.project import Project
from edgekit.control.visit import Visit
from edgekit.core.activation import Journal
from edgekit.core.deployment import ServiceState, StateAnswer
from edgekit.core.engine import EngineManifest
from edgekit.core.preflight import Preflight
from edgekit.core.probation import Probation
from edgekit.core.requests import BenchAnswer, BenchRequest
from edgekit.core.service import Health, StreamSettings
from tests.fakes import detector_spec
from tests.report.made_up import CONDITIONS, PROFILE, engine, result

SERVICE = "street"
HEALTH = Health(
    service=SERVICE, release="r", pid=1, frames=9, detections=9, fps=20.0, frame_age_ms=9.0, dropped=0, engine_id="e",
    precision="fp32", started_unix_s=0.0, updated_unix_s=0.0,
)  # fmt: skip


class MadeUpLink:
    """A device with one service. on_bench: what happens in a measurement, before it is answered."""

    def __init__(self, root: Path, *, running: bool = True, journal: Journal | None = None) -> None:
        self.device, self.root = "yard", str(root)
        self.running, self.journal = running, journal or Journal(SERVICE, good=("r",))
        self.asked: list[str] = []
        self.requests: list[BenchRequest] = []
        self.on_bench: Callable[[BenchRequest, Any], None] = lambda request, on_progress: None

    def call(self, verb: str, request: Any, answer: Any, on_progress: Any = None) -> Any:
        """Answer as device code would."""
        if verb == "bench":
            self.asked.append(Path(request.engine_dir).name)
            self.requests.append(request)
            self.on_bench(request, on_progress)
            conditions = replace(CONDITIONS, source=request.source, scenario=request.scenario)
            return BenchAnswer(conditions, result().measurement, Preflight(busy_pct=1.0))
        self.asked.append(verb)
        if verb in ("start", "stop"):
            self.running = verb == "start"
        return {"state": StateAnswer((), (self.service,)), "preflight": Preflight(findings=("busy",))}.get(verb)

    @property
    def service(self) -> ServiceState:
        """As it is now."""
        return ServiceState(SERVICE, "r", self.running, False, 1, 0, self.journal, HEALTH, 0.0)


def device(kind: str = "jetson", **changes: Any) -> Device:
    """An entry of devices.yaml."""
    made = Device("yard", kind, "fake", SERVICE, (StreamSettings("rtsp://anna:secret@camera/1"),))
    return replace(made, probation=Probation(deadline_s=3.0), **changes)


def visited(project: Project, link: MadeUpLink, *engines: EngineManifest, entry: Device | None = None) -> Visit:
    """The device as a visit finds it, with these engines."""
    spec = replace(detector_spec(), model_sha256=engine().model_sha256)
    made: Any = Detector(spec, project.root, project.root / "model.onnx", None, None, None, ())  # type: ignore[arg-type]
    state = StateAnswer(engines, (link.service,))
    return Visit(Groundwork(project), entry or device(), made, link, PROFILE, state)  # type: ignore[arg-type]
