"""The texts in which Linux describes a machine: cpuinfo, meminfo, swaps, disks, control groups."""

from __future__ import annotations

import pytest

from edgekit.core.cgroup import parse_cpu_limit, parse_file_cache_mib, parse_memory_limit_mib
from edgekit.core.cpuinfo import CpuInfo, parse_cpuinfo
from edgekit.core.disks import Disk, disk_of, parse_df
from edgekit.core.meminfo import Swap, parse_meminfo, parse_swaps
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


def test_swap_in_memory_is_told_from_swap_on_a_disk() -> None:
    """zram takes the memory that a build lacks."""
    text = "Filename\tType\tSize\tUsed\tPriority\n/dev/zram0 partition 634976 1024 5\n/mnt/4GB.swap file 4194300 0 -2\n"
    assert parse_swaps(text) == (Swap("/dev/zram0", 620, 1), Swap("/mnt/4GB.swap", 4095, 0))
    assert [swap.compressed for swap in parse_swaps(text)] == [True, False]
    assert parse_swaps("Filename\tType\tSize\tUsed\tPriority\n") == () == parse_swaps("")


# Written from POSIX's form of `df -P -k`; the second line as on a board with an SD card and a disk for /opt.
DF = """Filesystem     1024-blocks     Used Available Capacity Mounted on
/dev/mmcblk0p1    29602592 14801296  13274240      53% /
/dev/nvme0n1p1   245023328  1048576 231455520       1% /opt
/dev/mmcblk0p1    29602592 14801296  13274240      53% /
tmpfs                    0        0        -8       0% /run/my disk
"""


def test_room_is_that_of_the_disk_which_holds_the_folder() -> None:
    """/opt may be a disk of its own; /optional is not in it."""
    disks = parse_df(DF)
    assert [disk.mount for disk in disks] == ["/", "/opt", "/run/my disk"]
    assert disk_of("/opt/edgekit", disks) == Disk("/dev/nvme0n1p1", "/opt", 239280, 226030)
    assert disk_of("/optional", disks) == disks[0]
    assert disks[2].free_mib == 0


def test_folder_on_no_known_disk_has_no_room_that_is_known() -> None:
    """0 MiB would be an error about a disk that nobody looked at."""
    assert disk_of("/opt", ()) is None
    assert disk_of("/opt", parse_df(DF)[2:]) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"anon {300 << 20}\nfile {600 << 20}\ninactive_file {500 << 20}\nactive_file {80 << 20}\n", 580),
        (f"inactive_file 0\nactive_file 0\ntotal_inactive_file {500 << 20}\ntotal_active_file {80 << 20}\n", 580),
        ("", 0),
    ],
    ids=["version 2", "version 1", "it does not say"],
)
def test_files_in_memory_can_be_dropped(text: str, expected: int) -> None:
    """A container that has read a large file is not out of memory."""
    assert parse_file_cache_mib(text) == expected
