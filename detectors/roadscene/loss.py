"""What training minimises: class BCE, CIoU and distribution focal loss over task-aligned anchors.

Sources: TOOD (Feng et al., 2021) for the assignment, Generalized Focal Loss (Li et al., 2020) for the side bins,
CIoU (Zheng et al., 2020); weights 7.5, 0.5 and 1.5 are those of YOLOv8.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from network import BINS, anchor_points, side_distances
from torch import Tensor

TOP_K = 10
ALPHA, BETA = 0.5, 6.0
BOX_WEIGHT, CLASS_WEIGHT, BIN_WEIGHT = 7.5, 0.5, 1.5
_TINY = 1e-9


def ciou(one: Tensor, other: Tensor) -> Tensor:
    """Complete IoU of boxes (..., 4) xyxy, broadcast against each other."""
    x0, y0, x1, y1 = one.unbind(-1)
    u0, v0, u1, v1 = other.unbind(-1)
    w1, h1, w2, h2 = x1 - x0, y1 - y0, u1 - u0, v1 - v0
    across = (torch.minimum(x1, u1) - torch.maximum(x0, u0)).clamp(min=0)
    down = (torch.minimum(y1, v1) - torch.maximum(y0, v0)).clamp(min=0)
    shared = across * down
    iou = shared / (w1 * h1 + w2 * h2 - shared + 1e-7)
    hull_w, hull_h = torch.maximum(x1, u1) - torch.minimum(x0, u0), torch.maximum(y1, v1) - torch.minimum(y0, v0)
    gap = ((u0 + u1 - x0 - x1) ** 2 + (v0 + v1 - y0 - y1) ** 2) / 4
    shape = (4 / math.pi**2) * (torch.atan(w2 / (h2 + 1e-7)) - torch.atan(w1 / (h1 + 1e-7))) ** 2
    with torch.no_grad():
        share = shape / (shape - iou + 1 + 1e-7)
    return iou - gap / (hull_w**2 + hull_h**2 + 1e-7) - share * shape


class DetectionLoss:
    """Compares the net's logits with padded truth boxes (B, M, 4) xyxy, classes (B, M) and a mask (B, M)."""

    def __init__(self, height: int, width: int, device: torch.device) -> None:
        centres, strides = anchor_points(height, width)
        self._centres, self._strides = centres.to(device), strides.to(device)

    def __call__(self, logits: tuple[Tensor, Tensor], boxes: Tensor, classes: Tensor, mask: Tensor) -> Tensor:
        """Three losses (3,): box, class, bins; each already weighted."""
        box_logits, class_logits = logits[0].float(), logits[1].float().transpose(1, 2)
        predicted = self._decoded(box_logits)
        goal_boxes, goal_odds, chosen = self._assign(predicted.detach(), class_logits.detach(), boxes, classes, mask)
        total = goal_odds.sum().clamp(min=1.0)
        class_loss = F.binary_cross_entropy_with_logits(class_logits, goal_odds, reduction="sum") / total
        weight = goal_odds.sum(-1)[chosen]
        box_loss = ((1 - ciou(predicted[chosen], goal_boxes[chosen])) * weight).sum() / total
        bin_loss = (self._bin_loss(box_logits, goal_boxes, chosen) * weight).sum() / total
        return torch.stack((box_loss * BOX_WEIGHT, class_loss * CLASS_WEIGHT, bin_loss * BIN_WEIGHT))

    def _decoded(self, box_logits: Tensor) -> Tensor:
        sides = side_distances(box_logits).transpose(1, 2) * self._strides[:, None]
        return torch.cat((self._centres - sides[..., :2], self._centres + sides[..., 2:]), -1)

    @torch.no_grad()
    def _assign(
        self, predicted: Tensor, class_logits: Tensor, boxes: Tensor, classes: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """For each anchor its goal box (B, A, 4), goal odds (B, A, C) and whether it has one (B, A)."""
        edges = torch.cat((self._centres - boxes[:, :, None, :2], boxes[:, :, None, 2:] - self._centres), -1)
        inside = (edges.amin(-1) > _TINY) & mask[:, :, None]
        overlap = ciou(boxes[:, :, None], predicted[:, None]).clamp(min=0) * inside
        odds = class_logits.sigmoid().transpose(1, 2)
        odds = odds.gather(1, classes[:, :, None].expand(-1, -1, odds.shape[2]))
        metric = odds**ALPHA * overlap**BETA
        best = metric.topk(TOP_K, dim=2)
        picked = torch.zeros_like(metric).scatter_(2, best.indices, (best.values > _TINY).float()) * inside
        picked = self._one_owner(picked, overlap)
        owner = picked.argmax(1)
        chosen = picked.sum(1) > 0
        goal_boxes = boxes.gather(1, owner[..., None].expand(-1, -1, 4))
        metric = metric * picked
        strength = metric * overlap.mul(picked).amax(2, keepdim=True) / (metric.amax(2, keepdim=True) + _TINY)
        goal = F.one_hot(classes.gather(1, owner), class_logits.shape[2]).float()
        return goal_boxes, goal * (strength.amax(1) * chosen)[..., None], chosen

    @staticmethod
    def _one_owner(picked: Tensor, overlap: Tensor) -> Tensor:
        """An anchor wanted by several boxes goes to the one it overlaps most."""
        winner = F.one_hot((overlap * picked).argmax(1), overlap.shape[1]).transpose(1, 2).to(picked.dtype)
        return torch.where((picked.sum(1) > 1)[:, None], winner, picked)

    def _bin_loss(self, box_logits: Tensor, goal_boxes: Tensor, chosen: Tensor) -> Tensor:
        """Cross entropy against the two bins around each true distance, mean over the sides (K,)."""
        sides = torch.cat((self._centres - goal_boxes[..., :2], goal_boxes[..., 2:] - self._centres), -1)
        goal = (sides / self._strides[:, None])[chosen].clamp(0, BINS - 1.01)
        logits = box_logits.transpose(1, 2)[chosen].reshape(-1, BINS)
        low = goal.long().reshape(-1)
        part = goal.reshape(-1) - low
        lower = F.cross_entropy(logits, low, reduction="none") * (1 - part)
        upper = F.cross_entropy(logits, low + 1, reduction="none") * part
        return (lower + upper).view(-1, 4).mean(1)
