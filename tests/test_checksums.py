"""The checksum cache over real backends: what it keeps, what it survives."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import caches as django_caches
from django.core.cache.backends.base import BaseCache
from django.test.utils import override_settings

from collectfasta import checksums
from collectfasta.checksums import PAGES, CacheProblem, ChecksumCache
from collectfasta.items import Record

if TYPE_CHECKING:
    from collections.abc import Iterator


RECORDS = {
    f"css/{number}.css": Record(b"%016d" % number, f"e{number}", "f") for number in range(900)
}


class Warned(list[str]):
    """Collects warnings."""

    def cache(self, identity: str = "s3|bucket", *, debug: bool = False, prefix: str = "p") -> Any:
        return ChecksumCache("default", prefix, identity, self.append, debug=debug)


@pytest.fixture
def warned(caches: dict[str, Any]) -> Iterator[Warned]:
    """Over a real memcached."""
    with override_settings(CACHES=caches):
        yield Warned()


def test_what_is_set_is_got_by_another_cache_object(warned: Warned) -> None:
    """From memcached, in any thread."""
    warned.cache().set(RECORDS)
    got: list[dict[str, Record]] = []
    thread = threading.Thread(target=lambda: got.append(warned.cache().get([*RECORDS, "other"])))
    thread.start()
    thread.join(30)
    assert got == [RECORDS]
    assert warned == []


@pytest.mark.parametrize("identity", ["s3|other", "s3|bucket|location"])
def test_two_destinations_share_nothing(warned: Warned, identity: str) -> None:
    """A second bucket, or a second location, knows nothing of the first."""
    warned.cache().set(RECORDS)
    assert warned.cache(identity).get(RECORDS) == {}


def test_keys_are_always_legal(warned: Warned) -> None:
    """Whatever the prefix, the identity and the names look like."""
    name = "é \n#%" * 200
    cache = warned.cache("s3|héé bucket\n" * 50, prefix="my prefix\n" * 60)
    cache.set({name: RECORDS["css/1.css"]})
    assert cache.get([name]) == {name: RECORDS["css/1.css"]}
    assert warned == []


def test_other_runs_records_are_kept(warned: Warned) -> None:
    """Two runs that write different names of the same page both find theirs afterwards."""
    names = list(RECORDS)
    warned.cache().set({name: RECORDS[name] for name in names[:450]})
    warned.cache().set({name: RECORDS[name] for name in names[450:]})
    assert warned.cache().get(names) == RECORDS


def test_what_is_to_be_forgotten_is_and_nothing_else(warned: Warned) -> None:
    """Names of the same pages keep their records; names that are not there do no harm."""
    warned.cache().set(RECORDS)
    names = list(RECORDS)
    warned.cache().set({}, forget=[*names[:100], "unknown"])
    assert sorted(warned.cache().get(names)) == sorted(names[100:])


@pytest.mark.parametrize(("fingerprint", "kept"), [("f", True), ("g", False)])
def test_two_runs_that_sent_other_headers_with_the_same_etag_leave_no_record(
    warned: Warned, fingerprint: str, kept: bool
) -> None:
    """Nobody knows which of them came last, so neither may vouch for the object's headers."""
    warned.cache().set({"a": Record(b"x" * 16, "e", "f")})
    warned.cache().set({"a": Record(b"x" * 16, "e", fingerprint)})
    assert ("a" in warned.cache().get(["a"])) is kept


def test_two_simultaneous_runs_leave_nine_tenths_of_their_records(warned: Warned) -> None:
    """Each writes half of the names at the same moment."""
    names = list(RECORDS)
    barrier = threading.Barrier(2)

    def write(half: list[str]) -> None:
        cache = warned.cache()
        barrier.wait(30)
        cache.set(RECORDS)
        cache.set({name: RECORDS[name] for name in half})

    threads = [threading.Thread(target=write, args=(half,)) for half in (names[::2], names[1::2])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(warned.cache().get(names)) >= 0.9 * len(names)


def test_values_are_plain_text_that_never_expires(warned: Warned) -> None:
    """No class of ours is pickled; Django's default of 300 seconds does not apply."""
    warned.cache().set({"a": RECORDS["css/1.css"]})
    cache = warned.cache()
    key = cache._page_key(checksums._page("a"))
    value = django_caches["default"].get(key)
    assert isinstance(value, str)
    assert json.loads(value[16:]) == {"a": [(b"%016d" % 1).hex(), "e1", "f"]}


@pytest.mark.parametrize(
    "garbage",
    ["", "nonsense", 7, b"bytes", None, {"a": 1}, "0" * 16 + "{}", ["x"]],
    ids=str,
)
def test_garbage_is_no_record_and_gives_one_warning(warned: Warned, garbage: object) -> None:
    """Whatever stands under our keys; the next ``set`` heals it."""
    cache = warned.cache()
    for number in range(PAGES):
        django_caches["default"].set(cache._page_key(number), garbage, None)
    assert cache.get(RECORDS) == {}
    assert len(warned) == 1
    cache.set(RECORDS)
    assert cache.get(RECORDS) == RECORDS


def test_a_page_copied_to_another_key_is_no_page(warned: Warned) -> None:
    """The seal covers the key: a cache that mixes up its keys is seen."""
    cache = warned.cache()
    cache.set({"a": RECORDS["css/1.css"]})
    page = checksums._page("a")
    value = django_caches["default"].get(cache._page_key(page))
    other = warned.cache("s3|other")
    django_caches["default"].set(other._page_key(page), value, None)
    assert other.get(["a"]) == {}


@pytest.mark.parametrize(
    "fields",
    [
        None,
        7,
        [],
        ["a", "b"],
        ["00", "e", "f"],
        ["00" * 16, 7, "f"],
        ["00" * 16, "e", "f", "g"],
        ["xy" * 16, "e", "f"],
    ],
    ids=str,
)
def test_a_record_of_another_shape_is_none(warned: Warned, fields: object) -> None:
    """Sealed by us, perhaps by another version: still looked at field by field."""
    cache = warned.cache()
    key = cache._page_key(checksums._page("a"))
    django_caches["default"].set(key, checksums._seal(key, json.dumps({"a": fields})), None)
    assert cache.get(["a"]) == {}


def test_a_page_that_is_no_mapping_is_garbage(warned: Warned) -> None:
    """Well sealed JSON of another kind."""
    cache = warned.cache()
    key = cache._page_key(checksums._page("a"))
    django_caches["default"].set(key, checksums._seal(key, "[1]"), None)
    assert cache.get(["a"]) == {}


def test_a_page_drops_its_oldest_names_when_it_is_full(
    warned: Warned, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old hashed names must not pile up until memcached refuses the page."""
    monkeypatch.setattr(checksums, "PAGES", 1)
    monkeypatch.setattr(checksums, "PAGE_RECORDS", 100)
    names = list(RECORDS)
    cache = warned.cache()
    cache.set({name: RECORDS[name] for name in names[:80]})
    cache.set({name: RECORDS[name] for name in names[80:130]})
    assert list(cache.get(names)) == names[30:130]


DOWN = {
    "default": {
        "BACKEND": "django.core.cache.backends.memcached.PyMemcacheCache",
        "LOCATION": "127.0.0.1:9",
    }
}


@override_settings(CACHES=DOWN)
def test_a_memcached_that_is_down_gives_one_warning() -> None:
    """Neither get nor set raises."""
    warned = Warned()
    cache = warned.cache()
    assert cache.get(RECORDS) == {}
    cache.set(RECORDS)
    assert len(warned) == 1
    assert "default" in warned[0]
    assert "\n" not in warned[0]


@override_settings(CACHES=DOWN)
def test_a_memcached_that_is_down_is_not_asked_again_and_again() -> None:
    """Pages are asked for by the group: after the first that fails, for no other."""
    cache = Warned().cache()
    asked: list[int] = []
    ask = cache._ask

    def count(question: Any) -> Any:
        asked.append(1)
        return ask(question)

    cache._ask = count
    assert cache.get(RECORDS) == {}
    assert len(asked) == 1


@override_settings(CACHES=DOWN)
def test_debug_raises_what_the_cache_raises() -> None:
    """With its traceback."""
    with pytest.raises(ConnectionRefusedError):
        Warned().cache(debug=True).get(RECORDS)


class Refusing(BaseCache):
    """A cache that reads, and takes no pages."""

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(params)

    def get_many(self, keys: Any, version: int | None = None) -> dict[str, Any]:
        return {}

    def set_many(self, data: Any, timeout: Any = None, version: int | None = None) -> list[str]:
        return list(data)


REFUSING = {"default": {"BACKEND": "tests.test_checksums.Refusing"}}


@override_settings(CACHES=REFUSING)
def test_pages_that_are_not_taken_give_a_warning() -> None:
    """A full memcached says so in what ``set_many`` returns."""
    warned = Warned()
    warned.cache().set({"a": RECORDS["css/1.css"]})
    assert "1 of 1 pages" in warned[0]
    with pytest.raises(CacheProblem):
        warned.cache(debug=True).set({"a": RECORDS["css/1.css"]})


@pytest.mark.parametrize("backend", ["locmem.LocMemCache", "dummy.DummyCache"])
def test_a_cache_that_forgets_is_never_asked(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot outlive the process, so it costs nothing."""
    with override_settings(
        CACHES={"default": {"BACKEND": f"django.core.cache.backends.{backend}"}}
    ):
        cache = Warned().cache()
        monkeypatch.setattr(cache, "_ask", lambda question: pytest.fail("asked"))
        assert not cache.lasting
        cache.set(RECORDS)
        assert cache.get(RECORDS) == {}


class DatabaseCache(Refusing):
    """Named as Django's is, which opens a connection in the thread that asks it."""


def test_a_database_cache_leaves_no_connection_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that asked closes what was opened for it; others have none to close."""
    from django.db import connections

    closed: list[int] = []
    monkeypatch.setattr(connections, "close_all", lambda: closed.append(1))
    with override_settings(CACHES=REFUSING):
        Warned().cache().get(["a"])
    assert closed == []
    with override_settings(CACHES={"default": {"BACKEND": f"{__name__}.DatabaseCache"}}):
        Warned().cache().get(["a"])
    assert closed == [1]
