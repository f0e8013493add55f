"""How an engine was made, as pairs that every form of a report prints alike. What is not known is left out. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from edgekit.core.engine import BuildFacts, EngineManifest
from edgekit.core.engine_layers import UNTOLD, Counts, count_kinds, count_precisions, count_tactics
from edgekit.report import numbers
from edgekit.report.recorded.saying import recorded_all, recorded_word
from edgekit.report.texts import text

_MOST_KINDS = 6
_MOST_KERNELS = 4

Pair = tuple[str, str]


def making_facts(engine: EngineManifest, lang: str, *, precisions: bool = True) -> tuple[Pair, ...]:
    """Route, fusion, time, memory, kernels and distance. Empty for an engine whose back end tells none of it.

    precisions: False where the layers of each precision are drawn as a bar.
    """
    return (
        *_route(engine, lang),
        *(_build(engine.build, lang, precisions) if engine.build else ()),
        *_golden(engine, lang),
    )


def precision_name(precision: str, lang: str) -> str:
    """ "INT8"; "not told" where the inspector was silent."""
    return text(lang, "untold") if precision == UNTOLD else precision.upper()


def _route(engine: EngineManifest, lang: str) -> Iterator[Pair]:
    if engine.route in ("calibrator", "explicit", "trained"):
        yield text(lang, "route"), text(lang, f"route_{engine.route}")


def _build(build: BuildFacts, lang: str, precisions: bool) -> Iterator[Pair]:
    yield from _layers(build, lang, precisions)
    yield from _time(build, lang)
    yield text(lang, "activation_memory"), numbers.figure(build.activation_mib, 1, "MiB")
    yield text(lang, "build_memory"), text(lang, "build_memory_is", **_memory(build))
    yield text(lang, "skipped_tactics"), str(build.skipped_tactics)
    if build.dla_fallback:
        yield text(lang, "dla_fallback"), text(lang, "list_comma").join(build.dla_fallback)
    if build.notes:
        yield text(lang, "builder_notes"), recorded_all(lang, build.notes)


def _memory(build: BuildFacts) -> dict[str, str]:
    return {
        "peak": numbers.figure(build.host_peak_mib, 0, "MiB"),
        "workspace": numbers.figure(build.workspace_mib, 0, "MiB"),
    }


def _layers(build: BuildFacts, lang: str, precisions: bool) -> Iterator[Pair]:
    if not build.layers:
        return
    yield text(lang, "fusion"), text(lang, "fusion_is", before=build.layers_before, after=build.layers_after)
    if precisions:
        counts = ((precision_name(name, lang), number) for name, number in count_precisions(build.layers))
        yield text(lang, "layer_precisions"), _counted(tuple(counts), len(build.layers), lang)
    on_dla = sum(layer.on_dla for layer in build.layers)
    if on_dla:
        yield text(lang, "on_dla"), text(lang, "layers_of", part=on_dla, total=len(build.layers))
    kinds = tuple((row.kind or text(lang, "untold"), row.layers) for row in count_kinds(build.layers))
    yield text(lang, "layer_kinds"), _counted(kinds, _MOST_KINDS, lang)
    tactics = count_tactics(build.layers)
    if tactics:
        yield text(lang, "kernels"), _counted(tactics, _MOST_KERNELS, lang)


def _time(build: BuildFacts, lang: str) -> Iterator[Pair]:
    if build.seconds:
        seconds = {recorded_word(lang, phase): numbers.figure(took, 1, "s") for phase, took in build.seconds.items()}
        yield text(lang, "phases"), text(lang, "list_comma").join(f"{name} {took}" for name, took in seconds.items())
    known = build.timing_cache in ("new", "reused", "partly", "refused")
    yield text(lang, "timing_cache"), text(lang, f"timing_cache_{build.timing_cache}") if known else build.timing_cache


def _golden(engine: EngineManifest, lang: str) -> Iterator[Pair]:
    if engine.golden_distance is not None:
        yield text(lang, "golden_distance"), f"{engine.golden_distance:.2g}"


def _counted(counts: Counts, most: int, lang: str) -> str:
    shown = [f"{name} {number}" for name, number in islice(counts, most)]
    rest = len(counts) - len(shown)
    return text(lang, "list_comma").join([*shown, text(lang, "and_more", count=rest)] if rest > 0 else shown)
