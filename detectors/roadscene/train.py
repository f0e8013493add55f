"""Train RoadNet on rendered streets.

    python detectors/roadscene/train.py --out runs/roadscene --images 20000 --epochs 60 --minutes 8 --workers 16

Writes checkpoint.pt (resume with --resume), best.pt (averaged weights) and history.json into --out.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from dataset import Pictures, augmented, letterboxed, render_pictures
from loss import DetectionLoss
from metrics import Truth, average_precisions, found_in_output, mean_ap
from network import INPUT_HEIGHT, INPUT_WIDTH, DeployedNet, RoadNet
from torch import Tensor, nn

from edgekit.scenes import CLASSES


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train the demo detector roadscene.")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints and history.json")
    parser.add_argument("--images", type=int, default=20000, help="training pictures to render")
    parser.add_argument("--val-images", type=int, default=440, help="pictures for the score during training")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--minutes", type=float, default=0.0, help="stop training then; the schedule follows")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float, default=2e-3, help="peak learning rate of AdamW")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes that render")
    parser.add_argument("--evals", type=int, default=10, help="how many times to score during training")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--compile", action="store_true", help="use torch.compile")
    parser.add_argument("--resume", action="store_true", help="go on from checkpoint.pt in --out")
    return parser.parse_args()


@dataclass
class Progress:
    """How far training is: by steps, or by time where that is nearer the end."""

    steps: int
    limit_s: float
    step: int = 0
    before_s: float = 0.0
    started_s: float = 0.0

    @property
    def spent_s(self) -> float:
        return self.before_s + time.perf_counter() - self.started_s

    @property
    def share(self) -> float:
        by_time = self.spent_s / self.limit_s if self.limit_s else 0.0
        return min(1.0, max(self.step / self.steps, by_time))


def rate_factor(progress: Progress, warm_steps: int) -> float:
    """Linear warm-up, then a cosine down to 1 %."""
    cosine = 0.01 + 0.99 * (1 + math.cos(math.pi * progress.share)) / 2
    return cosine * min(1.0, (progress.step + 1) / warm_steps)


def optimiser_for(net: nn.Module, rate: float) -> torch.optim.AdamW:
    """AdamW that decays weights, but neither biases nor norms."""
    decayed = [value for value in net.parameters() if value.ndim > 1]
    plain = [value for value in net.parameters() if value.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 0.02}, {"params": plain, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.99), fused=decayed[0].is_cuda)


@torch.no_grad()
def update_average(average: nn.Module, net: nn.Module, step: int) -> None:
    """Move the averaged weights towards the net's; slower as training goes on."""
    decay = 0.999 * (1 - math.exp(-step / 500))
    own = [value for value in average.state_dict().values() if value.is_floating_point()]
    new = [value for value in net.state_dict().values() if value.is_floating_point()]
    torch._foreach_lerp_(own, new, 1 - decay)


@torch.no_grad()
def validate(net: RoadNet, frames: Tensor, pictures: Pictures) -> tuple[float, float]:
    """mAP50-95 and mAP50 of a net on unchanged, letterboxed pictures."""
    deployed = DeployedNet(net).to(frames.device).eval()
    found = []
    for start in range(0, len(frames), 64):
        outputs = deployed(letterboxed(frames[start : start + 64])).float().cpu().numpy()
        found += [found_in_output(output) for output in outputs]
    truth = []
    for boxes, classes in zip(pictures.boxes, pictures.classes):
        real = classes >= 0
        truth.append(Truth(boxes[real] + np.array([0, 12, 0, 12], np.float32), classes[real]))
    return mean_ap(average_precisions(found, truth, len(CLASSES)))


class Run:
    """One training run: the net, its average, the optimiser and the place where they are kept."""

    def __init__(self, args: argparse.Namespace, steps: int) -> None:
        self.args = args
        self.device = torch.device(args.device)
        torch.manual_seed(args.seed)
        self.net = RoadNet(len(CLASSES)).to(self.device, memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.net).eval()
        self.optimiser = optimiser_for(self.net, args.rate)
        self.progress = Progress(steps=steps, limit_s=args.minutes * 60)
        self.dice = torch.Generator(self.device)
        self.dice.manual_seed(args.seed)
        self.history: list[dict[str, float]] = []
        self.best = 0.0
        if args.resume:
            self._restore()

    def save(self, score: float) -> None:
        """Write checkpoint.pt and history.json, and best.pt if the score is the best so far."""
        state = {"net": self.net.state_dict(), "average": self.average.state_dict()}
        state |= {"optimiser": self.optimiser.state_dict(), "history": self.history, "best": max(self.best, score)}
        state |= {"step": self.progress.step, "spent_s": self.progress.spent_s}
        part = self.args.out / "checkpoint.pt.part"
        torch.save(state, part)
        part.replace(self.args.out / "checkpoint.pt")
        (self.args.out / "history.json").write_text(json.dumps(self.history, indent=1) + "\n")
        if score >= self.best:
            self.best = score
            torch.save({"classes": list(CLASSES), "weights": self.average.state_dict()}, self.args.out / "best.pt")

    def _restore(self) -> None:
        state = torch.load(self.args.out / "checkpoint.pt", map_location=self.device, weights_only=True)
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.history, self.best = state["history"], state["best"]
        self.progress.step, self.progress.before_s = state["step"], state["spent_s"]


def train_epoch(run: Run, forward: nn.Module, loss: DetectionLoss, data: tuple[Tensor, Tensor, Tensor]) -> np.ndarray:
    """One pass over the pictures, or until the time is up; the mean of the three losses (3,)."""
    run.net.train()
    frames, boxes, classes = data
    order = torch.randperm(len(frames), device=run.device, generator=run.dice)
    warm_steps = max(1, min(500, run.progress.steps // 10))
    sums, count = torch.zeros(3, device=run.device), 0
    for rows in order.split(run.args.batch):
        if run.progress.share >= 1.0 or len(rows) < min(run.args.batch, len(frames)):
            break
        # The last tenth sees pictures as they are, so the net ends on the scale it is used at.
        strength = 1.0 if run.progress.share < 0.9 else 0.15
        batch = augmented(frames[rows], boxes[rows], classes[rows], run.dice, strength)
        for group in run.optimiser.param_groups:
            group["lr"] = run.args.rate * rate_factor(run.progress, warm_steps)
        with torch.autocast(run.device.type, torch.bfloat16):
            logits = forward(batch.images.contiguous(memory_format=torch.channels_last))
        losses = loss(logits, batch.boxes, batch.classes, batch.mask)
        run.optimiser.zero_grad(set_to_none=True)
        losses.sum().backward()
        nn.utils.clip_grad_norm_(run.net.parameters(), 10.0)
        run.optimiser.step()
        run.progress.step += 1
        update_average(run.average, run.net, run.progress.step)
        sums += losses.detach()
        count += 1
    return (sums / max(count, 1)).cpu().numpy()


def main() -> None:
    """Render, train, score, save."""
    args = parse_arguments()
    args.out.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    pictures = render_pictures("train", args.images, args.workers)
    val = render_pictures("val", args.val_images, args.workers)
    print(f"rendered {args.images} + {args.val_images} pictures in {time.perf_counter() - began:.0f} s", flush=True)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    run = Run(args, steps=args.epochs * max(1, args.images // args.batch))
    print(f"{sum(value.numel() for value in run.net.parameters()) / 1e6:.2f} M parameters on {run.device}", flush=True)
    arrays = (pictures.frames, pictures.boxes, pictures.classes)
    data = tuple(torch.from_numpy(array).to(run.device) for array in arrays)
    val_frames = torch.from_numpy(val.frames).to(run.device)
    forward = torch.compile(run.net) if args.compile else run.net
    loss = DetectionLoss(INPUT_HEIGHT, INPUT_WIDTH, run.device)
    run.progress.started_s = time.perf_counter()
    next_eval = run.progress.share + 1 / args.evals
    while run.progress.share < 1.0:
        losses = train_epoch(run, forward, loss, data)
        row = {"step": run.progress.step, "seconds": round(run.progress.spent_s, 1), "share": run.progress.share}
        row |= {name: round(float(value), 4) for name, value in zip(("box", "class", "bins"), losses)}
        score = -1.0
        if run.progress.share >= min(next_eval, 1.0):
            score, row["map50"] = validate(run.average, val_frames, val)
            row["map50_95"] = score
            next_eval = run.progress.share + 1 / args.evals
        run.history.append(row)
        print(json.dumps(row), flush=True)
        if score >= 0:
            run.save(score)


if __name__ == "__main__":
    main()
