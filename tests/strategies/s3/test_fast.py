"""obstore: what it may carry, and what its errors mean."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from collectfasta.exceptions import DestinationError, UploadError
from collectfasta.strategies.boto3 import Boto3Strategy
from collectfasta.strategies.s3 import fast as module
from collectfasta.strategies.s3.fast import STORES
from collectfasta.strategies.s3.shapes import shape_of, shows
from scripts.benchmarks.faults import Kind
from tests.strategies.s3.kit import MIB, kept, opened, source, storage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scripts.benchmarks.store import Store


def test_parameters_become_attributes_and_headers() -> None:
    """Metadata under its own names, the rest as S3 calls it."""
    assert shape_of(
        {
            "ContentType": "text/css",
            "CacheControl": "max-age=1",
            "Metadata": {"owner": "web"},
            "ACL": "private",
            "Tagging": "a=b",
        }
    ) == (
        {"Content-Type": "text/css", "Cache-Control": "max-age=1", "owner": "web"},
        (("x-amz-acl", "private"), ("x-amz-tagging", "a=b")),
    )


@pytest.mark.parametrize(
    "params",
    [
        {"Expires": "Sun, 01 Jan 2040 00:00:00 GMT"},
        {"ChecksumAlgorithm": "SHA256"},
        {"SSECustomerKey": "k"},
        {"ContentType": 3},
        {"ContentType": "text/ü"},
        {"ContentType": " text/css"},
        {"ContentDisposition": ""},
        {"ContentDisposition": "a\nb"},
        {"ACL": True},
        {"Metadata": {"ü": "x"}},
        {"Metadata": {"content-type": "x"}},
        {"Metadata": {"a": 1}},
        {"Metadata": ["a"]},
    ],
)
def test_what_it_cannot_carry_is_left_to_the_sdk(params: dict[str, Any]) -> None:
    """Which sends it, or says what is wrong with it."""
    assert shape_of(params) is None


def test_the_sdk_carries_what_it_cannot(store: Store) -> None:
    """In the middle of a run that otherwise goes the fast way."""

    class Mixed:
        def get_object_parameters(self, name: str) -> dict[str, str]:
            odd = {"Expires": "Sun, 01 Jan 2040 00:00:00 GMT"}
            return odd if name == "odd.css" else {}

    strategy = opened(store, Mixed)
    for name in ("a.css", "odd.css", "b.css"):
        strategy.upload(source(name))
    assert kept(store, "odd.css")["expires"] == "Sun, 01 Jan 2040 00:00:00 GMT"
    assert "expires" not in kept(store, "a.css")
    assert strategy.transport() == "s3: obstore"


@pytest.mark.parametrize("key", ["a//b", "./a", "a/../b", "a/.", "tab\there"])
def test_keys_that_it_would_alter_are_left_to_the_sdk(store: Store, key: str) -> None:
    """Or refuse."""
    strategy = opened(store)
    assert strategy._fast is not None
    strategy._fast.put(key, key, b"x", {"ContentType": "text/css"}, "print")
    assert list(store.objects) == [key]


def test_more_sets_of_headers_than_stores_are_left_to_the_sdk(store: Store) -> None:
    """Each store has connections of its own."""

    class Tagged:
        def get_object_parameters(self, name: str) -> dict[str, str]:
            return {"Tagging": f"name={name.partition('.')[0]}"}

    strategy = opened(store, Tagged)
    for number in range(STORES + 3):
        strategy.upload(source(f"{number}.css"))
    assert strategy._fast is not None
    assert len(strategy._fast._stores) == STORES
    for number in range(STORES + 3):
        assert kept(store, f"{number}.css")["x-amz-tagging"] == f"name={number}"


def test_shapes_are_not_kept_without_end(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run with headers of each file's own must not grow with it."""
    monkeypatch.setattr(module, "SHAPES", 2)
    strategy = opened(store)
    assert strategy._fast is not None
    for number in range(4):
        strategy._fast.put("a", "a", b"", {"CacheControl": f"max-age={number}"}, f"{number}")
    assert len(strategy._fast._shapes) == 2
    assert kept(store, "a")["cache-control"] == "max-age=3"


def impatient(strategy: Any, seconds: float = 1.0) -> None:
    """Stores that give up after two retries."""
    make = strategy._fast._options.store

    class Options:
        def store(self, _: float, headers: Any, retries: int) -> Any:
            return make(seconds, headers, min(retries, 2))

    strategy._fast._options = Options()


@pytest.mark.parametrize(
    ("trouble", "kind", "line", "tries"),
    [
        (lambda store: store.fail("PutObject", status=503), UploadError,
         r"^a\.css: the storage answered 503, again and again\.$", 4),
        (lambda store: store.fail("PutObject", status=500), UploadError, "answered 500", 4),
        (lambda store: store.strike(Kind.RESET, "PutObject"), UploadError,
         r"^a\.css: the storage cut the connection, again and again\.$", 4),
        (lambda store: store.strike(Kind.TRUNCATE, "PutObject"), UploadError, "cut the conn", 4),
        (lambda store: store.hang("PutObject"), DestinationError, r"it does not answer\.$", 4),
        (lambda store: store.stop(), DestinationError, r"it does not answer\.$", 0),
    ],
    ids=["503", "500", "reset", "truncated", "hung", "dead"],
)  # fmt: skip
def test_what_was_retried_in_vain_is_told(
    store: Store, trouble: Callable[[Store], Any], kind: type[Exception], line: str, tries: int
) -> None:
    """One file, or all of them; the SDK is not asked to try it all again."""
    strategy = opened(store)
    impatient(strategy, 1.0 if "does not" in line and tries else 30)
    trouble(store)
    with pytest.raises(kind, match=line) as failure:
        strategy.upload(source("a.css"))
    assert "secret" not in str(failure.value)
    assert store.counts["PutObject"] == tries  # at first one, then one with two retries


def test_a_body_of_any_size_has_a_time_out_that_a_slow_link_can_meet(store: Store) -> None:
    """Longer for larger ones; each class of sizes shares a store."""
    strategy = opened(store)
    fast = strategy._fast
    assert fast is not None
    seen: list[tuple[float, int]] = []
    make = fast._options.store

    class Options:
        def store(self, seconds: float, headers: Any, retries: int) -> Any:
            seen.append((seconds, retries))
            return make(seconds, headers, retries)

    fast._options = Options()  # type: ignore[assignment]  # stands in for it
    for size in (1, MIB, MIB + 1, 8 * MIB, 9 * MIB, 48 * MIB, 60 * MIB):
        fast.put("a", "a", bytes(size), {}, "print")
    assert len(seen) == 3
    for (seconds, retries), mib in zip(seen, (1, 8, 48), strict=True):
        assert seconds >= 60 + mib * MIB / 20_000
        assert retries == 0
    store.fail("PutObject", status=503, times=1)
    fast.put("a", "a", b"", {}, "print")
    assert seen[3][1] >= 100


def test_a_connection_that_is_not_made_in_time_is_tried_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A router or a balancer that restarts ends no run."""
    monkeypatch.setattr(module, "CONNECT_SECONDS", 0.2)
    strategy = opened(store)
    fast = strategy._fast
    assert fast is not None
    real = fast._options
    with full_backlog() as url:
        elsewhere = replace(real, config={**real.config, "endpoint": f"{url}/static"})

        class Options:
            def store(self, seconds: float, headers: Any, retries: int) -> Any:
                return (real if retries else elsewhere).store(seconds, headers, retries)

        fast._options = Options()  # type: ignore[assignment]  # stands in for it
        strategy.upload(source("a.css"))
    assert list(store.objects) == ["a.css"]


@contextlib.contextmanager
def full_backlog() -> Iterator[str]:
    """An address where connections are neither taken nor refused."""
    with (
        socket.create_server(("127.0.0.1", 0), backlog=0) as server,
        socket.create_connection(server.getsockname()),
    ):
        assert select.select([server], [], [], 10)[0]  # there is room for one: it waits there now
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_an_upload_that_hangs_once_is_tried_again(store: Store) -> None:
    """One connection that a router has forgotten ends no run."""
    strategy = opened(store)
    impatient(strategy)
    hang = store.strike(Kind.HANG, "PutObject", times=1)
    strategy.upload(source("a.css"))
    assert hang.struck == 1
    assert list(store.objects) == ["a.css"]


def test_an_upload_that_always_hangs_while_others_are_answered_is_named(store: Store) -> None:
    """The run goes on without it, unlike one of which no upload is answered."""
    strategy = opened(store)
    impatient(strategy)
    hang = store.hang("PutObject", key="a.css")
    with ThreadPoolExecutor(1) as pool:
        hung = pool.submit(strategy.upload, source("a.css"))
        store.wait_for(lambda _: hang.struck >= 1)
        strategy.upload(source("b.css"))
        with pytest.raises(UploadError, match=r"^a\.css: the storage did not answer, again and"):
            hung.result()
    assert list(store.objects) == ["b.css"]


def test_an_overloaded_store_is_sent_fewer_at_once(store: Store) -> None:
    """So that most requests are not sent in vain; nothing is lost."""
    strategy = Boto3Strategy(storage(store.url))
    strategy.open(64)
    store.turnstile.rate, store.turnstile.filled_at = 300, time.monotonic()
    store.latency = 0.02
    with ThreadPoolExecutor(64) as pool:
        list(pool.map(lambda number: strategy.upload(source(f"{number}.css")), range(400)))
    assert len(store.objects) == 400
    assert strategy._fast is not None
    assert strategy._fast.gate.limit < 64
    assert store.counts["PutObject"] < 1200


def test_stray_refusals_change_nothing_but_for_the_file(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One in ten is sent again, beside as many others as before."""
    strategy = Boto3Strategy(storage(store.url))
    strategy.open(16)
    assert strategy._fast is not None
    limits: list[int] = []
    slow_down = strategy._fast.gate.slow_down

    def watched() -> None:
        slow_down()
        limits.append(strategy._fast.gate.limit)  # type: ignore[union-attr]  # see above

    monkeypatch.setattr(strategy._fast.gate, "slow_down", watched)
    store.fail("PutObject", status=503, probability=0.1, seed=3)
    store.latency = 0.02  # so that it takes longer than the gate's pause
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda number: strategy.upload(source(f"{number}.css")), range(600)))
    assert len(store.objects) == 600
    assert len(limits) > 20
    assert set(limits) == {16}


@pytest.mark.parametrize(
    "params",
    [
        {"ContentType": "text/css"},
        {"ContentType": "text/css", "ContentEncoding": "gzip", "CacheControl": "max-age=1"},
        {"ContentDisposition": "inline", "ContentLanguage": "en", "Metadata": {"A-b": "c"}},
        {"ACL": "private", "Tagging": "a=b"},
    ],
)
def test_a_look_at_one_object_shows_what_the_sdks_does(
    store: Store, params: dict[str, Any]
) -> None:
    """As far as anything of it is compared."""
    strategy = opened(store)
    assert strategy._fast is not None
    strategy._sdk.put("a b/ü.css", "a b/ü.css", b"abc", params)
    assert shows(params)
    ours, theirs = strategy._fast.head("a b/ü.css"), strategy._sdk.head("a b/ü.css", {})
    assert ours is not None
    assert theirs is not None
    compared = [name for name in theirs if name.startswith(("Content", "Cache", "ETag", "Meta"))]
    assert {name: ours.get(name) for name in compared} == {n: theirs[n] for n in compared}


def test_what_its_look_does_not_show_is_asked_of_the_sdk(store: Store) -> None:
    """Storage class, encryption; and whatever it fails at."""
    assert not shows({"StorageClass": "STANDARD_IA"})
    assert not shows({"ServerSideEncryption": "AES256"})
    strategy = opened(store, object_parameters={"StorageClass": "STANDARD_IA"})
    strategy.upload(source("a.css"))
    assert strategy.same_headers(source("a.css")) is True
    assert strategy._fast is not None
    assert strategy._fast.head("a//b") is None
    rule = store.fail("HeadObject", status=400)
    assert strategy._fast.head("a.css") is None
    assert rule.struck == 1
    store.faults.clear()
    store.fail("HeadObject", status=403)
    assert strategy._fast.head("a.css") == {}
    strategy._fast.gave_up = "so"
    assert strategy._fast.head("a.css") is None


def test_absence_takes_one_request(store: Store) -> None:
    """Where listing is forbidden, every new file is looked at so."""
    assert opened(store).head("a.css") is None
    assert store.counts == {"HeadObject": 1}
