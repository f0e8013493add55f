"""An inspected engine as tables for people: nothing is left out, what is not known is said or absent."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from edgekit.cli.console import facts, table
from edgekit.control.inspect import Fit, Inspection, LoneFile
from edgekit.core.engine import BuildFacts, EngineLayer, EngineManifest
from edgekit.core.engine_key import parse_engine_key
from edgekit.core.engine_layers import UNTOLD, Counts, count_kinds, count_precisions, count_tactics
from edgekit.core.requests import FileCheck
from edgekit.core.tensors import ShapeProfile, TensorSpec

Facts = list[tuple[str, object]]
_MIB = 1 << 20
_UNTOLD_WORD = "not told"


def engine_tables(found: Inspection, *, every_layer: bool) -> Iterator[Any]:
    """Texts and tables, in reading order."""
    if found.lone is not None:
        yield facts(_lone_facts(found.place, found.lone))
        return
    assert found.manifest is not None
    yield facts([*_origin(found.manifest), *_place(found), *_fit(found.fit)])
    yield "\nHow it was made"
    yield facts([*_making(found.manifest), *_memory(found), *_remains(found.manifest)])
    if found.layers:
        yield f"\nLayers, as {found.layers_from} has them"
        yield facts(_layer_facts(found))
        yield from _kind_table(found.layers)
    if every_layer and found.layers:
        yield "\nEvery layer, in the order in which they run"
        yield _layer_table(found.layers)


def printable(text: str) -> str:
    """Text of unknown origin as a terminal may show it: control characters become escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _origin(manifest: EngineManifest) -> Facts:
    return [
        ("engine", manifest.engine_id),
        ("detector", f"{manifest.detector}, model {manifest.model_sha256[:12]}"),
        ("precision", manifest.precision),
        ("built for", _built_for(manifest.engine_key)),
    ]


def _built_for(key: str) -> str:
    parts = parse_engine_key(key)
    if parts is None:
        return key
    gpu = f", compute capability {parts.sm // 10}.{parts.sm % 10} (SM {parts.sm})" if parts.sm else ""
    cpu = f", {parts.cpu} instructions" if parts.cpu else ""
    l4t = f", Jetson Linux {parts.l4t}" if parts.l4t else ""
    return f"{parts.module}{gpu}{cpu}, {parts.backend_name}{l4t}"


def _place(found: Inspection) -> Facts:
    return [("folder", found.place), ("files", "\n".join(_file_line(check) for check in found.files))]


def _file_line(check: FileCheck) -> str:
    size = _size(check.expected_bytes)
    if check.state == "whole":
        return f"{check.file_name}, {size}: whole, its digest is that of the manifest"
    if check.state == "missing":
        return f"{check.file_name}: MISSING"
    detail = f"{check.bytes} of {check.expected_bytes} bytes" if check.bytes != check.expected_bytes else size
    return f"{check.file_name}, {detail}: {check.state.upper()}"


def _size(size_bytes: int) -> str:
    return f"{size_bytes / _MIB:.2f} MiB" if size_bytes >= _MIB // 100 else f"{size_bytes} bytes"


def _fit(fit: Fit | None) -> Facts:
    if fit is None:
        return []
    if fit.fits is None:
        return [("fits", "not known: " + "; ".join(fit.differences))]
    if fit.fits:
        return [("fits", f"yes, {fit.device}")]
    return [("fits", "\n".join([f"no, not {fit.device}", *fit.differences])), ("for one that does", fit.command)]


def _making(manifest: EngineManifest) -> Facts:
    rows: Facts = [
        ("route", manifest.route),
        ("layers in INT8", f"{manifest.layers_quantised} of {manifest.layers_total}"),
        ("calibration", _calibration(manifest)),
        ("inputs", _tensors(manifest.inputs)),
        ("outputs", _tensors(manifest.outputs)),
        ("input sizes", _profile(manifest.profile)),
        ("built", f"{manifest.created_utc} in {manifest.build_s:.1f} s"),
    ]
    if manifest.build:
        rows += _build_facts(manifest.build)
    return rows


def _calibration(manifest: EngineManifest) -> str:
    if not manifest.calibration_sha256:
        return "none"
    return f"{manifest.calibration_images} pictures, digest {manifest.calibration_sha256[:12]}"


def _tensors(specs: Sequence[TensorSpec]) -> str:
    return "\n".join(printable(str(spec)) for spec in specs)


def _profile(profile: ShapeProfile) -> str:
    if profile.minimum == profile.maximum:
        return f"{profile.optimum} only"
    return f"{profile.minimum} to {profile.maximum}, tuned for {profile.optimum}"


def _build_facts(build: BuildFacts) -> Facts:
    rows: Facts = [
        ("time", ", ".join(f"{phase} {seconds:.1f} s" for phase, seconds in build.seconds.items())),
        ("timing cache", build.timing_cache),
        ("skipped tactics", build.skipped_tactics),
    ]
    if build.dla_fallback:
        rows.append(("on the GPU, not the DLA", "\n".join(printable(name) for name in build.dla_fallback)))
    if build.notes:
        rows.append(("notes", "\n".join(printable(line) for line in build.notes)))
    return rows


def _memory(found: Inspection) -> Facts:
    rows: Facts = []
    if found.activation_mib is not None:
        rows.append(("memory to run", f"{found.activation_mib:.1f} MiB for activations"))
    build = found.manifest.build if found.manifest else None
    if build:
        peak = f"{build.host_peak_mib} MiB at its peak, workspace limit {build.workspace_mib} MiB"
        rows.append(("memory to build", peak))
    return rows


def _remains(manifest: EngineManifest) -> Facts:
    rows: Facts = []
    if manifest.golden_distance is not None:
        rows.append(("golden distance", f"{manifest.golden_distance:.2g} from the model's own answers"))
    rows.append(("tools", ", ".join(f"{name} {version}" for name, version in sorted(manifest.tool_versions.items()))))
    rows += [(printable(name), printable(value)) for name, value in sorted(manifest.extra.items())]
    rows.append(("warnings", "\n".join(printable(line) for line in manifest.warnings) or "none"))
    return rows


def _layer_facts(found: Inspection) -> Facts:
    build = found.manifest.build if found.manifest else None
    rows: Facts = []
    if build:
        rows.append(("fusion", f"{build.layers_before} layers of the model became {build.layers_after}"))
    rows.append(("precisions", _counted(count_precisions(found.layers))))
    on_dla = sum(layer.on_dla for layer in found.layers)
    if on_dla:
        rows.append(("on the DLA", f"{on_dla} of {len(found.layers)}"))
    tactics = count_tactics(found.layers)
    if tactics:
        rows.append(("kernels", "\n".join(f"{number:4d}  {family}" for family, number in tactics)))
    return rows


def _counted(counts: Counts) -> str:
    return ", ".join(f"{name if name != UNTOLD else _UNTOLD_WORD} {number}" for name, number in counts)


def _kind_table(layers: Sequence[EngineLayer]) -> Iterator[Any]:
    rows = [(row.kind or _UNTOLD_WORD, row.layers, _counted(row.precisions)) for row in count_kinds(layers)]
    yield ""
    yield table(("kind", "layers", "precisions"), rows, right=("layers",))


def _layer_table(layers: Sequence[EngineLayer]) -> Any:
    rows = [
        (
            number,
            printable(layer.name),
            layer.kind or None,
            layer.precision or None,
            "DLA" if layer.on_dla else "GPU",
            printable(layer.tactic) or None,
        )
        for number, layer in enumerate(layers, start=1)
    ]
    return table(("#", "layer", "kind", "precision", "device", "tactic"), rows, right=("#",))


def _lone_facts(place: str, lone: LoneFile) -> Facts:
    plain = "none" if lone.warnings else "none: a plain plan"
    header = plain if lone.metadata is None else "Ultralytics' metadata, below"
    return [
        ("file", place),
        ("size", _size(lone.bytes)),
        ("sha256", lone.sha256),
        ("header", header),
        ("written by", f"TensorRT {lone.tensorrt}" if lone.tensorrt else "not known: the file does not say"),
        *_metadata(lone.metadata or {}),
    ]


def _metadata(metadata: Mapping[str, Any]) -> Facts:
    return [
        (
            f"  {printable(name)}",
            printable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)),
        )
        for name, value in metadata.items()
    ]
