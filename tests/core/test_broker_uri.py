"""Addresses of MQTT brokers, the passwords in them, and what is said of a broker that is away."""

from __future__ import annotations

import random

import pytest

from edgekit.core.broker_failures import LONGEST_S, SHORTEST_S, BrokerFailure, retry_delay_s
from edgekit.core.broker_uri import EXAMPLES, parse_broker_uri
from edgekit.core.camera_uri import Credentials
from edgekit.errors import UsageError

SECRET = "s3cr/t:p@ss?word"
ESCAPED = "s3cr%2Ft%3Ap%40ss%3Fword"


@pytest.mark.parametrize("uri", EXAMPLES.values(), ids=EXAMPLES)
def test_every_example_that_a_message_shows_is_an_address(uri):
    """A person would type what the error says, and get the next error."""
    assert parse_broker_uri(uri).scheme == uri.partition(":")[0]


def test_all_parts_are_read():
    """Events would go elsewhere, or less safely than asked for."""
    uri = parse_broker_uri("MQTTS://u:p@broker.local:9000/site/yard/?qos=0&ca=/etc/ca%20x.pem&detections=1&fps=0.5")
    assert (uri.host, uri.port, uri.prefix, uri.tls) == ("broker.local", 9000, "site/yard", True)
    assert (uri.qos, uri.ca, uri.detections, uri.fps) == (0, "/etc/ca x.pem", True, 0.5)
    assert uri.credentials == Credentials("u", "p")


@pytest.mark.parametrize(
    ("text", "host", "port", "name"),
    [
        ("mqtt://h/x", "h", 1883, "mqtt h:1883"),
        ("mqtts://10.0.0.7/x", "10.0.0.7", 8883, "mqtts 10.0.0.7:8883"),
        ("mqtt://[fe80::1]/x", "fe80::1", 1883, "mqtt [fe80::1]:1883"),
        ("mqtt://u@[fe80::1%eth0]:99/x", "fe80::1%eth0", 99, "mqtt [fe80::1%eth0]:99"),
    ],
)
def test_hosts_and_ports(text, host, port, name):
    """Brokers with IPv6 addresses could not be reached."""
    uri = parse_broker_uri(text)
    assert (uri.host, uri.port, uri.name) == (host, port, name)


def test_a_password_is_kept_whole_and_never_shown():
    """It would be in every journal and report."""
    uri = parse_broker_uri(f"mqtt://admin:{ESCAPED}@h/x")
    assert uri.credentials == Credentials("admin", SECRET)
    assert str(uri) == "mqtt://***@h:1883/x"
    assert "admin" not in repr(uri)
    assert "cr" not in repr(uri)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("mqtt://h", "expected a topic such as"),
        ("mqtt://h/", "expected a topic such as"),
        ("mqtt://h/a//b", "no empty part"),
        ("mqtt://h/a/%2B", "got 'a/+'"),
        ("mqtt://h/$SYS", "expected a topic"),
        ("mqtt:///x", "expected a host after mqtt://, got ''"),
        ("mqtt://h:0/x", "expected a port from 1 to 65535, got '0'"),
        ("mqtt://h:/x", "got ''"),
        ("mqtt://h/x?qos=2", "qos: expected 0 or 1, got '2'"),
        ("mqtt://h/x?fps=nan", "fps: expected a number from 0.01 to 30"),
        ("mqtt://h/x?ca=/c", "ca: only for mqtts://"),
        ("mqtts://h/x?ca=c.pem", "the full path"),
        ("mqtt://h/x?qso=1", "qso: unknown option; known are qos, detections, fps, ca"),
        ("mqtt://h/x?qos=1&qos=0", "qos: given twice"),
        ("mqtt://:pw@h/x", "needs a user"),
        ("http://h/x", "not the address of an MQTT broker"),
    ],
)
def test_what_is_wrong_is_said(text, part):
    """A typo in an address would be a service without events."""
    with pytest.raises(UsageError) as caught:
        parse_broker_uri(text)
    assert part in str(caught.value)
    assert "example: mqtt" in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        f"mqtt://admin:{SECRET}@h/x",
        f"mqtt://admin:{SECRET}@h:x/y?qos=9",
        "mqtt://admin:s3cr/t@h",
        "mqtt://admin:s3cr?t@h/x",
        "mqt://admin:s3cr@h/x",
    ],
)
def test_no_error_shows_any_of_a_password(text):
    """Half of it is enough to guess the rest."""
    with pytest.raises(UsageError) as caught:
        parse_broker_uri(text)
    assert "s3cr" not in str(caught.value)
    assert "ss?word" not in str(caught.value)


def test_the_wait_for_a_broker_grows_and_is_never_the_same_for_all():
    """A hundred devices would come back to a broker in the same second."""
    chance = random.Random(1)
    spans = {}
    for failures in (1, 3, 6, 99):
        waits = [retry_delay_s(failures, False, chance) for _ in range(500)]
        assert min(waits) >= SHORTEST_S
        spans[failures] = max(waits)
    assert 1.5 < spans[1] <= 2
    assert 7 < spans[3] <= 8
    assert 50 < spans[6] <= LONGEST_S
    assert 50 < spans[99] <= LONGEST_S
    assert all(20 <= retry_delay_s(1, True, chance) <= 60 for _ in range(100))


def test_sentences_on_a_broker():
    """People could not tell a cable from a password."""
    assert (
        BrokerFailure("connection refused").sentence("mqtt b:1883", 12.4, 0)
        == "mqtt b:1883 cannot be reached since 12 s: connection refused"
    )
    assert (
        BrokerFailure("refuses user or password", True).sentence("mqtt b:1883", 3, 7)
        == "mqtt b:1883 refuses user or password, since 3 s; 7 events wait"
    )
