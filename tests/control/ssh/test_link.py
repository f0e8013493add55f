"""A device over SSH, against a real server in this process: calls, files, and every way in which a link fails."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import socket
import sys
import threading
import time
from pathlib import Path

import pytest

from edgekit import bootstrap
from edgekit.control.device_code import this_code
from edgekit.control.inventory import Device
from edgekit.control.link import PACKAGE
from edgekit.control.ssh import connection, process
from edgekit.control.ssh.host_keys import HostKey, pin_key
from edgekit.control.ssh.link import SSHLink
from edgekit.core.deployment import ServiceRequest, ServiceState, StateAnswer, StateRequest
from edgekit.core.device import DeviceProfile
from edgekit.errors import DeployError, DeviceError, OversizeError, UnreachableError, UsageError
from tests.ssh_server import Cable, SSHServer, make_key


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    return {name: make_key(folder / name) for name in ("host", "other", "user")} | {"folder": folder}


@pytest.fixture
def server(keys):
    with contextlib.closing(SSHServer(keys["host"], keys["user"])) as server:
        yield server


@pytest.fixture
def known_hosts(tmp_path, server):
    server.pin(tmp_path / "known_hosts")
    return tmp_path / "known_hosts"


@pytest.fixture
def root(tmp_path):
    """A provisioned device folder with this very code, as far as the link is concerned."""
    code = tmp_path / "device" / "code"
    code.mkdir(parents=True)
    (code / this_code().digest).symlink_to(PACKAGE.parent)
    python = tmp_path / "device" / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    return tmp_path / "device"


@pytest.fixture
def connect(keys, server, known_hosts, root):
    links = []

    def make(**entry):
        entry = {"address": "127.0.0.1", "port": server.port, "key": str(keys["folder"] / "user"), **entry}
        device = Device("nx", "jetson", "roadscene", "street", "/v.mp4", user="ed", **entry)
        links.append(SSHLink(device, known_hosts, str(root)))
        return links[-1]

    yield make
    for link in links:
        link.close()


@pytest.fixture
def link(connect):
    return connect()


def sha256(content):
    return hashlib.sha256(content).hexdigest()


# Calls


def test_a_call_brings_the_device_code_when_it_is_missing_and_only_then(link, connect, server, root):
    """Lost: a new version of edgekit would talk to old device code, or send itself at each call."""
    shutil.rmtree(root / "code")
    assert link.call("state", StateRequest(link.root), StateAnswer).services == ()
    (folder,) = (root / "code").iterdir()
    assert str(folder) == link.code
    assert len(server.commands) == 3, "the call, the code, the call again"
    sent = server.bytes_in
    assert connect().call("probe", {}, DeviceProfile).backend == "onnxruntime"
    assert len(server.commands) == 4
    assert server.bytes_in - sent < 1000


def test_an_error_on_the_device_is_the_same_error_here(link):
    with pytest.raises(DeployError, match="no release of street"):
        link.call("start", ServiceRequest(link.root, "street"), ServiceState)


def test_what_a_login_shell_prints_is_passed_over(link, server, tmp_path):
    """An echo in .bashrc must not be taken for an answer, nor end up in a fetched file."""
    server.preamble = b'Welcome to NX!\n{"event": "welcome"\n'
    assert link.call("state", StateRequest(link.root), StateAnswer).services == ()
    assert link.run_script("print(5)") == "5\n"
    link.fetch(str(Path(link.root) / "venv/bin/python"), tmp_path / "python")
    assert (tmp_path / "python").read_text().startswith("#!/bin/sh\n")


def test_nothing_of_the_users_own_folder_is_imported(link, monkeypatch, tmp_path):
    """A file named json.py in a home folder would run in the place of Python's own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "json.py").write_text("raise SystemExit('foreign')")
    assert link.call("state", StateRequest(link.root), StateAnswer).services == ()


@pytest.mark.parametrize("shell", ["csh", "tcsh", "fish", "zsh", "bash"])
def test_every_login_shell_takes_our_commands(link, server, shell):
    server.shell = shutil.which(shell) or pytest.skip(f"{shell} is not installed")
    assert link.run_script("import sys;print(sys.argv[1])", 'it\'s $HOME & "!!"\n') == '"it\'s $HOME & \\"!!\\"\\n"\n'
    assert link.call("state", StateRequest(link.root), StateAnswer).services == ()


def test_a_device_that_is_not_provisioned_names_the_command(link, root):
    shutil.rmtree(root)
    with pytest.raises(DeviceError, match="nx is not provisioned") as told:
        link.call("state", StateRequest(link.root), StateAnswer)
    assert told.value.hint == "edgekit provision --device nx"


def test_a_work_folder_on_a_device_that_is_not_provisioned_names_the_command(link, root):
    """`edgekit cameras` asks for one first, and its user would see a traceback."""
    shutil.rmtree(root)
    with pytest.raises(DeviceError, match="is not provisioned") as caught, link.work_folder():
        pass
    assert "edgekit provision" in caught.value.hint


def test_an_entry_that_asks_for_a_processor_gets_it(connect):
    python = "import os,json;print(os.environ.get('EDGEKIT_BACKEND'))"
    link = connect(backend="onnxruntime")
    Path(link.python).write_text(f'#!/bin/sh\nexec {sys.executable} -c "{python}" >&2\n')
    with pytest.raises(DeviceError) as told:
        link.call("state", StateRequest(link.root), StateAnswer)
    assert "onnxruntime" in told.value.why


# Scripts


def test_a_script_reads_what_is_streamed_to_it(link):
    """Wheels are megabytes: more than a channel holds at once."""
    pieces = [os.urandom(1 << 20) for _ in range(5)]
    source = "import hashlib,sys;print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())"
    assert link.run_script(source, stdin=iter(pieces)).strip() == sha256(b"".join(pieces))


def test_a_failing_script_shows_its_last_words(link):
    with pytest.raises(DeviceError, match="code 3") as told:
        link.run_script("import sys;sys.stderr.write('no such pin\\n');sys.exit(3)")
    assert told.value.why == "no such pin"


def test_a_script_that_takes_too_long_is_given_up(link, monkeypatch):
    monkeypatch.setattr(process, "_POLL_S", 0.05)
    with pytest.raises(DeviceError, match="longer than 0.3 s"):
        link.run_script("import time;time.sleep(60)", limit_s=0.3)


def test_a_fault_in_what_is_streamed_comes_back(link):
    def pieces():
        yield b"x"
        raise UsageError("the file is gone")

    with pytest.raises(UsageError, match="the file is gone"):
        link.run_script("import sys;sys.stdin.read()", stdin=pieces())


# Files


def test_files_are_delivered_once(link, server, root, tmp_path):
    content = os.urandom(3 << 20)
    (tmp_path / "model.onnx").write_bytes(content)
    files = {sha256(content): tmp_path / "model.onnx", sha256(b"small"): b"small"}
    link.deliver(files)
    assert (root / "incoming" / sha256(content)).read_bytes() == content
    assert (root / "incoming" / sha256(b"small")).read_bytes() == b"small"
    sent = server.bytes_in
    link.deliver(files)
    assert server.bytes_in - sent < 10_000


def test_an_interrupted_transfer_goes_on_where_it_ended(link, server, root):
    """100 MB over a mobile link that breaks every minute would never arrive."""
    content = os.urandom(4 << 20)
    part = root / "incoming" / f"{sha256(content)}.part"
    part.parent.mkdir()
    part.write_bytes(content[: 3 << 20])
    sent = server.bytes_in
    link.deliver({sha256(content): content})
    assert part.with_suffix("").read_bytes() == content
    assert (1 << 20) <= server.bytes_in - sent < (1 << 20) + 10_000


def test_a_damaged_beginning_is_sent_again(link, root):
    """A power cut may leave zeros where a partial file was."""
    content = os.urandom(1 << 20)
    part = root / "incoming" / f"{sha256(content)}.part"
    part.parent.mkdir()
    part.write_bytes(bytes(1000))
    link.deliver({sha256(content): content})
    assert part.with_suffix("").read_bytes() == content
    assert not part.exists()


def test_a_file_that_is_not_what_its_digest_says_is_never_taken(link, root):
    with pytest.raises(DeviceError, match="arrived damaged"):
        link.deliver({sha256(b"promised"): b"another"})
    assert list((root / "incoming").iterdir()) == []


def test_pictures_are_placed_and_fetched_back(link, tmp_path):
    folder = tmp_path / "pictures"
    (folder / "night").mkdir(parents=True)
    (tmp_path / "outside.png").write_bytes(b"linked")
    (folder / "1.png").write_bytes(b"one")
    (folder / "night" / "2.png").symlink_to(tmp_path / "outside.png")
    there = link.place(folder)
    assert there.startswith(link.root) and link.place(folder) == there
    link.fetch(there, tmp_path / "back")
    assert (tmp_path / "back" / "1.png").read_bytes() == b"one"
    assert (tmp_path / "back" / "night" / "2.png").read_bytes() == b"linked"
    assert Path(link.place(folder / "1.png")).read_bytes() == b"one"


def test_a_name_that_a_device_cannot_have_is_told_before_anything_is_sent(link, server, tmp_path):
    (tmp_path / "my picture.png").touch()
    with pytest.raises(UsageError, match="my picture.png"):
        link.place(tmp_path / "my picture.png")
    assert server.commands == []


def test_a_file_that_is_not_there_is_an_error_and_makes_no_file(link, tmp_path):
    with pytest.raises(DeviceError, match="cannot be read") as told:
        link.fetch("/nowhere/x", tmp_path / "x")
    assert "No such file" in told.value.why
    assert not (tmp_path / "x").exists()


@pytest.fixture
def there(tmp_path):
    """A folder of the device with three files."""
    folder = tmp_path / "there"
    folder.mkdir()
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (folder / name).write_text(name)
    return str(folder)


def names_in(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_the_named_files_of_a_folder_come_in_one_process(link, server, there, tmp_path):
    """A process for each of a hundred frames took half a minute; one that is gone meanwhile is no error."""
    link.fetch_files(there, {"a.jpg": 5, "gone.jpg": 5, "c.jpg": 99}, tmp_path / "here")
    assert names_in(tmp_path / "here") == ["a.jpg", "c.jpg"]
    assert (tmp_path / "here" / "c.jpg").read_text() == "c.jpg"
    assert len(server.commands) == 1


def test_nothing_of_a_larger_file_is_kept(link, there, tmp_path):
    with pytest.raises(OversizeError, match=r"b\.jpg has 5 bytes, expected at most 4"):
        link.fetch_files(there, {"a.jpg": 5, "b.jpg": 4, "c.jpg": 5}, tmp_path / "here")
    assert names_in(tmp_path / "here") == ["a.jpg"]
    assert link.run_script("print(1)") == "1\n", "the connection is still good"


def test_a_file_that_cannot_be_read_is_told_and_those_before_it_stay(link, there, tmp_path):
    """A pipe would be waited for, without an end."""
    os.mkfifo(f"{there}/b.pipe")
    with pytest.raises(DeviceError, match="cannot be read") as told:
        link.fetch_files(there, {"a.jpg": 5, "b.pipe": 5, "c.jpg": 5}, tmp_path / "here")
    assert "b.pipe is no file" in told.value.why
    assert names_in(tmp_path / "here") == ["a.jpg"]


def test_a_name_that_leads_elsewhere_is_refused_before_anything_is_asked(link, server, there, tmp_path):
    with pytest.raises(DeviceError, match="no plain name"):
        link.fetch_files(there, {"../known_hosts": 9999}, tmp_path / "here")
    assert server.commands == []


ONE = '{"name": "a.jpg", "size": 1}'
HOSTILE = {
    "an endless file": ('w(\'{"name": "a.jpg", "size": 99999999999}\\n\')\nwhile True: w(\'x\' * 65536)', "at most 5"),
    "an endless line": ("while True: w('x' * 65536)", "without an end of line"),
    "the same file without end": (f"while True: w({ONE!r} + '\\nx' + OK)", "came already"),
    "a file nobody asked for": ('w(\'{"name": "b.jpg", "size": 1}\\nx\' + OK)', "not asked for"),
    "a file elsewhere": ('w(\'{"name": "../planted", "size": 1}\\nx\' + OK)', "not asked for"),
    "a file without a name": ('w(\'{"name": "", "size": 1}\\nx\' + OK)', "not asked for"),
    "no size": ('w(\'{"name": "a.jpg"}\\n\')', "without a name or a size"),
    "a negative size": ('w(\'{"name": "a.jpg", "size": -1}\\n\')', "without a name or a size"),
    "nested brackets": ("w('[' * 60000 + '\\n')", "something else than files"),
    "half a file": ('w(\'{"name": "a.jpg", "size": 5}\\nxx\')', "did not arrive whole"),
    "nothing": ("pass", "cannot be read"),
}


@pytest.mark.parametrize(("body", "said"), HOSTILE.values(), ids=HOSTILE)
def test_a_device_that_sends_something_else_fills_no_disk_and_plants_no_file(
    link, there, tmp_path, monkeypatch, body, said
):
    """A device on a street may be anyone's; what it may send is known before it is asked."""
    trailer = f'{{"sha256": "{sha256(b"x")}"}}\n'
    script = f"import sys\nw, OK = sys.stdout.write, {trailer!r}\n{body}\n"
    monkeypatch.setattr(bootstrap, "source", lambda name: script)
    before = names_in(tmp_path)
    with pytest.raises(DeviceError, match=said):
        link.fetch_files(there, {"a.jpg": 5}, tmp_path / "here")
    assert set(names_in(tmp_path / "here")) <= ({"a.jpg"} if "already" in said else set())
    assert [name for name in names_in(tmp_path) if name != "here"] == before


def test_files_that_came_before_the_link_broke_stay_and_the_next_call_brings_the_rest(
    link, server, there, tmp_path, monkeypatch
):
    """Links to cameras on masts break; what came must count."""
    source = bootstrap.source("send").replace(
        'put(sys.stdout.buffer, {"end": True})', "sys.stdout.flush(); time.sleep(20)"
    )
    with monkeypatch.context() as stuck:
        stuck.setattr(bootstrap, "source", lambda name: "import time\n" + source)
        dropping = threading.Thread(target=_drop_after, args=(server, tmp_path / "here" / "a.jpg"))
        dropping.start()
        with pytest.raises(DeviceError):
            link.fetch_files(there, {"a.jpg": 5}, tmp_path / "here")
        dropping.join()
    assert names_in(tmp_path / "here") == ["a.jpg"]
    link.fetch_files(there, {"b.jpg": 5, "c.jpg": 5}, tmp_path / "here")
    assert names_in(tmp_path / "here") == ["a.jpg", "b.jpg", "c.jpg"]


def _drop_after(server, path):
    """Break the connection once that file is here."""
    limit_s = time.monotonic() + 10
    while not path.exists() and time.monotonic() < limit_s:
        time.sleep(0.01)
    server.drop()


def test_a_work_folder_is_gone_afterwards(link):
    with link.work_folder() as folder:
        assert Path(folder).parent == Path(link.root)
        assert Path(folder).is_dir()
    assert not Path(folder).exists()


def test_a_full_disk_is_told_and_frees_what_was_begun(link, root, monkeypatch):
    """The receiver asks for free space before it takes a byte."""
    shutil.rmtree(root / "code")
    source = bootstrap.source("receive").replace("256 << 20", "1 << 60")
    monkeypatch.setattr(bootstrap, "source", lambda name: source)
    with pytest.raises(DeviceError, match="disk is full") as told:
        link.send_code()
    assert "must stay" in told.value.why
    assert not (root / "code").exists()


# Trust


def test_an_unknown_host_is_refused_before_anything_is_sent(link, server, known_hosts):
    """Fabric alone accepts every host, and logs in to it."""
    known_hosts.unlink()
    with pytest.raises(DeviceError, match="is not enrolled") as told:
        link.run_script("")
    assert server.auth_attempts == 0
    assert told.value.hint == "edgekit enroll nx"


def test_a_changed_host_key_is_refused_and_both_fingerprints_are_named(link, server, keys, known_hosts):
    """A machine in the middle must see neither a name nor a signature."""
    other = HostKey(keys["other"].get_name(), keys["other"].asbytes())
    pin_key(known_hosts, f"[127.0.0.1]:{server.port}", other)
    with pytest.raises(DeviceError, match="HAS CHANGED") as told:
        link.run_script("")
    assert server.auth_attempts == 0
    shown = HostKey(keys["host"].get_name(), keys["host"].asbytes())
    assert other.fingerprint in told.value.why and shown.fingerprint in told.value.why
    assert not isinstance(told.value, UnreachableError), "a host that answers is not out of reach"


def test_a_jump_host_is_pinned_like_a_device(connect, server, known_hosts, keys):
    with contextlib.closing(SSHServer(keys["other"], keys["user"])) as gate:
        link = connect(jump=f"ed@127.0.0.1:{gate.port}")
        with pytest.raises(DeviceError, match="is not enrolled"):
            link.run_script("")
        assert (gate.auth_attempts, server.auth_attempts) == (0, 0)
        gate.pin(known_hosts)
        assert link.run_script("print(1)") == "1\n"
        assert gate.commands == []


def test_what_the_entry_leaves_open_is_taken_from_the_users_ssh_config(connect, server, keys, tmp_path, monkeypatch):
    """People have aliases, ports, keys and jump hosts there; a second place for them would be out of date. But trust is
    the project's: what their own known_hosts says, or a rule to check nothing, does not count."""
    (tmp_path / ".ssh").mkdir()
    lines = ("Host alias", "HostName 127.0.0.1", f"Port {server.port}", f"IdentityFile {keys['folder'] / 'user'}")
    (tmp_path / ".ssh" / "config").write_text("\n".join([*lines, "StrictHostKeyChecking no"]))
    monkeypatch.setenv("HOME", str(tmp_path))
    link = connect(address="alias", port=22, key=None)
    assert link.run_script("print(1)") == "1\n"
    link.close()
    (tmp_path / "known_hosts").unlink()
    with pytest.raises(DeviceError, match="is not enrolled"):
        link.run_script("print(1)")


# Failures told apart


def test_a_closed_port_is_unreachable(connect):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(UnreachableError, match="nothing listens"):
        connect(port=port).run_script("")


def test_a_name_without_an_address_is_unreachable(connect):
    with pytest.raises(UnreachableError, match="no address is known"):
        connect(address="nx.invalid").run_script("")


def test_something_else_than_ssh_is_told(connect, monkeypatch):
    """A web server on port 22, or a device that hangs at boot with its port open."""
    monkeypatch.setattr(connection, "_ANSWER_LIMIT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        with pytest.raises(UnreachableError, match="broke off before the login"):
            connect(port=mute.getsockname()[1]).run_script("")


@pytest.mark.parametrize("times", [2, 9])
def test_a_busy_server_that_hangs_up_is_tried_again_a_few_times(link, server, times, monkeypatch):
    """Twenty devices behind one jump host: its sshd drops some of twenty logins at once."""
    monkeypatch.setattr(connection, "_PAUSES_S", (0.01, 0.01))
    server.hang_up = times
    if times == 2:
        assert link.run_script("print(1)") == "1\n"
    else:
        with pytest.raises(UnreachableError, match="broke off before the login"):
            link.run_script("print(1)")
        assert server.hang_up == 6


def test_a_key_that_is_not_let_in_is_refused_not_unreachable(connect, keys):
    with pytest.raises(DeviceError, match="does not let ed in") as told:
        connect(key=str(keys["folder"] / "other")).run_script("")
    assert "ssh-copy-id" in told.value.hint
    assert not isinstance(told.value, UnreachableError)


def test_a_key_file_that_is_not_there_is_named(connect, tmp_path):
    with pytest.raises(DeviceError, match="is not a file"):
        connect(key=str(tmp_path / "none")).run_script("")


def test_a_key_with_a_passphrase_points_to_the_agent(connect, tmp_path):
    make_key(tmp_path / "locked", "secret")
    with pytest.raises(DeviceError, match="has a passphrase") as told:
        connect(key=str(tmp_path / "locked")).run_script("")
    assert "ssh-add" in told.value.hint


def test_a_killed_verb_is_explained(link):
    with pytest.raises(DeviceError, match="was killed on the device"):
        link.run_script("import os;os.kill(os.getpid(), 9)")


def test_a_connection_lost_during_a_call_is_unreachable_and_the_next_call_connects_anew(link, server):
    """`edgekit logs -f` and a deploy's wait go on after a reboot of a switch."""
    threading.Timer(0.5, server.drop).start()
    with pytest.raises(UnreachableError, match="the link to nx broke") as told:
        link.run_script("import time;time.sleep(20)")
    assert "goes on there" in told.value.why
    assert link.run_script("print(1)") == "1\n"


@pytest.mark.timed
def test_a_cut_cable_is_noticed_though_nobody_tells(connect, server, known_hosts, monkeypatch):
    """A black hole sends no error: without a sign of life asked for, a call would wait for ever."""
    monkeypatch.setattr(process, "SILENCE_LIMIT_S", 1.0)
    monkeypatch.setattr(process, "_HEARTBEAT_S", 0.2)
    monkeypatch.setattr(process, "_POLL_S", 0.1)
    with contextlib.closing(Cable(server.port)) as cable:
        pin_key(
            known_hosts, f"[127.0.0.1]:{cable.port}", HostKey(server.host_key.get_name(), server.host_key.asbytes())
        )
        link = connect(port=cable.port)
        assert link.run_script("import time;time.sleep(2.5);print(1)") == "1\n", "silent work is no cut link"
        threading.Timer(0.3, cable.cut).start()
        started_s = time.monotonic()
        with pytest.raises(UnreachableError, match="link to nx broke"):
            link.run_script("import time;time.sleep(60)")
        assert time.monotonic() - started_s < 5


# The tunnel


def test_a_port_of_the_device_can_be_reached_from_here(link):
    with socket.create_server(("127.0.0.1", 0)) as page:
        threading.Thread(target=_serve_once, args=(page,), daemon=True).start()
        with link.forward(page.getsockname()[1]) as port, socket.create_connection(("127.0.0.1", port)) as near:
            near.sendall(b"ping")
            assert near.recv(10) == b"pong"


def _serve_once(page):
    """The first connection only asks whether someone listens."""
    for _ in range(2):
        connection, _ = page.accept()
        with connection:
            if connection.recv(10) == b"ping":
                connection.sendall(b"pong")


def test_a_port_where_nothing_listens_is_told_at_once(link):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(DeviceError, match=f"nothing listens on port {port} of nx"):
        with link.forward(port):
            pass
