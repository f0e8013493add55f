"""Files that are never half written, whatever happens in between."""

from __future__ import annotations

import hashlib
import json
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from edgekit.files import fsync_folder, replacing, sha256_file, write_bytes, write_json


def test_the_digest_of_a_file_is_sha256_of_its_bytes(tmp_path):
    """Over more than one chunk, as every engine is."""
    content = bytes(range(256)) * 8200
    path = tmp_path / "engine.bin"
    path.write_bytes(content)
    assert sha256_file(path) == hashlib.sha256(content).hexdigest()
    (tmp_path / "empty").write_bytes(b"")
    assert sha256_file(tmp_path / "empty") == hashlib.sha256().hexdigest()


def test_content_is_replaced_and_nothing_else_is_left(tmp_path):
    """A stray temporary file would be found by every glob."""
    path = tmp_path / "new" / "folder" / "a.json"
    write_bytes(path, b"one")
    write_bytes(path, b"two")
    assert path.read_bytes() == b"two"
    assert [entry.name for entry in path.parent.iterdir()] == ["a.json"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failure_keeps_the_old_content_and_removes_the_new(tmp_path, error):
    """Ctrl-C in the middle of a write is an ordinary event."""
    path = tmp_path / "a.txt"
    write_bytes(path, b"old")
    with pytest.raises(error), replacing(path) as temporary:
        temporary.write_bytes(b"half")
        raise error
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


def test_the_temporary_file_lies_beside_its_target_and_keeps_its_ending(tmp_path):
    """Rename is atomic only within a file system, and some libraries choose the format by the ending."""
    with replacing(tmp_path / "video.mp4") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".mp4"
        assert temporary.name.startswith(".")


def test_files_are_readable_by_others_and_not_executable(tmp_path):
    """The service runs as another user; mkstemp alone gives 0600."""
    write_json(tmp_path / "a.json", {})
    assert stat.S_IMODE((tmp_path / "a.json").stat().st_mode) == 0o644


def test_json_is_for_people_and_exact(tmp_path):
    """Umlauts and Chinese stay readable; NaN, which is not JSON, is refused and leaves the old file."""
    path = tmp_path / "a.json"
    write_json(path, {"name": "Köln 北", "x": [1, 2.5, None]})
    assert "Köln 北" in path.read_text(encoding="utf-8")
    assert path.read_text(encoding="utf-8").endswith("}\n")
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"x": float("nan")})
    assert json.loads(path.read_text(encoding="utf-8")) == {"name": "Köln 北", "x": [1, 2.5, None]}


def test_a_reader_never_sees_a_part(tmp_path):
    """Health is read by another process once a second, at any moment."""
    path = tmp_path / "health.json"
    write_json(path, {"n": 0, "pad": "x" * 20_000})
    seen, stop = [], threading.Event()

    def read() -> None:
        while not stop.is_set():
            seen.append(len(json.loads(path.read_text(encoding="utf-8"))["pad"]))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(60):
        write_json(path, {"n": number, "pad": "x" * 20_000})
    stop.set()
    reader.join()
    assert seen
    assert set(seen) == {20_000}


def test_a_writer_killed_in_the_middle_leaves_the_old_content(tmp_path):
    """The power cut, as near as a test can come: SIGKILL between writing and renaming."""
    path = tmp_path / "a.txt"
    write_bytes(path, b"old")
    script = (
        "import os, signal, sys\nfrom edgekit.files import replacing\n"
        "with replacing(sys.argv[1]) as t:\n    t.write_bytes(b'new')\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], cwd=Path.cwd(), check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"


def test_a_full_or_forbidden_place_is_an_oserror_and_leaves_nothing(tmp_path):
    """Callers turn OSError into words; a folder in the way must not be replaced."""
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        write_bytes(tmp_path / "taken", b"x")
    assert [entry.name for entry in tmp_path.iterdir()] == ["taken"]


def test_a_missing_folder_cannot_be_made_durable(tmp_path):
    """A typo in a caller must not pass as durable."""
    fsync_folder(tmp_path)
    with pytest.raises(FileNotFoundError):
        fsync_folder(tmp_path / "none")
