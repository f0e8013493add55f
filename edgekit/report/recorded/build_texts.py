"""Warnings and notes of an engine's build, in English as the device's programs write them and in Chinese.

What TensorRT itself says is quoted in them, and stays as it is.
"""

from __future__ import annotations

BUILD: dict[str, tuple[str, str]] = {
    "few_pictures": (
        "calibrated with {used:d} pictures; below {enough:d} the ranges are a guess",
        "只用 {used} 张图片校准；少于 {enough} 张时，量化范围只是估计",
    ),
    "skipped_pictures": (
        "{count:d} calibration pictures were skipped, the first: {reason}",
        "跳过了 {count} 张校准图片，第一张：{reason}",
    ),
    "own_scales": (
        "the model was trained for INT8 and brings its own scales; no calibration took place",
        "模型经 INT8 训练，自带量化尺度；未进行校准",
    ),
    "own_scales_kept": (
        "the model was trained for INT8 and brings its own scales; the engine computes in INT8 there",
        "模型经 INT8 训练，自带量化尺度；引擎在这些层以 INT8 计算",
    ),
    "not_compared": (
        "the engine was not compared with its model: the request brought no golden pictures",
        "引擎未与原模型比较：请求中没有比对图片",
    ),
    "prepared_far": (
        "the prepared model's answers lie {distance:.3g} from the float model's; up to {limit:g} is usual",
        "预处理后模型的输出与浮点模型相差 {distance}；通常不超过 {limit}",
    ),
    "kept_fp32": (
        "{layers:d} layers stay in FP32, their numbers are too large for FP16: {first} ...",
        "{layers} 层保持 FP32，其数值超出 FP16 的范围：{first} 等",
    ),
    "host_stages": (
        "pictures are prepared and decoded on the CPU: {reason}",
        "图片的预处理与解码在 CPU 上进行：{reason}",
    ),
    "no_levels": (
        "TensorRT {version} has no optimisation levels; {level:d} was asked for and has no effect",
        "TensorRT {version} 没有优化级别；所要求的 {level} 不起作用",
    ),
    "memory_short": (
        "memory was short while building: {kernels:d} kernels were not tried, so the engine may be slower than it "
        "could be",
        "构建时内存不足：有 {kernels} 个内核未能尝试，引擎可能未达到应有的速度",
    ),
    "memory_short_some": (
        "memory was short while building: kernels were not tried, so the engine may be slower than it could be",
        "构建时内存不足：有内核未能尝试，引擎可能未达到应有的速度",
    ),
    "kernels_failed": (
        "{kernels:d} kernels failed while they were tried and were left out",
        "{kernels} 个内核在尝试时失败，已排除",
    ),
    "cut_to_fp16": (
        "{times:d} times weights or values did not fit FP16 and were cut to its range",
        "有 {times} 处权重或数值超出 FP16 的范围，已被截断",
    ),
    "disobeyed": (
        "{layers:d} layers did not take the precision asked for",
        "{layers} 层未采用所要求的精度",
    ),
    "builder_errors": (
        "TensorRT reported {errors:d} errors while building, the first: {first}",
        "TensorRT 在构建时报告了 {errors} 个错误，第一个：{first}",
    ),
    "no_int8": (
        "no weighted layer of this engine computes in INT8, as far as its inspector tells",
        "据引擎检查器所示，该引擎没有任何带权重的层以 INT8 计算",
    ),
    "nothing_on_dla": (
        "nothing of this engine runs on DLA core {core:d}",
        "该引擎没有任何部分在 DLA 核心 {core} 上运行",
    ),
    "partly_on_dla": (
        "{layers:d} layers run on the GPU instead of DLA core {core:d}",
        "{layers} 层在 GPU 上运行，而不是在 DLA 核心 {core} 上",
    ),
    "unscaled": (
        "{tensors:d} tensors have no INT8 scale and stay in float",
        "{tensors} 个张量没有 INT8 尺度，保持浮点",
    ),
    "int64": ("the model's 64 bit integers were made 32 bit", "模型中的 64 位整数已转换为 32 位"),
    "subnormal": (
        "{times:d} times FP16 weights were too small for full precision",
        "有 {times} 处 FP16 权重过小，精度受损",
    ),
    "timing_not_taken": (
        "TensorRT did not take the timing cache kept on this device; it was dropped",
        "TensorRT 未接受设备上保存的计时缓存，已丢弃",
    ),
    "timing_not_read": (
        "TensorRT could not read parts of the timing cache kept on this device; it was dropped",
        "TensorRT 无法读取设备上保存的部分计时缓存，已丢弃",
    ),
    "calibration_not_kept": (
        "the calibration could not be kept for the next build: {reason}",
        "校准结果未能保存供下次构建使用：{reason}",
    ),
}

# The steps of a build, by the names under which their seconds are recorded.
PHASES: dict[str, str] = {
    "parse": "解析",
    "build": "构建",
    "inspect": "检查",
    "calibration data": "校准数据",
    "calibrate": "校准",
    "check": "检验",
}
