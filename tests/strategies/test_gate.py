"""Requests in flight follow what the store bears."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from collectfasta.strategies.gate import Gate


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_refusal_halves_what_may_be_in_flight_once_a_second() -> None:
    """The other answers to what was under way count as the same refusal."""
    clock = Clock()
    gate = Gate(32, clock)
    for seconds, limit in [(0.0, 16), (0.5, 16), (1.0, 8), (9.0, 4), (20.0, 2), (30, 1), (40, 1)]:
        clock.now = seconds
        gate.slow_down()
        assert gate.limit == limit


def test_successes_raise_it_slowly_to_where_it_was() -> None:
    """By one for each round of all that is in flight; failures do not."""
    gate = Gate(4, Clock())
    gate.slow_down()
    assert gate.limit == 2
    with pytest.raises(ValueError, match="no"), gate:
        raise ValueError("no")
    assert gate.limit == 2
    for _ in range(3):
        with gate:
            pass
    assert gate.limit == 3
    for _ in range(100):
        with gate:
            pass
    assert gate.limit == 4


def test_never_more_than_the_limit_are_in_flight() -> None:
    """However many threads ask."""
    gate = Gate(3)
    lock = threading.Lock()
    inside, most = 0, 0

    def request(_: int) -> None:
        nonlocal inside, most
        with gate:
            with lock:
                inside += 1
                most = max(most, inside)
            with lock:
                inside -= 1

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(request, range(500)))
    assert most <= 3
    assert inside == 0
