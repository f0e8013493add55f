"""The connection to an MQTT broker: one thread that connects, publishes, and comes back when it is lost.

The only module that knows paho. A client lives for one connection: what it did not get confirmed goes back to the
outbox, and nothing of a connection that failed reaches into the next one.
"""

from __future__ import annotations

import logging
import random
import secrets
import socket
import ssl
import threading
import time
from collections import deque
from contextlib import suppress
from typing import Any, Callable, Deque, List, NamedTuple, Optional

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from edgekit.core.broker_failures import BrokerFailure, retry_delay_s
from edgekit.core.broker_uri import BrokerUri
from edgekit.runtime.mqtt_outbox import Message, Outbox
from edgekit.runtime.mqtt_tls import VerifyingContext, tls_context

_log = logging.getLogger(__name__)

ONLINE, OFFLINE = b"online", b"offline"
_KEEPALIVE_S = 20
_CONNECT_S = 5.0  # for the network, and once more for TLS
_ANSWER_S = 10.0  # for what only the broker itself can say
# How late an event may be looked at; paho's own way to be woken is for its own thread.
_TURN_S = 0.05
# Messages that are with paho and not confirmed. It would resend no more than these at once itself.
_MOST_IN_HAND = 20
_FLUSH_S = 2.0
_GOODBYE_S = 1.0
_REFUSED_CODES = (4, 5)  # CONNACK return codes of MQTT 3.1.1, table 3.1: bad user name or password; not authorized


class _InHand(NamedTuple):
    info: paho.MQTTMessageInfo
    message: Message
    given_s: float


class BrokerLink:
    """Publishes what is in the outbox for as long as it is open; nobody ever waits for it."""

    def __init__(self, broker: BrokerUri, outbox: Outbox) -> None:
        """Raises UsageError if the certificates of `ca` cannot be read."""
        self._broker = broker
        self._outbox = outbox
        self._tls = tls_context(broker) if broker.tls else None
        self._client_id = f"edgekit-{secrets.token_hex(6)}"
        self._failure: Optional[BrokerFailure] = None
        self._away_since_s: Optional[float] = time.monotonic()
        self._ending = threading.Event()
        self._chance = random.Random()
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)
        self._thread.start()

    @property
    def connected(self) -> bool:
        """True while the broker takes messages."""
        return self._away_since_s is None

    @property
    def problem(self) -> str:
        """A sentence on why the broker cannot be reached; "" if it can, or before that is known."""
        failure, since_s = self._failure, self._away_since_s
        if failure is None or since_s is None:
            return ""
        return failure.sentence(self._broker.name, time.monotonic() - since_s, self._outbox.waiting)

    def close(self) -> None:
        """Send what waits, if that is quick, and say goodbye. After 4 s it is left alone."""
        self._ending.set()
        self._thread.join(_FLUSH_S + _GOODBYE_S + 1.0)
        if self._outbox.waiting:
            _log.warning("%d events did not reach %s", self._outbox.waiting, self._broker.name)

    def _run(self) -> None:
        failures = 0
        while not self._ending.is_set():
            connection = _Connection(self._broker, self._client_id, self._tls, self._outbox)
            try:
                connection.open()
                self._failure, self._away_since_s, failures = None, None, 0
                connection.serve(self._ending)
            except Exception as error:  # also of paho, which trusts a broker to make sense
                failures += 1
                self._failed(failure_of(error, self._broker), failures == 1)
            finally:
                connection.close()
            if not self._ending.is_set():
                refused = self._failure is not None and self._failure.refused
                self._ending.wait(retry_delay_s(failures, refused, self._chance))

    def _failed(self, failure: BrokerFailure, is_first: bool) -> None:
        if self._away_since_s is None:
            self._away_since_s = time.monotonic()
        if is_first or failure != self._failure:
            _log.warning("%s", failure.sentence(self._broker.name, time.monotonic() - self._away_since_s, 0))
        self._failure = failure
        self._outbox.forget_latest()


class _RefusedError(Exception):
    """The broker answered, and said no."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class _Connection:
    """One connection, used by one thread, from `open` to `close`."""

    def __init__(self, broker: BrokerUri, client_id: str, tls: Optional[VerifyingContext], outbox: Outbox) -> None:
        self._outbox = outbox
        self._tls = tls
        self._status = f"{broker.prefix}/status"
        self._in_hand: Deque[_InHand] = deque()
        self._answer: Any = None
        self._address = (broker.host, broker.port)
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id, clean_session=True, reconnect_on_failure=False
        )
        self._client.connect_timeout = _CONNECT_S
        self._client.max_queued_messages_set(_MOST_IN_HAND + 1)
        self._client.will_set(self._status, OFFLINE, qos=1, retain=True)
        self._client.on_connect = self._on_connect
        if broker.credentials is not None:
            self._client.username_pw_set(broker.credentials.user, broker.credentials.password)
        if tls is not None:
            self._client.tls_set_context(tls)

    def open(self) -> None:
        """Connect, and say that we are online. Raises OSError or _RefusedError.

        Only a broker that confirms a message is there: one that hangs may still accept connections.
        """
        self._client.connect(*self._address, keepalive=_KEEPALIVE_S)
        if not self._turn_until(lambda: self._answer is not None, _ANSWER_S):
            raise socket.timeout
        online = self._client.publish(self._status, ONLINE, qos=1, retain=True)
        if not self._turn_until(online.is_published, _ANSWER_S):
            raise socket.timeout

    def serve(self, ending: threading.Event) -> None:
        """Publish until `ending` is set. Raises OSError once the connection is lost."""
        while not ending.is_set():
            self._publish()
            self._turn()
        until_s = time.monotonic() + _FLUSH_S
        while (self._outbox.waiting or self._in_hand) and time.monotonic() < until_s:
            self._publish()
            self._turn()
        # A broker tells the last will only of those who vanish.
        farewell = self._client.publish(self._status, OFFLINE, qos=1, retain=True)
        self._turn_until(farewell.is_published, _GOODBYE_S)
        self._client.disconnect()

    def close(self) -> None:
        """Close the socket, whatever state it is in, and give back what did not arrive."""
        for sock in (self._client.socket(), self._tls.latest if self._tls is not None else None):
            if sock is not None:
                with suppress(OSError):
                    sock.close()
        self._client.on_connect = None  # the ring of references would keep paho's descriptors open
        self._outbox.give_back([each.message for each in self._in_hand])
        self._in_hand.clear()

    def _on_connect(self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        self._answer = reason

    def _turn(self) -> None:
        code = self._client.loop(_TURN_S)
        if self._answer is not None and self._answer.is_failure:
            raise _RefusedError(*_refusal(self._answer))
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise ConnectionResetError("the connection broke")
        while self._in_hand and self._in_hand[0].info.is_published():
            self._in_hand.popleft()
        if self._in_hand and time.monotonic() - self._in_hand[0].given_s > _ANSWER_S:
            raise socket.timeout

    def _publish(self) -> None:
        while len(self._in_hand) < _MOST_IN_HAND:
            message = self._outbox.take()
            if message is None:
                return
            info = self._client.publish(message.topic, message.payload, message.qos)
            self._in_hand.append(_InHand(info, message, time.monotonic()))
            if info.rc not in (MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_AGAIN):
                raise ConnectionResetError("the connection broke")

    def _turn_until(self, holds: Callable[[], bool], limit_s: float) -> bool:
        until_s = time.monotonic() + limit_s
        while not holds() and time.monotonic() < until_s:
            self._turn()
        return holds()


def failure_of(error: BaseException, broker: BrokerUri) -> BrokerFailure:
    """What an exception of a connection means; nothing of its text is quoted that could hold more than a reason."""
    if isinstance(error, _RefusedError):
        if error.code not in _REFUSED_CODES:
            return BrokerFailure(f"refuses us: {error}", refused=True)
        return BrokerFailure("refuses user or password" if broker.credentials else "wants user and password", True)
    if isinstance(error, ssl.SSLCertVerificationError):
        return BrokerFailure(f"its certificate cannot be trusted: {error.verify_message}")
    if isinstance(error, ssl.SSLError):
        return BrokerFailure(f"TLS failed: {(error.reason or 'no reason was given').lower().replace('_', ' ')}")
    if isinstance(error, socket.gaierror):
        return BrokerFailure("the host name is unknown")
    if isinstance(error, (socket.timeout, TimeoutError)):
        return BrokerFailure("it does not answer")
    if isinstance(error, PermissionError):
        return BrokerFailure("this computer does not allow it")
    if isinstance(error, OSError):
        return BrokerFailure((error.strerror or str(error) or type(error).__name__).lower())
    return BrokerFailure(f"{type(error).__name__} in the MQTT library")


def _refusal(reason: Any) -> List[Any]:
    """(code of MQTT 3.1.1, text); paho tells the codes of version 5 in their place."""
    code = {"Bad user name or password": 4, "Not authorized": 5}.get(str(reason), reason.value)
    return [code, str(reason).lower()]
