"""Labels as CVAT has them: annotations.xml of "CVAT for images 1.1", and the label set to make the task with.

Source: CVAT documentation, XML annotation format 1.1, and its importer, dataset_manager/formats/cvat.py: pictures are
matched by name, labels and attributes must be those of the task. Edges are pixels of the picture as it is shown. Crowds
and scores are attributes of a box; a picture that shows nothing carries the tag "empty", because a picture without a
box may as well be one that nobody looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any
from xml.sax.saxutils import XMLGenerator
from xml.sax.xmlreader import AttributesImpl

from edgekit import files
from edgekit.control.labels.boxes import (
    Handed,
    HandedPicture,
    LabelBox,
    ReadBox,
    ReadLabels,
    ReadPicture,
    refuse_problems,
)
from edgekit.control.labels.files import LabelFiles
from edgekit.errors import ConfigError

ANNOTATIONS, LABEL_SET = "annotations.xml", "cvat_labels.json"
EMPTY_TAG = "empty"
_CROWD, _SCORE = "crowd", "score"
_OTHER_SHAPES = frozenset({"polygon", "polyline", "points", "cuboid", "ellipse", "mask", "skeleton"})


def write(folder: Path, handed: Handed) -> tuple[str, ...]:
    """Write annotations.xml, and cvat_labels.json for the raw form of a new task's labels."""
    files.write_bytes(folder / ANNOTATIONS, _xml(handed).encode("utf-8"))
    files.write_json(folder / LABEL_SET, _label_set(handed))
    return ()


def _label_set(handed: Handed) -> list[dict[str, Any]]:
    crowd = {"name": _CROWD, "mutable": False, "input_type": "checkbox", "default_value": "false", "values": ["false"]}
    score = {"name": _SCORE, "mutable": False, "input_type": "text", "default_value": "", "values": [""]}
    boxes = [{"name": label, "type": "rectangle", "attributes": [crowd, score]} for label in handed.classes]
    return [*boxes, {"name": EMPTY_TAG, "type": "tag", "attributes": []}]


def _xml(handed: Handed) -> str:
    out = StringIO()
    writer = XMLGenerator(out, "utf-8", short_empty_elements=True)
    writer.startDocument()
    _start(writer, "annotations")
    _text(writer, "version", "1.1")
    for number, picture in enumerate(handed.pictures):
        writer.ignorableWhitespace("\n  ")
        _image(writer, number, picture)
    writer.ignorableWhitespace("\n")
    writer.endElement("annotations")
    writer.endDocument()
    return out.getvalue() + "\n"


def _image(writer: XMLGenerator, number: int, picture: HandedPicture) -> None:
    size = {"width": str(picture.width_px), "height": str(picture.height_px)}
    _start(writer, "image", {"id": str(number), "name": picture.name, **size})
    for box in picture.boxes:
        writer.ignorableWhitespace("\n    ")
        _box(writer, picture, box)
    if picture.labelled and not picture.boxes:
        writer.ignorableWhitespace("\n    ")
        _start(writer, "tag", {"label": EMPTY_TAG, "source": "manual"})
        writer.endElement("tag")
    writer.ignorableWhitespace("\n  ")
    writer.endElement("image")


def _box(writer: XMLGenerator, picture: HandedPicture, box: LabelBox) -> None:
    edges = {key: f"{edge:.2f}" for key, edge in zip(("xtl", "ytl", "xbr", "ybr"), box.box_xyxy, strict=True)}
    source = "manual" if picture.labelled else "auto"
    _start(writer, "box", {"label": box.label, "source": source, "occluded": "0", **edges, "z_order": "0"})
    if box.crowd:
        _text(writer, "attribute", "true", {"name": _CROWD})
    if box.score < 1:
        _text(writer, "attribute", f"{box.score:.4f}", {"name": _SCORE})
    writer.endElement("box")


def _text(writer: XMLGenerator, name: str, text: str, attributes: Mapping[str, str] | None = None) -> None:
    _start(writer, name, attributes)
    writer.characters(text)
    writer.endElement(name)


def _start(writer: XMLGenerator, name: str, attributes: Mapping[str, str] | None = None) -> None:
    writer.startElement(name, AttributesImpl(dict(attributes or {})))


def is_cvat(text: str) -> bool:
    """True for a text that begins like CVAT's XML."""
    return "<annotations" in text[:2000]


def read(found: LabelFiles, name: str) -> ReadLabels:
    """The labels of an annotations.xml. Raises ConfigError naming every entry that is wrong.

    The file is not trusted: one that declares a document type, and with it entities, is refused.
    """
    place = found.place(name)
    reader = _Reader(place)
    reader.parse(found.text(name))
    refuse_problems(f"{place}: entries that cannot be used", reader.problems)
    return ReadLabels("cvat", place, tuple(reader.pictures))


class _Reader:
    """Collects pictures while expat goes through the file. Lines are those of the element's start."""

    def __init__(self, place: str) -> None:
        from xml.parsers import expat

        self.pictures: list[ReadPicture] = []
        self.problems: list[str] = []
        self._place = place
        self._path: list[str] = []
        self._image: dict[str, str] | None = None
        self._boxes: list[ReadBox] = []
        self._attribute: str | None = None
        self._text = ""
        self._empty = False
        self._crowd = False
        self._box: tuple[dict[str, str], int] | None = None
        self._parser = expat.ParserCreate()
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters

    def parse(self, text: str) -> None:
        from xml.parsers import expat

        try:
            self._parser.Parse(text.encode("utf-8"), True)
        except expat.ExpatError as error:
            raise ConfigError(f"{self._place}:{error.lineno}: not XML: {expat.ErrorString(error.code)}") from None

    def _refuse_doctype(self, *_: object) -> None:
        raise ConfigError(
            f"{self._place} declares a document type, which CVAT's files never do",
            why="entities that it defines could fill the memory or name files of this machine",
        )

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if not self._path and name != "annotations":
            raise ConfigError(f"{self._place} is not CVAT's XML: it begins with <{name}>, expected <annotations>")
        self._path.append(name)
        if name == "track":
            raise ConfigError(
                f"{self._place} holds tracks of a video", hint='export the task as "CVAT for images 1.1" instead'
            )
        if name == "image":
            self._image, self._boxes, self._empty = attributes, [], False
        elif self._image is not None:
            self._start_in_image(name, attributes)

    def _start_in_image(self, name: str, attributes: dict[str, str]) -> None:
        line = self._parser.CurrentLineNumber
        if name == "box":
            self._box, self._crowd = (attributes, line), False
        elif name == "tag":
            self._empty |= attributes.get("label") == EMPTY_TAG
        elif name == "attribute":
            self._attribute, self._text = attributes.get("name"), ""
        elif name in _OTHER_SHAPES:
            self.problems.append(f"{self._place}:{line}: a {name}; edgekit knows upright boxes only, draw it as one")

    def _characters(self, text: str) -> None:
        if self._attribute is not None:
            self._text += text

    def _end(self, name: str) -> None:
        self._path.pop()
        if name == "attribute" and self._attribute is not None:
            self._crowd |= self._attribute == _CROWD and self._text.strip().lower() == "true"
            self._attribute = None
        elif name == "box" and self._box is not None:
            self._take_box(*self._box)
            self._box = None
        elif name == "image" and self._image is not None:
            self._take_image(self._image)
            self._image = None

    def _take_box(self, attributes: dict[str, str], line: int) -> None:
        place = f"{self._place}:{line}"
        try:
            if float(attributes.get("rotation", 0)):
                degrees = attributes["rotation"]
                raise ValueError(f"a box turned by {degrees} degrees; edgekit's boxes are upright, draw it so")
            left, top, right, bottom = (float(attributes[key]) for key in ("xtl", "ytl", "xbr", "ybr"))
            self._boxes.append(ReadBox(attributes["label"], (left, top, right, bottom), place, self._crowd))
        except KeyError as error:
            self.problems.append(f"{place}: box: {error} is missing")
        except ValueError as error:
            self.problems.append(f"{place}: {error}")

    def _take_image(self, attributes: dict[str, str]) -> None:
        if "name" not in attributes:
            self.problems.append(f"{self._place}: image {attributes.get('id', '?')}: name is missing")
            return
        if self._empty and self._boxes:
            self.problems.append(f"{self._place}: {attributes['name']} has boxes and the tag {EMPTY_TAG!r}")
        size = [
            int(text) if text.isdigit() else 0 for text in (attributes.get("width", ""), attributes.get("height", ""))
        ]
        known = (size[0], size[1]) if all(size) else None
        looked_at = True if self._empty else None
        self.pictures.append(ReadPicture(attributes["name"], known, tuple(self._boxes), looked_at))
