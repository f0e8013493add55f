"""Lock what devices get: lock_wheels.py writes edgekit/control/locks/<tag>-<machine>-<set>.txt anew.

Each file holds exact versions and digests for one Python (cp38: JetPack 5, cp310: 6, cp312: 7), one processor and one
purpose. pip decides the versions, as it would on such a device. Run it by hand when something is to become newer, and
look at the difference before it is committed: whatever is in here runs on every device. It takes some minutes.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "edgekit" / "control" / "locks"
MACHINES = ("aarch64", "x86_64")
# The oldest C library first: Ubuntu 20.04, 22.04, 24.04.
GLIBC = {"cp38": 31, "cp310": 35, "cp312": 39}
PLATFORMS = [f"manylinux_2_{minor}" for minor in range(17, 40)] + ["manylinux2014"]

# numpy 1.24 took away numpy.bool, which JetPack 5's TensorRT 8.5 names; numpy 2 breaks extensions that were built for
# 1, as JetPack's cv2 was.
NUMPY = {"cp38": "numpy<1.24", "cp310": "numpy<2", "cp312": "numpy<2"}
# pycuda is compiled on a device; what it needs there beside CUDA is its build system and these.
PYCUDA = ("pycuda==2026.1", "pytools>=2011.2", "platformdirs>=2.2", "mako", "setuptools<81", "wheel")
# Its quantisation imports sympy, which newer releases do not name any more.
ONNXRUNTIME = ("onnxruntime", "onnx", "opencv-python-headless<4.12", "sympy")
# onnxruntime names these for tools that device code never calls.
UNUSED = {"coloredlogs", "humanfriendly", "flatbuffers"}
# What a service speaks to an MQTT broker with: the newest that there is for Python 3.8, for all.
PAHO = "paho-mqtt==2.1.0"
SETS = {"jetson": (*PYCUDA, PAHO), "onnxruntime": (*ONNXRUNTIME, PAHO)}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for tag in NUMPY:
        for machine in MACHINES:
            for name, wanted in SETS.items():
                path = FOLDER / f"{tag}-{machine}-{name}.txt"
                path.write_text(lock_text(tag, machine, (*wanted, NUMPY[tag], "pip")))
                print(path.name)


def lock_text(tag: str, machine: str, wanted: tuple[str, ...]) -> str:
    """One file: pip's requirements format, a line each, sorted by name."""
    sources = [requirement for requirement in wanted if requirement.startswith("pycuda")]
    wheels = resolve(tag, machine, [requirement for requirement in wanted if requirement not in sources])
    lines = [*wheels, *(source_line(requirement) for requirement in sources)]
    head = f"# {tag}, {machine}. Written by tools/lock_wheels.py.\n"
    return head + "".join(f"{line}\n" for line in sorted(lines))


def resolve(tag: str, machine: str, wanted: list[str]) -> list[str]:
    """What pip would install, wheels only."""
    newest = GLIBC[tag]
    platforms = [
        f"{name}_{machine}" for name in PLATFORMS if not name.startswith("manylinux_2_") or int(name[12:]) <= newest
    ]
    options = [f"--platform={platform}" for platform in platforms]
    options += [f"--python-version={tag[2:]}", "--implementation=cp", "--only-binary=:all:"]
    report = pip_report([*options, "--target=unused", *wanted])
    return [line_of(item) for item in report["install"] if item["metadata"]["name"] not in UNUSED]


def source_line(requirement: str) -> str:
    """A package that is compiled on the device: its sources."""
    return line_of(pip_report(["--no-deps", f"--no-binary={requirement.partition('=')[0]}", requirement])["install"][0])


def line_of(item: dict) -> str:
    metadata = item["metadata"]
    sha256 = item["download_info"]["archive_info"]["hashes"]["sha256"]
    return f"{metadata['name'].lower()}=={metadata['version']} --hash=sha256:{sha256}"


def pip_report(arguments: list[str]) -> dict:
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--ignore-installed"]
        subprocess.run([*command, f"--report={report.name}", *arguments], check=True)
        return json.load(report)


if __name__ == "__main__":
    main()
