"""calib_sets/<name>/set.yaml -> a flat folder of checked pictures with one digest, and truth if there are labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgekit.control.evaluation.truth import Truth
from edgekit.control.project import Project
from edgekit.control.sets import picked_sets, picture_sets, scene_sets
from edgekit.control.sets.document import (
    PICTURE_LIST,
    SetDocument,
    check_document,
    picture_sources,
    tag_patterns,
)
from edgekit.control.sets.picture_lists import check_pinned
from edgekit.control.sets.picture_sources import PictureSource
from edgekit.control.sets.tags import all_tags, camera_of
from edgekit.control.sets.truth_on_disk import coco_classes, coco_truth, renumbered, truth_on_disk
from edgekit.control.yaml_files import known_names, load_yaml
from edgekit.core.labels import labels_from_mapping, parse_labels_txt
from edgekit.core.progress import OnProgress
from edgekit.core.wire import digest
from edgekit.errors import ConfigError, NotFoundError

__all__ = [
    "CalibrationSet",
    "MaterialisedSet",
    "coco_classes",
    "load_set",
    "materialise",
    "set_from_document",
    "set_names",
]

SET_FILE = "set.yaml"


@dataclass(frozen=True)
class CalibrationSet:
    """A set as its set.yaml names it. One of scenes, pictures and pick says where its pictures are."""

    name: str
    folder: Path
    scenes: scene_sets.SceneRecipe | None
    pictures: tuple[PictureSource, ...] | None
    yolo: Path | None = None  # folder of .txt files
    coco: Path | None = None
    classes: tuple[str, ...] = ()  # of the YOLO labels, by class id
    partial: bool = False  # whether there may be pictures that the labels do not name
    pick: picked_sets.Pick | None = None
    duplicates: picture_sets.Duplicates = "keep"  # which are left out
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # pattern of names -> tags
    origin: str | None = None
    licence: str | None = None
    digest: str | None = None  # what MaterialisedSet.sha256 must be


@dataclass(frozen=True)
class MaterialisedSet:
    """A set ready for use. `folder` holds nothing but `paths`, sorted by name.

    sha256 is over names and contents of the pictures, not over labels: Truth.sha256 is. counts: pictures by
    condition, "" where none is known. skipped: pictures that are left out, with the reason. digests, tags and groups
    are by file name: what pins a picture, what is said of it, and what it must not be parted from ("" for nothing).
    """

    name: str
    folder: Path
    paths: tuple[Path, ...]
    sha256: str
    counts: Mapping[str, int]
    truth: Truth | None = None
    skipped: tuple[str, ...] = ()
    digests: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
    conditions: Mapping[str, str] = field(default_factory=dict)


def set_names(project: Project) -> list[str]:
    """Names of the folders in calib_sets/ that hold a set.yaml, sorted."""
    return sorted(path.parent.name for path in project.calib_sets_dir.glob(f"*/{SET_FILE}"))


def load_set(project: Project, name: str) -> CalibrationSet:
    """The set of that name. Raises NotFoundError for an unknown name, ConfigError with every problem of set.yaml."""
    folder = project.calib_sets_dir / name
    names = set_names(project)
    if name not in names:
        raise NotFoundError(
            f"no calibration set named {name!r} in {project.calib_sets_dir}",
            why=known_names(name, names) or "the folder holds no set",
            hint=f"use one of these names, or make {folder / SET_FILE}",
        )
    place = f"calib_sets/{name}/{SET_FILE}"
    document = load_yaml(SetDocument, folder / SET_FILE, place)
    check_document(document, place)
    return set_from_document(document, folder, place)


def materialise(
    project: Project,
    calibration_set: CalibrationSet,
    on_progress: OnProgress,
    labels: Sequence[str] | None = None,
    *,
    check_digest: bool = True,
) -> MaterialisedSet:
    """Draw or read the pictures of a set; what was done before is found again by digest and costs nothing.

    With `labels` (a detector's), class ids of the truth are positions in them; without, in the set's own classes.
    Raises CalibrationError if no picture is usable, or if they are not those that the set's digest pins;
    NotFoundError for missing files, ConfigError for wrong labels.
    """
    project.ensure_state()
    made = _materialise(project, calibration_set, on_progress, labels, ())
    _refuse_other_pictures(calibration_set, made, check_digest)
    return made


def _refuse_other_pictures(calibration_set: CalibrationSet, made: MaterialisedSet, check_digest: bool) -> None:
    if calibration_set.digest is not None and check_digest:
        folder = calibration_set.folder
        listed = folder / PICTURE_LIST
        check_pinned(made.name, folder, calibration_set.digest, made.sha256, made.digests, listed)


def _materialise(
    project: Project,
    wanted: CalibrationSet,
    on_progress: OnProgress,
    labels: Sequence[str] | None,
    within: tuple[str, ...],
) -> MaterialisedSet:
    cache = project.cache_dir / "calib_sets"
    if wanted.scenes is not None:
        rendered = scene_sets.render_set(wanted.name, wanted.scenes, cache, on_progress)
        own = _own_truth(wanted, rendered.digests, labels)
        truth = own or renumbered(rendered.truth, rendered.classes, labels, wanted.name)
        conditions = {name: picture.condition for name, picture in rendered.truth.pictures.items()}
        return _materialised(wanted, rendered.folder, rendered.digests, conditions, truth=truth)
    if wanted.pick is not None:
        parts = {name: _part(project, wanted, name, on_progress, labels, within) for name in wanted.pick.from_sets}
        picked = picked_sets.gather(wanted.name, wanted.pick, parts, cache)
        truth_there = _own_truth(wanted, picked.digests, labels) or picked.truth
        return _materialised(
            wanted, picked.folder, picked.digests, picked.conditions, picked.tags, picked.groups, truth_there
        )
    assert wanted.pictures is not None
    view = picture_sets.view_pictures(wanted.name, wanted.pictures, cache, on_progress, duplicates=wanted.duplicates)
    truth_there = truth_on_disk(
        wanted.name,
        view,
        coco=wanted.coco,
        yolo=wanted.yolo,
        classes=wanted.classes,
        labels=labels,
        partial=wanted.partial,
    )
    return _materialised(
        wanted, view.folder, view.digests, view.conditions, view.tags, view.groups, truth_there, view.skipped
    )


def _own_truth(wanted: CalibrationSet, pictures: Iterable[str], labels: Sequence[str] | None) -> Truth | None:
    """What labels: of a set says of pictures that come with labels of their own; None without labels:."""
    if wanted.coco is None:
        return None
    return coco_truth(wanted.name, pictures, wanted.coco, labels, partial=wanted.partial)


def _part(
    project: Project,
    wanted: CalibrationSet,
    name: str,
    on_progress: OnProgress,
    labels: Sequence[str] | None,
    within: tuple[str, ...],
) -> MaterialisedSet:
    """A set that another picks from."""
    chain = (*within, wanted.name)
    if name in chain:
        raise ConfigError(
            f"set {wanted.name} picks from itself: {' -> '.join([*chain, name])}",
            hint=f"correct pick.from in {wanted.folder / SET_FILE}",
        )
    part = load_set(project, name)
    made = _materialise(project, part, on_progress, labels, chain)
    _refuse_other_pictures(part, made, check_digest=True)
    return made


def set_from_document(document: SetDocument, folder: Path, place: str) -> CalibrationSet:
    """A checked set.yaml as a set of that folder, which need not exist yet. `place` is how messages call the file.

    Raises NotFoundError and ConfigError for a file of class names.
    """
    labels = document.labels
    return CalibrationSet(
        name=folder.name,
        folder=folder,
        scenes=scene_sets.SceneRecipe.of(**document.scenes.model_dump()) if document.scenes else None,
        pictures=picture_sources(document, folder) or None,
        yolo=folder / labels.yolo if labels and labels.yolo else None,
        coco=folder / labels.coco if labels and labels.coco else None,
        classes=_classes(labels.classes if labels else None, folder, place),
        partial=labels is not None and labels.partial,
        pick=picked_sets.Pick(document.pick.from_sets, folder / document.pick.list) if document.pick else None,
        duplicates=_duplicates(document),
        tags=tag_patterns(document),
        origin=document.origin,
        licence=document.licence,
        digest=document.digest,
    )


def _duplicates(document: SetDocument) -> picture_sets.Duplicates:
    """Which are left out. Of images: none, so that sets made before there was sources: keep their digests."""
    if document.sources is None:
        return "keep"
    return "near" if document.near_duplicates == "leave-out" else "exact"


def _classes(given: str | tuple[str, ...] | None, folder: Path, place: str) -> tuple[str, ...]:
    if not isinstance(given, str):
        return labels_from_mapping(given) if given else ()
    try:
        return parse_labels_txt((folder / given).read_text("utf-8"))
    except FileNotFoundError:
        raise NotFoundError(f"{place}: labels.classes: no file {folder / given}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{place}: labels.classes: {folder / given} cannot be read: {error}") from None


def _materialised(
    wanted: CalibrationSet,
    folder: Path,
    digests: Mapping[str, str],
    conditions: Mapping[str, str],
    tags: Mapping[str, tuple[str, ...]] | None = None,
    groups: Mapping[str, str] | None = None,
    truth: Truth | None = None,
    skipped: Sequence[str] = (),
) -> MaterialisedSet:
    names = sorted(digests)
    tagged = {name: all_tags(name, conditions.get(name, ""), (tags or {}).get(name, ()), wanted.tags) for name in names}
    known = {name: conditions.get(name, "") or next(iter((tags or {}).get(name, ())), "") for name in names}
    counts: dict[str, int] = {}
    for name in names:
        counts[known[name]] = counts.get(known[name], 0) + 1
    return MaterialisedSet(
        name=wanted.name,
        folder=folder,
        paths=tuple(folder / name for name in names),
        sha256=digest([[name, digests[name]] for name in names]),
        counts=dict(sorted(counts.items())),
        truth=truth,
        skipped=tuple(skipped),
        digests={name: digests[name] for name in names},
        tags=tagged,
        groups={name: (groups or {}).get(name, "") or camera_of(tagged[name]) for name in names},
        conditions=known,
    )
