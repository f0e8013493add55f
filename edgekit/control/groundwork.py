"""What deployments to several devices have in common: detectors, pictures, prepared models, each made once."""

from __future__ import annotations

from edgekit.control.detectors import Detector, load_detector
from edgekit.control.golden import Golden, prepare_golden
from edgekit.control.once import Once
from edgekit.control.prepare import Preparation, prepare_model
from edgekit.control.project import Project
from edgekit.control.sets.calibration_sets import MaterialisedSet, load_set, materialise
from edgekit.control.sets.scenes_summary import scenes_seen
from edgekit.control.verify import Yardstick, prepare_yardstick
from edgekit.core.precision import Route
from edgekit.core.progress import OnProgress
from edgekit.core.scenes_seen import ScenesSeen
from edgekit.errors import CalibrationError


class Groundwork:
    """The host's part of a deployment, for any number of devices and from any thread. Nothing is made unasked."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._once = Once()

    def detector(self, name: str) -> Detector:
        """A detector by name. Raises as `load_detector` does."""
        return self._once.get(("detector", name), lambda: load_detector(self.project, name))

    def calibration(self, detector: Detector, override: str | None, on_progress: OnProgress) -> MaterialisedSet:
        """The set that INT8 is calibrated with. Raises CalibrationError if the detector names none."""
        name = override or detector.calibration
        if not name:
            raise CalibrationError(
                f"{detector.spec.name} names no calibration set, and INT8 needs one",
                hint=f"add `calibration: NAME` to {detector.folder / 'detector.yaml'}, or use another --precision",
            )
        return self._once.get(
            ("set", name), lambda: materialise(self.project, load_set(self.project, name), on_progress)
        )

    def yardstick(self, detector: Detector, on_progress: OnProgress) -> Yardstick:
        """The pictures that engines of a detector are checked with."""
        return self._once.get(
            ("yardstick", detector.name), lambda: prepare_yardstick(self.project, detector, on_progress)
        )

    def golden(self, detector: Detector, on_progress: OnProgress) -> Golden:
        """The golden set that a build ends with."""
        return self._once.get(("golden", detector.name), lambda: prepare_golden(self.project, detector, on_progress))

    def scenes(self, detector: Detector, override: str | None, on_progress: OnProgress) -> ScenesSeen | None:
        """What the set that INT8 is calibrated with shows; None if the detector names none."""
        if not (override or detector.calibration):
            return None
        made = self.calibration(detector, override, on_progress)
        return self._once.get(
            ("scenes", detector.name, made.name), lambda: scenes_seen(self.project, detector, made, on_progress)
        )

    def prepared(
        self,
        detector: Detector,
        route: Route,
        precision: str,
        calibration: MaterialisedSet | None,
        keep_float: tuple[str, ...],
        on_progress: OnProgress,
    ) -> Preparation:
        """The model file that TensorRT is to build from."""
        pictures = calibration.sha256 if calibration else None
        return self._once.get(
            ("model", detector.name, route, precision, pictures, keep_float),
            lambda: prepare_model(
                self.project, detector, route, precision, calibration, on_progress, keep_float=keep_float
            ),
        )
