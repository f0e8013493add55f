"""RoadNet: a small anchor-free detector. CSP backbone, PAN neck, decoupled heads with distribution focal boxes.

The structure follows YOLOv8 (Ultralytics, 2023): C2f blocks, SPPF, three heads at strides 8, 16 and 32, 16 bins a side.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

STRIDES = (8, 16, 32)
BINS = 16
INPUT_HEIGHT, INPUT_WIDTH = 384, 640


class ConvBlock(nn.Module):
    """Convolution, batch norm, SiLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.03)
        self.act = nn.SiLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.norm(self.conv(x)))


class Bottleneck(nn.Module):
    """Two 3x3 convolutions, with a shortcut in the backbone."""

    def __init__(self, channels: int, shortcut: bool) -> None:
        super().__init__()
        self.first = ConvBlock(channels, channels, 3)
        self.second = ConvBlock(channels, channels, 3)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(self.first(x))
        return x + y if self.shortcut else y


class CspBlock(nn.Module):
    """C2f: split, run bottlenecks on one half, and join every intermediate result."""

    def __init__(self, inputs: int, outputs: int, depth: int, shortcut: bool) -> None:
        super().__init__()
        self.half = outputs // 2
        self.enter = ConvBlock(inputs, outputs)
        self.blocks = nn.ModuleList(Bottleneck(self.half, shortcut) for _ in range(depth))
        self.leave = ConvBlock((2 + depth) * self.half, outputs)

    def forward(self, x: Tensor) -> Tensor:
        parts = list(self.enter(x).split((self.half, self.half), 1))
        for block in self.blocks:
            parts.append(block(parts[-1]))
        return self.leave(torch.cat(parts, 1))


class Sppf(nn.Module):
    """Three chained max pools, for a wide view at little cost."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.enter = ConvBlock(channels, channels // 2)
        self.pool = nn.MaxPool2d(5, 1, 2)
        self.leave = ConvBlock(channels * 2, channels)

    def forward(self, x: Tensor) -> Tensor:
        parts = [self.enter(x)]
        for _ in range(3):
            parts.append(self.pool(parts[-1]))
        return self.leave(torch.cat(parts, 1))


class Backbone(nn.Module):
    """Pictures to features at strides 8, 16 and 32."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        w1, w2, w3, w4, w5 = widths
        self.stem = nn.Sequential(ConvBlock(3, w1, 3, 2), ConvBlock(w1, w2, 3, 2), CspBlock(w2, w2, 1, True))
        self.stage3 = nn.Sequential(ConvBlock(w2, w3, 3, 2), CspBlock(w3, w3, 2, True))
        self.stage4 = nn.Sequential(ConvBlock(w3, w4, 3, 2), CspBlock(w4, w4, 2, True))
        self.stage5 = nn.Sequential(ConvBlock(w4, w5, 3, 2), CspBlock(w5, w5, 1, True), Sppf(w5))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        p3 = self.stage3(self.stem(x))
        p4 = self.stage4(p3)
        return p3, p4, self.stage5(p4)


class Neck(nn.Module):
    """Path aggregation: coarse to fine, then fine to coarse."""

    def __init__(self, w3: int, w4: int, w5: int) -> None:
        super().__init__()
        self.up = nn.Upsample(scale_factor=2.0, mode="nearest")
        self.down4 = CspBlock(w5 + w4, w4, 1, False)
        self.down3 = CspBlock(w4 + w3, w3, 1, False)
        self.step4, self.up4 = ConvBlock(w3, w3, 3, 2), CspBlock(w3 + w4, w4, 1, False)
        self.step5, self.up5 = ConvBlock(w4, w4, 3, 2), CspBlock(w4 + w5, w5, 1, False)

    def forward(self, p3: Tensor, p4: Tensor, p5: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mid4 = self.down4(torch.cat((self.up(p5), p4), 1))
        out3 = self.down3(torch.cat((self.up(mid4), p3), 1))
        out4 = self.up4(torch.cat((self.step4(out3), mid4), 1))
        return out3, out4, self.up5(torch.cat((self.step5(out4), p5), 1))


def _branch(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(ConvBlock(inputs, hidden, 3), ConvBlock(hidden, hidden, 3), nn.Conv2d(hidden, outputs, 1))


class Head(nn.Module):
    """For every anchor the logits of 4 x BINS side distances and of the classes."""

    def __init__(self, widths: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.box = nn.ModuleList(_branch(width, 48, 4 * BINS) for width in widths)
        self.cls = nn.ModuleList(_branch(width, 48, classes) for width in widths)
        for box, cls, stride in zip(self.box, self.cls, STRIDES):
            nn.init.constant_(box[-1].bias, 1.0)
            # About five objects in a 640-pixel picture: the usual prior, so that the first steps are calm.
            nn.init.constant_(cls[-1].bias, float(torch.log(torch.tensor(5 / classes / (640 / stride) ** 2))))

    def forward(self, features: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Distances (B, 4 * BINS, A) and classes (B, classes, A), both logits."""
        boxes = [flat(branch(x)) for branch, x in zip(self.box, features)]
        classes = [flat(branch(x)) for branch, x in zip(self.cls, features)]
        return torch.cat(boxes, 2), torch.cat(classes, 2)


class RoadNet(nn.Module):
    """images (B, 3, H, W) RGB / 255 -> distance logits (B, 64, A) and class logits (B, classes, A)."""

    def __init__(self, classes: int, widths: tuple[int, ...] = (16, 32, 64, 112, 176)) -> None:
        super().__init__()
        self.backbone = Backbone(widths)
        self.neck = Neck(*widths[2:])
        self.head = Head((widths[2], widths[3], widths[4]), classes)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self.head(self.neck(*self.backbone(images)))


def anchor_points(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Cell centres (A, 2) in input pixels and the stride (A,) of each, in the order of the head's outputs."""
    centres, strides = [], []
    for stride in STRIDES:
        y, x = torch.meshgrid(torch.arange(height // stride), torch.arange(width // stride), indexing="ij")
        centres.append((torch.stack((x, y), -1).reshape(-1, 2) + 0.5) * stride)
        strides.append(torch.full((centres[-1].shape[0],), float(stride)))
    return torch.cat(centres), torch.cat(strides)


def flat(maps: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C, H * W), with sizes that the ONNX exporter writes as constants: only B stays dynamic."""
    channels, height, width = (int(size) for size in maps.shape[1:])
    return maps.reshape(-1, channels, height * width)


def side_distances(logits: Tensor) -> Tensor:
    """Expected distances (B, 4, A) to left, top, right and bottom, in strides, from logits (B, 4 * BINS, A)."""
    batch, _, anchors = logits.shape
    odds = logits.view(batch, 4, BINS, anchors).softmax(2)
    return (odds * torch.arange(BINS, device=logits.device, dtype=odds.dtype).view(1, 1, BINS, 1)).sum(2)


class DeployedNet(nn.Module):
    """RoadNet with its boxes decoded: images (B, 3, H, W) -> output0 (B, 4 + classes, A), cx, cy, w, h, odds."""

    def __init__(self, net: RoadNet, height: int = INPUT_HEIGHT, width: int = INPUT_WIDTH) -> None:
        super().__init__()
        self.net = net
        centres, strides = anchor_points(height, width)
        self.register_buffer("centres", centres.t().unsqueeze(0).contiguous())
        self.register_buffer("strides", strides.view(1, 1, -1))
        self.expect = nn.Conv2d(BINS, 1, 1, bias=False)
        self.expect.weight.data = torch.arange(BINS, dtype=torch.float32).view(1, BINS, 1, 1)
        self.anchors = centres.shape[0]

    def forward(self, images: Tensor) -> Tensor:
        boxes, classes = self.net(images)
        odds = boxes.view(-1, 4, BINS, self.anchors).transpose(1, 2).softmax(1)
        near, far = self.expect(odds).view(-1, 4, self.anchors).split(2, 1)
        near, far = near * self.strides, far * self.strides
        centre = self.centres + (far - near) / 2
        return torch.cat((centre, near + far, classes.sigmoid()), 1)


def fuse_norms(module: nn.Module) -> nn.Module:
    """Fold every batch norm into the convolution before it, in place; for a net in eval mode."""
    for block in module.modules():
        if isinstance(block, ConvBlock) and isinstance(block.norm, nn.BatchNorm2d):
            block.conv = torch.nn.utils.fuse_conv_bn_eval(block.conv, block.norm)
            block.norm = nn.Identity()
    return module
