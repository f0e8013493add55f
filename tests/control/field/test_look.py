"""A hostile picture costs the process that looks at it, and never the one that asked."""

from __future__ import annotations

import io
import os
import resource
import select
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from edgekit.control.field import eyes
from edgekit.control.field.eyes import MOST_DEATHS, look_at_all
from edgekit.control.field.frames import FieldFrame
from edgekit.control.field.look import look
from edgekit.files import sha256_file
from edgekit.scenes import render_scene
from tests.control.sets.test_picture_files import png_claiming
from tests.kept_frames import KeptOnDevice
from tests.made_up_sets import quiet


def jpeg(width=320, height=180, seed=3, **options):
    out = io.BytesIO()
    pixels = cv2.cvtColor(render_scene(seed, "day", width, height).frame, cv2.COLOR_BGR2RGB)
    Image.fromarray(pixels).save(out, "JPEG", quality=95, **options)
    return out.getvalue()


def claiming(content, width, height):
    """The same JPEG with another size in its frame header."""
    at = next(at for marker in (b"\xff\xc0", b"\xff\xc2") if (at := content.find(marker)) > 0)
    return content[: at + 5] + struct.pack(">HH", height, width) + content[at + 9 :]


def look_at(tmp_path, content, size=(320, 180)):
    path = tmp_path / "frame.jpg"
    path.write_bytes(content)
    return look(path, sha256_file(path), *size)


def test_a_good_picture_is_described(tmp_path):
    found = look_at(tmp_path, jpeg())
    assert (found.why, len(found.hash)) == ("", 16)
    assert found.spread > 100
    assert 80 < found.described.light < 200


ROTATED = Image.Exif()
ROTATED[0x0112] = 6


@pytest.mark.parametrize(
    ("content", "size", "why", "said"),
    [
        (b"", (320, 180), "unreadable", "no JPEG"),
        (b"\xff\xd8\xff\xe0" + bytes(100), (320, 180), "unreadable", "damaged"),
        (png_claiming(320, 180), (320, 180), "unreadable", "no JPEG"),
        (jpeg()[: len(jpeg()) // 2], (320, 180), "unreadable", "truncated"),
        (jpeg()[:-200], (320, 180), "unreadable", "truncated"),
        (claiming(jpeg(), 65500, 65500), (320, 180), "size", "fill the memory"),
        (claiming(jpeg(), 65500, 65500), (65500, 65500), "size", "fill the memory"),
        (claiming(jpeg(), 8192, 8192), (320, 180), "size", "8192x8192 px, and the device says 320x180"),
        (claiming(jpeg(), 8192, 8192), (8192, 8192), "unreadable", "premature end"),
        (jpeg()[: len(jpeg()) // 2] + b"\xff\xd9", (320, 180), "unreadable", "premature end"),
        (jpeg(), (640, 360), "size", "320x180 px, and the device says 640x360"),
        (jpeg(exif=ROTATED.tobytes()), (320, 180), "size", "180x320 px, and the device says 320x180"),
        (jpeg(48, 32), (48, 32), "size", "below 64 px"),
        (jpeg(640, 16), (640, 16), "size", "strip"),
    ],
)
def test_what_is_wrong_with_a_picture_is_said(tmp_path, content, size, why, said):
    """OpenCV alone shows half a JPEG with grey for the rest, and nobody would know what INT8 was calibrated on."""
    found = look_at(tmp_path, content, size)
    assert (found.why, found.described) == (why, None)
    assert said in found.detail


def test_a_picture_that_was_exchanged_after_it_came_is_known(tmp_path):
    """Nothing is decoded that is not what was fetched."""
    path = tmp_path / "frame.jpg"
    path.write_bytes(jpeg())
    assert look(path, "ab" * 32, 320, 180).why == "digest"


def test_the_process_may_write_no_file(tmp_path):
    """A fault in a decoder must not leave anything on this machine."""
    script = (
        "import sys; from edgekit.control.field.look import _limit; _limit(4000)\n"
        "try:\n with open(sys.argv[1], 'wb') as file: file.write(b'x')\n print('written')\n"
        "except OSError as error: print(error.strerror)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "x")], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "File too large"


@pytest.fixture
def frames(tmp_path):
    device = KeptOnDevice(tmp_path)
    device.keep_scenes("day", 4)
    return list(device.fetch().frames)


@pytest.mark.parametrize("memory_mib", [300, 450])
def test_memory_is_limited_and_the_want_of_it_is_no_crash(frames, tmp_path, monkeypatch, memory_mib):
    """A picture of nearly the largest size that is fetched, in a process that has too little for it."""
    path = tmp_path / "large.jpg"
    cv2.imwrite(str(path), np.full((8000, 8000, 3), 90, np.uint8))
    kept = replace(frames[0].kept, sha256=sha256_file(path), width_px=8000, height_px=8000)
    monkeypatch.setattr(eyes, "_MEMORY_MIB", memory_mib)
    found = look_at_all([FieldFrame(kept, path), *frames], tmp_path / "looks.json", quiet).by_digest
    assert found[kept.sha256].why == "unreadable"
    assert "memory" in found[kept.sha256].detail
    assert [found[frame.kept.sha256].why for frame in frames] == [""] * 4


def worker_that(monkeypatch, tmp_path, body):
    """Puts a worker in place of the real one that does something to itself before it answers. `frame` is its name."""
    real = "from edgekit.control.field.look import look\nfrom edgekit.core.wire import to_wire\n"
    script = tmp_path / "worker.py"
    script.write_text(
        f"import json, os, signal, sys, time\nfrom pathlib import Path\n{real}"
        "for line in sys.stdin:\n"
        "    q = json.loads(line); frame = Path(q['path']).stem\n"
        f"    {body}\n"
        "    seen = look(Path(q['path']), q['sha256'], q['width_px'], q['height_px'])\n"
        "    print(json.dumps(to_wire(seen)), flush=True)\n"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    monkeypatch.setattr(eyes, "_start", lambda: subprocess.Popen([sys.executable, str(script)], **pipes))


def test_a_picture_that_kills_the_process_is_named_and_the_others_are_seen(frames, tmp_path, monkeypatch):
    """A fault in libjpeg must not end a refresh, nor hide which picture has it."""
    bad = frames[1].kept.sha256
    worker_that(monkeypatch, tmp_path, f"frame == {bad!r} and os.kill(os.getpid(), signal.SIGSEGV)")
    found = look_at_all(frames, tmp_path / "looks.json", quiet)
    assert [found.by_digest[frame.kept.sha256].why for frame in frames] == ["", "unreadable", "", ""]
    assert "ended the process that did it, with code -11" in found.by_digest[bad].detail
    assert found.given_up == ""


def test_a_picture_that_takes_for_ever_is_given_up(frames, tmp_path, monkeypatch):
    """A progressive JPEG of ten thousand scans is small, valid, and decodes for minutes."""
    bad = frames[2].kept.sha256
    monkeypatch.setattr(eyes, "_DEADLINE_S", 1.5)
    worker_that(monkeypatch, tmp_path, f"frame == {bad!r} and time.sleep(60)")
    found = look_at_all(frames, tmp_path / "looks.json", quiet)
    assert [found.by_digest[frame.kept.sha256].why for frame in frames] == ["", "", "unreadable", ""]
    assert "took longer than 1.5 s" in found.by_digest[bad].detail


def test_pictures_that_keep_killing_it_end_the_looking(frames, tmp_path, monkeypatch):
    """A thousand such pictures would keep this machine busy for an hour."""
    many = [
        replace(frames[0], kept=replace(frames[0].kept, sha256=f"{number:064x}")) for number in range(MOST_DEATHS + 20)
    ]
    worker_that(monkeypatch, tmp_path, "os._exit(3)")
    found = look_at_all(many, tmp_path / "looks.json", quiet)
    assert f"{MOST_DEATHS} of the new frames" in found.given_up
    assert len(found.by_digest) == len(many)
    assert {one.why for one in found.by_digest.values()} == {"unreadable"}


def test_what_was_looked_at_is_not_looked_at_again_and_a_death_is_not_remembered(frames, tmp_path, monkeypatch):
    """Seven hundred pictures take half a minute; and memory that was short once need not be the next time."""
    first = look_at_all(frames[:3], tmp_path / "looks.json", quiet)
    worker_that(monkeypatch, tmp_path, "os._exit(3)")
    again = look_at_all(frames, tmp_path / "looks.json", quiet)
    assert {key: again.by_digest[key] for key in first.by_digest} == dict(first.by_digest)
    assert again.by_digest[frames[3].kept.sha256].why == "unreadable"
    monkeypatch.undo()
    assert look_at_all(frames, tmp_path / "looks.json", quiet).by_digest[frames[3].kept.sha256].why == ""


@pytest.mark.parametrize("damage", ["{", "[]", '{"x": 1}', "null"])
def test_a_damaged_memory_is_no_more_than_forgotten(frames, tmp_path, damage):
    (tmp_path / "looks.json").write_text(damage)
    assert [one.why for one in look_at_all(frames, tmp_path / "looks.json", quiet).by_digest.values()] == [""] * 4


def test_a_hostile_header_costs_this_process_no_memory(frames, tmp_path):
    """Measured by the peak of the whole test process, children apart."""
    path = tmp_path / "bomb.jpg"
    path.write_bytes(claiming(jpeg(), 65500, 65500))
    kept = replace(frames[0].kept, sha256=sha256_file(path), width_px=8192, height_px=8192)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = look_at_all([FieldFrame(kept, path)], tmp_path / "looks.json", quiet)
    assert next(iter(found.by_digest.values())).why == "size"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20 << 10


def test_the_process_ends_with_the_one_that_started_it(frames, tmp_path):
    """A refresh that is killed must not leave decoders behind."""
    script = (
        "import os, sys, json\nfrom edgekit.control.field import eyes\n"
        "process = eyes._start()\nprint(process.pid, flush=True)\nsys.stdin.readline()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
    )
    pid = int(parent.stdout.readline())
    child = os.pidfd_open(pid)
    try:
        parent.kill()
        parent.wait()
        assert select.select([child], [], [], 20)[0], "it goes on"
    finally:
        os.close(child)
        parent.stdin.close()
        parent.stdout.close()
