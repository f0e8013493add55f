"""Pages and other files that a verb writes for people, and the browser that shows them."""

from __future__ import annotations

from pathlib import Path

from edgekit.cli.session import App
from edgekit.errors import UsageError


def write_page(app: App, path: Path, content: str) -> Path:
    """Write a text where it was asked for, whole or not at all; gives the absolute path. Raises UsageError."""
    from edgekit.files import write_bytes

    whole = path.absolute()
    if whole.is_relative_to(app.project.state_dir):
        app.project.ensure_state()
    try:
        write_bytes(whole, content.encode("utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", hint="name another place with --out") from error
    return whole


def open_page(path: Path) -> None:
    """Show a page in the user's browser."""
    import webbrowser

    webbrowser.open(path.as_uri())
