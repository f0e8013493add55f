"""One connection of the page: what is asked, who may ask it, and how the answer is sent."""

from __future__ import annotations

import re
import time
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, Optional
from urllib.parse import unquote, urlsplit

from edgekit.runtime.page.answers import Answer, Streamed
from edgekit.runtime.page.connections import REQUEST_LIMIT_S
from edgekit.runtime.page.pictures import MOST_A_SECOND

if TYPE_CHECKING:
    from edgekit.runtime.page.server import _Server

_OWN_HOST = re.compile(r"(?i)(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?")
_HEADERS = (
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
)
_BOUNDARY = "edgekit-picture"
_AGAIN_AFTER_S = 2.0
_WAKE_EVERY_S = 0.5


class PageRequest(BaseHTTPRequestHandler):
    """The requests of one connection, one after another."""

    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = REQUEST_LIMIT_S
    disable_nagle_algorithm = True

    def handle_one_request(self) -> None:
        self.server.connections.waits(self.connection)
        super().handle_one_request()

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, with_body: bool) -> None:
        self.server.connections.answers(self.connection)
        if self.headers.get("Content-Length") or self.headers.get("Transfer-Encoding"):
            self.close_connection = True  # nobody reads what else it sends
        if not _OWN_HOST.fullmatch(self.headers.get("Host", "")):
            # A name that someone else's name server leads to 127.0.0.1 would let that one's pages read ours.
            self.send_error(403)
            return
        answer = self.server.answers.to(_path_of(self.path))
        if answer is None:
            self.send_error(404)
        elif isinstance(answer, Streamed):
            self._stream(answer, with_body)
        else:
            self._send(answer, with_body)

    def send_error(self, code: int, message: Optional[str] = None, explain: Optional[str] = None) -> None:
        """Say what was wrong in a line of text; also called by http.server itself for what it cannot read."""
        code = 405 if code == 501 else code
        self.close_connection = True
        with_body = getattr(self, "command", None) != "HEAD"
        self._send(Answer.text(code, _REASONS.get(code, "this cannot be answered")), with_body)

    def _send(self, answer: Answer, with_body: bool) -> None:
        self._start(answer.code, answer.media_type)
        self.send_header("Content-Length", str(len(answer.body)))
        if answer.code == 405:
            self.send_header("Allow", "GET, HEAD")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if with_body:
            self.wfile.write(answer.body)

    def _start(self, code: int, media_type: str) -> None:
        self.send_response(code)
        self.send_header("Content-Type", media_type)
        for name, value in _HEADERS:
            self.send_header(name, value)

    def _stream(self, streamed: Streamed, with_body: bool) -> None:
        if not self.server.streaming.acquire(blocking=False):
            self._send(Answer.text(503, "too many are watching already"), with_body)
            return
        try:
            self.close_connection = True
            self._start(200, f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
            self.send_header("Connection", "close")
            self.end_headers()
            if with_body:
                self._send_pictures(streamed)
        finally:
            self.server.streaming.release()

    def _send_pictures(self, streamed: Streamed) -> None:
        """Picture after picture until the client goes; the last one again and again where none follows.

        Only in writing is it seen that a client has gone. The boundary goes behind each picture, as browsers show one
        only then.
        """
        self.wfile.write(f"--{_BOUNDARY}\r\n".encode())
        number, sent_s = 0, 0.0
        while not self.server.ending:
            picture = streamed.pictures.newer(streamed.stream, number, _WAKE_EVERY_S)
            if picture is None and time.monotonic() - sent_s >= _AGAIN_AFTER_S:
                picture = streamed.pictures.latest(streamed.stream)
            if picture is None:
                continue
            number, sent_s = picture.number, time.monotonic()
            head = f"Content-Type: image/jpeg\r\nContent-Length: {len(picture.jpeg)}\r\n\r\n".encode()
            self.wfile.write(head + picture.jpeg + f"\r\n--{_BOUNDARY}\r\n".encode())
            time.sleep(max(0.0, sent_s + 1 / MOST_A_SECOND - time.monotonic()))

    def version_string(self) -> str:
        """Who answers; not which Python it is."""
        return "edgekit"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: a page that asks once a second would fill the journal."""


_REASONS = {
    403: "This page answers under localhost and 127.0.0.1 only.",
    404: "There is no such page.",
    405: "This page is for reading only.",
    414: "The address is too long.",
    431: "The request is too large.",
}


def _path_of(target: str) -> str:
    try:
        return unquote(urlsplit(target).path, errors="strict")
    except ValueError:
        return ""
