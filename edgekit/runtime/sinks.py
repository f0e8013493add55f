"""Where detections go: JSON lines, event lines, video, pictures, clips, an MQTT broker. Any number for one source."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Callable, Dict, FrozenSet, List, Sequence

from edgekit.core.broker_uri import EXAMPLES, parse_broker_uri
from edgekit.errors import DeviceError, UsageError
from edgekit.runtime.clips.sink import CLIP_EXAMPLE, ClipFolder
from edgekit.runtime.frames import Source
from edgekit.runtime.jsonl_sink import JsonlFile, JsonlLog, event_lines, line_of
from edgekit.runtime.picture_sinks import PictureFolder, VideoFile, VideoFiles, video_path
from edgekit.runtime.sink import Sink, Sinks, reporting
from edgekit.runtime.uris import SinkAddress, split_sink

__all__ = ["EVENT_SINKS", "SINK_EXAMPLES", "Sink", "Sinks", "open_sinks"]

SINK_EXAMPLES = {
    "jsonl": "jsonl:PATH.jsonl",
    "events": "events:PATH.jsonl",
    "video": "video:PATH.mp4",
    "images": "images:FOLDER",
    "clips": CLIP_EXAMPLE,
    **EXAMPLES,
}
# These take nothing but events, so without zones or lines they stay empty.
EVENT_SINKS = ("events", "clips")


def open_sinks(uris: Sequence[str], labels: Sequence[str], source: Source, *, steady: bool = False) -> Sinks:
    """The sinks at addresses such as those of SINK_EXAMPLES; none at all is fine. steady: see Sinks.

    A file appears under its name when it is complete. Only JSON lines of a live source, which may never end, and events
    grow under their final name. An MQTT broker may be away. Raises UsageError for a wrong address, or one that would
    overwrite what the source reads, DeviceError if a package for it is missing.
    """
    addresses = [split_sink(uri, SINK_EXAMPLES) for uri in uris]
    places = [address.place for address in addresses]
    twice = [address.shown for address in addresses if places.count(address.place) > 1]
    if twice:
        raise UsageError(f"two sinks write to {sorted(twice)[0]}", hint="give each its own")
    protected = frozenset(os.path.realpath(path) for path in source.paths)
    sinks: List[Sink] = []
    try:
        for address in addresses:
            _refuse_overwriting(address.place, protected)
            with reporting(address.shown):
                sinks.append(_OPENERS[address.kind](address, labels, source, protected))
    except BaseException:
        Sinks(sinks).abort()
        raise
    return Sinks(sinks, steady=steady)


def _refuse_overwriting(path: str, protected: FrozenSet[str]) -> None:
    if os.path.realpath(path) in protected:
        raise UsageError(f"{path} is what the source reads", hint="name another file to write")


def _open_jsonl(sink: SinkAddress, labels: Sequence[str], source: Source, protected: FrozenSet[str]) -> Sink:
    path = Path(sink.place)
    return JsonlLog(path, lambda frame: line_of(frame, labels)) if source.live else JsonlFile(path, labels)


def _open_events(sink: SinkAddress, labels: Sequence[str], source: Source, protected: FrozenSet[str]) -> Sink:
    return JsonlLog(Path(sink.place), event_lines)


def _open_video(sink: SinkAddress, labels: Sequence[str], source: Source, protected: FrozenSet[str]) -> Sink:
    path = Path(sink.place)
    if len(source.streams) > 1:
        for stream in source.streams:
            _refuse_overwriting(str(video_path(path, stream.name)), protected)
        return VideoFiles(path, labels, source.streams)
    return VideoFile(path, labels, source.fps, live=source.live)


def _open_images(sink: SinkAddress, labels: Sequence[str], source: Source, protected: FrozenSet[str]) -> Sink:
    return PictureFolder(Path(sink.place), labels, protected)


def _open_clips(sink: SinkAddress, labels: Sequence[str], source: Source, protected: FrozenSet[str]) -> Sink:
    folder = Path(os.path.realpath(sink.place))
    if any(Path(path).parent == folder for path in protected):
        raise UsageError(
            f"{sink.place} holds what the source reads",
            why="old clips are deleted when the quota is full",
            hint="name another folder",
        )
    return ClipFolder.open(sink, labels, source)


def _open_broker(sink: SinkAddress, labels: Sequence[str], source: Source, protected: FrozenSet[str]) -> Sink:
    broker = parse_broker_uri(sink.place)
    try:
        from edgekit.runtime.mqtt_sink import MqttSink  # with it comes paho, which other sinks do without
    except ImportError as error:
        raise DeviceError(
            "for MQTT this Python needs the package paho-mqtt, 2.0 or newer",
            why=str(error),
            hint=f"{sys.executable} -m pip install 'paho-mqtt>=2.0', or for a device: edgekit provision",
        ) from None
    return MqttSink(broker, labels)


_OPENERS: Dict[str, Callable[[SinkAddress, Sequence[str], Source, FrozenSet[str]], Sink]] = {
    "jsonl": _open_jsonl,
    "events": _open_events,
    "video": _open_video,
    "images": _open_images,
    "clips": _open_clips,
    "mqtt": _open_broker,
    "mqtts": _open_broker,
}
