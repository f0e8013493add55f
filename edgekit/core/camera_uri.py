"""The address of a camera: `csi://0`, `v4l2:///dev/video0` or `rtsp://host/path`, with options in its query.

Addresses of network cameras carry passwords. They are taken out here; what is shown, logged or raised holds none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional, Tuple, Union
from urllib.parse import unquote

from edgekit.core.wire import from_wire, to_wire
from edgekit.errors import UsageError

CAMERA_SCHEMES = ("csi", "v4l2", "rtsp")
FLIPS = ("none", "clockwise", "rotate-180", "counterclockwise", "horizontal", "vertical")
CODECS: Mapping[str, Tuple[str, ...]] = {
    "csi": ("raw",),
    "v4l2": ("raw", "mjpeg"),
    "rtsp": ("auto", "h264", "h265", "mjpeg"),  # auto: asked of the camera
}
TRANSPORTS = ("tcp", "udp")
BACK_ENDS = ("auto", "gstreamer", "opencv")
EXAMPLES: Mapping[str, str] = {
    "csi": "csi://0?width=1920&height=1080&fps=30&flip=rotate-180",
    "v4l2": "v4l2:///dev/video0?width=1280&height=720&fps=30&codec=mjpeg",
    "rtsp": "rtsp://user:password@192.168.1.20:554/stream1?latency_ms=100&transport=tcp",
}
RTSP_PORT = 554

_NUMBERS: Mapping[str, Tuple[float, float, type]] = {
    "width": (16, 7680, int),
    "height": (16, 4320, int),
    "fps": (0.1, 240, float),
    "latency_ms": (0, 10000, int),
    "stall_s": (1, 60, float),
    "low_delay": (0, 1, int),
}
_RTSP_ONLY = ("latency_ms", "transport", "low_delay")
_DEVICE = re.compile(r"/dev/(?:video\d{1,3}|v4l/by-(?:id|path)/[\w.:+-]+)")
_HOST = re.compile(r"[\w.-]{1,253}|\[[0-9A-Fa-f:.]+(?:%\w+)?\]")
# Control characters would let an address write lines of its own into requests and logs.
_PATH = re.compile(r"[!-~]*")
_ESCAPE = "a character must be escaped: in user and password write / as %2F and ? as %3F; elsewhere @ as %40"
_USER_INFO = re.compile(r"(?<=://).*@", re.DOTALL)
_USER_INFO_IN_TEXT = re.compile(r"(?<=://)[^/?#\s]*@")
# Some cameras take the password in the path or the query: "/user=admin_password=secret_channel=1.sdp".
_SECRET_FIELD = re.compile(r"(?i)((?:pass(?:word|wd)?|pwd|token|secret)=)(?:(?!_channel=|_stream=)[^&/?#;])*")


@dataclass(frozen=True)
class Credentials:
    """Who a camera is to take us for. Printing it shows neither part."""

    user: str = field(repr=False)
    password: str = field(repr=False)

    def __str__(self) -> str:
        return "***"


@dataclass(frozen=True)
class CameraUri:
    """A checked address. `str` of it may be shown to anyone.

    place: the sensor's number ("0"), the device file, or the stream's address without user and password. width_px and
    height_px, both or neither: what a csi or v4l2 camera is set to, what an rtsp stream is scaled to, before `flip`.
    fps: what a camera is set to, or the most that a stream hands over. low_delay: for streams without B-frames, whose
    decoder need not wait for later pictures. passed_on: options in the query that are not ours but the camera's.
    """

    scheme: str
    place: str
    credentials: Optional[Credentials] = field(default=None, repr=False)
    width_px: Optional[int] = None
    height_px: Optional[int] = None
    fps: Optional[float] = None
    codec: str = "raw"
    flip: str = "none"
    latency_ms: int = 100
    transport: str = "tcp"
    low_delay: bool = False
    stall_s: float = 4.5  # so that a stall is known, and said, within 5 s
    back_end: str = "auto"
    passed_on: Tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.scheme != "rtsp":
            return f"{self.scheme}://{self.place}"
        return hide_in_text(self.place if self.credentials is None else self.place.replace("://", "://***@", 1))

    def __repr__(self) -> str:
        return f"CameraUri({self})"

    @property
    def host_port(self) -> Tuple[str, int]:
        """Where an rtsp stream is served. ValueError for other schemes."""
        if self.scheme != "rtsp":
            raise ValueError(f"{self.scheme} has no host")
        host, port = _split_port(self.place.split("://", 1)[1].split("/", 1)[0].split("?", 1)[0])
        return host.strip("[]"), int(port or RTSP_PORT)

    def without_secrets(self, text: str) -> str:
        """`text` of a library that may quote the address, with user, password and the like left out."""
        if self.credentials is not None:
            for secret in _spellings(self.credentials):
                text = text.replace(secret, "***")
        return hide_in_text(text)


def hide_credentials(address: str) -> str:
    """Any address, also one that cannot be read, fit to be shown: `rtsp://***@host/stream`."""
    return _SECRET_FIELD.sub(r"\1***", _USER_INFO.sub("***@", address))


def hide_in_text(text: str) -> str:
    """Text that may quote addresses, fit for logs and reports: user and password of each are left out."""
    return _SECRET_FIELD.sub(r"\1***", _USER_INFO_IN_TEXT.sub("***@", text))


def parse_camera_uri(uri: str) -> CameraUri:
    """The camera at an address. Raises UsageError naming every wrong part, and never a password."""
    scheme, separator, rest = uri.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in CAMERA_SCHEMES:
        raise UsageError(
            f"not the address of a camera: {hide_credentials(uri)}", hint=f"example: {next(iter(EXAMPLES.values()))}"
        )
    place, _, query = rest.partition("?")
    problems: List[str] = []
    options, foreign = _split_query(query, scheme, problems)
    values = _read_options(options, scheme, problems)
    credentials: Optional[Credentials] = None
    if scheme == "rtsp" and "@" in query and "@" not in place:
        problems[:] = [_ESCAPE]  # nothing of it may be quoted: half a password may be among it
    else:
        credentials, place = _READERS[scheme](place, problems)
    if foreign and not problems:
        place = f"{place}?{'&'.join(foreign)}"
    if problems:
        raise UsageError(
            f"{hide_credentials(uri)} is not the address of a camera",
            why="\n".join(problems),
            hint=f"example: {EXAMPLES[scheme]}",
        )
    names = tuple(part.partition("=")[0] for part in foreign)
    return CameraUri(scheme=scheme, place=place, credentials=credentials, passed_on=names, **values)


def camera_uri_to_wire(uri: CameraUri) -> Dict[str, Any]:
    """The form in which an address travels to the capture process, credentials included: for a pipe, not a file."""
    wire: Dict[str, Any] = to_wire(uri)
    return wire


def camera_uri_from_wire(document: Dict[str, Any]) -> CameraUri:
    """The inverse of `camera_uri_to_wire`."""
    uri: CameraUri = from_wire(CameraUri, document, "camera")
    return uri


def _spellings(credentials: Credentials) -> List[str]:
    """A password as it is and as addresses write it; longest first. One of two letters would hide half the text."""
    from urllib.parse import quote

    password = credentials.password
    found = {password, quote(password), quote(password, safe="")} if len(password) > 2 else set()
    return sorted(found, key=len, reverse=True)


def _split_query(query: str, scheme: str, problems: List[str]) -> Tuple[Dict[str, str], List[str]]:
    """(our options, the camera's own as they were written). Only network cameras have options of their own."""
    ours: Dict[str, str] = {}
    foreign: List[str] = []
    for part in filter(None, query.split("&")):
        name, _, text = part.partition("=")
        known = name in _NUMBERS or name in _choices(scheme)
        if known and name in ours:
            problems.append(f"{name}: given twice")
        elif known:
            ours[name] = unquote(text)
        elif scheme == "rtsp" and _PATH.fullmatch(part):
            foreign.append(part)
        else:
            known_names = ", ".join([*_NUMBERS, *_choices(scheme)])
            problems.append(f"{name}: unknown option; known are {known_names}")
    return ours, foreign


def _choices(scheme: str) -> Dict[str, Tuple[str, ...]]:
    return {"codec": CODECS[scheme], "flip": FLIPS, "transport": TRANSPORTS, "back_end": BACK_ENDS}


def _read_options(options: Mapping[str, str], scheme: str, problems: List[str]) -> Dict[str, Any]:
    values: Dict[str, Any] = {"codec": CODECS[scheme][0]}
    for name, text in options.items():
        if name in _RTSP_ONLY and scheme != "rtsp":
            problems.append(f"{name}: only for rtsp://")
        elif name in _NUMBERS:
            values[name] = _read_number(name, text, problems)
        elif text in _choices(scheme)[name]:
            values[name] = text
        else:
            problems.append(f"{name}: expected one of {', '.join(_choices(scheme)[name])}, got {text!r}")
    if ("width" in values) != ("height" in values):
        problems.append("width and height: give both or neither")
    values["width_px"], values["height_px"] = values.pop("width", None), values.pop("height", None)
    values["low_delay"] = bool(values.get("low_delay", 0))
    return values


def _read_number(name: str, text: str, problems: List[str]) -> Optional[Union[int, float]]:
    low, high, kind = _NUMBERS[name]
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is not None and low <= value <= high:
        return value  # type: ignore[no-any-return]
    what = "a whole number" if kind is int else "a number"
    problems.append(f"{name}: expected {what} from {low:g} to {high:g}, got {text!r}")
    return None


def _read_sensor(place: str, problems: List[str]) -> Tuple[Optional[Credentials], str]:
    if not re.fullmatch(r"\d{1,2}", place):
        problems.append(f"expected the number of a sensor after csi://{_seen(place)}")
    return None, place


def _read_device(place: str, problems: List[str]) -> Tuple[Optional[Credentials], str]:
    if not _DEVICE.fullmatch(place):
        problems.append(f"expected a device such as /dev/video0 or /dev/v4l/by-id/NAME after v4l2://{_seen(place)}")
    return None, place


def _seen(place: str) -> str:
    return "" if "@" in place else f", got {place!r}"


def _read_stream(place: str, problems: List[str]) -> Tuple[Optional[Credentials], str]:
    authority, slash, path = place.partition("/")
    # A password with a bare slash ends the host too early; the part before the last @ is never shown.
    user_info, at, host_port = authority.rpartition("@")
    if "@" in path and not at:
        problems.append(_ESCAPE)
        return None, ""
    host, port = _split_port(host_port)
    if not _HOST.fullmatch(host):
        problems.append(f"expected a host after rtsp://, got {host!r}")
    if port is not None and not (port.isdigit() and 1 <= int(port) <= 65535):
        problems.append(f"expected a port from 1 to 65535, got {port!r}")
    if not _PATH.fullmatch(path):
        problems.append("the path holds a space or a control character; write a space as %20")
    user, _, password = user_info.partition(":")
    credentials = Credentials(unquote(user), unquote(password)) if at else None
    return credentials, f"rtsp://{host_port}{slash}{path}"


def _split_port(host_port: str) -> Tuple[str, Optional[str]]:
    end = host_port.rfind("]") + 1  # the colons of an IPv6 address are no port's
    host, colon, port = host_port[end:].partition(":")
    return host_port[:end] + host, port if colon else None


_READERS: Dict[str, Any] = {"csi": _read_sensor, "v4l2": _read_device, "rtsp": _read_stream}
