"""Activates the release of an archive on the device that it is unpacked on: python3 install.py [DEVICE FOLDER]

Lays the objects where files sent by edgekit arrive, asks the device's own code to activate the release, and waits until
the device has committed it or gone back. Run it as the user that owns the device folder, /opt/edgekit by default. What
it is given is checked by digest first. Running it again after an interruption is safe.

Ends with 0 if the release is in service, with another code if what ran before runs on; then it says why.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from typing import Any, Dict, List

DEVICE_FOLDER = "/opt/edgekit"
CHUNK_BYTES = 1 << 18
USAGE, DAMAGED, TAKEN_BACK = 2, 6, 8


class InstallError(Exception):
    """What went wrong, and the exit code."""

    def __init__(self, code: int, *lines: str) -> None:
        super().__init__("\n".join(line for line in lines if line))
        self.code = code


def check_device(root: str) -> None:
    """Refuse where edgekit's code is missing, or where files would belong to the wrong user."""
    for name, what in (("agent", "device code"), ("venv", "Python")):
        if not os.path.exists(os.path.join(root, name)):
            raise InstallError(USAGE, "there is no {} in {}".format(what, root), "edgekit provision prepares a device")
    owner = os.stat(root).st_uid
    if os.geteuid() != owner:
        said = "run this as the user with the id {}, who owns {}".format(owner, root)
        raise InstallError(USAGE, said, "sudo -u '#{}' python3 {}".format(owner, os.path.abspath(__file__)))


def digest_of(path: str) -> str:
    """The SHA-256 of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for piece in iter(lambda: stream.read(CHUNK_BYTES), b""):
            digest.update(piece)
    return digest.hexdigest()


def check_objects(folder: str) -> List[str]:
    """Names of the objects; each is named by its digest."""
    names = sorted(os.listdir(folder))
    damaged = [name for name in names if digest_of(os.path.join(folder, name)) != name]
    if damaged:
        raise InstallError(DAMAGED, "{} of {} files are damaged: {}".format(len(damaged), len(names), damaged[0]))
    return names


def lay_objects(folder: str, names: List[str], root: str) -> None:
    """Put objects into incoming/, each whole or not at all. It is for its owner alone: settings may hold passwords."""
    incoming = os.path.join(root, "incoming")
    os.makedirs(incoming, exist_ok=True)
    os.chmod(incoming, 0o700)
    for name in names:
        part = os.path.join(incoming, name + ".part")
        shutil.copyfile(os.path.join(folder, name), part)
        with open(part, "rb") as stream:
            os.fsync(stream.fileno())
        os.rename(part, os.path.join(incoming, name))


def environment(root: str) -> Dict[str, str]:
    """This process's, with the KEY=VALUE lines that the device's units have."""
    values = dict(os.environ)
    try:
        with open(os.path.join(root, "environment"), encoding="utf-8") as stream:
            pairs = [line.strip().partition("=") for line in stream if not line.startswith("#")]
    except FileNotFoundError:
        return values
    values.update((key, value) for key, equals, value in pairs if equals)
    return values


def call(root: str, verb: str, request: Dict[str, Any]) -> Dict[str, Any]:
    """Run a verb of the device's own code and return its answer."""
    command = [os.path.join(root, "venv", "bin", "python"), "-s", "-m", "edgekit.runtime", verb, "-"]
    process = subprocess.Popen(
        command,
        cwd=os.path.realpath(os.path.join(root, "agent")),
        env=environment(root),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        universal_newlines=True,
    )
    lines = process.communicate(json.dumps(request))[0].splitlines()
    event = json.loads(lines[-1]) if lines else {}
    if event.get("event") == "result":
        return dict(event["result"])
    error = event.get("error", {"what": "{} ended with code {}".format(verb, process.returncode)})
    raise InstallError(process.returncode or USAGE, error["what"], error.get("why", ""), error.get("hint", ""))


def install(here: str, root: str) -> str:
    """All of it; the release that is in service now."""
    with open(os.path.join(here, "request.json"), encoding="utf-8") as stream:
        request = json.load(stream)
    request["root"] = root
    check_device(root)
    objects = os.path.join(here, "incoming")
    names = check_objects(objects)
    blobs = [{"sha256": name, "size": os.path.getsize(os.path.join(objects, name))} for name in names]
    missing = call(root, "missing", {"root": root, "blobs": blobs})  # refuses where there is no room for them
    lay_objects(objects, sorted(missing["offsets"]), root)
    answer = call(root, "activate", request)
    wanted = answer["journal"]["target"] or answer["journal"]["good"][0]
    journal = call(root, "settle", {"root": root, "service": request["manifest"]["service"]})
    if journal["good"][:1] == [wanted]:
        return str(wanted)
    reason = next((bad["reason"] for bad in journal["bad"] if bad["release_id"] == wanted), "another came in between")
    raise InstallError(TAKEN_BACK, "release {} was taken back: {}".format(wanted, reason))


def main() -> int:
    """Install and tell what came of it."""
    root = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else DEVICE_FOLDER)
    os.umask(0o022)
    try:
        sys.stdout.write("release {} is in service\n".format(install(os.path.dirname(os.path.abspath(__file__)), root)))
        return 0
    except InstallError as error:
        sys.stderr.write("error: {}\n".format(error))
        return error.code
    except OSError as error:
        sys.stderr.write("error: {}\n".format(error))
        return USAGE


if __name__ == "__main__":
    sys.exit(main())
