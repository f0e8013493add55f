"""Every word of the page of `calib inspect`, in each language."""

from __future__ import annotations

from edgekit.core.strata import AXES
from edgekit.report.texts import LANGUAGES

_TABLE: dict[str, tuple[str, str]] = {
    "colon": (": ", "："),
    "html_lang": ("en", "zh-CN"),
    "kicker": ("Coverage of a set of pictures", "图片集覆盖情况"),
    "sub": ("{pictures} pictures · digest {digest}", "{pictures} 张图 · 摘要 {digest}"),
    "seen_by": ("objects seen by {detector}", "目标由 {detector} 检出"),
    "seen_by_nobody": ("objects not looked for", "未检测目标"),
    "missing": ("Missing", "缺失"),
    "thin": ("Thin", "不足"),
    "near_duplicates": ("Near duplicates", "近似重复"),
    "left_out": ("Left out", "已排除"),
    "no_missing": ("No stratum is missing.", "没有缺失的层。"),
    "no_thin": ("No stratum is thin.", "没有不足的层。"),
    "missing_is": (
        "The set has no picture of it though {why}. INT8 ranges taken from this set never saw what it looks like.",
        "{why}，而该集合中一张也没有。由该集合得到的 INT8 范围从未见过这种场景。",
    ),
    "why_reference": ("{reference} has some", "{reference} 中有此类图片"),
    "why_alone": ("a detector may meet it", "检测器可能遇到它"),
    "shares": ("Share of each stratum", "各层占比"),
    "shares_note": (
        "Dark: this set. Pale: {reference}, {count} pictures. A stratum is thin with fewer than 10 pictures or "
        "less than half the reference's share.",
        "深色：本集合。浅色：{reference}，共 {count} 张图。少于 10 张，或不到参照占比的一半，即为不足。",
    ),
    "shares_note_alone": (
        "Without a reference nobody can say how large a share should be: --against SET names pictures from the field "
        "or validation data.",
        "没有参照就无法判断占比应为多少：用 --against SET 指定现场图片或验证数据。",
    ),
    "map": ("Map of the pictures", "图片分布"),
    "map_note": (
        "Alike pictures lie close, by descriptor and by the detector's backbone (two principal components of many). "
        "Rings are the reference: where there are rings without dots, the set has a hole.",
        "相近的图片彼此靠近，依据场景描述与检测器主干网络（多维中的前两个主成分）。圆环为参照：只有圆环而没有圆点之处，即为空缺。",
    ),
    "map_note_alone": (
        "Alike pictures lie close, by descriptor and by the detector's backbone (two principal components of many).",
        "相近的图片彼此靠近，依据场景描述与检测器主干网络（多维中的前两个主成分）。",
    ),
    "this_set": ("this set", "本集合"),
    "examples": ("What the strata look like", "各层示例"),
    "borrowed": ("of {reference}: the set has none", "来自 {reference}：本集合没有"),
    "twins_note": (
        "Each pair shows nearly the same. A second picture of one moment adds nothing to a calibration set, and makes "
        "a frozen set count it twice.",
        "每对图片几乎相同。同一时刻的第二张图对校准集没有帮助，在冻结集中则会被重复计数。",
    ),
    "origin": ("Origin", "来源"),
    "licence": ("Licence", "许可"),
    "not_said": ("not said in set.yaml", "set.yaml 未注明"),
    "about": ("About the set", "关于该集合"),
    "and_more": ("and {count} more", "以及另外 {count} 项"),
    "verdict_missing": ("missing", "缺失"),
    "verdict_thin": ("thin", "不足"),
    "verdict_well": ("", ""),
    "written_at": ("Written by edgekit calib inspect on {when}.", "由 edgekit calib inspect 生成于 {when}。"),
    "light": ("Light", "光照"),
    "weather": ("Weather", "天气"),
    "glare": ("Glare", "眩光"),
    "blur": ("Blur", "模糊"),
    "noise": ("Noise", "噪声"),
    "objects": ("Objects", "目标数量"),
    "size": ("Size of objects", "目标大小"),
    "class": ("Class", "类别"),
    "tag": ("Tag", "标签"),
    "day": ("day", "白天"),
    "dusk": ("dusk", "黄昏"),
    "night": ("night", "夜间"),
    "clear": ("clear", "晴朗"),
    "fog": ("fog", "雾"),
    "none": ("none", "无"),
    "few": ("up to 19", "至多 19 个"),
    "empty": ("none", "无目标"),
    "crowded": ("20 and more", "20 个及以上"),
    "usual": ("usual", "正常"),
    "tiny": ("many tiny ones", "较多微小目标"),
    "present": ("yes", "有"),
}


_STRATUM_WORDS = {*AXES, *(name for names in AXES.values() for name in names)}


def coverage_text(lang: str, key: str, **values: object) -> str:
    """The text of that name in "en" or "zh", with {names} filled in. An unknown name is our own mistake: KeyError."""
    template = _TABLE[key][LANGUAGES.index(lang)]
    return template.format(**values) if values else template


def stratum_name(lang: str, word: str) -> str:
    """An axis or a stratum of one by its bare word, "light" or "night"; a word that is not known stands for itself."""
    return coverage_text(lang, word) if word in _TABLE and word in _STRATUM_WORDS else word


def stratum_text(lang: str, stratum: str) -> tuple[str, str]:
    """A stratum as a group and a name: ("Light", "night"). Labels of classes and tags stay as they are."""
    axis, _, name = stratum.partition(":")
    if axis in ("class", "tag"):
        return coverage_text(lang, axis), name
    return coverage_text(lang, axis), coverage_text(lang, "present" if name == axis else name)
