"""What a device is, as raw texts, in one go: `python3 -c TEXT ['{"opencv": true}']` prints one JSON object.

It travels as text, imports nothing of edgekit and is Python 3.6, so that a board that is too old can be told so.
The object: {"schema": 1, "texts": {item: text}, "reasons": {item: why there is no text}}. Nothing is written, nothing
needs root; edgekit.core.facts reads the answer. With "opencv", OpenCV is imported in a child to ask how it was built.
"""

import glob
import grp
import importlib.machinery
import json
import os
import platform
import pwd
import re
import subprocess
import sys
import time
from typing import Any, Callable, Dict, List

SCHEMA = 1
LIMIT_S = 2.5
OPENCV_LIMIT_S = 15.0
LONGEST = 65536
DEVICE_TREES = ("/sys/firmware/devicetree/base", "/proc/device-tree")
PACKAGES = (
    "nvidia-l4t-core",
    "nvidia-jetpack",
    "nvidia-l4t-cuda",
    "nvidia-l4t-gstreamer",
    "nvidia-l4t-dla-compiler",
    "libnvinfer*",
    "python3-libnvinfer*",
    "tensorrt*",
    "libcudnn[0-9]*",
    "cuda-nvcc-*",
    "cuda-cudart-*",
    "libopencv",
    "libopencv-python",
    "python3-opencv",
    "python3-numpy",
    "python3-venv",
)
# Distributions that clash with JetPack's own, or that a back end needs.
DISTRIBUTIONS = re.compile(r"(opencv|tensorrt|numpy|onnxruntime|pycuda)", re.IGNORECASE)
OPENCV = "import cv2; print(cv2.__version__); print(cv2.getBuildInformation())"


class NoTextError(Exception):
    """Why an item has no text."""


def read(path: str, limit: int = LONGEST) -> str:
    try:
        with open(path, "rb") as stream:
            return stream.read(limit).decode("utf-8", "replace")
    except OSError as error:
        raise NoTextError("%s: %s" % (path, error.strerror)) from None


def read_or_empty(path: str) -> str:
    try:
        return read(path).strip()
    except NoTextError:
        return ""


class Child:
    """A program that runs while other items are read."""

    def __init__(self, *command: str) -> None:
        self.command = command
        self.error = ""
        self.process = None
        try:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
        except OSError as error:
            self.error = "%s: %s" % (command[0], error.strerror)

    def text(self, limit_s: float = LIMIT_S, needs_success: bool = False) -> str:
        if self.process is None:
            raise NoTextError(self.error)
        try:
            output = self.process.communicate(timeout=limit_s)[0].decode("utf-8", "replace")
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise NoTextError("%s did not answer within %g s" % (self.command[0], limit_s)) from None
        code = self.process.returncode
        if code and (needs_success or not output.strip()):
            last = output.strip().splitlines()[-1:] or ["no message"]
            raise NoTextError("%s ended with code %d: %s" % (self.command[0], code, last[0]))
        return output[:LONGEST]


def device_tree(name: str) -> str:
    for tree in DEVICE_TREES:
        try:
            return read(os.path.join(tree, name))
        except NoTextError:
            continue
    raise NoTextError("no device tree names %s" % name)


def dla_cores() -> str:
    """The DLA nodes of the device tree, "nvdla0@15880000<TAB>okay" a line."""
    base = next((tree for tree in DEVICE_TREES if os.path.isdir(tree)), None)
    if base is None:
        raise NoTextError("there is no device tree")
    found = []
    for pattern in ("*/nvdla*", "*/*/nvdla*"):
        for node in sorted(glob.glob(os.path.join(base, pattern))):
            if os.path.isdir(node):
                status = read_or_empty(os.path.join(node, "status")).strip("\0")
                found.append("%s\t%s" % (os.path.basename(node), status or "okay"))
    return "\n".join(found)


def nvpmodel_modes() -> str:
    lines = read("/etc/nvpmodel.conf", 1 << 20).splitlines()
    return "\n".join(line for line in lines if line.startswith("<"))


def cpu_clocks() -> str:
    """ "policy0<TAB>MIN<TAB>MAX" in kHz, a line for each group of CPUs that share a clock."""
    rows = []
    for policy in sorted(glob.glob("/sys/devices/system/cpu/cpufreq/policy*")):
        values = [read_or_empty(os.path.join(policy, name)) for name in ("scaling_min_freq", "scaling_max_freq")]
        rows.append("\t".join([os.path.basename(policy), *values]))
    if not rows:
        raise NoTextError("the kernel offers no cpufreq")
    return "\n".join(rows)


def python_interpreters() -> str:
    paths = glob.glob("/usr/bin/python3*") + glob.glob("/usr/local/bin/python3*")
    wanted = [path for path in sorted(paths) if re.match(r"python3(\.\d+)?$", os.path.basename(path))]
    return "\n".join("%s\t%s" % (path, os.path.realpath(path)) for path in wanted)


def system_path() -> List[str]:
    """sys.path without the folder of this user: device code runs with `python -s`."""
    import site

    user = site.getusersitepackages() if hasattr(site, "getusersitepackages") else ""
    return [folder for folder in sys.path if folder and folder != user]


def package_folders() -> List[str]:
    """Every folder in which some Python of this system looks for packages."""
    patterns = (
        "/usr/lib/python3/dist-packages",
        "/usr/lib/python3.*/dist-packages",
        "/usr/local/lib/python3.*/dist-packages",
        "/usr/local/lib/python3.*/site-packages",
        os.path.expanduser("~/.local/lib/python3.*/site-packages"),
        "/opt/edgekit/venv/lib/python3.*/site-packages",
    )
    found = [folder for pattern in patterns for folder in sorted(glob.glob(pattern))]
    return found + [folder for folder in system_path() if os.path.isdir(folder) and folder not in found]


def tensorrt_copies() -> str:
    """ "FOLDER<TAB>VERSION" for each Python package; the version may be empty."""
    rows = []
    for folder in package_folders():
        text = ""
        for name in ("tensorrt", "tensorrt_bindings"):
            text += read_or_empty(os.path.join(folder, name, "__init__.py"))
        if os.path.isfile(os.path.join(folder, "tensorrt", "__init__.py")):
            version = re.search(r"""^__version__\s*=\s*["']([^"']+)["']""", text, re.MULTILINE)
            rows.append("%s\t%s" % (folder, version.group(1) if version else ""))
    return "\n".join(rows)


def tensorrt_libraries() -> str:
    patterns = ("/usr/lib/*/libnvinfer.so.*.*", "/usr/local/lib/libnvinfer.so.*.*", "/opt/*/lib/libnvinfer.so.*.*")
    return "\n".join(path for pattern in patterns for path in sorted(glob.glob(pattern)))


def opencv_origin() -> str:
    spec = importlib.machinery.PathFinder.find_spec("cv2", system_path())
    if spec is None or spec.origin is None:
        raise NoTextError("python3 finds no package cv2")
    return spec.origin


def distributions() -> str:
    """ "NAME<TAB>VERSION<TAB>FOLDER" of packages that pip knows."""
    rows = []
    for folder in package_folders():
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            found = re.match(r"([^-]+)-([^-]+)(-.*)?\.(dist|egg)-info$", name)
            if found and DISTRIBUTIONS.search(found.group(1)):
                rows.append("%s\t%s\t%s" % (found.group(1), found.group(2), folder))
    return "\n".join(rows)


def cameras() -> str:
    rows = []
    for folder in sorted(glob.glob("/sys/class/video4linux/video*")):
        rows.append("/dev/%s\t%s" % (os.path.basename(folder), read_or_empty(os.path.join(folder, "name"))))
    known = {row.split("\t")[0] for row in rows}
    return "\n".join(rows + [path + "\t" for path in sorted(glob.glob("/dev/video*")) if path not in known])


def temperatures() -> str:
    """ "ZONE<TAB>MILLIDEGREES<TAB>CRITICAL"; a zone that is switched off has no temperature."""
    rows = []
    for zone in sorted(glob.glob("/sys/class/thermal/thermal_zone*")):
        critical = ""
        for kind in sorted(glob.glob(os.path.join(zone, "trip_point_*_type"))):
            if read_or_empty(kind) == "critical":
                critical = read_or_empty(kind[: -len("type")] + "temp")
        values = [read_or_empty(os.path.join(zone, name)) for name in ("type", "temp")]
        rows.append("\t".join([*values, critical]))
    return "\n".join(rows)


def throttling() -> str:
    """ "NAME<TAB>STATE" of thermal alerts, and "oc1_event_cnt<TAB>COUNT" of the power monitor since the start."""
    rows = []
    for device in sorted(glob.glob("/sys/class/thermal/cooling_device*")):
        kind = read_or_empty(os.path.join(device, "type"))
        if "throttle" in kind:
            rows.append("%s\t%s" % (kind, read_or_empty(os.path.join(device, "cur_state"))))
    for path in sorted(glob.glob("/sys/devices/platform/soctherm-oc-event/hwmon/hwmon*/oc*_event_cnt")):
        rows.append("%s\t%s" % (os.path.basename(path), read_or_empty(path)))
    return "\n".join(rows)


def root_disk() -> str:
    """ "SOURCE<TAB>FILE SYSTEM<TAB>KIND" of /; the kind is "MMC", "SD", "NVMe", "other" or empty."""
    fields = [line.split() for line in read("/proc/mounts", 1 << 20).splitlines()]
    source, kind = next(((row[0], row[2]) for row in reversed(fields) if len(row) > 2 and row[1] == "/"), ("", ""))
    name = os.path.basename(os.path.realpath(source))
    disk = re.match(r"(mmcblk\d+|nvme\d+n\d+|[a-z]+)", name)
    media = ""
    if disk and os.path.isdir("/sys/block/" + disk.group(1)):
        card = read_or_empty("/sys/block/%s/device/type" % disk.group(1))
        media = "NVMe" if disk.group(1).startswith("nvme") else card if card in ("MMC", "SD") else "other"
    return "%s\t%s\t%s" % (source, kind, media)


def user() -> str:
    """NAME<TAB>UID<TAB>GROUP,GROUP"""
    account = pwd.getpwuid(os.getuid())
    held = set(os.getgroups())
    names = sorted(group.gr_name for group in grp.getgrall() if group.gr_gid in held)
    return "%s\t%d\t%s" % (account.pw_name, os.getuid(), ",".join(names))


def groups() -> str:
    return "\n".join(sorted(entry.gr_name for entry in grp.getgrall()))


def cuda() -> str:
    """ "COMPILER<TAB>PATH", "HEADER<TAB>PATH" and the version file, as far as they exist."""
    rows: List[str] = []
    for name, pattern in (
        ("compiler", "/usr/local/cuda*/bin/nvcc"),
        ("header", "/usr/local/cuda*/include/cuda.h"),
        ("header", "/usr/local/cuda*/targets/*/include/cuda.h"),
    ):
        rows.extend("%s\t%s" % (name, path) for path in sorted(glob.glob(pattern)))
    text = read_or_empty("/usr/local/cuda/version.json")
    if text:
        rows.append("version\t%s" % json.loads(text).get("cuda", {}).get("version", ""))
    return "\n".join(rows)


def installation() -> str:
    """ "NAME<TAB>yes" for each part of edgekit's own that is there, and device.json as it is."""
    rows = []
    for name in ("device.json", "venv/bin/python", "agent"):
        if os.path.exists(os.path.join("/opt/edgekit", name)):
            rows.append("%s\tyes" % name)
    if os.path.isdir("/opt/edgekit"):
        rows.append("writable\t%s" % ("yes" if os.access("/opt/edgekit", os.W_OK) else "no"))
    return "\n".join(rows)


def start_children(wanted: Dict[str, Any]) -> Dict[str, Child]:
    os.environ["PATH"] = os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/sbin"
    os.environ["LC_ALL"] = "C"
    form = "-f=${Package}\t${Version}\t${db:Status-Abbrev}\n"
    children = {
        "packages": Child("dpkg-query", "-W", form, *PACKAGES),
        "systemd": Child("systemctl", "--version"),
        "disks": Child("df", "-Pk", "/", "/opt", "/var/lib"),
        "sudo": Child("sudo", "-n", "true"),
    }
    if os.path.exists(DEVICE_TREES[0]) or os.path.exists(DEVICE_TREES[1]):
        children["nvpmodel"] = Child("nvpmodel", "-q")
        if os.getuid() == 0:
            children["jetson_clocks"] = Child("jetson_clocks", "--show")
    if wanted.get("opencv"):
        children["opencv_build"] = Child(sys.executable or "python3", "-s", "-c", OPENCV)
    return children


READERS: Dict[str, Callable[[], str]] = {
    "compatible": lambda: device_tree("compatible"),
    "model": lambda: device_tree("model"),
    "tegra_release": lambda: read("/etc/nv_tegra_release", 2048),
    "boot_control": lambda: read("/etc/nv_boot_control.conf", 4096),
    "dla": dla_cores,
    "nvpmodel_modes": nvpmodel_modes,
    "nvpmodel_status": lambda: read("/var/lib/nvpmodel/status", 4096),
    "cpu_clocks": cpu_clocks,
    "meminfo": lambda: read("/proc/meminfo"),
    "swaps": lambda: read("/proc/swaps"),
    "python": lambda: "%s\t%s" % (platform.python_version(), sys.executable),
    "pythons": python_interpreters,
    "search_path": lambda: "\n".join(system_path()),
    "tensorrt": tensorrt_copies,
    "tensorrt_libraries": tensorrt_libraries,
    "opencv": opencv_origin,
    "distributions": distributions,
    "cameras": cameras,
    "temperatures": temperatures,
    "throttling": throttling,
    "clock": lambda: "%.3f\t%s" % (time.time(), time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())),
    "clock_synchronized": lambda: "yes" if os.path.exists("/run/systemd/timesync/synchronized") else "no",
    "user": user,
    "groups": groups,
    "root_disk": root_disk,
    "uptime": lambda: read("/proc/uptime").split()[0],
    "machine": lambda: "%s\t%s\t%s" % (platform.machine(), platform.release(), platform.node()),
    "cuda": cuda,
    "gst_inspect": lambda: "\n".join(glob.glob("/usr/bin/gst-inspect-1.0")),
    "installation": installation,
    "device_json": lambda: read("/opt/edgekit/device.json"),
}


def collect(wanted: Dict[str, Any]) -> Dict[str, Any]:
    """Every item's text, or the reason why there is none; no item can keep the others from being read."""
    texts: Dict[str, str] = {}
    reasons: Dict[str, str] = {}
    children = start_children(wanted)
    for name, reader in READERS.items():
        try:
            texts[name] = reader()
        except NoTextError as reason:
            reasons[name] = str(reason)
        except Exception as error:
            reasons[name] = "%s: %s" % (type(error).__name__, error)
    for name, child in children.items():
        try:
            texts[name] = child.text(
                OPENCV_LIMIT_S if name == "opencv_build" else LIMIT_S, needs_success=name == "sudo"
            )
        except NoTextError as reason:
            reasons[name] = str(reason)
    return {"schema": SCHEMA, "texts": texts, "reasons": reasons}


if __name__ == "__main__":
    json.dump(collect(json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}), sys.stdout)
    sys.stdout.write("\n")
