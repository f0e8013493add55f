"""Every word of a report, in each language. One table, so that no language can lack a text."""

from __future__ import annotations

LANGUAGES = ("en", "zh")

_TABLE: dict[str, tuple[str, str]] = {
    "html_lang": ("en", "zh-CN"),
    "title": ("{detector} on {device}", "{detector} · {device}"),
    "kicker": ("Deployment report", "部署报告"),
    "measured_at": ("measured {when}", "测量于 {when}"),
    "written_at": ("Written by edgekit {version} on {when}.", "由 edgekit {version} 生成于 {when}。"),
    "not_measured": ("not measured", "未测量"),
    "none": ("none", "无"),
    "not_a_jetson": (
        "These figures come from {module} with {backend}, not from a Jetson. "
        "They say nothing about the speed a Jetson would reach.",
        "以下数据来自 {module}（{backend}），并非 Jetson，不能说明 Jetson 上的速度。",
    ),
    "fps_headline": ("pipeline FPS, {precision}", "整条流水线 FPS（{precision}）"),
    "fps_means": (
        "Frames a second through the whole pipeline (capture, preprocess, inference, decode), not 1000 / inference ms.",
        "整条流水线（采集、预处理、推理、解码）每秒处理的帧数，而不是 1000 除以推理毫秒数。",
    ),
    "interval_95": ("95 % interval {low} to {high}", "95 % 区间 {low} 至 {high}"),
    "unsteady": ("The rate was not steady during this run:", "本次运行期间速率不稳定："),
    "unsteady_short": ("unsteady", "不稳定"),
    "speed_up": ("{factor} times {precision}", "{precision} 的 {factor} 倍"),
    "accuracy": ("Accuracy", "精度"),
    "accuracy_on": ("mAP50-95 on {images} pictures of {dataset}", "mAP50-95，{dataset} 共 {images} 张图"),
    "kept": ("{pct} % of {precision} kept", "保持 {precision} 的 {pct} %"),
    "frame_latency": ("Frame latency", "单帧延迟"),
    "frame_latency_means": ("median, queueing included; p95 {p95}", "中位数，含排队等待；p95 {p95}"),
    "shipped": ("Shipped", "已部署"),
    "shipped_precision": ("Shipped precision", "部署精度"),
    "not_shipped": ("nothing deployed yet", "尚未部署"),
    "no_decision": (
        "No deploy record for this device: the fastest measured engine is shown above.",
        "该设备没有部署记录：上方显示测得最快的引擎。",
    ),
    "shipped_unmeasured": (
        "The deployed engine {engine} is not among these results. Measure it: edgekit bench --fps",
        "已部署的引擎 {engine} 不在这些结果中。请测量：edgekit bench --fps",
    ),
    "before_after": ("Before and after", "前后对比"),
    "figures": ("Figures", "数据"),
    "single_note": (
        "Only one engine was measured under these conditions, so there is nothing to compare it with yet. "
        "To measure all: edgekit bench --fps --precision all",
        "该条件下只测量了一个引擎，暂无可比对象。测量全部引擎：edgekit bench --fps --precision all",
    ),
    "change": ("Change", "变化"),
    "metric": ("Figure", "指标"),
    "better": ("better", "更好"),
    "worse": ("worse", "更差"),
    "same": ("no real change", "基本不变"),
    "unclear": ("within the noise", "在误差范围内"),
    "unknown": ("cannot be said", "无法判断"),
    "pipeline_fps": ("Pipeline rate", "流水线速率"),
    "engine_fps": ("Engine-only rate", "仅引擎速率"),
    "pipeline_share": ("Pipeline / engine-only", "流水线占引擎比"),
    "inference_p50": ("Inference, median", "推理，中位数"),
    "end_to_end_p50": ("Frame latency, median", "单帧延迟，中位数"),
    "end_to_end_p95": ("Frame latency, p95", "单帧延迟，p95"),
    "end_to_end_p99": ("Frame latency, p99", "单帧延迟，p99"),
    "host_p50": ("Outside the engine, median", "引擎之外，中位数"),
    "map50_95": ("mAP50-95", "mAP50-95"),
    "map50": ("mAP50", "mAP50"),
    "memory_peak": ("Peak memory", "内存峰值"),
    "cpu_utilisation": ("CPU use", "CPU 占用"),
    "power_mean": ("Mean power", "平均功耗"),
    "engine_size": ("Engine file", "引擎文件"),
    "build_time": ("Build time", "构建时间"),
    "load_time": ("Load time", "加载时间"),
    "rates": ("Frames a second", "每秒帧数"),
    "rates_note": (
        "The thin line is the 95 % interval. Both rates come from one run, in alternating slices.",
        "细线为 95 % 区间。两种速率来自同一次运行，交替测量。",
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
    "conditions_map_note": (
        "mAP50-95 on the pictures of each condition alone. The change is against {precision}.",
        "仅用各场景图片计算的 mAP50-95。变化相对于 {precision}。",
    ),
    "engines": ("Engines", "引擎"),
    "engine": ("engine", "引擎"),
    "precision": ("precision", "精度类型"),
    "size": ("size", "大小"),
    "layers_quantised": ("layers in INT8", "INT8 层数"),
    "layers_of": ("{part} of {total}", "{part} / {total}"),
    "calibration": ("calibration pictures", "校准图片"),
    "built": ("built in", "构建用时"),
    "route": ("INT8 by", "INT8 方式"),
    "route_calibrator": (
        "TensorRT's calibrator, on the device",
        "由 TensorRT 校准器在设备上得出",
    ),
    "route_explicit": ("Q/DQ pairs put into the model on the host", "在主机上向模型插入 Q/DQ"),
    "route_trained": ("the model's own Q/DQ pairs, from training", "模型训练时自带的 Q/DQ"),
    "fusion": ("layer fusion", "层融合"),
    "fusion_is": ("{before} layers became {after}", "{before} 层融合为 {after} 层"),
    "phases": ("time spent on", "各步用时"),
    "timing_cache": ("kernel timings", "内核计时"),
    "timing_cache_new": ("all measured anew (cold build)", "全部重新测量（冷构建）"),
    "timing_cache_reused": ("taken from the device's cache", "取自设备缓存"),
    "timing_cache_refused": ("cache refused by TensorRT, measured anew", "缓存被 TensorRT 拒绝，重新测量"),
    "activation_memory": ("memory to run", "运行内存"),
    "build_memory": ("memory to build", "构建内存"),
    "build_memory_is": ("{peak} at its peak, workspace limit {workspace}", "峰值 {peak}，工作区上限 {workspace}"),
    "skipped_tactics": ("skipped kernels", "跳过的内核"),
    "golden_distance": ("golden distance", "与原模型的距离"),
    "layer_precisions": ("layers by precision", "各精度的层数"),
    "layer_kinds": ("kinds of layers", "层的种类"),
    "kernels": ("kernels", "内核"),
    "and_more": ("and {count} more", "另有 {count} 种"),
    "untold": ("not told", "未说明"),
    "on_dla": ("on the DLA", "在 DLA 上"),
    "dla_fallback": ("not on the DLA", "未能在 DLA 上运行"),
    "builder_notes": ("builder's notes", "构建器说明"),
    "made": ("How the engines were made", "引擎的构建"),
    "warnings": ("warnings", "警告"),
    "samples": ("What it sees", "检测示例"),
    "sample_alt": ("Detections drawn on {name}", "{name} 上的检测结果"),
    "conditions": ("Conditions", "测量条件"),
    "device": ("Device", "设备"),
    "module": ("Module", "模块"),
    "cpu": ("Processor", "处理器"),
    "memory_total": ("Memory", "内存"),
    "backend": ("Back end", "推理后端"),
    "versions": ("Versions", "版本"),
    "power_mode": ("Power mode", "功耗模式"),
    "l4t": ("Jetson Linux", "Jetson Linux"),
    "source": ("Source", "来源"),
    "frame_size": ("Frame size", "帧尺寸"),
    "network_input": ("Network input", "网络输入"),
    "duration": ("Duration", "时长"),
    "duration_is": ("{seconds} s after {frames} frames of warm-up", "{seconds} 秒，预热 {frames} 帧"),
    "threads": ("Engine threads", "引擎线程"),
    "threads_auto": ("chosen by the back end", "由后端决定"),
    "frames_counted": ("Frames", "帧数"),
    "frames_are": ("{frames} measured, {dropped} dropped", "测量 {frames} 帧，丢弃 {dropped} 帧"),
    "git_commit": ("Git commit", "Git 提交"),
    "model_digest": ("Model digest", "模型摘要"),
    "labelled_set": ("Labelled set", "标注集"),
    "release": ("Release", "发布"),
    "words": ("What the words mean", "术语"),
    "left_out": ("Left out of this report", "未纳入本报告"),
    "left_out_note": (
        "Results compare only under equal conditions. Field: this report's value and theirs.",
        "只有条件相同的结果才可比较。各行依次为字段、本报告的值与对方的值。",
    ),
    "broken": ("Files that could not be read", "无法读取的文件"),
    "word_pipeline": (
        "Pipeline rate|Frames a second from picture to detections, everything included, with the stages overlapped.",
        "流水线速率|从图像到检测结果的每秒帧数，包含全部环节，各阶段并行。",
    ),
    "word_engine": (
        "Engine-only rate|The network alone on ready tensors: the ceiling the pipeline can reach.",
        "仅引擎速率|只运行网络、输入已就绪：流水线可达到的上限。",
    ),
    "word_latency": (
        "Frame latency, p50, p95, p99|The age of a frame when its detections are ready; 50, 95 and 99 of 100 frames "
        "are at most that old. p99 needs 100 frames. Pictures from memory or files fill the pipeline, so that each "
        "frame waits behind a few others; a camera hands over only its latest frame.",
        "单帧延迟，p50、p95、p99|检测结果就绪时该帧的时长；100 帧中分别有 50、95、99 帧不超过该值。"
        "p99 至少需要 100 帧。来自内存或文件的图片会填满流水线，每帧都要排队；摄像头只交出最新的一帧。",
    ),
    "word_map": (
        "mAP50-95, mAP50|COCO average precision, 0 to 1: how many objects are found and how well boxes fit, over "
        "overlaps of 0.50 to 0.95, or at 0.50 alone.",
        "mAP50-95、mAP50|COCO 平均精度，0 到 1：找到多少目标、框有多准；重叠度 0.50 至 0.95 的平均，或仅取 0.50。",
    ),
    "word_precision": (
        "FP32, FP16, INT8|The numbers the engine computes with: 32-bit or 16-bit floating point, or 8-bit integers, "
        "whose ranges are set from calibration pictures.",
        "FP32、FP16、INT8|引擎计算所用的数值：32 位或 16 位浮点，或 8 位整数，其范围由校准图片确定。",
    ),
    "word_fusion": (
        "Layer fusion|The builder joins neighbouring layers into one kernel, so that results stay on the chip between "
        "them and fewer kernels are launched. Fewer layers after it means more was joined.",
        "层融合|构建器把相邻的层合并为一个内核，中间结果留在芯片上，启动的内核也更少。融合后层数越少，合并越多。",
    ),
    "word_skipped": (
        "Skipped kernels|Kernels that the builder could not try because memory was short; a faster one may be among "
        "them.",
        "跳过的内核|构建器因内存不足而未能尝试的内核；其中可能有更快的。",
    ),
    "word_golden": (
        "Golden distance|How far the engine's answers lie from the model's own on fixed pictures, 0 for equal ones: "
        "1 minus the cosine similarity of the outputs, or 1 minus F1 of finished detections.",
        "与原模型的距离|在固定图片上引擎输出与原模型输出的差距，相同为 0：1 减输出的余弦相似度，或 1 减最终检测的 F1。",
    ),
    "word_interval": (
        "95 % interval|From ten parts of the run, by Student's t. Where two intervals overlap, no gain is claimed.",
        "95 % 区间|由运行的十个部分按 t 分布得出。两个区间重叠时，不声称有提升。",
    ),
}

WORDS = ("word_pipeline", "word_engine", "word_latency", "word_map", "word_precision", "word_interval")
WORDS_OF_BUILDS = ("word_fusion", "word_skipped")  # where a builder told of them
WORD_OF_GOLDEN = "word_golden"


def text(lang: str, key: str, **values: object) -> str:
    """The text of that name in "en" or "zh", with {names} filled in. An unknown name is our own mistake: KeyError."""
    template = _TABLE[key][LANGUAGES.index(lang)]
    return template.format(**values) if values else template
