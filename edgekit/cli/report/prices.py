"""The prices that `edgekit report --review` reckons with: found, read, or written as a template to fill in."""

from __future__ import annotations

from pathlib import Path

from edgekit.cli.session import App
from edgekit.errors import UsageError
from edgekit.report.review.prices import PRICES_TEMPLATE, HandHours, Prices

PRICES_NAME = "prices.yaml"


def load_prices(app: App, path: Path | None) -> Prices:
    """The prices of a file; of the project's prices.yaml without one, and none if that is missing.

    Raises NotFoundError for a named file that is missing, ConfigError with every problem in it.
    """
    from edgekit.control.prices import read_prices

    place = path or app.project.root / PRICES_NAME
    if path is None and not place.is_file():
        app.console.note(f"no {PRICES_NAME}: nothing in money is computed (edgekit report --review --init-prices)")
        return Prices()
    given = read_prices(place)
    return Prices(**{**given, "hours_by_hand": HandHours(**given["hours_by_hand"])})


def write_template(app: App, path: Path | None) -> Path:
    """A prices.yaml to fill in. Raises UsageError if there is one already, for it may be filled in."""
    place = (path or app.project.root / PRICES_NAME).absolute()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("x", encoding="utf-8") as file:
            file.write(PRICES_TEMPLATE)
    except FileExistsError:
        raise UsageError(f"{place} is there already", hint=f"edgekit report --review --prices {place}") from None
    except OSError as error:
        raise UsageError(f"{place} cannot be written: {error.strerror}") from error
    return place
