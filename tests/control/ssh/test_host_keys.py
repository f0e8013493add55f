"""The file of trusted host keys: what OpenSSH would read in it, and what is refused."""

from __future__ import annotations

import base64
import random
import shutil
import subprocess

import pytest

from edgekit.control.ssh.host_keys import HostKey, find_keys, host_name, pin_key
from edgekit.errors import ConfigError


def made_up(number):
    """A key of the right form: a length, the type's name, and 32 bytes."""
    kind = b"ssh-ed25519"
    return HostKey(kind.decode(), len(kind).to_bytes(4, "big") + kind + (32).to_bytes(4, "big") + bytes([number]) * 32)


ONE, TWO = made_up(1), made_up(2)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "known_hosts"


def test_without_a_file_nothing_is_trusted(path):
    assert find_keys(path, "nx") == ()


def test_a_pinned_key_replaces_that_hosts_and_leaves_all_other_lines(path):
    """The file is committed, with comments and other people's devices in it."""
    path.write_text("# the street\n")
    pin_key(path, "nx", ONE)
    pin_key(path, "[nx]:2222", TWO)
    pin_key(path, "nx", TWO)
    assert find_keys(path, "nx") == find_keys(path, "[nx]:2222") == (TWO,)
    lines = path.read_text().splitlines()
    assert lines[0] == "# the street"
    assert [line.split()[0] for line in lines[1:]] == ["[nx]:2222", "nx"]


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="OpenSSH is not installed")
def test_openssh_reads_what_we_write_and_we_read_what_it_hashes(path):
    """`ssh -o UserKnownHostsFile=known_hosts nx` must trust the same devices."""
    pin_key(path, "[10.0.0.2]:2222", ONE)
    words = ["ssh-keygen", "-f", str(path)]
    told = subprocess.run([*words, "-lF", "[10.0.0.2]:2222"], capture_output=True, text=True, check=True).stdout
    assert ONE.fingerprint in told
    subprocess.run([*words, "-H"], capture_output=True, check=True)
    assert "10.0.0.2" not in path.read_text()
    assert find_keys(path, "[10.0.0.2]:2222") == (ONE,)
    assert find_keys(path, "10.0.0.2") == ()


def test_several_names_may_share_a_line(path):
    path.write_text(f"nx,10.0.0.2 ssh-ed25519 {base64.b64encode(ONE.blob).decode()} comment\n")
    assert find_keys(path, "10.0.0.2") == (ONE,)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("@revoked nx ssh-ed25519 AAAA", "@revoked is not supported"),
        ("nx ssh-ed25519", "expected a name, a type and a key"),
        ("nx ssh-ed25519 %%%", "not Base64"),
        ("nx ssh-rsa " + base64.b64encode(ONE.blob).decode(), "no key of type ssh-rsa"),
        ("*.lan ssh-ed25519 " + base64.b64encode(ONE.blob).decode(), "a pattern"),
    ],
)
def test_a_line_that_is_not_understood_is_refused_not_passed_over(path, line, problem):
    """A revoked key that is passed over is a key that is trusted."""
    path.write_text(f"# first\n{line}\n")
    with pytest.raises(ConfigError, match="is not understood") as told:
        find_keys(path, "nx")
    assert told.value.problems[0].startswith("known_hosts: line 2: ")
    assert problem in told.value.problems[0]


def test_names_are_those_of_openssh():
    assert host_name("nx") == "nx"
    assert host_name("nx", 2222) == "[nx]:2222"


def test_random_bytes_never_break_the_reader(path):
    """Only a ConfigError, whatever an editor or a merge left in the file."""
    draw = random.Random(4)
    for _ in range(200):
        path.write_bytes(draw.randbytes(60) + b"\n")
        try:
            assert find_keys(path, "nx") == ()
        except ConfigError:
            continue
