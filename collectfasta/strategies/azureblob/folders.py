"""Which folders of a container to list, so that foreign blobs cost next to nothing.

Azure lists by prefix only. A folder that turns out to hold mostly what is not ours is left after
that page, and its subfolders are listed instead, down to single names. Many names are split by
folder from the start, so that several pages are fetched at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from collectfasta.items import RemoteObject
    from collectfasta.strategies.crawl import Page, Step

PAGE = 5000
"""Blobs on a page: the most that the service gives."""
SPARSE = 100
"""Fewer than one of so many blobs is ours: time to go deeper."""
WORTH = 1000
"""Names that a folder must hold on average for a request of its own."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One page: what it shows of ours, by key, how many blobs it holds, and how to go on, if there
    is more."""

    objects: dict[str, RemoteObject]
    count: int
    token: str


class Fetch(Protocol):
    """Ask for one page of the keys that begin with ``prefix``."""

    def __call__(self, prefix: str, limit: int, token: str) -> Listed: ...


class Folders:
    """The steps of one listing of ``keys``: what the container calls the blobs that we want, all
    under ``prefix``."""

    def __init__(self, fetch: Fetch, keys: Iterable[str], prefix: str) -> None:
        self._fetch = fetch
        self._keys = set(keys)
        self._prefix = prefix

    def steps(self) -> list[Step]:
        """The first requests: of one folder, or of several where there are many names."""
        return list(self._begin(self._prefix, self._keys))

    def _begin(self, prefix: str, keys: set[str]) -> Iterator[Step]:
        groups = _children(prefix, keys)
        if len(keys) <= PAGE or len(groups) * WORTH > len(keys):
            yield partial(self._step, prefix, keys, "")
            return
        for child, inside in groups.items():
            yield from self._begin(child, inside)

    def _step(self, prefix: str, keys: set[str], token: str) -> tuple[Page, list[Step]]:
        single = prefix in keys  # a name sorts before all that it begins: it comes first, if at all
        listed = self._fetch(prefix, 1 if single else PAGE, token)
        page = list(listed.objects.values())
        rest = keys.difference(listed.objects)
        if single or not listed.token or not rest:
            return page, []
        if (len(keys) - len(rest)) * SPARSE >= listed.count:
            return page, [partial(self._step, prefix, rest, listed.token)]
        return page, [
            partial(self._step, child if len(inside) > 1 else next(iter(inside)), inside, "")
            for child, inside in _children(prefix, rest).items()
        ]


def _children(prefix: str, keys: Iterable[str]) -> dict[str, set[str]]:
    """``keys`` by the folder that they are in, one level below ``prefix``; a key that is in none
    is by itself."""
    groups: dict[str, set[str]] = {}
    start = len(prefix)
    for key in keys:
        slash = key.find("/", start)
        groups.setdefault(key if slash < 0 else key[: slash + 1], set()).add(key)
    return groups
