"""Memory that a capture process and its parent share: three slots for a picture each.

One slot is lent to the parent, one holds the latest picture, one is being written. Who owns which is settled by
messages over a pipe, so that neither side ever reads what the other writes; the kernel orders memory around them.
"""

from __future__ import annotations

import fcntl
import mmap
import os

SLOTS = 3
# An 8K picture. Pages exist only once they are written to, so a 640x360 camera takes 2 MiB of this.
SLOT_BYTES = 7680 * 4320 * 3


class Ring:
    """The mapped memory. The parent creates it and closes it when the child is gone; a child opens it by number."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._map = mmap.mmap(fd, SLOTS * SLOT_BYTES)

    def slot(self, index: int) -> memoryview:
        """The bytes of a slot, writable. Let go of it before `close`."""
        return memoryview(self._map)[index * SLOT_BYTES : (index + 1) * SLOT_BYTES]

    def close(self) -> None:
        """Give the memory back; it is gone once the child is, too."""
        self._map.close()
        os.close(self.fd)


def create_ring() -> Ring:
    """New memory without a name: however the processes end, nothing of it stays.

    Its size is sealed. A child that is made to misbehave could otherwise cut the file, and the parent would die of
    SIGBUS at its next look.
    """
    fd = os.memfd_create("edgekit-capture", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(fd, SLOTS * SLOT_BYTES)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
        return Ring(fd)
    except BaseException:
        os.close(fd)
        raise
