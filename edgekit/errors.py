"""Every error a user can meet, as one tree.

    EdgekitError
    |- UsageError                2   the command line asks for something that cannot be
    |  |- ConfigError            2   a YAML or JSON file is wrong; lists every problem with its path
    |  `- NotFoundError          2   a named device, detector, set or file does not exist
    |- ModelError                3   the ONNX file cannot be used
    |  `- LayoutError            3   its outputs fit no known layout, or more than one
    |- SourceError               4   an image, video or stream cannot be read
    |- BuildError                5   no engine came out
    |  `- CalibrationError       5   the calibration set cannot serve
    |- EngineError               6   an engine cannot be loaded or run
    |  `- EngineMismatchError    6   it was built for another device, model or version
    |- VerifyError               7   the engine's answers differ too much from the model's
    |- DeployError               8   a release could not be activated
    |  `- UnhealthyError         8   it was activated and does not work
    |- DeviceError               9   a command on a device failed, or it refuses us
    |  |- UnreachableError       9   it cannot be reached, or the link to it broke
    |  `- OversizeError          9   it sends more than it said it would
    `- TargetMissedError        10   a measured figure is worse than the limit asked for

The number is the exit code of the command line. Ctrl-C exits with 130.
"""

from __future__ import annotations

from typing import Dict, Sequence, Type


class EdgekitError(Exception):
    """A failure a person can act on: what happened, why, and what to type next."""

    exit_code = 1

    def __init__(self, what: str, *, why: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.hint = hint

    def __str__(self) -> str:
        return "\n".join(part for part in (self.what, self.why, self.hint) if part)


class UsageError(EdgekitError):
    exit_code = 2


class ConfigError(UsageError):
    """A file people write is wrong. `problems` holds one line each, with the path inside the file."""

    def __init__(self, what: str, *, why: str = "", hint: str = "", problems: Sequence[str] = ()) -> None:
        super().__init__(what, why=why or "\n".join(problems), hint=hint)
        self.problems = tuple(problems)


class NotFoundError(UsageError):
    pass


class ModelError(EdgekitError):
    exit_code = 3


class LayoutError(ModelError):
    pass


class SourceError(EdgekitError):
    exit_code = 4


class BuildError(EdgekitError):
    exit_code = 5


class CalibrationError(BuildError):
    pass


class EngineError(EdgekitError):
    exit_code = 6


class EngineMismatchError(EngineError):
    pass


class VerifyError(EdgekitError):
    exit_code = 7


class DeployError(EdgekitError):
    exit_code = 8


class UnhealthyError(DeployError):
    pass


class DeviceError(EdgekitError):
    exit_code = 9


class UnreachableError(DeviceError):
    """No answer from a device: what it does meanwhile, it does by itself. Never to be taken for a success."""


class OversizeError(DeviceError):
    """It sends more than it said it would."""


class TargetMissedError(EdgekitError):
    exit_code = 10


def _descendants(root: Type[EdgekitError]) -> Dict[str, Type[EdgekitError]]:
    found = {root.__name__: root}
    for child in root.__subclasses__():
        found.update(_descendants(child))
    return found


def error_to_dict(error: EdgekitError) -> Dict[str, str]:
    """The JSON form in which an error travels from a device to the host."""
    return {"kind": type(error).__name__, "what": error.what, "why": error.why, "hint": error.hint}


def error_from_dict(data: Dict[str, str]) -> EdgekitError:
    """The error that `error_to_dict` wrote; an unknown kind becomes a DeviceError."""
    kind = _descendants(EdgekitError).get(data.get("kind", ""), DeviceError)
    return kind(data.get("what", "unknown failure"), why=data.get("why", ""), hint=data.get("hint", ""))
