"""The device's end of the protocol in core/requests.py: `python -m edgekit.runtime VERB REQUEST.json` ("-": stdin)."""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Sequence

from edgekit.core.checkup import CheckupRequest
from edgekit.core.engine import BuildRequest
from edgekit.core.requests import (
    ActivateRequest,
    BenchRequest,
    DetectRequest,
    GoldenRequest,
    InspectRequest,
    LogsRequest,
    MissingRequest,
    PredictRequest,
    PrepareRequest,
    ServeRequest,
    ServiceRequest,
    StateRequest,
    SwitchRequest,
)
from edgekit.core.wire import from_wire, to_wire
from edgekit.errors import DeviceError, EdgekitError, NotFoundError, UsageError, error_to_dict
from edgekit.runtime.compute_cache import keep_compute_cache
from edgekit.runtime.probe import ProbeRequest, probe_device

INTERRUPTED = 130


@dataclass(frozen=True)
class Verb:
    """A request's type, "module:function" that answers it, and whether the function wants the device's profile."""

    request: Any
    function: str
    wants_profile: bool = True


VERBS: Dict[str, Verb] = {
    "probe": Verb(ProbeRequest, "edgekit.runtime.probe:run_probe", wants_profile=False),
    "prepare": Verb(PrepareRequest, "edgekit.runtime.prepare:run_prepare", wants_profile=False),
    "build": Verb(BuildRequest, "edgekit.runtime.engines:build_engine"),
    "checkup": Verb(CheckupRequest, "edgekit.runtime.checkup:run_checkup", wants_profile=False),
    "predict": Verb(PredictRequest, "edgekit.runtime.predict:run_predict"),
    "golden": Verb(GoldenRequest, "edgekit.runtime.predict:run_golden"),
    "inspect": Verb(InspectRequest, "edgekit.runtime.inspect:inspect_engine", wants_profile=False),
    "detect": Verb(DetectRequest, "edgekit.runtime.detect:run_detect"),
    "bench": Verb(BenchRequest, "edgekit.runtime.bench:run_bench"),
    "state": Verb(StateRequest, "edgekit.runtime.services:state", wants_profile=False),
    "missing": Verb(MissingRequest, "edgekit.runtime.activation:find_missing", wants_profile=False),
    "activate": Verb(ActivateRequest, "edgekit.runtime.activation:activate", wants_profile=False),
    "switch": Verb(SwitchRequest, "edgekit.runtime.activation:switch", wants_profile=False),
    "start": Verb(ServiceRequest, "edgekit.runtime.services:start", wants_profile=False),
    "stop": Verb(ServiceRequest, "edgekit.runtime.services:stop", wants_profile=False),
    "supervise": Verb(ServiceRequest, "edgekit.runtime.supervisor:supervise", wants_profile=False),
    "serve": Verb(ServeRequest, "edgekit.runtime.service:serve", wants_profile=False),
    "logs": Verb(LogsRequest, "edgekit.runtime.logs:logs", wants_profile=False),
}


def main(arguments: Sequence[str]) -> int:
    """Answer one request on standard output and return the exit code."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)
    try:
        _emit({"event": "result", "result": to_wire(_answer(arguments))})
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except EdgekitError as error:
        return _fail(error)
    except BrokenPipeError:
        # The host is gone. Python would try to flush once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return INTERRUPTED
    except Exception as error:
        traceback.print_exc()
        last_line = traceback.format_exception_only(type(error), error)[-1].strip()
        return _fail(DeviceError(f"edgekit failed on the device: {last_line}", why="this is a fault of edgekit itself"))


def _answer(arguments: Sequence[str]) -> Any:
    if not 1 <= len(arguments) <= 2 or arguments[0] not in VERBS:
        raise UsageError(
            f"unknown request: {' '.join(arguments) or 'nothing'}", hint=f"VERB REQUEST.json; verbs: {', '.join(VERBS)}"
        )
    verb = VERBS[arguments[0]]
    request = from_wire(verb.request, _read_request(arguments[1]) if len(arguments) == 2 else {}, "request")
    keep_compute_cache(request)
    function = _resolve(verb.function)
    if not verb.wants_profile:
        return function(request, _progress)
    return function(request, probe_device(), _progress)


def _read_request(source: str) -> Any:
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NotFoundError(f"{source} cannot be read", why=str(error)) from None
    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageError(f"{source} is not JSON", why=str(error)) from None


def _resolve(name: str) -> Callable[..., Any]:
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)  # type: ignore[no-any-return]


def _progress(what: str, done: int, total: int) -> None:
    _emit({"event": "progress", "what": what, "done": done, "total": total})


def _emit(event: Dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(event, ensure_ascii=True, allow_nan=False) + "\n")
    sys.stdout.flush()


def _fail(error: EdgekitError) -> int:
    _emit({"event": "error", "error": error_to_dict(error)})
    return error.exit_code


def _interrupt(number: int, frame: Any) -> None:
    # A second signal must not interrupt the cleaning up after the first.
    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
