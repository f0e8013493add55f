"""A Jetson as a folder: its settings as files, and programs that change them as the real ones do.

The programs are shell scripts that speak as recorded (tests/cases/jetson) and act on the folder they lie in:

nvpmodel       asks for a restart where a mode gates other parts of the GPU; a change of mode unlocks the clocks
jetson_clocks  --store refuses a file that exists; --restore writes paths and values of its file, good or bad
systemctl      knows nvfancontrol alone, by the file run/nvfancontrol

A program whose name is in the file "hang" stops before it changes anything, until that file is gone. From then on until
it ends there is a file "hanging".
"""

from __future__ import annotations

from pathlib import Path

MODES = """< POWER_MODEL ID=0 NAME=MAXN_SUPER >
TPC_POWER_GATING TPC_PG_MASK 240
CPU MAX_FREQ 1984000
< POWER_MODEL ID=1 NAME=10W >
TPC_POWER_GATING TPC_PG_MASK 252
CPU MAX_FREQ 1190400
< POWER_MODEL ID=3 NAME=25W >
TPC_POWER_GATING TPC_PG_MASK 240
CPU MAX_FREQ 1497600
< PM_CONFIG DEFAULT=3 >
"""
POLICIES = ("policy0", "policy4")
LOWEST_KHZ, GPU_HZ = "729600", ("306000000", "1173000000")
CPU, GPU = "sys/devices/system/cpu/cpufreq", "sys/class/devfreq/17000000.gpu"
FAN, OLD_FAN = "sys/class/hwmon/hwmon2/pwm1", "sys/devices/pwm-fan"
STATUS = "var/lib/nvpmodel/status"
JOURNAL = "var/lib/edgekit/tuned.json"

_HEAD = '#!/bin/sh\nroot=$(cd "$(dirname "$0")/../.." && pwd)\n'
_HANG = """
hang() {
    [ -e "$root/hang" ] && [ "$(cat "$root/hang")" = "${0##*/}" ] || return
    trap 'rm -f "$root/hanging"' EXIT
    touch "$root/hanging"
    while [ -e "$root/hang" ]; do sleep 0.02; done
}
"""
_NVPMODEL = """
conf=$root/etc/nvpmodel.conf status=$root/var/lib/nvpmodel/status
of() { sed -n "/ID=$1 /,/^</s/^$2 *//p" "$conf" | head -n 1; }
name() { sed -n "s/^< POWER_MODEL ID=$1 NAME=\\(.*\\) >/\\1/p" "$conf"; }
mode=$(sed 's/pmode:0*\\([0-9]\\).*/\\1/' "$status")
case $1 in
-q) echo 'NVPM WARN: fan mode is not set!'; echo "NV Power Mode: $(name "$mode")"; echo "$mode"; exit ;;
esac
[ -n "$(name "$2")" ] || { echo "NVPM ERROR: request for bad power mode $2"; exit 255; }
if [ "$(of "$mode" TPC_POWER_GATING)" != "$(of "$2" TPC_POWER_GATING)" ]; then
    echo "NVPM WARN: Reboot required for changing to this power mode: $2"
    echo 'NVPM WARN: DO YOU WANT TO REBOOT NOW? enter YES/yes to confirm:'
    read -r answer && [ "$answer" = YES ] && touch "$root/restarted"
    echo 'NVPM ERROR: bad input!'; echo 'NVPM ERROR: optMask is 1, no request for power mode'; exit 255
fi
hang
printf 'pmode:%04d fmode:quiet\\n' "$2" > "$status"
for policy in "$root"/sys/devices/system/cpu/cpufreq/policy*; do
    echo 729600 > "$policy/scaling_min_freq"; of "$2" 'CPU MAX_FREQ' > "$policy/scaling_max_freq"
done
echo 306000000 > "$root/sys/class/devfreq/17000000.gpu/min_freq"
"""
_JETSON_CLOCKS = """
gpu=$root/sys/class/devfreq/17000000.gpu
case $1 in
--show)
    echo 'SOC family:tegra234  Machine:NVIDIA Jetson Orin NX Engineering Reference Developer Kit Super'
    for policy in "$root"/sys/devices/system/cpu/cpufreq/policy*; do
        echo "cpu${policy##*policy}:  Online=1 Governor=$(cat "$policy/scaling_governor")" \\
            "MinFreq=$(cat "$policy/scaling_min_freq") MaxFreq=$(cat "$policy/scaling_max_freq") CurrentFreq=1267200"
    done
    echo "GPU MinFreq=$(cat "$gpu/min_freq") MaxFreq=$(cat "$gpu/max_freq") CurrentFreq=306000000" ;;
--store)
    [ ! -e "$2" ] || { echo "File $2 already exists. Can I overwrite it? Y/N:"; read -r answer || exit 1; }
    for file in "$root"/sys/devices/system/cpu/cpufreq/policy*/scaling_min_freq "$gpu/min_freq"; do
        echo "$file:$(cat "$file")" >> "$2"
    done ;;
--restore)
    hang
    for line in $(cat "$2"); do echo "${line#*:}" > "${line%:*}"; done ;;
'')
    hang
    for policy in "$root"/sys/devices/system/cpu/cpufreq/policy*; do
        cat "$policy/scaling_max_freq" > "$policy/scaling_min_freq"
    done
    cat "$gpu/max_freq" > "$gpu/min_freq" ;;
esac
"""
_SYSTEMCTL = """
for word in "$@"; do case $word in
is-active) [ -e "$root/run/nvfancontrol" ]; exit ;;
stop) rm -f "$root/run/nvfancontrol" ;;
start) touch "$root/run/nvfancontrol"; echo 88 > "$root/sys/class/hwmon/hwmon2/pwm1" ;;
esac; done
"""


class Board:
    """An Orin NX Super in mode 25W: clocks vary, the governor is schedutil, nvfancontrol turns the fan."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for policy in POLICIES:
            self.write(f"{CPU}/{policy}/scaling_governor", "schedutil\n")
            self.write(f"{CPU}/{policy}/scaling_available_governors", "ondemand performance schedutil\n")
            self.write(f"{CPU}/{policy}/scaling_min_freq", LOWEST_KHZ)
            self.write(f"{CPU}/{policy}/scaling_max_freq", "1497600")
        self.write(f"{GPU}/min_freq", f"{GPU_HZ[0]}\n")
        self.write(f"{GPU}/max_freq", f"{GPU_HZ[1]}\n")
        self.write("sys/class/hwmon/hwmon2/name", "pwmfan\n")
        self.write(FAN, "88\n")
        self.write("etc/nvpmodel.conf", MODES)
        self.write(STATUS, "pmode:0003 fmode:quiet\n")
        self.write("proc/sys/kernel/random/boot_id", "first\n")
        self.write("run/nvfancontrol", "")
        for path, body in (
            ("sbin/nvpmodel", _NVPMODEL),
            ("bin/jetson_clocks", _JETSON_CLOCKS),
            ("bin/systemctl", _SYSTEMCTL),
        ):
            self.program(f"usr/{path}", body)

    def write(self, path: str, text: str) -> None:
        """A file of it."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def program(self, path: str, body: str) -> None:
        """A program of it."""
        self.write(path, _HEAD + _HANG + body)
        (self.root / path).chmod(0o755)

    def read(self, path: str) -> str:
        """A file's text."""
        return (self.root / path).read_text().strip()

    def restart(self) -> None:
        """All but the power mode is as the system makes it at a start; the journal's folder is on the disk."""
        for policy in POLICIES:
            self.write(f"{CPU}/{policy}/scaling_governor", "schedutil\n")
            self.write(f"{CPU}/{policy}/scaling_min_freq", LOWEST_KHZ)
        self.write(f"{GPU}/min_freq", f"{GPU_HZ[0]}\n")
        self.write(FAN, "88\n")
        self.write("run/nvfancontrol", "")
        self.write("proc/sys/kernel/random/boot_id", "second\n")

    def settings(self) -> dict[str, str]:
        """Every file that tuning may change."""
        paths = [
            f"{CPU}/{policy}/{name}"
            for policy in POLICIES
            for name in ("scaling_governor", "scaling_min_freq", "scaling_max_freq")
        ]
        found = {path: self.read(path) for path in (*paths, f"{GPU}/min_freq", FAN, STATUS)}
        return {**found, "nvfancontrol": str((self.root / "run/nvfancontrol").exists())}
