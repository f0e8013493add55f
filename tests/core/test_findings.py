"""Rules over a device's facts: each fault alone is found, is named by its harm, and has a command that mends it."""

from __future__ import annotations

from typing import Dict, Tuple

import pytest

from edgekit.core.boards import BOARDS
from edgekit.core.checkup import SEVERITIES, Finding
from edgekit.core.facts import DeviceFacts
from edgekit.core.findings import Wanted, findings_of
from tests.devices_told import nano_texts, orin_nano, xavier_nx

USER_SITE, SYSTEM = "/usr/local/lib/python3.10/dist-packages", "/usr/lib/python3.10/dist-packages"
ANY = Wanted()
R32 = (
    "# R32 (release), REVISION: 7.4, GCID: 33514132, BOARD: t210ref, EABI: aarch64, DATE: Fri Jun  9 04:25:08 UTC 2023"
)


def bad(facts: DeviceFacts, wanted: Wanted = ANY) -> Dict[str, Finding]:
    """Errors and warnings by subject."""
    found = findings_of(facts, wanted)
    return {finding.subject: finding for finding in found if finding.severity in ("error", "warning")}


def only(facts: DeviceFacts, wanted: Wanted = ANY) -> Finding:
    """The one error or warning there is."""
    (finding,) = bad(facts, wanted).values()
    return finding


@pytest.mark.parametrize("facts", [orin_nano(), xavier_nx()], ids=["Orin Nano", "Xavier NX"])
def test_healthy_jetson_has_no_faults(facts: DeviceFacts) -> None:
    """A doctor that always complains is not listened to."""
    assert bad(facts) == {}


# subject, severity, what is said, what mends it, the item that is spoilt and its text
FAULTS: Tuple[Tuple[str, str, str, str, Dict[str, str]], ...] = (
    ("TensorRT", "error", "not installed", "python3-libnvinfer", {"tensorrt": ""}),
    ("TensorRT", "error", "python3.8", "python3-libnvinfer", {"tensorrt": "/usr/lib/python3.8/dist-packages\t8.5.2.2"}),
    ("TensorRT", "error", "8.4.1", "JetPack 5.1", {"tensorrt": f"{SYSTEM}\t8.4.1.5", "tensorrt_libraries": ""}),
    (
        "TensorRT",
        "warning",
        "two of them",
        "pip uninstall tensorrt",
        {"tensorrt": f"{SYSTEM}\t10.3.0.30\n{USER_SITE}\t10.3.0"},
    ),
    (
        "libnvinfer",
        "warning",
        "10.7.0",
        "dpkg",
        {"tensorrt_libraries": "/usr/lib/aarch64-linux-gnu/libnvinfer.so.10.7.0\n/usr/local/lib/libnvinfer.so.10.3.0"},
    ),
    (
        "OpenCV",
        "warning",
        "opencv-python 4.10.0.84",
        "pip uninstall -y opencv-python",
        {"distributions": f"opencv_python\t4.10.0.84\t{USER_SITE}"},
    ),
    ("OpenCV", "warning", "no GStreamer", "libopencv-python", {"opencv_build": "4.6.0\n    GStreamer:    NO\n"}),
    ("OpenCV", "error", "finds none", "python3-opencv", {"opencv": ""}),
    ("OpenCV", "error", "libGL", "libopencv-python", {"opencv_build": "Traceback ...\nImportError: libGL.so.1"}),
    ("numpy", "error", "numpy 1", "pip uninstall numpy", {"distributions": f"numpy\t2.1.0\t{USER_SITE}"}),
    ("CUDA", "warning", "nvcc", "nvidia-jetpack", {"cuda": "", "installation": "venv/bin/python\tyes"}),
    ("Python", "error", "3.6.9", "JetPack 5", {"python": "3.6.9\t/usr/bin/python3"}),
    ("systemd", "error", "237", "JetPack 5", {"systemd": "systemd 237\n"}),
    ("edgekit", "warning", "not provisioned", "edgekit provision --device nano", {"installation": ""}),
    (
        "edgekit",
        "warning",
        "another user than nvidia",
        "devices.yaml",
        {"installation": "device.json\tyes\nvenv/bin/python\tyes\nwritable\tno"},
    ),
    ("disk", "error", "100 MiB free", "edgekit gc", {"disks": "/dev/mmcblk0p1 9000000 1 102400 99% /\n"}),
    ("disk", "warning", "1000 MiB free", "edgekit gc", {"disks": "/dev/mmcblk0p1 9000000 1 1024000 89% /\n"}),
    ("memory", "warning", "500 of", "multi-user", {"meminfo": "MemTotal: 7803000 kB\nMemAvailable: 512000 kB\n"}),
    ("swap", "warning", "none", "mkswap", {"swaps": "Filename Type Size Used Priority\n"}),
    (
        "GPU memory",
        "warning",
        "36.4.7",
        "full-upgrade",
        {"tegra_release": "# R36 (release), REVISION: 4.7, GCID: 42132812"},
    ),
    ("user", "warning", "render", "usermod -aG render nvidia", {"user": "nvidia\t1000\tnvidia,video"}),
    ("clock", "warning", "1970", "timedatectl", {"clock": "73.5\t1970-01-01 00:01 UTC"}),
    ("heat", "warning", "cpu-throttle-alert", "cooling", {"throttling": "cpu-throttle-alert\t1"}),
    ("heat", "warning", "tj-thermal 98 of 105", "cooling", {"temperatures": "tj-thermal\t98000\t105000"}),
    ("power supply", "warning", "7 times", "power supply", {"throttling": "oc1_event_cnt\t7"}),
    ("power mode", "warning", "15W", "sudo nvpmodel -m 2", {"nvpmodel": "NV Power Mode: 15W\n0\n"}),
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault[0]} {fault[2]}")
def test_each_fault_alone_is_found_with_its_remedy(fault) -> None:
    """The subject, the harm, the words and the command; and no other finding for the same fault."""
    subject, severity, said, remedy, spoilt = fault
    found = bad(orin_nano(**spoilt), Wanted("nano"))
    finding = found[subject]
    # What pycuda is built with matters before provisioning only.
    assert set(found) == ({"CUDA", "edgekit"} if subject == "CUDA" else {subject})
    assert (finding.subject, finding.severity) == (subject, severity)
    assert said in finding.found and remedy in finding.remedy


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault[0]} {fault[2]}")
def test_every_fault_table_entry_differs_from_a_healthy_answer(fault) -> None:
    """An entry that spoils nothing would test nothing."""
    texts = nano_texts()
    assert {item: text for item, text in fault[4].items() if texts.get(item) != text}


def test_findings_are_ordered_by_harm() -> None:
    """The first line is what is read."""
    facts = orin_nano(tensorrt="", clock="73.5\t1970-01-01 00:01 UTC", cameras="")
    ranks = [SEVERITIES.index(finding.severity) for finding in findings_of(facts)]
    assert ranks == sorted(ranks) and set(ranks) == {0, 1, 2, 3}


def test_jetpack_4_is_refused_with_the_reason() -> None:
    """A Nano owner must learn that no update helps, a Xavier owner that one does."""
    nano = next(board for board in BOARDS if board.module == "nano-4gb")
    tree = "nvidia,p3449-0000-b00+p3448-0000-b00\0nvidia,jetson-nano\0nvidia,tegra210\0"
    finding = bad(orin_nano(tegra_release=R32, compatible=tree))["Jetson"]
    assert finding.severity == "error"
    assert nano.title in finding.found and "JetPack 4.6.4" in finding.found and "Python 3.6" in finding.found
    assert "newer module" in finding.remedy
    assert "JetPack 5.1" in bad(xavier_nx(tegra_release=R32))["Jetson"].remedy


def test_unknown_release_and_module_are_no_faults() -> None:
    """The next JetPack and the next module must work before this version knows them."""
    newer = orin_nano(
        tegra_release="# R36 (release), REVISION: 9.9, GCID: 1",
        compatible="nvidia,p9999-0000+p8888-0001\0nvidia,tegra234\0",
    )
    found = {finding.subject: finding for finding in findings_of(newer)}
    assert bad(newer) == {}
    assert found["Jetson"].severity == "info" and "36.9.9" in found["Jetson"].found


def test_device_that_runs_on_its_processor_needs_no_tensorrt() -> None:
    """A virtual Jetson, or a board kept without it on purpose."""
    bare = orin_nano(tensorrt="", tensorrt_libraries="", opencv="", cuda="")
    assert {"TensorRT", "OpenCV"} <= set(bad(bare))
    assert bad(bare, Wanted(processor=True)) == {}


def test_weak_power_mode_may_be_meant() -> None:
    """Who asks for 15 W chose it."""
    facts = orin_nano(nvpmodel="NV Power Mode: 15W\n0\n")
    assert only(facts).subject == "power mode"
    assert bad(facts, Wanted(power_limited=True)) == {}


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (orin_nano(dla=""), "has none"),
        (orin_nano(), "has none"),
        (xavier_nx(tegra_release="# R39 (release), REVISION: 2.0, GCID: 1", dla="nvdla0@15880000\tokay"), "compiler"),
    ],
    ids=["none in the device tree", "none by the table", "JetPack 7.2"],
)
def test_dla_that_cannot_be_used_is_an_error_only_where_it_is_asked_for(facts: DeviceFacts, said: str) -> None:
    """TensorRT would quietly build for the GPU, or fail after minutes."""
    assert said in bad(facts, Wanted(dla=True))["DLA"].found
    assert "DLA" not in bad(facts)
    assert "DLA" not in bad(xavier_nx(dla="nvdla0@15880000\tokay\nnvdla1@158c0000\tokay"), Wanted(dla=True))


def test_zram_alone_is_told_and_no_more() -> None:
    """It is how every Jetson comes."""
    facts = orin_nano(swaps="Filename Type Size Used Priority\n/dev/zram0 partition 634976 0 5\n")
    assert bad(facts) == {}
    assert "zram only" in next(finding.found for finding in findings_of(facts) if finding.subject == "swap")


def test_packages_of_another_user_do_not_count() -> None:
    """Device code runs with `python -s`: what lies in somebody's home is not seen."""
    facts = orin_nano(distributions="opencv_python\t4.10.0.84\t/nvidia/.local/lib/python3.10/site-packages")
    assert bad(facts) == {}


def test_numpy_that_troubles_only_others_is_no_fault() -> None:
    """TensorRT 8.5's nptype fails with numpy 1.24; device code does not use it."""
    facts = xavier_nx(distributions="numpy\t1.24.4\t/usr/local/lib/python3.8/dist-packages")
    assert bad(facts) == {}
    assert "numpy.bool" in next(finding.found for finding in findings_of(facts) if finding.subject == "numpy")


def test_machine_that_is_no_jetson_is_told_so() -> None:
    """A wrong address in devices.yaml looks like this."""
    facts = orin_nano(compatible="", model="", tegra_release="", packages="")
    found = {finding.subject: finding for finding in findings_of(facts)}
    assert (found["Jetson"].severity, "aarch64" in found["Jetson"].found) == ("info", True)
    assert "power mode" not in found


def test_every_fault_has_a_remedy() -> None:
    """A finding without one is a complaint."""
    spoilt = {item: text for _, _, _, _, texts in FAULTS for item, text in texts.items()}
    assert all(finding.remedy for finding in bad(orin_nano(**spoilt)).values())
