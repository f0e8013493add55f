"""An RTSP server for tests, by GStreamer's own server library; run by the system's Python, which has python3-gi.

python3 rtsp_server.py PORT [--size 640x360] [--fps 15] [--pattern ball] [--codec h264] [--user U --password P]
                            [--clock] [--switch-size S] [--seconds S] [--audio] [--sound-alone]

--clock: the top left 512x16 pixels of each picture show, as 64 black or white blocks, CLOCK_MONOTONIC in
nanoseconds when the picture was made. --switch-size: after so many seconds, pictures are half as wide and high.
"""

from __future__ import annotations

import argparse
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

_ENCODERS = {
    "h264": "x264enc tune=zerolatency speed-preset=ultrafast key-int-max={key} ! rtph264pay name=pay0 pt=96",
    "h265": "x265enc tune=zerolatency speed-preset=ultrafast key-int-max={key} ! rtph265pay name=pay0 pt=96",
    "mjpeg": "jpegenc ! rtpjpegpay name=pay0 pt=26",
}


def picture_source(options: argparse.Namespace, width: int, height: int) -> str:
    caps = f"video/x-raw,format=I420,width={width},height={height},framerate={options.fps}/1"
    if options.clock:
        return f"appsrc name=clock is-live=true format=time do-timestamp=true caps={caps}"
    pattern = "black" if options.pattern == "frozen" else options.pattern
    text = f"videotestsrc is-live=true pattern={pattern} ! {caps}"
    if options.pattern == "frozen":
        text = f"videotestsrc is-live=true pattern=smpte100 ! {caps}"
    return text


class Factory(GstRtspServer.RTSPMediaFactory):
    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__()
        self.options = options
        self.started_s = time.monotonic()
        self.set_shared(True)

    def do_create_element(self, url):
        options = self.options
        if options.sound_alone:
            sound = "audiotestsrc is-live=true ! audioconvert ! audio/x-raw,channels=1"
            return Gst.parse_launch(f"( {sound} ! rtpL16pay name=pay0 pt=97 )")
        width, height = map(int, options.size.split("x"))
        encoder = _ENCODERS[options.codec].format(key=options.fps * 2)
        scale = "videoscale ! capsfilter name=size ! " if options.switch_size else ""
        text = f"{picture_source(options, width, height)} ! queue ! {scale}videoconvert ! {encoder}"
        if options.audio:
            text += " audiotestsrc is-live=true ! audioconvert ! audio/x-raw,channels=1 ! rtpL16pay name=pay1 pt=97"
        element = Gst.parse_launch(f"( {text} )")
        if options.clock:
            self.clock(element.get_by_name("clock"), width, height)
        if options.switch_size:
            self.switch(element.get_by_name("size"), width, height)
        return element

    def clock(self, source, width, height):
        below = bytes([90]) * (width * (height - 16)) + bytes([128]) * (width * height // 2)

        def push():
            now = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
            row = b"".join(bytes([235 if (now >> (63 - i)) & 1 else 16]) * 8 for i in range(64))
            buffer = Gst.Buffer.new_wrapped((row + bytes([90]) * (width - 512)) * 16 + below)
            return source.emit("push-buffer", buffer) == Gst.FlowReturn.OK

        GLib.timeout_add(int(1000 / self.options.fps), push)

    def switch(self, capsfilter, width, height):
        def to(size):
            capsfilter.set_property("caps", Gst.Caps.from_string(f"video/x-raw,width={size[0]},height={size[1]}"))
            return False

        to((width, height))
        GLib.timeout_add(int(self.options.switch_size * 1000), to, (width // 2, height // 2))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port")
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--fps", type=int, default=15)
    parser.add_argument("--pattern", default="ball")
    parser.add_argument("--codec", default="h264", choices=sorted(_ENCODERS))
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("--clock", action="store_true")
    parser.add_argument("--audio", action="store_true")
    parser.add_argument("--sound-alone", action="store_true")
    parser.add_argument("--switch-size", type=float, default=0.0)
    parser.add_argument("--seconds", type=float, default=0.0)
    options = parser.parse_args()
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(options.port)
    factory = Factory(options)
    if options.user:
        auth = GstRtspServer.RTSPAuth()
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "user")
        basic = GstRtspServer.RTSPAuth.make_basic(options.user, options.password)
        auth.add_basic(basic, token)
        permissions = GstRtspServer.RTSPPermissions()
        permissions.add_permission_for_role("user", "media.factory.access", True)
        permissions.add_permission_for_role("user", "media.factory.construct", True)
        factory.set_permissions(permissions)
        server.set_auth(auth)
    server.get_mount_points().add_factory("/cam", factory)
    if server.attach(None) == 0:
        raise SystemExit(f"port {options.port} is taken")
    loop = GLib.MainLoop()
    if options.seconds:
        GLib.timeout_add(int(options.seconds * 1000), loop.quit)
    print("ready", flush=True)
    loop.run()


if __name__ == "__main__":
    main()
