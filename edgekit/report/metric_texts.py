"""The names of figures, and what the words of a report mean, in each language."""

from __future__ import annotations

METRIC_NAMES: dict[str, tuple[str, str]] = {
    "group_speed": ("Speed", "速度"),
    "group_latency": ("Latency", "延迟"),
    "group_accuracy": ("Accuracy", "精度"),
    "group_resources": ("Memory and load", "内存与负载"),
    "group_power": ("Power and heat", "功耗与温度"),
    "group_making": ("Building", "构建"),
    "pipeline_fps": ("Pipeline rate (QPS)", "流水线速率（QPS）"),
    "engine_fps": ("Engine-only rate (QPS)", "仅引擎速率（QPS）"),
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
    "engine_fps_without_graph": ("Engine-only, no CUDA graph", "仅引擎，无 CUDA 图"),
    "age_p99": ("Frame age, p99", "帧龄，p99"),
    "inference_p95": ("Inference, p95", "推理，p95"),
    "map_kept": ("mAP50-95 kept", "mAP50-95 保持率"),
    "gpu_memory_peak": ("Peak GPU memory", "GPU 内存峰值"),
    "gpu_utilisation": ("GPU use", "GPU 占用"),
    "joules_per_frame": ("Energy a frame", "每帧能耗"),
    "joules_above_idle": ("Energy a frame above idle", "每帧能耗（扣除空闲）"),
    "temperature_max": ("Highest temperature", "最高温度"),
}

WORD_MEANINGS: dict[str, tuple[str, str]] = {
    "word_pipeline": (
        "Pipeline rate|Frames a second from picture to detections, everything included, with the stages overlapped. "
        "One frame is one query, so that this is the QPS too.",
        "流水线速率|从图像到检测结果的每秒帧数，包含全部环节，各阶段并行。一帧即一次查询，因此也就是 QPS。",
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
        "95 % interval|From parts of the run. Where the intervals of two runs overlap, no gain is claimed; of engines "
        "that took turns the interval of their ratio decides.",
        "95 % 区间|由运行的各个部分得出。两次运行的区间重叠时，不声称有提升；轮流测量的引擎以其比值的区间为准。",
    ),
    "word_energy": (
        "Energy a frame|What was drawn while frames were counted, divided by their number; idle power is in it. "
        "The bounds hold what sampling cannot know, not the error of the sensor.",
        "每帧能耗|计数期间消耗的能量除以帧数，包含空闲功耗。上下界为采样误差，不含传感器本身的误差。",
    ),
}

WORDS = ("word_pipeline", "word_engine", "word_latency", "word_map", "word_precision", "word_interval")
WORDS_OF_BUILDS = ("word_fusion", "word_skipped")  # where a builder told of them
WORD_OF_GOLDEN = "word_golden"
WORD_OF_ENERGY = "word_energy"
