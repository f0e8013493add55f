"""Which cameras a device has and what each of them gives: request, answer and rules of verb `cameras`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import AbstractSet, Dict, Iterable, List, Mapping, Optional, Tuple

from edgekit.core.camera_pipeline import ASKED, Elements, compose_pipeline, uses_hardware
from edgekit.core.camera_uri import CODECS, EXAMPLES, parse_camera_uri
from edgekit.core.service import StreamSettings
from edgekit.errors import SourceError

BUSY, FAILED = "busy", "failed"  # what a look may end with besides core.camera_condition.CONDITIONS
LONGEST_WAIT_S = 60.0


@dataclass(frozen=True)
class CamerasRequest:
    """List the cameras of a device and take a test frame of each: verb `cameras`.

    root: the device folder, whose services may be using some. cameras: those to look at beside the ones that the kernel
    lists, each with a name; their addresses may hold passwords. folder: where test frames go, "" to list only. wait_s:
    for the first picture.
    """

    root: str
    cameras: Tuple[StreamSettings, ...] = ()
    folder: str = ""
    wait_s: float = 10.0
    schema: int = 1


@dataclass(frozen=True)
class VideoMode:
    """A format and size that a V4L2 camera offers.

    codec: what `codec=` of an address calls it, "" for one that edgekit does not read. fps: fastest first, () where the
    driver does not say. largest: any size up to this one.
    """

    pixel_format: str  # four characters: "YUYV", "MJPG"
    codec: str
    width_px: int
    height_px: int
    fps: Tuple[float, ...] = ()
    largest: bool = False


@dataclass(frozen=True)
class FoundCamera:
    """A camera that the kernel knows. uri: what devices.yaml would call it. problem: why it could not be asked."""

    uri: str
    device: str  # "/dev/video0"
    name: str  # the driver's
    modes: Tuple[VideoMode, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class CameraLook:
    """What one camera gave. condition: one of CONDITIONS, BUSY or FAILED, with the reason in `detail`.

    uri holds no password. named: a person asked for it, in devices.yaml or on the command line; else the kernel listed
    it. picture: the file of its latest frame in the request's folder, "" without one. fps is measured over a second of
    a live source and that of the recording for others; None without two pictures.
    """

    name: str
    uri: str
    named: bool
    condition: str
    detail: str = ""
    width_px: Optional[int] = None
    height_px: Optional[int] = None
    fps: Optional[float] = None
    first_picture_s: Optional[float] = None  # from opening it
    read_by: str = ""
    notes: Tuple[str, ...] = ()
    picture: str = ""
    in_service: bool = False  # a running service uses it

    @property
    def gave_picture(self) -> bool:
        """True if a picture came, whatever it shows."""
        return self.first_picture_s is not None

    @property
    def is_missing(self) -> bool:
        """True if somebody expects pictures of it and there are none; one that a service uses gives them there."""
        return self.named and not self.gave_picture and not self.in_service


@dataclass(frozen=True)
class Reading:
    """By what cameras of one kind are read. by: "" for nothing. lacking: elements that GStreamer would need for it."""

    what: str  # "rtsp h264"
    by: str
    lacking: Tuple[str, ...] = ()


@dataclass(frozen=True)
class GStreamerFacts:
    """version "": it is not there, or does not answer, for the reason in `problem`."""

    version: str
    readings: Tuple[Reading, ...]
    problem: str = ""


@dataclass(frozen=True)
class CamerasAnswer:
    found: Tuple[FoundCamera, ...]
    looks: Tuple[CameraLook, ...]
    gstreamer: GStreamerFacts


# Source: Linux, include/uapi/linux/videodev2.h; those of them that GStreamer's v4l2src and videoconvert take.
_RAW_FORMATS = frozenset(
    (
        "YUYV", "UYVY", "YVYU", "VYUY", "NV12", "NV21", "NV16", "YU12", "YV12", "422P",
        "RGB3", "BGR3", "RGBP", "BX24", "XB24", "BA24", "AB24", "BGR4", "RGB4", "GREY",
    )
)  # fmt: skip
_JPEG_FORMATS = frozenset(("MJPG", "JPEG"))


def codec_of_format(pixel_format: str) -> str:
    """What `codec=` of a v4l2 address calls a pixel format; "" for one that is not read: H.264, or a sensor's own."""
    if pixel_format in _JPEG_FORMATS:
        return "mjpeg"
    return "raw" if pixel_format in _RAW_FORMATS else ""


def unlike(wanted: Iterable[str], taken: AbstractSet[str] = frozenset()) -> List[str]:
    """These names, later ones numbered where they would be equal to an earlier one or to one that is taken."""
    used, names = set(taken), []
    for name in wanted:
        fitting, count = name, 1
        while fitting in used:
            count += 1
            fitting = f"{name}-{count}"
        used.add(fitting)
        names.append(fitting)
    return names


def readings_of(elements: Optional[Elements]) -> Tuple[Reading, ...]:
    """By what each kind of camera is read where GStreamer has these elements; None: there is no GStreamer."""
    kinds = [(scheme, codec) for scheme, codecs in CODECS.items() for codec in codecs if codec != "auto"]
    return tuple(_reading(scheme, codec, elements) for scheme, codec in kinds)


def _reading(scheme: str, codec: str, elements: Optional[Elements]) -> Reading:
    what = scheme if scheme == "csi" else f"{scheme} {codec}"
    instead = "" if scheme == "csi" else "OpenCV on the CPU"
    if elements is None:
        return Reading(what, instead)
    try:
        pipeline = compose_pipeline(parse_camera_uri(EXAMPLES[scheme].partition("?")[0]), codec, elements)
    except SourceError as error:
        missing = error.what.rpartition(" has no ")[2].split(", ")
        return Reading(what, instead, tuple(name for name in missing if name in ASKED))
    return Reading(what, "GStreamer with NVIDIA's elements" if uses_hardware(pipeline) else "GStreamer on the CPU")


_PLUGINS = "gstreamer1.0-plugins-"
ALL_PACKAGES = (f"{_PLUGINS}base", f"{_PLUGINS}good", f"{_PLUGINS}bad", "gstreamer1.0-libav")
# Source: the package contents of Debian 12 and Ubuntu 20.04 to 24.04.
_PACKAGES: Mapping[str, Tuple[str, ...]] = {
    ALL_PACKAGES[0]: ("videoconvert", "videoscale", "appsink"),
    ALL_PACKAGES[1]: (
        "v4l2src", "rtspsrc", "rtph264depay", "rtph265depay", "rtpjpegdepay", "jpegdec", "videoflip",
    ),
    ALL_PACKAGES[2]: ("h264parse", "h265parse", "jpegparse", "openh264dec", "libde265dec"),
    ALL_PACKAGES[3]: ("avdec_h264", "avdec_h265", "avdec_mjpeg"),
}  # fmt: skip


def packages_for(facts: GStreamerFacts) -> Tuple[str, ...]:
    """The Debian packages that bring what GStreamer lacks here; NVIDIA's elements come with JetPack only."""
    if not facts.version:
        return ALL_PACKAGES
    bringing: Dict[str, str] = {name: package for package, names in _PACKAGES.items() for name in names}
    lacking = {bringing[name] for reading in facts.readings for name in reading.lacking if name in bringing}
    return tuple(package for package in ALL_PACKAGES if package in lacking)
