"""The journal of a service's releases on disk: read, written durably, and taken over from a device without one."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import Iterator

from edgekit.core.activation import Journal
from edgekit.core.wire import from_wire, to_wire
from edgekit.errors import ConfigError, DeployError
from edgekit.files import write_json
from edgekit.runtime.locks import LockHeldError, held, holder_of
from edgekit.runtime.store import Store


def read_journal(store: Store, service: str) -> Journal:
    """The journal; where there is none yet, one that takes the current release for good. Raises DeployError."""
    path = store.journal_path(service)
    try:
        return from_wire(Journal, json.loads(path.read_text("utf-8")), path.name)
    except FileNotFoundError:
        return _adopted(store, service)
    except (OSError, ValueError, ConfigError) as error:
        raise DeployError(
            f"the journal of {service} cannot be read: {path}",
            why=str(error),
            hint="move that file away; what `current` names is then taken for good",
        ) from None


def write_journal(store: Store, journal: Journal) -> Journal:
    """Write it so that it survives a power cut, and give it back. Raises OSError. The caller holds the lock."""
    write_json(store.journal_path(journal.service), to_wire(journal))
    return journal


@contextmanager
def journal_lock(store: Store, service: str, holder: str, wait_s: float) -> Iterator[None]:
    """Be the one who writes a service's journal and its `current`. Raises LockHeldError."""
    with held(store.service_lock(service), holder, wait_s):
        yield


def reconciled_by(store: Store, service: str) -> str:
    """Who works on the service's journal now, "" if nobody does."""
    return holder_of(store.service_lock(service))


def _adopted(store: Store, service: str) -> Journal:
    release_id = store.current_release_id(service)
    if not release_id:
        return Journal(service)
    manifest = store.read_release(release_id)
    return Journal(service, good=(release_id,), floor=manifest.counter if manifest else 0)


__all__ = ["LockHeldError", "journal_lock", "read_journal", "reconciled_by", "write_journal"]
