"""The sentences of "what this means", in each language. Figures come with their units."""

from __future__ import annotations

MEANINGS: dict[str, tuple[str, str]] = {
    "meaning": ("What this means", "这意味着什么"),
    "tone_good": ("good", "良好"),
    "tone_bad": ("look at this", "需注意"),
    "tone_open": ("open", "未定"),
    "list_comma": (", ", "、"),
    "of_axis": ("{axis}: {name}", "{axis}：{name}"),
    "basis_turns": ("from runs in turns", "轮流测量"),
    "basis_runs": ("from one run of each", "各测一次"),
    "mean_disturbed": (
        "Something disturbed this run, so its figures are compared with nothing: {why}.",
        "本次运行受到干扰，其数据不参与任何比较：{why}。",
    ),
    "mean_unsteady": (
        "A rate was not steady during its run; what is marked unsteady may not repeat.",
        "有速率在运行期间不稳定；标为“不稳定”的数据未必能重现。",
    ),
    "mean_clocks_free": (
        "The clocks were not locked, so another day may give other figures: edgekit bench --fps --tune.",
        "时钟未锁定，换一天可能得到不同的数据：edgekit bench --fps --tune。",
    ),
    "mean_faster": (
        "{name} processes {factor} times as many frames a second as {base} (95 % interval {low} to {high}, {basis}).",
        "{name} 每秒处理的帧数是 {base} 的 {factor} 倍（95 % 区间 {low} 至 {high}，{basis}）。",
    ),
    "mean_slower": (
        "{name} is slower than {base}: {factor} times its frames a second (95 % interval {low} to {high}, {basis}).",
        "{name} 比 {base} 慢：每秒帧数为其 {factor} 倍（95 % 区间 {low} 至 {high}，{basis}）。",
    ),
    "mean_alike": (
        "{name} and {base} cannot be told apart in speed: {factor} times, 95 % interval {low} to {high}, {basis}. "
        "Measuring them in turns tells more: edgekit bench --fps --precision all --rounds 5.",
        "{name} 与 {base} 的速度无法区分：{factor} 倍，95 % 区间 {low} 至 {high}，{basis}。"
        "轮流测量可得到更准确的结论：edgekit bench --fps --precision all --rounds 5。",
    ),
    "mean_engine_gains_more": (
        "The engine of {name} alone gains more, {factor} times: the rest of the pipeline holds it back.",
        "{name} 的引擎本身提升更大，为 {factor} 倍：流水线的其余部分拖慢了它。",
    ),
    "mean_kept": (
        "{name} keeps {pct} of {base}'s mAP50-95 ({before} to {after} on {images} labelled pictures); {limit} is asked "
        "of INT8.",
        "{name} 保持了 {base} mAP50-95 的 {pct}（{images} 张标注图片，{before} 至 {after}）；"
        "对 INT8 的要求为 {limit}。",
    ),
    "mean_kept_unknown": (
        "What {name} keeps of {base}'s accuracy is not known: {unjudged} was not judged on labelled pictures. "
        "edgekit eval does it.",
        "{name} 保持了 {base} 多少精度尚不清楚：{unjudged} 未在标注图片上评测。请运行 edgekit eval。",
    ),
    "mean_kept_float": (
        "{name} keeps {pct} of {base}'s mAP50-95 ({before} to {after} on {images} labelled pictures).",
        "{name} 保持了 {base} mAP50-95 的 {pct}（{images} 张标注图片，{before} 至 {after}）。",
    ),
    "mean_lost": (
        "{name} keeps only {pct} of {base}'s mAP50-95 ({before} to {after} on {images} labelled pictures), below the "
        "{limit} that is asked of INT8.",
        "{name} 只保持了 {base} mAP50-95 的 {pct}（{images} 张标注图片，{before} 至 {after}），"
        "低于对 INT8 要求的 {limit}。",
    ),
    "mean_weakest": (
        "{name} loses most in {stratum}, where {pct} is kept; {limit} is asked of each condition with pictures enough.",
        "{name} 在 {stratum} 中损失最大，保持 {pct}；对图片足够的每种场景要求 {limit}。",
    ),
    "mean_engine_limits": (
        "The engine sets the pace: {engine_ms} of a frame are inference, and the other stages run beside it. "
        "Only a faster engine makes it faster.",
        "瓶颈在引擎：每帧推理 {engine_ms}，其他阶段与之并行。只有更快的引擎才能提速。",
    ),
    "mean_engine_limits_share": (
        "The engine sets the pace: {engine_ms} of a frame are inference, and the other stages run beside it. The "
        "pipeline gives {share} of what the engine alone can do, so only a faster engine makes it faster.",
        "瓶颈在引擎：每帧推理 {engine_ms}，其他阶段与之并行。流水线达到引擎单独运行的 {share}，"
        "只有更快的引擎才能提速。",
    ),
    "mean_stage_limits": (
        "Not the engine but {stage} sets the pace: {ms} a frame, where inference takes {engine_ms}. A faster engine "
        "would not make {name} faster.",
        "瓶颈不在引擎，而在{stage}：每帧 {ms}，而推理为 {engine_ms}。更快的引擎不会让 {name} 更快。",
    ),
    "target_fps": ("rate", "速率"),
    "target_p99_ms": ("p99 latency", "p99 延迟"),
    "target_watts": ("mean power", "平均功耗"),
    "target_joules_per_frame": ("energy a frame", "每帧能耗"),
    "target_mib": ("memory", "内存"),
    "mean_target_met": (
        "{name} meets the target of {wanted} ({what}): {measured}.",
        "{name} 达到目标 {wanted}（{what}）：{measured}。",
    ),
    "mean_target_missed": (
        "{name} misses the target of {wanted} ({what}): {measured}.",
        "{name} 未达到目标 {wanted}（{what}）：{measured}。",
    ),
    "mean_target_close": (
        "Whether {name} meets the target of {wanted} ({what}) cannot be said: {measured}, and its interval holds the "
        "target. A longer run tells.",
        "无法判断 {name} 是否达到目标 {wanted}（{what}）：{measured}，其区间包含目标值。更长的运行可得出结论。",
    ),
    "mean_target_unmeasured": (
        "Whether {name} meets the target of {wanted} ({what}) is not known: it was not measured.",
        "{name} 是否达到目标 {wanted}（{what}）未知：未测量。",
    ),
    "energy_by_sampling": ("which sampling cannot tell apart", "采样误差范围"),
    "energy_by_rounds": ("over the rounds", "各轮范围"),
    "mean_energy": (
        "A frame costs {name} {joules} ({low} to {high}, {by}) at {watts} on average, of the {of} by {sensor}.",
        "{name} 每帧耗能 {joules}（{by} {low} 至 {high}），平均功率 {watts}（{of}，{sensor}）。",
    ),
    "mean_energy_less": ("{name} needs {pct} less energy a frame than {base}.", "{name} 每帧能耗比 {base} 少 {pct}。"),
    "mean_energy_more": ("{name} needs {pct} more energy a frame than {base}.", "{name} 每帧能耗比 {base} 多 {pct}。"),
    "mean_graph": (
        "Launched as a CUDA graph the engine of {name} gives {factor} times the rate (95 % interval {low} to {high}).",
        "以 CUDA 图启动时，{name} 引擎的速率为 {factor} 倍（95 % 区间 {low} 至 {high}）。",
    ),
    "mean_graph_alike": (
        "A CUDA graph changes nothing that can be told for {name}: {factor} times, 95 % interval {low} to {high}.",
        "CUDA 图对 {name} 没有可辨别的影响：{factor} 倍，95 % 区间 {low} 至 {high}。",
    ),
    "mean_camera_keeps_up": (
        "{name} keeps up with the camera: {fps} FPS of the {source} it gives, {dropped} frames dropped.",
        "{name} 跟得上摄像头：{fps} FPS（摄像头 {source}），丢弃 {dropped} 帧。",
    ),
    "mean_camera_behind": (
        "{name} does not keep up with the camera: {fps} FPS of the {source} it gives, {dropped} frames dropped.",
        "{name} 跟不上摄像头：{fps} FPS（摄像头 {source}），丢弃 {dropped} 帧。",
    ),
    "mean_streams": (
        "One engine of {name} serves {streams} streams with {all} FPS together; the slowest gets {slowest} FPS.",
        "{name} 的一个引擎服务 {streams} 路视频，合计 {all} FPS；最慢的一路 {slowest} FPS。",
    ),
    "mean_streams_enough": (
        "The most streams that {name} carries with {wanted} FPS for each is {streams}; up to {most} were tried.",
        "每路 {wanted} FPS 时，{name} 可承载 {streams} 路（最多试到 {most} 路）。",
    ),
    "mean_streams_none": (
        "{name} does not give a single stream {wanted} FPS; up to {most} were tried.",
        "{name} 连一路 {wanted} FPS 也达不到；最多试到 {most} 路。",
    ),
    "mean_soak_rate_level": (
        "Over {minutes} min no drift of {name}'s rate can be told from chance: {change} % an hour ({low} to {high}).",
        "{minutes} 分钟内，{name} 的速率没有可与偶然区分的漂移：每小时 {change} %（{low} 至 {high}）。",
    ),
    "mean_soak_rate_drifts": (
        "Over {minutes} min the rate of {name} drifted by {change} % an hour (95 % interval {low} to {high}).",
        "{minutes} 分钟内，{name} 的速率每小时漂移 {change} %（95 % 区间 {low} 至 {high}）。",
    ),
    "mean_soak_rate_unknown": (
        "The soak of {name} over {minutes} min has too few parts to tell a drift of the rate.",
        "{name} 的 {minutes} 分钟长时运行分段太少，无法判断速率是否漂移。",
    ),
    "mean_soak_memory_level": (
        "Over {minutes} min no growth of {name}'s memory can be told from chance: {change} MiB an hour ({low} to "
        "{high}).",
        "{minutes} 分钟内，{name} 的内存没有可与偶然区分的增长：每小时 {change} MiB（{low} 至 {high}）。",
    ),
    "mean_soak_memory_drifts": (
        "Over {minutes} min the memory of {name} changed by {change} MiB an hour (95 % interval {low} to {high}).",
        "{minutes} 分钟内，{name} 的内存每小时变化 {change} MiB（95 % 区间 {low} 至 {high}）。",
    ),
    "mean_soak_memory_unknown": (
        "The soak of {name} over {minutes} min does not tell whether its memory grows.",
        "{name} 的 {minutes} 分钟长时运行无法判断内存是否增长。",
    ),
    "mean_layers_in_int8": (
        "{part} of {total} weighted layers of {name} compute in INT8; the others stay in floating point.",
        "{name} 的 {total} 个带权重层中有 {part} 个以 INT8 计算，其余保持浮点。",
    ),
    "mean_scenes_missing": (
        "The calibration pictures of {set} show nothing of: {strata}{more}. INT8 never saw what that looks like.",
        "{set} 的校准图片中没有：{strata}{more}。INT8 从未见过这些场景。",
    ),
    "mean_scenes_thin": (
        "The calibration pictures of {set} show too little of: {strata}{more}.",
        "{set} 的校准图片中以下场景过少：{strata}{more}。",
    ),
    "mean_scenes_covered": (
        "The {pictures} calibration pictures of {set} cover every kind of scene that is looked for.",
        "{set} 的 {pictures} 张校准图片覆盖了所考察的每一类场景。",
    ),
    "mean_missing": ("Not measured in these runs: {listed}.", "这些运行中未测量：{listed}。"),
}
