"""A device's answer becomes facts, whatever is missing from it."""

from __future__ import annotations

import json
from random import Random

import pytest

from edgekit.core.facts import Camera, Collected, parse_collected, read_facts
from edgekit.core.findings import findings_of
from edgekit.core.wire import from_wire, to_wire
from edgekit.errors import DeviceError
from tests.devices_told import nano_texts, orin_nano, xavier_nx


def test_a_jetson_is_known_by_its_facts() -> None:
    """Each of these decides what is built, shipped or refused."""
    facts = orin_nano()
    assert (facts.title, facts.l4t, facts.jetpack) == ("Jetson Orin Nano 8GB", "36.5.0", "6.2.2")
    assert (facts.python, facts.pythons, facts.systemd) == ((3, 10, 12), ("3.10",), 249)
    assert (facts.tensorrt[0].version, facts.tensorrt[0].python) == ("10.3.0.30", "3.10")
    assert facts.tensorrt[0].seen and facts.tensorrt_libraries == ("10.3.0",)
    assert (facts.cuda.compiler, facts.cuda.version) == ("/usr/local/cuda/bin/nvcc", "12.6.68")
    assert facts.opencv is not None and facts.opencv.gstreamer is True
    assert (facts.power_mode, facts.clocks_locked) == ("MAXN_SUPER", False)
    assert (facts.memory_total_mib, facts.memory_available_mib) == (7620, 5120)
    assert [(swap.size_mib, swap.compressed) for swap in facts.swaps] == [(8191, False), (620, True)]
    assert facts.disk is not None and (facts.disk.free_mib, facts.root_media) == (195312, "NVMe")
    assert facts.cameras == (Camera("/dev/video0", "vi-output, imx219 9-0010"),)
    assert [zone.name for zone in facts.zones] == ["cpu-thermal", "tj-thermal", "PMIC-Die"]
    assert (facts.account.name, facts.account.uid, facts.account.sudo) == ("nvidia", 1000, True)
    assert facts.provisioned and facts.gst_inspect


@pytest.mark.parametrize("item", sorted(set(nano_texts()) - {"meminfo"}))
def test_no_missing_item_keeps_the_others_from_being_read(item: str) -> None:
    """Every board lacks something, and a doctor that needs a healthy patient is no use."""
    texts = nano_texts()
    del texts[item]
    facts = read_facts(Collected(texts, {item: "Permission denied"}))
    assert facts.reasons == {item: "Permission denied"}
    assert facts.memory_total_mib == 7620


def test_whatever_a_device_answers_is_read_or_refused() -> None:
    """It may be broken, or broken into: no text of it ends the program that looks at it."""
    random = Random(4)
    for _ in range(1500):
        texts = nano_texts()
        for item in random.sample(sorted(texts), 8):
            text = texts[item]
            place = random.randrange(len(text) + 1)
            junk = "".join(random.choice("\t\n\0 -9.:<>%/{}=x\u00b2\u0663") for _ in range(random.randrange(12)))
            texts[item] = text[:place] + junk + text[place + random.randrange(6) :]
        try:
            findings_of(read_facts(Collected(texts)))
        except DeviceError:
            continue


def test_escape_sequences_do_not_reach_the_terminal() -> None:
    """The name of a camera could move the cursor and overwrite what the operator reads; tabs and NULs part fields."""
    texts = {"cameras": "/dev/video0\tevil \x1b[2J\x9b0m\x07\r", "compatible": "a\0b"}
    told = parse_collected(json.dumps({"schema": 1, "texts": texts, "reasons": {"sudo": "\x1b]0;x"}}))
    assert told.texts == {"cameras": "/dev/video0\tevil ?[2J?0m??", "compatible": "a\0b"}
    assert told.reasons == {"sudo": "?]0;x"}


def test_release_comes_from_the_package_where_the_file_is_hidden() -> None:
    """Some images lack /etc/nv_tegra_release; the package that brings it says the same."""
    assert orin_nano(tegra_release="").l4t == "36.5.0"
    assert orin_nano(tegra_release="", packages="").l4t is None


def test_two_machines_do_not_look_alike() -> None:
    facts = xavier_nx()
    assert facts.board is not None and facts.board.module == "xavier-nx"
    assert (facts.jetpack, facts.python[:2], facts.tensorrt[0].version) == ("5.1.2", (3, 8), "8.5.2.2")


def test_answer_is_found_behind_the_greeting_of_a_shell() -> None:
    """A .bashrc that prints something is common."""
    answer = json.dumps(to_wire(Collected(nano_texts(), {"boot_control": "no such file"})))
    assert read_facts(parse_collected(f"Welcome!\n{answer}\n")).reasons == {"boot_control": "no such file"}


@pytest.mark.parametrize("output", ["", "python3: command not found\n", '{"texts": 3}\n', "{broken\n"])
def test_another_answer_is_refused(output: str) -> None:
    """Facts with holes would be read as faults of the device."""
    with pytest.raises(DeviceError, match="device"):
        parse_collected(output)


def test_facts_travel() -> None:
    """`edgekit doctor --json` hands them to other programs."""
    facts = orin_nano()
    assert facts == from_wire(type(facts), json.loads(json.dumps(to_wire(facts))))
