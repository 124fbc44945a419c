"""What the bucket holds of our names: pages side by side, foreign objects jumped over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collectfasta.items import RemoteObject
from collectfasta.strategies.crawl import Page, crawl
from collectfasta.strategies.ranges import PAGE, Listed, Ranges
from collectfasta.strategies.s3.etags import checksum_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from collectfasta.strategies.s3.fast import FastTransport
    from collectfasta.strategies.s3.sdk import Entry, SdkTransport

THREADS = 16
_LAST = "\U0010fffd"
"""Sorts after whatever a key holds."""


class _Unsorted(Exception):  # noqa: N818 - an answer, which the listing copes with
    """The server does not begin where it was told to."""


class Listing:
    """One bucket's listing under ``prefix``."""

    def __init__(self, prefix: str, sdk: SdkTransport, fast: FastTransport | None) -> None:
        self._prefix = prefix
        self._sdk = sdk
        self._fast = fast

    def find(self, wanted: Mapping[str, str]) -> Iterator[Page]:
        """Pages of the objects whose keys are in ``wanted``, which gives their names."""
        if not wanted:
            return
        if self._sdk.connection.bucket.endswith("--x-s3"):  # lists in no order
            yield from self._walk(wanted)
            return
        ranges = Ranges(_Fetch(self, wanted), wanted)
        try:
            yield from crawl(ranges.steps(THREADS), THREADS)
        except _Unsorted:
            yield from self._walk(wanted)

    def _walk(self, wanted: Mapping[str, str]) -> Iterator[Page]:
        for entries in self._sdk.pages(self._prefix):
            yield _ours(entries, wanted)

    def page(self, wanted: Mapping[str, str], after: str, limit: int) -> tuple[list[Entry], bool]:
        """One page. obstore drops the ``/`` at the end of a folder's marker, which may then look
        like an empty file of ours, or be in the wrong place: such a page is asked for again."""
        if self._fast is not None and limit == PAGE:
            found = self._fast.page(self._prefix, after)
            if found is not None and not _doubtful(found[0], wanted):
                return found
        return self._sdk.page(self._prefix, after, limit)


class _Fetch:
    """How :class:`Ranges` asks for a page. The token is the key of the page's last object."""

    def __init__(self, listing: Listing, wanted: Mapping[str, str]) -> None:
        self._listing = listing
        self._wanted = wanted

    def __call__(self, start: str, end: str, limit: int, token: str) -> Listed:
        after = token or before(start)
        entries, more = self._listing.page(self._wanted, after, limit)
        if not entries:
            return Listed([], 0, "", "")
        first, last = entries[0][0], entries[-1][0]
        if last <= after or first > last:
            raise _Unsorted
        more = more and last < end
        return Listed(_ours(entries, self._wanted), len(entries), last, last if more else "")


def _doubtful(entries: list[Entry], wanted: Mapping[str, str]) -> bool:
    if entries and not entries[-1][1]:
        return True
    return any(not size and key in wanted for key, size, _ in entries)


def before(key: str) -> str:
    """A key that sorts before ``key`` with hardly anything between the two.

    Characters that a URL or an XML document cannot hold are avoided.
    """
    head, tail = key[:-1], ord(key[-1])
    if tail <= 0x21 or 0x7F <= tail <= 0xA0 or (tail == 0x30 and head.endswith("/")):
        return head
    if 0xD800 <= tail - 1 <= 0xDFFF:
        tail = 0xD800
    return head + chr(tail - 1) + _LAST


def _ours(entries: list[Entry], wanted: Mapping[str, str]) -> Page:
    return [
        RemoteObject(name, size, etag, checksum_of(etag))
        for key, size, etag in entries
        if (name := wanted.get(key)) is not None
    ]
