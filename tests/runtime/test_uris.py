"""Addresses of sources and sinks."""

from __future__ import annotations

import pytest

from edgekit.errors import UsageError
from edgekit.runtime.uris import Option, parse_options, split_sink, split_source

KNOWN = {"seed": Option(1, 0, 9), "fps": Option(15.0, 1.0, 240.0)}
SINKS = {"jsonl": "jsonl:PATH.jsonl"}


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("street.mp4", ("file", "street.mp4")),
        ("/data/a b.jpg", ("file", "/data/a b.jpg")),
        ("file:///data/a%20b.jpg", ("file", "/data/a b.jpg")),
        ("scenes://?seed=1", ("scenes", "?seed=1")),
        ("RTSP://host/x", ("rtsp", "host/x")),
        ("C:street.mp4", ("file", "C:street.mp4")),
    ],
)
def test_an_address_splits_into_scheme_and_rest(uri, expected):
    """A plain path would be taken for a scheme, or the other way round."""
    assert expected == split_source(uri)


def test_options_have_defaults_and_types():
    """Every option would have to be typed each time."""
    assert parse_options("scenes://?seed=7", "?seed=7", KNOWN) == {"seed": 7, "fps": 15.0}
    assert parse_options("scenes://?fps=29.97", "?fps=29.97", KNOWN) == {"seed": 1, "fps": 29.97}


def test_every_wrong_option_is_named_at_once():
    """People would fix one mistake a run."""
    rest = "host?seed=ten&fps=0&fsp=3&seed=1.5"
    with pytest.raises(UsageError) as caught:
        parse_options("scenes://" + rest, rest, KNOWN)
    for part in ("'host'", "seed: expected a whole number from 0 to 9, got 'ten'", "'1.5'", "got '0'", "fsp: unknown"):
        assert part in caught.value.why
    assert "scenes://host?seed=1&fps=15.0" in caught.value.hint


@pytest.mark.parametrize("value", ["nan", "inf", "-1", ""])
def test_an_option_is_a_finite_number_within_its_range(value):
    """fps=nan would reach the pacing of a camera."""
    with pytest.raises(UsageError, match="not a valid source"):
        parse_options("scenes://", f"?fps={value}", KNOWN)


def test_a_sink_splits_into_kind_and_path():
    """Paths with colons are legal."""
    assert split_sink("jsonl:/data/a:b.jsonl", SINKS) == ("jsonl", "/data/a:b.jsonl")


@pytest.mark.parametrize(
    ("uri", "part"),
    [
        ("out.jsonl", "a sink is one of: jsonl:PATH.jsonl"),
        ("mqtt:host", "a sink is one of"),
        ("jsonl:", "names no path"),
        ("jsonl:-", "progress and results"),
    ],
)
def test_a_wrong_sink_says_what_would_be_right(uri, part):
    """Standard output is the protocol between device and host; detections in it would break every command."""
    with pytest.raises(UsageError) as caught:
        split_sink(uri, SINKS)
    assert part in str(caught.value)
