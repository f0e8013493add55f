"""A release's self-test: its pictures through the stages that frames will take, before the first frame does."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, Iterator, Optional

from edgekit.core.detector import DetectorSpec
from edgekit.core.selftest import SELFTEST_FOLDER, SELFTEST_NAME, SelfTestPicture, SelfTestPlan
from edgekit.core.wire import from_wire
from edgekit.errors import EdgekitError, VerifyError
from edgekit.files import sha256_file
from edgekit.runtime.frames import Frame
from edgekit.runtime.pictures import read_picture
from edgekit.runtime.stages import Stages

_SHOWN = 4
_HINT = "edgekit doctor, then edgekit build --force and deploy"


def read_selftest(release: Path) -> Optional[SelfTestPlan]:
    """The self-test that a release carries; None if it carries none. Raises VerifyError if it cannot be read."""
    path = release / SELFTEST_FOLDER / SELFTEST_NAME
    try:
        return from_wire(SelfTestPlan, json.loads(path.read_text("utf-8")), SELFTEST_NAME)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EdgekitError) as error:
        raise VerifyError("the self-test cannot be read", why=str(error), hint="edgekit deploy") from None


def run_selftest(release: Path, plan: SelfTestPlan, detector: DetectorSpec, stages: Stages, slot: Any) -> None:
    """Detect in the pictures of a release. Raises VerifyError if it is not what was found in them before."""
    wrong = [
        f"{picture.file_name}: {difference}"
        for picture in plan.pictures
        for difference in _differences(release, plan, picture, detector, stages, slot)
    ]
    if wrong:
        more = f" and {len(wrong) - 1} more differences" if len(wrong) > 1 else ""
        raise VerifyError(
            f"the self-test failed, {wrong[0]}{more}",
            why="\n".join([f"engine {plan.engine_id} found something else when it was verified here", *wrong[:_SHOWN]]),
            hint=_HINT,
        )


def _differences(
    release: Path, plan: SelfTestPlan, picture: SelfTestPicture, detector: DetectorSpec, stages: Stages, slot: Any
) -> Iterator[str]:
    path = release / SELFTEST_FOLDER / picture.file_name
    if not path.is_file() or sha256_file(path) != picture.sha256:
        yield "the picture is missing or damaged"
        return
    frame = Frame(read_picture(path), 0, time.monotonic(), picture.file_name)
    fit = stages.preprocess(frame, slot, 0)
    stages.launch(slot, 1)
    collected = stages.collect(slot, [fit])
    if collected.bad_outputs:
        yield f"the engine's answer is NaN or infinite: {', '.join(collected.bad_outputs)}"
        return
    yield from plan.differences(picture, collected.detections[0], detector.labels)
