"""The thread that owns the GPU's context: engines are loaded, captured and freed on it.

pycuda keeps a stack of contexts for each thread. Its objects, and a context left on a stack when the thread or the
process ends, abort the process; so one thread pushes the context, keeps it for its life, and pops it itself.
"""

from __future__ import annotations

import atexit
import queue
import threading
from concurrent.futures import Future
from typing import Any, Callable, Dict, Optional, Tuple

from edgekit.errors import DeviceError
from edgekit.runtime.cuda import driver


class _Job:
    """One call and what came of it."""

    def __init__(self, function: Callable[..., Any], arguments: Tuple[Any, ...], named: Dict[str, Any]) -> None:
        self._function, self._arguments, self._named = function, arguments, named
        self._ended = threading.Event()
        self._result: Any = None
        self._error: Optional[BaseException] = None

    def run(self) -> None:
        try:
            self._result = self._function(*self._arguments, **self._named)
        except BaseException as error:
            self._error = error
        finally:
            self._ended.set()

    def result(self) -> Any:
        """Wait for the end. An error's frames hold this job, and the job the error: both let go here, so that nothing
        of the GPU stays alive until a garbage collection on some thread."""
        self._ended.wait()
        error, self._error = self._error, None
        if error is None:
            return self._result
        try:
            raise error
        finally:
            del error


class OwnerThread:
    """One thread that holds the primary context of a GPU, which CUDA's runtime API, and so TensorRT, uses too.

    context_handle is for `driver.set_current` in other threads, while this lives. Everything made on the GPU must be
    freed before `close`, which also happens by itself when the process exits in the ordinary way.
    """

    def __init__(self, index: int = 0) -> None:
        """Starts the thread. Raises DeviceError if there is no pycuda, no driver or no GPU of that number."""
        self._jobs: queue.SimpleQueue[Optional[_Job]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        started: Future[int] = Future()
        # A daemon, since Python waits for other threads before it calls what atexit registered.
        self._thread = threading.Thread(
            target=_serve, args=(index, self._jobs, started), name=f"gpu-{index}", daemon=True
        )
        self._thread.start()
        self.context_handle: int = started.result()
        atexit.register(self.close)

    def call(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Run a function on the owner thread and return what it returns, or raise what it raises."""
        if threading.current_thread() is self._thread:
            return function(*arguments, **named)
        job = _Job(function, arguments, named)
        with self._lock:
            if self._closed:
                raise DeviceError("the GPU was given back already")
            self._jobs.put(job)
        return job.result()

    def close(self) -> None:
        """Finish what was asked for, give the context back and end the thread. Further calls do nothing."""
        if threading.current_thread() is self._thread:
            raise ValueError("the owner thread cannot wait for its own end")
        with self._lock:
            if not self._closed:
                self._closed = True
                self._jobs.put(None)
        self._thread.join()
        atexit.unregister(self.close)

    def __enter__(self) -> OwnerThread:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def _serve(index: int, jobs: queue.SimpleQueue[Optional[_Job]], started: Future[int]) -> None:
    try:
        context = _retain(index)
    except BaseException as error:
        started.set_exception(error)
        return
    try:
        started.set_result(driver.current())
        while True:
            job = jobs.get()
            if job is None:
                return
            job.run()
            del job  # nothing of it may live until the next one comes
    finally:
        context.pop()
        context.detach()


def _retain(index: int) -> Any:
    """The primary context, pushed on this thread's stack."""
    driver.gpu_facts(index)  # says in plain words what pycuda would not
    try:
        import pycuda.driver as pycuda
    except ImportError as error:
        raise DeviceError(
            "pycuda cannot be imported", why=str(error), hint="install the pycuda wheel for this device's Python"
        ) from None
    try:
        pycuda.init()
        context = pycuda.Device(index).retain_primary_context()
        context.push()
    except pycuda.Error as error:
        raise DeviceError("the GPU gives no context", why=str(error)) from None
    return context
