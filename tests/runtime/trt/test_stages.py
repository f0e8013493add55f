"""The pipeline's stages on a GPU: the same detections as the host's way, in any order a pipeline may call them."""

from __future__ import annotations

import dataclasses
import logging
import threading
import weakref
from contextlib import closing
from typing import List, Sequence

import cv2
import numpy as np
import pytest

from edgekit.core.detections import Detections
from edgekit.errors import DeviceError, EngineError, UsageError
from edgekit.runtime import engines
from edgekit.runtime.cuda import candidates
from edgekit.runtime.finite import FiniteCheck
from edgekit.runtime.frames import Frame
from edgekit.runtime.host_stages import HostStages
from edgekit.runtime.input_sizes import size_for_batch
from edgekit.runtime.trt import parts as trt_parts
from edgekit.runtime.trt import results
from edgekit.runtime.trt.library import logger
from edgekit.runtime.trt.slots import Run
from tests.pretend_tensorrt import Named


def frames(count: int, *, constant: bool = False, seed: int = 0) -> List[Frame]:
    """Pictures of several sizes with large coloured areas."""
    random = np.random.default_rng(seed)
    found = []
    for index in range(count):
        coarse = random.integers(0, 256, (6, 9, 3), np.uint8)
        height, width = int(random.integers(40, 200)), int(random.integers(40, 200))
        pixels = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST)
        found.append(Frame(pixels, index, 0.0, str(index), constant=constant))
    return found


def run(stages, batches: Sequence[Sequence[Frame]]) -> List[Detections]:
    """Detections of all frames; as many batches are under way at once as there are slots, as in the pipeline."""
    slots = [stages.make_slot() for _ in range(stages.slots)]
    under_way, found = [], []
    for number, batch in enumerate(batches):
        slot = slots[number % len(slots)]
        if len(under_way) == len(slots):
            found += stages.collect(*under_way.pop(0)).detections
        fits = [stages.preprocess(frame, slot, row) for row, frame in enumerate(batch)]
        stages.launch(slot, len(batch))
        under_way.append((slot, fits))
    for each in under_way:
        found += stages.collect(*each).detections
    return found


def on_the_host(engine, detector, batches: Sequence[Sequence[Frame]]) -> List[Detections]:
    """The slow, obvious twin."""
    batch = max(len(each) for each in batches)
    return run(HostStages(detector, engine, size_for_batch(engine.manifest, batch)), batches)


def assert_same(actual: List[Detections], expected: List[Detections], tolerance_px: float) -> None:
    assert len(actual) == len(expected)
    assert sum(map(len, expected)) > 0
    for mine, theirs in zip(actual, expected):
        np.testing.assert_array_equal(mine.class_ids, theirs.class_ids)
        np.testing.assert_allclose(mine.boxes_xyxy, theirs.boxes_xyxy, atol=tolerance_px)
        np.testing.assert_allclose(mine.scores, theirs.scores, atol=0.02)


def assert_alike(actual: List[Detections], expected: List[Detections]) -> None:
    """Nearly all detections the same: letterboxes that differ in one grey level move scores over the threshold."""
    assert len(actual) == len(expected)
    assert sum(map(len, expected)) > 0
    same = sum(_pairs(mine, theirs) for mine, theirs in zip(actual, expected))
    assert same >= 0.95 * max(sum(map(len, actual)), sum(map(len, expected)))


def _pairs(mine: Detections, theirs: Detections) -> int:
    """How many of `mine` are in `theirs` too: the class, each side within 2 px, the score within 0.03."""
    far = np.abs(mine.boxes_xyxy[:, None] - theirs.boxes_xyxy[None]).max(axis=2, initial=0) > 2
    far |= np.abs(mine.scores[:, None] - theirs.scores[None]) > 0.03
    far |= mine.class_ids[:, None] != theirs.class_ids[None]
    return int((~far).any(axis=1).sum())


@pytest.mark.parametrize("kernels", [True, False], ids=["with kernels", "on the CPU"])
@pytest.mark.parametrize("jetson", [0, 1], ids=["own memory", "shared memory"])
def test_detections_are_those_of_the_host(open_pretended, stand_in, kernels, jetson):
    """Frames in the wrong slot, row or order would show boxes of another moment or camera."""
    stand_in.stand_in_integrated(jetson)
    engine, detector = open_pretended(kernels=kernels)
    batches = [[frame] for frame in frames(8)]
    stages = engine.stages(detector, 1)
    assert_alike(run(stages, batches), on_the_host(engine, detector, batches))


@pytest.mark.parametrize("kernels", [True, False], ids=["with kernels", "on the CPU"])
@pytest.mark.parametrize("jetson", [0, 1], ids=["own memory", "shared memory"])
def test_outputs_that_are_no_numbers_are_reported(open_pretended, stand_in, monkeypatch, kernels, jetson):
    """The filter on the GPU drops NaN like any low score, so the frame would look empty."""
    stand_in.stand_in_integrated(jetson)
    engine, detector = open_pretended(kernels=kernels)
    stages = engine.stages(detector, 1)
    stages._finite = FiniteCheck(detector, every_s=0.0)
    whole, spoiled = stages._parts.reader.outputs, []

    def outputs(*arguments):
        copies = {name: np.array(array) for name, array in whole(*arguments).items()}
        if spoiled:
            copies["output0"][0, 4, 0] = np.nan
        return copies

    monkeypatch.setattr(stages._parts.reader, "outputs", outputs)
    slot, frame = stages.make_slot(), frames(1)[0]
    for bad in ((), ("output0",), ()):
        spoiled[:] = bad
        fit = stages.preprocess(frame, slot, 0)
        stages.launch(slot, 1)
        collected = stages.collect(slot, [fit])
        assert collected.bad_outputs == bad and (len(collected.detections[0]) == 0) == bool(bad)


def assert_retuned(engine, detector, stages):
    """Detections follow the thresholds, there and back, also in slots that were recorded by others."""
    strict = dataclasses.replace(detector, confidence=0.9, iou=0.3, max_detections=3)
    pictures = frames(6, seed=4)
    slots = [stages.make_slot() for _ in range(stages.slots)]
    for tuned in (detector, strict, detector):
        stages.retune(tuned)
        found = []
        for frame, slot in zip(pictures, slots * 2):
            fits = [stages.preprocess(frame, slot, 0)]
            stages.launch(slot, 1)
            found += stages.collect(slot, fits).detections
        assert_alike(found, on_the_host(engine, tuned, [[frame] for frame in pictures]))
    counts = [sum(map(len, on_the_host(engine, tuned, [pictures[:1]]))) for tuned in (detector, strict)]
    assert counts[0] > counts[1], "these thresholds do not differ"


@pytest.mark.parametrize("kernels", [True, False], ids=["with kernels", "on the CPU"])
def test_thresholds_can_be_changed_while_frames_come(open_pretended, kernels):
    """They are recorded with the kernels: old ones would stay until the next start."""
    engine, detector = open_pretended(kernels=kernels)
    assert_retuned(engine, detector, engine.stages(detector, 1))


@pytest.mark.parametrize("batch_sizes", [[4, 4, 4, 4, 1], [2, 3, 4, 1, 2]], ids=["a last short batch", "all lengths"])
@pytest.mark.parametrize("kernels", [True, False], ids=["with kernels", "on the CPU"])
def test_short_batches_give_a_result_for_each_frame(open_pretended, kernels, batch_sizes):
    """The end of a file and cameras of different speed give batches that are not full."""
    engine, detector = open_pretended("dynamic", 4, kernels)
    given = iter(frames(sum(batch_sizes)))
    batches = [[next(given) for _ in range(size)] for size in batch_sizes]
    stages = engine.stages(detector, 4)
    assert_alike(run(stages, batches), on_the_host(engine, detector, batches))


def test_each_slot_has_a_context_of_its_own_where_tensorrt_gives_one(open_pretended, pretend):
    """A CUDA graph holds on to what its context had; TensorRT 8 with varying sizes has one context and no more."""
    engine, detector = open_pretended("dynamic", 4)
    stages = engine.stages(detector, 4)
    before = pretend.engines[-1].contexts
    for _ in range(3):
        stages.make_slot()
    assert pretend.engines[-1].contexts - before == (0 if pretend.__version__.startswith("8") else 3)


def test_what_was_recorded_is_void_once_the_context_has_other_shapes():
    """TensorRT may keep tables for the shapes in the context's memory, which a graph then reads."""
    holder = type("Holder", (), {"resizes": 3})
    run_ = Run(1, type("Binding", (), {"holder": holder}), {}, 3)
    assert run_.is_current
    holder.resizes += 1
    assert not run_.is_current


def test_more_candidates_than_the_gpu_keeps_are_all_found(open_pretended, monkeypatch):
    """A crowded picture must not lose objects because a buffer was full."""
    inner = trt_parts.GpuCandidates
    monkeypatch.setattr(trt_parts, "GpuCandidates", lambda *arguments: inner(*arguments, limit=2))
    engine, detector = open_pretended("dynamic", 4)
    batches = [frames(4), frames(2, seed=5)]
    assert_alike(run(engine.stages(detector, 4), batches), on_the_host(engine, detector, batches))


@pytest.mark.parametrize("compared, crowds", [(1, 7), (42, 3), (256, 0)])
def test_detections_are_the_same_wherever_overlaps_are_found(open_pretended, monkeypatch, compared, crowds):
    """Quiet pictures are compared on the GPU, crowds on the CPU; a video goes from one to the other and back."""
    engine, detector = open_pretended("dynamic", 4)
    detector = dataclasses.replace(detector, iou=0.1)  # boxes of neighbouring cells overlap by a fifth
    batches = [frames(4, seed=3), frames(3, seed=4)]
    counts = []
    inner = results.detections_from_candidates

    def on_the_cpu(spec, candidates, fit):
        counts.append(len(candidates))
        return inner(spec, candidates, fit)

    with monkeypatch.context() as patch:
        patch.setattr(candidates, "COMPARED", 1)
        expected = run(engine.stages(detector, 4), batches)
    monkeypatch.setattr(results, "detections_from_candidates", on_the_cpu)
    monkeypatch.setattr(candidates, "COMPARED", compared)
    assert_same(run(engine.stages(detector, 4), batches), expected, 0)
    assert len(counts) == crowds
    assert all(count > compared for count in counts)


def test_a_source_may_overwrite_a_frame_when_preprocess_returns(open_pretended):
    """Cameras fill the same buffer again; the GPU would letterbox half of one frame and half of the next."""
    engine, detector = open_pretended()
    stages = engine.stages(detector, 1)
    (frame,) = frames(1)
    (expected,) = run(stages, [[frame]])
    slot = stages.make_slot()
    fit = stages.preprocess(frame, slot, 0)
    frame.pixels[:] = 0
    stages.launch(slot, 1)
    (found,) = stages.collect(slot, [fit]).detections
    assert_same([found], [expected], 0)


def test_replaying_runs_the_engine_and_nothing_else(open_pretended, pretend):
    """Bench divides the pipeline's speed by this one; a copy or decode in it would flatter the pipeline."""
    engine, detector = open_pretended("dynamic", 4)
    stages = engine.stages(detector, 4)
    slot = stages.make_slot()
    before = pretend.engines[-1].launches
    stages.replay(slot, 7)
    assert pretend.engines[-1].launches - before == 7


def test_every_part_that_runs_slower_is_told_once(open_pretended, caplog):
    """A missing compiler halves the speed; nobody would look for it without a line."""
    with caplog.at_level(logging.WARNING):
        engine, detector = open_pretended(kernels=False)
        stages = engine.stages(detector, 1)
        for _ in range(3):
            stages.make_slot()
    assert [note.partition(":")[0] for note in stages.notes] == [
        "letterbox and filter run on the CPU",
        "runs without a CUDA graph, which costs the CPU more time",  # the pretended TensorRT cannot be recorded
    ]
    assert [record.getMessage() for record in caplog.records] == list(stages.notes)


def test_kernels_for_another_gpu_are_left_alone(open_pretended, monkeypatch):
    """A release copied by hand must go on detecting, on the CPU if need be."""

    def refuse(*_):
        raise DeviceError("the kernels were compiled for another GPU", hint="build the engine again")

    monkeypatch.setattr(trt_parts, "Kernels", refuse)
    engine, detector = open_pretended()
    stages = engine.stages(detector, 1)
    reason = "the kernels were compiled for another GPU (build the engine again)"
    assert stages.notes == (f"letterbox and filter run on the CPU: {reason}",)
    batches = [[frame] for frame in frames(3)]
    assert_alike(run(stages, batches), on_the_host(engine, detector, batches))


def test_a_batch_that_the_engine_does_not_take_is_refused(open_pretended):
    """The same words as for every other back end."""
    engine, detector = open_pretended("dynamic", 4)
    with pytest.raises(UsageError, match="batch 5 is outside"):
        engine.stages(detector, 5)


def test_closing_while_batches_are_under_way_is_safe(open_pretended):
    """A pipeline is closed at any moment; GPU memory must not be freed under a running batch, nor twice."""
    engine, detector = open_pretended()
    stages = engine.stages(detector, 1)
    slot = stages.make_slot()
    fit = stages.preprocess(frames(1)[0], slot, 0)
    stages.launch(slot, 1)
    engine.close()
    stages.close()
    for call in (
        lambda: stages.collect(slot, [fit]), lambda: stages.launch(slot, 1), lambda: stages.replay(slot, 1),
        stages.make_slot, lambda: stages.preprocess(frames(1)[0], slot, 0),
    ):  # fmt: skip
        with pytest.raises(EngineError, match="was closed"):
            call()


def test_a_failing_batch_is_an_error_with_tensorrts_words(open_pretended, pretend, monkeypatch):
    """Old results would come out of the slot as if they were new."""
    engine, detector = open_pretended()
    stages = engine.stages(detector, 1)
    slot = stages.make_slot()
    fit = stages.preprocess(frames(1)[0], slot, 0)
    assert fit.input_width == 96

    def fail(self, stream_handle):
        logger().log(Named("ERROR"), "1: Cuda Runtime (an illegal memory access)")
        return False

    context = type(slot.runs[1].binding.holder.context)
    monkeypatch.setattr(context, "execute_async_v3", fail)
    with pytest.raises(EngineError, match="failed on a batch") as caught:
        stages.launch(slot, 1)
    assert "illegal memory access" in caught.value.why


def test_contexts_go_with_the_engine_whoever_holds_an_error(open_pretended, monkeypatch):
    """An exception keeps the variables it came through; a context freed after the GPU was given back is a crash."""
    engine, detector = open_pretended("dynamic", 4)
    stages = engine.stages(detector, 4)
    slot = stages.make_slot()
    contexts = [weakref.ref(holder.context) for holder in engine.contexts._made]
    assert contexts
    with monkeypatch.context() as patch:
        patch.setattr(type(contexts[0]()), "set_tensor_address", lambda *_: False)
        with pytest.raises(EngineError, match="refuses the memory") as caught:
            engine.infer({"images": np.zeros((2, 3, 64, 96), np.float32)})
    engine.close()
    assert caught.value is not None and slot is not None
    assert [context() for context in contexts] == [None] * len(contexts)


def test_what_a_batch_of_closed_stages_took_is_given_back(open_pretended, pretend):
    """Bench and services open stages again and again on one engine; the stand-in fails the test for what is left."""
    engine, detector = open_pretended("dynamic", 4)
    for _ in range(3):
        with closing(engine.stages(detector, 4)) as stages:
            run(stages, [frames(2), frames(4)])
    expected = 1  # that of `infer`
    assert len(engine.contexts._made) == expected


# From here on: a real GPU.


@pytest.fixture
def open_real(build_tiny):
    """open_real(max_batch) -> (engine, detector) of the tiny FP32 engine; every engine is closed afterwards."""
    opened = []

    def open_one(max_batch: int):
        built = build_tiny(max_batch)
        opened.append(engines.load_engine(str(built.folder), built.detector, built.profile))
        return opened[-1], built.detector

    yield open_one
    for engine in opened:
        engine.close()


@pytest.mark.gpu
@pytest.mark.parametrize("constant", [False, True], ids=["frames that change", "constant frames"])
@pytest.mark.parametrize("use_kernels", [True, False], ids=["with kernels", "on the CPU"])
def test_real_stages_detect_what_the_host_detects(open_real, use_kernels, constant):
    """Everything together: three streams, graphs, events, kernels."""
    engine, detector = open_real(1)
    stages = engine.stages(detector, 1, use_kernels=use_kernels)
    batches = [[frame] for frame in frames(40, constant=constant)]
    found = run(stages, batches)
    notes = [note for note in stages.notes if "page-locked" not in note and "copied" not in note]
    assert notes == [], "a part runs slower than it should"
    assert_alike(found, on_the_host(engine, detector, batches))


@pytest.mark.gpu
def test_graphs_and_single_launches_give_the_same(open_real):
    """A graph replays addresses and shapes from when it was recorded; any that changed since would show here."""
    engine, detector = open_real(1)
    batches = [[frame] for frame in frames(40)]
    with_graphs = run(engine.stages(detector, 1), batches)
    without = run(engine.stages(detector, 1, use_graphs=False), batches)
    assert_same(with_graphs, without, 1e-3)


@pytest.mark.gpu
@pytest.mark.parametrize("use_graphs", [True, False], ids=["graphs", "single launches"])
def test_real_thresholds_can_be_changed_while_frames_come(open_real, use_graphs):
    """See the pretended one; here the graphs are the GPU's."""
    engine, detector = open_real(1)
    assert_retuned(engine, detector, engine.stages(detector, 1, use_graphs=use_graphs))


@pytest.mark.gpu
@pytest.mark.parametrize("use_graphs", [True, False], ids=["graphs", "single launches"])
def test_real_batches_of_all_lengths(open_real, use_graphs):
    """TensorRT 8 has one context for all of them, later releases one for each."""
    engine, detector = open_real(4)
    sizes = [4, 4, 4, 1, 2, 3, 4, 1, 4, 4, 2]
    given = iter(frames(sum(sizes)))
    batches = [[next(given) for _ in range(size)] for size in sizes]
    expected = on_the_host(engine, detector, batches)
    stages = engine.stages(detector, 4, use_graphs=use_graphs)
    assert_alike(run(stages, batches), expected)
    # What ran on the host meanwhile had other shapes, which must not spoil what the stages recorded.
    assert_alike(run(stages, batches), on_the_host(engine, detector, batches))
    assert_alike(run(stages, batches), expected)


@pytest.mark.gpu
def test_a_crowded_picture_loses_nothing_on_the_gpu(open_real, monkeypatch):
    """See the pretended one; here counters and copies are the GPU's."""
    inner = trt_parts.GpuCandidates
    monkeypatch.setattr(trt_parts, "GpuCandidates", lambda *arguments: inner(*arguments, limit=2))
    engine, detector = open_real(4)
    batches = [frames(4), frames(2, seed=5)]
    assert_alike(run(engine.stages(detector, 4), batches), on_the_host(engine, detector, batches))


@pytest.mark.gpu
def test_stages_work_from_three_threads_at_once(open_real):
    """The pipeline fills, launches and collects in three threads; each needs the GPU's context."""
    engine, detector = open_real(1)
    stages = engine.stages(detector, 1)
    given = frames(60)
    expected = on_the_host(engine, detector, [[frame] for frame in given])
    slots = [stages.make_slot() for _ in range(stages.slots)]
    filled, launched, free = _Queue(), _Queue(), _Queue(slots)
    found: List[Detections] = []

    def fill():
        for frame in given:
            slot = free.get()
            filled.put((slot, stages.preprocess(frame, slot, 0)))

    def launch():
        for _ in given:
            slot, fit = filled.get()
            stages.launch(slot, 1)
            launched.put((slot, fit))

    def collect():
        for _ in given:
            slot, fit = launched.get()
            found.extend(stages.collect(slot, [fit]).detections)
            free.put(slot)

    threads = [threading.Thread(target=work, daemon=True) for work in (fill, launch, collect)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert_alike(found, expected)


class _Queue:
    def __init__(self, items=()):
        self._items, self._there = list(items), threading.Condition()

    def put(self, item):
        with self._there:
            self._items.append(item)
            self._there.notify()

    def get(self):
        with self._there:
            assert self._there.wait_for(lambda: self._items, 30)
            return self._items.pop(0)


@pytest.mark.gpu
def test_the_engines_time_is_measured_and_plausible(open_real):
    """inference_ms is the GPU's own clock; zero or seconds would mean events in the wrong stream."""
    engine, detector = open_real(1)
    stages = engine.stages(detector, 1)
    slot = stages.make_slot()
    stages.replay(slot, 100)
    fit = stages.preprocess(frames(1)[0], slot, 0)
    stages.launch(slot, 1)
    assert 0 < stages.collect(slot, [fit]).inference_ms < 100
