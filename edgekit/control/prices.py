"""prices.yaml: what a review reckons with, checked, with every problem at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from edgekit.control.yaml_files import Section, load_yaml

_Amount = Annotated[float, Field(ge=0, le=1e12)]
_Positive = Annotated[float, Field(gt=0, le=1e12)]


class _HandHours(Section):
    deploy: _Amount | None = None
    refresh: _Amount | None = None
    report: _Amount | None = None


class _Prices(Section):
    currency: Annotated[str, Field(max_length=16)] = ""
    cameras: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    fps_per_camera: _Positive | None = None
    hours_per_year: Annotated[float, Field(gt=0, le=8784)] | None = None
    device_price: _Amount | None = None
    electricity_per_kwh: _Amount | None = None
    years: _Positive | None = None
    battery_wh: _Positive | None = None
    engineer_hour: _Amount | None = None
    hours_by_hand: _HandHours = _HandHours()


def read_prices(path: Path) -> dict[str, Any]:
    """The values of a file by name, None where nothing is given; those by hand as a mapping of their own.

    Raises NotFoundError without the file, ConfigError with every problem in it.
    """
    return load_yaml(_Prices, path, path.name).model_dump()
