"""The page's server over real sockets."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgekit.errors import DeviceError
from edgekit.runtime.page import connections, server
from edgekit.runtime.page.feed import Feed
from edgekit.runtime.page.server import PageServer
from tests.runtime.page.conftest import detected, say


@pytest.fixture
def page(feed):
    with PageServer(feed, 0) as page:
        yield page


def ask(page, path, method="GET", **headers):
    """(code, headers, body) of one request on a connection of its own."""
    one = http.client.HTTPConnection("127.0.0.1", page.port, timeout=10)
    try:
        one.request(method, path, headers=headers)
        answer = one.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        one.close()


def connected(page, sent=b"", timeout_s=5.0):
    one = socket.create_connection(("127.0.0.1", page.port), timeout=timeout_s)
    one.sendall(sent)
    return one


def stream_request(name="yard"):
    return f"GET /streams/{name}.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def read_until(one, wanted):
    data = b""
    while wanted not in data:
        part = one.recv(1 << 16)
        assert part, f"ended after {data[:200]!r}"
        data += part
    return data


def wait_for(what, within_s=5.0):
    deadline_s = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("path", "kind", "holds"),
    [
        ("/", "text/html; charset=utf-8", b'<script src="/page.js" defer>'),
        ("/page.css", "text/css; charset=utf-8", b"prefers-color-scheme"),
        ("/page.js", "text/javascript; charset=utf-8", b"status.json"),
        ("/icon.svg", "image/svg+xml", b"<svg"),
        ("/status.json", "application/json", b'"frames":7'),
        ("/metrics", "text/plain; version=0.0.4; charset=utf-8", b"edgekit_frames_total"),
        ("/healthz", "application/json", b'{"status":"ok"}'),
        ("/streams/yard.jpg?17", "image/jpeg", b"\xff\xd8\xff"),
    ],
)
def test_every_path_is_answered_with_its_kind(page, feed, path, kind, holds):
    """A wrong media type, with nosniff, is a page without a look or a script."""
    say(feed)
    feed.show(detected("yard"))
    code, headers, body = ask(page, path)
    assert code == 200 and headers["Content-Type"] == kind and holds in body
    assert int(headers["Content-Length"]) == len(body)
    code, headers, empty = ask(page, path, "HEAD")
    assert code == 200 and headers["Content-Type"] == kind and empty == b""


@pytest.mark.parametrize(
    "path",
    (
        "/page",
        "/assets/page.js",
        "/streams/",
        "/streams/nowhere.jpg",
        "/streams/_.jpg",
        "/../server.py",
        "/%2e%2e/feed.py",
        "//etc/passwd",
        "/streams/../page.js",
        "/%ff",
        "/status.json/",
        "http://[/",
    ),
)
def test_there_are_no_other_paths(page, path):
    """Whatever else would be found is not meant for anyone."""
    one = connected(page, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    with one:
        assert b" 404 " in read_until(one, b"no such page").splitlines()[0]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW"])
def test_nothing_can_be_changed(page, method):
    """The page is for reading."""
    code, headers, _ = ask(page, "/status.json", method)
    assert code == 405 and headers["Allow"] == "GET, HEAD" and headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8080", "127.0.0.1", "127.0.0.1:8080", "[::1]:9"])
def test_our_own_names_are_answered(page, host):
    """Whatever port the tunnel has on the other machine."""
    assert ask(page, "/page.css", Host=host)[0] == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil", ""])
def test_a_foreign_name_that_leads_here_is_refused(page, host):
    """DNS rebinding: any web page could otherwise look through the cameras of whoever has the tunnel open."""
    code, _, body = ask(page, "/status.json", Host=host)
    assert code == 403 and b"localhost" in body and b"health" not in body


def test_every_answer_forbids_what_the_page_does_not_need(page):
    """No script but ours, no frame around it, no picture of it in another site's page, nothing kept."""
    for path in ("/", "/status.json", "/nowhere"):
        headers = ask(page, path)[1]
        assert "default-src 'self'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["Cache-Control"] == "no-store"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["Server"] == "edgekit"


def test_it_listens_on_the_loopback_alone(page):
    """Pictures of a street are not for the network."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
    listening = [row for row in rows if row[3] == "0A"]
    assert [row[1] for row in listening if row[1].endswith(f":{page.port:04X}")] == [f"0100007F:{page.port:04X}"]


def test_a_port_that_is_taken_is_an_error_with_a_way_out(page, feed):
    """Two services on one device."""
    with pytest.raises(DeviceError) as raised:
        PageServer(feed, page.port)
    assert f"port {page.port}" in raised.value.what and "page_port" in raised.value.hint


def test_health_is_a_code_that_programs_understand(page, feed):
    """A load balancer or a watchdog looks at nothing else."""
    code, _, body = ask(page, "/healthz")
    assert code == 503 and json.loads(body) == {"status": "failing", "reason": "the service has not reported yet"}
    assert ask(page, "/metrics")[0] == 503
    say(feed, last_error='a "quoted" reason')
    assert json.loads(ask(page, "/healthz")[2])["reason"] == 'a "quoted" reason'
    say(feed)
    assert ask(page, "/healthz")[0] == 200


def test_a_single_stream_without_a_name_has_a_path():
    """It is the usual case: one camera."""
    feed = Feed(("car",), ("",))
    feed.show(detected(""))
    with PageServer(feed, 0) as page:
        assert ask(page, "/streams/_.jpg")[0] == 200


def test_before_the_first_picture_it_is_said_so(page):
    """A connection that waits for a camera that is away would be one that hangs."""
    for path in ("/streams/yard.jpg", "/streams/yard.mjpg"):
        code, _, body = ask(page, path)
        assert code == 503 and body == b"no picture came yet\n"


def test_pictures_follow_each_other_in_a_stream(page, feed):
    """For programs that read MJPEG: each part a whole picture, the newest one, at most ten a second."""
    feed.show(detected("yard", 0, grey=0, boxes=()))
    with connected(page, stream_request()) as one:
        data = read_until(one, b"\r\n\r\n")
        assert b"multipart/x-mixed-replace; boundary=edgekit-picture" in data
        started_s = time.monotonic()
        for index in range(1, 50):
            feed.show(detected("yard", index, grey=index * 5, boxes=()))
            time.sleep(0.02)
        lasted_s = time.monotonic() - started_s
        one.settimeout(0.3)
        try:
            while True:
                data += one.recv(1 << 16)
        except socket.timeout:
            pass
    parts = data.split(b"--edgekit-picture\r\n")[1:-1]
    assert 5 <= len(parts) <= lasted_s * 10 + 2
    means = []
    for part in parts:
        head, _, body = part.partition(b"\r\n\r\n")
        assert int(head.split(b"Content-Length: ")[1]) == len(body) - 2
        means.append(cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR).mean())
    assert means == sorted(means) and means[-1] > 230


def test_a_viewer_who_left_is_noticed_though_the_camera_is_dead(page, feed, monkeypatch):
    """Eight such, and nobody sees a picture any more."""
    monkeypatch.setattr("edgekit.runtime.page.requests._AGAIN_AFTER_S", 0.1)
    feed.show(detected("yard"))
    with connected(page, stream_request()) as one:
        read_until(one, b"--edgekit-picture\r\nContent-Type")
    wait_for(lambda: len(page._server.connections) == 0)


def test_viewers_are_bounded(page, feed):
    """Each is a thread that draws and sends."""
    feed.show(detected("yard"))
    watching = []
    try:
        for _ in range(server.MOST_STREAMING):
            one = connected(page, stream_request())
            watching.append(one)
            read_until(one, b"\xff\xd8")
        code, _, body = ask(page, "/streams/yard.mjpg")
        assert code == 503 and b"too many" in body
        assert ask(page, "/streams/yard.jpg")[0] == 200
    finally:
        for one in watching:
            one.close()


def test_connections_that_say_nothing_give_way(page, feed):
    """Browsers keep connections open for later; the seventeenth must be answered all the same."""
    say(feed)
    idle = [connected(page) for _ in range(connections.MOST_CONNECTIONS)]
    try:
        wait_for(lambda: len(page._server.connections) == connections.MOST_CONNECTIONS)
        assert ask(page, "/healthz")[0] == 200
        assert idle[0].recv(1) == b"", "the one that was idle for longest is closed"
        idle[-1].sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b" 200 " in read_until(idle[-1], b"ok")
    finally:
        for one in idle:
            one.close()


def test_a_client_that_sends_byte_by_byte_is_ended(page, monkeypatch):
    """Slowloris: each byte in time, and never a whole request."""
    monkeypatch.setattr(connections, "REQUEST_LIMIT_S", 0.5)
    with connected(page, b"GET / HTTP/1.1\r\n") as slow:
        slow.settimeout(0.1)
        deadline_s = time.monotonic() + 5
        while time.monotonic() < deadline_s:
            try:
                slow.sendall(b"X")
                if slow.recv(1) == b"":
                    break
            except socket.timeout:
                continue
            except ConnectionError:
                break
        else:
            pytest.fail("it was let go on")


@pytest.mark.parametrize(
    ("request_bytes", "code"),
    [
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", b"414"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 150 + b"\r\n", b"431"),
        # HTTP/0.9, which the following are taken for, has no codes.
        (b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", b"cannot be answered"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n", b"cannot be answered"),
    ],
)
def test_requests_that_make_no_sense_are_refused(page, feed, request_bytes, code):
    """Large headers would fill the memory; what follows them must be answered."""
    with connected(page) as one:
        with suppress(ConnectionError):
            one.sendall(request_bytes)
        assert code in read_until(one, b"\n").splitlines()[0]
    say(feed)
    assert ask(page, "/healthz")[0] == 200


def test_what_follows_a_request_with_a_body_is_not_taken_for_another(page, feed):
    """A body is never read here, so the connection ends behind the answer."""
    say(feed)
    smuggled = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
    head = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(smuggled)
    with connected(page, head + smuggled) as one:
        answer = read_until(one, b"ok")
        while True:
            try:
                part = one.recv(1 << 16)
            except ConnectionError:
                break
            answer += part
            if not part:
                break
    assert b"edgekit_" not in answer.replace(b"Server: edgekit", b"")


@pytest.mark.timed
def test_it_ends_at_once_with_viewers_connected(feed):
    """A release is taken over within seconds; an open browser somewhere must not hold that up."""
    feed.show(detected("yard"))
    before = threading.active_count()
    page = PageServer(feed, 0)
    watching, idle = connected(page, stream_request()), connected(page)
    with watching, idle:
        read_until(watching, b"\xff\xd8")
        wait_for(lambda: len(page._server.connections) == 2)
        started_s = time.monotonic()
        page.close()
        assert time.monotonic() - started_s < 0.5
        assert idle.recv(1) == b""
    page.close()
    with PageServer(feed, page.port):  # the port is free again
        pass
    wait_for(lambda: threading.active_count() <= before, within_s=3)


def test_many_requests_come_over_one_connection(page, feed):
    """Ten pictures a second through an SSH tunnel: a connection for each would cost a round trip more."""
    feed.show(detected("yard"))
    one = http.client.HTTPConnection("127.0.0.1", page.port, timeout=5)
    one.connect()
    mine = one.sock.getsockname()
    for _ in range(20):
        one.request("GET", "/streams/yard.jpg")
        assert one.getresponse().read()
        assert one.sock.getsockname() == mine
    one.close()
