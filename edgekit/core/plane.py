"""Where points lie beside polygons and lines."""

from __future__ import annotations

import numpy as np


def depths(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """(N,) float64: how far points (N, 2) are inside a polygon (C, 2), to its nearest edge; below 0 outside."""
    start, end = corners, np.roll(corners, -1, axis=0)
    edge, apart = end - start, points[:, None] - start
    length_2 = np.maximum((edge**2).sum(axis=1), 1e-12)
    share = np.clip((apart * edge).sum(axis=2) / length_2, 0, 1)
    nearest = np.sqrt(((apart - share[:, :, None] * edge) ** 2).sum(axis=2).min(axis=1))
    above, below = start[:, 1] > points[:, None, 1], end[:, 1] > points[:, None, 1]
    to_right = (edge[:, 0] * apart[:, :, 1] - edge[:, 1] * apart[:, :, 0]) * np.where(edge[:, 1] > 0, 1, -1)
    inside = ((above != below) & (to_right > 0)).sum(axis=1) % 2 == 1
    return np.where(inside, nearest, -nearest)  # type: ignore[no-any-return]


def breadth(corners: np.ndarray) -> float:
    """Area over half the way around: a convex polygon has points at least half of it away from every edge."""
    ends = np.roll(corners, -1, axis=0)
    area = abs(float((corners[:, 0] * ends[:, 1] - ends[:, 0] * corners[:, 1]).sum())) / 2
    around = float(np.sqrt(((ends - corners) ** 2).sum(axis=1)).sum())
    return 2 * area / max(around, 1e-12)


def right_of(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """(N,) float64: how far points (N, 2) are on the right-hand side of the line from start to end; below 0 left."""
    along = end - start
    apart = points - start
    side = along[0] * apart[:, 1] - along[1] * apart[:, 0]
    return side / max(float(np.hypot(*along)), 1e-12)  # type: ignore[no-any-return]


def crosses(before: np.ndarray, after: np.ndarray, start: np.ndarray, end: np.ndarray) -> bool:
    """True if the way from before to after, on both sides of the line through start and end, meets the line itself."""
    way = np.stack([start, end])
    first, second = right_of(way, before, after).tolist()
    return bool(first * second <= 0)


def anchors_of(boxes_xyxy: np.ndarray, anchor: str) -> np.ndarray:
    """(N, 2) float64: the point of each box that counts, in the middle of its width."""
    y = {"top": boxes_xyxy[:, 1], "bottom": boxes_xyxy[:, 3], "centre": boxes_xyxy[:, 1::2].mean(axis=1)}[anchor]
    return np.stack([boxes_xyxy[:, ::2].mean(axis=1), y], axis=1).astype(np.float64)
