"""The GStreamer pipeline for a camera, composed from the elements that a machine has.

JetPack releases differ: JetPack 7's nvv4l2decoder has no enable-max-performance, and naming a property that does not
exist makes a pipeline fail to parse. So every property is asked for first. No text of a user gets into a pipeline:
addresses, devices and passwords are set as properties of the element named "source".

Source: NVIDIA's Accelerated GStreamer guide and the pipelines of jetson-utils for the chains of elements; the
documentation of appsink and queue for what keeps a stream from falling behind.
"""

from __future__ import annotations

from typing import AbstractSet, Dict, List, Mapping, Optional, Tuple

from edgekit.core.camera_uri import CameraUri
from edgekit.errors import SourceError

Elements = Mapping[str, AbstractSet[str]]  # those that exist, each with the names of its properties

SOURCE_NAME, SINK_NAME = "source", "sink"
ASKED = (
    "nvarguscamerasrc", "v4l2src", "rtspsrc", "nvv4l2decoder", "nvvidconv", "nvjpegdec",
    "rtph264depay", "rtph265depay", "rtpjpegdepay", "h264parse", "h265parse", "jpegparse",
    "avdec_h264", "openh264dec", "avdec_h265", "libde265dec", "jpegdec", "avdec_mjpeg",
    "videoconvert", "videoscale", "videoflip", "queue", "appsink",
)  # fmt: skip
"""Every element that a pipeline may hold."""

_SOFTWARE: Mapping[str, Tuple[str, ...]] = {
    "h264": ("avdec_h264", "openh264dec"),
    "h265": ("avdec_h265", "libde265dec"),
    "mjpeg": ("jpegdec", "avdec_mjpeg"),
}
_DEPAYLOADERS = {
    "h264": ("rtph264depay", "h264parse"),
    "h265": ("rtph265depay", "h265parse"),
    "mjpeg": ("rtpjpegdepay", ""),
}
_ENCODING_NAMES = {"H264": "h264", "H265": "h265", "JPEG": "mjpeg"}
# The same turn has another number in each of the two elements.
_NVVIDCONV_FLIP = {"none": 0, "counterclockwise": 1, "rotate-180": 2, "clockwise": 3, "horizontal": 4, "vertical": 6}
_VIDEOFLIP = {"none": 0, "clockwise": 1, "rotate-180": 2, "counterclockwise": 3, "horizontal": 4, "vertical": 5}

_INSTALL = "install gstreamer1.0-plugins-good, gstreamer1.0-plugins-bad and gstreamer1.0-libav"
# Behind the decoder only: before it, dropping would tear a stream of differences.
_LATEST = "queue max-size-buffers=1 max-size-bytes=0 max-size-time=0 leaky=downstream"
_SINK = f"appsink name={SINK_NAME} drop=true max-buffers=1 sync=false"


def compose_pipeline(uri: CameraUri, codec: str, elements: Elements) -> str:
    """The pipeline, from the camera to BGR pictures in an appsink that keeps the latest alone.

    codec: uri.codec, or what `codec_of` read from the stream where that is "auto". Raises SourceError naming the
    elements that this machine lacks.
    """
    parts = {"csi": _csi, "v4l2": _v4l2, "rtsp": _rtsp}[uri.scheme](uri, codec, elements)
    needed = [part.split(" ", 1)[0] for part in parts if "/" not in part.split(" ", 1)[0]]
    missing = [name for name in dict.fromkeys(needed) if name not in elements]
    if missing:
        raise SourceError(
            f"{uri} cannot be read through GStreamer: this machine has no {', '.join(missing)}",
            why="csi:// needs a Jetson and its camera daemon" if uri.scheme == "csi" else "",
            hint="" if uri.scheme == "csi" else _INSTALL,
        )
    return " ! ".join(parts)


def compose_codec_probe(uri: CameraUri, elements: Elements) -> str:
    """A pipeline whose first sample tells the codec of a stream by its caps; it decodes nothing."""
    return f"{_rtspsrc(uri, elements)} ! application/x-rtp,media=video ! {_SINK}"


def codec_of(caps: str) -> Optional[str]:
    """The codec in caps such as "application/x-rtp, media=(string)video, encoding-name=(string)H264", or None."""
    for field in caps.split(","):
        name, _, value = field.strip().partition("=")
        if name == "encoding-name":
            return _ENCODING_NAMES.get(value.rpartition(")")[2].strip('"').upper())
    return None


def uses_hardware(pipeline: str) -> bool:
    """Whether NVIDIA's elements decode or convert."""
    return any(name in pipeline for name in ("nvv4l2decoder", "nvvidconv", "nvjpegdec"))


def _csi(uri: CameraUri, codec: str, elements: Elements) -> List[str]:
    caps = "video/x-raw(memory:NVMM),format=NV12" + _mode_caps(uri)
    source = f"nvarguscamerasrc name={SOURCE_NAME} sensor-id={int(uri.place)}"
    return [source, caps, *_from_nvmm(uri, scale=False), _SINK]


def _v4l2(uri: CameraUri, codec: str, elements: Elements) -> List[str]:
    # io-mode stays automatic: MMAP and DMABUF each fail with some driver.
    source = f"v4l2src name={SOURCE_NAME} do-timestamp=true"
    if codec == "raw":
        # The memory of v4l2src is not NVMM; nvvidconv takes it as well, but only some formats. The CPU takes all.
        return [source, "video/x-raw" + _mode_caps(uri), *_in_software(uri, elements, scale=False), _SINK]
    return [source, "image/jpeg" + _mode_caps(uri), *_decode(uri, "mjpeg", elements, scale=False), _SINK]


def _rtsp(uri: CameraUri, codec: str, elements: Elements) -> List[str]:
    depay, parse = _DEPAYLOADERS[codec]
    # The caps keep an audio track from taking the link.
    head = [_rtspsrc(uri, elements), "application/x-rtp,media=video", depay, *([parse] if parse else [])]
    return [*head, *_decode(uri, codec, elements, scale=True), _SINK]


def _rtspsrc(uri: CameraUri, elements: Elements) -> str:
    wanted: Dict[str, object] = {
        "protocols": uri.transport,
        "latency": uri.latency_ms,
        "drop-on-latency": "true",
        "tcp-timeout": 5_000_000,  # microseconds
        "timeout": 5_000_000,
    }
    return _with_properties(f"rtspsrc name={SOURCE_NAME}", "rtspsrc", wanted, elements)


def _decode(uri: CameraUri, codec: str, elements: Elements, scale: bool) -> List[str]:
    """From a compressed stream to BGR: NVIDIA's decoder if both its ends are there, else one of the CPU's."""
    nvidia = "nvv4l2decoder" in elements and "nvvidconv" in elements
    if nvidia and codec == "mjpeg":
        if "mjpeg" in elements["nvv4l2decoder"] and "jpegparse" in elements:
            # enable-max-performance is not for MJPEG.
            return ["jpegparse", "nvv4l2decoder mjpeg=1", *_from_nvmm(uri, scale)]
    elif nvidia:
        wanted: Dict[str, object] = {"enable-max-performance": 1}
        if uri.low_delay:
            wanted["disable-dpb"] = 1
        return [_with_properties("nvv4l2decoder", "nvv4l2decoder", wanted, elements), *_from_nvmm(uri, scale)]
    return [_software_decoder(codec, elements), *_in_software(uri, elements, scale)]


def _software_decoder(codec: str, elements: Elements) -> str:
    known = _SOFTWARE[codec]
    name = next((name for name in known if name in elements), known[0])
    # Slices only: threads that each decode a picture of their own hold one back apiece.
    wanted: Dict[str, object] = {"thread-type": "slice"} if name.startswith("avdec_h26") else {}
    return _with_properties(name, name, wanted, elements)


def _from_nvmm(uri: CameraUri, scale: bool) -> List[str]:
    size = _size_caps(uri, turned=True) if scale else ""
    return [
        f"nvvidconv flip-method={_NVVIDCONV_FLIP[uri.flip]}",
        f"video/x-raw,format=BGRx{size}",
        _LATEST,
        "videoconvert",
        "video/x-raw,format=BGR",
    ]


def _in_software(uri: CameraUri, elements: Elements, scale: bool) -> List[str]:
    scaling = ["videoscale", "video/x-raw" + _size_caps(uri, turned=False)] if scale and uri.width_px else []
    # Not `method`, its older name: GStreamer 1.22.0 takes that and turns nothing.
    turn = [] if uri.flip == "none" else [f"videoflip video-direction={_VIDEOFLIP[uri.flip]}"]
    return [_LATEST, *scaling, *turn, "videoconvert", "video/x-raw,format=BGR"]


def _mode_caps(uri: CameraUri) -> str:
    """What a camera is set to; empty where it may choose."""
    return _size_caps(uri, turned=False) + ("" if uri.fps is None else f",framerate={_fraction(uri.fps)}")


def _size_caps(uri: CameraUri, turned: bool) -> str:
    if uri.width_px is None or uri.height_px is None:
        return ""
    width, height = uri.width_px, uri.height_px
    if turned and uri.flip in ("clockwise", "counterclockwise"):
        width, height = height, width
    return f",width={width},height={height}"


def _fraction(fps: float) -> str:
    return f"{int(fps)}/1" if fps == int(fps) else f"{round(fps * 1000)}/1000"


def _with_properties(text: str, element: str, wanted: Mapping[str, object], elements: Elements) -> str:
    known = elements.get(element, frozenset())
    return " ".join([text, *(f"{name}={value}" for name, value in wanted.items() if name in known)])
