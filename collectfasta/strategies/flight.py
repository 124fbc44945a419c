"""How many bytes may be on their way at once."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

BOUND = 16 * 1024 * 1024
"""Bytes in flight: what a link of 20 Mbit/s carries in 7 seconds."""

SMALL = 64 * 1024
"""Bytes. 256 bodies below this are 16 MiB at most: not worth a lock that all threads share."""


class Flight:
    """A bound on the bytes that all uploads together hold in memory and on the wire.

    First come, first served: a large file does not wait until all small ones are gone.
    """

    def __init__(self, bound: int = BOUND) -> None:
        self.bound = bound
        self._free = bound
        self._lock = threading.Lock()
        self._waiting: deque[tuple[int, threading.Event]] = deque()

    @contextmanager
    def hold(self, size: int) -> Iterator[None]:
        """Wait until ``size`` bytes fit. What is larger than the whole bound goes alone.

        Never hold twice in one thread: two threads that did could wait for each other.
        """
        if size < SMALL:
            yield
            return
        wanted = min(size, self.bound)
        self.take(wanted)
        try:
            yield
        finally:
            self.give(wanted)

    def take(self, size: int) -> None:
        """Like ``hold``, for bytes that another thread gives back; no more than the bound."""
        with self._lock:
            if not self._waiting and self._free >= size:
                self._free -= size
                return
            turn = threading.Event()
            self._waiting.append((size, turn))
        turn.wait()

    def give(self, size: int) -> None:
        """What ``take`` has taken, or a part of it."""
        with self._lock:
            self._free += size
            while self._waiting and self._free >= self._waiting[0][0]:
                taken, turn = self._waiting.popleft()
                self._free -= taken
                turn.set()
