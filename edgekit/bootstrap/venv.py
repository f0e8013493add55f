"""The Python environment of device code, made without a network by the login user.

Travels as text: `python3 -c TEXT JSON`. Environments lie in ROOT/venvs/NAME, where NAME stands for all that is in them;
ROOT/venv is a link to the one in use, so that it changes at once or not at all, and one that is whole is never touched.

    {"action": "look", "root"}               what is there
    {"action": "make", "root", "name", "wheels", "requirements"}
                                             an environment with what wheels/ holds of requirements, a file in it;
                                             an empty one if that is ""
    {"action": "build", "root", "name", "wheels", "requirements", "path"}
                                             compile the packages of another requirements file in that environment
    {"action": "agent", "root", "code"}      let ROOT/agent, which watches over releases, be that folder of device code

It prints one JSON object; a failure is {"error": {"what", "why", "hint"}}. pip runs out of its wheel in wheels/.
Standard library and Python 3.6 syntax only.
"""

import glob
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from typing import Any, Callable, Dict, List, Optional, Set

WHOLE = "edgekit.json"  # in an environment that is whole
BUILT = "built"
LIMIT_S = 1800

Answer = Dict[str, Any]
# Ubuntu keeps distutils apart from Python 3.8; this lets pip do without, as it does on newer ones.
RUN_PIP = (
    "import runpy,sys,sysconfig;sysconfig._PIP_USE_SYSCONFIG=True;"
    "sys.path.insert(0,sys.argv.pop(1));runpy.run_module('pip',run_name='__main__',alter_sys=True)"
)


class RefusedError(Exception):
    """What cannot be done: what, why, hint."""

    def __init__(self, what: str, why: str = "", hint: str = "") -> None:
        Exception.__init__(self, what)
        self.told = {"what": what, "why": why, "hint": hint}


def main() -> None:
    """Read the request, carry it out, print the answer."""
    request = json.loads(sys.argv[1])
    actions: Dict[str, Callable[..., Answer]] = {"look": look, "make": make, "build": build, "agent": agent}
    act = actions[request.pop("action")]
    try:
        answer = act(**request)
    except RefusedError as refused:
        answer = {"error": refused.told}
    except OSError as error:
        answer = {"error": {"what": "the system refused: %s" % error, "why": "", "hint": ""}}
    sys.stdout.write(json.dumps(answer) + "\n")


def look(root: str) -> Answer:
    """The environment in use, "" if there is none that is whole, and the agent's folder."""
    venv, agent_link = os.path.join(root, "venv"), os.path.join(root, "agent")
    name = os.path.basename(os.readlink(venv)) if os.path.islink(venv) else ""
    is_whole = (
        name and os.path.exists(os.path.join(venv, WHOLE)) and os.access(os.path.join(venv, "bin/python"), os.X_OK)
    )
    return {"venv": name if is_whole else "", "agent": os.readlink(agent_link) if os.path.islink(agent_link) else ""}


def make(root: str, name: str, wheels: str, requirements: str) -> Answer:
    """Make an environment, unless it is there, and let ROOT/venv lead to it."""
    folder = os.path.join(root, "venvs", name)
    made = not os.path.exists(os.path.join(folder, WHOLE))
    if made:
        part = folder + ".part"
        for left in (folder, part):
            shutil.rmtree(left, ignore_errors=True)
        os.makedirs(os.path.dirname(folder), exist_ok=True)
        create(part)
        if requirements:
            install(part, wheels, requirements)
        with open(os.path.join(part, WHOLE), "w") as stream:
            json.dump({"schema": 1, "name": name, "python": "%d.%d" % sys.version_info[:2]}, stream)
        # Thousands of small files: one call for all of them.
        run("sync", ["sync", "--file-system", part])
        os.rename(part, folder)
    before = link_to(os.path.join("venvs", name), os.path.join(root, "venv"))
    forget_others(os.path.dirname(folder), {name, os.path.basename(before)})
    return {"made": made}


def create(folder: str) -> None:
    """An empty environment that sees the system's packages: JetPack's tensorrt and cv2. It needs no ensurepip."""
    try:
        run("python3 -m venv", [sys.executable, "-m", "venv", "--system-site-packages", "--without-pip", folder])
    except RefusedError as refused:
        refused.told["hint"] = "on the device: sudo apt install python3-venv"
        raise


def install(folder: str, wheels: str, requirements: str) -> None:
    """Let pip put wheels into an environment, by their digests and from nowhere else."""
    path = os.path.join(wheels, requirements)
    run(
        "pip install",
        pip(folder, wheels, "install", "--no-compile", "--no-warn-script-location", "--requirement", path),
    )


def build(root: str, name: str, wheels: str, requirements: str, path: str) -> Answer:
    """Compile packages; the folder of the wheels that came out. path: folders of programs to look in first: nvcc's."""
    environment = os.path.join(root, "venvs", name)
    headers = os.path.join(sysconfig.get_paths()["include"], "Python.h")
    if not os.path.exists(headers):
        raise RefusedError(
            "%s is missing on the device" % headers,
            "packages are compiled against it",
            "on the device: sudo apt install python3-dev",
        )
    out = os.path.join(root, "cache", BUILT)
    shutil.rmtree(out, ignore_errors=True)
    variables = dict(os.environ, PATH=os.pathsep.join([path] * bool(path) + [os.environ.get("PATH", os.defpath)]))
    command = pip(environment, wheels, "wheel", "--no-build-isolation", "--wheel-dir", out)
    try:
        run("pip wheel", [*command, "--requirement", os.path.join(wheels, requirements)], variables)
    except RefusedError as refused:
        refused.told["hint"] = "on the device: sudo apt install build-essential python3-dev, and CUDA's headers"
        raise
    return {"folder": out, "wheels": sorted(os.listdir(out))}


def pip(environment: str, wheels: str, verb: str, *words: str) -> List[str]:
    """A command line of pip that takes nothing from anywhere but the folder of wheels, and no settings of the user."""
    own = glob.glob(os.path.join(wheels, "pip-*.whl"))[0]
    options = ["--isolated", "--quiet", "--disable-pip-version-check", "--no-cache-dir", "--no-color"]
    command = [os.path.join(environment, "bin/python"), "-s", "-c", RUN_PIP, own, *options, verb]
    return [*command, "--no-index", "--no-deps", "--require-hashes", "--find-links", wheels, *words]


def agent(root: str, code: str) -> Answer:
    """Let ROOT/agent lead to a folder of device code."""
    return {"changed": link_to(code, os.path.join(root, "agent")) != code}


def link_to(target: str, link: str) -> str:
    """Make a link, or turn one, in one step; where it led before, "" if nowhere."""
    before = os.readlink(link) if os.path.islink(link) else ""
    if before != target:
        if os.path.isdir(link) and not before:
            shutil.rmtree(link)
        temporary = link + ".part"
        if os.path.lexists(temporary):
            os.unlink(temporary)
        os.symlink(target, temporary)
        os.replace(temporary, link)
        descriptor = os.open(os.path.dirname(link), os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
    return before


def forget_others(folder: str, kept: Set[str]) -> None:
    """Remove the environments that are neither in use nor were just now: a service that runs may still load from it."""
    for name in os.listdir(folder):
        if name not in kept:
            shutil.rmtree(os.path.join(folder, name), ignore_errors=True)


def run(what: str, command: List[str], variables: Optional[Dict[str, str]] = None) -> None:
    """Run a program; RefusedError with its last words if it fails. what: how people call it."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=variables,
            timeout=LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise RefusedError("%s took more than %d s on the device" % (what, LIMIT_S)) from None
    if done.returncode != 0:
        words = done.stdout.decode("utf-8", "replace").strip().splitlines()
        raise RefusedError("%s failed on the device" % what, "\n".join(words[-12:]))


if __name__ == "__main__":
    main()
