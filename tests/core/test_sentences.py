"""Sentences that are written from templates and read back: what a page in another language stands on."""

from __future__ import annotations

import time

import pytest

from edgekit.core.sentences import Said, Sentences

KNOWN = Sentences(
    {
        "still": "it stood still",
        "rose": "it rose by {change:.0f} %",
        "rose_on": "it rose by {change:.0f} % on {device}",
        "told": "{device}: {sentence}",
        "users": "it is open in {programs}: close them",
        "small": "{share:.3g} of {all:d}",
    }
)


@pytest.mark.parametrize(
    ("code", "values", "printed"),
    [
        ("still", {}, {}),
        ("rose", {"change": -3.6}, {"change": "-4"}),
        ("rose_on", {"change": 12.2, "device": "the yard"}, {"change": "12", "device": "the yard"}),
        ("told", {"device": "nano", "sentence": "a: b: c"}, {"device": "nano", "sentence": "a: b: c"}),
        ("users", {"programs": "python3 (4711), x: y"}, {"programs": "python3 (4711), x: y"}),
        ("small", {"share": 0.00001234, "all": 7}, {"share": "1.23e-05", "all": "7"}),
    ],
)
def test_what_was_said_is_read_back_with_its_values(code, values, printed):
    """A page that reads other figures than the result holds would be a lie in another language."""
    assert KNOWN.read(KNOWN.say(code, **values)) == Said(code, printed)


@pytest.mark.parametrize(
    "sentence",
    ["", "it stood", "it stood still ", "it rose by a lot %", "it rose by  %", "nano: ", ": nano", "it rose by nan %"],
)
def test_what_no_template_gives_is_not_known(sentence):
    """A guess would put words into a result's mouth."""
    assert KNOWN.read(sentence) is None


def test_the_template_with_most_words_of_its_own_is_taken():
    """ "device: sentence" fits nearly everything."""
    assert KNOWN.read("it is open in a: close them").code == "users"
    assert KNOWN.read("it is open in a: close it").code == "told"


def test_braces_in_names_are_only_letters():
    """Names come from device trees and process tables."""
    said = KNOWN.say("told", device="{0}", sentence="{change:.0f}")
    assert KNOWN.read(said) == Said("told", {"device": "{0}", "sentence": "{change:.0f}"})


def test_a_sentence_of_megabytes_costs_no_time():
    """Results come from other machines, and a page must come to an end."""
    many = Sentences({"many": "{a}, {b}, {c}, {d}, {e} and {f:d} more"})
    began_s = time.process_time()
    assert many.read(", " * 2_000_000) is None
    assert many.read(", " * 1900) is None
    assert time.process_time() - began_s < 1.0


def test_blanks_side_by_side_are_our_own_mistake():
    """Nobody could tell where one ends."""
    with pytest.raises(ValueError, match="side by side"):
        Sentences({"bad": "{one}{other}"})
