"""Titles, legends and notes of a report's plots, in each language."""

from __future__ import annotations

PLOTS: dict[str, tuple[str, str]] = {
    "rates": ("Frames a second", "每秒帧数"),
    "rates_note": (
        "The thin line is the 95 % interval. Both rates come from one run, in alternating slices.",
        "细线为 95 % 区间。两种速率来自同一次运行，交替测量。",
    ),
    "rates_note_rounds": (
        "Medians over the rounds; the thin line reaches from the lowest to the highest.",
        "各轮的中位数；细线为最低至最高。",
    ),
    "pipeline_series": ("whole pipeline", "整条流水线"),
    "engine_series": ("engine only", "仅引擎"),
    "stages": ("Where the time goes", "时间去向"),
    "stages_note": (
        "Mean milliseconds a frame spends in each stage. The stages of different frames overlap, "
        "so a bar is longer than the time between two frames.",
        "每帧在各阶段花费的平均毫秒数。不同帧的各阶段相互重叠，因此条形长于相邻两帧的间隔。",
    ),
    "capture": ("capture", "采集"),
    "preprocess": ("preprocess", "预处理"),
    "inference": ("inference", "推理"),
    "decode": ("decode", "解码"),
    "conditions_map": ("Accuracy by condition", "各场景精度"),
    "strata_map": ("Accuracy by stratum", "各层精度"),
    "sizes_map": ("Accuracy by size of object", "各目标尺寸精度"),
    "classes_map": ("Accuracy by class", "各类别精度"),
    "conditions_map_note": (
        "mAP50-95 on the pictures of each condition alone.",
        "仅用各场景图片计算的 mAP50-95。",
    ),
    "strata_map_note": (
        "mAP50-95 on the pictures of each stratum, as it is measured of the pictures.",
        "按图片测得的各层分别计算的 mAP50-95。",
    ),
    "sizes_map_note": (
        "By the area of the labelled box: small below 32 x 32 px, medium below 96 x 96 px.",
        "按标注框面积：小于 32 x 32 像素为小，小于 96 x 96 像素为中，其余为大。",
    ),
    "size_small": ("small", "小"),
    "size_medium": ("medium", "中"),
    "size_large": ("large", "大"),
    "classes_map_note": ("mAP50-95 of each class alone.", "各类别的 mAP50-95。"),
    "change_against": ("The change is against {precision}.", "变化相对于 {precision}。"),
    "p50_ms": ("median", "中位数"),
    "p90_ms": ("p90", "p90"),
    "p95_ms": ("p95", "p95"),
    "p99_ms": ("p99", "p99"),
    "percentiles": ("Latency percentiles", "延迟分位数"),
    "percentiles_note": (
        "How old a frame is when its detections are ready: from the median to p99. p99 takes 100 frames.",
        "检测结果就绪时帧的时长：从中位数到 p99。p99 至少需要 100 帧。",
    ),
    "energy": ("Energy a frame", "每帧能耗"),
    "energy_note": (
        "Joules of the {of}, by {sensor}. The thin line holds what sampling cannot know.",
        "每帧能耗（焦耳），对象：{of}，由 {sensor} 测得。细线为采样无法得知的部分。",
    ),
    "streams_section": ("Streams through one engine", "多路视频共用一个引擎"),
    "streams_all": ("FPS of all streams together", "合计 FPS"),
    "streams_slowest": ("FPS of the slowest stream", "最慢一路的 FPS"),
    "streams_note": ("{name}: by the number of streams that run at once.", "{name}：按同时运行的路数。"),
    "soak_section": ("Over a long run", "长时运行"),
    "soak_note": ("{name}: {minutes} min in {parts} equal parts.", "{name}：{minutes} 分钟，分为 {parts} 段。"),
    "soak_fps": ("rate [FPS]", "速率 [FPS]"),
    "soak_p99": ("p99 latency [ms]", "p99 延迟 [ms]"),
    "soak_memory": ("memory [MiB]", "内存 [MiB]"),
    "soak_temperature": ("temperature [°C]", "温度 [°C]"),
    "soak_watts": ("power [W]", "功耗 [W]"),
    "minutes": ("min", "分钟"),
    "streams_unit": ("streams", "路"),
    "scenes": ("Scenes that INT8 was calibrated with", "INT8 校准所用的场景"),
    "scenes_note": (
        "{pictures} pictures of {set}{reference}. Missing: none at all. Thin: fewer than 10, or less than half the "
        "other set's share.",
        "{set} 的 {pictures} 张图{reference}。缺失：一张也没有。不足：少于 10 张，或不到对照集占比的一半。",
    ),
    "scenes_reference": (", beside the {count} of {reference}", "，对照 {reference} 的 {count} 张"),
    "scenes_share": ("{pictures} ({share})", "{pictures}（{share}）"),
}
