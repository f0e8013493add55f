"""OpenCV's account of how it was built: whether it can open cameras and streams through GStreamer."""

from __future__ import annotations

import re
from typing import Optional

_GSTREAMER = re.compile(r"^\s*GStreamer:\s*(YES|NO)", re.MULTILINE)


def parse_gstreamer(build_information: str) -> Optional[bool]:
    """Whether OpenCV was built with GStreamer, from cv2.getBuildInformation(); None if it does not say."""
    found = _GSTREAMER.search(build_information)
    return None if found is None else found.group(1) == "YES"
