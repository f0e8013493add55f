"""The address of an MQTT broker and what is told there: `mqtt://host/topic/prefix?qos=1`, `mqtts://` for TLS.

It may carry a password, which is taken out here; what is shown, logged or raised holds none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional, Tuple
from urllib.parse import unquote

from edgekit.core.camera_uri import Credentials, hide_credentials
from edgekit.errors import UsageError

BROKER_PORTS: Mapping[str, int] = {"mqtt": 1883, "mqtts": 8883}
EXAMPLES: Mapping[str, str] = {
    "mqtt": "mqtt://192.168.1.5/edgekit/yard?qos=1",
    "mqtts": "mqtts://user:password@broker.local/edgekit/yard?ca=/etc/ssl/broker-ca.pem",
}

_OPTIONS = ("qos", "detections", "fps", "ca")
_FPS = (0.01, 30.0)
_HOST = re.compile(r"[\w.-]{1,253}|\[[0-9A-Fa-f:.]+(?:%\w+)?\]")
# Wildcards cannot be published to, topics that begin with $ are the broker's, and empty levels are mistakes.
_PREFIX = re.compile(r"[^$/+#\x00-\x1f\x7f][^/+#\x00-\x1f\x7f]*(?:/[^/+#\x00-\x1f\x7f]+)*")
# A topic has 65,535 bytes at most; what is added to the prefix is short.
_LONGEST_PREFIX = 1024
_ESCAPE = "a character must be escaped: in user and password write / as %2F, ? as %3F and @ as %40"


@dataclass(frozen=True)
class BrokerUri:
    """A checked address. `str` of it may be shown to anyone.

    prefix: what the names of all topics begin with. qos: of events, 0 (at most once) or 1 (at least once). ca: the file
    with the certificate that the broker's is checked against, "" for those of the system. detections: tell not only
    events but also detections, of each camera `fps` times a second at most.
    """

    host: str
    port: int
    prefix: str
    tls: bool = False
    credentials: Optional[Credentials] = field(default=None, repr=False)
    qos: int = 1
    ca: str = ""
    detections: bool = False
    fps: float = 1.0

    def __str__(self) -> str:
        who = "***@" if self.credentials else ""
        return f"{self.scheme}://{who}{self._host_port}/{self.prefix}"

    def __repr__(self) -> str:
        return f"BrokerUri({self})"

    @property
    def scheme(self) -> str:
        """ "mqtt", or "mqtts" with TLS."""
        return "mqtts" if self.tls else "mqtt"

    @property
    def name(self) -> str:
        """What sentences call it: "mqtt broker.local:1883"."""
        return f"{self.scheme} {self._host_port}"

    @property
    def _host_port(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def hide_password(text: str) -> str:
    """Any text that was meant to be an address, fit to be shown: also one without `://` may hold a password."""
    return hide_credentials(text) if "://" in text else "***@" * ("@" in text) + text.rpartition("@")[2]


def parse_broker_uri(uri: str) -> BrokerUri:
    """The broker at an address. Raises UsageError naming every wrong part, and never a password."""
    scheme, separator, rest = uri.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in BROKER_PORTS:
        raise UsageError(f"not the address of an MQTT broker: {hide_password(uri)}", hint=f"example: {_example()}")
    place, _, query = rest.partition("?")
    authority, _, path = place.partition("/")
    problems: List[str] = []
    if "@" not in authority and "@" in rest:
        problems.append(_ESCAPE)  # nothing of it may be quoted: half a password may be among it
        values: Dict[str, Any] = {}
    else:
        values = {**_read_authority(authority, scheme, problems), "prefix": _read_prefix(path, problems)}
        values.update(_read_options(query, scheme, problems))
    if problems:
        raise UsageError(
            f"{hide_credentials(uri)} is not the address of an MQTT broker",
            why="\n".join(problems),
            hint=f"example: {_example(scheme)}",
        )
    return BrokerUri(tls=scheme == "mqtts", **values)


def _example(scheme: str = "mqtt") -> str:
    return EXAMPLES[scheme]


def _read_authority(authority: str, scheme: str, problems: List[str]) -> Dict[str, Any]:
    user_info, at, host_port = authority.rpartition("@")
    bracket = host_port.rfind("]") + 1  # the colons of an IPv6 address are no port's
    name, colon, port = host_port[bracket:].partition(":")
    host = host_port[:bracket] + name
    if not _HOST.fullmatch(host):
        problems.append(f"expected a host after {scheme}://, got {host!r}")
    if colon and not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
        problems.append(f"expected a port from 1 to 65535, got {port!r}")
    if problems:
        return {}
    user, _, password = user_info.partition(":")
    if at and not user:
        problems.append("a password needs a user before it: user:password@")
    credentials = Credentials(unquote(user), unquote(password)) if at else None
    return {"host": host.strip("[]"), "port": int(port or BROKER_PORTS[scheme]), "credentials": credentials}


def _read_prefix(path: str, problems: List[str]) -> str:
    prefix = unquote(path).rstrip("/")
    if not _PREFIX.fullmatch(prefix) or len(prefix) > _LONGEST_PREFIX:
        problems.append(
            f"expected a topic such as edgekit/yard after the host, got {prefix!r}: no +, no #, no empty part"
        )
    return prefix


def _read_options(query: str, scheme: str, problems: List[str]) -> Dict[str, Any]:
    values: Dict[str, Any] = {}
    for part in filter(None, query.split("&")):
        name, _, text = part.partition("=")
        if name not in _OPTIONS:
            problems.append(f"{name}: unknown option; known are {', '.join(_OPTIONS)}")
        elif name in values:
            problems.append(f"{name}: given twice")
        else:
            values[name], problem = _read_option(name, unquote(text), scheme)
            problems += [f"{name}: {problem}, got {unquote(text)!r}"] if problem else []
    return values


def _read_option(name: str, text: str, scheme: str) -> Tuple[Any, str]:
    """(value, what is wrong with it)."""
    if name == "ca":
        good = scheme == "mqtts" and text.startswith("/") and text.isprintable()
        return text, "" if good else "only for mqtts://, expected the full path of a certificate file"
    if name == "fps":
        try:
            value = float(text)
        except ValueError:
            value = 0.0
        return value, "" if _FPS[0] <= value <= _FPS[1] else f"expected a number from {_FPS[0]:g} to {_FPS[1]:g}"
    number = {"0": 0, "1": 1}.get(text)
    return (number if name == "qos" else bool(number)), "" if number is not None else "expected 0 or 1"
