"""Why a file or a result stays out of a report, in English as it is said elsewhere and in Chinese."""

from __future__ import annotations

FILES: dict[str, tuple[str, str]] = {
    "not_json": ("not readable as JSON", "无法按 JSON 读取"),
    "not_json_why": ("not readable as JSON {reason}", "无法按 JSON 读取：{reason}"),
    "too_large": ("larger than {mib:d} MiB, not read", "大于 {mib} MiB，未读取"),
    "no_object": ("expected an object", "内容不是一个对象"),
    "other_schema": (
        "written by another edgekit (schema {schema}, this one reads up to {known:d})",
        "由其他版本的 edgekit 写成（格式 {schema}，本版本最高支持 {known}）",
    ),
    "still_running": ("a run that is not over, {done} of {total} s so far", "运行尚未结束，已完成 {done} / {total} 秒"),
    "stopped": (
        "what a run that was stopped left behind, after {done} of {total} s",
        "中断的运行留下的文件，已完成 {done} / {total} 秒",
    ),
    "not_valid": ("{file} is not a valid BenchResult {problems}", "{file} 不是有效的结果文件：{problems}"),
}
