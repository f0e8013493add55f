"""Real servers to read cameras from in tests and measurements, and ways to make them fail."""

from __future__ import annotations

import os
import random
import selectors
import signal
import socket
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Dict, List, Optional

import numpy as np

from tests.servers import SYSTEM_PYTHON

_SERVER = Path(__file__).with_name("rtsp_server.py")


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class RtspServer:
    """A camera at rtsp://127.0.0.1:PORT/cam; see rtsp_server.py for the options."""

    def __init__(self, *options: str, port: Optional[int] = None) -> None:
        self.port = port or free_port()
        self.options = options
        self.process: Optional[subprocess.Popen[str]] = None

    @property
    def uri(self) -> str:
        return f"rtsp://127.0.0.1:{self.port}/cam"

    def start(self) -> RtspServer:
        command = [SYSTEM_PYTHON, str(_SERVER), str(self.port), *self.options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n", "the server did not start"
        return self

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def freeze(self) -> None:
        """As a camera whose firmware hangs: connections stay, nothing answers."""
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            if self.process.stdout is not None:
                self.process.stdout.close()
            self.process = None

    def __enter__(self) -> RtspServer:
        return self.start()

    def __exit__(self, *_: Any) -> None:
        self.kill()


class Proxy:
    """A TCP relay to a camera, in a thread. While `hole` is set it keeps every connection and swallows every byte.

    As a cable that is pulled: nobody is told. Connections made meanwhile stay dead afterwards.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.hole = False
        self.damage: Optional[random.Random] = None  # while set, it changes some of the bytes that pass
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._peers: Dict[socket.socket, socket.socket] = {}
        self._dead: List[socket.socket] = []
        self._ending = False
        self._thread = threading.Thread(target=self._relay, daemon=True)
        self._thread.start()

    @property
    def uri(self) -> str:
        return f"rtsp://127.0.0.1:{self.port}/cam"

    def _relay(self) -> None:
        while not self._ending:
            for key, _ in self._selector.select(0.05):
                if key.fileobj is self._listener:
                    self._accept()
                elif isinstance(key.fileobj, socket.socket):
                    self._pass_on(key.fileobj)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        if self.hole:
            self._dead.append(client)
            return
        try:
            camera = socket.create_connection(("127.0.0.1", self._target), timeout=1)
        except OSError:
            client.close()
            return
        for one, other in ((client, camera), (camera, client)):
            self._peers[one] = other
            self._selector.register(one, selectors.EVENT_READ)

    def _pass_on(self, one: socket.socket) -> None:
        if one not in self._peers:
            return
        data = b""
        with suppress(OSError):
            data = one.recv(1 << 16)
        if self.hole:
            self._bury(one)
        elif data:
            with suppress(OSError):
                self._peers[one].sendall(self._damaged(data))
        else:
            self._drop(one)

    def _damaged(self, data: bytes) -> bytes:
        if self.damage is None:
            return data
        changed = bytearray(data)
        for _ in range(len(data) // 200):
            changed[self.damage.randrange(len(data))] = self.damage.randrange(256)
        return bytes(changed)

    def _bury(self, one: socket.socket) -> None:
        for each in (one, self._peers.pop(one)):
            with suppress(KeyError):
                self._selector.unregister(each)
            self._peers.pop(each, None)
            self._dead.append(each)

    def _drop(self, one: socket.socket) -> None:
        for each in (one, self._peers.pop(one)):
            with suppress(KeyError):
                self._selector.unregister(each)
            self._peers.pop(each, None)
            each.close()

    def forget_dead(self) -> None:
        """Close what the hole swallowed."""
        while self._dead:
            self._dead.pop().close()

    def close(self) -> None:
        self._ending = True
        self._thread.join()
        for one in (*self._peers, *self._dead, self._listener):
            one.close()
        self._selector.close()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


class Answering:
    """A port where each connection gets `answer`, b"" for none, and is closed."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def uri(self) -> str:
        return f"rtsp://127.0.0.1:{self.port}/cam"

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                with client, suppress(OSError):
                    client.sendall(self._answer)
                    client.settimeout(0.2)
                    client.recv(1 << 16)

    def __enter__(self) -> Answering:
        return self

    def __exit__(self, *_: Any) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


class Silent:
    """A port that takes connections and never says a word: the kernel answers, no program does."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]

    @property
    def uri(self) -> str:
        return f"rtsp://127.0.0.1:{self.port}/cam"

    def __enter__(self) -> Silent:
        return self

    def __exit__(self, *_: Any) -> None:
        self._listener.close()


def clock_ns(pixels: np.ndarray) -> int:
    """When the server made this picture, from the 64 blocks it drew."""
    blocks = pixels[4:12, :512].reshape(8, 64, 8, 3)[:, :, 2:6].mean(axis=(0, 2, 3))
    value = 0
    for block in blocks:
        value = value << 1 | int(block > 126)
    return value


def descriptors(pid: Optional[int] = None) -> int:
    """Open file descriptors of a process."""
    return len(list(Path(f"/proc/{pid or os.getpid()}/fd").iterdir()))


def resident_mib() -> float:
    """Memory of this process that is in RAM, shared memory left out."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return (int(fields["RssAnon"].split()[0])) / 1024


def wait_for(what: Any, within_s: float) -> bool:
    """True once `what()` is true, False if that takes too long."""
    deadline_s = time.monotonic() + within_s
    while not what():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.02)
    return True
