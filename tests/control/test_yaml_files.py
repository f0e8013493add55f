"""YAML as people write it: every mistake found, named and placed."""

from __future__ import annotations

import pytest
from pydantic import Field

from edgekit.control.yaml_files import Section, check, load_yaml, parse_yaml, read_yaml
from edgekit.errors import ConfigError, NotFoundError


class Camera(Section):
    fps: int = Field(default=15, ge=1, le=240)
    name: str = "x"


class Document(Section):
    cameras: dict[str, Camera] = Field(default_factory=dict)
    sizes: tuple[int, ...] = ()
    scale: float = 1.0


def test_all_problems_come_at_once_with_their_paths():
    """One edit, one run, not ten."""
    data = {"cameras": {"front": {"fps": 0, "nmae": "a"}}, "sizes": ["1"], "scal": 2}
    value, problems = check(Document, data, "f.yaml")
    assert value is None
    assert sorted(problems) == [
        "f.yaml: cameras.front.fps: expected 1 or more, got 0",
        "f.yaml: cameras.front.nmae: unknown key; did you mean 'name'?",
        "f.yaml: scal: unknown key; did you mean 'scale'?",
        'f.yaml: sizes.0: expected a whole number, got "1"',
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\na: 2\n", "line 2, column 1: key 'a' is given twice"),
        ("a:\n\tb: 1\n", "line 2, column 1"),
        ("a: [1, 2\n", "line 2"),
        ("a: &x [1]\nb: *x\n", r"alias \*x is not supported"),
        ("a: !!python/object/apply:os.system ['true']\n", "could not determine a constructor"),
        ("? [a]\n: 1\n", "a key must be plain text"),
        ("- " * 40 + "x\n", "nested more than 32 levels"),
        ("a: \x00\n", "f.yaml"),
        ("a: 2026-99-99\n", "f.yaml: month"),
    ],
    ids=[
        "repeated key",
        "tab",
        "open bracket",
        "alias",
        "python object",
        "list as key",
        "deep",
        "null byte",
        "bad date",
    ],
)
def test_broken_yaml_is_refused_with_its_place(text, said):
    """A file that is read in part, or that runs code, is worse than one that is refused."""
    with pytest.raises(ConfigError, match=said):
        parse_yaml(text, "f.yaml")


def test_an_empty_file_is_an_empty_mapping_and_1e_3_a_number():
    assert parse_yaml("# nothing\n", "f.yaml") == {}
    assert parse_yaml("scale: 1e-3", "f.yaml") == {"scale": 0.001}


@pytest.mark.parametrize("value", [".nan", ".inf", "true", "'1'"])
def test_a_number_must_be_one(value):
    """`true` and NaN pass for numbers in Python; in a threshold they are mistakes."""
    with pytest.raises(ConfigError):
        data = parse_yaml(f"scale: {value}", "f.yaml")
        _, problems = check(Document, data, "f.yaml")
        raise ConfigError("refused", problems=problems) if problems else AssertionError(data)


def test_files_that_cannot_be_text_are_refused(tmp_path):
    with pytest.raises(NotFoundError, match="missing"):
        load_yaml(Document, tmp_path / "none.yaml", "none.yaml")
    (tmp_path / "latin.yaml").write_bytes("name: Gr\xfc\xdfe".encode("latin-1"))
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_yaml(tmp_path / "latin.yaml", "latin.yaml")
    (tmp_path / "big.yaml").write_bytes(b"#" * ((1 << 20) + 1))
    with pytest.raises(ConfigError, match="at most"):
        read_yaml(tmp_path / "big.yaml", "big.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_yaml(tmp_path, "folder")


def test_an_address_without_quotes_in_a_list_is_told_how_to_be_written():
    """YAML's own words, "got '?'", help nobody who pasted an address."""
    with pytest.raises(ConfigError) as caught:
        parse_yaml("sinks: [mqtt://broker/street?qos=1]", "devices.yaml")
    assert "in quotes" in caught.value.hint
