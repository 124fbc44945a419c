"""Listing: our names only, foreign objects jumped over, whatever the server is like."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectfasta.strategies.s3.listing import Listing, before
from tests.strategies.s3.kit import listing, only_sdk, opened, source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts.benchmarks.store import Store
    from tests.strategies.s3.kit import Transport


def fill(store: Store, *keys: str, body: bytes = b"x") -> None:
    strategy = opened(store)
    for key in keys:
        strategy._sdk.put(key, key, body, {})
    store.forget()


@pytest.mark.parametrize("location", ["", "static"])
def test_every_name_that_is_there_is_found(transport: Transport, location: str) -> None:
    """And nothing is that is not; with foreign objects before, between and after."""
    store = transport.store
    prefix = f"{location}/" if location else ""
    names = [f"{folder}/{number}.css" for folder in "bdf" for number in range(450)]
    for key in names[::2]:
        store.objects[prefix + key] = _stored(store)
    for key in ("a/x", "b/1.css.map", "c/x", "e", "g/x", "static-old/b/0.css"):
        store.objects[prefix + key] = _stored(store)
    found = listing(transport.opened(location=location), names)
    assert sorted(found) == sorted(names[::2])
    assert {remote.size for remote in found.values()} == {1}


@pytest.mark.parametrize("fast", [True, False], ids=["obstore", "the SDK"])
@pytest.mark.parametrize("stems", ["one", "scattered"])
def test_a_million_foreign_objects_cost_a_request_per_name_at_most(
    store: Store, monkeypatch: pytest.MonkeyPatch, fast: bool, stems: str
) -> None:
    """Under one prefix between ours, or scattered between our names."""
    if not fast:
        only_sdk(monkeypatch)
    names = [f"d/{number:03}.css" for number in range(60)]
    fill(store, *names)
    strategy = opened(store)
    assert len(listing(strategy, names)) == 60
    without = store.counts["ListObjectsV2"]
    store.pretend(1_000_000, ("d/030.css-",) if stems == "one" else [f"{n}-" for n in names])
    store.forget()
    assert len(listing(strategy, names)) == 60
    requests = sum(store.counts.values())
    assert requests <= without + (5 if stems == "one" else len(names))


def test_a_nearly_empty_bucket_takes_one_request_per_thousand_names(store: Store) -> None:
    """Side by side."""
    assert listing(opened(store), [f"{number}.css" for number in range(2500)]) == {}
    assert store.counts == {"ListObjectsV2": 3}


def test_a_foreign_key_that_obstore_cannot_read_is_left_to_the_sdk(store: Store) -> None:
    """An empty segment, a control character."""
    fill(store, "a.css", "a//c", "e/../f", "z.css")
    assert set(listing(opened(store), ["a.css", "z.css"])) == {"a.css", "z.css"}


def test_the_marker_of_a_folder_is_never_taken_for_a_file(store: Store) -> None:
    """obstore drops the slash at its end."""
    fill(store, "d/", "e/", "x/", body=b"")
    fill(store, "x", "x.css", "z")
    strategy = opened(store)
    assert set(listing(strategy, ["d", "e", "x", "x.css"])) == {"x", "x.css"}
    strategy.upload(source("d", b""))
    found = listing(strategy, ["d", "x"])
    assert {name: remote.size for name, remote in found.items()} == {"d": 0, "x": 1}


def test_a_marker_at_the_end_of_a_page_is_no_sign_of_disorder(store: Store) -> None:
    """Without its slash it seems to come too early; the whole bucket is not walked for that."""
    fill(store, "d.css", "d/", body=b"")
    store.pretend(5_000, ("a/",))
    assert set(listing(opened(store), ["d.cst"])) == set()
    assert store.counts["ListObjectsV2"] == 2


def test_a_server_that_starts_every_listing_at_the_beginning(store: Store) -> None:
    """Then everything is walked, page by page, rather than for ever."""
    fill(store, *(f"{number:03}.css" for number in range(30)))
    strategy = opened(store)
    sdk = strategy._sdk

    class Deaf:
        connection = sdk.connection
        pages = staticmethod(sdk.pages)

        def page(self, prefix: str, after: str, limit: int) -> Any:
            return sdk.page(prefix, "", 10)

    deaf = Listing("", Deaf(), None)  # type: ignore[arg-type]  # stands in for it
    wanted = {"000.css": "000.css", "029.css": "029.css", "100.css": "100.css"}
    found = [remote.name for page in deaf.find(wanted) for remote in page]
    assert sorted(set(found)) == ["000.css", "029.css"]


def test_a_directory_bucket_is_walked_since_it_lists_in_no_order(store: Store) -> None:
    """S3 Express knows no place to start at."""

    class Express:
        class connection:
            bucket = "static--use1-az4--x-s3"

        def pages(self, prefix: str) -> Iterator[list[tuple[str, int, str]]]:
            yield [("b.css", 1, "x"), ("a.css", 1, "y")]

    express = Listing("", Express(), None)  # type: ignore[arg-type]  # stands in for it
    wanted = {"a.css": "a.css"}
    assert [remote.etag for page in express.find(wanted) for remote in page] == ["y"]


def test_an_endpoint_where_nobody_listens_is_told_at_once(store: Store) -> None:
    """Without waiting for the SDK to find out the same."""
    from collectfasta.exceptions import DestinationError

    strategy = opened(store)
    store.stop()
    with pytest.raises(DestinationError, match=r"cannot be used: it does not answer\.$"):
        listing(strategy, ["a.css"])


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1))
def test_the_place_before_a_key_is_before_it(key: str) -> None:
    """In the order of UTF-8 bytes, which is the order of S3, and right before it."""
    start = before(key)
    assert start.encode() < key.encode()
    assert start[: len(key) - 1] == key[:-1]


def test_the_place_before_a_key_lies_after_its_neighbours() -> None:
    """So that a foreign prefix right before a name is jumped over."""
    for key, neighbour in [("a/b.css", "a/b.csr/x"), ("\ue000", "\ud7ff/x"), ("b", "a\U0010fffc")]:
        with contextlib.suppress(UnicodeEncodeError):
            assert neighbour.encode() < before(key).encode() < key.encode()
    assert before("a/0") == "a/"
    assert before("a/!") == "a/"


def _stored(store: Store) -> Any:
    from scripts.benchmarks.bucket import StoredObject

    return StoredObject(b"x", "9dd4e461268c8034f5c8564e155c67a6", {}, 0.0)
