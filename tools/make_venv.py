"""Make (or reuse) the project's virtual environment: make_venv.py FOLDER EXTRAS

Needs Python 3.10 or newer and nothing else. Debian and Ubuntu ship `venv` without `ensurepip` unless python3-venv is
installed, and installing that takes root; the pip wheel beside this script stands in for it.
A second run with an unchanged pyproject.toml does nothing.
"""

import hashlib
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PIP_WHEEL = next((ROOT / "tools").glob("pip-*.whl"))
MINIMUM = (3, 10)


def say(text: str) -> None:
    print(f"[setup] {text}", file=sys.stderr, flush=True)


def stamp_text(extras: str) -> str:
    content = (ROOT / "pyproject.toml").read_bytes() + extras.encode() + sys.version.encode()
    return hashlib.sha256(content).hexdigest()


def create(folder: Path) -> Path:
    """The environment's python, with pip in it."""
    python = folder / "bin" / "python"
    if not python.exists():
        say(f"making {folder.name} with Python {sys.version.split()[0]}")
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", "--clear", str(folder)], check=True)
    if subprocess.run([python, "-c", "import pip"], capture_output=True).returncode != 0:
        pip_in_wheel = f"{PIP_WHEEL}/pip"
        subprocess.run([python, pip_in_wheel, "install", "--quiet", "--no-index", str(PIP_WHEEL)], check=True)
    return python


def install(python: Path, extras: str) -> None:
    command = [python, "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"]
    say(f"installing edgekit[{extras}] and what it needs (about 400 MB on disk; a minute or two)")
    process = subprocess.Popen(
        [*command, "-e", f"{ROOT}[{extras}]"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip())
        if line.startswith(("Collecting ", "Installing ")):
            say(line.strip()[:110])
    if process.wait() != 0:
        say("pip failed; its last lines:")
        print("\n".join(lines[-15:]), file=sys.stderr)
        say("check the network (or your pip settings) and type the same command again")
        raise SystemExit(1)


def main() -> None:
    if sys.version_info < MINIMUM:
        raise SystemExit(
            f"edgekit needs Python {MINIMUM[0]}.{MINIMUM[1]} or newer here, this is {sys.version.split()[0]}; "
            "name another one, for example: make demo PYTHON=python3.11"
        )
    folder, extras = Path(sys.argv[1]).resolve(), sys.argv[2]
    stamp = folder / "edgekit-setup.stamp"
    if stamp.exists() and stamp.read_text() == stamp_text(extras) and (folder / "bin" / "python").exists():
        return
    started = time.monotonic()
    install(create(folder), extras)
    stamp.write_text(stamp_text(extras))
    say(f"ready in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
