"""TensorRT engine files without TensorRT: the plan inside them, what is written before it, and who made it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional, Tuple, Union

from edgekit.errors import EngineError

MAGIC = b"ftrt"
OLD_MAGIC = b"ptrt"  # TensorRT 8.5

_LENGTH_BYTES = 4
_LARGEST_METADATA_BYTES = 1 << 20
_VERSION_AT = 24
# TensorRT 8.5.2 writes "ptrt" and, from the same place on, each part of its release after a tag of four bytes: read off
# plans that it built; NVIDIA documents neither.
_OLD_VERSION_AT, _OLD_TAG, _OLD_FIELD_BYTES = 24, b"\x02\x80\x01\x00", 5
_FIRST_MAJOR, _LAST_MAJOR = 7, 99  # what can be a release: anything else there is no version

Bytes = Union[bytes, bytearray, memoryview]


@dataclass(frozen=True, eq=False)
class PlanFile:
    """An engine file taken apart; `plan` is a view into the bytes it was made from, and copies nothing.

    metadata: the JSON object that Ultralytics' exporter writes before the plan, None in a plain plan.
    """

    metadata: Optional[Mapping[str, Any]]
    plan: memoryview
    warnings: Tuple[str, ...] = ()


def split_plan(data: Bytes) -> PlanFile:
    """Take the metadata of an engine file from its plan. Nothing of the plan is parsed.

    With Ultralytics' header a file is a signed 32-bit little-endian length, that many bytes of UTF-8 JSON, the plan.
    It is taken for that if the length lies within the file, or is that of a header which the file breaks off in, and
    the byte after it opens a JSON object.
    An unusual first word of the plan is only warned of: releases may change it.

    Raises EngineError for an empty file, a header that cannot be read, and a header without a plan.
    """
    view = memoryview(data).cast("B")
    if not view:
        raise EngineError("the engine file is empty", hint="build the engine again")
    length = int.from_bytes(view[:_LENGTH_BYTES], "little", signed=True)
    start = _LENGTH_BYTES + length
    opens = bytes(view[_LENGTH_BYTES : _LENGTH_BYTES + 1]) == b"{"
    if not opens or not 0 < length < max(len(view), _LARGEST_METADATA_BYTES):
        return PlanFile(None, view, _plan_warnings(view))
    if start >= len(view):
        raise EngineError(
            f"the engine file ends after {len(view)} bytes, before its plan begins at {start}",
            why="the file was cut short",
            hint="copy or build it again",
        )
    return PlanFile(_read_metadata(view[_LENGTH_BYTES:start]), view[start:], _plan_warnings(view[start:]))


def plan_version(plan: Bytes) -> Optional[str]:
    """The TensorRT release that wrote a plan, "10.3.0.26"; None where it cannot be told.

    Source: trtexec --getPlanVersionOnly, printPlanVersion in samples/common/sampleEngines.cpp of NVIDIA's open source
    TensorRT (8.6 and later): the tag "ftrt", a 32-bit serialization version, which must be 0, and at bytes 24 to 27
    major, minor, patch and build. NVIDIA says that the place may change with the serialization version; older
    releases are read the same way only if they carry the same tag and 0. Plans of 8.5 begin with "ptrt".
    """
    head = bytes(memoryview(plan).cast("B")[: _OLD_VERSION_AT + 4 * _OLD_FIELD_BYTES])
    if head[:4] == OLD_MAGIC:
        return _old_version(head[_OLD_VERSION_AT:])
    head = head[: _VERSION_AT + 4]
    if len(head) < _VERSION_AT + 4 or head[:4] != MAGIC or head[4:8] != bytes(4):
        return None
    version = head[_VERSION_AT:]
    return ".".join(map(str, version)) if _FIRST_MAJOR <= version[0] <= _LAST_MAJOR else None


def _old_version(fields: bytes) -> Optional[str]:
    parts = [fields[at : at + _OLD_FIELD_BYTES] for at in range(0, len(fields), _OLD_FIELD_BYTES)]
    if len(parts) != 4 or any(part[:-1] != _OLD_TAG for part in parts):
        return None
    return ".".join(str(part[-1]) for part in parts)


def _read_metadata(text: memoryview) -> Dict[str, Any]:
    if len(text) > _LARGEST_METADATA_BYTES:
        raise EngineError(
            f"the header of the engine file claims {len(text)} bytes, more than {_LARGEST_METADATA_BYTES}",
            why="the file is damaged, or no engine",
        )
    try:
        metadata = json.loads(bytes(text).decode("utf-8"))
        # NaN, infinities and half surrogates would stop whoever writes it on as JSON.
        json.dumps(metadata, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise EngineError(
            "the header of the engine file cannot be read", why=str(error), hint="copy or export it again"
        ) from None
    assert isinstance(metadata, dict), "the byte that opens an object gives an object"
    return metadata


def _plan_warnings(plan: memoryview) -> Tuple[str, ...]:
    if bytes(plan[: len(MAGIC)]) in (MAGIC, OLD_MAGIC):
        return ()
    known = f"{MAGIC.decode()!r} or {OLD_MAGIC.decode()!r}"
    return (f"perhaps no engine of TensorRT: its plan begins with {bytes(plan[:4])!r}, not with {known}",)
