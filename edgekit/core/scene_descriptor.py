"""What a picture is like, as a few numbers that a device can afford for every frame: light, air, lens, objects.

Everything is measured on a small copy of the picture, SMALL_WIDTH_PX wide and made by averaging areas
(cv2.INTER_AREA), so that the same scene gives the same numbers at any camera resolution.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Optional, Tuple

import numpy as np

from edgekit.core.detections import Detections

SMALL_WIDTH_PX = 160
TINY_PX = 16.0  # longer side at network size: below it a box covers two cells of the finest grid of a YOLO head

_LUMA_BGR = np.array((0.114, 0.587, 0.299), np.float32)  # ITU-R BT.601
_SATURATED = 250.0
_EDGE = 24.0  # grey levels between neighbours
_PATCH_PX = 7  # of the dark channel; the paper takes 15 in pictures of 600 px
_DARKEST = 10.0  # percentile of the dark channel
_BLOCK_PX = 8  # of the noise estimate
_SMOOTHEST = 20.0  # percentile of the blocks: those that show noise alone
_IMMERKAER = float(np.sqrt(np.pi / 2.0) / 6.0)
_CELL_PX = 4  # in which the largest saturated patch is looked for


@dataclass(frozen=True)
class SceneDescriptor:
    """Numbers about one picture. Grey levels are 0 to 255, shares 0 to 1, both of the small copy.

    light: mean luma, grey levels. contrast: standard deviation of the luma, grey levels. warmth: mean red over mean
    blue; 1 is neutral, above it warm, below it cool. sharpness: see `_sharpness`, 0 to about 3. noise: standard
    deviation of what is no structure, grey levels. haze: the dark channel, grey levels, see `_haze`. glare: share of
    saturated pixels; glare_blob: share of the picture in the largest connected patch of them. edges: share of pixels on
    an edge. objects, tiny_objects (share of them below TINY_PX) and class_ids (sorted) come from a detector; objects is
    -1 where none was asked.
    """

    light: float
    contrast: float
    warmth: float
    sharpness: float
    noise: float
    haze: float
    glare: float
    glare_blob: float
    edges: float
    objects: int = -1
    tiny_objects: float = 0.0
    class_ids: Tuple[int, ...] = ()


def small_size(width_px: int, height_px: int) -> Tuple[int, int]:
    """(width, height) of the small copy of a picture; a picture that is smaller stays as it is."""
    scale = min(1.0, SMALL_WIDTH_PX / max(width_px, 1))
    return max(1, round(width_px * scale)), max(1, round(height_px * scale))


def describe(small_bgr: np.ndarray, found: Optional[Detections] = None, network_scale: float = 1.0) -> SceneDescriptor:
    """The descriptor of a picture from its small copy (H, W, 3) uint8 BGR, see `small_size`.

    found: what a detector sees in it, boxes in frame pixels; network_scale: network pixels for each frame pixel.
    ValueError for another array, or one below 8 x 8 pixels.
    """
    if small_bgr.ndim != 3 or small_bgr.shape[2] != 3 or min(small_bgr.shape[:2]) < _BLOCK_PX:
        raise ValueError(f"expected (H, W, 3) of at least {_BLOCK_PX} x {_BLOCK_PX}, got {small_bgr.shape}")
    bgr = small_bgr.astype(np.float32)
    luma = bgr @ _LUMA_BGR
    saturated = luma >= _SATURATED
    described = SceneDescriptor(
        light=_rounded(luma.mean()),
        contrast=_rounded(luma.std()),
        warmth=_rounded((bgr[:, :, 2].mean() + 1.0) / (bgr[:, :, 0].mean() + 1.0)),
        sharpness=_rounded(_sharpness(luma)),
        noise=_rounded(_noise(luma)),
        haze=_rounded(_haze(bgr)),
        glare=_rounded(saturated.mean()),
        glare_blob=_rounded(_largest_patch(saturated)),
        edges=_rounded(_edges(luma)),
    )
    return described if found is None else with_objects(described, found, network_scale)


def with_objects(described: SceneDescriptor, found: Detections, network_scale: float) -> SceneDescriptor:
    """The same picture with what a detector sees in it; arguments as of `describe`."""
    boxes = found.boxes_xyxy
    longer_px = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]) * network_scale
    return replace(
        described,
        objects=len(found),
        tiny_objects=_rounded((longer_px < TINY_PX).mean()) if len(found) else 0.0,
        class_ids=tuple(sorted({int(number) for number in found.class_ids})),
    )


def descriptor_vector(described: SceneDescriptor) -> np.ndarray:
    """A point (11,) float32 in which a difference of 1 is a marked difference, for distances between pictures.

    Quantities that spread over orders of magnitude are taken as logarithms. Objects unknown count as none.
    """
    return np.array(
        [
            described.light / 40.0,
            described.contrast / 15.0,
            np.log2(max(described.warmth, 0.05)) * 3.0,
            described.sharpness / 0.4,
            np.log2(1.0 + described.noise) * 1.5,
            described.haze / 30.0,
            np.log2(1.0 + 200.0 * described.glare) / 1.5,
            np.log2(1.0 + 200.0 * described.glare_blob) / 1.5,
            described.edges / 0.06,
            np.log2(1.0 + max(described.objects, 0)),
            described.tiny_objects * 2.0,
        ],
        np.float32,
    )


def _rounded(value: float) -> float:
    return round(float(value), 5)


def _sharpness(luma: np.ndarray) -> float:
    """Energy of second differences over that of first ones, along the axis where it is less.

    About 1.7 to 2 in a sharp picture, below 1.5 where edges are smeared over several pixels; 3 for white noise.
    """
    return min(_roughness(np.diff(luma, axis=axis), axis) for axis in (0, 1))


def _roughness(steps: np.ndarray, axis: int) -> float:
    bends = np.diff(steps, axis=axis)
    return float(np.square(bends).sum() / (np.square(steps).sum() + 1e-6))


def _noise(luma: np.ndarray) -> float:
    """J. Immerkaer, Fast Noise Variance Estimation (1996), of the smoothest blocks, so that texture counts little."""
    rows = luma[:-2] - 2.0 * luma[1:-1] + luma[2:]
    response = np.abs(rows[:, :-2] - 2.0 * rows[:, 1:-1] + rows[:, 2:])
    high, wide = (side // _BLOCK_PX for side in response.shape)
    if not high or not wide:
        return float(response.mean() * _IMMERKAER)
    blocks = response[: high * _BLOCK_PX, : wide * _BLOCK_PX].reshape(high, _BLOCK_PX, wide, _BLOCK_PX)
    return float(np.percentile(blocks.mean((1, 3)), _SMOOTHEST) * _IMMERKAER)


def _haze(bgr: np.ndarray) -> float:
    """A low percentile of the dark channel: clear air leaves something dark in every patch, fog does not.

    Source: K. He, J. Sun, X. Tang, Single Image Haze Removal Using Dark Channel Prior (2009).
    """
    dark = bgr.min(axis=2)
    return float(np.percentile(_minimum_along(_minimum_along(dark).T), _DARKEST))


def _minimum_along(values: np.ndarray) -> np.ndarray:
    """The least of _PATCH_PX rows, for each place where so many lie."""
    span = min(_PATCH_PX, len(values))
    least = values[: len(values) - span + 1]
    for shift in range(1, span):
        least = np.minimum(least, values[shift : len(values) - span + 1 + shift])
    return least


def _edges(luma: np.ndarray) -> float:
    across, down = np.diff(luma, axis=1)[:-1], np.diff(luma, axis=0)[:, :-1]
    return float((np.square(across) + np.square(down) > _EDGE**2).mean())


def _largest_patch(mask: np.ndarray) -> float:
    """Share of all pixels in the largest patch of set ones; patches are those of touching cells of _CELL_PX."""
    if not mask.any():
        return 0.0
    high, wide = (-(-side // _CELL_PX) for side in mask.shape)
    padded = np.zeros((high * _CELL_PX, wide * _CELL_PX), bool)
    padded[: mask.shape[0], : mask.shape[1]] = mask
    counts = padded.reshape(high, _CELL_PX, wide, _CELL_PX).sum((1, 3))
    labels = _connected(counts > 0)
    return float(np.bincount(labels.ravel(), counts.ravel())[1:].max() / mask.size)


def _connected(cells: np.ndarray) -> np.ndarray:
    """A number above zero for each set cell, the same for all that touch by a side or a corner."""
    labels = np.where(cells, np.arange(1, cells.size + 1).reshape(cells.shape), 0)
    while True:
        wider = np.pad(labels, 1)
        best = labels
        for down in range(3):
            for right in range(3):
                best = np.maximum(best, wider[down : down + len(labels), right : right + labels.shape[1]])
        best = np.where(cells, best, 0)
        if np.array_equal(best, labels):
            return labels
        labels = best
