"""The figures of a forecast as people read them, in either language: for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Iterator

from edgekit.report import numbers
from edgekit.report.forecast.backtest import MIN_RELEASES
from edgekit.report.forecast.futures import MOST_STEPS, StepsLeft
from edgekit.report.forecast.outlook import Expected, Forecast, MetricForecast
from edgekit.report.forecast.texts import text
from edgekit.report.recorded.saying import recorded

_NARROW = "\N{NARROW NO-BREAK SPACE}"


def chance(share: float | None) -> str:
    """ "76 %"; never "0 %" or "100 %", for a simulation cannot know that. "" for None."""
    if share is None:
        return ""
    if share < 0.01:
        return f"<{_NARROW}1{_NARROW}%"
    if share > 0.99:
        return f">{_NARROW}99{_NARROW}%"
    return f"{100 * share:.0f}{_NARROW}%"


def value_text(metric: MetricForecast, value: float | None) -> str:
    """The figure with its unit, "" for None."""
    return numbers.figure(value, metric.digits, metric.unit)


def target_text(metric: MetricForecast) -> str:
    """ "at least 25.0 FPS" as signs, "" without a target."""
    if metric.target is None:
        return ""
    return f"{'≥' if metric.higher_is_better else '≤'}{_NARROW}{value_text(metric, metric.target)}"


def range_text(metric: MetricForecast, expected: Expected, lang: str) -> str:
    """The 80 % interval, "16.6 to 20.1"."""
    low, high = (numbers.figure(end, metric.digits) for end in (expected.low, expected.high))
    return text(lang, "range", low=low, high=high)


def steps_text(left: StepsLeft | None, lang: str) -> tuple[str, str]:
    """(expected number, 80 % interval) of effective optimisations left, each "" where there is none to tell."""
    if left is None:
        return "", ""
    if left.expected is None:
        low = "" if left.low is None else text(lang, "range_no_end", low=_steps(left.low))
        return text(lang, "no_end", most=MOST_STEPS), low
    if left.expected == 0 and left.high == 0:
        return "0", ""
    if left.high is None:
        return _steps(left.expected), text(lang, "range_no_end", low=_steps(left.low or 0.0))
    return _steps(left.expected), text(lang, "range", low=_steps(left.low or 0.0), high=_steps(left.high))


def _steps(number: float) -> str:
    return numbers.figure(number, 1 if number < 10 else 0) if number else "0"


def coverage_text(metric: MetricForecast, lang: str) -> str:
    """How often the 80 % interval was right in this history."""
    found = metric.backtest
    if found is None or not found.is_telling:
        return text(lang, "coverage_few") if metric.state == "forecast" else ""
    return text(lang, "coverage_is", covered=found.covered, checks=found.checks)


def state_text(metric: MetricForecast, lang: str) -> str:
    """Why there is no forecast, "" where there is one."""
    if metric.state == "forecast":
        return ""
    if metric.state == "not measured":
        return text(lang, "unmeasured")
    return text(lang, "too_little", have=len(metric.values), need=MIN_RELEASES)


def together_text(found: Forecast, lang: str) -> str:
    """All targets at once, or why that cannot be told; "" without targets."""
    if found.missing:
        figures = text(lang, "list_comma").join(text(lang, key) for key in found.missing)
        return text(lang, "cannot_together", figures=figures)
    if not found.together:
        return ""
    last = len(found.together)
    return text(lang, "together", next=chance(found.together[0]), later=chance(found.together[-1]), ahead=last)


def notes(found: Forecast, lang: str, most: int = 4) -> Iterator[str]:
    """What else must be known to judge the forecast: noise, results left out, clocks."""
    for metric in found.targets:
        if metric.state == "forecast" and metric.noise_pct is not None and metric.key != "map_loss_pct":
            key = "noise_seen" if metric.measured_twice else "noise_assumed"
            share = f"{metric.noise_pct:.1f}{_NARROW}%"
            yield text(lang, "of_figure", figure=text(lang, metric.key), what=text(lang, key, pct=share))
    reasons = sorted(found.left_out.items(), key=lambda item: -item[1])
    for reason, count in reasons[:most]:
        yield text(lang, "left_out_is", count=count, reason=recorded(lang, reason))
    if len(reasons) > most:
        rest = reasons[most:]
        yield text(lang, "left_out_more", count=sum(count for _, count in rest), reasons=len(rest))
    yield from (str(recorded(lang, sentence)) for sentence in found.clock)


def progress_text(metric: MetricForecast, lang: str) -> str:
    """How much of the way is done; "" where the target was always met, or going back would be called progress."""
    if metric.progress_pct is None or metric.met or metric.effective is None or metric.progress_pct <= 0:
        return ""
    share = f"{min(metric.progress_pct, 99.0):.0f}{_NARROW}%"
    target = value_text(metric, metric.target)
    return text(lang, "progress", pct=share, target=target, effective=metric.effective, steps=len(metric.values) - 1)
