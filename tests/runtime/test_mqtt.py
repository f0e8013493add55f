"""Events to a real MQTT broker, and to brokers that are away, hang, refuse or make no sense."""

from __future__ import annotations

import gc
import json
import logging
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from edgekit.core.detections import Detections
from edgekit.core.events import Event
from edgekit.errors import DeviceError, UsageError
from edgekit.runtime import mqtt_link
from edgekit.runtime.frames import Frame, Source
from edgekit.runtime.mqtt_outbox import MOST_EVENTS, Message, Outbox
from edgekit.runtime.pipeline import DetectedFrame, StageTimes
from edgekit.runtime.sinks import open_sinks
from tests.runtime.mosquitto import PASSWORD, USER, Listener, Mosquitto, make_certificates
from tests.servers import needed, no_program

with_mosquitto = needed(no_program("mosquitto"))
ONE_CAR = Detections(np.array([[10, 12, 40, 36]], np.float32), np.array([0.9], np.float32), np.array([0], np.int32))


@pytest.fixture
def quick(monkeypatch):
    """Tries again soon, and does not wait long for an answer."""
    monkeypatch.setattr(mqtt_link, "retry_delay_s", lambda *_: 0.1)
    monkeypatch.setattr(mqtt_link, "_ANSWER_S", 1.0)


@pytest.fixture
def no_gc():
    """What is kept open by a ring of references stays open."""
    gc.disable()
    yield
    gc.enable()


def event(number=0):
    return Event("enter", "gate", "", number, "car", 0.9, (1.0, 2.0, 3.0, 4.0), 5.0, 1.8e9)


def detected(index=0, events=(), stream="", finished_s=None):
    frame = Frame(np.zeros((48, 64, 3), np.uint8), index, 0.0, f"frame-{index}", stream=stream)
    now_s = time.monotonic() if finished_s is None else finished_s
    return DetectedFrame(frame, ONE_CAR, 1.0, now_s, StageTimes(0, 0, 0, 0), (), np.array([7]), tuple(events))


def live_source():
    source = Source()
    source.live = True
    return source


def open_sink(uri):
    return open_sinks([uri], ("car",), live_source())


def numbers(payloads):
    return [json.loads(payload)["track_id"] for payload in payloads]


def received(listener, count, *, qos=1):
    """The numbers of `count` events as they came; with qos 1 without repeats: what was not confirmed comes again."""

    def come():
        found = numbers(listener.payloads("yard/events"))
        return found if qos == 0 else list(dict.fromkeys(found))

    wait_until(lambda: len(come()) >= count)
    return come()


def wait_until(holds, timeout_s=10.0):
    until_s = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < until_s, "it never came to that"
        time.sleep(0.02)


@with_mosquitto
def test_each_event_is_one_message_and_the_status_is_kept_by_the_broker(tmp_path):
    """Whoever comes later would not know whether the camera is watched at all."""
    with Mosquitto(tmp_path) as broker:
        with Listener(broker) as listener, open_sink(f"mqtt://127.0.0.1:{broker.port}/yard") as sinks:
            assert listener.wait("yard/status") == [b"online"]
            sinks.write(detected(0, [event(1), event(2)]))
            sinks.write(detected(1))
            first, _ = listener.wait("yard/events", 2)
            assert first.decode() + "\n" == event(1).to_line()
            with Listener(broker, name="later") as later:
                later.wait("yard/status")
                assert later.messages == [("yard/status", b"online", True)]
        with Listener(broker, name="last") as last:
            assert last.wait("yard/status") == [b"offline"]
        assert numbers(listener.payloads("yard/events")) == [1, 2]
        assert "yard/detections/_" not in {topic for topic, _, _ in listener.messages}


@with_mosquitto
def test_events_just_before_the_end_arrive(tmp_path):
    """The event that made someone stop the service would be the one that is lost."""
    with Mosquitto(tmp_path) as broker, Listener(broker) as listener:
        with open_sink(f"mqtt://127.0.0.1:{broker.port}/yard") as sinks:
            listener.wait("yard/status")
            sinks.write(detected(0, [event(number) for number in range(100)]))
        assert numbers(listener.wait("yard/events", 100)) == list(range(100))


@with_mosquitto
def test_a_service_that_dies_is_told_offline_by_the_broker(tmp_path):
    """A killed service would look as if nothing ever happened in front of its camera."""
    script = (
        "import sys, time; from edgekit.core.broker_uri import parse_broker_uri\n"
        "from edgekit.runtime.mqtt_sink import MqttSink\n"
        "MqttSink(parse_broker_uri(sys.argv[1]), ()); time.sleep(60)"
    )
    with Mosquitto(tmp_path) as broker, Listener(broker) as listener:
        command = [sys.executable, "-c", script, f"mqtt://127.0.0.1:{broker.port}/yard"]
        with subprocess.Popen(command) as child:
            assert listener.wait("yard/status") == [b"online"]
            child.send_signal(signal.SIGKILL)
        assert listener.wait("yard/status", 2)[1] == b"offline"


@with_mosquitto
@pytest.mark.parametrize("qos", [0, 1])
def test_events_outlast_a_restart_of_the_broker(tmp_path, quick, qos):
    """What happens while a broker is updated would never be told."""
    broker = Mosquitto(tmp_path).start()
    with Listener(broker) as listener, open_sink(f"mqtt://127.0.0.1:{broker.port}/yard?qos={qos}") as sinks:
        listener.wait("yard/status")
        sinks.write(detected(0, [event(0)]))
        listener.wait("yard/events")
        broker.stop()
        for number in range(1, 200):
            sinks.write(detected(number, [event(number)]))
        wait_until(lambda: sinks.problems and "connection refused; 199 events wait" in sinks.problems[0])
        broker.start()
        try:
            assert received(listener, 200, qos=qos) == list(range(200))
            wait_until(lambda: sinks.problems == ())
        finally:
            broker.stop()


@with_mosquitto
def test_events_that_a_broker_took_and_did_not_confirm_are_sent_again(tmp_path, quick, monkeypatch):
    """A broker that freezes and dies would take with it what was on its way."""
    monkeypatch.setattr(mqtt_link, "_ANSWER_S", 20.0)
    broker = Mosquitto(tmp_path).start()
    with Listener(broker) as listener, open_sink(f"mqtt://127.0.0.1:{broker.port}/yard") as sinks:
        listener.wait("yard/status")
        time.sleep(0.3)
        broker.freeze()
        for number in range(50):
            sinks.write(detected(number, [event(number)]))
        wait_until(lambda: sinks._sinks[0]._outbox.waiting == 50 - mqtt_link._MOST_IN_HAND)
        broker.kill()
        with broker:
            assert received(listener, 50) == list(range(50))


@with_mosquitto
def test_a_broker_away_at_the_start_is_no_error_and_the_first_thousand_events_wait_for_it(tmp_path, quick):
    """A board that starts before its broker would not start at all; one without a broker would fill its memory."""
    broker = Mosquitto(tmp_path)
    with open_sink(f"mqtt://127.0.0.1:{broker.port}/yard") as sinks:
        for number in range(MOST_EVENTS + 5):
            sinks.write(detected(number, [event(number)]))
        wait_until(lambda: len(sinks.problems) == 2)
        assert sinks.problems[0].startswith(f"mqtt 127.0.0.1:{broker.port} cannot be reached since 0 s: connection ref")
        assert sinks.problems[1].startswith(f"5 events for mqtt 127.0.0.1:{broker.port} were dropped so far")
        with broker:
            wait_until(lambda: len(sinks.problems) == 1)


@with_mosquitto
def test_what_waited_for_a_broker_arrives_whole_and_in_order(tmp_path, quick):
    """An event that leaves before it entered makes every count wrong."""
    broker = Mosquitto(tmp_path).start()
    with Listener(broker) as listener:
        broker.stop()
        with open_sink(f"mqtt://127.0.0.1:{broker.port}/yard") as sinks:
            for number in range(MOST_EVENTS + 5):
                sinks.write(detected(number, [event(number)]))
            with broker:
                assert received(listener, MOST_EVENTS) == list(range(MOST_EVENTS))


@with_mosquitto
@pytest.mark.parametrize("user_info", [f"{USER}:wr0ng-one@", ""])
def test_a_wrong_password_is_said_and_never_shown(tmp_path, quick, caplog, user_info):
    """It would be taken for a broken network, or be read in the journal."""
    caplog.set_level(logging.DEBUG)
    with Mosquitto(tmp_path, password=True) as broker:
        with open_sink(f"mqtt://{user_info}127.0.0.1:{broker.port}/yard") as sinks:
            wait_until(lambda: sinks.problems)
            expected = "refuses user or password" if user_info else "wants user and password"
            assert f"mqtt 127.0.0.1:{broker.port} {expected}, since 0 s" == sinks.problems[0]
    told = caplog.text + repr(sinks) + str(sinks.problems)
    assert expected in caplog.text
    assert not {"wr0ng", USER + ":"} & {part for part in ("wr0ng", USER + ":") if part in told}


@with_mosquitto
def test_user_and_password_are_the_unescaped_ones(tmp_path):
    """A password with a slash could not be used."""
    with Mosquitto(tmp_path, password=True) as broker:
        who = f"{USER}:{PASSWORD.replace('/', '%2F')}@"
        with open_sink(f"mqtt://{who}127.0.0.1:{broker.port}/yard") as sinks:
            wait_until(lambda: sinks._sinks[0].connected)
            assert sinks._sinks[0].target == f"mqtt://***@127.0.0.1:{broker.port}/yard"


@with_mosquitto
@needed(no_program("openssl"))
def test_tls_is_checked_against_our_own_authority(tmp_path, quick):
    """Anyone in the network could read and forge events."""
    certificates = make_certificates(tmp_path / "tls")
    ours = f"ca={certificates}/ca.pem"
    with Mosquitto(tmp_path, tls=certificates) as broker:
        cases = [
            (f"mqtts://localhost:{broker.port}/yard?{ours}", ""),
            (f"mqtts://localhost:{broker.port}/yard", "certificate cannot be trusted"),
            (f"mqtts://127.0.0.1:{broker.port}/yard?{ours}", "certificate cannot be trusted: IP address mismatch"),
            (f"mqtt://localhost:{broker.port}/yard", "cannot be reached"),
        ]
        for uri, problem in cases:
            with open_sink(uri) as sinks:
                if problem:
                    wait_until(lambda: sinks.problems)
                    assert problem in sinks.problems[0], uri
                else:
                    wait_until(lambda: sinks._sinks[0].connected)


@pytest.mark.parametrize("content", [None, b"no certificate"])
def test_a_file_without_certificates_is_a_usage_error_at_the_start(tmp_path, content):
    """A service would run for weeks and tell nothing."""
    if content:
        (tmp_path / "ca.pem").write_bytes(content)
    with pytest.raises(UsageError, match=r"ca\.pem cannot be used"):
        open_sink(f"mqtts://localhost/yard?ca={tmp_path}/ca.pem")


@contextmanager
def server(answer):
    """Someone who is no broker: `answer` is called with each connection, which stays open."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        connections = []

        def accept():
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                connections.append(connection)
                answer(connection)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(5)
            for connection in connections:
                connection.close()


def never(connection):
    """It accepts and never answers."""


def take_and_hang(connection):
    """It takes us, and then neither reads nor answers."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.sendall(b"\x20\x02\x00\x00")


def garble(connection):
    """It sends what makes no sense."""
    connection.sendall(b"\x20\x03\x00\x00\x00" + bytes(range(256)) * 4)


def break_a_message(connection):
    """It takes us, and then sends a message that is shorter than its topic: this ends the thread of paho 2.1."""
    connection.sendall(b"\x20\x02\x00\x00\x30\x03\x00\xff\xff")


def told(problem):
    return "cannot be reached" in problem or "refuses us" in problem


@pytest.mark.timed
@pytest.mark.parametrize("scheme", ["mqtt", "mqtts"])
@pytest.mark.parametrize("answer", [never, take_and_hang, garble, break_a_message], ids=lambda answer: answer.__name__)
def test_a_broker_that_hangs_or_makes_no_sense_slows_no_frame_and_is_told(quick, monkeypatch, scheme, answer):
    """One broken broker would stop every camera."""
    monkeypatch.setattr(mqtt_link, "_CONNECT_S", 1.0)
    writes_s = []
    with server(answer) as port, open_sink(f"{scheme}://127.0.0.1:{port}/yard?detections=1&fps=30") as sinks:
        until_s, problems, index = time.monotonic() + 10, set(), 0
        while time.monotonic() < until_s and not any(map(told, problems)):
            began_s = time.monotonic()
            sinks.write(detected(index, [event(index)] * 10))
            writes_s.append(time.monotonic() - began_s)
            index, problems = index + 1, problems | set(sinks.problems)
            assert not sinks._sinks[0].connected
            time.sleep(0.005)
        assert any(map(told, problems)), problems
        began_s = time.monotonic()
    assert time.monotonic() - began_s < 5.0
    # The machine itself may pause a thread; the broker's waits take a second each.
    assert max(writes_s) < 0.5
    assert sorted(writes_s)[len(writes_s) // 2] < 0.05


@pytest.mark.parametrize("scheme", ["mqtt", "mqtts"])
def test_connections_that_fail_leave_nothing_open(quick, monkeypatch, no_gc, scheme):
    """A service would run out of descriptors during a long outage."""
    monkeypatch.setattr(mqtt_link, "retry_delay_s", lambda *_: 0.001)
    attempts = []
    with server(lambda connection: (attempts.append(1), connection.close())) as port:
        with open_sink(f"{scheme}://127.0.0.1:{port}/yard"):
            wait_until(lambda: len(attempts) > 5)
            before = len(list(Path("/proc/self/fd").iterdir()))
            wait_until(lambda: len(attempts) > 60)
            assert len(list(Path("/proc/self/fd").iterdir())) <= before + 6


@pytest.mark.parametrize("scheme", ["mqtt", "mqtts"])
def test_a_connection_that_failed_is_closed_before_the_next_one_is_tried(quick, monkeypatch, scheme):
    """A broker that hangs would collect our connections; they are what it lacks."""
    monkeypatch.setattr(mqtt_link, "retry_delay_s", lambda *_: 30.0)
    monkeypatch.setattr(mqtt_link, "_CONNECT_S", 0.5)
    accepted = []
    with server(accepted.append) as port, open_sink(f"{scheme}://127.0.0.1:{port}/yard") as sinks:
        wait_until(lambda: sinks.problems)
        accepted[0].settimeout(3.0)
        while accepted[0].recv(4096):
            pass


def test_a_host_that_is_unknown_or_silent_is_named(quick):
    """People could not tell a typo from a broken network."""
    with open_sink("mqtt://no-such-host.invalid/yard") as sinks:
        wait_until(lambda: sinks.problems)
        assert "the host name is unknown" in sinks.problems[0]


@with_mosquitto
def test_detections_are_told_at_most_so_often_for_each_camera(tmp_path):
    """Thirty messages a second of each camera would fill a radio link."""
    with Mosquitto(tmp_path) as broker, Listener(broker) as listener:
        with open_sink(f"mqtt://127.0.0.1:{broker.port}/yard?detections=1&fps=2") as sinks:
            wait_until(lambda: sinks._sinks[0].connected)
            for index in range(60):
                for stream in ("front", ""):
                    sinks.write(detected(index, stream=stream, finished_s=100 + index / 20))
                time.sleep(0.02)
            listener.wait("yard/detections/front", 3)
            wait_until(lambda: len(listener.payloads("yard/detections/_")) >= 3)
    found = [json.loads(payload) for payload in listener.payloads("yard/detections/front")]
    assert [each["index"] for each in found] == sorted(each["index"] for each in found)
    assert len(found) <= 7
    assert found[0]["stream"] == "front"
    assert found[0]["detections"][0]["track_id"] == 7


def test_without_its_package_the_command_that_installs_it_is_named(monkeypatch):
    """A missing module would be a stack trace on a board."""
    for name in [name for name in sys.modules if name.startswith("paho") or "mqtt_" in name]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "paho.mqtt", None)
    with pytest.raises(DeviceError, match="needs the package paho-mqtt") as caught:
        open_sink("mqtt://127.0.0.1:1/yard")
    assert "-m pip install 'paho-mqtt>=2.0'" in caught.value.hint


def test_two_sinks_of_one_broker_are_refused_without_its_password():
    """Each event would come twice."""
    with pytest.raises(UsageError, match=r"mqtt://\*\*\*@h/x") as caught:
        open_sinks(["mqtt://u:s3cret@h/x"] * 2, (), live_source())
    assert "s3cret" not in str(caught.value)


def test_an_outbox_drops_the_newest_events_and_gives_detections_no_chance_to_pile_up():
    """Memory would grow for as long as a broker is away."""
    outbox = Outbox(most_events=3)
    outbox.add([Message("e", b"%d" % number, 1) for number in range(5)])
    outbox.put_latest(Message("d", b"old", 0, lasting=False))
    outbox.put_latest(Message("d", b"new", 0, lasting=False))
    assert (outbox.waiting, outbox.dropped) == (3, 2)
    taken = [outbox.take() for _ in range(4)]
    assert [message.payload for message in taken] == [b"0", b"1", b"2", b"new"]
    outbox.give_back(taken)
    assert [outbox.take().payload for _ in range(3)] == [b"0", b"1", b"2"]
    assert outbox.take() is None
