"""`edgekit view`: the way to a page on this machine, and through a real SSH server to one of another."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from edgekit.cli.app import app
from edgekit.core.machine import MachineReadings
from edgekit.core.service import Health
from edgekit.runtime.page.feed import Feed
from edgekit.runtime.page.server import PageServer
from tests.ssh_server import SSHServer, make_key

HEALTH = Health("street", "0" * 16, 1, 7, 9, 10.0, 40.0, 0, "e" * 16, "fp32", 1.7e9, 1.7e9)


@pytest.fixture
def page():
    feed = Feed(("car",), ("",))
    feed.say(HEALTH, MachineReadings())
    with PageServer(feed, 0) as page:
        page.feed = feed
        yield page


class Project:
    """A project with this machine and one behind an SSH server, both with the same page port."""

    def __init__(self, root, server):
        self.root, self._server = root, server

    def with_port(self, page_port):
        nx = {"address": "127.0.0.1", "port": self._server.port, "user": "ed", "key": str(self.root / "user")}
        devices = {
            "local": {"kind": "local", "page_port": page_port},
            "nx": {**nx, "source": "/v", "page_port": page_port},
        }
        (self.root / "devices.yaml").write_text(json.dumps({"devices": devices}))
        return self

    def run(self, *words):
        return CliRunner().invoke(app, [*words, "--project", str(self.root)])


@pytest.fixture
def project(tmp_path):
    with contextlib.closing(SSHServer(make_key(tmp_path / "host"), make_key(tmp_path / "user"))) as server:
        project = Project(tmp_path, server).with_port(8080)
        assert project.run("enroll", "nx", "--yes").exit_code == 0
        yield project


@pytest.fixture
def another_program():
    """A web server that is no page of ours."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_this_machines_page_is_named(project, page):
    """It needs no tunnel, so its address is the answer."""
    done = project.with_port(page.port).run("view", "--device", "local", "--json")
    assert done.exit_code == 0, done.stderr
    url = f"http://127.0.0.1:{page.port}"
    assert json.loads(done.stdout) == {
        "device": "local",
        "port": page.port,
        "url": url,
        "service": "street",
        "trouble": "",
    }
    assert project.run("view", "--device", "local").stdout.strip() == url


def test_a_service_in_trouble_is_said_so_and_its_page_is_shown(project, page):
    """The page is where to look for the reason."""
    page.feed.say(replace(HEALTH, last_error="the camera refuses the connection"), MachineReadings())
    done = project.with_port(page.port).run("view", "--device", "local")
    assert done.exit_code == 0 and "street: the camera refuses the connection" in done.stderr
    assert done.stdout.startswith("http://127.0.0.1:")


def test_a_tunnel_leads_to_the_page_of_another_machine(project, page):
    """The page answers to nobody but its own machine."""
    project.with_port(page.port)
    command = [sys.executable, "-m", "edgekit", "--project", str(project.root), "view", "--device", "nx", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            told = json.loads("".join(iter(process.stdout.readline, "}\n")) + "}")
            assert told["service"] == "street" and told["url"] != f"http://127.0.0.1:{page.port}"
            with urllib.request.urlopen(told["url"] + "/status.json", timeout=10) as answer:
                assert json.load(answer)["health"]["service"] == "street"
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130


@pytest.mark.parametrize("device", ["local", "nx"])
def test_no_page_is_an_error_with_the_next_step(project, device):
    """A browser's "connection refused" says nothing of what to do."""
    done = project.with_port(1).run("view", "--device", device)
    assert done.exit_code == 9
    assert f"port 1 of {device}" in done.stderr and f"edgekit status {device}" in done.stderr


def test_another_program_on_the_port_is_told_apart(project, another_program):
    """The service runs without its page then, and someone else's would be taken for it."""
    done = project.with_port(another_program).run("view", "--device", "local")
    assert done.exit_code == 9 and "no page of edgekit" in done.stderr and "page_port" in done.stderr
    assert project.run("view", "--device", "local", "--port", str(another_program)).exit_code == 0, "it was asked for"


def test_what_speaks_no_http_is_told_apart(project):
    """An SSH server on the port answers too."""
    done = project.with_port(project._server.port).run("view", "--device", "local")
    assert done.exit_code == 9 and "no page of edgekit" in done.stderr


def test_a_page_that_is_switched_off_is_said_so(project):
    """Nothing can listen on port 0."""
    done = project.with_port(0).run("view", "--device", "nx")
    assert done.exit_code == 2 and "page_port is 0" in done.stderr


@pytest.mark.parametrize("opens", [True, False])
def test_it_opens_a_browser_if_it_can(project, page, tmp_path, opens):
    """On a server there is none, and the address is what counts."""
    browser = tmp_path / "browser"
    browser.write_text(f"#!/bin/sh\necho $1 > {tmp_path}/opened\n" if opens else "#!/bin/sh\nexit 1\n")
    browser.chmod(0o755)
    project.with_port(page.port)
    command = [sys.executable, "-m", "edgekit", "--project", str(project.root), "view", "--device", "local", "--open"]
    environment = {**os.environ, "BROWSER": f"{browser} %s", "PATH": "/nowhere"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 and f":{page.port}" in done.stdout
    if opens:
        assert (tmp_path / "opened").read_text().strip() == f"http://127.0.0.1:{page.port}"
    else:
        assert "no browser could be opened" in done.stderr
