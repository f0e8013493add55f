"""What a capture process says, and what it must not be able to say."""

from __future__ import annotations

import pytest

from edgekit.runtime.capture.messages import (
    LONGEST_LINE,
    Decoder,
    GarbageError,
    Picture,
    Word,
    encode_picture,
    encode_word,
)


def test_messages_arrive_whole_however_they_are_cut():
    """A pipe gives half a line now and then."""
    data = (
        encode_word("note", 'a "quoted"\nline') + encode_picture(2, 7, 640, 360, 123456789012) + encode_word("failed")
    )
    for cut in range(len(data)):
        decoder = Decoder()
        found = [*decoder.feed(data[:cut]), *decoder.feed(data[cut:])]
        assert [Word("note", 'a "quoted"\nline'), Picture(2, 7, 640, 360, 123456789012), Word("failed")] == found


@pytest.mark.parametrize(
    "line",
    [
        b"hello",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"picture":[3,1,64,64,1]}',  # a slot that is none
        b'{"picture":[-1,1,64,64,1]}',
        b'{"picture":[0,1,100000,100000,1]}',  # larger than a slot
        b'{"picture":[0,1,-64,-64,1]}',
        b'{"picture":[0,1,0,64,1]}',
        b'{"picture":[0,1,64,64]}',
        b'{"picture":[0,1,64.5,64,1]}',
        b'{"picture":[true,1,64,64,1]}',
        b'{"word":["note",1,""]}',
        b'{"word":["reboot","",""]}',
        b"[" * 5000,
    ],
    ids=range(15),
)
def test_anything_else_is_garbage(line):
    """A decoder taken over by a hostile stream would make the service read where it must not."""
    with pytest.raises(GarbageError):
        Decoder().feed(line + b"\n")


def test_a_line_without_an_end_is_garbage():
    """It would fill the service's memory."""
    decoder = Decoder()
    with pytest.raises(GarbageError):
        for _ in range(3):
            decoder.feed(b"x" * (LONGEST_LINE // 2))
