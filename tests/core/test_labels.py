"""Names from metadata, text files and YAML: one shifted name and every later object is called wrongly."""

from __future__ import annotations

import pytest

from edgekit.core.labels import MAX_NAMES_CHARS, labels_from_mapping, parse_labels_txt, parse_names_literal
from edgekit.errors import ConfigError, ModelError


@pytest.mark.parametrize(
    "text, expected",
    [
        pytest.param("{0: 'person', 1: 'car'}", ("person", "car"), id="a mapping, as Ultralytics writes it"),
        pytest.param("{1: 'car', 0: 'person'}", ("person", "car"), id="a mapping in another order"),
        pytest.param("['person', 'car']", ("person", "car"), id="a list, as old YOLOv5 wrote it"),
        pytest.param('{0: "driver\'s seat"}', ("driver's seat",), id="a name with a quote"),
        pytest.param("{0: '行人', 1: '自行车'}", ("行人", "自行车"), id="names in Chinese"),
        pytest.param('{"0": "person", "1": "car"}', ("person", "car"), id="JSON, ids as text"),
    ],
)
def test_names_in_metadata_are_read_as_a_python_literal(text, expected):
    """The metadata is no JSON; a JSON reader refuses every Ultralytics model."""
    assert parse_names_literal(text) == expected


@pytest.mark.parametrize(
    "text, reason",
    [
        pytest.param("{0: 'person', 2: 'car'}", "class 1 has no name", id="a gap"),
        pytest.param("{0: 'person', 0: 'car'}", "class 0 is given more than once", id="an id twice"),
        pytest.param("{1: 'person', 2: 'car'}", "class 0 has no name", id="ids from 1"),
        pytest.param("{'zero': 'person'}", "expected a class id", id="an id that is no number"),
        pytest.param("{0.5: 'person'}", "expected a class id", id="half an id"),
        pytest.param("{True: 'person'}", "expected a class id", id="a truth value"),
        pytest.param("{-1: 'person'}", "expected a class id", id="a negative id"),
        pytest.param("{0: 3}", "expected a name", id="a name that is a number"),
        pytest.param("{0: ''}", "printable characters", id="an empty name"),
        pytest.param("{0: 'a\\x1b[2J'}", "printable characters", id="a name that would clear the terminal"),
        pytest.param("{}", "no names", id="nothing"),
        pytest.param("{**{0: 'person'}}", "cannot be read", id="a mapping within"),
        pytest.param("{0: 'person'", "cannot be read", id="cut off"),
        pytest.param("'person'", "cannot be read", id="a single text"),
        pytest.param("(" * 100_000, "cannot be read", id="brackets without end"),
        pytest.param("x" * (MAX_NAMES_CHARS + 1), "characters", id="longer than any list of names"),
    ],
)
def test_names_that_cannot_be_trusted_are_refused_with_the_reason(text, reason):
    """A model file comes from anywhere; wrong names must not become a wrong count or a crash."""
    with pytest.raises(ModelError, match=reason):
        parse_names_literal(text)


def test_names_in_metadata_are_never_executed(tmp_path):
    """A model file is data: eval() here would run whatever its author wrote."""
    marker = tmp_path / "ran"
    with pytest.raises(ModelError):
        parse_names_literal(f"{{0: open({str(marker)!r}, 'w').name}}")
    assert not marker.exists()


@pytest.mark.parametrize("text", ["person\ncar\n", "person\r\ncar\r\n\r\n", "\ufeffperson\ncar", " person \ncar"])
def test_labels_txt_is_one_name_a_line(text):
    """Files written on Windows, with or without a last line end, name the same classes."""
    assert parse_labels_txt(text) == ("person", "car")


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_an_empty_labels_txt_is_refused(text):
    """Without names nothing could be reported."""
    with pytest.raises(ConfigError, match="no names"):
        parse_labels_txt(text)


def test_a_blank_line_between_names_is_refused():
    """Skipping it would shift every name after it by one class."""
    with pytest.raises(ConfigError, match="class 1"):
        parse_labels_txt("person\n\ncar\n")


def test_yaml_lists_and_maps_give_the_same_names():
    """People write both; Ultralytics' data files have used both."""
    assert labels_from_mapping(["person", "car"]) == ("person", "car")
    assert labels_from_mapping({1: "car", 0: "person"}) == ("person", "car")
    assert labels_from_mapping({"0": "person", "1": "car"}) == ("person", "car")


@pytest.mark.parametrize("value", [None, "person", 3, [], {}, {0: "a", "0": "b"}, {0: "a", 2: "b"}, [1, 2], {0: None}])
def test_yaml_labels_that_name_no_classes_are_refused(value):
    """YAML turns `no` into false and `1.5` into a number; each must be named, not guessed at."""
    with pytest.raises(ConfigError):
        labels_from_mapping(value)


def test_every_wrong_label_is_named_at_once():
    """One problem at a time would mean one run for each line of a long file."""
    with pytest.raises(ConfigError) as caught:
        labels_from_mapping({"a": "person", 1: 5, 2: ""})
    assert all(text in str(caught.value) for text in ("'a'", "class 1", "class 2"))
