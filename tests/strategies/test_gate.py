"""Requests in flight follow what the store bears."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from collectfasta.strategies.gate import PAUSE, SAMPLE, Gate


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


def test_refusals_halve_what_may_be_in_flight_once_in_a_while() -> None:
    """The other answers to what was under way count as the same refusal."""
    clock = Clock()
    gate = Gate(32, clock)
    for seconds, limit in [(0, 16), (0.1, 16), (0.3, 8), (0.6, 4), (0.9, 2), (1.2, 1), (1.5, 1)]:
        clock.now = seconds
        refuse(gate)
        assert gate.limit == limit


def test_a_stray_refusal_halves_nothing() -> None:
    """One in ten is no overload, however long it goes on; two in five are."""
    clock = Clock()
    gate = Gate(32, clock)
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


def test_too_few_answers_are_nothing_to_go_by() -> None:
    """Whatever they say."""
    gate = Gate(32, Clock())
    refuse(gate, SAMPLE - 1)
    assert gate.limit == 32
    refuse(gate, 1)
    assert gate.limit == 16


def test_successes_raise_it_slowly_to_where_it_was() -> None:
    """By one for each round of all that is in flight; failures do not."""
    gate = Gate(4, Clock())
    refuse(gate)
    assert gate.limit == 2
    for _ in range(10):
        with pytest.raises(ZeroDivisionError):
            gate.run(lambda: 1 // 0)
    assert gate.limit == 2
    succeed(gate, 3)
    assert gate.limit == 3
    succeed(gate, 100)
    assert gate.limit == 4


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
    """The limit is the number of threads anyway."""
    gate = Gate(1)
    barrier = threading.Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        met = [pool.submit(gate.run, lambda: barrier.wait(30)) for _ in range(2)]
        assert sorted(future.result() for future in met) == [0, 1]
