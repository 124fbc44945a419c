"""Small files are read one after another, while the disk has them at hand.

A thread that reads lets go of Python's lock for each call to the system, and must queue for it
again behind all the others: with hundreds of threads that costs more than the reading. Where the
disk itself is slow (a network's), waiting side by side is what counts.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

SAMPLE = 32
"""Turns that are timed together. The disk is slow if most of them are: any one of them may have
waited for Python's lock."""

SLOW = 0.001
"""Seconds for one turn. From the page cache a small file takes a tenth of this, MD5 included."""

PATIENCE = 2.0
"""Seconds to wait for a turn: somebody reads from a disk that does not answer."""


class Turns:
    """Lets threads work one at a time, until that turns out to be slow; then all at once."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._count = 0
        self._slow = 0
        self.over = False
        """Whether all work side by side by now."""

    def take(self, work: Callable[[], T]) -> T:
        """What ``work`` returns or raises."""
        if self.over or not self._lock.acquire(timeout=PATIENCE):
            self.over = True
            return work()
        start = self._clock()
        try:
            return work()
        finally:
            self._note(self._clock() - start)
            self._lock.release()

    def _note(self, seconds: float) -> None:
        self._count += 1
        self._slow += seconds > SLOW
        if self._count == SAMPLE:
            self.over = self.over or self._slow > SAMPLE // 2
            self._count = self._slow = 0
