"""A small procedural street: pictures and video with exact truth, for the demo detector, calibration and tests."""

from edgekit.scenes.look import CONDITIONS
from edgekit.scenes.scene import Scene, render_scene
from edgekit.scenes.splits import split_seed
from edgekit.scenes.stream import SceneStream
from edgekit.scenes.traffic import CLASSES

__all__ = ["CLASSES", "CONDITIONS", "Scene", "SceneStream", "render_scene", "split_seed"]
