"""The form in which host and device speak: nothing wrong gets in, nothing right is lost, equals share a digest."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from dataclasses import dataclass, field
from typing import Any, Dict, Optional, Tuple

import pytest

from edgekit.core.wire import canonical_json, digest, from_wire, to_wire
from edgekit.errors import ConfigError


@dataclass(frozen=True)
class Camera:
    name: str
    fps: float
    size: Tuple[int, int]

    def __post_init__(self) -> None:
        if self.fps <= 0:
            raise ValueError(f"fps: expected more than 0, got {self.fps}")


@dataclass(frozen=True)
class Rig:
    cameras: Tuple[Camera, ...]
    spare: Optional[Camera] = None
    tags: Dict[str, str] = field(default_factory=dict)
    live: bool = False
    anything: Any = None


CAMERA = {"name": "north", "fps": 15, "size": [1280, 720]}


def problems_of(kind: Any, data: Any) -> Tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        from_wire(kind, data, "rig.json")
    return caught.value.problems


def test_what_is_written_is_read_back_equal():
    """The whole protocol stands on this."""
    rig = Rig(
        (Camera("north", 15.0, (1280, 720)),), Camera("spare", 0.5, (1, 1)), {"site": "Köln 北"}, True, [1, {"a": None}]
    )
    assert from_wire(Rig, json.loads(json.dumps(to_wire(rig)))) == rig


def test_defaults_fill_what_is_absent_and_whole_numbers_serve_as_fractions():
    """JSON written by people says 15, not 15.0; a float field must still hold a float."""
    rig = from_wire(Rig, {"cameras": [CAMERA]})
    assert rig == Rig((Camera("north", 15.0, (1280, 720)),))
    assert type(rig.cameras[0].fps) is float


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        pytest.param({}, "rig.json.cameras: missing", id="a-field-is-missing"),
        pytest.param({"cameras": [], "camera": []}, "rig.json.camera: unknown field", id="a-field-is-misspelt"),
        pytest.param([], "rig.json: expected an object, got []", id="a-list-for-an-object"),
        pytest.param({"cameras": {}}, "rig.json.cameras: expected a list, got {}", id="an-object-for-a-list"),
        pytest.param({"cameras": "ab"}, 'rig.json.cameras: expected a list, got "ab"', id="text-for-a-list"),
        pytest.param({"cameras": [], "live": 1}, "rig.json.live: expected true or false, got 1", id="one-for-true"),
        pytest.param({"cameras": [], "tags": []}, "rig.json.tags: expected an object, got []", id="list-for-a-map"),
        pytest.param({"cameras": [], "tags": {"a": 1}}, "rig.json.tags.a: expected text, got 1", id="number-for-text"),
        pytest.param(
            {"cameras": [{**CAMERA, "fps": True}]},
            "rig.json.cameras[0].fps: expected a number, got true",
            id="true-for-a-number",
        ),
        pytest.param(
            {"cameras": [{**CAMERA, "fps": "15"}]},
            'rig.json.cameras[0].fps: expected a number, got "15"',
            id="text-for-a-number",
        ),
        pytest.param(
            {"cameras": [{**CAMERA, "fps": None}]},
            "rig.json.cameras[0].fps: expected a number, got null",
            id="null-where-one-is-needed",
        ),
        pytest.param(
            {"cameras": [{**CAMERA, "fps": math.nan}]}, "rig.json.cameras[0].fps: expected a number, got NaN", id="nan"
        ),
        pytest.param(
            {"cameras": [{**CAMERA, "fps": math.inf}]},
            "rig.json.cameras[0].fps: expected a number, got Infinity",
            id="infinity",
        ),
        pytest.param(
            {"cameras": [{**CAMERA, "size": [1280]}]},
            "rig.json.cameras[0].size: expected 2 items, got [1280]",
            id="too-few-items",
        ),
        pytest.param(
            {"cameras": [{**CAMERA, "size": [1280, 7.5]}]},
            "rig.json.cameras[0].size[1]: expected a whole number, got 7.5",
            id="fraction-for-a-whole-number",
        ),
        pytest.param(
            {"cameras": [{**CAMERA, "fps": 0}]},
            "rig.json.cameras[0]: fps: expected more than 0, got 0.0",
            id="a-value-out-of-range",
        ),
        pytest.param({"cameras": [], "spare": 5}, "rig.json.spare: expected an object, got 5", id="a-wrong-optional"),
    ],
)
def test_a_wrong_document_is_refused_with_the_path_of_the_fault(data, problem):
    """The person who reads the message has to find the place in the file."""
    assert problems_of(Rig, data) == (problem,)


def test_all_problems_are_reported_at_once():
    """One error a run wastes an afternoon."""
    data = {"cameras": [{**CAMERA, "name": 1}, {**CAMERA, "fps": "x", "lens": 2}], "live": "yes"}
    assert set(problems_of(Rig, data)) == {
        "rig.json.cameras[0].name: expected text, got 1",
        "rig.json.cameras[1].lens: unknown field",
        'rig.json.cameras[1].fps: expected a number, got "x"',
        'rig.json.live: expected true or false, got "yes"',
    }


def test_a_long_wrong_value_is_cut_in_the_message():
    """A megabyte of base64 in the wrong place must not fill the terminal."""
    (problem,) = problems_of(Rig, {"cameras": "x" * 10_000})
    assert len(problem) < 120


def test_a_number_too_large_for_a_float_is_refused_like_any_wrong_value():
    """JSON allows 400 digits; that must be a message, not an OverflowError."""
    problems = problems_of(Rig, {"cameras": [{**CAMERA, "fps": 10**400}]})
    assert problems[0].startswith("rig.json.cameras[0].fps: expected a number")


def test_the_order_of_keys_does_not_change_the_digest():
    """Engine ids and release ids are digests: a reordered file must not cause a rebuild."""
    assert digest({"b": 1, "a": {"d": 2, "c": 3}}) == digest({"a": {"c": 3, "d": 2}, "b": 1})


def test_a_dataclass_has_the_digest_of_its_json():
    """Host and device may hold one as an object and the other as a parsed file."""
    camera = Camera("north", 15.0, (1280, 720))
    assert digest(camera) == digest(json.loads(json.dumps(to_wire(camera))))


def test_canonical_json_is_one_exact_byte_string():
    """A changed rendering would silently give every release and engine a new name."""
    assert canonical_json({"b": [1, 2.5, None, True], "a": "ü"}) == '{"a":"ü","b":[1,2.5,null,true]}'.encode()
    assert digest({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


def test_nan_has_no_digest():
    """NaN is not JSON, and not equal to itself."""
    with pytest.raises(ValueError, match="JSON"):
        digest({"a": math.nan})


@pytest.mark.skipif(sys.version_info < (3, 10), reason="this Python has no X | None")
def test_none_may_be_written_as_python_3_10_has_it():
    """Records of the host are written so; reading one back would end in a KeyError."""
    kind = dataclasses.make_dataclass(
        "Kind", [("count", Optional[int] if sys.version_info < (3, 10) else int | None, None)], frozen=True
    )
    assert from_wire(kind, {"count": 3}).count == 3
    assert from_wire(kind, {"count": None}).count is None
    with pytest.raises(ConfigError, match="count"):
        from_wire(kind, {"count": "three"})
