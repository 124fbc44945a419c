"""As many requests in flight as a store bears: fewer when it says slow down, slowly more again.

Additive increase, multiplicative decrease, as TCP does it (RFC 5681, section 3.1).
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

PAUSE = 0.25
"""Seconds between two decreases: the answers to what was already under way tell nothing new."""

SAMPLE = 8
"""Answers at least that a decrease is founded on."""

SHARE = 0.25
"""Of the answers, refusals that are too many where each request is tried again for minutes: fewer
keep the store busy."""


class Gate:
    """What each request passes through; ``slow_down`` is called for each refusal.

    Costs nothing until the first refusal.
    """

    def __init__(
        self, most: int, share: float = SHARE, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most = most
        self._share = share
        self._limit = float(most)
        self._in_flight = 0
        self._clock = clock
        self._changed = threading.Condition()
        self._calm = True
        self._decided = 0.0
        self._answers = 0
        self._refusals = 0

    @property
    def limit(self) -> int:
        """Requests that may be in flight now; always at least one."""
        return int(self._limit)

    def run(self, request: Callable[[], T]) -> T:
        """What ``request`` returns or raises, once there is room for it."""
        if self._calm:
            return request()
        with self._changed:
            self._changed.wait_for(lambda: self._in_flight < self.limit)
            self._in_flight += 1
        done = False
        try:
            result = request()
            done = True
        finally:
            self._leave(done)
        return result

    def _leave(self, done: bool) -> None:
        with self._changed:
            self._in_flight -= 1
            if done:
                self._answers += 1
                self._limit = min(self._most, self._limit + 1 / self._limit)
            self._changed.notify()

    def slow_down(self) -> None:
        """The store has answered 503 or 429."""
        now = self._clock()
        with self._changed:
            if self._calm:  # nobody has counted so far
                self._calm, self._decided = False, now
                return
            self._answers += 1
            self._refusals += 1
            if self._answers < SAMPLE or now - self._decided < PAUSE:
                return
            if self._refusals > self._share * self._answers:
                # Of what is in flight, as in TCP: the limit may never have been reached.
                self._limit = max(1.0, min(self._limit, self._in_flight) / 2)
            self._decided = now
            self._answers = self._refusals = 0
