"""As many requests in flight as a store bears: fewer when it says slow down, slowly more again.

Additive increase, multiplicative decrease, as TCP does it (RFC 5681, section 3.1).
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PAUSE = 1.0
"""Seconds between two decreases: the answers to what was already under way tell nothing new."""


class Gate:
    """A context manager around each request; ``slow_down`` is called for each refusal."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._limit = float(most)
        self._in_flight = 0
        self._clock = clock
        self._decreased = -PAUSE
        self._changed = threading.Condition()

    @property
    def limit(self) -> int:
        """Requests that may be in flight now; always at least one."""
        return int(self._limit)

    def __enter__(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._in_flight < self.limit)
            self._in_flight += 1

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._changed:
            self._in_flight -= 1
            if kind is None:
                self._limit = min(self._most, self._limit + 1 / self._limit)
            self._changed.notify()

    def slow_down(self) -> None:
        """The store has answered 503 or 429."""
        now = self._clock()
        with self._changed:
            if now - self._decreased >= PAUSE:
                self._decreased = now
                self._limit = max(1.0, self._limit / 2)
