"""The pictures in which an engine does worst, drawn for people who would rather look than read figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from edgekit.control.evaluation.average_precision import overlaps
from edgekit.control.evaluation.running import Evaluated
from edgekit.control.evaluation.truth import PictureTruth
from edgekit.core.detections import Detections
from edgekit.core.detector import DetectorSpec
from edgekit.core.evaluation import WorstFrame
from edgekit.core.gate import short_name
from edgekit.core.nms import nms
from edgekit.core.progress import OnProgress
from edgekit.files import replacing

PANEL_PX = 800  # width of each of the pictures side by side
_SAME_OBJECT_IOU = 0.5
_CAPTION_PX, _GAP_PX, _FONT_PX, _LINE_PX = 34, 8, 18, 2
_PAPER, _INK = (24, 24, 24), (235, 235, 235)
_FOUND, _MISSED, _INVENTED = (86, 180, 233), (213, 94, 0), (240, 228, 66)  # Okabe and Ito: told apart by all eyes


@dataclass(frozen=True)
class Matched:
    """What an engine, held to the detector's thresholds, makes of one picture.

    overlap: IoU of each labelled object with what found it, 0 where nothing did. real: for each detection, whether it
    is a labelled object; over a crowd it is.
    """

    found: Detections
    overlap: np.ndarray
    real: np.ndarray

    @property
    def hit(self) -> np.ndarray:
        """For each labelled object, whether it was found."""
        return np.asarray(self.overlap > 0)

    @property
    def missed(self) -> int:
        """Labelled objects that were not found."""
        return int((~self.hit).sum())

    @property
    def invented(self) -> int:
        """Detections that are no labelled object."""
        return int((~self.real).sum())

    @property
    def harm(self) -> float:
        """Invented objects, and what the overlaps lack of 1."""
        return self.invented + float((1 - self.overlap).sum())


def worst_frames(evaluated: Evaluated, spec: DetectorSpec, most: int) -> tuple[WorstFrame, ...]:
    """The pictures in which the candidate does most harm, worst first; those without harm are none of them."""
    frames = [_frame(evaluated, spec, name) for name in evaluated.judged.truth.pictures]
    harmful = [frame for frame in frames if frame.harm > 0]
    return tuple(sorted(harmful, key=lambda frame: (-frame.harm, frame.name))[:most])


def draw_worst(
    evaluated: Evaluated, spec: DetectorSpec, frames: Sequence[WorstFrame], out: Path, on_progress: OnProgress
) -> tuple[WorstFrame, ...]:
    """Write a JPEG of each into a folder: labels, baseline and candidate side by side. The frames with their files."""
    out.mkdir(parents=True, exist_ok=True)
    drawn = []
    for number, frame in enumerate(frames, start=1):
        name = f"{number:02}-{Path(frame.name).stem}.jpg"
        with replacing(out / name) as temporary:
            _sheet(evaluated, spec, frame).save(temporary, "JPEG", quality=88)
        drawn.append(replace(frame, picture=name))
        on_progress("drawing", number, len(frames))
    return tuple(drawn)


def matched(picture: PictureTruth, predicted: PictureTruth, spec: DetectorSpec) -> Matched:
    """Which objects were found: best score first, each takes the free object of its class that it overlaps most."""
    found = _as_served(predicted.objects, spec)
    real, overlap = np.zeros(len(found), bool), np.zeros(len(picture.objects))
    shared = overlaps(found.boxes_xyxy, picture.objects.boxes_xyxy)
    crowds = overlaps(found.boxes_xyxy, picture.crowd.boxes_xyxy, of_found=True)
    for row, class_id in enumerate(found.class_ids):
        fits = shared[row] * ((overlap == 0) & (picture.objects.class_ids == class_id))
        if len(fits) and fits.max() >= _SAME_OBJECT_IOU:
            overlap[int(fits.argmax())], real[row] = fits.max(), True
        elif len(picture.crowd):
            real[row] = (crowds[row] * (picture.crowd.class_ids == class_id)).max() >= _SAME_OBJECT_IOU
    return Matched(found, overlap, real)


def _as_served(objects: Detections, spec: DetectorSpec) -> Detections:
    """Detections for average precision, cut down to what the service would report."""
    sure = objects.select(objects.scores >= spec.confidence)
    boxes, limit = sure.boxes_xyxy, spec.max_detections
    return sure.select(nms(boxes, sure.scores, sure.class_ids, spec.iou, limit, spec.class_agnostic_nms))


def _frame(evaluated: Evaluated, spec: DetectorSpec, name: str) -> WorstFrame:
    truth = evaluated.judged.truth.pictures[name]
    mine = matched(truth, evaluated.candidate[name], spec)
    theirs = matched(truth, evaluated.baseline[name], spec) if evaluated.baseline is not None else None
    return WorstFrame(
        name=name,
        strata=evaluated.judged.strata.get(name, ()),
        objects=len(truth.objects),
        missed=mine.missed,
        invented=mine.invented,
        baseline_missed=theirs.missed if theirs else None,
        baseline_invented=theirs.invented if theirs else None,
        harm=round(mine.harm - (theirs.harm if theirs else 0.0), 3),
    )


def _sheet(evaluated: Evaluated, spec: DetectorSpec, frame: WorstFrame) -> Image.Image:
    evaluation, truth = evaluated.evaluation, evaluated.judged.truth.pictures[frame.name]
    with Image.open(evaluated.made.folder / frame.name) as opened:
        upright = ImageOps.exif_transpose(opened).convert("RGB")
    scale = PANEL_PX / upright.width
    plain = upright.resize((PANEL_PX, max(1, round(upright.height * scale))))
    engines = [(evaluation.baseline, evaluated.baseline), (evaluation.candidate, evaluated.candidate)]
    judged = [
        (short_name(figures.name), matched(truth, predictions[frame.name], spec))
        for figures, predictions in engines
        if figures is not None and predictions is not None
    ]
    title = "labels" if evaluation.labelled_by == "people" else "the model's own answers"
    panels = [_labelled(plain, truth, judged[-1][1], spec.labels, scale, title)]
    panels += [_judged(plain, truth, one, spec.labels, scale, name) for name, one in judged]
    return _side_by_side(panels)


def _labelled(
    plain: Image.Image, truth: PictureTruth, judged: Matched, labels: Sequence[str], scale: float, title: str
) -> Image.Image:
    """All labelled objects, and the names of those that the candidate missed: all names would hide the picture."""
    panel = _Panel(plain, scale, f"{title}: {len(truth.objects)} objects")
    objects = truth.objects
    for box, class_id, hit in zip(objects.boxes_xyxy, objects.class_ids, judged.hit, strict=True):
        panel.box(box, _INK, "" if hit else labels[class_id])
    return panel.image


def _judged(
    plain: Image.Image, truth: PictureTruth, judged: Matched, labels: Sequence[str], scale: float, title: str
) -> Image.Image:
    counts = f"{int(judged.hit.sum())} found, {judged.missed} missed, {judged.invented} invented"
    panel = _Panel(plain, scale, f"{title}: {counts}")
    found = judged.found
    for box, class_id, score, real in zip(found.boxes_xyxy, found.class_ids, found.scores, judged.real, strict=True):
        panel.box(box, _FOUND if real else _INVENTED, "" if real else f"{labels[class_id]} {score:.2f}")
    lost = truth.objects.select(~judged.hit)
    for box, class_id in zip(lost.boxes_xyxy, lost.class_ids, strict=True):
        panel.box(box, _MISSED, labels[class_id], dashed=True)
    return panel.image


class _Panel:
    """A picture under a line of text, with boxes."""

    def __init__(self, plain: Image.Image, scale: float, title: str) -> None:
        self.image = Image.new("RGB", (plain.width, plain.height + _CAPTION_PX), _PAPER)
        self.image.paste(plain, (0, _CAPTION_PX))
        self._draw, self._scale = ImageDraw.Draw(self.image), scale
        self._draw.text((8, 6), title, fill=_INK, font=ImageFont.load_default(_FONT_PX))

    def box(self, box_xyxy: np.ndarray, colour: tuple[int, int, int], text: str, *, dashed: bool = False) -> None:
        """One object, its box in pixels of the picture as it was."""
        left, top, right, bottom = (float(value) * self._scale for value in box_xyxy)
        top, bottom = top + _CAPTION_PX, bottom + _CAPTION_PX
        if dashed:
            self._dashes(left, top, right, bottom, colour)
        else:
            self._draw.rectangle((left, top, max(left, right), max(top, bottom)), outline=colour, width=_LINE_PX)
        if text:
            self._text(left, top, text, colour)

    def _text(self, left: float, top: float, text: str, colour: tuple[int, int, int]) -> None:
        font = ImageFont.load_default(14)
        width = self._draw.textlength(text, font=font)
        x = max(0.0, min(left, self.image.width - width - 4))
        y = max(float(_CAPTION_PX), top - 18)
        self._draw.rectangle((x, y, x + width + 4, y + 17), fill=colour)
        self._draw.text((x + 2, y), text, fill=(0, 0, 0), font=font)

    def _dashes(self, left: float, top: float, right: float, bottom: float, colour: tuple[int, int, int]) -> None:
        for x in np.arange(left, right, 12):
            for y in (top, bottom):
                self._draw.line((x, y, min(x + 7, right), y), fill=colour, width=_LINE_PX)
        for y in np.arange(top, bottom, 12):
            for x in (left, right):
                self._draw.line((x, y, x, min(y + 7, bottom)), fill=colour, width=_LINE_PX)


def _side_by_side(panels: Sequence[Image.Image]) -> Image.Image:
    width = sum(panel.width for panel in panels) + _GAP_PX * (len(panels) - 1)
    sheet = Image.new("RGB", (width, panels[0].height), _PAPER)
    left = 0
    for panel in panels:
        sheet.paste(panel, (left, 0))
        left += panel.width + _GAP_PX
    return sheet
