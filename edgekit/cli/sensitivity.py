"""`edgekit sensitivity`."""

from __future__ import annotations

from edgekit.cli.session import App


def command(app: App) -> None:
    """Not there yet."""
