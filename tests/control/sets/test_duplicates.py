"""The same picture is known again after it was saved anew, and different ones are not taken for it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.control.sets.duplicates import NEAR_BITS, difference_hash, first_of_each, groups_of, near_pairs
from edgekit.scenes import CONDITIONS, render_scene, split_seed

SCENES = [
    render_scene(split_seed("calib", 70_000 + number), CONDITIONS[number % len(CONDITIONS)], 640, 360).frame
    for number in range(22)
]


def bits_apart(one, other):
    return bin(int(one, 16) ^ int(other, 16)).count("1")


def saved_anew(frame, how):
    if how == "jpeg":
        return cv2.imdecode(cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], cv2.IMREAD_COLOR)
    if how == "half":
        return cv2.resize(frame, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return cv2.convertScaleAbs(frame, alpha=1.1, beta=5)


@pytest.mark.parametrize("how", ["jpeg", "half", "brighter"])
def test_a_picture_saved_anew_is_near_in_nine_of_ten(how):
    near = [
        bits_apart(difference_hash(frame), difference_hash(saved_anew(frame, how))) <= NEAR_BITS for frame in SCENES
    ]
    assert sum(near) >= 0.9 * len(near)


def test_different_scenes_are_not_near():
    """Leaving out a picture that shows something else would lose what the set was made for."""
    assert list(near_pairs([difference_hash(frame) for frame in SCENES])) == []


def test_a_hash_is_sixteen_digits_also_of_flat_and_tiny_pictures():
    for frame in (np.zeros((480, 640, 3), np.uint8), np.full((3, 3, 3), 255, np.uint8)):
        assert difference_hash(frame) == "0" * 16


@given(st.lists(st.integers(0, 2**64 - 1).map("{:016x}".format), max_size=40), st.integers(0, 64))
def test_near_pairs_are_those_that_counting_bits_gives(hashes, bits):
    expected = [
        (i, j)
        for i in range(len(hashes))
        for j in range(i + 1, len(hashes))
        if bits_apart(hashes[i], hashes[j]) <= bits
    ]
    assert list(near_pairs(hashes, bits)) == expected


def test_pairs_across_chunks_are_found():
    """Rows are compared in parts of 256."""
    hashes = [f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}" for number in range(700)]
    hashes[650] = hashes[3]
    assert (3, 650) in list(near_pairs(hashes, 0))


def test_bits_are_counted_alike_with_an_older_numpy(monkeypatch):
    """numpy 1 cannot count bits itself."""
    hashes = [f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}" for number in range(60)]
    ours = list(near_pairs(hashes, 26))
    monkeypatch.delattr(np, "bitwise_count", raising=False)
    assert list(near_pairs(hashes, 26)) == ours != []


def test_the_first_of_equal_pictures_stays():
    names = ["a", "b", "c", "d"]
    sha256s = {"a": "1", "b": "2", "c": "1", "d": "3"}
    hashes = {"a": "0" * 16, "b": "f" * 16, "c": "0" * 16, "d": "f" * 15 + "e"}
    assert first_of_each(names, sha256s, hashes) == {"c": "a", "d": "b"}


def test_a_slow_pan_keeps_a_frame_wherever_it_has_moved_on():
    """Each frame is near the one before; if nearness were passed on, only the first frame would stay."""
    hashes = {f"{number:02}": f"{2 ** (3 * number) - 1:016x}" for number in range(12)}  # three bits a step
    names = sorted(hashes)
    left_out = first_of_each(names, dict(zip(names, names, strict=True)), hashes)
    kept = [name for name in names if name not in left_out]
    assert kept == names[::2]
    assert all(bits_apart(hashes[name], hashes[first]) <= NEAR_BITS for name, first in left_out.items())


@given(st.integers(1, 30).flatmap(lambda n: st.tuples(st.just(n), st.lists(st.tuples(*[st.integers(0, n - 1)] * 2)))))
def test_groups_are_the_connected_components(given_graph):
    count, pairs = given_graph
    roots = groups_of(count, pairs)
    assert all(roots[i] == roots[j] for i, j in pairs)
    assert all(roots[root] == root <= item for item, root in enumerate(roots))
    assert len(set(roots)) >= count - len(pairs)
