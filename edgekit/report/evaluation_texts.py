"""Every word of the page of an evaluation, in each language."""

from __future__ import annotations

from edgekit.report.texts import LANGUAGES

_TABLE: dict[str, tuple[str, str]] = {
    "list_comma": (", ", "、"),
    "html_lang": ("en", "zh-CN"),
    "title": ("{name} on {dataset}", "{name} · {dataset}"),
    "judged": (
        "{detector} on {device}, judged on {dataset} ({pictures} pictures)",
        "{device} 上的 {detector}，在 {dataset} 上评测（{pictures} 张图）",
    ),
    "engine": ("{precision} engine {engine}", "{precision} 引擎 {engine}"),
    "model": ("{precision} model itself", "{precision} 模型本身"),
    "against": ("against {name}", "对比 {name}"),
    "by_model": (
        "Nobody labelled these pictures. All figures are agreement with the model at FP32. They say what building the "
        "engine changed, not how good the model is.",
        "这些图片未经人工标注。所有数据都是与 FP32 模型的一致性，只说明构建引擎带来的变化，不说明模型的好坏。",
    ),
    "caveat": (" Note: {what}.", "注意：{what}。"),
    "passed": ("The gate lets it pass: it {kept}{unsure}.", "通过：{kept}{unsure}。"),
    "refused": ("The gate refuses it: {why}.", "未通过：{why}。"),
    "strata": ("Strata", "各层"),
    "sizes": ("Object sizes", "目标尺寸"),
    "classes": ("Classes", "类别"),
    "all_pictures": ("all pictures", "全部图片"),
    "pictures": ("pictures", "图片数"),
    "baseline": ("baseline", "基线"),
    "kept_share": ("kept", "保持率"),
    "kept": ("kept", "保持"),
    "lost": ("lost", "损失"),
    "unsure": ("unsure", "待定"),
    "not judged": ("not judged", "未评判"),
    "legend": (
        "Kept: mAP50-95 over the baseline's, on the same pictures. Lines: 95 % interval, {resamples} draws of the "
        "pictures, in pairs. At least 98.5 % of all and 95 % of each stratum is needed. Unsure: below 95 %, but too "
        "few pictures to tell it from chance. Sizes (COCO: below 32 × 32 px, below 96 × 96 px, above) and classes are "
        "told, not judged.",
        "保持率：同一批图片上的 mAP50-95 与基线之比。横线：95 % 区间，对图片成对重采样 {resamples} 次。"
        "要求总体至少 98.5 %，每层至少 95 %。待定：低于 95 %，但图片太少，无法排除偶然。"
        "尺寸（COCO：小于 32 × 32 像素、小于 96 × 96 像素、更大）与类别只列出，不评判。",
    ),
    "worst": ("Worst pictures", "表现最差的图片"),
    "worst_note": (
        "White: labelled, with a name where it was missed. Blue: found. Dashed red: missed. Yellow: found, but not "
        "labelled. At the detector's own thresholds, IoU 0.5.",
        "白色：标注，漏检时附名称。蓝色：检出。红色虚线：漏检。黄色：检出但无标注。按检测器自身阈值，IoU 0.5。",
    ),
    "drawn": (
        "{missed} of {objects} objects missed, {invented} invented",
        "{objects} 个目标中漏检 {missed} 个，误检 {invented} 个",
    ),
}


def evaluation_text(lang: str, key: str, **values: object) -> str:
    """The text of that name in "en" or "zh", with {names} filled in. An unknown name is our own mistake: KeyError."""
    template = _TABLE[key][LANGUAGES.index(lang)]
    return template.format(**values) if values else template
