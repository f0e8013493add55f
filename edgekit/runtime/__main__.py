"""The device's end of the protocol in core/requests.py: `python -m edgekit.runtime VERB REQUEST.json` ("-": stdin).

Unit files write the few requests that are all text as `VERB KEY=VALUE ...`.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Sequence

from edgekit.core.wire import from_wire, to_wire
from edgekit.errors import DeviceError, EdgekitError, NotFoundError, UsageError, error_to_dict
from edgekit.runtime.compute_cache import keep_compute_cache

INTERRUPTED = 130


@dataclass(frozen=True)
class Verb:
    """Where a request's type and the function that answers it are; imported when asked for, since start-up time counts.

    Both "module:name" below edgekit. wants_profile: whether the function wants the device's profile. modest: whether it
    is to give way to services that run meanwhile.
    """

    request: str
    function: str
    wants_profile: bool = False
    modest: bool = False


VERBS: Dict[str, Verb] = {
    "probe": Verb("runtime.probe:ProbeRequest", "runtime.probe:run_probe"),
    "visit": Verb("core.deployment:VisitRequest", "runtime.visit:visit"),
    "prepare": Verb("core.requests:PrepareRequest", "runtime.prepare:run_prepare"),
    "build": Verb("core.engine:BuildRequest", "runtime.limited_build:run_build"),
    "cameras": Verb("core.cameras:CamerasRequest", "runtime.cameras:look_at_cameras"),
    "checkup": Verb("core.checkup:CheckupRequest", "runtime.checkup:run_checkup"),
    "predict": Verb("core.requests:PredictRequest", "runtime.predict:run_predict", wants_profile=True, modest=True),
    "golden": Verb("core.requests:GoldenRequest", "runtime.predict:run_golden", wants_profile=True, modest=True),
    "inspect": Verb("core.requests:InspectRequest", "runtime.inspect:inspect_engine"),
    "detect": Verb("core.requests:DetectRequest", "runtime.detect:run_detect", wants_profile=True),
    "bench": Verb("core.requests:BenchRequest", "runtime.bench.run:run_bench", wants_profile=True),
    "preflight": Verb("runtime.preflight:PreflightRequest", "runtime.preflight:run_preflight"),
    "tune": Verb("core.requests:TuneRequest", "runtime.tuning.verbs:run_tune"),
    "untune": Verb("core.requests:TuneRequest", "runtime.tuning.verbs:run_untune"),
    "state": Verb("core.deployment:StateRequest", "runtime.services:state"),
    "missing": Verb("core.deployment:MissingRequest", "runtime.objects:find_missing"),
    "place": Verb("core.deployment:PlaceRequest", "runtime.objects:place"),
    "activate": Verb("core.deployment:ActivateRequest", "runtime.activation:activate", wants_profile=True),
    "settle": Verb("core.deployment:ServiceRequest", "runtime.settle:settle"),
    "rollback": Verb("core.deployment:RollbackRequest", "runtime.activation:rollback"),
    "reconcile": Verb("core.deployment:ServiceRequest", "runtime.reconcile:reconcile"),
    "start": Verb("core.deployment:ServiceRequest", "runtime.services:start"),
    "stop": Verb("core.deployment:ServiceRequest", "runtime.services:stop"),
    "logs": Verb("core.deployment:LogsRequest", "runtime.logs:logs"),
    "field": Verb("core.field:FieldRequest", "runtime.field.kept:list_kept"),
    "gc": Verb("core.deployment:GcRequest", "runtime.gc:collect_garbage"),
    "supervise": Verb("core.deployment:ServiceRequest", "runtime.supervisor:supervise"),
    "serve": Verb("core.deployment:ServeRequest", "runtime.service:serve"),
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
    if not arguments or arguments[0] not in VERBS:
        raise UsageError(
            f"unknown request: {' '.join(arguments) or 'nothing'}",
            hint=f"VERB REQUEST.json, or VERB KEY=VALUE ...; verbs: {', '.join(VERBS)}",
        )
    verb = VERBS[arguments[0]]
    request = from_wire(resolve(verb.request), _read_request(arguments[1:]), "request")
    keep_compute_cache(request)
    if verb.modest:
        resolve("runtime.modest:be_modest")()
    function = resolve(verb.function)
    if not verb.wants_profile:
        return function(request, _progress)
    return function(request, resolve("runtime.probe:probe_device")(), _progress)


def resolve(name: str) -> Any:
    """What "module:name" means below edgekit."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(f"edgekit.{module}"), attribute)


def _read_request(arguments: Sequence[str]) -> Any:
    """A file's JSON, standard input's for "-", or KEY=VALUE words, which unit files are written with."""
    if not arguments or "=" in arguments[0]:
        return _words(arguments)
    if len(arguments) > 1:
        raise UsageError(f"one request at a time, got {' '.join(arguments)}")
    source = arguments[0]
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NotFoundError(f"{source} cannot be read", why=str(error)) from None
    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageError(f"{source} is not JSON", why=str(error)) from None


def _words(arguments: Sequence[str]) -> Dict[str, str]:
    pairs = [word.partition("=") for word in arguments]
    if not all(equals for _, equals, _ in pairs):
        raise UsageError(f"expected KEY=VALUE words, got {' '.join(arguments)}")
    return {key: value for key, _, value in pairs}


def _progress(what: str, done: int, total: int) -> None:
    _emit({"event": "progress", "what": what, "done": done, "total": total})


def _emit(event: Dict[str, Any]) -> None:
    if _is_logged():
        return
    sys.stdout.write(json.dumps(event, ensure_ascii=True, allow_nan=False) + "\n")
    sys.stdout.flush()


def _is_logged() -> bool:
    """True if standard output is systemd's journal, which people read. Source: systemd.exec(5), JOURNAL_STREAM."""
    device, _, inode = os.environ.get("JOURNAL_STREAM", "").partition(":")
    if not inode:
        return False
    status = os.fstat(sys.stdout.fileno())
    return (str(status.st_dev), str(status.st_ino)) == (device, inode)


def _fail(error: EdgekitError) -> int:
    if _is_logged():
        sys.stderr.write(f"{error}\n")
    _emit({"event": "error", "error": error_to_dict(error)})
    return error.exit_code


def _interrupt(number: int, frame: Any) -> None:
    # A second signal must not interrupt the cleaning up after the first.
    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
