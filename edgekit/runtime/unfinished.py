"""A file under a temporary name that outlives a `with` block: begun now, completed or dropped later."""

from __future__ import annotations

from pathlib import Path

from edgekit.files import replacing


class UnfinishedFile:
    """`temporary` is where to write; `complete` puts it in place of `final`, `drop` removes it."""

    def __init__(self, final: Path) -> None:
        if final.is_dir():
            raise IsADirectoryError(21, "it is a folder", str(final))
        self.final = final
        self._replacing = replacing(final)
        self.temporary = self._replacing.__enter__()

    def complete(self) -> None:
        """Give the file its final name, durably."""
        self._replacing.__exit__(None, None, None)

    def drop(self) -> None:
        """Remove the temporary file and leave what `final` held."""
        reason = RuntimeError("dropped")
        self._replacing.__exit__(RuntimeError, reason, None)
