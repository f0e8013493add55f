"""The receiving and the sending end on a device, as processes: what is cut off, damaged, held or full."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from edgekit import bootstrap

CONTENT = random.Random(7).randbytes(700_000) if hasattr(random.Random, "randbytes") else os.urandom(700_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def start(root, total=0, code="", source=None):
    argument = json.dumps({"root": str(root), "total": total, "code": code})
    words = [sys.executable, "-I", "-c", source or bootstrap.source("receive"), argument]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def frame(content, offset=0, name=None, sha256=None):
    sha256 = sha256 or hashlib.sha256(content).hexdigest()
    header = {"name": name or sha256, "sha256": sha256, "size": len(content), "offset": offset}
    return json.dumps(header).encode() + b"\n" + content[offset:]


def receive(root, stream, **options):
    """(last event, standard error)"""
    out, err = start(root, **options).communicate(stream, timeout=60)
    return json.loads(out.splitlines()[-1]), err


def names(root):
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_whole_files_take_their_names_and_others_go_on(tmp_path):
    """The names are what activate looks for: a partial file under a whole one's name would go into service."""
    cut = start(tmp_path)
    cut.communicate(frame(b"small") + frame(CONTENT)[:300_000], timeout=60)
    small = hashlib.sha256(b"small").hexdigest()
    assert names(tmp_path) == sorted([f"incoming/{small}", f"incoming/{SHA256}.part"])
    have = (tmp_path / "incoming" / f"{SHA256}.part").stat().st_size
    assert have > 250_000
    event, _ = receive(tmp_path, frame(CONTENT, offset=have))
    assert event == {"event": "result", "result": {"damaged": []}}
    assert (tmp_path / "incoming" / SHA256).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("there", "offset"),
    [(CONTENT[:1000], 400), (CONTENT, 1000), (CONTENT[:1000], 0)],
    ids=["more came than was known", "all of it came", "it is sent from the beginning"],
)
def test_what_is_there_beyond_the_offset_is_kept(tmp_path, there, offset):
    """Two hosts may have sent the same file meanwhile."""
    part = tmp_path / "incoming" / f"{SHA256}.part"
    part.parent.mkdir()
    part.write_bytes(there)
    event, _ = receive(tmp_path, frame(CONTENT, offset))
    assert event["result"] == {"damaged": []}
    assert part.with_suffix("").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("there", "offset"),
    [(b"x" * 1000, 1000), (CONTENT[:1000], 2000), (CONTENT + b"x", len(CONTENT))],
    ids=["another beginning", "less than was known", "too long"],
)
def test_what_does_not_fit_is_thrown_away_and_told(tmp_path, there, offset):
    part = tmp_path / "incoming" / f"{SHA256}.part"
    part.parent.mkdir()
    part.write_bytes(there)
    event, _ = receive(tmp_path, frame(CONTENT, offset) + frame(b"next"))
    assert event["result"] == {"damaged": [SHA256]}
    assert names(tmp_path) == ["incoming/" + hashlib.sha256(b"next").hexdigest()], "the next file came through"


def test_a_sender_that_falls_silent_is_given_up(tmp_path):
    """sshd may not notice a cut link for hours, and meanwhile the partial file would be held."""
    source = bootstrap.source("receive").replace("IDLE_LIMIT_S = 20", "IDLE_LIMIT_S = 0.3")
    process = start(tmp_path, source=source)
    process.stdin.write(frame(CONTENT)[:1000])
    process.stdin.flush()
    assert process.wait(timeout=20) == 9
    assert b"nothing came for 0.3 s" in process.stdout.read()
    process.communicate()


def test_the_second_sender_of_a_file_waits_for_the_first(tmp_path):
    part = tmp_path / "incoming" / f"{SHA256}.part"
    part.parent.mkdir()
    with part.open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        process = start(tmp_path)
        sender = threading.Thread(target=process.communicate, args=(frame(CONTENT),))
        sender.start()
        time.sleep(0.5)
        assert process.poll() is None and part.stat().st_size == 0
    sender.join(20)
    assert process.returncode == 0
    assert part.with_suffix("").read_bytes() == CONTENT


def test_what_would_fill_the_disk_is_refused_before_it_comes(tmp_path):
    event, _ = receive(tmp_path, b"", total=1 << 60)
    assert event["error"]["what"] == "the device's disk is full"
    assert "must stay" in event["error"]["why"]
    assert names(tmp_path) == []


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_a_disk_that_fills_meanwhile_loses_only_what_was_coming(tmp_path):
    """The service beside it needs the space back at once."""
    argument = json.dumps({"root": str(tmp_path), "total": 0, "code": ""})
    inject = ["strace", "-f", "-qq", "-o", os.devnull, "-e", "inject=fsync:error=ENOSPC:when=2"]
    script = tmp_path.parent / "receive.py"
    script.write_text(bootstrap.source("receive"))
    done = subprocess.run(
        [*inject, sys.executable, str(script), argument], input=frame(b"first") + frame(CONTENT), stdout=subprocess.PIPE
    )
    assert json.loads(done.stdout.splitlines()[-1])["error"]["what"] == "the device's disk is full"
    assert names(tmp_path) == ["incoming/" + hashlib.sha256(b"first").hexdigest()]


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil"])
def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path, name):
    root = tmp_path / "root"
    root.mkdir()
    event, _ = receive(root, frame(b"x", name=name), code="0" * 64)
    assert "not a plain name" in event["error"]["what"]
    assert names(tmp_path) == []


def code_of(files):
    listed = sorted(f"{hashlib.sha256(content).hexdigest()} {name}\n" for name, content in files.items())
    return hashlib.sha256("".join(listed).encode()).hexdigest()


FILES = {"__init__.py": b"", "runtime/__main__.py": b"print(1)\n"}


def test_code_appears_whole_under_its_digest(tmp_path):
    stream, digest = b"".join(frame(content, name=name) for name, content in FILES.items()), code_of(FILES)
    for _ in range(2):  # and again, where another was quicker
        event, err = receive(tmp_path, stream, code=digest)
        assert event == {"event": "result", "result": {"damaged": []}}, err
    assert names(tmp_path) == sorted(f"code/{digest}/edgekit/{name}" for name in FILES)
    assert (tmp_path / "code" / digest).stat().st_mode & 0o777 == 0o755, "the service runs as another user"


@pytest.mark.parametrize("cut", [True, False], ids=["cut off", "altered"])
def test_code_that_is_not_what_was_sent_leaves_nothing(tmp_path, cut):
    stream = b"".join(frame(content, name=name) for name, content in FILES.items())
    stream = stream[:-5] if cut else stream.replace(b"print(1)", b"print(2)")
    event, _ = receive(tmp_path, stream, code=code_of(FILES))
    assert event["event"] == "error"
    assert list((tmp_path / "code").iterdir()) == []


def test_a_device_without_its_folder_names_the_command(tmp_path):
    event, _ = receive(tmp_path / "none", b"")
    assert event["error"]["hint"] == "edgekit provision"


PYTHON_3_6 = next(
    (str(path) for path in Path("~/.pyenv/versions").expanduser().glob("3.6.*/bin/python")), shutil.which("python3.6")
)


@pytest.mark.skipif(PYTHON_3_6 is None, reason="Python 3.6 is not installed")
@pytest.mark.parametrize("name", ["receive", "send"])
def test_the_scripts_run_on_python_3_6(name, tmp_path):
    """JetPack 4's Python must get as far as the reason why it is refused."""
    argument = {"root": str(tmp_path), "total": 0, "code": "", "path": str(tmp_path)}
    for more in ({}, {"names": ["gone"]}):
        words = [PYTHON_3_6, "-I", "-c", bootstrap.source(name), json.dumps({**argument, **more})]
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert (done.returncode, done.stderr) == (0, b"")


def test_the_sender_takes_plain_names_alone(tmp_path):
    """It runs with the rights of whoever logs in."""
    (tmp_path / "in").mkdir()
    (tmp_path / "secret").write_text("key")
    argument = json.dumps({"path": str(tmp_path / "in"), "names": ["gone", "../secret"]})
    words = [sys.executable, "-I", "-c", bootstrap.source("send"), argument]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (9, b"")
    assert b"no plain name" in done.stderr
