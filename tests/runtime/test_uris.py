"""Addresses of sources and sinks."""

from __future__ import annotations

import pytest

from edgekit.core.broker_uri import parse_broker_uri
from edgekit.errors import UsageError
from edgekit.runtime.uris import Names, Option, SinkAddress, parse_options, split_sink, split_source

KNOWN = {"seed": Option(1, 0, 9), "fps": Option(15.0, 1.0, 240.0)}
SINKS = {"jsonl": "jsonl:PATH.jsonl", "clips": "clips:FOLDER", "mqtts": "mqtts://host/topic"}


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


def test_names_are_those_that_there_are():
    """A misspelt condition would show all of them."""
    known = {"conditions": Names(("day", "night", "fog"))}
    assert parse_options("scenes://", "?conditions=night, fog", known) == {"conditions": ("night", "fog")}
    assert parse_options("scenes://", "", known) == {"conditions": ("day", "night", "fog")}
    with pytest.raises(UsageError) as caught:
        parse_options("scenes://?conditions=nihgt", "?conditions=nihgt", known)
    assert "names, with commas between them, of day, night, fog, got 'nihgt'" in caught.value.why
    assert "scenes://?conditions=day,night" in caught.value.hint


def test_a_sink_splits_into_kind_and_path():
    """Paths with colons are legal."""
    assert split_sink("jsonl:/data/a:b.jsonl", SINKS) == SinkAddress("jsonl", "/data/a:b.jsonl")


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("jsonl:/a?b=1", SinkAddress("jsonl", "/a?b=1")),
        ("clips:/a:b", SinkAddress("clips", "/a:b")),
        ("clips:/a?fps=5&width=320", SinkAddress("clips", "/a", "?fps=5&width=320")),
        ("mqtts://u:p@h/x?qos=1", SinkAddress("mqtts", "mqtts://u:p@h/x?qos=1")),
    ],
)
def test_options_are_taken_off_only_where_a_sink_has_some(uri, expected):
    """A question mark is a legal character of a file's name."""
    assert split_sink(uri, SINKS) == expected


def test_an_address_is_shown_without_its_password():
    """Messages about a sink go to logs."""
    assert split_sink("mqtts://u:s3cret@h/x", SINKS).shown == "mqtts://***@h/x"
    assert split_sink("clips:/a@b", SINKS).shown == "/a@b"


@pytest.mark.parametrize("uri", ["mqtt://u:s3cret@h/x", "mqtts:u:s3cret@h/x", "mqtt:u:s3c@ret@h", "u:s3cret@h"])
def test_an_address_that_nobody_understands_does_not_show_a_password_either(uri):
    """A typo in the scheme would print it."""
    with pytest.raises(UsageError) as caught:
        open_or_split(uri)
    assert "s3c" not in str(caught.value)
    assert "u:" not in caught.value.what


def open_or_split(uri):
    address = split_sink(uri, SINKS)
    parse_broker_uri(address.place)


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
