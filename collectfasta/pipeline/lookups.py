"""What the storage and the checksum cache know of a run's names, asked in the background."""

from __future__ import annotations

import time
from concurrent.futures import TimeoutError as FutureTimeout
from typing import TYPE_CHECKING, Any

from collectfasta.exceptions import ListingForbidden
from collectfasta.pipeline.workers import DaemonPool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from collectfasta.checksums import ChecksumCache
    from collectfasta.items import Record, RemoteObject
    from collectfasta.pipeline.report import Tally
    from collectfasta.strategies.native import NativeStrategy

CACHE_PATIENCE = 10.0
"""Seconds. A memcached that accepts and never answers would hang its client for ever."""


class Lookups:
    """The listing and the records, each fetched once, both at the same time."""

    def __init__(
        self,
        strategy: NativeStrategy[Any],
        cache: ChecksumCache,
        names: Sequence[str],
        tally: Tally,
        *,
        dry_run: bool = False,
    ) -> None:
        self._tally = tally
        self._dry_run = dry_run
        self._strategy = strategy
        self._cache = cache
        self._records: dict[str, Record] | None = None
        self._cache_hangs = False
        self._pool = DaemonPool(2, "collectfasta-lookup")
        self._remote = self._pool.submit(self._list, names)
        self._asked = self._pool.submit(self._recall, names if strategy.uses_records else ())
        tally.asked = len(names) if strategy.uses_records and cache.lasting else 0

    @property
    def listed(self) -> bool:
        """Whether the listing is complete, so that :meth:`remote` answers at once."""
        return self._remote.done()

    def wait(self, seconds: float) -> None:
        """Give the listing a chance to be there."""
        try:
            self._remote.result(seconds)
        except FutureTimeout:
            return

    def records(self) -> dict[str, Record]:
        """All records there are; none if the cache does not answer in time."""
        if self._records is None:
            try:
                self._records = self._asked.result(CACHE_PATIENCE)
            except FutureTimeout:
                self._cache_hangs = True
                self._tally.warn("The cache does not answer. The run goes on without.")
                self._records = {}
            self._tally.hits = len(self._records)
        return self._records

    def _recall(self, names: Sequence[str]) -> dict[str, Record]:
        """What the cache knows. Records of other headers than now are dropped there before anything
        is sent: if this run is killed, they would vouch for headers that it has replaced, under an
        ETag that does not tell (S3's is made of the bytes alone)."""
        records = self._cache.get(names)
        if not self._dry_run:
            fingerprint = self._strategy.fingerprint
            outdated = [name for name in records if records[name].fingerprint != fingerprint(name)]
            self._cache.set({}, forget=outdated)
        return records

    def remote(self) -> dict[str, RemoteObject] | None:
        """What the storage holds of our names; ``None`` where listing is forbidden."""
        return self._remote.result()

    def _list(self, names: Sequence[str]) -> dict[str, RemoteObject] | None:
        start = time.monotonic()
        wanted = set(names)
        found: dict[str, RemoteObject] = {}
        try:
            for page in self._strategy.list(names):
                for remote in page:
                    if remote.name in wanted:
                        found[remote.name] = remote
        except ListingForbidden as error:
            if str(error):  # a storage that never lists is nothing to warn of
                self._tally.warn(f"{error} Each file is looked up by itself.")
            return None
        self._tally.span("list", start, len(found))
        return found

    def save(self, records: dict[str, Record], patience: float | None = None) -> None:
        """Remember what has been sent, if the cache answers in time (seconds)."""
        if self._cache_hangs or not self._strategy.uses_records:
            return
        saved = self._pool.submit(self._cache.set, records)
        try:
            saved.result(CACHE_PATIENCE if patience is None else patience)
        except FutureTimeout:
            self._tally.warn("The cache does not answer. This run's checksums are not remembered.")

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


def present(strategy: NativeStrategy[Any], names: Sequence[str]) -> set[str]:
    """Those of ``names`` (sorted) that the storage holds."""
    wanted = set(names)
    try:
        return {
            remote.name for page in strategy.list(names) for remote in page if remote.name in wanted
        }
    except ListingForbidden:
        return {name for name in names if strategy.head(name) is not None}
