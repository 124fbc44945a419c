"""Threads that do one kind of work on whatever is put before them.

An executor makes a future for each piece of work, and its locks change hands ten times: for a small
file that costs more than sending it.
"""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Generic, TypeVar

from collectfasta.exceptions import CollectfastaError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")


def start_thread(thread: threading.Thread, *, needed: bool) -> bool:
    """Whether it has started. Raises ``CollectfastaError`` where the machine gives us no thread at
    all, although one is ``needed``."""
    try:
        thread.start()
    except (RuntimeError, MemoryError) as error:
        if not needed:
            return False
        raise CollectfastaError(f"This machine does not let us start a thread: {error}") from error
    return True


class Crew(Generic[T]):
    """Up to ``threads`` daemon threads that call ``work`` with each item; where that raises,
    ``failed`` is called with the item and the error. One thread puts and waits."""

    def __init__(
        self,
        threads: int,
        work: Callable[[T], object],
        failed: Callable[[T, BaseException], object],
    ) -> None:
        self._limit = threads
        self._work = work
        self._failed = failed
        self._items: queue.SimpleQueue[T | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._unfinished = 0
        self._mark = 0
        self._reached = threading.Event()
        self._closed = False

    def put(self, items: Sequence[T]) -> None:
        """Have ``items`` done, in their order as far as threads are free. Raises
        ``CollectfastaError`` where there is no thread at all; does nothing once closed."""
        with self._lock:
            if self._closed:
                return
            self._unfinished += len(items)
            wanted = min(self._limit, self._unfinished)
            for item in items:
                self._items.put(item)
        while len(self._threads) < wanted and self._start():
            pass

    def wait(self, most: int, seconds: float) -> bool:
        """Wait until no more than ``most`` items are unfinished, but no longer than that."""
        with self._lock:
            if self._unfinished <= most:
                return True
            self._mark = most
            self._reached.clear()
        return self._reached.wait(seconds)

    def close(self, *, wait: bool) -> None:
        """No more work: what nobody has begun is dropped. ``wait`` for what is being done."""
        with self._lock:
            self._closed = True
            self._drop()
            for _ in self._threads:
                self._items.put(None)
        if wait:
            for thread in self._threads:
                thread.join()

    def _drop(self) -> None:
        while True:
            try:
                self._items.get_nowait()
            except queue.Empty:
                return

    def _start(self) -> bool:
        name = f"collectfasta-io-{len(self._threads)}"
        thread = threading.Thread(target=self._run, name=name, daemon=True)
        if not start_thread(thread, needed=not self._threads):
            return False
        self._threads.append(thread)
        return True

    def _run(self) -> None:
        while (item := self._items.get()) is not None:
            try:
                self._work(item)
            except BaseException as error:  # noqa: BLE001 - whoever has put it is told
                self._failed(item, error)
            del item
            with self._lock:
                self._unfinished -= 1
                if self._unfinished == self._mark:
                    self._reached.set()  # with the lock, or it might wake a later wait
