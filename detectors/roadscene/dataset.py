"""Training pictures: rendered once by all cores into shared memory, then cropped and recoloured on the GPU."""

from __future__ import annotations

import mmap
import multiprocessing
from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from edgekit.scenes import CONDITIONS, render_scene, split_seed

PICTURE_WIDTH, PICTURE_HEIGHT = 640, 360
BORDER = 114.0 / 255.0
MOST_OBJECTS = 64


@dataclass(frozen=True)
class Pictures:
    """frames (N, 360, 640, 3) uint8 BGR; boxes (N, 64, 4) float32 xyxy and classes (N, 64), -1 where there is none.

    Picture i has condition CONDITIONS[i % len(CONDITIONS)].
    """

    frames: np.ndarray
    boxes: np.ndarray
    classes: np.ndarray


def _shared(shape: tuple[int, ...], dtype: type) -> np.ndarray:
    """Memory that forked workers write and the parent reads, with no limit of /dev/shm."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return np.frombuffer(mmap.mmap(-1, size), dtype).reshape(shape)


def _render_into(pictures: Pictures, split: str, indices: range) -> None:
    cv2.setNumThreads(1)
    for index in indices:
        # Every second picture is shrunk from 720p as a camera frame would be: both kinds of edges are seen.
        factor = 2 if index // len(CONDITIONS) % 2 or split != "train" else 1
        size = (PICTURE_WIDTH * factor, PICTURE_HEIGHT * factor)
        scene = render_scene(split_seed(split, index), CONDITIONS[index % len(CONDITIONS)], *size)
        cv2.resize(scene.frame, (PICTURE_WIDTH, PICTURE_HEIGHT), dst=pictures.frames[index])
        count = min(len(scene.truth), MOST_OBJECTS)
        pictures.boxes[index, :count] = scene.truth.boxes_xyxy[len(scene.truth) - count :] / factor
        pictures.classes[index, :count] = scene.truth.class_ids[len(scene.truth) - count :]


def render_pictures(split: str, count: int, workers: int) -> Pictures:
    """Render the first `count` pictures of a split. Call before CUDA is used: the workers are forked."""
    frames = _shared((count, PICTURE_HEIGHT, PICTURE_WIDTH, 3), np.uint8)
    boxes, classes = _shared((count, MOST_OBJECTS, 4), np.float32), _shared((count, MOST_OBJECTS), np.int64)
    classes[:] = -1
    pictures = Pictures(frames, boxes, classes)
    fork = multiprocessing.get_context("fork")
    jobs = [
        fork.Process(target=_render_into, args=(pictures, split, range(start, count, workers)))
        for start in range(workers)
    ]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    if any(job.exitcode for job in jobs):
        raise RuntimeError(f"a rendering worker ended with {[job.exitcode for job in jobs]}")
    return pictures


def letterboxed(frames: Tensor) -> Tensor:
    """Pictures (B, 360, 640, 3) uint8 BGR -> input (B, 3, 384, 640) RGB / 255 with 12 grey rows above and below."""
    images = frames.flip(-1).permute(0, 3, 1, 2).float() / 255.0
    return F.pad(images, (0, 0, 12, 12), value=BORDER)


@dataclass(frozen=True)
class Batch:
    """images (B, 3, 384, 640) float32; boxes (B, M, 4) xyxy in input pixels; classes (B, M); mask (B, M) bool."""

    images: Tensor
    boxes: Tensor
    classes: Tensor
    mask: Tensor


def augmented(frames: Tensor, boxes: Tensor, classes: Tensor, dice: torch.Generator, strength: float = 1.0) -> Batch:
    """Flip, scale, shift and recolour pictures on their device. strength 0 leaves only the flip."""
    count, device = frames.shape[0], frames.device

    def draw(low: float, high: float) -> Tensor:
        return torch.rand(count, device=device, generator=dice) * (high - low) + low

    flip = torch.where(draw(0, 1) < 0.5, -1.0, 1.0)
    scale = torch.exp(draw(-0.5, 0.45) * strength)
    shift_x, shift_y = draw(-80, 80) * strength, draw(-48, 48) * strength
    images = _warped(letterboxed(frames), flip, scale, shift_x, shift_y)
    images = _recoloured(images, draw, strength)
    moved, mask = _moved_boxes(boxes + boxes.new_tensor([0, 12, 0, 12]), classes >= 0, flip, scale, shift_x, shift_y)
    most = int(mask.sum(1).amax().clamp(min=1))
    order = torch.argsort(mask.float(), dim=1, descending=True, stable=True)[:, :most]
    moved = moved.gather(1, order[..., None].expand(-1, -1, 4))
    return Batch(images, moved, classes.gather(1, order).clamp(min=0), mask.gather(1, order))


def _warped(images: Tensor, flip: Tensor, scale: Tensor, shift_x: Tensor, shift_y: Tensor) -> Tensor:
    height, width = images.shape[2:]
    zero = torch.zeros_like(scale)
    rows = (
        torch.stack((flip / scale, zero, -flip * shift_x * 2 / width / scale), -1),
        torch.stack((zero, 1 / scale, -shift_y * 2 / height / scale), -1),
    )
    grid = F.affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
    return F.grid_sample(images - BORDER, grid, align_corners=False) + BORDER


def _moved_boxes(
    boxes: Tensor, mask: Tensor, flip: Tensor, scale: Tensor, shift_x: Tensor, shift_y: Tensor
) -> tuple[Tensor, Tensor]:
    centre = boxes.new_tensor([320.0, 192.0])
    x = (boxes[..., 0::2] - centre[0]) * (flip * scale)[:, None, None] + centre[0] + shift_x[:, None, None]
    y = (boxes[..., 1::2] - centre[1]) * scale[:, None, None] + centre[1] + shift_y[:, None, None]
    whole = torch.stack((x.amin(-1), y.amin(-1), x.amax(-1), y.amax(-1)), -1)
    inside = torch.stack((whole[..., 0::2].clamp(0, 640), whole[..., 1::2].clamp(0, 384)), -1)
    inside = torch.stack((inside[..., 0, 0], inside[..., 0, 1], inside[..., 1, 0], inside[..., 1, 1]), -1)
    kept_area = (inside[..., 2:] - inside[..., :2]).prod(-1)
    full_area = (whole[..., 2:] - whole[..., :2]).prod(-1).clamp(min=1e-6)
    sides = (inside[..., 2:] - inside[..., :2]).sort(-1).values
    return inside, mask & (kept_area > 0.25 * full_area) & (sides[..., 0] >= 3) & (sides[..., 1] >= 7)


def _recoloured(images: Tensor, draw: object, strength: float) -> Tensor:
    def column(low: float, high: float) -> Tensor:
        return draw(low, high)[:, None, None, None]  # type: ignore[operator]

    grey = images.mean(1, keepdim=True)
    images = grey + (images - grey) * (1 + strength * column(-0.4, 0.4))
    tint = torch.cat([column(-0.06, 0.06) for _ in range(3)], 1)
    gain = 1 + strength * (column(-0.3, 0.25) + tint)
    return (images * gain).clamp(0, 1)
