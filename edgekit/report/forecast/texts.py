"""Every word of a forecast and of the readiness page, in each language."""

from __future__ import annotations

from edgekit.report.texts import LANGUAGES

_TABLE: dict[str, tuple[str, str]] = {
    "html_lang": ("en", "zh-CN"),
    "kicker": ("Readiness", "就绪情况"),
    "title": ("Will the next releases meet their targets?", "后续版本能否达到目标？"),
    "sub": (
        "{pairs} pairs of detector and device; forecast {ahead} releases ahead",
        "{pairs} 组检测器与设备；预测未来 {ahead} 个版本",
    ),
    "sub_one": (
        "1 pair of detector and device; forecast {ahead} releases ahead",
        "1 组检测器与设备；预测未来 {ahead} 个版本",
    ),
    "sub_unforeseen": (
        "{pairs} pairs of detector and device; nothing can be forecast yet",
        "{pairs} 组检测器与设备；暂无法预测",
    ),
    "sub_one_unforeseen": (
        "1 pair of detector and device; nothing can be forecast yet",
        "1 组检测器与设备；暂无法预测",
    ),
    "overview": ("At a glance", "概览"),
    "device": ("Device", "设备"),
    "detector": ("Detector", "检测器"),
    "pair": ("{detector} on {device}", "{device} 上的 {detector}"),
    "state": ("State", "状态"),
    "releases": ("Releases", "版本数"),
    "releases_are": ("{count} releases", "{count} 个版本"),
    "release_is": ("1 release", "1 个版本"),
    "releases_none": ("no release measured", "尚无已测量的版本"),
    "first_to_last": ("Measured from {first} to {last}.", "测量于 {first} 至 {last}。"),
    "ready": ("ready", "就绪"),
    "met": ("met", "达到"),
    "at risk": ("at risk", "有风险"),
    "not met": ("not met", "未达到"),
    "not measured": ("not measured", "未测量"),
    "no targets": ("no targets", "无目标"),
    "ready_is": (
        "all targets are met, and the next release most likely keeps them",
        "全部目标已达到，下一版本很可能保持",
    ),
    "met_is": (
        "the newest release meets all targets; there is too little history to say more",
        "最新版本达到全部目标；历史太少，无法进一步判断",
    ),
    "at risk_is": ("all targets are met, but the next release may miss one", "全部目标已达到，但下一版本可能失守"),
    "not met_is": ("the newest release misses at least one target", "最新版本至少有一个目标未达到"),
    "not measured_is": ("a figure that a target asks for was not measured", "目标所需的数据尚未测量"),
    "no targets_is": ("nothing is asked of it in devices.yaml", "devices.yaml 中没有设置目标"),
    "overview_note": (
        "The chances are for all targets together. A target that was never measured is not met.",
        "概率针对同时达到全部目标。从未测量的目标不算达到。",
    ),
    "in_short": ("{releases}: {state}.", "{releases}：{state}。"),
    "chance_says": ("Chances: {what}.", "概率：{what}。"),
    "forecast": ("Forecast", "预测"),
    "figure": ("Figure", "指标"),
    "now": ("Now", "当前"),
    "target": ("Target", "目标"),
    "next": ("Next release", "下一版本"),
    "later": ("Release +{ahead}", "第 {ahead} 个后续版本"),
    "left": ("Effective optimisations left", "尚需有效优化次数"),
    "coverage": ("80 % interval was right", "80 % 区间命中"),
    "coverage_is": ("{covered} of {checks}", "{checks} 次中 {covered} 次"),
    "coverage_few": ("too few releases to check", "版本太少，无法检验"),
    "together": (
        "all targets together: {next} at the next release, {later} at release +{ahead}",
        "同时达到全部目标：下一版本 {next}，第 {ahead} 个后续版本 {later}",
    ),
    "too_little": ("too little history: {have} of {need} releases", "历史太少：{need} 个版本中仅有 {have} 个"),
    "too_little_short": ("too little history", "历史太少"),
    "unmeasured": ("not measured", "未测量"),
    "cannot_together": (
        "no probability for all targets together: {figures} cannot be forecast",
        "无法给出同时达到全部目标的概率：{figures}无法预测",
    ),
    "list_comma": (", ", "、"),
    "progress": (
        "{pct} of the way to {target}; {effective} of {steps} steps so far were effective",
        "距 {target} 已完成 {pct}；此前 {steps} 步中有 {effective} 步有效",
    ),
    "likely_from": ("More likely than not from release +{ahead} on.", "从第 {ahead} 个后续版本起更可能达到。"),
    "range": ("{low} to {high}", "{low} 至 {high}"),
    "no_end": ("more than {most}", "超过 {most} 次"),
    "range_no_end": ("from {low}", "{low} 次以上"),
    "of_figure": ("{figure}: {what}", "{figure}：{what}"),
    "noise_seen": ("runs of one engine differ by {pct} (measured)", "同一引擎多次运行相差 {pct}（实测）"),
    "noise_assumed": (
        "runs of one engine are taken to differ by {pct}: none was measured in two sessions",
        "假定同一引擎多次运行相差 {pct}：尚无引擎在两次会话中测量",
    ),
    "no_target": ("no target", "无目标"),
    "untypical": ("Untypical about the newest release", "最新版本的异常之处"),
    "likely_cause": ("Likely: {cause}.", "可能原因：{cause}。"),
    "try": ("Try:", "可尝试："),
    "left_out_is": ("{count} left out: {reason}", "{count} 个未计入：{reason}"),
    "left_out_more": (
        "{count} more left out for {reasons} other reasons",
        "另有 {count} 个因其他 {reasons} 种原因未计入",
    ),
    "measure_hint": (
        "Measure it: edgekit bench --fps --device {device}",
        "请测量：edgekit bench --fps --device {device}",
    ),
    "legend_moved": ("release that changed it", "带来变化的版本"),
    "legend_still": ("no effect beyond noise", "无超出误差的变化"),
    "legend_ahead": ("80 % interval and median of releases to come", "后续版本的 80 % 区间与中位数"),
    "legend_target": ("target", "目标"),
    "words": ("What this means", "说明"),
    "word_release": (
        "Release|An engine that was new when it was first measured. Of engines measured beside each other the one with "
        "the fewest bits counts, the others are its reference.",
        "版本|首次测量时为新的引擎。同时测量的多个引擎中，位宽最小者计为版本，其余为参照。",
    ),
    "word_probability": (
        "Probability|That one run of the release to come meets the target, if the project goes on as it did. It knows "
        "nothing of plans: a release that changes what all before it did not may do what no history foretells.",
        "概率|若项目照此继续，后续版本的一次测量达到目标的可能性。它不了解计划：与以往完全不同的版本无法由历史预知。",
    ),
    "word_effective": (
        "Effective optimisation|A release that changes the figure for the better, beyond the noise between runs. How "
        "many are left is the distance to the target over their mean gain; not every release is one.",
        "有效优化|使指标变好且超出运行间误差的版本。尚需次数为到目标的距离除以平均增益；并非每个版本都是有效优化。",
    ),
    "word_interval": (
        "80 % interval, and how often it was right|Eight of ten releases should fall into it. Each was foretold "
        "from those before it and compared with what came.",
        "80 % 区间与命中|十个版本中应有八个落入。每个版本都仅由其之前的版本预测，再与实际比较。",
    ),
    "fps": ("rate", "速率"),
    "p99_ms": ("p99 latency", "p99 延迟"),
    "map_loss_pct": ("mAP lost", "mAP 损失"),
    "watts": ("power", "功耗"),
    "joules_per_frame": ("energy a frame", "每帧能耗"),
    "mib": ("memory", "内存"),
    "written_at": ("Written by edgekit {version} on {when}.", "由 edgekit {version} 生成于 {when}。"),
    "int8_gain_what": (
        "INT8 gains {now} over {against}; in {count} releases before it gained {usual}, and {low} or more was expected",
        "INT8 相对 {against} 提升 {now}；此前 {count} 个版本平均提升 {usual}，预期至少 {low}",
    ),
    "int8_gain_cause": (
        "layers stayed unquantised, or another stage than the engine limits the rate now",
        "部分层未量化，或瓶颈已不在引擎",
    ),
    "layers_what": (
        "{now} of the layers are not quantised, {before} were in the INT8 release before",
        "{now} 的层未量化，上一个 INT8 版本为 {before}",
    ),
    "layers_cause": (
        "an operator of the new model that has no INT8 kernel, or more layers kept out of INT8 for their accuracy",
        "新模型含没有 INT8 内核的算子，或为保精度而排除了更多的层",
    ),
    "coverage_what": (
        "the calibration set covers {now} of the strata well, the one before {before}",
        "校准集充分覆盖 {now} 的场景层，之前为 {before}",
    ),
    "coverage_cause": ("pictures of rare conditions were left out", "缺少罕见场景的图片"),
    "pictures_what": (
        "calibrated with {now} pictures, with {before} before",
        "用 {now} 张图片校准，之前为 {before} 张",
    ),
    "pictures_cause": (
        "a smaller calibration set: rare conditions are the first to be missing",
        "校准集变小：最先缺失的是罕见场景",
    ),
    "tactics_what": (
        "the builder could not try {now} kernels, {before} before",
        "构建器有 {now} 个内核未能尝试，之前为 {before} 个",
    ),
    "tactics_cause": ("too little free memory, or workspace, while building", "构建时空闲内存或工作区不足"),
    "distance_what": (
        "its answers are {factor} times as far from the model's own as those of the release before",
        "其输出与原模型的距离是上一版本的 {factor} 倍",
    ),
    "distance_cause": ("ranges that do not fit what it is shown", "量化范围与画面不符"),
    "backend_what": ("built with {now}, the release before with {before}", "由 {now} 构建，上一版本为 {before}"),
    "backend_cause": (
        "the device was updated: part of this step is not the release's own",
        "设备已升级：这一步的变化不全来自版本本身",
    ),
    "input_what": ("its input is {now}, that of the release before {before}", "输入为 {now}，上一版本为 {before}"),
    "input_cause": (
        "speed was traded for small objects, or the other way round",
        "以小目标精度换取速度，或相反",
    ),
    "power_mode_what": (
        "measured in power mode {now}, what came before it in {before}",
        "在功耗模式 {now} 下测量，之前为 {before}",
    ),
    "power_mode_cause": (
        "the device was set to another power mode; results in the other one do not count",
        "设备切换了功耗模式；其他模式的结果不计入",
    ),
}

WORDS = ("word_release", "word_probability", "word_effective", "word_interval")


def text(lang: str, key: str, **values: object) -> str:
    """The text of that name in "en" or "zh", with {names} filled in. An unknown name is our own mistake: KeyError."""
    return _TABLE[key][LANGUAGES.index(lang)].format(**values)
