"""The texts in which Linux describes a machine: cpuinfo, meminfo, control groups."""

from __future__ import annotations

import pytest

from edgekit.core.cgroup import parse_cpu_limit, parse_memory_limit_mib
from edgekit.core.cpuinfo import CpuInfo, parse_cpuinfo
from edgekit.core.meminfo import parse_meminfo
from edgekit.errors import DeviceError

# Recorded on an AMD EPYC virtual machine, Linux 6.1; flags shortened.
X86 = """processor\t: 0
vendor_id\t: AuthenticAMD
model name\t: AMD EPYC
flags\t\t: fpu sse4_2 fma avx2 avx512f avx512_vnni avx_vnni

processor\t: 1
model name\t: AMD EPYC
flags\t\t: fpu sse4_2 fma avx2 avx512f avx512_vnni avx_vnni
"""
# Written from arch/arm64/kernel/cpuinfo.c; no "model name" there on 64-bit kernels.
ARM = """processor\t: 0
BogoMIPS\t: 62.50
Features\t: fp asimd evtstrm aes crc32 atomics fphp asimdhp asimddp
CPU implementer\t: 0x41

processor\t: 1
Features\t: fp asimd evtstrm aes crc32
"""


def test_x86_features_come_in_the_order_of_importance() -> None:
    """The first one names the engine key."""
    expected = CpuInfo("AMD EPYC", ("avx512_vnni", "avx_vnni", "avx512f", "avx2", "fma", "sse4_2"))
    assert expected == parse_cpuinfo(X86)


def test_cores_of_two_kinds_share_what_both_have() -> None:
    """A kernel picked for the big cores would crash on the small ones."""
    assert CpuInfo(None, ("asimd",)) == parse_cpuinfo(ARM)


def test_empty_cpuinfo_gives_no_features() -> None:
    """Sandboxes hide /proc/cpuinfo; the key then says "baseline"."""
    assert CpuInfo(None, ()) == parse_cpuinfo("")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("MemTotal:  8029252 kB\nMemFree: 512000 kB\nMemAvailable:  4194304 kB\n", (7841, 4096)),
        ("MemTotal:  2048000 kB\nMemFree: 102400 kB\nBuffers: 1024 kB\nCached: 204800 kB\n", (2000, 301)),
    ],
    ids=["with MemAvailable", "kernel before 3.14"],
)
def test_meminfo_gives_total_and_available(text: str, expected) -> None:
    """Available, not free: free memory is small on every healthy Linux."""
    assert expected == parse_meminfo(text)


def test_other_text_than_meminfo_is_refused() -> None:
    """0 MiB would make every build refuse for a wrong reason."""
    with pytest.raises(DeviceError, match="MemTotal"):
        parse_meminfo("no such file")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2147483648\n", 2048), ("max\n", None), ("9223372036854771712\n", None), ("", None), ("rubbish", None)],
    ids=["2 GiB", "v2 without limit", "v1 without limit", "no file", "rubbish"],
)
def test_memory_limit_of_a_control_group(text: str, expected) -> None:
    """A container's limit is the memory there is; the host's is not."""
    assert expected == parse_memory_limit_mib(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("150000 100000\n", 1.5), ("max 100000\n", None), ("", None), ("1 0", None)],
    ids=["one and a half", "no limit", "no file", "no period"],
)
def test_cpu_limit_of_a_control_group(text: str, expected) -> None:
    """64 threads on two CPUs' worth of time are slower than two."""
    assert expected == parse_cpu_limit(text)
