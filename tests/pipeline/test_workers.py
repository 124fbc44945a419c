"""The pool of daemon threads."""

from __future__ import annotations

import resource
import threading
from typing import TYPE_CHECKING

import pytest

from collectfasta.exceptions import CollectfastaError
from collectfasta.pipeline.workers import DaemonPool, bounded

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 30


def test_results_and_errors_come_back() -> None:
    """As from any executor."""
    with DaemonPool(2) as pool:
        assert pool.submit(divmod, 7, 2).result(PATIENCE) == (3, 1)
        with pytest.raises(ZeroDivisionError):
            pool.submit(divmod, 1, 0).result(PATIENCE)


def test_threads_are_daemons_and_no_more_than_allowed() -> None:
    """All of them can be busy at once, and none is started that is not needed."""
    barrier = threading.Barrier(3)
    names: set[str] = set()

    def meet() -> None:
        assert threading.current_thread().daemon
        names.add(threading.current_thread().name)
        barrier.wait(PATIENCE)

    with DaemonPool(3) as pool:
        for future in [pool.submit(meet) for _ in range(6)]:
            future.result(PATIENCE)
    assert len(names) == 3


def test_an_idle_thread_is_used_again() -> None:
    """One job after the other needs one thread."""
    with DaemonPool(8) as pool:
        for _ in range(20):
            pool.submit(int).result(PATIENCE)
            while pool._idle._value < len(pool._threads):
                pass
        assert len(pool._threads) == 1


def test_after_shutdown_nothing_is_taken() -> None:
    """And what was waiting is cancelled if that is wanted."""
    release = threading.Event()
    started = threading.Event()

    def hang() -> None:
        started.set()
        release.wait(PATIENCE)

    pool = DaemonPool(1)
    running = pool.submit(hang)
    waiting = pool.submit(int)
    assert started.wait(PATIENCE)
    pool.shutdown(wait=False, cancel_futures=True)
    assert waiting.cancelled()
    with pytest.raises(RuntimeError):
        pool.submit(int)
    release.set()
    running.result(PATIENCE)
    pool.shutdown(wait=True)
    assert not any(thread.is_alive() for thread in pool._threads)


def test_a_future_cancelled_in_time_is_never_run() -> None:
    """A thread that takes it lets it go."""
    release = threading.Event()
    ran: list[int] = []
    with DaemonPool(1) as pool:
        blocker = pool.submit(release.wait, PATIENCE)
        waiting = pool.submit(ran.append, 1)
        assert waiting.cancel()
        release.set()
        blocker.result(PATIENCE)
    assert ran == []


def test_a_machine_short_of_threads_makes_do_with_those_it_gives(
    scarce: Callable[[int], None],
) -> None:
    """No job is lost; without a single thread the error is one line."""
    scarce(2)
    with DaemonPool(8) as pool:
        futures = [pool.submit(divmod, number, 2) for number in range(50)]
        assert [future.result(PATIENCE)[0] for future in futures] == [n // 2 for n in range(50)]
    scarce(0)
    with DaemonPool(8) as pool, pytest.raises(CollectfastaError, match="start a thread"):
        pool.submit(int)


@pytest.mark.parametrize(
    ("limit", "threads"), [(1024, 128), (256, 104), (64, 8), (10, 1), (resource.RLIM_INFINITY, 128)]
)
def test_threads_are_no_more_than_there_are_descriptors_for(
    monkeypatch: pytest.MonkeyPatch, limit: int, threads: int
) -> None:
    """A file and a socket each, beside what the process has open anyway."""
    monkeypatch.setattr(resource, "getrlimit", lambda which: (limit, limit))
    assert bounded(128) == threads
