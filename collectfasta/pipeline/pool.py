"""Where hashing runs: worker processes where they pay, else a thread of our own.

Workers are started by a fork server (spawned where there is none), never forked from a process
that has threads. They never import the user's ``__main__``, do not hear Ctrl-C, and end with us.
"""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import signal
import sys
import threading
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from collectfasta.pipeline.workers import DaemonPool, PoolClosed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

P = ParamSpec("P")
T = TypeVar("T")

MANY_FILES = 3_000
MANY_BYTES = 96 << 20
"""Below both, starting processes (80 to 150 ms) costs more than they save."""

MAX_PROCESSES = 8

_CPU = "/sys/fs/cgroup/cpu"
QUOTAS = ((f"{_CPU}.max",), (f"{_CPU}/cpu.cfs_quota_us", f"{_CPU}/cpu.cfs_period_us"))
"""Where a cgroup's limit stands: microseconds in each period, and the period's length."""

PATIENCE = 0.5
"""Seconds that workers have to end at once."""


def cpus() -> int:
    """How many CPUs this process may use, a cgroup's quota included."""
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    return max(1, min(count, math.ceil(_quota())))


def _quota() -> float:
    """CPUs that the cgroup grants, as version 2 says it, or version 1; infinitely many if none."""
    for files in QUOTAS:
        try:
            texts = [Path(file).read_text(encoding="ascii") for file in files]
            quota, period = " ".join(texts).split()
            if int(quota) > 0:
                return int(quota) / int(period)
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return sys.maxsize


def many(files: int, size: int) -> bool:
    """Whether so many files and bytes are worth worker processes."""
    return files > MANY_FILES or size > MANY_BYTES


class HashPool:
    """An executor for hashing that cannot break: where processes fail, a thread goes on.

    ``files`` and ``size`` (bytes) tell how much work there will be.
    """

    def __init__(self, files: int, size: int, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self._lock = threading.Lock()
        self._broken = False
        self._closed = False
        self._given_up: Executor | None = None
        self.processes = min(cpus(), MAX_PROCESSES)
        wanted = self.processes > 1 and many(files, size)
        self._executor: Executor = self._start() if wanted else DaemonPool(1, "collectfasta-hash")

    @property
    def in_processes(self) -> bool:
        return isinstance(self._executor, ProcessPoolExecutor)

    def _start(self) -> Executor:
        method = "forkserver" if sys.platform == "linux" else "spawn"
        try:
            return ProcessPoolExecutor(
                self.processes, multiprocessing.get_context(method), initializer=prepare_worker
            )
        except (OSError, ImportError, NotImplementedError):  # no /dev/shm, no semaphores
            return DaemonPool(1, "collectfasta-hash")

    def run(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Submit ``fn``. The future's result is right even if its worker is killed."""
        outer: Future[T] = Future()

        def settle(inner: Future[T]) -> None:
            if inner.cancelled() or (self._closed and inner.exception() is not None):
                outer.cancel()
            elif isinstance(error := inner.exception(), BrokenProcessPool):
                self._give_up("a worker process has ended")
                try:
                    self._executor.submit(_finish, outer, fn, *args, **kwargs)
                except PoolClosed:
                    outer.cancel()
            elif error is not None:
                outer.set_exception(error)
            else:
                outer.set_result(inner.result())

        self._submit(fn, *args, **kwargs).add_done_callback(settle)
        return outer

    def _submit(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        try:
            with unseen_main(), no_signals():
                return self._executor.submit(fn, *args, **kwargs)
        except (OSError, EOFError, BrokenProcessPool) as error:  # EOF: the fork server has ended
            self._give_up(str(error))
            return self._executor.submit(fn, *args, **kwargs)

    def _give_up(self, why: str) -> None:
        with self._lock:
            if self._broken:
                return
            self._broken = True
            # Not shut down here: on 3.13 whoever tells us of a broken pool holds its lock.
            self._given_up, self._executor = self._executor, DaemonPool(1, "collectfasta-hash")
        self._warn(f"Hashing goes on without worker processes ({why}).")

    def close(self, *, at_once: bool = False) -> None:
        """End the workers: when they are done, or ``at_once``."""
        self._closed = True
        if self._given_up is not None:
            self._given_up.shutdown(wait=False, cancel_futures=True)
        if at_once:
            processes = dict(getattr(self._executor, "_processes", None) or {})
            manager = getattr(self._executor, "_executor_manager_thread", None)
            self._executor.shutdown(wait=False, cancel_futures=True)
            for process in processes.values():
                process.terminate()
            if manager is not None:  # else Python, if it ends now, may wake it as it is ending
                manager.join(PATIENCE)
        else:
            self._executor.shutdown(wait=True, cancel_futures=True)


def _finish(outer: Future[Any], fn: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    """Do in this process what a killed worker has left, for the future that is waiting."""
    try:
        result = fn(*args, **kwargs)
    except BaseException as error:  # noqa: BLE001 - it is handed to whoever asks for the result
        outer.set_exception(error)
    else:
        outer.set_result(result)


def prepare_worker() -> None:
    """In each worker: leave Ctrl-C to the parent, and do not outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: Any) -> None:
    parent.join()
    os._exit(1)


_MAIN_LOCK = threading.Lock()


@contextlib.contextmanager
def unseen_main() -> Iterator[None]:
    """While workers start, hide where ``__main__`` came from: they would run that file again, which
    enters the command once more if it has no ``__main__`` guard."""
    main = sys.modules["__main__"]
    with _MAIN_LOCK:
        kept = {
            name: main.__dict__[name] for name in ("__file__", "__spec__") if hasattr(main, name)
        }
        try:
            main.__dict__.pop("__file__", None)
            main.__dict__["__spec__"] = None
            yield
        finally:
            main.__dict__.pop("__spec__", None)
            main.__dict__.update(kept)


@contextlib.contextmanager
def no_signals() -> Iterator[None]:
    """Processes started meanwhile inherit a mask: a Ctrl-C never interrupts their own start.

    Only in threads other than the main one, which must go on hearing it.
    """
    if not hasattr(signal, "pthread_sigmask") or (
        threading.current_thread() is threading.main_thread()
    ):
        yield
        return
    old = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)
