"""The checksum cache: what earlier runs have sent, over Django's cache framework.

A hint, never a proof: a record counts only while the storage still shows the etag in it. Records
are packed in pages, many names to a key, because a key costs memcached's client 15 to 20 µs.
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from xxhash import xxh3_64_hexdigest, xxh3_64_intdigest, xxh3_128_hexdigest

from collectfasta.items import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

PAGES = 256
GROUP = 16
"""Pages asked for at once."""

PAGE_RECORDS = 4_000
"""More than these in one page, and the oldest of names that are no longer collected are dropped, so
that a page stays far below memcached's 1 MB."""

VERSION = "1"
DIGEST = 16
"""Bytes of an xxh3_128."""
SEAL = 16
Page = dict[str, list[str]]


class CacheProblem(Exception):  # noqa: N818 - raised with COLLECTFASTA_DEBUG only
    """The cache does not do what a cache should."""


class ChecksumCache:
    """The records of one storage. Methods do I/O; call them in a thread that may block.

    Never raises for a cache that is down or answers nonsense: ``warn`` is called with one sentence,
    once, unless ``debug``, where the error is raised.
    """

    def __init__(
        self, alias: str, prefix: str, identity: str, warn: Callable[[str], None], *, debug: bool
    ) -> None:
        self._alias = alias
        self._warn = warn
        self._debug = debug
        self._warned = False
        self._down = False
        readable = re.sub(r"[^\w.-]", "_", prefix, flags=re.ASCII)[:40]
        self._key = f"{readable}:{VERSION}:{xxh3_128_hexdigest(f'{prefix}|{identity}'.encode())}"
        self.lasting = _lasts(alias)
        """Whether what is written outlives the process. If not, nothing is read or written."""

    def get(self, names: Iterable[str]) -> dict[str, Record]:
        """The records there are for ``names``."""
        if not self.lasting:
            return {}
        wanted: dict[int, list[str]] = defaultdict(list)
        for name in names:
            wanted[_page(name)].append(name)
        return {
            name: record
            for numbers in self._groups(wanted)
            for number, page in self._pages(numbers).items()
            for name in wanted[number]
            if (record := _record(page.get(name))) is not None
        }

    def set(self, records: Mapping[str, Record], forget: Iterable[str] = ()) -> None:
        """Remember ``records``, beside what other runs have written meanwhile; drop ``forget``."""
        changed: dict[int, list[str]] = defaultdict(list)
        for name in chain(records, (name for name in forget if name not in records)):
            changed[_page(name)].append(name)
        if not self.lasting or not changed:
            return
        failed = sum(
            self._set({n: {name: records.get(name) for name in changed[n]} for n in numbers})
            for numbers in self._groups(changed)
        )
        if failed:
            self._complain(f"{failed} of {len(changed)} pages were not taken")

    def _set(self, changed: Mapping[int, Mapping[str, Record | None]]) -> int:
        """Write these pages; the number of those that were not taken."""
        current = self._pages(changed)
        values = {}
        for number, news in changed.items():
            page = _merged(current.get(number, {}), news)
            key = self._page_key(number)
            values[key] = _seal(key, json.dumps(page, ensure_ascii=True, separators=(",", ":")))
        return len(self._ask(lambda cache: cache.set_many(values, timeout=None)) or [])

    def _groups(self, numbers: Iterable[int]) -> Iterator[list[int]]:
        """A few pages at a time, so that never all are in memory; no more once the cache fails."""
        self._down = False
        rest = iter(numbers)
        while not self._down and (group := list(islice(rest, GROUP))):
            yield group

    def _page_key(self, number: int) -> str:
        return f"{self._key}:{number:02x}"

    def _pages(self, numbers: Iterable[int]) -> dict[int, Page]:
        keys = {self._page_key(number): number for number in numbers}
        answer = self._ask(lambda cache: cache.get_many(list(keys)))
        if not isinstance(answer, dict):
            return {}
        pages = {}
        for key, value in answer.items():
            if key in keys and (page := _unseal(key, value)) is not None:
                pages[keys[key]] = page
            else:
                self._complain("it holds something that we have not written")
        return pages

    def _ask(self, question: Callable[[Any], Any]) -> Any:
        from django.core.cache import caches

        try:
            cache = caches[self._alias]  # one client a thread
            try:
                return question(cache)
            finally:
                cache.close()
                _close_connections(cache)
        except Exception as error:
            if self._debug:
                raise
            self._down = True
            self._complain(f"{type(error).__name__}: {_one_line(error)}")
            return None

    def _complain(self, what: str) -> None:
        if self._debug:
            raise CacheProblem(what)
        if not self._warned:
            self._warned = True
            self._warn(
                f"The cache {self._alias!r} does not work ({what}). The run goes on without."
            )


def _lasts(alias: str) -> bool:
    from django.conf import settings

    backend = str(settings.CACHES[alias].get("BACKEND", ""))
    return not backend.endswith((".LocMemCache", ".DummyCache"))


def _close_connections(cache: Any) -> None:
    """A database cache opens a connection for this thread, which nobody else would close."""
    if "DatabaseCache" in {base.__name__ for base in type(cache).__mro__}:
        from django.db import connections

        connections.close_all()


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _page(name: str) -> int:
    return xxh3_64_intdigest(name.encode("utf-8", "surrogatepass")) % PAGES


def _sealed(key: str, payload: str) -> str:
    return xxh3_64_hexdigest(f"{key}\n{payload}".encode("utf-8", "surrogatepass"))


def _seal(key: str, payload: str) -> str:
    return _sealed(key, payload) + payload


def _unseal(key: str, value: object) -> Page | None:
    """The page in ``value``, if it is whole and was written under this very key."""
    if not isinstance(value, str) or value[:SEAL] != _sealed(key, value[SEAL:]):
        return None
    page = json.loads(value[SEAL:])
    return page if isinstance(page, dict) else None


def _record(fields: object) -> Record | None:
    if not isinstance(fields, list) or len(fields) != 3:
        return None
    xxh3, etag, fingerprint = fields
    try:
        digest = bytes.fromhex(xxh3)
    except (TypeError, ValueError):
        return None
    if len(digest) != DIGEST or not isinstance(etag, str) or not isinstance(fingerprint, str):
        return None
    return Record(digest, etag, sys.intern(fingerprint))  # few of them are shared by many records


def _merged(page: Page, news: Mapping[str, Record | None]) -> Page:
    """``page`` with ``news``, where ``None`` drops a name. What is new comes last.

    A record that another run has written meanwhile for the same etag, but for other headers, makes
    both worthless: nobody knows which of the two uploads came last.
    """
    merged = {name: fields for name, fields in page.items() if name not in news}
    for name, record in news.items():
        if record is not None and not _contradicts(_record(page.get(name)), record):
            merged[name] = [record.xxh3.hex(), record.etag, record.fingerprint]
    for name in list(merged)[: max(0, len(merged) - PAGE_RECORDS)]:
        del merged[name]
    return merged


def _contradicts(other: Record | None, record: Record) -> bool:
    return (
        other is not None and other.etag == record.etag and other.fingerprint != record.fingerprint
    )
