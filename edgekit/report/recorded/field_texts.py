"""Why pictures and frames of a device are not used, in English as the screening writes it and in Chinese."""

from __future__ import annotations

PICTURES: dict[str, tuple[str, str]] = {
    "of_file": ("{path}: {sentence}", "{path}：{sentence}"),
    "repeats": ("{path}: the same picture as {other}", "{path}：与 {other} 是同一张图片"),
    "nearly_repeats": ("{path}: shows nearly the same as {other}", "{path}：与 {other} 几乎相同"),
    "too_large": ("larger than {mib:d} MiB, which no camera picture is", "大于 {mib} MiB，不可能是摄像头图片"),
    "claims_too_much": (
        "its header claims more than {megapixels:d} megapixels, which would fill the memory",
        "文件头声称超过 {megapixels} 百万像素，会占满内存",
    ),
    "no_picture": ("not a picture that can be read", "不是可读取的图片"),
    "opencv_cannot": ("not a picture that OpenCV can read", "OpenCV 无法读取此图片"),
    "unreadable_why": ("cannot be read: {reason}", "无法读取：{reason}"),
    "too_many_pixels": (
        "{size} px: more than {megapixels:d} megapixels would fill the memory",
        "{size} 像素：超过 {megapixels} 百万像素会占满内存",
    ),
    "file_too_large": (
        "{path} is larger than {mib:d} MiB: that is no camera picture",
        "{path} 大于 {mib} MiB，不可能是摄像头图片",
    ),
    "file_unreadable": ("{path} cannot be read: {reason}", "{path} 无法读取：{reason}"),
    "file_pixels": (
        "{path} is {size} pixels: more than {megapixels:d} megapixels would fill the memory",
        "{path} 为 {size} 像素：超过 {megapixels} 百万像素会占满内存",
    ),
    "file_damaged": (
        "{path} cannot be decoded: the file is damaged or no picture",
        "{path} 无法解码：文件已损坏或不是图片",
    ),
    "file_not_decoded": ("{path} cannot be decoded: {reason}", "{path} 无法解码：{reason}"),
    "too_small": (
        "{size} px: below {side:d} px a picture shows no scene",
        "{size} 像素：小于 {side} 像素的图片看不出场景",
    ),
}

FRAMES: dict[str, tuple[str, str]] = {
    "of_frame": ("{frame}: {sentence}", "{frame}：{sentence}"),
    "no_jpeg": ("it is no JPEG", "不是 JPEG"),
    "other_content": ("its content is no longer that of its name", "内容与文件名的摘要已不一致"),
    "other_content_sent": ("its content is not that of its name", "内容与文件名的摘要不一致"),
    "cannot_be_read": ("it cannot be read: {reason}", "无法读取：{reason}"),
    "too_much_memory": ("reading it takes more memory than it may have", "读取所需内存超过允许值"),
    "damaged_opencv": ("it is damaged: OpenCV cannot read it", "已损坏：OpenCV 无法读取"),
    "damaged": ("it is damaged: {reason}", "已损坏：{reason}"),
    "claimed_size": ("its header claims a size that would fill the memory", "文件头声称的尺寸会占满内存"),
    "other_size": ("{size} px, and the device says {said}", "{size} 像素，而设备所述为 {said}"),
    "strip": ("{size} px: a strip that shows no scene", "{size} 像素：过于狭长，看不出场景"),
    "not_looked_at": (
        "it was not looked at, for {frames:d} frames before it ended the process that reads them",
        "未检查：之前已有 {frames} 帧使读取进程崩溃",
    ),
    "took_too_long": ("reading it took longer than {seconds:g} s", "读取超过 {seconds} 秒"),
    "ended_process": ("reading it ended the process that did it, with code {code:d}", "读取时进程崩溃，退出码 {code}"),
    "unknown_classes": (
        "it has objects of classes that {detector} does not know: {names}",
        "含有 {detector} 不认识的类别：{names}",
    ),
    "unknown_class": (
        "it has objects of class {number:d}, and {detector} has {classes:d} classes",
        "含有类别 {number}，而 {detector} 只有 {classes} 个类别",
    ),
    "black": (
        "it is black: {levels:d} grey levels between its darkest and brightest parts",
        "全黑：最暗与最亮处相差 {levels} 个灰度级",
    ),
    "one_brightness": (
        "it is of one brightness, {light:d}: {levels:d} grey levels between its darkest and brightest parts",
        "亮度单一（{light}）：最暗与最亮处相差 {levels} 个灰度级",
    ),
    "contradicts": (
        "the device calls its {axis} {strata}, measured here it is {stratum}",
        "设备判定其{axis}为{strata}，在本机测得为{stratum}",
    ),
    "same_frame": ("it is frame {frame}", "与帧 {frame} 相同"),
    "same_picture": ("it is {set}/{name}", "与 {set}/{name} 相同"),
    "shows_what": ("it shows what {other} does", "与 {other} 内容几乎相同"),
    "shows_what_frame": ("it shows what frame {frame} does", "与帧 {frame} 内容几乎相同"),
    "refused_before": ("refused before", "先前已被拒绝"),
    "camera_gave": (
        "its camera {camera} gave {share:d} % of {frames:d} frames",
        "相机 {camera} 占 {frames} 帧中的 {share} %",
    ),
    "bytes_arrived": (
        "{arrived:d} bytes arrived, and the device says {said:d}",
        "收到 {arrived} 字节，而设备所述为 {said}",
    ),
    "no_sha256": ("its name is no SHA-256", "文件名不是 SHA-256"),
    "other_service": (
        "it says that service {said} kept it, and {asked} was asked",
        "由服务 {said} 保留，而查询的是 {asked}",
    ),
    "bytes_expected": ("{bytes:d} bytes, expected 1 to {most:d}", "{bytes} 字节，应为 1 至 {most}"),
    "side_expected": ("{size} px, expected at most {most:d} a side", "{size} 像素，每边最多 {most}"),
    "no_camera": ("{name} is no name of a camera", "{name} 不是合法的相机名"),
    "impossible_time": ("its time, {seconds} s since 1970, cannot be", "时间不可能：1970 年以来 {seconds} 秒"),
    "too_many": ("{count:d} {what}, expected at most {most:d}", "{what} 有 {count} 个，最多 {most} 个"),
    "no_name": ("{name} is no name", "{name} 不是合法的名称"),
}

BATCHES: dict[str, tuple[str, str]] = {
    "batch_contradicts": (
        "{frames:d} of {total:d} new frames contradict what the device calls them, more than {limit:d} %: {sentence}",
        "{total} 个新帧中有 {frames} 个与设备所述不符，超过 {limit} %：{sentence}",
    ),
    "batch_bad": (
        "{frames:d} of {total:d} new frames cannot be used, more than {limit:d} %: {parts}",
        "{total} 个新帧中有 {frames} 个不可使用，超过 {limit} %：{parts}",
    ),
    "batch_one_camera": (
        "{share:d} % of {total:d} good new frames are of camera {camera}, though the device has several; more than "
        "{limit:d} % of one would calibrate for that camera alone",
        "{total} 个可用新帧中有 {share} % 来自相机 {camera}，而设备有多个相机；"
        "单一相机超过 {limit} % 时，校准只会适合该相机",
    ),
    "batch_harmful": (
        "{frames:d} of the new frames could not be read without harm, the last one {last}; they are an attack on this "
        "machine, or it has no memory left",
        "有 {frames} 个新帧在读取时造成故障，最后一个为 {last}；这可能是对本机的攻击，也可能是本机内存已耗尽",
    ),
    "camera_thinned": (
        "{left:d} of {frames:d} frames of camera {camera} are left out: it gave {share:d} % of all",
        "相机 {camera} 的 {frames} 帧中有 {left} 帧未采用：它占总数的 {share} %",
    ),
    "set_not_compared": (
        "set {name} could not be compared with the new frames: {reason}",
        "图片集 {name} 无法与新帧比较：{reason}",
    ),
}

# Parts of "batch_bad": each stands behind a number.
BATCH_PARTS: dict[str, tuple[str, str]] = {
    "unreadable": ("{frames:d} cannot be read", "{frames} 个无法读取"),
    "size": ("{frames:d} have another size than said", "{frames} 个尺寸与所述不符"),
    "digest": ("{frames:d} have another content than said", "{frames} 个内容与所述不符"),
    "foreign": ("{frames:d} are not of this service and detector", "{frames} 个不属于此服务与检测器"),
    "mislabelled": ("{frames:d} contradict what the device calls them", "{frames} 个与设备所述不符"),
    "dark": ("{frames:d} show nothing", "{frames} 个没有可见内容"),
}
