"""The container image that matches a Jetson, and the command that runs device code in it.

An engine loads only under the TensorRT and Jetson Linux it was built with; an image helps where its TensorRT is the
device's own, and the build still runs on the device: TensorRT times kernels on the GPU it builds for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional, Sequence, Tuple

from edgekit.core.l4t import L4T_VARIABLE, MODULE_VARIABLE, release_numbers
from edgekit.errors import BuildError, DeviceError

# Where device code lies inside a container; nothing of the device has this path.
CODE_FOLDER = "/edgekit-code"
# From JetPack 7 on containers are given the GPU by CDI instead of a runtime of NVIDIA's.
_FIRST_WITH_CDI = 38
_SEE_HELP = "docker run --help"  # docker's own last line, of no use to who did not type the command
_CANNOT_START, _CANNOT_RUN, _NO_COMMAND = 125, 126, 127


@dataclass(frozen=True)
class Image:
    """A container image and the devices it serves: L4T `first` up to, but without, `end`, as (major, minor).

    tensorrt is None, and first to end is everything, for an image that a person named.
    """

    name: str
    tensorrt: Optional[str] = None
    first: Tuple[int, int] = (0, 0)
    end: Tuple[int, int] = (1000, 0)
    source: str = "named by you"

    def serves(self, l4t: str) -> bool:
        """True if its user-space libraries work with the kernel and driver of that release."""
        return self.first <= release_numbers(l4t) < self.end


# Only what was seen in use is listed; for JetPack 7 no image with its TensorRT was. Which releases go together (any
# R35 on any R35, R36 in two groups that part at 36.4) is jetson-containers' rule.
IMAGES = (
    Image("nvcr.io/nvidia/l4t-jetpack:r35.4.1", "8.5.2.2", (35, 2), (36, 0), "jetson-containers; JetPack 5.1.2"),
    Image("nvcr.io/nvidia/l4t-jetpack:r36.3.0", "8.6.2.3", (36, 0), (36, 4), "roboflow/inference; JetPack 6.0"),
    Image("nvcr.io/nvidia/l4t-jetpack:r36.4.0", "10.3.0.30", (36, 4), (37, 0), "roboflow/inference; JetPack 6.1"),
)


@dataclass(frozen=True)
class Mount:
    """A file or folder of the device that the container sees at `target`."""

    source: str
    target: str
    writable: bool = False


def matching_image(l4t: Optional[str], tensorrt: str) -> Image:
    """The image whose TensorRT is the device's. Raises BuildError if none is known."""
    if l4t is None:
        raise BuildError(
            "there is no matching container for a device without Jetson Linux",
            why="the known images are for Jetsons",
            hint="build without --in-container, or name an image with --image",
        )
    serving = [image for image in IMAGES if image.serves(l4t)]
    for image in serving:
        if image.tensorrt is not None and _same_release(image.tensorrt, tensorrt):
            return image
    others = ", ".join(f"{image.name} has TensorRT {image.tensorrt}" for image in serving)
    raise BuildError(
        f"no container image is known for Jetson Linux {l4t} with TensorRT {tensorrt}",
        why=others or "no image for this Jetson Linux has been seen to work",
        hint="build without --in-container, or name an image with --image",
    )


def _same_release(image: str, device: str) -> bool:
    # Python's tensorrt 10 says "10.3.0" where the package is 10.3.0.30. The last part is compared where both have it,
    # and the container's own engine key decides in any case.
    ours, theirs = image.split("."), device.split(".")
    shared = min(len(ours), len(theirs))
    return shared >= 3 and ours[:shared] == theirs[:shared]


def container_command(
    image: str,
    verb: str,
    *,
    name: str,
    user: str,
    groups: Sequence[int],
    mounts: Sequence[Mount],
    python_path: Sequence[str],
    l4t: Optional[str] = None,
    module: Optional[str] = None,
) -> List[str]:
    """`docker run` of a verb of device code that reads its request from standard input.

    The container has no network and is gone afterwards; mounts are read-only unless said otherwise, and everything
    written belongs to `user` ("UID:GID"). groups: numbers of the groups that may use the GPU's device files.
    python_path: folders inside the container. l4t, module: the device's, for the container cannot read them.
    Raises BuildError for a path that docker's --mount cannot express. Source: docker run's manual, Docker 20.10.
    """
    cdi = l4t is not None and release_numbers(l4t)[0] >= _FIRST_WITH_CDI
    stated = [(L4T_VARIABLE, l4t), (MODULE_VARIABLE, module), ("PYTHONPATH", ":".join(python_path))]
    environment = [f"{key}={value}" for key, value in stated if value]
    # HOME: the user has none in the image, and CUDA's cache and pycuda's want one.
    environment += ["PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1", "HOME=/tmp"]
    if not cdi:
        environment += ["NVIDIA_VISIBLE_DEVICES=all", "NVIDIA_DRIVER_CAPABILITIES=all"]
    return [
        *("docker", "run", "--rm", "--interactive", "--name", name, "--pull", "never", "--network", "none"),
        *(("--device", "nvidia.com/gpu=all") if cdi else ("--runtime", "nvidia")),
        *("--user", user),
        *(part for group in groups for part in ("--group-add", str(group))),
        *(part for setting in environment for part in ("--env", setting)),
        *(part for mount in mounts for part in ("--mount", _mount_option(mount))),
        *("--workdir", "/tmp", image),  # noqa: S108 the container's own
        *("python3", "-m", "edgekit.runtime", verb, "-"),
    ]


def _mount_option(mount: Mount) -> str:
    if "," in mount.source + mount.target or '"' in mount.source + mount.target:
        raise BuildError(
            f"{mount.source} cannot be given to a container", why="docker cannot take a comma or a quote in a path"
        )
    return f"type=bind,source={mount.source},target={mount.target}" + ("" if mount.writable else ",readonly")


def check_same_key(image: str, inside: str, device: str) -> None:
    """Raise BuildError unless device code inside the container sees the device that it is."""
    if inside != device:
        raise BuildError(
            f"an engine built in {image} would not fit this device",
            why=f"the device is {device}, inside the container it is {inside}",
            hint="name an image with the device's own TensorRT with --image, or build without --in-container",
        )


def explain_docker(code: int, image: str, last_lines: Sequence[str]) -> Optional[DeviceError]:
    """What it means that `docker run` ended with a code of its own; None for every other code.

    Source: docker run's manual, "Exit status"; the messages are those of Docker 20.10 to 28.
    """
    said = "\n".join(line for line in last_lines if line.strip() and _SEE_HELP not in line)
    if code == _NO_COMMAND:
        return DeviceError(f"there is no python3 in {image}", why=said, hint="name another image with --image")
    if code == _CANNOT_RUN:
        return DeviceError(f"python3 cannot be started in {image}", why=said, hint=f"docker pull {image}")
    if code != _CANNOT_START:
        return None
    return DeviceError(f"docker cannot start a container of {image}", why=said, hint=_docker_remedy(said, image))


def _docker_remedy(said: str, image: str) -> str:
    lower = said.lower()
    remedies = (
        (("no such image", "unable to find image"), f"docker pull {image}"),
        (("unknown runtime", "unknown or invalid runtime"), _TOOLKIT),
        (("cdi", "could not select device driver"), "sudo nvidia-ctk cdi generate --output=/var/run/cdi/nvidia.yaml"),
        (("permission denied",), "sudo usermod -aG docker $USER, then log in again"),
        (("cannot connect to the docker daemon", "failed to connect to the docker"), "sudo systemctl start docker"),
        (("exec format error",), "the image is for another processor: it must be an arm64 image on a Jetson"),
    )
    return next((remedy for signs, remedy in remedies if any(sign in lower for sign in signs)), "")


_TOOLKIT = (
    "sudo apt install nvidia-container-toolkit && sudo nvidia-ctk runtime configure --runtime=docker"
    " && sudo systemctl restart docker"
)
