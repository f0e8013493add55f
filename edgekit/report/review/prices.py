"""What a review reckons with besides measured figures: a user's own prices and needs, in prices.yaml. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class HandHours:
    """How long one of them takes a person by hand, by the user's own estimate [h]; None: not said."""

    deploy: float | None = None
    refresh: float | None = None
    report: float | None = None


@dataclass(frozen=True)
class Prices:
    """None where nothing is given: what needs it is then not computed, and says so."""

    currency: str = ""
    cameras: int | None = None  # in all
    fps_per_camera: float | None = None
    hours_per_year: float | None = None  # that the cameras run
    device_price: float | None = None
    electricity_per_kwh: float | None = None
    years: float | None = None  # that a device is used
    battery_wh: float | None = None
    engineer_hour: float | None = None
    hours_by_hand: HandHours = field(default_factory=HandHours)


PRICES_TEMPLATE = """\
# What `edgekit report --review` reckons with. Every line is yours to fill in. Nothing is assumed for one that is
# missing: what needs it is then not computed.

# currency: EUR
# cameras: 40                 # in all
# fps_per_camera: 10          # frames a second that are needed of each
# hours_per_year: 8760        # that the cameras run; all the year is 8760
# device_price: 600           # of one device, with carrier board, storage and case
# electricity_per_kwh: 0.30
# years: 4                    # that a device is used
# battery_wh: 100             # of one device that runs from a battery
# engineer_hour: 80           # what an hour of your people costs
# hours_by_hand:              # how long these take a person without edgekit, by your own records or estimate
#   deploy: 1.5               #   one detector on one device
#   refresh: 8                #   look through field frames, calibrate, judge, roll out
#   report: 2
"""
