"""One rendered picture: repeatable, labelled within its frame, and looking like its condition."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.scenes import CLASSES, CONDITIONS, render_scene, split_seed
from edgekit.scenes.look import Look
from edgekit.scenes.painter import Placement
from edgekit.scenes.scene import (
    LEAST_LONG_SIDE_PX,
    LEAST_SHORT_SIDE_PX,
    Figure,
    far_to_near,
    figure_of,
    paint_figures,
    truth_of,
)
from edgekit.scenes.solids import solid_from_parts
from edgekit.scenes.street import Street, random_street
from edgekit.scenes.traffic import Actor, new_solid
from edgekit.scenes.view import View, random_view

WIDTH, HEIGHT = 640, 360
VIEW = View(WIDTH, HEIGHT, 600.0, 320.0, 110.0, 0.0, 4.0)
CLEAR = Look(haze_per_m=0.0)


def _no_glow(frame: np.ndarray, x_px: float, y_px: float, radius_px: float, colour: tuple) -> None:
    raise AssertionError("daylight needs no lamps")


def _street() -> Street:
    return random_street(np.random.default_rng(0))


def _figure(actor: Actor) -> Figure:
    figure = figure_of(actor, _street(), VIEW, CLEAR)
    assert figure is not None
    return figure


@pytest.mark.parametrize("condition", CONDITIONS)
def test_the_same_seed_gives_the_same_picture_and_truth(condition: str) -> None:
    """Otherwise a calibration set or a frozen set would change between two machines that render it."""
    one, other = (render_scene(11, condition, WIDTH, HEIGHT) for _ in range(2))
    assert np.array_equal(one.frame, other.frame)
    assert np.array_equal(one.truth.boxes_xyxy, other.truth.boxes_xyxy)
    assert np.array_equal(one.truth.class_ids, other.truth.class_ids)
    assert condition == one.condition


def test_another_seed_or_condition_gives_another_picture() -> None:
    """A generator that ignored its seed would train a detector on a single picture."""
    frames = [render_scene(*what, WIDTH, HEIGHT).frame for what in ((1, "day"), (2, "day"), (1, "noise"))]
    assert all(np.mean(a != b) > 0.5 for a, b in ((frames[0], frames[1]), (frames[0], frames[2])))


@pytest.mark.parametrize("condition", CONDITIONS)
def test_truth_lies_in_the_frame_and_keeps_the_size_rule(condition: str) -> None:
    """Boxes beyond the frame or too small to see would punish a detector for being right."""
    scenes = [render_scene(seed, condition, WIDTH, HEIGHT) for seed in range(3)]
    assert sum(len(scene.truth) for scene in scenes) >= 3
    for scene in scenes:
        assert scene.frame.shape == (HEIGHT, WIDTH, 3) and scene.frame.dtype == np.uint8
        boxes, class_ids = scene.truth.boxes_xyxy, scene.truth.class_ids
        assert boxes.dtype == np.float32 and class_ids.dtype == np.int32
        assert (boxes >= 0).all() and (boxes <= [WIDTH, HEIGHT, WIDTH, HEIGHT]).all()
        sides = np.sort(boxes[:, 2:] - boxes[:, :2], axis=1)
        assert (sides[:, 0] >= LEAST_SHORT_SIDE_PX).all() and (sides[:, 1] >= LEAST_LONG_SIDE_PX).all()
        assert (scene.truth.scores == 1.0).all()
        assert ((class_ids >= 0) & (class_ids < len(CLASSES))).all()


def test_every_class_appears_within_a_few_pictures() -> None:
    """A class that is never drawn could never be learnt, and its accuracy would read as nan."""
    seen = np.concatenate([render_scene(seed, "day", 320, 180).truth.class_ids for seed in range(25)])
    assert set(range(len(CLASSES))) == set(seen.tolist())


def test_truth_scales_with_the_picture() -> None:
    """The same seed is rendered at 360p for training and at 720p for tests: the street must be the same."""
    small, large = render_scene(5, "day", 640, 360).truth, render_scene(5, "day", 1280, 720).truth
    # Lines are at least one pixel wide and boxes end half a pixel beyond the outline, whatever the size.
    assert np.array_equal(small.class_ids, large.class_ids)
    assert np.allclose(small.boxes_xyxy, large.boxes_xyxy / 2, atol=1.0)


@pytest.mark.parametrize("yaw_rad", [0.0, 0.6, 1.5, 3.0])
@pytest.mark.parametrize("name", CLASSES)
def test_a_box_is_tight_around_what_is_painted(name: str, yaw_rad: float) -> None:
    """Loose boxes cap the accuracy that any detector can reach at an IoU of 0.95."""
    yaw_rad = 0.0 if name.startswith("traffic") else yaw_rad  # plates and lamps face the camera
    solid = new_solid(np.random.default_rng(3), name, yaw_rad)
    counted = [part._replace(colour=(255, 255, 255)) for part in solid.parts if part.counted]  # a pole is not boxed
    place = Placement(1.0, 16.0, yaw_rad)
    figure = _figure(Actor(solid_from_parts(solid.class_id, counted), place))
    assert np.array_equal(figure.box_xyxy, _figure(Actor(solid, place)).box_xyxy)
    frame = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    paint_figures(frame, [figure], VIEW, CLEAR, _no_glow)
    rows, columns = np.nonzero(frame.max(axis=2) > 40)
    painted = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
    (box,) = truth_of([figure], VIEW).boxes_xyxy
    assert np.abs(box - painted).max() <= 2.5


def test_an_object_behind_a_bus_is_not_in_the_truth() -> None:
    """Nobody can find what is not to be seen; such truth would count as a miss of every detector."""
    rng = np.random.default_rng(4)
    near = _figure(Actor(new_solid(rng, "bus"), Placement(0.0, 14.0)))
    behind = _figure(Actor(new_solid(rng, "bicycle"), Placement(0.0, 22.0)))
    beside = _figure(Actor(new_solid(rng, "bicycle"), Placement(-5.0, 22.0)))
    seen = far_to_near([near, behind, beside])
    found = [CLASSES[index] for index in truth_of(seen, VIEW).class_ids]
    assert found == ["bicycle", "bus"]


def test_night_is_much_darker_than_day() -> None:
    """The night scenario would otherwise measure nothing that day does not."""

    def brightness(condition: str) -> float:
        return float(np.mean([render_scene(seed, condition, 320, 180).frame.mean() for seed in range(6)]))

    assert brightness("night") < 0.35 * brightness("day")


def test_fog_takes_the_contrast_of_what_is_far() -> None:
    """Fog must hide distance, not only tint the picture; near the camera things stay visible."""

    def contrast(condition: str, far: bool) -> float:
        levels = []
        for seed in range(12):
            frame = render_scene(seed, condition, WIDTH, HEIGHT).frame
            view = random_view(np.random.default_rng([seed, CONDITIONS.index(condition)]), WIDTH, HEIGHT)
            row, column = int(view.horizon_px) - 10 if far else HEIGHT - 60, int(view.centre_x_px) - 40
            levels.append(float(frame[row : row + 20, column : column + 80].astype(np.float32).std()))
        return float(np.median(levels))

    assert contrast("fog", far=True) < 0.3 * contrast("day", far=True)
    assert contrast("fog", far=False) > 0.35 * contrast("day", far=False)


def test_blur_removes_edges_and_noise_adds_them() -> None:
    """Both conditions exist to move the high frequencies of the input."""

    def roughness(condition: str) -> float:
        frames = [render_scene(seed, condition, WIDTH, HEIGHT).frame.astype(np.float32) for seed in range(4)]
        return float(np.mean([np.abs(np.diff(frame, axis=1)).mean() for frame in frames]))

    assert roughness("blur") < roughness("day") < roughness("noise")


def test_an_unknown_condition_is_named() -> None:
    """A typo must not silently give daylight."""
    with pytest.raises(ValueError, match="hail"):
        render_scene(split_seed("train", 0), "hail")
