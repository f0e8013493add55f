"""What healthy Jetsons answer to bootstrap/collect.py, put together from recorded parts; tests spoil an item each.

Device trees and release files are those of tests/cases/jetson. Package versions are those of JetPack 5.1 and 6.2.2 as
meta-tegra and jetpack-nixos list them; places of Python packages those of the Debian packages; the rest is made up in
the form that collect.py gives it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Dict

from edgekit.core.facts import Collected, DeviceFacts, read_facts

CASES = Path(__file__).parent / "cases/jetson"
_TREES = {case["board"]: case for case in json.loads((CASES / "device_trees.json").read_text("utf-8"))}
_RELEASES = {case["l4t"]: case for case in json.loads((CASES / "nv_tegra_release.json").read_text("utf-8"))}

# board, L4T, TensorRT, its Debian suffix, OpenCV, Python, systemd, power mode and the board's modes
_NANO = (
    "Orin Nano Super kit, JetPack 6",
    "36.5.0",
    "10.3.0.30",
    "cuda12.5",
    "4.8.0-1-g6371ee1",
    "3.10",
    249,
    "MAXN_SUPER",
)
_XAVIER = ("Xavier NX kit", "35.4.1", "8.5.2.2", "cuda11.4", "4.5.4", "3.8", 245, "MODE_20W_6CORE")
_MODES = {
    "MAXN_SUPER": ("15W", "25W", "MAXN_SUPER", "7W"),
    "MODE_20W_6CORE": ("MODE_15W_2CORE", "MODE_15W_4CORE", "MODE_15W_6CORE", "MODE_20W_6CORE"),
}


def orin_nano(**changed: str) -> DeviceFacts:
    """An Orin Nano Super with JetPack 6.2.2, provisioned. An item's text can be changed."""
    return read_facts(Collected({**_texts(*_NANO), **changed}))


def xavier_nx(**changed: str) -> DeviceFacts:
    """A Xavier NX with JetPack 5.1.2, provisioned."""
    return read_facts(Collected({**_texts(*_XAVIER), **changed}))


def nano_texts() -> Dict[str, str]:
    """The texts of `orin_nano`."""
    return _texts(*_NANO)


def _texts(
    board: str, l4t: str, tensorrt: str, suffix: str, opencv: str, python: str, systemd: int, mode: str
) -> Dict[str, str]:
    tree, folder = _TREES[board], f"/usr/lib/python{python}/dist-packages"
    debs = {"libnvinfer8": "", "python3-libnvinfer": "", "tensorrt": ""}
    packages = "".join(f"{name}\t{tensorrt}-1+{suffix}\tii \n" for name in debs)
    packages += f"nvidia-l4t-core\t{l4t}-20260115194252\tii \nlibopencv-python\t{opencv}\tii \n"
    packages += "dpkg-query: no packages found matching nvidia-jetpack\nlibopencv\t\tun \n"
    library = ".".join(tensorrt.split(".")[:3])
    return {
        "compatible": "\0".join(tree["compatible"]) + "\0",
        "model": tree["model"] + "\0",
        "tegra_release": "\n".join(_RELEASES[l4t]["lines"]) + "\n",
        "machine": "aarch64\t5.15.185-tegra\tubuntu",
        "python": f"{python}.12\t/usr/bin/python3",
        "pythons": f"/usr/bin/python3\t/usr/bin/python{python}\n/usr/bin/python{python}\t/usr/bin/python{python}",
        "search_path": f"/usr/local/lib/python{python}/dist-packages\n/usr/lib/python3/dist-packages\n{folder}",
        "packages": packages,
        "tensorrt": f"{folder}\t{tensorrt}",
        "tensorrt_libraries": f"/usr/lib/aarch64-linux-gnu/libnvinfer.so.{library}",
        "distributions": "numpy\t1.21.5\t/usr/lib/python3/dist-packages",
        "cuda": "compiler\t/usr/local/cuda/bin/nvcc\nheader\t/usr/local/cuda/include/cuda.h\nversion\t12.6.68",
        "opencv": f"{folder}/cv2/__init__.py",
        "opencv_build": "4.8.0\n  Video I/O:\n    GStreamer:                   YES (1.20.3)\n",
        "nvpmodel": f"NVPM WARN: fan mode is not set!\nNV Power Mode: {mode}\n2\n",
        "nvpmodel_modes": "".join(f"< POWER_MODEL ID={i} NAME={name} >\n" for i, name in enumerate(_MODES[mode])),
        "cpu_clocks": "policy0\t729600\t1728000\npolicy4\t729600\t1728000",
        "meminfo": "MemTotal:        7803000 kB\nMemAvailable:    5242880 kB\n",
        "swaps": "Filename Type Size Used Priority\n/swap file 8388604 0 -2\n/dev/zram0 partition 634976 0 5\n",
        "disks": "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/nvme0n1p1 245000000 1 200000000 1% /",
        "root_disk": "/dev/nvme0n1p1\text4\tNVMe",
        "cameras": "/dev/video0\tvi-output, imx219 9-0010",
        "temperatures": "cpu-thermal\t48500\t104500\ncv0-thermal\t\t\ntj-thermal\t49100\t104500\nPMIC-Die\t100000\t",
        "throttling": "gpu-throttle-alert\t0\noc1_event_cnt\t0\noc3_event_cnt\t3",
        "clock": "1795195043.092\t2026-11-20 17:17 UTC",
        "systemd": f"systemd {systemd} ({systemd}.4-4ubuntu3)\n+PAM +AUDIT\n",
        "sudo": "",
        "user": "nvidia\t1000\tnvidia,render,sudo,video",
        "groups": "nvidia\nrender\nsudo\nvideo",
        "uptime": "3600.5",
        "gst_inspect": "/usr/bin/gst-inspect-1.0",
        "installation": "device.json\tyes\nvenv/bin/python\tyes\nwritable\tyes",
    }
