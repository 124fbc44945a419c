"""Which folders of a container are asked for, shown on a container in memory that counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collectfasta.items import RemoteObject
from collectfasta.strategies.azureblob.folders import PAGE, Folders, Listed
from collectfasta.strategies.crawl import crawl

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Container:
    """Keys given out by prefix, a page at a time, as Azure does."""

    def __init__(self, keys: Iterable[str], wanted: Iterable[str]) -> None:
        self.keys = sorted(keys)
        self.wanted = set(wanted)
        self.requests: list[str] = []

    def fetch(self, prefix: str, limit: int, token: str) -> Listed:
        self.requests.append(prefix)
        keys = [key for key in self.keys if key.startswith(prefix)]
        first = int(token or 0)
        page = keys[first : first + limit]
        after = first + len(page)
        return Listed(
            {key: RemoteObject(key, 1, "1") for key in page if key in self.wanted},
            len(page),
            str(after) if after < len(keys) else "",
        )

    def list(self, names: Sequence[str], prefix: str = "") -> list[str]:
        pages = crawl(Folders(self.fetch, names, prefix).steps(), 4)
        return sorted(remote.name for page in pages for remote in page)


def _names(folder: str, count: int) -> list[str]:
    return [f"{folder}/{number:06}.css" for number in range(count)]


def test_a_container_that_holds_only_ours_is_listed_whole() -> None:
    """A page for every 5,000 blobs."""
    names = _names("static", 12_000)
    container = Container(names, names)
    assert container.list(names, "static/") == names
    assert len(container.requests) == 3


def test_many_names_are_split_by_folder() -> None:
    """So that pages are fetched side by side."""
    names = [name for folder in "abc" for name in _names(f"s/{folder}", 4000)]
    container = Container(names, names)
    assert container.list(names, "s/") == names
    assert sorted(container.requests) == ["s/a/", "s/b/", "s/c/"]


def test_small_folders_are_not_worth_a_request_each() -> None:
    """One file per folder, and more folders than a split is worth."""
    names = [f"s/{number:05}/a.css" for number in range(PAGE + 1)]
    container = Container(names, names)
    assert container.list(names, "s/") == names
    assert container.requests == ["s/", "s/"]


def test_a_foreign_folder_is_left_after_one_page() -> None:
    """A million uploads beside our files must not be walked."""
    names = ["a.css", *_names("static", 50), "static/deep/er/x.js", "z.css"]
    foreign = [f"media/{number:06}" for number in range(30_000)]
    container = Container([*names, *foreign], names)
    assert container.list(names) == sorted(names)
    assert len(container.requests) <= 4
    assert "media/" not in container.requests


def test_names_among_foreign_ones_are_asked_for_one_by_one() -> None:
    """In the same folder there is no other way; absent names are simply not found."""
    names = [f"static/{number:05}.css" for number in range(0, 20_000, 1000)]
    foreign = [f"static/{number:05}.jpg" for number in range(20_000)]
    container = Container([*names[:10], *foreign], names)
    assert container.list(names, "static/") == names[:10]
    assert len(container.requests) <= len(names) + 1


def test_a_name_that_begins_another_is_found() -> None:
    """``a`` sorts before ``a.map``: looked for by prefix, it comes first."""
    names = ["static/a", "static/a.map"]
    foreign = [f"static/{number:05}" for number in range(20_000)]
    container = Container([*names, *foreign], names)
    assert container.list(names, "static/") == names


def test_an_absent_name_that_begins_others_is_asked_for_once() -> None:
    """And is not taken for a folder of theirs."""
    names = ["static/a"]
    foreign = [f"static/a{number:05}" for number in range(20_000)]
    container = Container(foreign, names)
    assert container.list(names, "static/") == []
    assert len(container.requests) <= 2


def test_no_names_take_one_request_at_most() -> None:
    """A tree with no files."""
    container = Container(["a"], [])
    assert container.list([]) == []
    assert len(container.requests) <= 1
