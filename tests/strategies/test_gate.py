"""Requests in flight follow what the store bears."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from collectfasta.strategies.gate import PAUSE, SAMPLE, Gate

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def refuse(gate: Gate, times: int = SAMPLE) -> None:
    for _ in range(times):
        gate.slow_down()


def succeed(gate: Gate, times: int) -> None:
    for _ in range(times):
        gate.run(lambda: None)


def crowded(gate: Gate, meanwhile: Callable[[], None]) -> None:
    """``meanwhile`` in the innermost of as many requests as may be in flight."""

    def inside(left: int) -> None:
        gate.run((lambda: inside(left - 1)) if left else meanwhile)

    gate.slow_down()  # from now on they are counted
    inside(gate.limit - 1)


def test_refusals_halve_what_is_in_flight_once_in_a_while() -> None:
    """The other answers to what was under way count as the same refusal."""
    clock = Clock()
    gate = Gate(32, clock=clock)

    def refused() -> None:
        for seconds, limit in [
            (0.3, 16),
            (0.4, 16),
            (0.6, 8),
            (0.9, 4),
            (1.2, 2),
            (1.5, 1),
            (2, 1),
        ]:
            clock.now = seconds
            refuse(gate)
            assert gate.limit == limit

    crowded(gate, refused)


def test_few_that_are_in_flight_are_halved_and_not_the_limit_that_was_never_reached() -> None:
    """As in TCP. Otherwise the first refusals would change nothing."""
    clock = Clock()
    gate = Gate(256, clock=clock)
    gate.slow_down()
    clock.now = PAUSE
    gate.run(lambda: gate.run(lambda: refuse(gate)))
    assert gate.limit == 2  # one, and the two successes


def test_a_stray_refusal_halves_nothing() -> None:
    """One in ten is no overload, however long it goes on; two in five are."""
    clock = Clock()
    gate = Gate(32, clock=clock)
    gate.slow_down()
    for _ in range(100):
        clock.now += PAUSE
        succeed(gate, 9)
        gate.slow_down()
        assert gate.limit == 32
    for _ in range(10):
        clock.now += PAUSE
        succeed(gate, 3)
        refuse(gate, 2)
    assert gate.limit < 32


def test_the_first_refusals_say_little() -> None:
    """Nobody has counted the answers that came with them, nor those to what was under way."""
    clock = Clock()
    clock.now = 1000.0
    gate = Gate(32, clock=clock)
    refuse(gate, SAMPLE + 1)
    assert gate.limit == 32
    clock.now += PAUSE
    succeed(gate, 5 * SAMPLE)
    gate.slow_down()
    assert gate.limit == 32


def test_whoever_tries_less_often_can_bear_fewer_refusals() -> None:
    """One in ten is too many for the SDK."""
    clock = Clock()
    gate = Gate(32, 0.05, clock)
    gate.slow_down()
    clock.now = PAUSE
    succeed(gate, 9)
    gate.slow_down()
    assert gate.limit == 1


def test_successes_raise_it_slowly_to_where_it_was() -> None:
    """By one for each round of all that is in flight; failures do not."""
    clock = Clock()
    gate = Gate(8, clock=clock)

    def refused() -> None:
        clock.now = PAUSE
        refuse(gate)
        assert gate.limit == 4

    crowded(gate, refused)
    assert gate.limit == 5  # by the eight that were in flight, and have succeeded
    for _ in range(10):
        with pytest.raises(ZeroDivisionError):
            gate.run(lambda: 1 // 0)
    assert gate.limit == 5
    succeed(gate, 100)
    assert gate.limit == 8


def test_never_more_than_the_limit_are_in_flight() -> None:
    """However many threads ask, once there has been a refusal; and all get through."""
    gate = Gate(3)
    gate.slow_down()
    lock = threading.Lock()
    inside, most = 0, 0

    def request() -> int:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        time.sleep(0.0005)  # as a request: others may run
        with lock:
            inside -= 1
        return 7

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(lambda _: gate.run(request), range(300))) == {7}
    assert most == 3
    assert inside == 0


def test_before_the_first_refusal_nobody_waits() -> None:
    """There is nothing to go by."""
    gate = Gate(1)
    barrier = threading.Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        met = [pool.submit(gate.run, lambda: barrier.wait(30)) for _ in range(2)]
        assert sorted(future.result() for future in met) == [0, 1]
