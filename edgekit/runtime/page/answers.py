"""What the page answers under which path. There are no other paths, and none is ever looked for on a disk."""

from __future__ import annotations

from typing import Callable, Dict, NamedTuple, Optional, Union

from edgekit.core.metrics import metrics_text
from edgekit.runtime.page.asset_files import assets
from edgekit.runtime.page.feed import Feed
from edgekit.runtime.page.pictures import Pictures
from edgekit.runtime.page.status import health_json, not_alive, status_json

_TEXT, _JSON = "text/plain; charset=utf-8", "application/json"
_METRICS = "text/plain; version=0.0.4; charset=utf-8"  # of Prometheus's text format
NAMELESS = "_"  # what a single stream without a name is called in paths; no name begins so


class Answer(NamedTuple):
    """A whole answer."""

    code: int
    media_type: str
    body: bytes

    @classmethod
    def text(cls, code: int, text: str) -> Answer:
        """A line for a person."""
        return cls(code, _TEXT, f"{text}\n".encode())


class Streamed(NamedTuple):
    """An answer without an end: the pictures of a stream."""

    pictures: Pictures
    stream: str


class Answers:
    """The paths of a feed's page and what they answer now."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._pictures = Pictures(feed)
        self._paths: Dict[str, Callable[[], Union[Answer, Streamed]]] = {
            "/status.json": lambda: Answer(200, _JSON, status_json(feed)),
            "/metrics": self._metrics,
            "/healthz": self._health,
        }
        for path, asset in assets().items():
            self._add_file(path, Answer(200, asset.media_type, asset.content))
        for stream in feed.streams:
            self._add_stream(stream)

    def to(self, path: str) -> Optional[Union[Answer, Streamed]]:
        """The answer to a decoded path; None if there is no such path."""
        answer = self._paths.get(path)
        return None if answer is None else answer()

    def _add_file(self, path: str, answer: Answer) -> None:
        self._paths[path] = lambda: answer

    def _add_stream(self, stream: str) -> None:
        path = f"/streams/{stream or NAMELESS}"
        self._paths[f"{path}.jpg"] = lambda: self._still(stream)
        self._paths[f"{path}.mjpg"] = lambda: self._moving(stream)

    def _still(self, stream: str) -> Answer:
        picture = self._pictures.latest(stream)
        return _no_picture() if picture is None else Answer(200, "image/jpeg", picture.jpeg)

    def _moving(self, stream: str) -> Union[Answer, Streamed]:
        return _no_picture() if self._feed.latest(stream) is None else Streamed(self._pictures, stream)

    def _health(self) -> Answer:
        reason = not_alive(self._feed.said)
        return Answer(503 if reason else 200, _JSON, health_json(reason))

    def _metrics(self) -> Answer:
        said = self._feed.said
        if said is None:
            return Answer.text(503, "the service has not reported yet")
        return Answer(200, _METRICS, metrics_text(said.health, said.machine, said.counts).encode("utf-8"))


def _no_picture() -> Answer:
    return Answer.text(503, "no picture came yet")
