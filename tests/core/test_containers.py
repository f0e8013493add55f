"""The image that matches a device, and the command for it."""

from __future__ import annotations

import pytest

from edgekit.core.containers import (
    IMAGES,
    Mount,
    check_same_key,
    container_command,
    explain_docker,
    matching_image,
)
from edgekit.errors import BuildError

FIXED = {
    "name": "edgekit-1",
    "user": "1000:1000",
    "groups": (44, 104),
    "mounts": (),
    "python_path": ("/edgekit-code",),
}


@pytest.mark.parametrize(
    ("l4t", "tensorrt", "image"),
    [
        ("35.2.1", "8.5.2.2", "r35.4.1"),
        ("35.6.4", "8.5.2.2", "r35.4.1"),
        ("36.3.0", "8.6.2.3", "r36.3.0"),
        ("36.4.0", "10.3.0", "r36.4.0"),
        ("36.5.0", "10.3.0.30", "r36.4.0"),
    ],
)
def test_image_has_the_tensorrt_of_the_device(l4t: str, tensorrt: str, image: str) -> None:
    """Any other TensorRT makes an engine that the device refuses. Python's package names three of four parts."""
    assert matching_image(l4t, tensorrt).name.endswith(f":{image}")


@pytest.mark.parametrize(
    ("l4t", "tensorrt", "message"),
    [
        ("36.4.7", "10.7.0.23", "r36.4.0 has TensorRT 10.3.0.30"),  # seen on an Orin NX
        ("35.4.1", "8.5.2.1", "8.5.2.2"),
        ("36.3.0", "10.3.0", "8.6.2.3"),
        ("38.4.0", "10.13.3.9", "no image for this Jetson Linux"),
        (None, "8.5.2.2", "for Jetsons"),
    ],
    ids=["upgraded TensorRT", "last part", "before 36.4", "JetPack 7", "PC"],
)
def test_no_image_is_better_than_a_wrong_one(l4t, tensorrt: str, message: str) -> None:
    """A build in the wrong image takes ten minutes and is then refused; the error says what to do instead."""
    with pytest.raises(BuildError, match=message) as told:
        matching_image(l4t, tensorrt)
    assert "--image" in told.value.hint


def test_every_image_says_where_it_was_seen() -> None:
    """A tag made up from a pattern may not exist."""
    assert all(image.source and image.tensorrt and image.first < image.end for image in IMAGES)


def test_command_is_one_process_without_network_that_writes_only_where_it_may() -> None:
    """Device code must not reach the internet from a board, nor change anything but its own folder."""
    command = container_command(
        "image:1", "build", l4t="36.4.4", module="orin-nano-8gb",
        **{**FIXED, "mounts": (Mount("/opt/edgekit", "/opt/edgekit", writable=True), Mount("/data/set", "/data/set"))},
    )  # fmt: skip
    options, program = command[: command.index("image:1")], command[command.index("image:1") + 1 :]
    assert program == ["python3", "-m", "edgekit.runtime", "build", "-"]
    pairs = {(option, options[index + 1]) for index, option in enumerate(options[:-1])}
    for pair in (
        ("--network", "none"), ("--pull", "never"), ("--runtime", "nvidia"), ("--user", "1000:1000"),
        ("--group-add", "44"), ("--group-add", "104"),
        ("--env", "EDGEKIT_L4T=36.4.4"), ("--env", "EDGEKIT_MODULE=orin-nano-8gb"),
        ("--env", "PYTHONPATH=/edgekit-code"),
        ("--mount", "type=bind,source=/opt/edgekit,target=/opt/edgekit"),
        ("--mount", "type=bind,source=/data/set,target=/data/set,readonly"),
    ):  # fmt: skip
        assert pair in pairs
    assert "--rm" in options and "--interactive" in options and "--tty" not in options


def test_jetpack_7_passes_the_gpu_by_cdi() -> None:
    """Its docker knows no runtime of NVIDIA's name."""
    command = container_command("image:1", "build", l4t="38.4.0", **FIXED)
    assert command[command.index("--device") + 1] == "nvidia.com/gpu=all"
    assert "--runtime" not in command


def test_a_path_that_docker_cannot_take_is_refused() -> None:
    """A comma would begin another option of the mount, such as its target."""
    with pytest.raises(BuildError, match="comma"):
        container_command("image:1", "build", **{**FIXED, "mounts": (Mount("/a,readonly=false", "/a"),)})


# docker's own words, from issues about them: dusty-nv/jetson-containers 122 and 1460, moby/moby.
@pytest.mark.parametrize(
    ("code", "said", "remedy"),
    [
        (125, "docker: Error response from daemon: No such image: image:1.", "docker pull image:1"),
        (125, "docker: Error response from daemon: unknown or invalid runtime name: nvidia.", "nvidia-ctk runtime"),
        (125, "docker: Error response from daemon: Unknown runtime specified nvidia.", "nvidia-ctk runtime"),
        (125, "docker: Cannot connect to the Docker daemon at unix:///var/run/docker.sock.", "start docker"),
        (125, "docker: permission denied while trying to connect to the Docker daemon socket", "usermod"),
        (126, "docker: Error response from daemon: OCI runtime create failed", "docker pull image:1"),
        (127, 'exec: "python3": executable file not found in $PATH', "--image"),
    ],
)
def test_what_docker_says_leads_to_a_remedy(code: int, said: str, remedy: str) -> None:
    """ "ended with code 125" helps nobody."""
    error = explain_docker(code, "image:1", [said, "", "Run 'docker run --help' for more information"])
    assert error is not None and "--help" not in error.why
    assert error is not None and remedy in error.hint and said in error.why


@pytest.mark.parametrize("code", [0, 1, 9, 130, 137])
def test_codes_of_the_program_itself_are_not_dockers(code: int) -> None:
    """137 is a build killed for memory, which has its own explanation."""
    assert explain_docker(code, "image:1", []) is None


def test_container_that_sees_another_device_is_refused() -> None:
    """Its engine would be built and then not load."""
    check_same_key("image:1", "k", "k")
    with pytest.raises(BuildError, match="would not fit") as told:
        check_same_key("image:1", "orin-nano-8gb-sm87-trt10.7.0-l4t36.4.4", "orin-nano-8gb-sm87-trt10.3.0-l4t36.4.4")
    assert "10.7.0" in told.value.why and "10.3.0" in told.value.why
