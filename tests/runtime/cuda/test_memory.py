"""GPU memory, page-locked memory and the copies between them."""

from __future__ import annotations

import ctypes
import weakref

import numpy as np
import pytest

from edgekit.errors import DeviceError
from edgekit.runtime.cuda import driver
from edgekit.runtime.cuda.memory import DeviceBuffer, PageLocks, PinnedArray, SharedArray


def test_what_goes_to_the_gpu_comes_back(gpu):
    """Pinned to device, within the device, and back to pinned."""
    sent, received = PinnedArray((3, 50), np.float32), PinnedArray((3, 50), np.float32)
    first, second = DeviceBuffer(sent.nbytes), DeviceBuffer(sent.nbytes)
    sent.array[:] = np.random.default_rng(0).random((3, 50))
    received.array[:] = 0
    driver.copy_to_device(first.pointer, sent.pointer, sent.nbytes, gpu.stream)
    driver.copy_on_device(second.pointer, first.pointer, sent.nbytes, gpu.stream)
    driver.copy_to_host(received.pointer, second.pointer, sent.nbytes, gpu.stream)
    driver.stream_synchronise(gpu.stream)
    np.testing.assert_array_equal(sent.array, received.array)
    for memory in (sent, received, first, second):
        memory.free()


def test_rows_that_lie_apart_are_copied_without_what_is_between(gpu):
    """Every third row of a frame is one copy, not one for each row."""
    picture = np.random.default_rng(1).integers(0, 256, (30, 64), dtype=np.uint8)
    on_device, received = DeviceBuffer(10 * 40), PinnedArray((10, 40), np.uint8)
    driver.copy_rows_to_device(on_device.pointer, 40, picture.ctypes.data + 64, 3 * 64, 40, 10, gpu.stream)
    driver.copy_to_host(received.pointer, on_device.pointer, 400, gpu.stream)
    driver.stream_synchronise(gpu.stream)
    np.testing.assert_array_equal(picture[1::3, :40], received.array)
    on_device.free()
    received.free()


def test_a_shared_array_is_the_same_on_both_sides(gpu):
    """On a Jetson there is one memory and no copy; elsewhere the copies are explicit. Callers write one code."""
    sent = SharedArray((100,), np.int32, gpu.facts.integrated)
    received = SharedArray((100,), np.int32, gpu.facts.integrated)
    sent.array[:] = np.arange(100)
    received.array[:] = -1
    sent.to_device(gpu.stream)
    received.to_device(gpu.stream)
    driver.stream_synchronise(gpu.stream)
    if gpu.stand_in is None or not gpu.facts.integrated:
        driver.copy_on_device(received.device_pointer, sent.device_pointer, 200, gpu.stream)
    else:
        received.array[:50] = sent.array[:50]
    received.to_host(gpu.stream, nbytes=300)
    driver.stream_synchronise(gpu.stream)
    assert [*range(50), *[-1] * 50] == received.array.tolist()
    with pytest.raises(ValueError, match="at most 400 bytes"):
        sent.to_host(gpu.stream, nbytes=401)
    sent.free()
    received.free()


def test_freeing_twice_is_freeing_once(gpu):
    """Shutdown after a failure runs the same lines again."""
    for memory in (DeviceBuffer(10), PinnedArray((10,), np.uint8), SharedArray((10,), np.uint8, gpu.facts.integrated)):
        memory.free()
        memory.free()


def test_memory_that_is_not_there_is_a_plain_error(gpu):
    """On a board of 8 GB this is the commonest failure; it must not look like a bug."""
    if gpu.stand_in:
        gpu.stand_in.stand_in_fail(b"cuMemAlloc_v2", 2)
    with pytest.raises(DeviceError, match="the GPU is out of memory") as caught:
        DeviceBuffer(1 << 42)
    assert "stop other programs" in caught.value.hint


def test_a_shared_array_that_fails_halfway_leaves_nothing(stand_in):
    """What page-locked memory leaks, no program gets back until this one ends."""
    stand_in.stand_in_fail(b"cuMemAlloc_v2", 2)
    with pytest.raises(DeviceError, match="out of memory"):
        SharedArray((10,), np.uint8, integrated=False)
    assert stand_in.stand_in_alive() == 0


def test_page_locks_keep_their_pictures_and_end_with_them(gpu):
    """Memory that goes away while the GPU may read it is another program's picture, or a crash."""
    locks = PageLocks(mapped=gpu.facts.integrated)
    picture = np.zeros((200, 300, 3), np.uint8)
    address = locks.lock(picture)
    assert address
    assert address == locks.lock(picture)
    gone = weakref.ref(picture)
    del picture
    assert gone() is not None
    locks.close()
    locks.close()
    assert gone() is None


def test_page_locks_are_bounded_and_say_so(gpu):
    """Locked memory is taken from everyone else on the board."""
    locks = PageLocks(limit_bytes=400_000, mapped=gpu.facts.integrated)
    pictures = [np.zeros((200, 300, 3), np.uint8) for _ in range(3)]
    assert [locks.lock(picture) is not None for picture in pictures] == [True, True, False]
    assert locks.refused == "pictures beyond 0.4 MiB are copied each time"
    assert locks.lock(pictures[0])
    locks.close()


def test_page_locks_that_cannot_be_seen_by_kernels_are_given_back(stand_in):
    """Half a success would stay locked for good."""
    stand_in.stand_in_fail(b"cuMemHostGetDevicePointer_v2", 801)
    locks, picture = PageLocks(mapped=True), np.full((20, 30, 3), 7, np.uint8)
    address = locks.lock(picture)
    assert address and address != picture.ctypes.data
    assert ctypes.string_at(address, picture.nbytes) == picture.tobytes()
    assert (stand_in.stand_in_alive(), locks.refused) == (1, "")
    locks.close()


def test_pictures_that_share_pages_or_overlap_can_all_be_locked(gpu):
    """Frames that are parts of one array share pages, crops of one picture share bytes, which a driver locks once."""
    block = np.random.default_rng(0).integers(0, 256, (4, 37, 41, 3), dtype=np.uint8)
    overlapping = np.lib.stride_tricks.as_strided(block[0, 1:], block[0].shape, block[0].strides)
    locks, received = PageLocks(mapped=gpu.facts.integrated), PinnedArray((37, 41, 3), np.uint8)
    on_device = DeviceBuffer(block[0].nbytes)
    for picture in [*block, overlapping, *block]:
        address = locks.lock(picture)
        driver.copy_to_device(on_device.pointer, address, picture.nbytes, gpu.stream)
        driver.copy_to_host(received.pointer, on_device.pointer, picture.nbytes, gpu.stream)
        driver.stream_synchronise(gpu.stream)
        np.testing.assert_array_equal(picture, received.array)
    assert locks.refused == ""
    for memory in (on_device, received):
        memory.free()
    locks.close()
