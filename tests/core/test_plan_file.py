"""Engine files of any origin are taken apart without TensorRT, and none of them can break the reader."""

from __future__ import annotations

import json
import random
import struct

import pytest

from edgekit.core.plan_file import plan_version, split_plan
from edgekit.errors import EngineError
from tests.made_up_engines import plan_bytes, with_header

METADATA = {"description": "made up", "imgsz": [640, 640], "names": {"0": "car", "1": "Fußgänger"}}


def test_a_plain_plan_is_its_own_plan():
    """What edgekit writes itself has no header; a byte taken off would make it unreadable."""
    found = split_plan(plan_bytes())
    assert found.metadata is None
    assert bytes(found.plan) == plan_bytes()
    assert found.warnings == ()


def test_the_header_of_ultralytics_is_taken_off_and_read():
    """TensorRT refuses such a file as it is, with a message about a magic tag."""
    found = split_plan(with_header(plan_bytes(), METADATA))
    assert found.metadata == METADATA
    assert bytes(found.plan) == plan_bytes()
    assert found.warnings == ()


def test_another_first_word_is_warned_of_and_not_refused():
    """A later TensorRT may begin its plans otherwise; a file of another kind is to be recognised."""
    for data in (b"ONNX and so on", with_header(b"abcd and so on", METADATA), b"a"):
        (warning,) = split_plan(data).warnings
        assert "ftrt" in warning


def test_bytes_of_the_plan_are_not_copied():
    """A plan has up to hundreds of MiB, and a board 8 GB for everything."""
    data = bytearray(with_header(plan_bytes(), METADATA))
    plan = split_plan(data).plan
    data[-1] ^= 255
    assert plan[-1] == data[-1]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(with_header(b"", METADATA)[:40], "before its plan begins", id="cut-within-the-header"),
        pytest.param(with_header(b"", METADATA), "before its plan begins", id="header-only"),
        pytest.param(struct.pack("<i", 9) + b'{"a": 1,,' + plan_bytes(), "cannot be read", id="header-is-no-json"),
        pytest.param(struct.pack("<i", 7) + b'{"a":1}' + b"", "before its plan begins", id="cut-after-the-header"),
        pytest.param(struct.pack("<i", 8) + b'{"a":1}' + b"x", "before its plan begins", id="no-byte-of-plan"),
        pytest.param(struct.pack("<i", 4) + b'{"\xff"' + plan_bytes(), "cannot be read", id="header-is-no-utf8"),
        pytest.param(with_header(plan_bytes(), {"a": float("nan")}), "cannot be read", id="nan"),
        pytest.param(with_header(plan_bytes(), {"a": "\ud800"}), "cannot be read", id="half-a-surrogate"),
        pytest.param(
            struct.pack("<i", 200_000) + b'{"a":' + b"[" * 200_000 + plan_bytes(),
            "cannot be read",
            id="endless-nesting",
        ),
        pytest.param(
            struct.pack("<i", 3 << 20) + b'{"a":1}' + bytes(4 << 20), "more than", id="header-of-three-megabytes"
        ),
    ],
)
def test_a_damaged_header_is_refused_in_words(data, reason):
    """Half a download must not look like a fault of TensorRT."""
    with pytest.raises(EngineError, match=reason):
        split_plan(data)


@pytest.mark.parametrize("length", [0, -1, -(2**31), 2**31 - 1])
def test_a_length_outside_the_file_makes_no_header(length):
    """The first four bytes of a plain plan are a number too."""
    data = struct.pack("<i", length) + b"{" + bytes(50)
    assert split_plan(data).metadata is None


@pytest.mark.parametrize("version", [(8, 5, 2, 2), (8, 6, 1, 6), (10, 3, 0, 26), (10, 13, 3, 9), (11, 4, 0, 3)])
def test_the_release_that_wrote_a_plan_is_read_from_its_first_bytes(version):
    """It names the mismatch without parsing a foreign file."""
    assert plan_version(plan_bytes(version)) == ".".join(map(str, version))
    assert plan_version(split_plan(with_header(plan_bytes(version), METADATA)).plan) == ".".join(map(str, version))


@pytest.mark.parametrize(
    "plan",
    [
        pytest.param(b"", id="empty"),
        pytest.param(plan_bytes()[:27], id="cut-short"),
        pytest.param(plan_bytes(tag=b"ptrt"), id="another-tag"),
        pytest.param(plan_bytes(serialization=1), id="another-serialization"),
        pytest.param(plan_bytes((0, 0, 0, 0)), id="no-release"),
        pytest.param(plan_bytes((255, 1, 0, 0)), id="far-too-new"),
    ],
)
def test_no_release_is_guessed(plan):
    """A wrong version in a message sends people to the wrong remedy."""
    assert plan_version(plan) is None


def test_every_cut_of_a_file_is_read_or_refused():
    """A file may end anywhere."""
    data = with_header(plan_bytes(), METADATA)
    for end in range(len(data)):
        _take_apart(data[:end])


def test_flipped_and_random_bytes_are_read_or_refused():
    """Nothing but EngineError may come out of a file from elsewhere. Seeded; hypothesis looks further where it is."""
    rng = random.Random(3)
    whole = with_header(plan_bytes(), METADATA)
    for _ in range(2000):
        data = bytearray(whole[: rng.randrange(len(whole))])
        for _ in range(rng.randrange(4)):
            if data:
                data[rng.randrange(len(data))] = rng.randrange(256)
        _take_apart(bytes(data))


def _take_apart(data: bytes) -> None:
    try:
        found = split_plan(data)
    except EngineError:
        return
    version = plan_version(found.plan)
    assert version is None or version.count(".") == 3
    json.dumps(found.metadata, allow_nan=False, ensure_ascii=False).encode()


def test_hypothesis_finds_no_file_that_breaks_the_reader():
    """The same over files that a machine invents, headers of every length included."""
    hypothesis = pytest.importorskip("hypothesis")
    strategies = pytest.importorskip("hypothesis.strategies")
    texts = strategies.one_of(
        strategies.binary(max_size=80),
        strategies.dictionaries(strategies.text(max_size=4), strategies.floats(), max_size=3).map(
            lambda value: json.dumps(value).encode()
        ),
    )

    @hypothesis.settings(max_examples=300, deadline=None, database=None)
    @hypothesis.given(
        strategies.integers(-(2**31), 2**31 - 1), strategies.booleans(), texts, strategies.binary(max_size=40)
    )
    def look(length, true_length, text, rest):
        _take_apart(struct.pack("<i", len(text) if true_length else length) + text + rest)

    look()
