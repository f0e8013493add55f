"""Looking at an engine asks a device for no more than is needed."""

from __future__ import annotations

import pytest

from edgekit.control.inspect import find_engine, inspect_on_device
from edgekit.core.deployment import StateAnswer
from edgekit.core.requests import FileCheck, InspectAnswer, OpenedEngine
from edgekit.errors import DeviceError, EngineMismatchError, NotFoundError
from tests.made_up_engines import layers, tensorrt_manifest

WHOLE = (FileCheck("engine.plan", "whole", 228, 228),)


class Board:
    """A connected device that has one engine and answers from memory; it stands for a board with TensorRT."""

    device, root = "board", "/opt/edgekit"

    def __init__(self, manifest, opened):
        self.manifest, self.opened, self.asked = manifest, opened, []

    def call(self, verb, request, answer, on_progress=None):
        self.asked.append((verb, getattr(request, "open", None)))
        if verb == "state":
            return StateAnswer((self.manifest,), ())
        if verb == "probe":
            raise DeviceError("the board is busy")
        if request.open and isinstance(self.opened, Exception):
            raise self.opened
        return InspectAnswer(WHOLE, self.opened if request.open else None)


def look(board, **options):
    return inspect_on_device(board, "abc", on_progress=lambda what, done, total: None, **options)


OPENED = OpenedEngine("8.5.2.2", layers(), (), (), 3.5)
UNKNOWN = tensorrt_manifest(build=None)


def test_a_plan_is_opened_only_for_layers_that_the_manifest_lacks():
    """Opening takes the GPU's memory from the service that runs there."""
    for manifest, wanted in ((tensorrt_manifest(), True), (UNKNOWN, False)):
        board = Board(manifest, OPENED)
        look(board, layers=wanted)
        assert ("inspect", True) not in board.asked


def test_layers_told_by_tensorrt_are_shown_as_its_own():
    """A reader must know whether a table is a record or an answer of today."""
    found = look(Board(UNKNOWN, OPENED), layers=True)
    assert (found.layers, found.layers_from, found.activation_mib) == (layers(), "TensorRT 8.5.2.2", 3.5)


def test_a_plan_that_may_not_be_opened_leaves_a_note():
    """The other facts are still of use, and the reason is said."""
    found = look(Board(UNKNOWN, EngineMismatchError("built elsewhere")), layers=True)
    assert found.layers == ()
    assert found.notes == ("its layers are not known: built elsewhere",)
    assert found.files == WHOLE


def test_a_device_that_does_not_tell_what_it_is_leaves_the_fit_open():
    """Neither yes nor no would be true."""
    fit = look(Board(UNKNOWN, OPENED), layers=False).fit
    assert (fit.fits, fit.device) == (None, "board")
    assert "the board is busy" in fit.differences[0]


def test_damaged_folders_are_named_where_an_engine_is_not_found():
    """The engine that is looked for may be the one whose manifest cannot be read."""
    with pytest.raises(NotFoundError) as caught:
        find_engine(StateAnswer((), (), ("engines/abc: engine.json cannot be read",)), "abc", "board")
    assert "engines/abc" in caught.value.why
