"""Every word of the page of `edgekit history plot`, in each language."""

from __future__ import annotations

from edgekit.report.texts import LANGUAGES

_TABLE: dict[str, tuple[str, str]] = {
    "html_lang": ("en", "zh-CN"),
    "kicker": ("Results over time", "历次测量结果"),
    "title": ("History", "历史"),
    "sub": ("{results} results, {first} to {last} UTC", "{results} 次结果，{first} 至 {last}（UTC）"),
    "sub_one": ("one result, {last} UTC", "1 次结果，{last}（UTC）"),
    "note": (
        "Each figure is drawn from its lowest to its highest value, not from zero. Results stand in one plot only if "
        "they were measured under equal conditions; model and engine may differ. An upright line is the first result "
        "of another engine. The thin lines of the FPS are 95 % intervals.",
        "各图的纵轴从最低值到最高值，不从零开始。只有测量条件相同的结果才画在同一张图中；模型与引擎可以不同。"
        "竖线表示首次使用另一个引擎。FPS 的细线为 95 % 置信区间。",
    ),
    "series": ("{device}, {detector}, {precision}, {scenario}", "{device}，{detector}，{precision}，{scenario}"),
    "counts": ("{results} results, {first} to {last}", "{results} 次结果，{first} 至 {last}"),
    "counts_one": ("one result, {last}", "1 次结果，{last}"),
    "left_out": ("{count} disturbed left out", "{count} 次受干扰，未计入"),
    "shown": ("the newest {count} are drawn", "只画出最近 {count} 次"),
    "now": ("now", "当前"),
    "median": ("median", "中位数"),
    "against": ("{pct} from the median before it", "与此前中位数相比 {pct}"),
    "disturbed": ("Disturbed, in no plot", "受干扰，未画出"),
    "clock": ("Out of order", "时间顺序有误"),
    "clock_is": (
        "the clock went back: {other} was recorded before it and says a later time",
        "时钟曾回拨：{other} 先于它记录，时间却更晚",
    ),
    "engine": ("engine", "引擎"),
    "commit": ("commit", "提交"),
    "fps": ("FPS", "FPS"),
    "p99_ms": ("p99 latency, ms", "p99 延迟，ms"),
    "memory_mib": ("memory peak, MiB", "内存峰值，MiB"),
    "watts": ("power, W", "功率，W"),
    "joules_per_frame": ("energy, J/frame", "能耗，J/帧"),
    "map50_95": ("mAP50-95", "mAP50-95"),
}


def page_text(lang: str, key: str, **values: object) -> str:
    """The words for a key. Raises KeyError for an unknown key or language."""
    return _TABLE[key][LANGUAGES.index(lang)].format(**values)
