"""What every setting can do."""

from __future__ import annotations

from typing import Dict, Optional, Protocol, Sequence

from edgekit.core.preflight import Setting

# What a setting needs to be set back, by names of its own; plain text, for it lies in a file meanwhile.
Kept = Dict[str, str]


class Tunable(Protocol):
    """One setting of this machine. Methods raise DeviceError with the reason where they cannot do it."""

    name: str

    def read(self) -> Optional[Setting]:
        """Its value and what to do about it; None if the machine has no such thing. Needs no root, and never raises."""

    def keep(self, planned: Sequence[str]) -> Optional[Kept]:
        """How it is now, for `restore`; None if there is nothing to change. Changes nothing.

        planned: names of settings that will be changed before this one.
        """

    def set(self) -> None:
        """Make it what it should be for measuring."""

    def restore(self, kept: Kept) -> None:
        """Make it what it was. Twice does no harm."""
