"""The tree of errors: every one has an exit code, three answers, and survives the way from a device to the host."""

from __future__ import annotations

import json

import pytest

from edgekit import errors
from edgekit.errors import ConfigError, EdgekitError, NotFoundError, error_from_dict, error_to_dict

ALL = sorted(
    (kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, EdgekitError)),
    key=lambda kind: kind.__name__,
)
CODES = {
    "EdgekitError": 1,
    "UsageError": 2,
    "ConfigError": 2,
    "NotFoundError": 2,
    "ModelError": 3,
    "LayoutError": 3,
    "SourceError": 4,
    "BuildError": 5,
    "CalibrationError": 5,
    "EngineError": 6,
    "EngineMismatchError": 6,
    "VerifyError": 7,
    "DeployError": 8,
    "UnhealthyError": 8,
    "DeviceError": 9,
    "UnreachableError": 9,
    "OversizeError": 9,
    "TargetMissedError": 10,
}


def test_exit_codes_are_the_documented_ones():
    """Scripts branch on them: they are an interface."""
    assert {kind.__name__: kind.exit_code for kind in ALL} == CODES


@pytest.mark.parametrize("kind", [kind for kind in ALL if kind is not EdgekitError], ids=lambda kind: kind.__name__)
def test_the_drawn_tree_is_the_real_one(kind):
    """The drawing at the top of errors.py is the only documentation of the codes."""
    drawing = [line for line in (errors.__doc__ or "").splitlines() if "- " in line]
    place = next(index for index, line in enumerate(drawing) if f"- {kind.__name__} " in line)
    parent = next(
        (line for line in reversed(drawing[:place]) if _indent(line) < _indent(drawing[place])), "- EdgekitError "
    )
    assert f"- {kind.__bases__[0].__name__} " in parent
    assert f" {kind.exit_code} " in drawing[place]


def _indent(line: str) -> int:
    return line.index("- ")


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_an_error_crosses_from_device_to_host_as_itself(kind):
    """The host must exit with the device's code and show its hint."""
    sent = kind("no such thing: 'x'", why="it is gone\nand so on", hint="edgekit doctor")
    got = error_from_dict(json.loads(json.dumps(error_to_dict(sent))))
    assert type(got) is kind
    assert (got.what, got.why, got.hint) == (sent.what, sent.why, sent.hint)


def test_an_error_of_a_newer_device_becomes_a_device_error():
    """An unknown kind must not crash the host that reports it."""
    got = error_from_dict({"kind": "QuantumError", "what": "w"})
    assert (type(got).__name__, got.what, got.exit_code) == ("DeviceError", "w", 9)
    assert error_from_dict({}).what == "unknown failure"


def test_text_is_the_three_answers_without_empty_lines():
    """str(error) is what a log shows."""
    assert str(EdgekitError("what", hint="hint")) == "what\nhint"
    assert str(NotFoundError("what", why="why", hint="hint")) == "what\nwhy\nhint"


def test_the_problems_of_a_file_are_its_why():
    """They are printed one to a line; an explicit why takes precedence."""
    error = ConfigError("bad", problems=["a: 1", "b: 2"])
    assert (error.problems, error.why) == (("a: 1", "b: 2"), "a: 1\nb: 2")
    assert ConfigError("bad", why="because", problems=["a"]).why == "because"
