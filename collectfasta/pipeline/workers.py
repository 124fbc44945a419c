"""A pool of daemon threads for I/O.

``ThreadPoolExecutor`` joins its threads when the interpreter ends, so a server that hangs would
keep Ctrl-C from ending the program. These threads are daemons: nobody waits for one that hangs.
"""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from collectfasta.pipeline.crew import start_thread

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")
_Job = tuple["Future[Any]", "Callable[..., Any]", tuple[Any, ...], dict[str, Any]]


RESERVED = 48
"""Open files that are no thread's own: the streams, the cache's, the listing's, the workers'."""


def bounded(threads: int) -> int:
    """As many of ``threads`` as this process may open files for: a file and a socket each."""
    try:
        import resource
    except ImportError:  # not on Windows
        return threads
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return threads
    return max(1, min(threads, (limit - RESERVED) // 2))


class PoolClosed(RuntimeError):  # noqa: N818 - the pool was asked to close
    """A job came after ``shutdown``."""


class DaemonPool(Executor):
    """An executor whose threads do not outlive the program's will to end."""

    def __init__(self, threads: int, name: str = "collectfasta-io") -> None:
        self._limit = threads
        self._name = name
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._idle = threading.Semaphore(0)
        self._lock = threading.Lock()
        self._closed = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run ``fn`` in a thread. Raises ``PoolClosed`` after ``shutdown``, and
        ``CollectfastaError`` where the machine gives us no thread at all."""
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise PoolClosed("the pool is closed")
            if not self._idle.acquire(blocking=False) and len(self._threads) < self._limit:
                self._start()
            self._jobs.put((future, fn, args, kwargs))
        return future

    def _start(self) -> None:
        """One thread more, or, where the machine has no more, go on with those there are."""
        name = f"{self._name}-{len(self._threads)}"
        thread = threading.Thread(target=self._work, name=name, daemon=True)
        if start_thread(thread, needed=not self._threads):
            self._threads.append(thread)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            _run(*job)
            del job  # an idle thread must not keep the last body in memory
            self._idle.release()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """No more jobs. Threads end when theirs are done; with ``wait``, wait for that."""
        with self._lock:
            self._closed = True
            if cancel_futures:
                self._cancel_waiting()
            for _ in self._threads:
                self._jobs.put(None)
        if wait:
            for thread in self._threads:
                thread.join()

    def _cancel_waiting(self) -> None:
        while True:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return
            if job is not None:
                job[0].cancel()


def _run(
    future: Future[Any], fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = fn(*args, **kwargs)
    except BaseException as error:  # noqa: BLE001 - it is handed to whoever asks for the result
        future.set_exception(error)
    else:
        future.set_result(result)
