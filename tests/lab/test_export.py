"""A release that reaches a device as a file, by hand, ends up in service as one that edgekit sent."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.lab.conftest import MakeJetson
from tests.lab.deploying import (
    SERVICE,
    answer,
    edgekit,
    main_pid,
    make_project,
    provisioned_image,
    state_of,
    wait_for,
    write_inventory,
)
from tests.lab.virtual_jetson import VirtualJetson

pytestmark = pytest.mark.lab


def as_user(device: VirtualJetson, *command: str, stdin: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run a command as the user that logs in, over SSH; stdin: a file that it reads."""
    options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
    target = ["-i", str(device.key_path), "-p", str(device.port), f"{device.user}@{device.address}"]
    with open(stdin or "/dev/null", "rb") as stream:
        return subprocess.run(
            ["ssh", *options, *target, *command], stdin=stream, capture_output=True, check=False, timeout=120
        )


def test_an_archive_is_unpacked_and_installed_on_another_device(jetson: MakeJetson, tmp_path: Path) -> None:
    """Mender and Ansible do just this. Lost: files of the wrong user, units that do not start, a device that lies."""
    image = provisioned_image(jetson)
    source = jetson("xavier-nx", name="packed", image=image)
    target = jetson("xavier-nx", name="unpacked", image=image)
    project = make_project(tmp_path / "project", source, target)
    write_inventory(project, source, target, events={"zones": [{"name": "gate", "points": [[0, 0], [1, 0], [1, 1]]}]})
    deployed = answer(edgekit(project, "deploy", "--device", source.name, "--json"))
    told = answer(edgekit(project, "export", "archive", "--device", source.name, "--out", str(tmp_path), "--json"))
    archive = next(Path(told["folder"]).glob("*.tar.gz"))
    name = archive.name.removesuffix(".tar.gz")

    assert as_user(target, f"cat > {archive.name}", stdin=archive).returncode == 0
    assert as_user(target, "tar", "-xzf", archive.name).returncode == 0
    done = as_user(target, "python3", f"{name}/install.py")
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode() == f"release {deployed['release_id']} is in service\n"

    now = state_of(project, target.name)
    assert now["release_id"] == now["journal"]["good"][0] == deployed["release_id"]
    assert now["journal"]["by"] == "an archive"
    wait_for(lambda: state_of(project, target.name)["health"]["frames"] > 5)
    assert main_pid(target) not in ("", "0")
    owners = target.run(["find", "/opt/edgekit", "-user", "root"]).stdout.split()
    assert [path for path in owners if "/state" not in path and not path.startswith("/opt/edgekit/venv")] == []
    assert target.run(["ls", "/opt/edgekit/incoming"]).stdout == ""

    journal = target.read(f"/opt/edgekit/journal/{SERVICE}.json")
    as_root = target.run(["python3", f"/home/{target.user}/{name}/install.py"], check=False)
    assert as_root.returncode == 2 and "sudo -u" in as_root.stderr
    assert target.read(f"/opt/edgekit/journal/{SERVICE}.json") == journal
