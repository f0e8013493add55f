"""Every word of the page of `edgekit field`, in each language."""

from __future__ import annotations

from edgekit.report.texts import LANGUAGES

_TABLE: dict[str, tuple[str, str]] = {
    "colon": (": ", "："),
    "html_lang": ("en", "zh-CN"),
    "kicker": ("Hard frames that a device has kept", "设备保留的疑难帧"),
    "title": ("{device}: {service}", "{device}：{service}"),
    "sub": ("{frames} frames, {mib} MiB, {first} to {last}", "{frames} 帧，{mib} MiB，{first} 至 {last}"),
    "sub_none": ("no frames", "没有保留的帧"),
    "drift": ("Drift now", "当前漂移"),
    "drift_is": (
        "of {looks} scenes looked at lately lie farther from the calibration set than 95 of 100 of its own pictures do "
        "from each other; about 5 % where nothing changed.",
        "最近观察的 {looks} 个场景中，与校准集的距离超出其自身 95 % 图片之间距离的比例；若无变化约为 5 %。",
    ),
    "drift_unknown": (
        "not known: the service has not looked at enough scenes yet, or its release does not carry the calibration set",
        "未知：服务观察的场景尚少，或其发布包未附带校准集",
    ),
    "not_collecting": ("the service collects no frames now", "该服务当前不收集帧"),
    "unseen": ("Seen by the cameras, next to none in the calibration set:", "相机看到、而校准集中几乎没有的："),
    "refused_all": ("These frames are not to be used", "这些帧不可使用"),
    "accepted": ("Fit for use", "可以使用"),
    "refused": ("Refused", "被拒绝"),
    "known": ("Judged before", "先前已判定"),
    "accepted_is": ("new frames that may go into the field sets", "可加入现场图片集的新帧"),
    "refused_is": ("new frames, with the reasons below", "新帧，原因见下"),
    "known_is": ("frames that are in the field sets, or were refused then", "已在现场图片集中，或当时已被拒绝的帧"),
    "reasons": ("Why they were kept", "保留原因"),
    "reasons_note": ("A frame may have several reasons.", "一帧可以有多个原因。"),
    "strata": ("What they show", "画面内容"),
    "strata_note": (
        "As the device sees it; the usual strata (day, clear, few objects ...) are left out. Before a frame is used it "
        "is measured again on this machine.",
        "由设备判定；常见的层（白天、晴朗、目标少……）未列出。使用前会在本机重新测量。",
    ),
    "streams": ("Cameras", "相机"),
    "single_camera": ("the camera", "相机"),
    "far": ("far", "偏离"),
    "flicker": ("flicker", "闪烁"),
    "uncertain": ("uncertain", "不确定"),
    "rare": ("rare", "罕见"),
    "random": ("random", "随机"),
    "far_is": ("unlike anything in the calibration set", "与校准集中的画面都不相似"),
    "flicker_is": ("an object of the frames before and after is missing in it", "前后帧都有的目标在此帧中缺失"),
    "uncertain_is": ("an object is barely above the detector's confidence", "有目标刚刚超过检测器的置信度"),
    "rare_is": ("a class that this camera seldom shows", "该相机很少出现的类别"),
    "random_is": ("for no reason, so that the usual is known too", "无特定原因，以便了解常态"),
    "other_is": ("", ""),
    "examples": ("Pictures", "图片"),
    "examples_of": ("{shown} of {total}", "{total} 张中的 {shown} 张"),
    "examples_note": (
        "Spread over time. Only pictures that were read whole and unharmed on this machine are shown.",
        "按时间均匀选取。只显示在本机完整、安全读取的图片。",
    ),
    "why_unreadable": ("cannot be read", "无法读取"),
    "why_size": ("another size than said", "尺寸与所述不符"),
    "why_digest": ("another content than said", "内容与所述不符"),
    "why_foreign": ("of another detector or service", "属于其他检测器或服务"),
    "why_mislabelled": ("contradicts what the device calls it", "与设备所述不符"),
    "why_dark": ("shows nothing", "没有可见内容"),
    "why_duplicate": ("there already", "已存在"),
    "why_near duplicate": ("shows what another does", "与另一张几乎相同"),
    "why_flood": ("too many of one camera", "同一相机过多"),
    "why_not fetched": ("could not be fetched just now", "暂时无法获取"),
    "why_batch": ("of a batch that was refused", "所在批次被拒绝"),
    "before": ("Refused before", "先前被拒绝"),
    "before_note": (
        "They are not judged again unless you say so: edgekit field --device {device} --judge-again",
        "除非另行指定，否则不再判定：edgekit field --device {device} --judge-again",
    ),
    "and_more": ("and {count} more", "以及另外 {count} 项"),
    "next": ("What to do", "下一步"),
    "next_refresh": (
        "Look whether these pictures are what the cameras should see. If they are: edgekit refresh --device {device}. "
        "It calibrates anew only if that is proven better, and the service goes on meanwhile.",
        "请确认这些图片是相机应当看到的。若是：edgekit refresh --device {device}。"
        "只有证明更好时才会采用新的校准，期间服务不中断。",
    ),
    "next_refused": (
        "Find out why the cameras give such pictures. The frames stay where they are; edgekit refresh refuses them, "
        "says so, and from then on judges only what comes after.",
        "请查明相机为何给出这样的图片。这些帧保持原处；edgekit refresh 会拒绝并说明，此后只判定新到的帧。",
    ),
    "privacy": (
        "{blurred} of {frames} frames had boxes made unrecognisable on the device. This page holds pictures of your "
        "cameras: treat it like them.",
        "{frames} 帧中有 {blurred} 帧已在设备上模糊处理。本页包含相机画面，请同样谨慎对待。",
    ),
    "written_at": ("Written by edgekit field on {when}.", "由 edgekit field 生成于 {when}。"),
}


def field_text(lang: str, key: str, **values: object) -> str:
    """The text of that name in "en" or "zh", with {names} filled in. An unknown name is our own mistake: KeyError."""
    template = _TABLE[key][LANGUAGES.index(lang)]
    return template.format(**values) if values else template


def reason_text(lang: str, reason: str) -> tuple[str, str]:
    """A reason and what it means; one that is not known here stands for itself."""
    known = f"{reason}_is" in _TABLE
    return (field_text(lang, reason), field_text(lang, f"{reason}_is")) if known else (reason, "")


def refusal_text(lang: str, why: str) -> str:
    """Why a frame was refused; a reason that is not known here stands for itself."""
    return field_text(lang, f"why_{why}") if f"why_{why}" in _TABLE else why
