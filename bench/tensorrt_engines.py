"""Build every case of bench/tensorrt_cases.py with the TensorRT of this machine and measure it. Device Python (3.8).

    python bench/tensorrt_engines.py CASES_DIR SETS_DIR OUT_DIR [--only NAME ...] [--skip-warm]

A case: the verb `build` from nothing (no cache), and the same again with its caches. With --one-process one process
builds all cases after one another with one cache: the first is cold, the others are not. Then time on the GPU of the
engine in a stream and as a CUDA graph; the verb `bench` on 1080p frames in memory (engine and pipeline in turns); where
the host's time goes; and for models that were trained (SETS_DIR/frozen exists and the name begins with "roadscene") the
verb `predict`, whose answers bench/tensorrt_report.py turns into mAP. Every case is one JSON file in OUT_DIR, written
as soon as it is known.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, List

from edgekit.core.device import DeviceProfile
from edgekit.core.engine import BuildRequest
from edgekit.core.wire import from_wire, to_wire
from edgekit.errors import EdgekitError
from edgekit.runtime.cuda.owner import OwnerThread
from edgekit.runtime.engines import build_engine
from edgekit.runtime.probe import probe_device

sys.path.insert(0, str(Path(__file__).resolve().parent))
from gpu_machine import PowerMeter, gpu_machine

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Run the cases in order; a case that fails is recorded and the next one runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases_dir", type=Path)
    parser.add_argument("sets_dir", type=Path)
    parser.add_argument("out_dir", type=Path)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--skip-warm", action="store_true", help="do not build a second time with the caches")
    parser.add_argument("--one-process", action="store_true", help="build all in this process, with one cache")
    parser.add_argument("--build-only", action="store_true")
    parser.add_argument("--measure-only", action="store_true", help="only cases that were built before")
    parser.add_argument("--commit", default="", help="of edgekit, noted beside the figures")
    parser.add_argument("--work", type=Path, default=Path("/tmp/edgekit-bench"))
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    arguments.out_dir.mkdir(parents=True, exist_ok=True)
    known = {case["name"]: case for case in json.loads((arguments.cases_dir / "cases.json").read_text())}
    profile = verb("probe", {}, arguments.work)
    key = from_wire(DeviceProfile, profile, "profile").engine_key
    machine = {
        "profile": profile,
        "gpu": gpu_machine(),
        "cpus": len(os.sched_getaffinity(0)),
        "commit": arguments.commit,
    }
    (arguments.out_dir / "machine.json").write_text(json.dumps(machine))
    # What holds the GPU's context keeps the kernels that one build has loaded for the next one.
    keeper = OwnerThread() if arguments.one_process else None
    for case in [known[name] for name in arguments.only or known]:
        if arguments.measure_only and "cold" not in read_note(arguments, case):
            continue
        try:
            run_case(case, key, arguments)
        except RuntimeError as error:
            print(f"{case['name']}: {error}", file=sys.stderr, flush=True)
            note(arguments, case, {"error": str(error)})
    if keeper is not None:
        keeper.close()
    return 0


def run_case(case: Dict[str, Any], key: str, arguments: argparse.Namespace) -> None:
    """Build, then measure; what is known already is taken from the case's file."""
    request = build_request(case, key, arguments)
    known = read_note(arguments, case)
    if "cold" not in known:
        note(arguments, case, {"cold": timed_build(request, arguments)})
    if not arguments.skip_warm and "warm" not in known:
        note(arguments, case, {"warm": timed_build({**request, "force": True}, arguments)})
    if arguments.build_only:
        return
    engine = str(Path(request["engines_dir"]) / read_note(arguments, case)["cold"]["manifest"]["engine_id"])
    note(arguments, case, {"replay": measured_by("tensorrt_replay.py", engine)})
    bench = {"engine_dir": engine, "detector": case["detector"], "duration_s": arguments.seconds, "warmup_frames": 200}
    bench["batch"] = case["detector"]["profile"]["optimum"]["batch"]
    with PowerMeter() as power:
        note(arguments, case, {"bench": [verb("bench", bench, arguments.work) for _ in range(arguments.repeat)]})
    note(arguments, case, {"gpu_power_mean_w": power.mean_w})
    if bench["batch"] == 1:
        note(arguments, case, {"stages": measured_by("tensorrt_stages.py", engine)})
    frozen = arguments.sets_dir / "frozen"
    if case["name"].startswith("roadscene-") and bench["batch"] == 1 and frozen.is_dir():
        out = arguments.out_dir / f"{case['name']}.jsonl"
        predict = {"engine_dir": engine, "detector": case["detector"], "images_dir": str(frozen), "out_path": str(out)}
        note(arguments, case, {"predict": verb("predict", predict, arguments.work)})


def build_request(case: Dict[str, Any], key: str, arguments: argparse.Namespace) -> Dict[str, Any]:
    """The verb's request; each case has caches of its own, so that a first build is a cold one."""
    home = arguments.work / case["name"]
    cache_of = "all" if arguments.one_process else case.get("cache_of", case["name"])
    cache_dir = arguments.work / cache_of / "cache"
    request = {
        "detector": case["detector"], "precision": case["precision"], "engine_key": key,
        "model_path": str(arguments.cases_dir / case["model"]), "engines_dir": str(home / "engines"),
        "cache_dir": str(cache_dir), "route": case["route"], "tensorrt": case.get("tensorrt", {}),
        "head_layers": case.get("head_layers", []),
    }  # fmt: skip
    if "prepared" in case:
        request["prepared"] = case["prepared"]
    if "golden" in case:
        places = {key: str(arguments.cases_dir / case["golden"][key]) for key in ("images_dir", "expected_path")}
        request["golden"] = {**case["golden"], **places}
    if case["precision"] == "int8":
        request["calibration_dir"] = str(arguments.sets_dir / "calib")
        request["calibration_sha256"] = "0" * 64
    return request


def timed_build(request: Dict[str, Any], arguments: argparse.Namespace) -> Dict[str, Any]:
    """The manifest, and the seconds that all of it took."""
    started_s = time.perf_counter()
    if arguments.one_process:
        wanted = from_wire(BuildRequest, request, "request")
        try:
            manifest = to_wire(build_engine(wanted, probe_device(), lambda *_: None))
        except EdgekitError as error:
            raise RuntimeError(str(error)) from error
    else:
        manifest = verb("build", request, arguments.work)
    return {"wall_s": round(time.perf_counter() - started_s, 2), "manifest": manifest}


def measured_by(script: str, engine: str) -> Dict[str, Any]:
    """A script of this folder on an engine, in a process of its own."""
    command = [sys.executable, str(ROOT / "bench" / script), engine]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    if done.returncode != 0:
        raise RuntimeError(f"{script} ended with {done.returncode}: {done.stderr.decode()[-600:]}")
    return json.loads(done.stdout.decode().splitlines()[-1])


def verb(name: str, request: Dict[str, Any], work: Path) -> Dict[str, Any]:
    """A verb of device code in a process of its own, as the host runs it. Raises RuntimeError with its last words."""
    work.mkdir(parents=True, exist_ok=True)
    path = work / f"{name}-{os.getpid()}.json"
    path.write_text(json.dumps(request))
    command = [sys.executable, "-m", "edgekit.runtime", name, str(path)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    lines: List[str] = done.stdout.decode().splitlines()
    last = json.loads(lines[-1]) if lines else {}
    if last.get("event") != "result":
        raise RuntimeError(f"{name}: {json.dumps(last.get('error', last))[:1500]} {done.stderr.decode()[-600:]}")
    return last["result"]


def environment() -> Dict[str, str]:
    """The child finds this checkout."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": path}


def read_note(arguments: argparse.Namespace, case: Dict[str, Any]) -> Dict[str, Any]:
    """What is known of a case so far."""
    path = arguments.out_dir / f"{case['name']}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def note(arguments: argparse.Namespace, case: Dict[str, Any], facts: Dict[str, Any]) -> None:
    """Add to what is known of a case."""
    path = arguments.out_dir / f"{case['name']}.json"
    path.write_text(json.dumps({"name": case["name"], **read_note(arguments, case), **facts}))
    print(f"{case['name']}: {', '.join(facts)}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
