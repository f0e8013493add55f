"""Names, shapes and types of a network's inputs and outputs, and the sizes an engine is built for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple


@dataclass(frozen=True)
class TensorSpec:
    """One input or output as the model file declares it. A dimension of None is dynamic.

    dtype is numpy's name: "float32", "float16", "int64", "int32", "uint8".
    """

    name: str
    shape: Tuple[Optional[int], ...]
    dtype: str = "float32"

    def __str__(self) -> str:
        dims = ", ".join("?" if dim is None else str(dim) for dim in self.shape)
        return f"{self.name} ({dims}) {self.dtype}"


@dataclass(frozen=True)
class InputSize:
    """A batch of pictures as the engine takes it: (batch, 3, height, width)."""

    batch: int
    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.batch}x{self.height}x{self.width}"


@dataclass(frozen=True)
class ShapeProfile:
    """The input sizes an engine must accept: from `minimum` to `maximum`, tuned for `optimum`."""

    minimum: InputSize
    optimum: InputSize
    maximum: InputSize

    def __post_init__(self) -> None:
        for name in ("batch", "height", "width"):
            low, best, high = (getattr(size, name) for size in (self.minimum, self.optimum, self.maximum))
            if not 1 <= low <= best <= high:
                raise ValueError(f"{name}: expected 1 <= min <= opt <= max, got {low}, {best}, {high}")

    @classmethod
    def fixed(cls, batch: int, height: int, width: int) -> ShapeProfile:
        """A profile of one size."""
        size = InputSize(batch, height, width)
        return cls(size, size, size)

    def admits(self, size: InputSize) -> bool:
        """True if every dimension of `size` lies between minimum and maximum."""
        return all(
            getattr(self.minimum, name) <= getattr(size, name) <= getattr(self.maximum, name)
            for name in ("batch", "height", "width")
        )
