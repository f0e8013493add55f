"""Why results do not count in a forecast, and what is wrong with their times: in English, as data and the terminal
have it, and in Chinese."""

from __future__ import annotations

LEFT_OUT: dict[str, tuple[str, str]] = {
    "disturbed": ("disturbed while measuring", "测量时受到干扰"),
    "scenario": ("of the scenario {scenario}", "测量方式为“{scenario}”"),
    "no_rate": ("without a rate", "没有测得速率"),
    "older": ("of releases before the newest {most:d}", "早于最新的 {most} 个版本"),
    "conditions": ("measured with {parts}", "测量条件不同：{parts}"),
}

# Parts of "conditions", by what must be equal along a history.
CONDITIONS: dict[str, tuple[str, str]] = {
    "module": ("module {value}, not {wanted}", "模块 {value}，最新为 {wanted}"),
    "back end": ("back end {value}, not {wanted}", "推理后端 {value}，最新为 {wanted}"),
    "power mode": ("power mode {value}, not {wanted}", "功耗模式 {value}，最新为 {wanted}"),
    "source": ("source {value}, not {wanted}", "来源 {value}，最新为 {wanted}"),
    "frames of": ("frames of {value}, not {wanted}", "帧尺寸 {value}，最新为 {wanted}"),
    "batch": ("batch {value}, not {wanted}", "批大小 {value}，最新为 {wanted}"),
    "threads": ("threads {value}, not {wanted}", "引擎线程 {value}，最新为 {wanted}"),
    "clocks locked": ("clocks locked {value}, not {wanted}", "时钟锁定 {value}，最新为 {wanted}"),
    "governor": ("governor {value}, not {wanted}", "调频策略 {value}，最新为 {wanted}"),
}

CLOCK: dict[str, tuple[str, str]] = {
    "back_once": (
        "the clock went back once: releases are in the order of their times all the same",
        "时钟曾回拨 1 次：版本仍按其时间排序",
    ),
    "back": (
        "the clock went back {times:d} times: releases are in the order of their times all the same",
        "时钟曾回拨 {times} 次：版本仍按其时间排序",
    ),
    "back_in_session": (
        "the clock went back within 1 session: the order of releases may be wrong",
        "有 1 次会话期间时钟回拨：版本的顺序可能有误",
    ),
    "back_in_sessions": (
        "the clock went back within {sessions:d} sessions: the order of releases may be wrong",
        "有 {sessions} 次会话期间时钟回拨：版本的顺序可能有误",
    ),
    "future_one": (
        "1 result from the future: a clock was, or is, wrong",
        "有 1 个结果来自未来：某个时钟曾经或现在有误",
    ),
    "future": (
        "{results:d} results from the future: a clock was, or is, wrong",
        "有 {results} 个结果来自未来：某个时钟曾经或现在有误",
    ),
}
