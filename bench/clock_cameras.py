"""Several network cameras in one process, whose pictures show when they were made; run by the system's Python.

python3 clock_cameras.py PORT --streams 4 --size 640x360 --fps 10 --pictures street.i420

The cameras are rtsp://127.0.0.1:PORT/0, /1 and so on, H.264 with a key frame every two seconds. They show the pictures
of the file in turns, raw I420 one after the other. The top left 512x16 pixels show CLOCK_MONOTONIC in nanoseconds when
the picture was made, as 64 black or white blocks: the clock of tests/runtime/capture/rtsp_server.py.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

CLOCK_ROWS, CLOCK_BLOCKS, BLOCK_PX = 16, 64, 8
_ENCODER = "x264enc tune=zerolatency speed-preset=ultrafast threads=1 key-int-max={key} ! rtph264pay name=pay0 pt=96"


class Camera(GstRtspServer.RTSPMediaFactory):
    """One mount. Its timer runs while someone watches."""

    def __init__(self, size: tuple[int, int], fps: int, pictures: list[bytes], first: int) -> None:
        super().__init__()
        self.size, self.fps, self.pictures, self.shown = size, fps, pictures, first
        self.set_shared(True)

    def do_create_element(self, url):
        width, height = self.size
        caps = f"video/x-raw,format=I420,width={width},height={height},framerate={self.fps}/1"
        source = f"appsrc name=clock is-live=true format=time do-timestamp=true caps={caps}"
        element = Gst.parse_launch(f"( {source} ! queue ! {_ENCODER.format(key=2 * self.fps)} )")
        appsrc = element.get_by_name("clock")
        GLib.timeout_add(int(1000 / self.fps), lambda: self._push(appsrc))
        return element

    def _push(self, appsrc) -> bool:
        self.shown += 1
        picture = with_clock(self.pictures[self.shown % len(self.pictures)], *self.size)
        return appsrc.emit("push-buffer", Gst.Buffer.new_wrapped(picture)) == Gst.FlowReturn.OK


def with_clock(picture: bytes, width: int, height: int) -> bytes:
    """The picture with the time of now in its corner; beside the clock the top rows are grey."""
    now = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    bits = (now >> (CLOCK_BLOCKS - 1 - i) & 1 for i in range(CLOCK_BLOCKS))
    row = b"".join(bytes([235 if bit else 16]) * BLOCK_PX for bit in bits)
    rows = (row + bytes([90]) * (width - len(row))) * CLOCK_ROWS
    # Without colour under the clock: a decoder's colour matrix would shift what is black and white.
    plane, colour = width * height, width // 2 * (CLOCK_ROWS // 2)
    grey = bytes([128]) * colour
    u_at, v_at = plane, plane + plane // 4
    return b"".join(
        (rows, picture[len(rows) : plane], grey, picture[u_at + colour : v_at], grey, picture[v_at + colour :])
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("port")
    parser.add_argument("--streams", type=int, default=1)
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--fps", type=int, default=10)
    parser.add_argument("--pictures", type=Path, required=True)
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    data, length = options.pictures.read_bytes(), width * height * 3 // 2
    pictures = [data[at : at + length] for at in range(0, len(data) - length + 1, length)]
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(options.port)
    for number in range(options.streams):
        camera = Camera((width, height), options.fps, pictures, number * len(pictures) // options.streams)
        server.get_mount_points().add_factory(f"/{number}", camera)
    if server.attach(None) == 0:
        raise SystemExit(f"port {options.port} is taken")
    print("ready", flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
