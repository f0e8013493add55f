"""The conditions of a report and the meaning of its words, as pairs that every form prints alike."""

from __future__ import annotations

from edgekit.core.results import BenchResult
from edgekit.report import numbers
from edgekit.report.facts_machine import power_facts, setting_facts
from edgekit.report.metric_texts import WORD_OF_ENERGY, WORD_OF_GOLDEN, WORDS, WORDS_OF_BUILDS
from edgekit.report.summary import Report
from edgekit.report.texts import text


def condition_facts(report: Report, lang: str) -> tuple[tuple[str, str], ...]:
    """Name and value of everything the figures depend on, in reading order."""
    result = report.headline
    return (
        *_device_facts(result, lang),
        *_run_facts(result, lang),
        *setting_facts(result, lang),
        *power_facts(result, lang),
        *_origin_facts(report, lang),
    )


def _device_facts(result: BenchResult, lang: str) -> tuple[tuple[str, str], ...]:
    profile, missing = result.profile, text(lang, "none")
    tools = {"edgekit": profile.edgekit, "Python": profile.python, "OpenCV": profile.opencv or missing}
    known = {name.lower() for name in tools}
    tools.update({name: tool for name, tool in result.engine.tool_versions.items() if name.lower() not in known})
    return (
        (text(lang, "device"), result.device),
        (text(lang, "module"), profile.module),
        (text(lang, "cpu"), f"{profile.cpu_name or profile.module} × {profile.cpu_count}"),
        (text(lang, "memory_total"), numbers.figure(profile.memory_total_mib, 0, "MiB")),
        (text(lang, "backend"), profile.backend_name),
        (text(lang, "l4t"), profile.l4t or missing),
        (text(lang, "power_mode"), profile.power_mode or missing),
        (text(lang, "versions"), ", ".join(f"{name} {version}" for name, version in sorted(tools.items()))),
    )


def _run_facts(result: BenchResult, lang: str) -> tuple[tuple[str, str], ...]:
    conditions, measurement = result.conditions, result.measurement
    threads = str(conditions.threads) if conditions.threads else text(lang, "threads_auto")
    network = f"{conditions.batch} × 3 × {conditions.input_height} × {conditions.input_width}"
    duration = text(lang, "duration_is", seconds=f"{conditions.duration_s:g}", frames=conditions.warmup_frames)
    frames = text(
        lang,
        "frames_are",
        frames=numbers.figure(measurement.frames, 0),
        dropped=numbers.figure(measurement.dropped, 0),
    )
    return (
        (text(lang, "scenario"), text(lang, f"scenario_{conditions.scenario}")),
        (text(lang, "source"), conditions.source),
        (text(lang, "frame_size"), f"{conditions.frame_width} × {conditions.frame_height} px"),
        (text(lang, "network_input"), network),
        (text(lang, "threads"), threads),
        (text(lang, "duration"), duration),
        (text(lang, "frames_counted"), frames),
    )


def _origin_facts(report: Report, lang: str) -> tuple[tuple[str, str], ...]:
    result, missing = report.headline, text(lang, "not_measured")
    accuracy = result.accuracy
    labelled = f"{accuracy.dataset} ({accuracy.dataset_sha256[:12]})" if accuracy else missing
    commits = sorted({_short(other.git_commit) for other in report.comparison.results if other.git_commit})
    release = ((text(lang, "release"), report.shipped.release_id),) if report.shipped else ()
    return (
        (text(lang, "model_digest"), result.engine.model_sha256[:12]),
        (text(lang, "labelled_set"), labelled),
        *release,
        *(((text(lang, "git_branch"), result.git_branch),) if result.git_branch else ()),
        (text(lang, "git_commit"), ", ".join(commits) or text(lang, "none")),
    )


def _short(commit: str) -> str:
    """Twelve digits of a full hash; anything else, such as "0a1b2c-dirty", as it was recorded."""
    return commit[:12] if len(commit) == 40 else commit


def span_text(report: Report, lang: str) -> str:
    """Between which the headline lies: its 95 % interval, or the lowest and the highest of several rounds."""
    rate = report.rate
    values = {"low": numbers.fps(rate.low_fps), "high": numbers.fps(rate.high_fps)}
    if rate.rounds > 1:
        return text(lang, "span_rounds", rounds=rate.rounds, **values)
    return text(lang, "interval_95", **values)


def word_list(report: Report, lang: str) -> tuple[tuple[str, str], ...]:
    """Term and meaning of the words that this report uses."""
    engines = [result.engine for result in report.comparison.results]
    keys = [*WORDS, *(WORDS_OF_BUILDS if any(engine.build for engine in engines) else ())]
    if any(engine.golden_distance is not None for engine in engines):
        keys.append(WORD_OF_GOLDEN)
    if any(result.measurement.energy for result in report.comparison.results):
        keys.append(WORD_OF_ENERGY)
    return tuple((term, meaning) for term, _, meaning in (text(lang, key).partition("|") for key in keys))
