"""What trtexec of TensorRT 7 to 11 prints; what it writes with --exportTimes is read in trtexec_times. Pure.

Sources: sampleReporting.cpp and sampleOptions.cpp of TensorRT's samples/common, releases 8.2 to 10; NVIDIA's
"Command-Line Programs" for what the figures mean, its migration pages for what TensorRT 11 changed.

The same engine gives other figures under other switches, so these are part of every result: CUDA graph, spin wait and
data transfers. A log says them under "Inference Options"; of a log without that part they follow from the command line
and the version: TensorRT 11 turned graph and spin wait on and transfers off where older releases had the opposite.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from edgekit.errors import ConfigError
from edgekit.report.history.foreign import ForeignResult, finite
from edgekit.report.history.trtexec_times import definitions_of, queries_of, result_of_times

_PREFIX = re.compile(r"^\[(\d\d/\d\d/\d{4}-\d\d:\d\d:\d\d)\] \[[VIWEF]\] ?")
_BANNER = re.compile(r"&&&& RUNNING TensorRT\.trtexec(?: \[TensorRT v(\d+)\])?(?: \[b\d+\])? # (.*)")
_VERSION_LINE = re.compile(r"^TensorRT version: (\d+(?:\.\d+)+)")
_THROUGHPUT = re.compile(r"^Throughput: ([\d.e+-]+) qps")
_SUMMARY = re.compile(
    r"^(Latency|End-to-End Host Latency|Enqueue Time|H2D Latency|GPU Compute Time|D2H Latency): (min = .*)"
)
_VALUE = re.compile(r"(min|max|mean|median|percentile\(([\d.]+)%\)) = ([\d.e+-]+) ms")
_TOTAL = re.compile(r"^Total (Host Walltime|GPU Compute Time): ([\d.e+-]+) s")
_OPTION = re.compile(r"^(CUDA Graph|Spin-wait|Data transfers|Precision|Model|Batch|Inference Streams|Streams): (.*)")
_DEVICE = re.compile(r"^Selected Device: (.+)")
_SHAPE_OPTION = re.compile(r"^(Input inference shape)s? ?: (.+)")
_NAMES = {
    "Latency": "latency",
    "End-to-End Host Latency": "end_to_end",
    "Enqueue Time": "enqueue",
    "H2D Latency": "h2d",
    "GPU Compute Time": "gpu_compute",
    "D2H Latency": "d2h",
}
_SWITCHES = (  # setting, its line among the options, its flag, whether the flag turns it on
    ("cuda_graph", "CUDA Graph", "--useCudaGraph", True),
    ("spin_wait", "Spin-wait", "--useSpinWait", True),
    ("data_transfers", "Data transfers", "--noDataTransfers", False),
)


def parse_trtexec(text: str, source_name: str, source_sha256: str) -> tuple[ForeignResult, ...]:
    """The runs of a log, or the one of a file of --exportTimes. Raises ConfigError if there is none in it."""
    if text.lstrip().startswith("["):
        queries = queries_of(text)
        if queries is not None:
            return (result_of_times(queries, source_name, source_sha256),)
    runs = [run for run in _runs(text.splitlines()) if run.figures]
    if not runs:
        raise ConfigError(
            f"{source_name}: no performance summary of trtexec in it",
            why='looked for "Throughput: ... qps" and for the list that --exportTimes writes',
            hint="trtexec --loadEngine=model.engine | tee trtexec.log, then import trtexec.log",
        )
    return tuple(run.result(index, source_name, source_sha256) for index, run in enumerate(runs))


class _Run:
    """What the lines of one run have said so far."""

    def __init__(self) -> None:
        self.version: str | None = None
        self.command = ""
        self.measured: str | None = None
        self.device: str | None = None
        self.options: dict[str, str] = {}
        self.figures: dict[str, float] = {}

    def read(self, line: str) -> None:
        prefix = _PREFIX.match(line)
        if prefix:
            self.measured = self.measured or _iso(prefix[1])
            line = line[prefix.end() :]
        line = line.strip()
        if found := _BANNER.match(line):
            self.version, self.command = _version(found[1]), found[2]
        elif found := _VERSION_LINE.match(line):
            self.version = found[1]
        elif found := _DEVICE.match(line):
            self.device = found[1].strip()
        elif found := _OPTION.match(line) or _SHAPE_OPTION.match(line):
            self.options.setdefault(found[1], found[2].strip())
        else:
            self._read_figures(line)

    def _read_figures(self, line: str) -> None:
        if found := _THROUGHPUT.match(line):
            self._keep("throughput_qps", found[1])
        elif found := _TOTAL.match(line):
            self._keep("host_walltime_s" if found[1] == "Host Walltime" else "gpu_compute_total_s", found[2])
        elif found := _SUMMARY.match(line):
            for label, percent, value in _VALUE.findall(found[2]):
                percentile = finite(percent) if percent else None
                part = label if percentile is None else f"p{percentile:g}"
                self._keep(f"{_NAMES[found[1]]}_{part}_ms", value)

    def _keep(self, name: str, text: str) -> None:
        value = finite(text)
        if value is not None:
            self.figures[name] = value

    def result(self, index: int, source_name: str, source_sha256: str) -> ForeignResult:
        precision = self.options.get("Precision")
        return ForeignResult(
            foreign_id=f"trtexec-{source_sha256[:16]}-{index}",
            tool="trtexec",
            tool_version=self.version,
            device=self.device,
            model=_model(self.command, self.options),
            precision=precision.lower() if precision else None,
            measured=self.measured,
            figures=self.figures,
            settings=self._settings(),
            definitions=definitions_of(self.figures),
            notes="the clock of the device was not set" if (self.measured or "9") < "2015" else "",
            source_name=source_name,
            source_sha256=source_sha256,
        )

    def _settings(self) -> dict[str, str]:
        switches = {
            name: _switch(self.options.get(line, ""), self.command, flag, turns_on, self.version)
            for name, line, flag, turns_on in _SWITCHES
        }
        others = {
            "streams": ("Inference Streams", "Streams"),
            "batch": ("Batch",),
            "shapes": ("Input inference shape",),
        }
        told = {
            name: next((self.options[line] for line in lines if line in self.options), "")
            for name, lines in others.items()
        }
        return {**switches, **{name: value for name, value in told.items() if value}}


def _switch(option: str, command: str, flag: str, turns_on: bool, version: str | None) -> str:
    """on, off or unknown: as the options say, else the command line, else the version's default."""
    if option:
        return "on" if option.startswith("Enabled") else "off"
    if flag in command.split():
        return "on" if turns_on else "off"
    if not command or version is None:
        return "unknown"
    if int(version.split(".")[0]) < 11:
        return "off" if turns_on else "on"
    # A release that has it by default may have a flag against it that is not known here.
    about = flag.lower().removeprefix("--use").removeprefix("--no")
    return "unknown" if about in command.lower() else "on" if turns_on else "off"


def _runs(lines: Sequence[str]) -> Iterator[_Run]:
    run = _Run()
    for line in lines:
        if _BANNER.search(line) and (run.figures or run.command):
            yield run
            run = _Run()
        run.read(line)
    yield run


def _version(digits: str | None) -> str | None:
    """ "8502" is 8.5.2, "100300" is 10.3.0."""
    if not digits:
        return None
    number, unit = int(digits), 10000 if len(digits) > 4 else 1000
    return f"{number // unit}.{number % unit // 100}.{number % 100}"


def _iso(stamp: str) -> str | None:
    """ "07/30/2024-15:30:36", month first, as ISO 8601 without a zone."""
    try:
        return datetime.strptime(stamp, "%m/%d/%Y-%H:%M:%S").isoformat()
    except ValueError:
        return None


def _model(command: str, options: Mapping[str, str]) -> str | None:
    named = re.search(r"--(?:loadEngine|onnx)=(\S+)", command)
    path = named[1] if named else options.get("Model", "")
    return re.split(r"[/\\]", path)[-1] or None
