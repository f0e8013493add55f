"""Device code in a container: the command that is run, the key that is compared, and what docker's failures mean.

There is no docker here. A program of that name, written from docker run's manual (20.10), records its arguments, checks
that what is mounted exists, and runs the rest on this machine with the environment that the container would have.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from pathlib import Path

import pytest

from edgekit.control.containers import ContainerLink, container_plan, in_container
from edgekit.control.local_link import LocalLink
from edgekit.core.deployment import ServiceRequest, ServiceState, StateAnswer, StateRequest
from edgekit.core.device import DeviceProfile
from edgekit.errors import BuildError, DeployError, DeviceError, UsageError

FAKE_DOCKER = """#!{python}
import json, os, sys
arguments = sys.argv[1:]
with open({log!r}, "a") as log:
    print(json.dumps(arguments), file=log)
if {failure!r}:
    sys.stderr.write({failure!r} + "\\n")
    sys.exit({code})
assert arguments[0] == "run"
flags, environment, mounts = {{"--rm", "--interactive"}}, {{}}, {{}}
index = 1
while arguments[index].startswith("--"):
    if arguments[index] in flags:
        index += 1
        continue
    option, value = arguments[index : index + 2]
    if option == "--env":
        environment.update([value.split("=", 1)])
    if option == "--mount":
        fields = dict(field.partition("=")[::2] for field in value.split(","))
        assert os.path.exists(fields["source"]), fields
        mounts[fields["target"]] = fields["source"]
    index += 2
for target, source in mounts.items():  # the one folder that is not where it is outside
    if target.startswith("/edgekit-code/"):
        environment["PYTHONPATH"] = environment["PYTHONPATH"].replace("/edgekit-code", os.path.dirname(source))
program = arguments[index + 1 :]
assert program[0] == "python3"
os.execve({python!r}, [{python!r}, *program[1:]], environment)
"""


@pytest.fixture
def docker(tmp_path, monkeypatch):
    """docker(failure, code): puts the stand-in on PATH and returns what reads its recorded commands."""
    log = tmp_path / "docker.log"

    def install(failure="", code=0):
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        text = FAKE_DOCKER.format(python=sys.executable, log=str(log), failure=failure, code=code)
        (folder / "docker").write_text(text)
        (folder / "docker").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        return lambda: [json.loads(line) for line in log.read_text().splitlines()]

    return install


@pytest.fixture
def link(tmp_path):
    return LocalLink("orin", tmp_path / "device")


@pytest.fixture(scope="module")
def profile(tmp_path_factory):
    """This machine, as its own probe tells."""
    return LocalLink("local", tmp_path_factory.mktemp("device")).call("probe", {}, DeviceProfile)


def jetson(profile):
    """A Jetson's profile as its probe would give; the rest is this machine's."""
    return dataclasses.replace(
        profile, module="orin-nano-8gb", backend="tensorrt", backend_version="10.3.0", sm=87, l4t="36.4.7"
    )


def values(command, option):
    return [command[index + 1] for index, part in enumerate(command) if part == option]


def test_a_verb_runs_in_the_container_and_answers_as_outside(link, profile, docker):
    """The whole way once: request in, key compared, answer out, paths the device's own."""
    commands = docker()
    inside = in_container(link, profile, "image:1")
    assert inside.call("state", StateRequest(inside.root), StateAnswer).services == ()
    assert inside.call("state", StateRequest(inside.root), StateAnswer).services == ()
    verbs = [command[-2] for command in commands()]
    assert verbs == ["probe", "state", "state"], "the key is compared once"
    names = [values(command, "--name")[0] for command in commands()]
    assert len(set(names)) == 3


def test_an_error_inside_is_the_same_error_and_says_where(link, profile, docker):
    """Lost: exit codes; and that it is the image which lacks pycuda, not the device."""
    docker()
    inside = in_container(link, profile, "image:1")
    with pytest.raises(DeployError, match="no release of street") as told:
        inside.call("start", ServiceRequest(inside.root, "street"), ServiceState)
    assert told.value.exit_code == DeployError.exit_code
    assert "inside image:1" in told.value.why and f"{inside.root}/packages" in told.value.why


def test_a_container_that_sees_another_device_builds_nothing(link, profile, docker):
    """Ten minutes of building, for an engine that is then refused."""
    commands = docker()
    inside = in_container(link, dataclasses.replace(profile, backend_version="0.9"), "image:1")
    with pytest.raises(BuildError, match="would not fit this device"):
        inside.call("state", StateRequest(inside.root), StateAnswer)
    assert [command[-2] for command in commands()] == ["probe"]


def test_the_container_sees_what_was_placed_and_may_write_only_the_device_folder(link, profile, docker, tmp_path):
    """Calibration sets are folders of links: without what they lead to, the container would see none of them."""
    pictures, sets = tmp_path / "pictures", tmp_path / "sets"
    pictures.mkdir()
    sets.mkdir()
    (pictures / "1.png").touch()
    (sets / "00000.png").symlink_to(pictures / "1.png")
    plugin = tmp_path / "libplugin.so"
    plugin.touch()
    commands = docker()
    inside = in_container(link, profile, "image:1", readable=[str(plugin)])
    assert inside.place(sets) == str(sets)
    assert inside.place(Path(inside.root) / "already/there") == f"{inside.root}/already/there"
    inside.call("state", StateRequest(inside.root), StateAnswer)
    mounts = [value for value in values(commands()[-1], "--mount") if "/edgekit-code" not in value]
    assert sorted(mounts) == sorted(
        [f"type=bind,source={inside.root},target={inside.root}"]
        + [f"type=bind,source={path},target={path},readonly" for path in (pictures, sets, plugin)]
    )


def test_a_jetsons_release_and_module_go_into_the_container(link, profile):
    """The container cannot read them; without them its engines would carry another key."""
    plan = container_plan(jetson(profile), link.root)
    assert plan.image.name.endswith("l4t-jetpack:r36.4.0")
    assert {"EDGEKIT_L4T=36.4.7", "EDGEKIT_MODULE=orin-nano-8gb"} <= set(values(plan.command, "--env"))
    assert plan.command[0] == "docker" and plan.command[-2] == "build"
    assert f"{os.getuid()}:{os.getgid()}" in plan.command
    assert "10.3.0" in plan.why and "36.4.7" in plan.why


def test_a_plan_for_an_image_of_ones_own_says_that_it_will_be_compared(profile, link):
    """Nobody checked it before."""
    plan = container_plan(jetson(profile), link.root, "mine:2")
    assert plan.image.name == "mine:2" and "compared" in plan.why


def test_without_docker_the_error_names_the_package(link, profile, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeviceError, match="docker is not installed") as told:
        in_container(link, profile, "image:1")
    assert "apt install docker.io" in told.value.hint


@pytest.mark.parametrize(
    ("failure", "code", "remedy"),
    [
        ("docker: Error response from daemon: unknown or invalid runtime name: nvidia.", 125, "nvidia-ctk"),
        ("docker: Error response from daemon: No such image: image:1.", 125, "docker pull image:1"),
        ('exec: "python3": executable file not found in $PATH: unknown.', 127, "--image"),
    ],
    ids=["no nvidia runtime", "no image", "no python3"],
)
def test_what_docker_refuses_is_explained(link, profile, docker, failure, code, remedy):
    docker(failure, code)
    with pytest.raises(DeviceError) as told:
        in_container(link, profile, "image:1").call("state", StateRequest(link.root), StateAnswer)
    assert remedy in told.value.hint and failure in told.value.why


def test_a_build_killed_for_memory_in_a_container_is_explained_as_outside(link, profile, docker):
    docker("Killed", 137)
    with pytest.raises(DeviceError, match="killed on the device"):
        in_container(link, profile, "image:1").call("state", StateRequest(link.root), StateAnswer)


def test_an_interrupted_build_leaves_no_container(link, profile, docker, monkeypatch):
    """Ending docker's client may leave its container at work, with the GPU and the lock of the engine folder."""
    commands = docker()
    inside = in_container(link, profile, "image:1")
    inside.call("state", StateRequest(inside.root), StateAnswer)

    def interrupt(*arguments, **named):
        raise KeyboardInterrupt

    monkeypatch.setattr("edgekit.control.containers.run_verb", interrupt)
    docker("removed", 1)
    with pytest.raises(KeyboardInterrupt):
        inside.call("state", StateRequest(inside.root), StateAnswer)
    assert commands()[-1][:2] == ["rm", "--force"] and commands()[-1][2].startswith("edgekit-")


def test_only_this_machine_can_start_containers(link, profile, docker):
    """A container beside an SSH link would build on the wrong machine."""
    docker()
    inside = in_container(link, profile, "image:1")
    assert isinstance(inside, ContainerLink)
    with pytest.raises(UsageError, match="on orin itself"):
        in_container(inside, profile, "image:1")
