"""devices.yaml is understood as it is meant, or refused as a whole."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgekit.control.inventory import LOCAL_SOURCE, Targets, inventory_from_yaml, load_inventory
from edgekit.control.project import Project, package_data_root
from edgekit.control.yaml_files import parse_yaml
from edgekit.core.collecting import CollectSettings
from edgekit.core.engine import TensorRTOptions
from edgekit.core.probation import Probation
from edgekit.core.service import StreamSettings
from edgekit.core.stream_names import STREAM_NAME_RULE
from edgekit.errors import ConfigError, NotFoundError


def read(text: str):
    return inventory_from_yaml(parse_yaml(text, "devices.yaml"), Path("devices.yaml"))


def problems_of(text: str):
    with pytest.raises(ConfigError) as caught:
        read(text)
    return caught.value.problems


def test_the_shipped_file_names_the_local_device():
    """The first command after `init` must find a device that works."""
    device = load_inventory(Project(package_data_root())).device("local")
    assert (device.kind, device.detector, device.service) == ("local", "roadscene", "roadscene")
    assert device.streams == (StreamSettings(LOCAL_SOURCE),)


def test_the_commented_jetsons_of_the_shipped_file_are_right():
    """Who removes the # signs must get a valid file."""
    text = (package_data_root() / "devices.yaml").read_text()
    start = text.index("  # xavier-nx:")
    jetsons = "\n".join(line.replace("#", " ", 1) for line in text[start:].splitlines() if line.startswith("  #"))
    inventory = read("devices:\n" + jetsons)
    assert [device.name for device in inventory.devices] == ["xavier-nx", "orin-nano", "agx-orin"]
    xavier = inventory.device("xavier-nx")
    assert xavier.targets == Targets(fps=25, watts=15)
    assert xavier.streams == (StreamSettings("csi://0", "gate"), StreamSettings("rtsp://10.0.0.7/yard", "yard"))
    assert xavier.events is not None
    assert ([zone.stay_s for zone in xavier.events.zones], xavier.events.lines[0].to_left) == ([30.0], "out")
    assert xavier.events.unknown_names((), ("gate", "yard")) == ()
    assert (xavier.probation, xavier.backend) == (Probation(), "auto")
    assert xavier.collect == CollectSettings(blur=("person",))


def test_the_commented_keys_of_the_local_device_are_right():
    """Each commented line is a promise too."""
    text = (package_data_root() / "devices.yaml").read_text()
    block = text[text.index("  local:") : text.index("  # Jetsons.")]
    keys = [line.replace("# ", "", 1) for line in block.splitlines() if re.match(r"    # +[a-z0-9_]+: ", line)]
    device = read("devices:\n  local:\n    kind: local\n" + "\n".join(keys)).device("local")
    assert (device.streams, device.calibration) == ((StreamSettings(LOCAL_SOURCE),), "NAME")
    assert (device.page_port, device.collect) == (8080, CollectSettings())
    assert device.targets == Targets(15, 100, 10, joules_per_frame=0.4, mib=1500, map_loss_pct=1.5)


def test_defaults_fill_what_a_device_leaves_out():
    """Targets are merged key by key; everything else is replaced."""
    inventory = read(
        "defaults: {precision: int8, sinks: ['jsonl:/a'], targets: {fps: 20, watts: 10}}\n"
        "devices:\n"
        "  local: {kind: local, targets: {fps: 25}, sinks: []}\n"
        "  other: {kind: local, service: street}\n"
    )
    local, other = inventory.devices
    assert local.targets == Targets(fps=25, watts=10)
    assert (local.precision, local.sinks) == ("int8", ())
    assert (other.sinks, other.service) == (("jsonl:/a",), "street")


def test_collecting_is_merged_key_by_key_and_can_be_switched_off():
    """One line in the defaults is for the whole fleet, and one of its cameras may look into a window."""
    inventory = read(
        "defaults: {collect: {per_hour: 30, blur: [person]}}\n"
        "devices:\n"
        "  gate: {kind: local, service: gate}\n"
        "  yard: {kind: local, service: yard, collect: {quota_mib: 64}}\n"
        "  door: {kind: local, service: door, collect: {}}\n"
        "  hall: {kind: local, service: hall, collect: null}\n"
    )
    gate, yard, door, hall = (device.collect for device in inventory.devices)
    assert gate == door == CollectSettings(per_hour=30, blur=("person",))
    assert yard == CollectSettings(quota_mib=64, per_hour=30, blur=("person",)) and hall is None


@pytest.mark.parametrize(
    ("collect", "problem"),
    [
        ("{per_hours: 5}", "collect.per_hours: unknown field"),
        (
            "{per_hour: 0, quota_mib: 4}",
            "quota_mib: expected 8 to 1048576, got 4; per_hour: expected 1 to 36000, got 0",
        ),
        ("{blur: person}", "collect.blur: expected a list"),
        ("yes", "collect: expected an object"),
    ],
)
def test_collecting_that_means_nothing_is_refused(collect, problem):
    """A typing error would keep the default, which is not what was asked for."""
    (told,) = problems_of(f"devices: {{gate: {{kind: local, collect: {collect}}}}}")
    assert told.startswith("devices.yaml: gate: ") and problem in told


def test_every_problem_is_reported_with_its_device():
    """The style of the message is a promise of the documentation."""
    assert problems_of(
        "defaults: {precission: int8}\n"
        "groups: {street: [xavier-n], all: []}\n"
        "devices:\n"
        "  xavier-nx: {address: 10.0.0.1, port: 0, threads: x, precision: fp8, targets: {fps: -1}}\n"
        "  Bad_Name: 3\n"
    ) == (
        "devices.yaml: defaults: precission: unknown key; did you mean 'precision'?",
        "devices.yaml: xavier-nx: port: expected 1 or more, got 0",
        "devices.yaml: xavier-nx: precision: expected 'auto', 'fp32', 'fp16' or 'int8', got \"fp8\"",
        "devices.yaml: xavier-nx: targets.fps: expected more than 0, got -1",
        'devices.yaml: xavier-nx: threads: expected a whole number, got "x"',
        "devices.yaml: Bad_Name: expected a mapping, got 3",
        "devices.yaml: Bad_Name: expected lower-case letters, digits and hyphens, at most 63, "
        "not starting with a hyphen",
        "devices.yaml: groups.street: no device named 'xavier-n'; did you mean 'xavier-nx'?",
        "devices.yaml: groups.all: a reserved name",
    )


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("kind: jetson, source: /a", "address: missing"),
        ("kind: jetson, address: a", "source: missing"),
        ("kind: local, address: a", "this machine and has none"),
        ("address: -oProxyCommand=x, source: /a", "expected a plain address"),
        ("address: a, source: /a, user: 'a b'", "expected a plain user"),
        ("address: a, source: /a, jump: '-v'", "expected a plain jump"),
        ("kind: local, service: ../x", "service: expected lower-case"),
        ("address: a, source: /a, python: python3.8", "python: only for devices"),
    ],
)
def test_what_contradicts_itself_or_looks_like_an_option_is_refused(entry, said):
    """An address that begins with a hyphen would be an option of ssh."""
    (problem,) = problems_of(f"devices: {{box: {{{entry}}}}}")
    assert problem.startswith("devices.yaml: box: ")
    assert said in problem


def test_groups_and_all_select_each_device_once():
    inventory = read("groups: {g: [b, a]}\ndevices: {a: {kind: local}, b: {kind: local}, c: {kind: local}}")
    assert [device.name for device in inventory.select(["g", "a"])] == ["b", "a"]
    assert [device.name for device in inventory.select(["all"])] == ["a", "b", "c"]


def test_a_typo_gets_the_nearest_name():
    with pytest.raises(NotFoundError, match="no device named 'lcoal'") as caught:
        read("devices: {local: {kind: local}}").device("lcoal")
    assert "did you mean 'local'?" in caught.value.why


def test_a_device_without_settings_is_a_device():
    """`local:` with nothing after it is a mapping that is empty."""
    assert read("defaults: {kind: local}\ndevices:\n  local:\n").device("local").kind == "local"


def test_options_of_tensorrt_are_merged_key_by_key():
    """A board with little memory differs in one line from its defaults."""
    inventory = read(
        "defaults: {kind: local, tensorrt: {workspace_mib: 512, calibrator: minmax}}\n"
        "devices:\n"
        "  a: {tensorrt: {workspace_mib: 128, plugins: [/opt/nms.so, libextra.so]}}\n"
        "  b: {}\n"
    )
    a, b = (device.tensorrt for device in inventory.devices)
    assert a == TensorRTOptions(workspace_mib=128, calibrator="minmax", plugins=("/opt/nms.so", "libextra.so"))
    assert b == TensorRTOptions(workspace_mib=512, calibrator="minmax")


def test_every_wrong_option_of_tensorrt_is_reported():
    """A wrong one would show up only after a build of minutes."""
    assert problems_of(
        "devices: {a: {kind: local, tensorrt: {route: best, calibrator: mean, workspace_mib: 1, optimisation_level: 6, "
        "dla_core: -1, plugins: [a/b.so], library_tactic: true}}}"
    ) == (
        "devices.yaml: a: tensorrt.route: expected 'auto', 'calibrator' or 'explicit', got \"best\"",
        "devices.yaml: a: tensorrt.calibrator: expected 'entropy' or 'minmax', got \"mean\"",
        "devices.yaml: a: tensorrt.workspace_mib: expected 16 or more, got 1",
        "devices.yaml: a: tensorrt.optimisation_level: expected 5 or less, got 6",
        "devices.yaml: a: tensorrt.dla_core: expected 0 or more, got -1",
        "devices.yaml: a: tensorrt.plugins.0: expected a path on the device from / on, or a library's plain name, "
        "got 'a/b.so'",
        "devices.yaml: a: tensorrt.library_tactic: unknown key; did you mean 'library_tactics'?",
    )


def test_this_machine_may_run_device_code_with_another_python():
    """TensorRT's bindings may belong to a Python older than the one that edgekit runs in."""
    assert read("devices: {a: {kind: local, python: /opt/trt/python}}").device("a").python == "/opt/trt/python"


def test_a_new_release_is_watched_by_the_devices_rule_and_its_targets():
    """A release that is too slow is taken back by what devices.yaml says, and by nothing else."""
    inventory = read(
        "defaults: {kind: local, probation: {seconds: 10, frames: 100}}\n"
        "devices:\n"
        "  a: {probation: {frames: 5}, targets: {fps: 25, p99_ms: 80, watts: 15}}\n"
        "  b: {}\n"
    )
    a, b = (device.probation_rule() for device in inventory.devices)
    assert a == Probation(frames=5, seconds=10, deadline_s=120, min_fps=25, max_p99_ms=80)
    assert (b.frames, b.min_fps, b.max_p99_ms) == (100, None, None)


def test_all_cameras_are_watched_under_names_given_or_made():
    """A second camera would be in the file and nobody would look at it."""
    text = """devices:
  listed: {address: a, cameras: [csi://0, "rtsp://me:pw@10.0.0.7/yard", "rtsp://me:pw@10.0.0.7/gate"]}
  named: {address: a, cameras: {yard: csi://0}}
  single: {address: a, cameras: [csi://0]}
  local: {kind: local}
"""
    names = {device.name: [stream.name for stream in device.streams] for device in read(text).devices}
    assert names == {"listed": ["csi-0", "10.0.0.7", "10.0.0.7-2"], "named": ["yard"], "single": [""], "local": [""]}


def test_cameras_that_cannot_be_told_apart_are_refused():
    """Files and events of two cameras would be mixed, or a name would lead out of a folder."""
    assert problems_of(
        "devices: {a: {kind: local, source: /s, cameras: [/c]}, b: {kind: local, cameras: {'../x': /c, '': /d}}, "
        "c: {kind: local, cameras: {x: 3}}, d: {kind: local, cameras: 5}}"
    ) == (
        "devices.yaml: c: cameras.x: expected text, got 3",
        "devices.yaml: d: cameras: expected a mapping, got 5",
    )
    assert problems_of(
        "devices: {a: {kind: local, source: /s, cameras: [/c]}, b: {kind: local, cameras: {'../x': /c, 'y z': /d}}}"
    ) == (
        "devices.yaml: a: source, cameras: give one of them",
        f"devices.yaml: b: cameras: {STREAM_NAME_RULE}, got '../x'",
        f"devices.yaml: b: cameras: {STREAM_NAME_RULE}, got 'y z'",
    )


def test_zones_are_checked_with_the_file_they_stand_in():
    """A zone of two corners would be found out on the device."""
    (problem, other) = problems_of(
        "devices: {a: {kind: local, events: {zones: [{name: yard, points: [[0, 0], [1, 1]]}], lnes: []}}, "
        "b: {kind: local, events: {lines: [{name: gate, start: [0, 0], end: [2, 1]}]}}}"
    )
    assert "devices.yaml: a: events: " in problem and "3 to" in problem and "lnes: unknown field" in problem
    assert "lines[0].end: expected x and y from 0 to 1" in other


def test_what_a_probation_or_camera_cannot_be_is_refused():
    """A deadline of nothing would take every release back."""
    assert problems_of(
        "devices: {a: {kind: local, backend: cpu, probation: {frames: 0, deadline_s: 0, second: 3}}, "
        "b: {kind: local, cameras: ['']}}"
    ) == (
        "devices.yaml: a: backend: expected 'auto' or 'onnxruntime', got \"cpu\"",
        "devices.yaml: a: probation.frames: expected 1 or more, got 0",
        "devices.yaml: a: probation.deadline_s: expected more than 0, got 0",
        "devices.yaml: a: probation.second: unknown key; did you mean 'seconds'?",
        'devices.yaml: b: cameras.: expected at least 1 characters, got ""',
    )
    (problem,) = problems_of("devices: {a: {kind: local, cameras: [/c, /c]}}")
    assert problem == "devices.yaml: a: cameras: the same one twice"


def test_a_typo_among_devices_and_groups_gets_the_nearest_of_both():
    """Every verb takes either."""
    inventory = read("groups: {street: [a]}\ndevices: {a: {kind: local}}")
    with pytest.raises(NotFoundError, match="no device or group named 'stret'") as caught:
        inventory.select(["a", "stret"])
    assert "did you mean 'street'?" in caught.value.why


def test_an_address_that_is_none_is_found_before_the_device_is_asked():
    """A typing error would cost a build and a probation; and no part of a password is told."""
    text = """devices:
  a: {kind: local, cameras: {gate: "csi://left", yard: "rtsp://me:secret@10.0.0.7:99999/x?stall_s=0"}}
  b: {kind: local, sinks: ["mqtt://me:secret@/no/host"]}
  c: {kind: local, source: "rtsp://me:sec/ret@10.0.0.7/x"}
"""
    problems = problems_of(text)
    assert [problem.split(": ")[1:3] for problem in problems] == [
        ["a", "cameras.gate"],
        ["a", "cameras.yard"],
        ["b", "sinks"],
        ["c", "source"],
    ]
    assert "sec" not in "".join(problems).replace("seconds", "") and "65535" in problems[1] and "stall_s" in problems[1]
