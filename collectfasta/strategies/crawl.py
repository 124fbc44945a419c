"""Listings fetched in several pages at once, and sessions that fit a run.

A listing is a set of steps. Each step asks the storage for one page and answers with the objects
on it and with the steps that follow from it, so that ranges and folders are walked side by side.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import TYPE_CHECKING

from collectfasta.items import RemoteObject
from collectfasta.pipeline.workers import DaemonPool

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Page = list[RemoteObject]
Step = Callable[[], "tuple[Page, list[Step]]"]


def crawl(steps: Sequence[Step], threads: int) -> Iterator[Page]:
    """The pages of all ``steps`` and of those that follow, as they come, empty ones left out.

    Whatever a step raises ends the listing. Never more than ``threads`` requests at a time.
    """
    pool = DaemonPool(max(1, threads), "collectfasta-list")
    try:
        running: set[Future[tuple[Page, list[Step]]]] = {pool.submit(step) for step in steps}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                page, following = future.result()
                running.update(pool.submit(step) for step in following)
                if page:
                    yield page
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
