"""Which ranges of a bucket are asked for, shown on a bucket in memory that counts requests."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

import pytest

from collectfasta.items import RemoteObject
from collectfasta.strategies.crawl import crawl
from collectfasta.strategies.ranges import Listed, Ranges

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Bucket:
    """Keys in order, given out a page at a time, as Google does."""

    def __init__(self, keys: Iterable[str], wanted: Iterable[str], *, offsets: bool = True) -> None:
        self.keys = sorted(keys)
        self.wanted = set(wanted)
        self.requests: list[tuple[str, int]] = []
        self.offsets = offsets

    def fetch(self, start: str, end: str, limit: int, token: str) -> Listed:
        self.requests.append((start, limit))
        first = int(token) if token else bisect_left(self.keys, start) if self.offsets else 0
        stop = bisect_left(self.keys, end) if self.offsets else len(self.keys)
        page = self.keys[first : min(stop, first + limit)]
        after = first + len(page)
        return Listed(
            [RemoteObject(key, 1, "1") for key in page if key in self.wanted],
            len(page),
            page[-1] if page else "",
            str(after) if after < stop else "",
        )

    def list(self, names: Sequence[str], threads: int = 4) -> list[str]:
        steps = Ranges(self.fetch, names).steps(threads)
        return sorted(remote.name for page in crawl(steps, threads) for remote in page)


def _names(count: int) -> list[str]:
    return [f"static/{number:06}.css" for number in range(count)]


def test_a_bucket_that_holds_only_ours_takes_a_request_per_thousand() -> None:
    """Pages are full, whatever the number of ranges."""
    names = _names(5500)
    bucket = Bucket(names, names)
    assert bucket.list(names, threads=8) == names
    assert len(bucket.requests) == 6


def test_names_that_are_absent_are_not_found_and_cost_nothing() -> None:
    """An empty bucket is one request."""
    names = _names(50)
    bucket = Bucket([], names)
    assert bucket.list(names) == []
    assert len(bucket.requests) == 1


def test_no_names_take_no_request() -> None:
    """A tree with no files."""
    bucket = Bucket(_names(5), [])
    assert bucket.list([]) == []
    assert bucket.requests == []


def test_a_long_foreign_stretch_is_jumped_over() -> None:
    """What lies between two of our names is not walked, only touched."""
    names = ["a.css", "z.css"]
    bucket = Bucket([*names, *(f"m/{number}" for number in range(20_000))], names)
    assert bucket.list(names) == names
    assert len(bucket.requests) <= 2


def test_many_requests_for_one_range_go_side_by_side() -> None:
    """Foreign objects after each tenth name: one request for each such stretch, few in a row."""
    names = _names(1000)
    foreign = [f"{name}~{number:04}" for name in names[9::10] for number in range(3000)]
    bucket = Bucket(foreign, names)
    steps, rounds = Ranges(bucket.fetch, names).steps(4), 0
    while steps:
        rounds += 1
        steps = [following for step in steps for following in step()[1]]
    assert rounds <= 8
    assert len(bucket.requests) < 300


def test_scattered_foreign_objects_cost_at_most_a_request_per_name() -> None:
    """1,000 foreign objects after each of ours: the promise of a bucket that is not ours alone."""
    names = _names(100)
    foreign = [f"{name}/{number}" for name in names for number in range(1000)]
    bucket = Bucket([*names, *foreign], names)
    assert bucket.list(names) == names
    assert len(bucket.requests) <= len(names)
    assert min(limit for _, limit in bucket.requests) < 100, "small pages where hardly any is ours"


def test_pages_grow_again_where_ours_are_dense() -> None:
    """Foreign objects at the beginning must not make the rest slow."""
    names = ["a.css", *_names(4000)]
    foreign = [f"b/{number}" for number in range(20_000)]
    bucket = Bucket([*names, *foreign], names)
    assert bucket.list(names, threads=1) == names
    assert len(bucket.requests) < 30


@pytest.mark.parametrize("count", [500, 2500])
def test_a_server_that_knows_no_offsets_is_still_listed_whole(count: int) -> None:
    """An emulator may begin at the bucket's first key whatever it is told."""
    names = _names(count)
    bucket = Bucket([*(f"a/{number:05}" for number in range(1500)), *names], names, offsets=False)
    assert set(bucket.list(names)) == set(names)


def test_an_empty_page_with_a_token_is_followed() -> None:
    """The service may give a page with nothing on it, and more behind it."""
    answers = iter([Listed([], 0, "", "more"), Listed([RemoteObject("a", 1, "1")], 1, "a", "")])
    steps = Ranges(lambda start, end, limit, token: next(answers), ["a"]).steps(1)
    assert [remote.name for page in crawl(steps, 1) for remote in page] == ["a"]


def test_what_a_step_raises_ends_the_listing() -> None:
    """An error on one page must not become an absent object."""

    def fail(start: str, end: str, limit: int, token: str) -> Listed:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        list(crawl(Ranges(fail, _names(3000)).steps(4), 4))
