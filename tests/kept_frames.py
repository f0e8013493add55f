"""Frames as a device keeps them: real pictures of drawn streets, each with its JSON, in the folder of a service."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Tuple

import cv2
import numpy as np

from edgekit.control.detectors import load_detector
from edgekit.control.field.frames import Fetched, fetch_frames
from edgekit.control.inventory import Device, load_inventory
from edgekit.control.local_link import LocalLink
from edgekit.control.project import Project
from edgekit.core.field import KeptFrame, KeptObject
from edgekit.core.scene_descriptor import describe, small_size
from edgekit.core.strata import strata_of
from edgekit.core.wire import to_wire
from edgekit.scenes import render_scene, split_seed
from tests.made_up_sets import make_project, quiet

NOW_S = 1_763_600_000.0
WIDTH_PX, HEIGHT_PX = 320, 180


class KeptOnDevice:
    """A project whose device is this machine, and the folder in which that device's service keeps frames."""

    def __init__(self, root: Path, cameras: Tuple[str, ...] = ("gate", "yard")) -> None:
        self.project: Project = make_project(root)
        entry = {"kind": "local", "detector": "tiny", "cameras": {name: f"scenes://?seed={name}" for name in cameras}}
        if not cameras:
            entry["source"] = "scenes://"
        self.project.devices_path.write_text(json.dumps({"devices": {"local": entry}}))
        self.device: Device = load_inventory(self.project).device("local")
        self.folder = self.project.device_root("local") / "state" / "tiny" / "field"
        self.folder.mkdir(parents=True)
        self.kept = 0

    @property
    def link(self) -> LocalLink:
        return LocalLink("local", self.project.device_root("local"))

    @property
    def detector(self) -> Any:
        return load_detector(self.project, "tiny")

    def fetch(self) -> Fetched:
        return fetch_frames(self.project, self.device, self.link, quiet)

    def keep_scenes(self, condition: str, count: int, stream: str = "gate", **changes: Any) -> list[KeptFrame]:
        """So many different streets, a minute apart."""
        return [self.keep(self._street(condition), stream, **changes) for _ in range(count)]

    def _street(self, condition: str) -> np.ndarray:
        return render_scene(split_seed("calib", 90_000 + self.kept), condition, WIDTH_PX, HEIGHT_PX).frame

    def keep(self, pixels: np.ndarray, stream: str = "gate", **changes: Any) -> KeptFrame:
        """One picture, as its service would. changes: of its JSON."""
        written, jpeg = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 95])
        assert written
        height, width = pixels.shape[:2]
        described = describe(cv2.resize(pixels, small_size(width, height), interpolation=cv2.INTER_AREA))
        kept = replace(
            KeptFrame(
                sha256="",
                bytes=0,
                width_px=width,
                height_px=height,
                stream=stream,
                reasons=("far",),
                strata=strata_of(described),
                described=described,
                objects=(KeptObject("car", 0.31, (8.0 * (self.kept % 20), 20.0, 8.0 * (self.kept % 20) + 30, 60.0)),),
                drift=1.7,
                time_unix_s=NOW_S + 60 * self.kept,
                service="tiny",
                engine_id="0123456789abcdef",
            ),
            **changes,
        )
        return self.write(jpeg.tobytes(), kept)

    def write(self, content: bytes, kept: KeptFrame) -> KeptFrame:
        """The two files; digest and size as the content has them, unless the JSON is to lie."""
        sha256 = kept.sha256 or hashlib.sha256(content).hexdigest()
        told = replace(kept, sha256=sha256, bytes=kept.bytes or len(content))
        (self.folder / f"{sha256}.jpg").write_bytes(content)
        (self.folder / f"{sha256}.json").write_text(json.dumps(to_wire(told)))
        self.kept += 1
        return told
