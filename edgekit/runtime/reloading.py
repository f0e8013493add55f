"""Taking a new release over in the process that runs the old one: asked for by SIGHUP, done between two frames.

Activation decides by the same rule whether to ask, see `restart_reasons`; the service decides again, by what it really
runs. Where it refuses, the release that it reports stays the old one, and a restart follows.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Callable, Optional, Tuple, Type

from edgekit.core.detector import DetectorSpec
from edgekit.core.release import RELEASE_NAME, ReleaseManifest
from edgekit.core.reloading import what_needs_a_restart
from edgekit.core.service import DETECTOR_NAME, SETTINGS_NAME, ServiceSettings, is_alive
from edgekit.errors import DeployError, EdgekitError
from edgekit.runtime.health import health_age_s, read_health
from edgekit.runtime.release_parts import read_part
from edgekit.runtime.say import say as say_aloud
from edgekit.runtime.store import Store


@dataclass(frozen=True)
class NewRelease:
    """What a service runs, or is to take over. release: its folder."""

    release: Path
    settings: ServiceSettings
    detector: DetectorSpec
    manifest: ReleaseManifest


def read_parts(release: Path) -> NewRelease:
    """What of a release decides whether it can be taken over. Raises DeployError if it cannot be read."""
    return NewRelease(
        release,
        read_part(release / SETTINGS_NAME, ServiceSettings),
        read_part(release / DETECTOR_NAME, DetectorSpec),
        read_part(release / RELEASE_NAME, ReleaseManifest),
    )


def restart_reasons(old: NewRelease, new: NewRelease) -> Tuple[str, ...]:
    """What in a new release needs a restart; empty: it can be taken over. See core.reloading."""
    return what_needs_a_restart(old.settings, new.settings, old.detector, new.detector, old.manifest, new.manifest)


def takes_over(store: Store, service: str, wanted: str) -> bool:
    """True if a service runs well by its latest report and can take a release over, as far as their files tell."""
    folder = store.state_dir(service)
    health, age_s = read_health(folder), health_age_s(folder)
    if health is None or age_s is None or not is_alive(health, age_s) or health.release == wanted:
        return False
    try:
        old, new = (read_parts(store.release_dir(release_id)) for release_id in (health.release, wanted))
    except EdgekitError:
        return False  # whatever is wrong with it shows when it is started
    return not restart_reasons(old, new)


class Reloading:
    """Listens for SIGHUP while it is entered, in the main thread; what is asked for waits until `take` is called.

    release: the folder that this process was started from.
    """

    def __init__(self, release: Path, say: Optional[Callable[[str], None]] = None) -> None:
        self._store = Store(str(release.parents[1]))
        self._say = say or say_aloud
        self._asked = False
        self._before: Any = None
        self._runs = _parts_or_none(release)

    def __enter__(self) -> Reloading:
        self._before = signal.signal(signal.SIGHUP, self._ask)
        signal.siginterrupt(signal.SIGHUP, False)  # calls of drivers and decoders go on as if nothing had come
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        signal.signal(signal.SIGHUP, self._before)

    @property
    def runs(self) -> Optional[NewRelease]:
        """What runs; None if that was not read from a release."""
        return self._runs

    def take(self, apply: Callable[[NewRelease], None]) -> bool:
        """Call between two frames; costs nothing unless asked for. True if another release was taken over.

        `current` is read again, and what it names is handed to `apply` if nothing in it needs a restart. Whatever
        EdgekitError `apply` raises is a refusal too and must leave everything as it was. Refusals are said.
        """
        if not self._asked:
            return False
        self._asked = False  # first: who asks from now on is heard the next time
        try:
            new = self._pending()
            if new is not None:
                apply(new)
        except EdgekitError as error:
            self._say(f"not taken over: {error.what}" + (f": {error.why}" if error.why else ""))
            return False
        if new is None:
            return False
        self._runs = new
        self._say(f"took release {new.release.name} over, without a restart")
        return True

    def _pending(self) -> Optional[NewRelease]:
        """What `current` names, None if that runs already. Raises DeployError if it needs a restart."""
        if self._runs is None:
            raise DeployError("this process was not started from a release")
        release_id = self._store.current_release_id(self._runs.settings.service)
        if release_id in ("", self._runs.release.name):
            return None
        new = read_parts(self._store.release_dir(release_id))
        reasons = restart_reasons(self._runs, new)
        if reasons:
            raise DeployError(f"release {release_id} needs a restart", why=", ".join(reasons))
        return new

    def _ask(self, number: int, frame: Any) -> None:
        self._asked = True


def _parts_or_none(release: Path) -> Optional[NewRelease]:
    try:
        return read_parts(release)
    except EdgekitError:
        return None
