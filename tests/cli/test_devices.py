"""`edgekit devices` shows the fleet as it is understood."""

from __future__ import annotations

import json
import socket

from typer.testing import CliRunner

from edgekit.cli.app import app
from edgekit.cli.verbs.devices import render_targets
from edgekit.control.inventory import Targets


def devices(tmp_path, text, *arguments):
    (tmp_path / "devices.yaml").write_text(text)
    return CliRunner().invoke(app, ["devices", "--project", str(tmp_path), *arguments])


def test_every_device_is_one_line(tmp_path):
    result = devices(
        tmp_path,
        "devices:\n  local: {kind: local}\n"
        "  nx: {address: 10.0.0.2, user: ed, source: /v.mp4, precision: int8, targets: {fps: 25, watts: 15}}\n",
    )
    assert result.exit_code == 0
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["device", "kind", "address", "detector", "service", "precision", "targets"],
        ["local", "local", "-", "roadscene", "roadscene", "auto", "-"],
        ["nx", "jetson", "ed@10.0.0.2", "roadscene", "roadscene", "int8", "25", "FPS,", "15", "W"],
    ]


def test_a_wrong_file_lists_every_problem_and_exits_with_2(tmp_path):
    result = devices(tmp_path, "devices: {local: {kind: lcoal, fsp: 1}}")
    assert result.exit_code == 2
    assert "devices.yaml: local: kind:" in result.stderr
    assert "devices.yaml: local: fsp: unknown key" in result.stderr


def test_no_device_is_said(tmp_path):
    result = devices(tmp_path, "")
    assert result.exit_code == 0
    assert "names no device" in result.stderr


def test_targets_in_words():
    assert render_targets(Targets()) is None
    assert render_targets(Targets(p99_ms=0.5)) == "p99 0.5 ms"


def test_probe_shows_what_each_device_really_is(tmp_path):
    """The module and key here are what builds and containers go by; a device out of reach is a line, not the end."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    text = f"devices:\n  local: {{kind: local}}\n  nx: {{address: 127.0.0.1, port: {port}, source: /v.mp4}}\n"
    lines = devices(tmp_path, text, "--probe").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["device", "local", "nx"]
    found = json.loads(devices(tmp_path, text, "--probe", "--json").stdout)
    assert found["local"]["engine_key"] in lines[1]
    assert found["local"]["profile"]["module"] in found["local"]["engine_key"]
    assert "nx" in found["nx"]["error"] and found["nx"]["hint"]


def test_only_the_devices_that_were_named_are_listed(tmp_path):
    """In a fleet of a hundred the one that matters is asked for."""
    text = "groups: {yard: [b, c]}\ndevices: {a: {kind: local}, b: {kind: local}, c: {kind: local}}\n"
    listed = json.loads(devices(tmp_path, text, "--device", "yard", "--json").stdout)["devices"]
    assert [device["name"] for device in listed] == ["b", "c"]
    assert devices(tmp_path, text, "--device", "yrd").exit_code == 2
