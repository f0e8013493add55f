"""`calib add`: what a person names (a folder, a list, a video, a COCO or YOLO dataset) becomes a set.yaml."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.control.project import Project
from edgekit.control.sets.calibration_sets import SET_FILE, MaterialisedSet, materialise, set_from_document, set_names
from edgekit.control.sets.document import SetDocument, check_document
from edgekit.control.sets.picture_sources import VIDEO_SUFFIXES
from edgekit.control.sets.writing import absolute, check_new_name, portable, write_set
from edgekit.control.yaml_files import check, read_yaml, refuse
from edgekit.core.progress import OnProgress
from edgekit.errors import NotFoundError, UsageError


@dataclass(frozen=True)
class Wanted:
    """What `calib add` was told. tags: of every picture in these sources."""

    name: str
    sources: tuple[str, ...]
    tags: tuple[str, ...] = ()
    every_s: float | None = None
    origin: str | None = None
    licence: str | None = None
    keep_near: bool = False
    force: bool = False


@dataclass(frozen=True)
class Added:
    """The set as it is now. document: what set.yaml holds, or would."""

    name: str
    folder: str
    pictures: int
    sha256: str
    conditions: dict[str, int]
    skipped: tuple[str, ...]
    labelled: bool
    document: dict[str, Any]
    written: bool


def add_sources(project: Project, wanted: Wanted, on_progress: OnProgress, *, write: bool) -> Added:
    """Read every picture of the sources and, if `write`, make the set or add them to it; digest and list pin it.

    Raises UsageError for sources that do not go together, NotFoundError for missing ones, and what `materialise` does.
    """
    folder = project.calib_sets_dir / wanted.name
    grown = wanted.name in set_names(project) and not wanted.force
    if not grown:
        check_new_name(project, wanted.name, force=wanted.force)
    document = _grown(folder, wanted, project) if grown else _new(wanted)
    made = materialise(project, _checked(document, folder, wanted.name), on_progress, check_digest=False)
    document = _portable(document, folder, project) | {"digest": made.sha256}
    if write:
        write_set(folder, document, _COMMENT, made.digests)
    return _added(made, folder, document, write)


_COMMENT = """Written by edgekit calib add; edit it as you like. docs/sets.md says what may stand here.
digest: pins the pictures, which stay where they are and out of git."""


_PATHS = ("folder", "glob", "list", "video", "coco", "yolo", "classes")


def _portable(value: Any, folder: Path, project: Project) -> Any:
    """A document whose absolute paths are written as seen from the set's folder, where they lie in the project."""
    if isinstance(value, list):
        return [_portable(item, folder, project) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: portable(Path(item), folder, project)
        if key in _PATHS and isinstance(item, str) and Path(item).is_absolute()
        else _portable(item, folder, project)
        for key, item in value.items()
    }


def _checked(document: dict[str, Any], folder: Path, name: str) -> Any:
    place = f"calib_sets/{name}/{SET_FILE}"
    made, problems = check(SetDocument, document, place)
    refuse(place, problems)
    assert made is not None
    check_document(made, place)
    return set_from_document(made, folder, place)


def _new(wanted: Wanted) -> dict[str, Any]:
    labelled = [source for source in map(Path, wanted.sources) if _is_labelled(source)]
    if labelled and len(wanted.sources) > 1:
        raise UsageError(
            f"{labelled[0]} is a labelled dataset and cannot be one of several sources",
            hint=f"edgekit calib add {wanted.name} {labelled[0]}    (join sets later: edgekit calib select)",
        )
    document = _labelled(labelled[0], wanted) if labelled else _unlabelled(wanted)
    given = {"origin": wanted.origin, "licence": wanted.licence}
    return document | {key: value for key, value in given.items() if value}


def _grown(folder: Path, wanted: Wanted, project: Project) -> dict[str, Any]:
    document = dict(read_yaml(folder / SET_FILE, f"calib_sets/{wanted.name}/{SET_FILE}"))
    if "sources" not in document:
        raise UsageError(
            f"set {wanted.name} is not made of sources:, so nothing can be added to it",
            hint=f"choose another name, join sets with edgekit calib select, or edit {folder / SET_FILE}",
        )
    added = _portable(_unlabelled(wanted), folder, project)["sources"]
    document["sources"] = [*document["sources"], *(one for one in added if one not in document["sources"])]
    given = {"origin": wanted.origin, "licence": wanted.licence}
    return document | {key: value for key, value in given.items() if value}


def _unlabelled(wanted: Wanted) -> dict[str, Any]:
    extra: dict[str, Any] = {"tags": list(wanted.tags)} if wanted.tags else {}
    sources = [_source(text, wanted.every_s) | extra for text in wanted.sources]
    return {"sources": sources} | ({"near_duplicates": "keep"} if wanted.keep_near else {})


def _source(text: str, every_s: float | None) -> dict[str, Any]:
    path = Path(text).expanduser()
    if any(letter in text for letter in "*?["):
        return {"glob": str(absolute(path))}
    if path.is_dir():
        return {"folder": str(absolute(path))}
    if not path.is_file():
        raise NotFoundError(
            f"{text} does not exist", hint="name a folder, a list (.txt), a video or a COCO file (.json)"
        )
    if path.suffix.lower() in VIDEO_SUFFIXES:
        return {"video": str(absolute(path)), "every_s": every_s or 1.0}
    if path.suffix.lower() == ".txt":
        return {"list": str(absolute(path))}
    raise UsageError(
        f"{text} is no source of pictures",
        why="a folder, a pattern, a list (.txt), a video or a labelled dataset is",
        hint=f"a single picture: put it into a folder, or its path into a list.txt; videos end in "
        f"{', '.join(sorted(VIDEO_SUFFIXES))}",
    )


def _is_labelled(path: Path) -> bool:
    """A COCO file, or a YOLO dataset: a folder with images/ and labels/."""
    yolo = (path / "images").is_dir() and (path / "labels").is_dir()
    return yolo or (path.suffix.lower() == ".json" and path.is_file())


def _labelled(path: Path, wanted: Wanted) -> dict[str, Any]:
    tags = {"tags": {"*": list(wanted.tags)}} if wanted.tags else {}
    if path.is_file():
        return (
            {"images": {"folder": str(absolute(_coco_folder(path)))}} | {"labels": {"coco": str(absolute(path))}} | tags
        )
    images, labels = str(absolute(path / "images")), str(absolute(path / "labels"))
    return {
        "images": {"folder": images},
        "labels": {"yolo": labels, "classes": _yolo_classes(path)},
    } | tags


def _coco_folder(path: Path) -> Path:
    """Where the pictures of a COCO file lie: in images/ beside it, images/ a folder up, or beside it."""
    for place in (path.parent / "images", path.parent.parent / "images"):
        if place.is_dir():
            return place
    return path.parent


def _yolo_classes(path: Path) -> Any:
    for name in ("classes.txt", "labels.txt", "obj.names"):
        if (path / name).is_file():
            return str(absolute(path / name))
    for name in ("data.yaml", "dataset.yaml"):
        if (path / name).is_file():
            return _names_of(read_yaml(path / name, str(path / name)), path / name)
    raise NotFoundError(
        f"{path} does not name its classes", hint="put a classes.txt there, one name a line, or the data.yaml it had"
    )


def _names_of(document: Any, path: Path) -> list[str]:
    names = document.get("names") if isinstance(document, dict) else None
    if isinstance(names, dict):
        names = [names[key] for key in sorted(names, key=int)]
    if not isinstance(names, Sequence) or isinstance(names, str) or not names:
        raise UsageError(f"{path} has no names: of classes")
    return [str(name) for name in names]


def _added(made: MaterialisedSet, folder: Path, document: dict[str, Any], written: bool) -> Added:
    return Added(
        name=made.name,
        folder=str(folder),
        pictures=len(made.paths),
        sha256=made.sha256,
        conditions=dict(made.counts),
        skipped=made.skipped,
        labelled=made.truth is not None,
        document=document,
        written=written,
    )
