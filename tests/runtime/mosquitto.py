"""A real MQTT broker for tests, certificates for it, and someone who listens."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any, List, Optional, Tuple

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from tests.runtime.capture.cameras import free_port

_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
USER, PASSWORD = "yard", "s3cret/pass"


class Mosquitto:
    """mosquitto on a port of 127.0.0.1. It keeps what it owes to sessions when it is stopped and started again."""

    def __init__(self, folder: Path, *, password: bool = False, tls: Optional[Path] = None) -> None:
        self.port = free_port()
        self.process: Optional[subprocess.Popen[bytes]] = None
        self._folder = folder
        self._config = folder / "mosquitto.conf"
        lines = [f"listener {self.port} 127.0.0.1", "persistence true", f"persistence_location {folder}/"]
        lines += ["max_queued_messages 0", "queue_qos0_messages true"]
        lines += ["autosave_on_changes true", "autosave_interval 1"]  # sessions outlast a kill
        lines += ["user root"] if os.geteuid() == 0 else []  # it could not read the files of a test otherwise
        lines += [f"password_file {self._password_file()}"] if password else ["allow_anonymous true"]
        lines += [f"certfile {tls}/server.pem", f"keyfile {tls}/server.key"] if tls else []
        self._config.write_text("\n".join(lines) + "\n")

    def start(self) -> Mosquitto:
        command = [str(shutil.which("mosquitto", path=_PATH)), "-c", str(self._config)]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        until_s = time.monotonic() + 10
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            assert time.monotonic() < until_s, "mosquitto did not start"
            time.sleep(0.02)

    def freeze(self) -> None:
        """As a machine that swaps: connections stay, nothing answers."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        self.stop(signal.SIGKILL)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(10)
            self.process = None

    def __enter__(self) -> Mosquitto:
        return self.start()

    def __exit__(self, *_: Any) -> None:
        self.stop()

    def _password_file(self) -> Path:
        path = self._folder / "passwords"
        command = [str(shutil.which("mosquitto_passwd", path=_PATH)), "-c", "-b", str(path), USER, PASSWORD]
        subprocess.run(command, check=True, capture_output=True)
        return path


class Listener:
    """Someone who gets everything below a prefix, also what is told while the broker restarts."""

    def __init__(self, broker: Mosquitto, prefix: str = "yard", *, name: str = "listener") -> None:
        self.messages: List[Tuple[str, bytes, bool]] = []
        self._came = threading.Condition()
        self._ready = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, name, clean_session=False)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_message = self._on_message
        self._client.on_connect = lambda client, *_: client.subscribe(f"{prefix}/#", 1)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()
        assert self._ready.wait(10)

    def payloads(self, topic: str) -> List[bytes]:
        with self._came:
            return [payload for name, payload, _ in self.messages if name == topic]

    def wait(self, topic: str, count: int = 1, timeout_s: float = 10) -> List[bytes]:
        """The payloads of a topic, once there are so many."""
        with self._came:
            self._came.wait_for(lambda: sum(name == topic for name, _, _ in self.messages) >= count, timeout_s)
        found = self.payloads(topic)
        assert len(found) >= count, f"{len(found)} of {count} messages on {topic}"
        return found

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: Any) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, client: Any, userdata: Any, message: Any) -> None:
        with self._came:
            self.messages.append((message.topic, message.payload, message.retain))
            self._came.notify_all()


def make_certificates(folder: Path, host: str = "localhost") -> Path:
    """An authority of our own (ca.pem) and a server's certificate by it (server.pem, server.key); their folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "names").write_text(f"subjectAltName=DNS:{host}\n")
    ca = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=Test CA"]
    ask = ["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={host}"]
    sign = ["openssl", "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"]
    for command in (
        [*ca, "-keyout", "ca.key", "-out", "ca.pem"],
        [*ask, "-keyout", "server.key", "-out", "server.csr"],
        [*sign, "-days", "2", "-extfile", "names", "-out", "server.pem"],
    ):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder
