"""What `edgekit field` shows people of kept frames: tables, lines, and the examples of its page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from edgekit.cli.console import table

if TYPE_CHECKING:
    from edgekit.control.field.frames import Fetched, FieldFrame, Refused
    from edgekit.control.field.screen import Screened
    from edgekit.core.collecting import FieldHealth
    from edgekit.report.field.page import FieldExample, FieldGallery, FieldPictures, FieldVerdict
    from edgekit.report.field.summary import Count, FieldSummary

_SHOWN = 8  # strata, classes
_EXAMPLES = 8  # of each reason


def summary_lines(summary: FieldSummary, *, here: bool) -> Iterator[Any]:
    """What is kept, counted. here: the frames are those on this machine, not those on the device."""
    where = "on this machine" if here else "on the device"
    if not summary.frames:
        yield f"{summary.device}: {summary.service} has no frames {where}"
    else:
        between = f"{_moment(summary.first_unix_s)} to {_moment(summary.last_unix_s)} UTC"
        yield (
            f"{summary.device}: {summary.service}: {summary.frames} frames {where}, {summary.kept_mib} MiB, {between}"
            + (f", {summary.blurred} with blurred boxes" if summary.blurred else "")
        )
        yield table(("", "name", "frames", "share"), list(_count_rows(summary)), right=("frames", "share"))
    yield ""
    yield from _health_lines(summary.health)


def _count_rows(summary: FieldSummary) -> Iterator[tuple[str, str, int, str]]:
    kinds = (
        ("reason", summary.reasons),
        ("stratum", summary.strata),
        ("camera", summary.streams),
        ("class", summary.classes),
    )
    for kind, counts in kinds:
        for number, count in enumerate(counts[:_SHOWN]):
            yield kind if number == 0 else "", _named(kind, count), count.frames, f"{100 * count.share:.0f} %"


def _named(kind: str, count: Count) -> str:
    return count.name or ("(the camera)" if kind == "camera" else "-")


def _health_lines(health: FieldHealth | None) -> Iterator[str]:
    if health is None:
        yield "the service collects no frames now: `collect: {}` in devices.yaml, then edgekit deploy, switches it on"
        return
    if health.drift is None:
        yield "drift: not known; the service has not looked at enough scenes, or lacks the calibration set"
        return
    unseen = f"; next to none of the set: {', '.join(health.unseen)}" if health.unseen else ""
    yield (
        f"drift: {100 * health.drift:.0f} % of {health.looked_at} scenes lie beyond the calibration set's own reach "
        f"(about 5 % where nothing changed){unseen}"
    )


def fetched_lines(fetched: Fetched, screened: Screened) -> Iterator[Any]:
    """What came, and what became of it."""
    yield ""
    gone = f", {fetched.gone} were removed there meanwhile" if fetched.gone else ""
    yield f"fetched {fetched.new} frames, {fetched.new_mib} MiB{gone}"
    yield (
        f"of {screened.batch} new ones {len(screened.accepted)} can be used, {len(screened.refused)} are refused; "
        f"{screened.known} were judged before"
        + (f", {len(screened.refused_before)} of them refused" if screened.refused_before else "")
    )
    rows = [(why, count, _first(screened.refused, why)) for why, count in screened.counts().items()]
    if rows:
        yield table(("refused", "frames", "such as"), rows, right=("frames",))


def _first(refused: Sequence[Refused], why: str) -> str:
    one = next(one for one in refused if one.why == why)
    return f"{one.sha256[:12]}: {one.detail}" if one.sha256 else one.detail


def verdict_of(screened: Screened) -> FieldVerdict:
    """The verdict as the page shows it."""
    from edgekit.report.field.page import FieldVerdict

    sentences: dict[str, list[str]] = {why: [] for why in screened.counts()}
    for one in screened.refused:
        camera = f"{one.stream} " if one.stream else ""
        sentences[one.why].append(f"{camera}{one.sha256[:12]}: {one.detail}")
    refused = {why: tuple(lines) for why, lines in sentences.items()}
    return FieldVerdict(len(screened.accepted), screened.known, screened.batch_refusal, refused, screened.notes)


def page_pictures(safe: Sequence[FieldFrame], fetched: Fetched, screened: Screened) -> FieldPictures:
    """Examples of each reason for keeping, and of each for refusing where the pictures are safe to show."""
    from edgekit.core.collecting import REASONS
    from edgekit.report.field.page import FieldPictures

    said = {frame.kept.sha256: frame for frame in fetched.frames}
    names = dict.fromkeys((*REASONS, *(name for frame in safe for name in frame.kept.reasons)))
    by_reason = {name: [frame for frame in safe if name in frame.kept.reasons] for name in names}
    return FieldPictures(
        kept=_galleries(by_reason),
        refused=_galleries(_by_refusal(screened.refused, said)),
        before=_galleries(_by_refusal(screened.refused_before, said)),
    )


def _by_refusal(refused: Sequence[Refused], said: Mapping[str, FieldFrame]) -> dict[str, list[FieldFrame]]:
    """Reason -> the frames that are safe to show."""
    found: dict[str, list[FieldFrame]] = {}
    for one in refused:
        if one.path:
            found.setdefault(one.why, []).append(said[one.sha256])
    return found


def _galleries(frames: Mapping[str, Sequence[FieldFrame]]) -> dict[str, FieldGallery]:
    from edgekit.report.field.page import FieldGallery

    return {name: FieldGallery(len(found), tuple(_spread(found))) for name, found in frames.items() if found}


def _spread(frames: Sequence[FieldFrame]) -> Iterator[FieldExample]:
    """A few examples, evenly spread over time."""
    from edgekit.report.field.page import FieldExample

    step = max(1.0, len(frames) / _EXAMPLES)
    for number in range(min(_EXAMPLES, len(frames))):
        frame = frames[int(number * step)]
        yield FieldExample(str(frame.path), _caption(frame))


def _caption(frame: FieldFrame) -> str:
    kept = frame.kept
    parts = [kept.stream, _moment(kept.time_unix_s), f"drift {kept.drift:.1f}" if kept.drift is not None else ""]
    least_sure = sorted(kept.objects, key=lambda one: one.score)[:3]
    seen = ", ".join(f"{one.label} {one.score:.2f}" for one in least_sure)
    return " · ".join(part for part in (*parts, seen) if part)


def _moment(unix_s: float | None) -> str:
    return datetime.fromtimestamp(unix_s or 0, timezone.utc).strftime("%Y-%m-%d %H:%M")
