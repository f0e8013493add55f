"""The camera over the street: metres to pixels. x is right, y up, z away from the camera, all from its foot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NEAREST_M = 2.0


@dataclass(frozen=True)
class View:
    """A pinhole camera whose tilt is a shifted horizon, so that verticals stay vertical."""

    width: int
    height: int
    focal_px: float
    centre_x_px: float
    horizon_px: float
    camera_x_m: float
    camera_y_m: float

    def project(self, points_m: np.ndarray) -> np.ndarray:
        """Pixels (N, 2) float64, x then y, of points (N, 3) in metres; nearer than NEAREST_M counts as NEAREST_M."""
        scale = self.focal_px / np.maximum(points_m[:, 2], NEAREST_M)
        points_px = np.empty((len(points_m), 2))
        points_px[:, 0] = self.centre_x_px + (points_m[:, 0] - self.camera_x_m) * scale
        points_px[:, 1] = self.horizon_px - (points_m[:, 1] - self.camera_y_m) * scale
        return points_px

    def row_distance_m(self, rows_px: np.ndarray) -> np.ndarray:
        """How far away the ground is at each picture row; rows at or above the horizon give a large number."""
        below_px = np.maximum(rows_px - self.horizon_px, 0.25)
        return self.focal_px * self.camera_y_m / below_px

    @property
    def first_ground_row_px(self) -> int:
        """The first row that shows ground."""
        return int(np.clip(np.ceil(self.horizon_px), 0, self.height - 1))


def random_view(rng: np.random.Generator, width: int, height: int) -> View:
    """A camera on a mast or a gantry. The same draws give the same street at every picture size."""
    return View(
        width=width,
        height=height,
        focal_px=float(rng.uniform(0.8, 1.15) * width),
        centre_x_px=float(rng.uniform(0.38, 0.62) * width),
        horizon_px=float(rng.uniform(0.2, 0.42) * height),
        camera_x_m=float(rng.uniform(-4.5, 4.5)),
        camera_y_m=float(rng.uniform(2.2, 6.0)),
    )
