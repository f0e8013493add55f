"""What the device's programs say of a run that was disturbed, in English as they write it and in Chinese."""

from __future__ import annotations

RUN: dict[str, tuple[str, str]] = {
    "with_streams": ("with {streams:d} streams {sentence}", "{streams} 路同时运行时，{sentence}"),
    "stream_ended": ("{stream} ended early: {reason}", "{stream} 提前结束：{reason}"),
    "source_away": ("the source was away ({times:d} x): {reason}", "来源中断 {times} 次：{reason}"),
    "source_away_still": (
        "the source was away ({times:d} x), and stayed away: {reason}",
        "来源中断 {times} 次，且未恢复：{reason}",
    ),
    "not_finite": (
        "the engine's answer was NaN or infinite for {bad:d} of {frames:d} frames",
        "引擎的输出在 {frames} 帧中有 {bad} 帧为 NaN 或无穷大",
    ),
}

# Whose power a sensor measures.
POWER: dict[str, tuple[str, str]] = {
    "module_input": ("module input", "模组输入"),
    "gpu_board": ("GPU board", "GPU 板卡"),
    "gpu_of_module": ("GPU of the module, not the whole of it", "模组中的 GPU（并非整个模组）"),
}

# Why a source was away: core.camera_condition and core.camera_failures.
CAMERA: dict[str, tuple[str, str]] = {
    "state": ("{uri} is {word}", "{uri} {word}"),
    "state_why": ("{uri} is {word}: {reason}", "{uri} {word}：{reason}"),
    "password": ("the camera refuses user or password", "摄像头拒绝了用户名或密码"),
    "stream": ("the camera has no such stream; check the path", "摄像头没有此视频流，请检查路径"),
    "host": ("the host name is unknown", "主机名无法解析"),
    "refused": ("the camera refuses the connection; it may be starting", "摄像头拒绝连接，可能正在启动"),
    "full": (
        "the camera serves no further viewer now; close one of the others",
        "摄像头的连接数已满，请关闭其他连接",
    ),
    "unreachable": ("the camera cannot be reached", "无法连接到摄像头"),
    "busy": ("another program uses the camera", "摄像头正被其他程序使用"),
    "argus": (
        "the CSI camera daemon gives no session; it may need a restart: systemctl restart nvargus-daemon",
        "CSI 摄像头守护进程无法建立会话，可能需要重启：systemctl restart nvargus-daemon",
    ),
    "no device": ("there is no such camera device", "没有此摄像头设备"),
    "permission": (
        "this user may not open the camera; it must be in the group video",
        "当前用户无权打开摄像头，必须属于 video 组",
    ),
    "missing element": (
        "GStreamer lacks a part that this stream needs: {detail}",
        "GStreamer 缺少该视频流所需的组件：{detail}",
    ),
    "codec": (
        "the camera sends a codec that is not h264, h265 or mjpeg",
        "摄像头发送的编码不是 h264、h265 或 mjpeg",
    ),
    "mode": ("the camera has no such width, height, fps or codec", "摄像头不支持此宽度、高度、帧率或编码"),
    "no video": (
        "the camera sends no video that can be read: only sound, or another codec than asked for",
        "摄像头没有发送可读取的视频：只有声音，或编码与要求不符",
    ),
    "timeout": ("the camera did not answer in time", "摄像头未及时应答"),
    "bad stream": ("what the camera sends cannot be decoded", "摄像头发送的内容无法解码"),
    "ended": ("the camera ended the stream", "摄像头结束了视频流"),
    "other": ("the camera cannot be read", "无法读取摄像头"),
    "other_why": ("the camera cannot be read: {detail}", "无法读取摄像头：{detail}"),
}
