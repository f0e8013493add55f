"""How clips are made."""

from __future__ import annotations

from dataclasses import dataclass

LONGEST_S = 60.0


@dataclass(frozen=True)
class ClipSettings:
    """before_s and after_s: what a clip holds around an event; fps and width_px of the video, at most."""

    before_s: float = 3.0
    after_s: float = 5.0
    fps: float = 10.0
    width_px: int = 960
    quota_mib: int = 1024  # of all clips in the folder

    @property
    def ring_frames(self) -> int:
        """How many pictures of the time before an event are kept."""
        return int(self.before_s * self.fps) + 1
