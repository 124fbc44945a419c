"""Small files are read one after another, until the disk turns out to be slow."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from collectfasta.strategies import turns as module
from collectfasta.strategies.turns import SAMPLE, SLOW, Turns

PATIENCE = 30


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def lasting(clock: Clock, seconds: float) -> None:
    clock.now += seconds


def test_one_works_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes later waits until the first is through."""
    monkeypatch.setattr(module, "PATIENCE", PATIENCE)  # a busy machine is no disk that hangs
    turns = Turns(Clock())
    inside = threading.Semaphore(1)

    def work() -> bool:
        if not inside.acquire(blocking=False):
            return False
        time.sleep(0.001)  # as a call to the system: others may run
        inside.release()
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda _: turns.take(work), range(100)))


def test_a_slow_disk_is_waited_for_side_by_side() -> None:
    """Once most turns of a sample are slow, two can be inside at once."""
    clock = Clock()
    turns = Turns(clock)
    for _ in range(SAMPLE):
        assert not turns.over
        turns.take(lambda: lasting(clock, 2 * SLOW))
    assert turns.over
    barrier = threading.Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        met = [pool.submit(turns.take, lambda: barrier.wait(PATIENCE)) for _ in range(2)]
        assert sorted(future.result() for future in met) == [0, 1]


def test_a_few_slow_turns_are_no_slow_disk() -> None:
    """They have waited for something else; nor do they add up over many samples."""
    clock = Clock()
    turns = Turns(clock)
    for _ in range(10):
        for number in range(SAMPLE):
            turns.take(lambda slow=number % 2: lasting(clock, slow * 2 * SLOW))  # type: ignore[misc]  # a default
    assert not turns.over


def test_a_read_that_hangs_holds_nobody_up_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """One folder of several may be on a disk that does not answer."""
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    turns = Turns()
    inside, over = threading.Event(), threading.Event()

    def hang() -> bool:
        inside.set()
        return over.wait(PATIENCE)

    with ThreadPoolExecutor(1) as pool:
        hangs = pool.submit(turns.take, hang)
        assert inside.wait(PATIENCE)
        assert turns.take(lambda: 7) == 7
        assert turns.over
        over.set()
        assert hangs.result()


def test_an_error_ends_the_turn() -> None:
    """It reaches whoever has asked, and the next one gets in."""
    turns = Turns()
    with pytest.raises(ZeroDivisionError):
        turns.take(lambda: 1 // 0)
    assert turns.take(lambda: 7) == 7
    assert not turns.over  # nor had it to wait until nobody takes turns any more
