"""Why an engine was deployed, where only the sentence is known: in English as deploying writes it, and in Chinese."""

from __future__ import annotations

DECISIONS: dict[str, tuple[str, str]] = {
    "as_asked": ("{precision} as asked (mAP50-95 {map:.3f})", "{precision}，按指定选用（mAP50-95 {map}）"),
    "as_asked_unmeasured": (
        "{precision} as asked (accuracy was not measured)",
        "{precision}，按指定选用（未测量精度）",
    ),
    "no_set": (
        "{precision}: there is no calibration set to make INT8 with",
        "{precision}：没有可用于生成 INT8 的校准集",
    ),
    "unjudged": (
        "{base} is enough here: accuracy was not measured (the detector names no labelled frozen set)",
        "此处 {base} 已足够：未测量精度（检测器未指定带标注的冻结集）",
    ),
    "int8_unjudged": (
        "INT8: accuracy was not measured (the detector names no labelled frozen set)",
        "INT8：未测量精度（检测器未指定带标注的冻结集）",
    ),
    "no_faster": (
        "{base} is enough here: INT8 is no faster ({int8:.1f} ms against {other:.1f} ms)",
        "此处 {base} 已足够：INT8 并不更快（{int8} ms 对 {other} ms）",
    ),
    "int8_no_faster": (
        "INT8: INT8 is no faster ({int8:.1f} ms against {other:.1f} ms)",
        "INT8：按指定选用，但并不更快（{int8} ms 对 {other} ms）",
    ),
    "kept": (
        "INT8: it keeps {kept:.1f} % of {base}'s mAP50-95 and its inference is {factor:.2f} x as fast",
        "INT8：保持 {base} mAP50-95 的 {kept} %，推理速度是其 {factor} 倍",
    ),
    "kept_unsure": (
        "INT8: it keeps {kept:.1f} % of {base}'s mAP50-95 and its inference is {factor:.2f} x as fast (too few "
        "pictures to tell: {names})",
        "INT8：保持 {base} mAP50-95 的 {kept} %，推理速度是其 {factor} 倍（图片太少，无法判断：{names}）",
    ),
}
