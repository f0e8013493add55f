"""set.yaml as people write it: its sections, and what contradicts itself in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from edgekit.control.sets import scene_sets
from edgekit.control.sets.picture_sources import PictureSource
from edgekit.control.yaml_files import Section
from edgekit.errors import ConfigError

PICTURE_LIST = "pictures.sha256"  # of the pictures of a set, in the form of sha256sum

_Pixels = Annotated[int, Field(ge=64, le=8192)]
_Text = Annotated[str, Field(min_length=1, max_length=400)]
_Tag = Annotated[str, Field(min_length=1, max_length=60)]
_Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Images(Section):
    """Pictures in one place, with or without labels."""

    folder: str | None = None
    glob: str | None = None
    list: str | None = None


class Source(Images):
    """One of several places that pictures come from."""

    video: str | None = None
    every_s: Annotated[float, Field(gt=0, le=86_400)] | None = None
    tags: tuple[_Tag, ...] = ()
    name: Annotated[str, Field(pattern=r"^[\w][\w.-]*$", max_length=80)] | None = None


class Scenes(Section):
    """Scenes that edgekit draws."""

    split: Literal["train", "val", "test", "calib", "frozen"] = "calib"
    count: int = Field(ge=1, le=100_000)
    width: _Pixels = 1280
    height: _Pixels = 720
    conditions: tuple[str, ...] | Literal["all"] = "all"


class Pick(Section):
    """Chosen pictures of other sets; which, says the list beside set.yaml."""

    from_sets: tuple[str, ...] = Field(alias="from", min_length=1)
    list: str = PICTURE_LIST


class Labels(Section):
    """What is in the pictures. partial: nobody has labelled those that it does not name; without, that is an error."""

    yolo: str | None = None
    coco: str | None = None
    classes: str | tuple[str, ...] | None = None
    partial: bool = False


class SetDocument(Section):
    """A whole set.yaml. One of images, sources, scenes and pick says where its pictures are."""

    images: Images | None = None
    sources: tuple[Source, ...] | None = None
    scenes: Scenes | None = None
    pick: Pick | None = None
    labels: Labels | None = None
    near_duplicates: Literal["leave-out", "keep"] = "leave-out"
    tags: Mapping[str, _Tag | tuple[_Tag, ...]] = Field(default_factory=dict)
    origin: _Text | None = None
    licence: _Text | None = None
    digest: _Digest | None = None


def check_document(document: SetDocument, place: str) -> None:
    """Raise ConfigError with everything in a set.yaml that contradicts itself."""
    problems = [*_place_problems(document), *_label_problems(document)]
    if problems:
        raise ConfigError(f"{place} cannot be used", problems=[f"{place}: {problem}" for problem in problems])


def _place_problems(document: SetDocument) -> Iterator[str]:
    given = [name for name in ("images", "sources", "scenes", "pick") if getattr(document, name) is not None]
    if len(given) != 1:
        yield (
            "expected one of images: (pictures on disk), sources: (several places, videos), scenes: (drawn by edgekit) "
            f"and pick: (of other sets), got {' and '.join(given) or 'none'}"
        )
    images = document.images
    if images is not None and _count(images.folder, images.glob, images.list) != 1:
        yield "images: expected one of folder: and glob: and list:"
    if document.scenes is not None:
        yield from scene_sets.condition_problems(document.scenes.conditions)
    if document.sources is not None and not document.sources:
        yield "sources: expected at least one"
    for number, source in enumerate(document.sources or ()):
        if _count(source.folder, source.glob, source.list, source.video) != 1:
            yield f"sources.{number}: expected one of folder:, glob:, list: and video:"
        if source.every_s is not None and source.video is None:
            yield f"sources.{number}.every_s: only a video: has frames to count"


def _label_problems(document: SetDocument) -> Iterator[str]:
    labels = document.labels
    if labels is None:
        return
    if labels.yolo is not None and document.images is None:
        yield "labels.yolo: belongs to images: in one folder; labels of other sets are a COCO file, labels.coco"
    if (labels.yolo is None) == (labels.coco is None):
        yield "labels: expected one of yolo: (a folder of .txt files) and coco: (a JSON file)"
    if labels.yolo is not None and labels.classes is None:
        yield "labels.classes: missing; a list of class names, or a file with one name a line"


def _count(*values: object) -> int:
    return sum(value is not None for value in values)


def picture_sources(document: SetDocument, folder: Path) -> tuple[PictureSource, ...]:
    """The places of images: or sources:, with names that differ; empty for other sets."""
    if document.images is not None:
        images = document.images
        return (PictureSource(folder, images.folder, images.glob, images.list),)
    used: dict[str, int] = {}
    return tuple(_source(source, folder, used) for source in document.sources or ())


def _source(source: Source, folder: Path, used: dict[str, int]) -> PictureSource:
    made = PictureSource(
        folder, source.folder, source.glob, source.list, source.video, source.every_s or 1.0, source.tags
    )
    name = source.name or _plain_name(made)
    used[name] = used.get(name, 0) + 1
    unique = name if used[name] == 1 else f"{name}-{used[name]}"
    return PictureSource(**{**vars(made), "name": unique})


def _plain_name(source: PictureSource) -> str:
    name = Path(source.video).stem if source.video else source.root.resolve().name
    return "".join(letter if letter.isalnum() or letter in ".-_" else "-" for letter in name) or "pictures"


def tag_patterns(document: SetDocument) -> dict[str, tuple[str, ...]]:
    """Pattern -> tags, as tags: has them."""
    return {pattern: (given,) if isinstance(given, str) else tuple(given) for pattern, given in document.tags.items()}
