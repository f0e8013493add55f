"""Command lines for a device: what its login shell, whichever it is, takes for one command with exactly these words.

A login shell may be bash, dash, zsh, csh or fish: one line, every word quoted, no variables, nothing to expand. Its
start-up files may print; what is ours begins after a mark.
"""

from __future__ import annotations

import base64
import json
import shlex
import zlib
from collections.abc import Sequence
from typing import Any

from edgekit.errors import DeviceError

NO_PYTHON, NO_CODE = 96, 97  # exit codes of `verb_command`; device code ends with 0 to 10, or 130
MARK = b"edgekit:begin\n"

_VERB = 'test -x "$2" || exit 96; cd "$1" 2>/dev/null || exit 97; shift 2; exec env "$@"'

# One line, for csh takes no more in quotes; packed, for Linux takes 128 KiB at most in one argument.
_LOADER = (
    "import base64,json,sys,zlib;"
    "p=json.loads(zlib.decompress(base64.b64decode(sys.argv[1])).decode());"
    "sys.argv=[p[0],p[2]];"
    'sys.stdout.write("edgekit:begin\\n");sys.stdout.flush();'
    'exec(compile(p[1],p[0],"exec"))'
)
_LINE_LIMIT_BYTES = 120_000


def verb_command(code: str, python: str, verb: str, environment: Sequence[str]) -> str:
    """Run a verb of device code, whose request comes on standard input.

    code: the folder that holds edgekit; it becomes the working folder, so that no file of the user's own folder is
    imported in its place. Ends with NO_PYTHON without the interpreter, NO_CODE without the folder.
    environment: NAME=value words.
    """
    words = [*environment, "PYTHONUNBUFFERED=1", python, "-s", "-m", "edgekit.runtime", verb, "-"]
    return shlex.join(["exec", "sh", "-c", _VERB, "sh", code, python, *words])


def script_command(name: str, source: str, argument: Any, *, python: str, sudo: Sequence[str] = ()) -> str:
    """Run a self-contained Python script; it finds the argument as JSON in sys.argv[1], and writes MARK first.

    The argument can be seen by everyone on the device while the script runs: a secret belongs on standard input.
    sudo: words in front of it.
    """
    packed = base64.b64encode(zlib.compress(json.dumps([name, source, json.dumps(argument)]).encode(), 9)).decode()
    line = shlex.join(["exec", *sudo, python, "-I", "-c", _LOADER, packed])
    if len(line) > _LINE_LIMIT_BYTES:
        raise ValueError(f"{name} and its argument are too long for a command line: {len(line)} bytes")
    return line


def explain_exit(device: str, code: int, tail: Sequence[str], python: str) -> DeviceError | None:
    """What an exit code means that the shell gave, not the command; None if it means nothing special."""
    said = "\n".join(tail)
    if code == NO_PYTHON:
        return DeviceError(
            f"{device} is not provisioned: there is no {python} on it",
            hint=f"edgekit provision --device {device}",
        )
    if code in (126, 127):
        return DeviceError(
            f"the login shell of {device} did not run our command",
            why=said or f"it ended with code {code}",
            hint="is it a restricted shell? sudo chsh -s /bin/bash USER    (on the device)",
        )
    return None
