"""Recorded sentences on a Chinese page: those that the kit really writes, and those that nobody here knows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from edgekit.core.camera_failures import _KNOWN, name_failure
from edgekit.core.detector import DetectorSpec, InputSpec
from edgekit.core.disturbances import MachineSample, find_disturbances
from edgekit.core.jetson_clocks import ClockRange
from edgekit.core.machine import MachineReadings
from edgekit.core.meminfo import Swap
from edgekit.core.nvpmodel import PowerMode
from edgekit.core.power_mode_choice import ModeChoice
from edgekit.core.preflight_rules import (
    Surroundings,
    clocks_setting,
    compose_preflight,
    fan_setting,
    governor_setting,
    power_mode_setting,
)
from edgekit.core.processor_load import OtherLoad
from edgekit.core.stability import Windows, verdict
from edgekit.core.tensors import InputSize, ShapeProfile
from edgekit.report.recorded.saying import Recorded, recorded, recorded_all, recorded_word
from edgekit.runtime.bench.away import AwayLimit
from edgekit.runtime.calibration_pictures import CalibrationPictures
from edgekit.runtime.trt.messages import sort_messages

NOTE = "（原文为英文，暂无译文）"
SIZE = InputSize(1, 32, 32)
TINY = DetectorSpec("tiny", "0" * 64, InputSpec("images"), ShapeProfile(SIZE, SIZE, SIZE), "yolov8", ("car",))
RNG = np.random.default_rng(3)


def verdicts():
    rates = np.array([100.0] * 16)
    slow = rates.copy()
    slow[[4, 5, 11]] = 60.0
    noisy = 100 * (1 + 0.2 * RNG.normal(0, 1, 16))
    yield verdict(Windows([5.0] * 3, 12, 10.0, 0.0))
    yield verdict(Windows(np.linspace(80, 100, 16), 300, 10.0, 0.04))
    yield verdict(Windows(np.linspace(100, 80, 16), 300, 10.0, 0.04))
    yield verdict(Windows(slow, 300, 10.0, 0.04))
    yield verdict(Windows(noisy, 300, 10.0, 0.06))
    yield verdict(Windows(noisy, 300, 10.0, 0.5))


def findings():
    modes = [PowerMode(0, "MAXN"), PowerMode(2, "MODE_15W_6CORE")]
    settings = [
        power_mode_setting("MODE_10W", ModeChoice(modes[1], modes[0])),
        clocks_setting((ClockRange("policy0", 1, 2),), lockable=True),
        governor_setting(["schedutil"], ["schedutil", "performance"]),
        fan_setting(88, 4.0),
    ]
    around = Surroundings(
        OtherLoad(34.4, ("chrome", "Web Content")),
        MachineReadings(throttling=("cpu-throttle-alert", "gpu-throttle-alert"), memory_available_mib=412),
        (Swap("/dev/zram0", 1024, 812),),
        ("python3 (process 4711)",),
    )
    yield from compose_preflight(settings, around).findings
    yield from compose_preflight(settings, Surroundings(OtherLoad(50.0))).findings
    hot = MachineReadings(headroom_c=6.0, limiting_zone="tj-thermal")
    yield from compose_preflight([], Surroundings(machine=hot)).findings
    for best, strongest in ((modes[0], modes[0]), (None, modes[0])):
        setting = power_mode_setting("MODE_10W", ModeChoice(best, strongest))
        yield from compose_preflight([setting], Surroundings()).findings


def disturbances():
    calm = MachineSample(0.0, events={"oc1_event_cnt": 0, "hsm_event_cnt": 1, "core_throttle_count": 0})
    calm = replace(calm, power_mode="25W", clock_limits={"GPU": "1-2"})
    worse = replace(calm, t_s=1.0, power_mode="MAXN", clock_limits={"GPU": "1-1"}, throttling=("b-alert", "a-alert"))
    worse = replace(worse, gpu_reasons=0x08 | 0x20 | 0x40 | 0x80)
    yield from find_disturbances([calm, replace(worse, events=dict.fromkeys(calm.events, 9))], [])


def of_a_run():
    """What edgekit.runtime.bench adds; each may come from one of several streams."""
    source = SimpleNamespace(on_away=None, stop=lambda: None)
    limit = AwayLimit(source)
    source.on_away("rtsp://gate/1 is reconnecting: the camera refuses user or password")
    yield from limit.disturbances
    ended = AwayLimit(source, limit_s=0.0)
    source.on_away("rtsp://gate/1 is stalled")
    yield from ended.disturbances
    yield "the engine's answer was NaN or infinite for 3 of 900 frames"
    yield from (
        f"with 3 streams {text}" for text in (*limit.disturbances, "gate ended early: the camera ended the stream")
    )


def of_a_build(folder: Path):
    """What TensorRT's messages and calibration come to."""
    said = [
        ("WARNING", "Tactic Device request: 600MB Available: 500MB. Device memory is insufficient to use tactic."),
        ("WARNING", "Skipping tactic 3 due to insufficient memory on requested size of 600 detected for tactic 4."),
        ("WARNING", "Your ONNX model has been generated with INT64 weights, while TensorRT does not support it."),
    ]
    found = sort_messages(said)
    yield from (*found.warnings, *found.notes)
    cv2.imwrite(str(folder / "a.png"), RNG.integers(0, 255, (40, 40, 3), np.uint8))
    (folder / "b.png").write_bytes(b"no picture")
    pictures = CalibrationPictures(str(folder), TINY, 1, lambda *step: None)
    assert len([*pictures]) == 1
    yield from pictures.warnings


def test_everything_that_core_finds_is_said_in_chinese():
    """From the rules themselves, so that a sentence that is put together from parts is read as it is written."""
    for sentence in (*verdicts(), *findings(), *disturbances()):
        assert recorded("zh", sentence).note == "", sentence
        assert sentence != recorded("zh", sentence).text


def test_what_the_device_says_of_a_run_and_of_a_build_is_said_in_chinese(tmp_path):
    """These modules write their sentences themselves: who rewords one has to add it to the tables."""
    sentences = [*of_a_run(), *of_a_build(tmp_path)]
    assert len(sentences) > 8
    assert [sentence for sentence in sentences if recorded("zh", sentence).note] == []


@pytest.mark.parametrize("kind", [kind for kind, _, _ in _KNOWN])
def test_what_a_camera_lacks_is_said_in_chinese(kind):
    """It stands in the middle of the sentence of a disturbed run."""
    what = next(what for name, what, _ in _KNOWN if name == kind)
    what = f"{what}: avdec_h265" if kind == "missing element" else what
    told = recorded("zh", f"the source was away (2 x): rtsp://gate/1 is reconnecting: {what}")
    assert told.note == "" and told.text.startswith("来源中断 2 次：rtsp://gate/1 正在重连：")
    assert what.split(":")[0] not in told.text


def test_another_failure_of_a_camera_is_quoted():
    """A library's own words have no translation."""
    what = name_failure("weird thing 17").what
    told = recorded("zh", f"the source was away (2 x), and stayed away: rtsp://gate/1 is stalled: {what}")
    assert told == Recorded("来源中断 2 次，且未恢复：rtsp://gate/1 停滞：无法读取摄像头：weird thing 17")


@pytest.mark.parametrize(
    ("sentence", "chinese"),
    [
        (
            "3 of 16 windows were 40 % slower than the others, as when other programs run: close them and measure "
            "again",
            "16 个时间窗中有 3 个比其余的慢 40 %，像是有其他程序在运行：请关闭后重新测量",
        ),
        (
            "it rose by 20% through the run, clocks or caches were still warming up: measure for longer",
            "运行期间速率上升了 20 %，时钟或缓存仍在预热：请延长测量时间",
        ),
        (
            "the GPU slowed itself down in 2 of 11 looks at it (hardware slowdown, heat, by the driver)",
            "GPU 主动降频：11 次检查中出现 2 次（硬件降频、驱动因过热限频）",
        ),
        (
            "clocks vary: lock them: edgekit bench --tune, or sudo jetson_clocks",
            "时钟未锁定：可用 edgekit bench --tune 或 sudo jetson_clocks 锁定",
        ),
        (
            "fan 88 of 255: let it turn at full speed: edgekit bench --tune",
            "风扇转速为 88 / 255：应让风扇全速运转，可用 edgekit bench --tune 设置",
        ),
    ],
)
def test_sentences_as_they_were_recorded(sentence, chinese):
    """Results are kept for years: who rewords a sentence leaves the old one to be read, also with "20%"."""
    assert recorded("zh", sentence) == Recorded(chinese)


@pytest.mark.parametrize(
    "sentence",
    [
        "the moon was full: wait",
        "power mode 10W: ask the moon",
        "with 3 streams the moon was full",
        "rtsp://gate/1 is asleep",
        "x.json: the moon",
        "it is of two minds",
        "",
    ],
)
def test_what_nobody_knows_stays_english_and_says_so(sentence):
    """A result of a later edgekit; half a translation would be worse than none."""
    assert recorded("zh", sentence) == Recorded(sentence, NOTE)
    assert str(recorded("zh", sentence)) == f"{sentence}{NOTE}"


def test_an_english_page_says_what_was_recorded():
    """With percentages as they look on the rest of the page."""
    assert recorded("en", "98.6% of it") == Recorded("98.6\N{NARROW NO-BREAK SPACE}% of it")
    assert recorded_all("en", ("one", "two")) == "one; two"
    assert recorded_word("en", "full") == "full"
    assert [recorded_word("zh", word) for word in ("full", "88 of 255", "build", "xyz")] == [
        "全速",
        "88 / 255",
        "构建",
        "xyz",
    ]


def test_sentences_in_sentences_come_to_an_end():
    """A file may hold anything, also a thousand streams in each other."""
    told = recorded("zh", "with 3 streams " * 200 + "it is no JPEG")
    assert told.note == NOTE
