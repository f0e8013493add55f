"""Run the tests of device code under Python 3.8, JetPack 5's, in an environment like that of a board.

Without a Python 3.8 on this machine it says so and ends well; set REQUIRE_PYTHON38=1 to make that a failure.
With arguments it is that environment's python.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from second_try import Tests, run

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv38"
# The newest releases for Python 3.8 of what a board has or of what stands in for it.
PACKAGES = (
    "numpy<1.25",
    "opencv-python-headless<4.11",
    "onnxruntime==1.19.2",
    "onnx==1.17.0",
    "paho-mqtt==2.1.0",
    "prometheus-client==0.21.1",
    "pytest==8.3.5",
)
TESTS = ("tests/core", "tests/scenes", "tests/runtime", "tests/test_files.py", "tests/test_errors.py")


def find_python38() -> str:
    """A Python 3.8: PYTHON38, on the path, or one of pyenv's; "" if there is none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    installed = map(str, sorted(pyenv.glob("3.8.*/bin/python3.8")))
    for place in filter(None, [os.environ.get("PYTHON38"), *installed, shutil.which("python3.8")]):
        if subprocess.run([place, "-c", ""], capture_output=True).returncode == 0:
            return place
    return ""


def prepare(python38: str) -> Path:
    """The environment's python; made on the first run."""
    python, stamp = VENV / "bin" / "python", VENV / "edgekit-setup.stamp"
    if not stamp.exists() or stamp.read_text() != "\n".join(PACKAGES):
        print("[setup] making .venv38 for the tests of device code", file=sys.stderr, flush=True)
        subprocess.run([python38, "-m", "venv", "--clear", str(VENV)], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *PACKAGES], check=True)
        stamp.write_text("\n".join(PACKAGES))
    return python


def tests_of_device_code(marked: str = "not slow", cache: str = ".pytest_cache38") -> Tests | None:
    """What runs under Python 3.8; None, and why, where there is none. Ends the program if it is required.

    Those marked slow wait for stalls and pauses; what they wait for is the same under every Python.
    """
    if not find_python38():
        print("no Python 3.8 here: the tests of device code run under this machine's Python only", file=sys.stderr)
        if os.environ.get("REQUIRE_PYTHON38") == "1":
            sys.exit(1)
        return None
    paths = [name for name in TESTS if (ROOT / name).exists()]
    return Tests([sys.executable, __file__], ["-q", "-m", marked, *paths], cache)


def main() -> int:
    os.chdir(ROOT)
    if sys.argv[1:]:
        python = str(prepare(find_python38()))
        os.execv(python, [python, *sys.argv[1:]])
    tests = tests_of_device_code()
    return run(tests) if tests is not None else 0


if __name__ == "__main__":
    sys.exit(main())
