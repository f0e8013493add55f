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
        "Each figure is drawn from its lowest to its highest value, over 2 % of it at least, not from zero. Results "
        "stand in one plot only if they were measured under equal conditions; model and engine may differ. An upright "
        "line is the first result of another engine. The thin lines of the FPS and of the mAP kept are 95 % intervals.",
        "各图的纵轴从最低值到最高值（至少为其 2 %），不从零开始。"
        "只有测量条件相同的结果才画在同一张图中；模型与引擎可以不同。"
        "竖线表示首次使用另一个引擎。FPS 与 mAP 保留率的细线为 95 % 置信区间。",
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
    "map_kept_pct": ("mAP kept, %", "mAP 保留率，%"),
    "kept_of": (
        "mAP kept: of the {reference} engine's mAP50-95 on {dataset}, as the engine of each result was judged",
        "mAP 保留率：相对 {reference} 引擎在 {dataset} 上的 mAP50-95，按各次结果所用引擎的评判",
    ),
    "agreement_mark": ("agreement", "一致程度"),
    "evaluations": ("Evaluations", "精度评估"),
    "evaluations_are": (
        "What is kept is a share of the other engine's mAP50-95 on the same pictures, with its 95 % interval. "
        "Where agreement is said, nobody labelled the pictures: figures tell how far the engine agrees with its model.",
        "保留率是与另一引擎在相同图片上的 mAP50-95 之比，附 95 % 置信区间。标有“一致程度”的图片无人工标注，"
        "数值表示引擎与模型的一致程度。",
    ),
    "refreshes": ("Refreshes", "校准刷新"),
    "when": ("when (UTC)", "时间（UTC）"),
    "device": ("device", "设备"),
    "set": ("set", "数据集"),
    "kept": ("kept", "保留率"),
    "kept_share": ("{kept} of {reference}", "{reference} 的 {kept}"),
    "worst": ("least kept in", "保留最少"),
    "verdict": ("gate", "判定"),
    "passed": ("passed", "通过"),
    "not_passed": ("not passed", "未通过"),
    "outcome": ("outcome", "结果"),
    "held_out": ("held-out field frames", "留出的现场图片"),
    "why": ("why", "原因"),
    "outcome_promoted": ("promoted", "已投入使用"),
    "outcome_kept": ("kept as it was", "维持原引擎"),
    "outcome_refused": ("refused", "已拒绝"),
    "outcome_unchanged": ("unchanged", "无变化"),
    "outcome_waiting": ("waiting", "等待确认"),
    "outcome_promoting": ("being put in service", "正在投入使用"),
    "outcome_reverted": ("reverted", "已回退"),
    "outcome_failed": ("failed", "失败"),
}


def page_text(lang: str, key: str, **values: object) -> str:
    """The words for a key. Raises KeyError for an unknown key or language."""
    return _TABLE[key][LANGUAGES.index(lang)].format(**values)
