"""A virtual Jetson calibrated by day meets night and fog: what it says, and what a refresh brings.

    EDGEKIT_LAB=story python -m tests.lab session python bench/refresh_story.py [--save]

Act 1: the demo detector is deployed with a set of 300 pictures by day, INT8, and its camera shows night and fog. What
drift says after a while is noted, and `edgekit refresh` runs: first by its rule, which asks for proof that the new
engine is better, then with --accept-equal. Act 2: the device's folder is poisoned three times, black pictures, pictures
whose strata are wrong, and one camera that floods, and a refresh runs after each. Everything goes over SSH to a real
systemd; the figures are those that the commands give, of ONNX Runtime on this machine.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import machine, save_result

from edgekit.control.project import init_project
from tests.lab import fleet
from tests.lab.conftest import inventory_entry
from tests.lab.deploying import answer, edgekit, wait_for
from tests.lab.place import Place
from tests.lab.virtual_jetson import VirtualJetson

SERVICE = "roadscene"
FIELD = f"/var/lib/edgekit/{SERVICE}/field"
CAMERAS = {
    "gate": "scenes://?seed=3&width=1280&height=720&fps=4&live=1&conditions=night,fog",
    "yard": "scenes://?seed=8&width=1280&height=720&fps=4&live=1&conditions=fog,night",
}
WANTED_FRAMES = 160

# Run on the device, as its service's user: frames that lie, made of those that it has kept. Argument: which lie.
POISON = r"""
import hashlib, json, os, sys
import cv2, numpy as np
folder, lie = sys.argv[1:3]
names = sorted(name[:-5] for name in os.listdir(folder) if name.endswith(".json"))
rng = np.random.default_rng(len(names))
for number, name in enumerate(names[-60:]):
    told = json.load(open(f"{folder}/{name}.json"))
    pixels = cv2.imread(f"{folder}/{name}.jpg")
    if lie == "black":
        pixels = rng.integers(0, 3, pixels.shape, np.uint8)
    else:  # another picture all the same, so that it is new
        pixels = cv2.convertScaleAbs(np.roll(pixels, 40 + 8 * number, 1)[:, ::-1], alpha=0.97)
    if lie == "strata":
        told["strata"] = ["light:day" if one == "light:night" else one for one in told["strata"]]
        told["strata"] = ["weather:clear" if one == "weather:fog" else one for one in told["strata"]]
    if lie == "flood":
        told["stream"] = "gate"
    jpeg = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    told.update(sha256=hashlib.sha256(jpeg).hexdigest(), bytes=len(jpeg), time_unix_s=told["time_unix_s"] + 3600)
    open(f"{folder}/{told['sha256']}.jpg", "wb").write(jpeg)
    open(f"{folder}/{told['sha256']}.json", "w").write(json.dumps(told))
"""


class Story:
    """The device, its project, and what the commands said."""

    def __init__(self, device: VirtualJetson, folder: Path) -> None:
        self.device, self.project = device, folder
        init_project(folder)
        entry = {
            **inventory_entry(device), "detector": SERVICE, "calibration": "roadscene-day", "cameras": CAMERAS,
            "collect": {"per_hour": 7200}, "probation": {"frames": 10, "seconds": 2},
        }  # fmt: skip
        del entry["source"]
        (folder / "devices.yaml").write_text(json.dumps({"devices": {device.name: entry}}, indent=1))

    def command(self, *arguments: str) -> Any:
        """What a command that must succeed answers."""
        return answer(edgekit(self.project, *arguments, "--json", timeout=900))

    def refresh(self, *options: str) -> dict[str, Any]:
        """What a refresh led to, and its exit code."""
        started_s = time.monotonic()
        done = edgekit(self.project, "refresh", "--device", self.device.name, "--yes", "--json", *options, timeout=900)
        told = json.loads(done.stdout)
        return {"exit_code": done.returncode, "seconds": round(time.monotonic() - started_s, 1), "refresh": told}

    def health(self) -> Any:
        """What the service says of itself."""
        (service,) = self.command("status", self.device.name)[self.device.name]["services"]
        return {"release": service["release_id"], **(service["health"] or {})}

    def poison(self, lie: str) -> dict[str, Any]:
        """Put frames that lie into the device's folder, and refresh."""
        before = self.health()["release"]
        python = "/opt/edgekit/venv/bin/python"
        self.device.run(["runuser", "-u", "edgekit", "--", python, "-c", POISON, FIELD, lie])
        told = self.refresh()
        return {"lie": lie, **told, "serves_on": self.health()["release"] == before}


def tell(story: Story) -> dict[str, Any]:
    """Both acts."""
    name = story.device.name
    story.command("enroll", name, "--yes")
    story.command("provision", "--device", name)
    deployed = story.command("deploy", "--device", name)
    wait_for(lambda: (story.health().get("field") or {}).get("kept", 0) >= WANTED_FRAMES, limit_s=600)
    drifted = story.health()
    strict = story.refresh()
    equal = story.refresh("--accept-equal", "--again")
    wait_for(lambda: (story.health().get("field") or {}).get("drift") is not None, limit_s=300)
    after = story.health()
    poisoned = [story.poison(lie) for lie in ("black", "strata", "flood")]
    return {
        "deployed": deployed, "drifted": drifted, "strict": strict, "equal": equal, "after": after,
        "poisoned": poisoned,
    }  # fmt: skip


def render(told: dict[str, Any]) -> str:
    """For people."""
    lines = ["# A refresh in a virtual Jetson", "", f"Deployed: {told['deployed']['decision']}.", ""]
    drift = told["drifted"]["field"]
    warnings = "; ".join(told["drifted"]["warnings"])
    lines += [
        f"Its cameras show night and fog: drift {drift['drift']:.0%}, {drift['kept']} frames kept. {warnings}",
        "",
    ]
    for title, one in (("By the rule", told["strict"]), ("With --accept-equal", told["equal"])):
        refresh = one["refresh"]
        lines += [f"## {title}: {refresh['outcome']}, {one['seconds']:.0f} s", "", refresh["why"], ""]
        lines += _gates(refresh)
    lines += [f"Drift afterwards: {told['after']['field']['drift']:.0%}.", "", "## Poisoned", ""]
    lines += ["| frames | outcome | exit code | why | the service went on with its release |", "|---|---|---|---|---|"]
    for one in told["poisoned"]:
        refresh, on = one["refresh"], "yes" if one["serves_on"] else "NO"
        lines.append(f"| {one['lie']} | {refresh['outcome']} | {one['exit_code']} | {refresh['why']} | {on} |")
    return "\n".join(lines) + "\n"


def _gates(refresh: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for key in ("holdout", "serving"):
        gate = (refresh.get("evidence") or {}).get(key)
        if not gate:
            continue
        by = "labels" if gate["labelled_by"] == "people" else "agreement with the FP32 model"
        lines += [
            f"{gate['dataset']}, judged by {by}:",
            "",
            "| | pictures | before | after | kept |",
            "|---|---|---|---|---|",
        ]
        lines += [
            f"| {row['stratum']} | {row['pictures']} | {row['baseline_map']:.3f} | {row['map50_95']:.3f} | "
            f"{row['kept']:.1%} ({row['low']:.1%} to {row['high']:.1%}) |"
            for row in gate["rows"]
        ] + [""]  # fmt: skip
    return lines


def main() -> int:
    """Make the device, tell the story, throw the device away."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    parser.add_argument("--save", action="store_true", help="also write bench/results/")
    arguments = parser.parse_args()
    device = fleet.create(Place.from_environment(), "xavier-nx", "story", fleet.DISK_MIB, None)
    try:
        device.power_on()
        with tempfile.TemporaryDirectory() as folder:
            told = tell(Story(device, Path(folder) / "project")) | machine()
    finally:
        fleet.remove_device(device)
    save_result("refresh_story", told, render(told), arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
