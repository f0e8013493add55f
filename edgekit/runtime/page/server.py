"""The page's web server: on the loopback alone, for reading alone, bounded in all that a client can ask of it."""

from __future__ import annotations

import logging
import socket
import sys
import threading
from contextlib import suppress
from http.server import ThreadingHTTPServer
from typing import Any

from edgekit.errors import DeviceError
from edgekit.runtime.page.answers import Answers
from edgekit.runtime.page.connections import Connections
from edgekit.runtime.page.feed import Feed
from edgekit.runtime.page.requests import PageRequest

ADDRESS = "127.0.0.1"
MOST_STREAMING = 8
_LOOK_EVERY_S = 0.5
_BUSY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_log = logging.getLogger(__name__)


class PageServer:
    """Serves a feed's page from construction on, in threads of its own; a context manager.

    Raises DeviceError if the port cannot be had. port 0: any free one, which `port` then names.
    """

    def __init__(self, feed: Feed, port: int) -> None:
        try:
            self._server = _Server(Answers(feed), port)
        except OSError as error:
            raise DeviceError(
                f"the page cannot use port {port}",
                why=error.strerror or str(error),
                hint="another page_port in devices.yaml; 0 for no page",
            ) from None
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_LOOK_EVERY_S,), name="page", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """End at once, with every connection. May be called twice."""
        self._server.end()
        self._thread.join()

    def __enter__(self) -> PageServer:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 16

    def __init__(self, answers: Answers, port: int) -> None:
        self.answers = answers
        self.connections = Connections()
        self.streaming = threading.BoundedSemaphore(MOST_STREAMING)
        self.ending = False
        super().__init__((ADDRESS, port), PageRequest)

    def server_bind(self) -> None:
        # HTTPServer's own asks the name service for our name, which may take long without a network.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "localhost", self.server_address[1]

    def verify_request(self, request: Any, client_address: Any) -> bool:
        if self.connections.admit(request):
            return True
        with suppress(OSError):
            request.settimeout(0)
            request.sendall(_BUSY)
        return False

    def shutdown_request(self, request: Any) -> None:
        self.connections.forget(request)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        self.connections.end_late()

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that went away is no fault of ours.
        if not isinstance(sys.exc_info()[1], (ConnectionError, socket.timeout)):
            _log.warning("the page failed to answer", exc_info=True)

    def end(self) -> None:
        if self.ending:
            return
        self.ending = True
        with suppress(OSError):
            self.socket.shutdown(
                socket.SHUT_RDWR
            )  # wakes up serve_forever, which looks at its orders only now and then
        self.shutdown()
        self.server_close()
        self.connections.end_all()
