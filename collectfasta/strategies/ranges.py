"""Which ranges of a bucket to list, so that foreign objects cost next to nothing.

Google and S3 list in the order of the keys' UTF-8 bytes, which is Python's order of strings, and
from any key on. So every page begins at a name that we want, and whatever lies between is jumped
over: no listing takes more requests than there are names.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from collectfasta.strategies.crawl import Page, Step

PAGE = 1000
"""Objects on a page: the most that the service gives."""
SMALL_PAGE = 32
"""Objects on a page where hardly any is ours."""
SPARSE = 100
"""Fewer than one of so many objects is ours: the next pages may be smaller."""
FAN = 16
"""Ranges at most that one is split into if it needs many requests, so that they go side by side."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One page: what it shows of ours, how many objects it holds, the key of the last one, and how
    to go on, if there is more."""

    objects: Page
    count: int
    last: str
    token: str


class Fetch(Protocol):
    """Ask for one page of the keys from ``start`` up to, not including, ``end``."""

    def __call__(self, start: str, end: str, limit: int, token: str) -> Listed: ...


class Ranges:
    """The steps of one listing of ``keys``: what the bucket calls the objects that we want."""

    def __init__(self, fetch: Fetch, keys: Iterable[str]) -> None:
        self._fetch = fetch
        self._keys = sorted(keys)

    def steps(self, threads: int) -> list[Step]:
        """One step for each thousand names, at most ``threads`` of them."""
        return self._split(self._keys, min(threads, -(-len(self._keys) // PAGE)), PAGE)

    def _split(self, keys: Sequence[str], parts: int, limit: int) -> list[Step]:
        width = max(1, -(-len(keys) // max(1, parts)))
        return [
            partial(self._step, keys[first : first + width], limit, "")
            for first in range(0, len(keys), width)
        ]

    def _step(self, keys: Sequence[str], limit: int, token: str) -> tuple[Page, list[Step]]:
        listed = self._fetch(keys[0], _after(keys[-1]), limit, token)
        if not listed.token:
            return listed.objects, []
        rest = keys[bisect_right(keys, listed.last) :]
        passed = len(keys) - len(rest)
        if not passed:  # an empty page, or a server that does not begin where it was told to
            return listed.objects, [partial(self._step, keys, limit, listed.token)]
        sparse = passed * SPARSE < listed.count
        wanted = max(SMALL_PAGE, limit // 4) if sparse else min(PAGE, limit * 4)
        pages = len(rest) // passed  # if they all are like this one
        return listed.objects, self._split(rest, min(FAN, max(1, pages // 2)), wanted)


def _after(key: str) -> str:
    """The end of a range that still holds ``key`` itself."""
    return key + " "
