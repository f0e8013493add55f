"""Pictures of several cameras in one, each under its name and how it fares."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from edgekit.core.cameras import CameraLook
from edgekit.files import replacing

TILE_PX = (480, 270)
_CAPTION_PX, _GAP_PX, _FONT_PX = 44, 8, 16
_PAPER, _INK, _WRONG, _EMPTY = (24, 24, 24), (235, 235, 235), (255, 170, 60), (48, 48, 48)
_MOST_COLUMNS = 4


def draw_sheet(looks: Sequence[CameraLook], path: Path) -> bool:
    """Write the sheet; False, and no file, if no camera gave a picture. A camera without one gets an empty tile."""
    if not any(look.picture for look in looks):
        return False
    columns = min(_MOST_COLUMNS, math.ceil(math.sqrt(len(looks))))
    rows = math.ceil(len(looks) / columns)
    step = (TILE_PX[0] + _GAP_PX, TILE_PX[1] + _CAPTION_PX + _GAP_PX)
    sheet = Image.new("RGB", (columns * step[0] + _GAP_PX, rows * step[1] + _GAP_PX), _PAPER)
    for number, look in enumerate(looks):
        corner = (_GAP_PX + number % columns * step[0], _GAP_PX + number // columns * step[1])
        _draw_tile(sheet, look, corner)
    with replacing(path) as temporary:
        sheet.save(temporary, "JPEG", quality=88)
    return True


def _draw_tile(sheet: Image.Image, look: CameraLook, corner: tuple[int, int]) -> None:
    draw = ImageDraw.Draw(sheet)
    x, y = corner
    top = y + _CAPTION_PX
    draw.rectangle((x, top, x + TILE_PX[0] - 1, top + TILE_PX[1] - 1), fill=_EMPTY)
    if look.picture:
        with Image.open(look.picture) as picture:
            fitting = ImageOps.contain(picture, TILE_PX)
            left = x + (TILE_PX[0] - fitting.width) // 2
            sheet.paste(fitting, (left, top + (TILE_PX[1] - fitting.height) // 2))
    well = look.condition == "ok" or look.in_service
    draw.text((x, y), _fitting(draw, look.name), fill=_INK, font=_font())
    draw.text((x, y + _CAPTION_PX // 2), _fitting(draw, _fares(look)), fill=_INK if well else _WRONG, font=_font())


def _fares(look: CameraLook) -> str:
    size = f"{look.width_px}x{look.height_px}" if look.width_px else ""
    rate = f"{look.fps:.1f} FPS" if look.fps else ""
    state = look.condition if look.gave_picture else f"{look.condition}: {look.detail}"
    return ", ".join(part for part in (state, size, rate) if part)


def _fitting(draw: ImageDraw.ImageDraw, text: str) -> str:
    """As much of a text as a tile is wide."""
    if draw.textlength(text, font=_font()) <= TILE_PX[0]:
        return text
    while text and draw.textlength(text + "...", font=_font()) > TILE_PX[0]:
        text = text[:-1]
    return text + "..."


def _font() -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(_FONT_PX)
