"""The threads that publish."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from collectfasta.exceptions import CollectfastaError
from collectfasta.pipeline.crew import Crew

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 30


def never(item: object, error: BaseException) -> None:
    raise AssertionError(item) from error


def test_each_item_is_done_once_by_as_many_threads_as_allowed() -> None:
    """All of them can be busy at once, and they are daemons."""
    barrier = threading.Barrier(3)
    done: list[int] = []
    threads: set[threading.Thread] = set()

    def meet(item: int) -> None:
        barrier.wait(PATIENCE)
        threads.add(threading.current_thread())
        done.append(item)

    crew = Crew(3, meet, never)
    crew.put(range(5))
    crew.put([5])
    assert crew.wait(0, PATIENCE)
    crew.close(wait=True)
    assert sorted(done) == list(range(6))
    assert len(threads) == 3
    assert all(thread.daemon and not thread.is_alive() for thread in threads)


def test_no_thread_is_started_that_is_not_needed() -> None:
    """Two items need no more than two."""
    crew: Crew[int] = Crew(8, int, never)
    crew.put([1, 2])
    assert len(crew._threads) == 2
    crew.close(wait=True)


def test_whoever_waits_wakes_when_few_enough_are_left() -> None:
    """And at the latest when the time is over."""
    steps = [threading.Event() for _ in range(3)]
    crew: Crew[int] = Crew(1, lambda number: steps[number].wait(PATIENCE), never)
    crew.put(range(3))
    assert not crew.wait(2, 0.01)
    assert crew.wait(3, PATIENCE)
    steps[0].set()
    assert crew.wait(2, PATIENCE)
    assert not crew.wait(1, 0.01)
    for step in steps:
        step.set()
    assert crew.wait(0, PATIENCE)
    crew.close(wait=True)


def test_a_wake_up_that_comes_late_is_not_taken_for_a_later_one() -> None:
    """Or a phase would end before its files are published."""
    told_to_wait = threading.Event()
    steps = [threading.Event() for _ in range(2)]

    class Late(threading.Event):
        """Wakes after whoever waits next has begun to, if it can."""

        def set(self) -> None:
            told_to_wait.wait(0.5)
            super().set()

        def clear(self) -> None:
            super().clear()
            told_to_wait.set()

    crew: Crew[int] = Crew(1, lambda number: steps[number].wait(PATIENCE), never)
    crew._mark = 1
    crew._reached = Late()
    crew.put(range(2))
    steps[0].set()
    while crew._unfinished > 1:
        pass
    assert not crew.wait(0, 1)
    steps[1].set()
    assert crew.wait(0, PATIENCE)
    crew.close(wait=True)


def test_errors_are_handed_on_with_their_item_and_stop_nothing() -> None:
    """Whatever their kind."""
    told: list[tuple[str, str]] = []

    def tell(item: str, error: BaseException) -> None:
        told.append((item, type(error).__name__))

    crew: Crew[str] = Crew(1, int, tell)
    crew.put(["a", "1", "b"])
    assert crew.wait(0, PATIENCE)
    crew.close(wait=True)
    assert told == [("a", "ValueError"), ("b", "ValueError")]


@pytest.mark.parametrize(("threads", "waiting"), [(1, [2, 3]), (2, [])])
def test_once_closed_nothing_new_is_begun(threads: int, waiting: list[int]) -> None:
    """What waits is dropped, what comes is not taken, what is being done ends."""
    begun, release = threading.Event(), threading.Event()
    done: list[int] = []

    def work(item: int) -> None:
        begun.set()
        release.wait(PATIENCE)
        done.append(item)

    crew = Crew(threads, work, never)
    crew.put([1, *waiting])
    assert begun.wait(PATIENCE)
    crew.close(wait=False)
    crew.put([4])
    release.set()
    crew._threads[0].join(1)
    crew.close(wait=True)
    assert done == [1]


def test_a_machine_short_of_threads_makes_do(scarce: Callable[[int], None]) -> None:
    """No item is lost; without a single thread the error is one line."""
    done: list[int] = []
    crew = Crew(8, done.append, never)
    scarce(2)
    crew.put(range(50))
    assert crew.wait(0, PATIENCE)
    assert sorted(done) == list(range(50))
    crew.close(wait=True)
    scarce(0)
    none: Crew[int] = Crew(8, done.append, never)
    with pytest.raises(CollectfastaError, match="start a thread"):
        none.put([1])
    none.close(wait=True)
