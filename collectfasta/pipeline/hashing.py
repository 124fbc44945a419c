"""Second stage, our side: which files must be hashed, in which batches, and how far ahead."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Any

from collectfasta.items import Digest
from collectfasta.pipeline.hash import Answer, Task, digest_of, hash_batch
from collectfasta.pipeline.pool import HashPool, many

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from concurrent.futures import Future

    from collectfasta.items import Record, RemoteObject, SourceFile
    from collectfasta.pipeline.lookups import Lookups
    from collectfasta.pipeline.report import Tally
    from collectfasta.strategies.native import NativeStrategy

BATCH_BYTES = 8 << 20
BATCH_FILES = 256
LARGE = 64 << 10
"""Bytes. Files of this size wait for their turn on the link; smaller ones hardly need it."""
PATIENCE = 0.25
"""Seconds to wait for the listing before worker processes are started, which it may spare."""

Hashed = list["tuple[SourceFile, Digest | str | None]"]
"""Each file with its digest, or why it cannot be read, or ``None``: new, so not hashed at all."""


def batches(files: Iterable[SourceFile]) -> Iterator[list[SourceFile]]:
    """Bounded by bytes and by number, in the order of :func:`mixed`."""
    batch: list[SourceFile] = []
    size = 0
    for file in mixed(sorted(files, key=lambda file: -file.size)):
        batch.append(file)
        size += file.size
        if size >= BATCH_BYTES or len(batch) >= BATCH_FILES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def mixed(files: Sequence[SourceFile]) -> Iterator[SourceFile]:
    """``files``, which come largest first, with the small ones among the large.

    Large ones keep the link busy and small ones the threads, so both go out together. The large are
    through when half of the small are, so that the last ones to be sent are small.
    """
    first = bisect_right(files, -LARGE, key=lambda file: -file.size)
    small = iter(files[first:])
    each = (len(files) - first) // (2 * first) if first else 0
    for file in files[:first]:
        yield file
        yield from islice(small, each)
    yield from small


def _bytes(files: Iterable[SourceFile]) -> int:
    return sum(file.size for file in files if file.data is None)


def _vouched(record: Record | None, remote: RemoteObject | None) -> bool:
    return record is not None and remote is not None and record.etag == remote.etag


class Hasher:
    """Hashes the files of a run, each local path once where a second name shares it."""

    def __init__(
        self, strategy: NativeStrategy[Any], lookups: Lookups, tally: Tally, *, share: bool
    ) -> None:
        self._strategy = strategy
        self._lookups = lookups
        self._tally = tally
        self._shared: dict[str, Digest] | None = {} if share else None
        self._pool: HashPool | None = None
        self._closed = False

    def digests(self, files: Sequence[SourceFile]) -> Iterator[Hashed]:
        """Batches of files with their digests, as they become known."""
        pending: deque[tuple[list[SourceFile], Future[list[Answer]], float]] = deque()
        if self._pool is None and many(len(files), _bytes(files)):
            self._lookups.wait(PATIENCE)  # new names are not hashed, and need no workers
        for batch in batches(files):
            new, known, unread = self._split(batch)
            if new or known:
                yield [*new, *known]
            if unread:
                pending.append((unread, self._submit(unread, files), time.monotonic()))
            while pending and (len(pending) > self._window() or pending[0][1].done()):
                yield self._finished(*pending.popleft())
        while pending:
            yield self._finished(*pending.popleft())

    def _split(self, batch: list[SourceFile]) -> tuple[Hashed, Hashed, list[SourceFile]]:
        """Those whose names are new, those whose digests are at hand, those to be read."""
        remote = self._lookups.remote() if self._lookups.listed else None
        new: Hashed = []
        known: Hashed = []
        unread = []
        for file in batch:
            if remote is not None and file.name not in remote:
                new.append((file, None))
            elif file.data is not None:
                known.append((file, digest_of(file.data, md5=self._strategy.uses_records)))
            elif self._shared is not None and (digest := self._shared.get(file.path)):
                known.append((file, digest))
            else:
                unread.append(file)
        return new, known, unread

    def _submit(self, batch: list[SourceFile], files: Sequence[SourceFile]) -> Future[list[Answer]]:
        pool = self._started(files)
        records = self._lookups.records()
        tasks: list[Task] = list(
            zip((file.path for file in batch), self._beside(batch), strict=True)
        )
        md5 = self._strategy.uses_records and any(
            file.name not in records and beside is None
            for file, (_, beside) in zip(batch, tasks, strict=True)
        )
        return pool.run(hash_batch, tasks, md5)

    def _beside(self, batch: list[SourceFile]) -> list[str | None]:
        """The copies to compare with, unless a record vouches for them."""
        paths = [self._strategy.beside(file.name) for file in batch]
        if not any(paths):  # only a disk has copies; others need not wait for the listing
            return paths
        records, remote = self._lookups.records(), self._lookups.remote() or {}
        return [
            None if _vouched(records.get(file.name), remote.get(file.name)) else path
            for file, path in zip(batch, paths, strict=True)
        ]

    def _started(self, files: Sequence[SourceFile]) -> HashPool:
        if self._pool is None:
            self._pool = HashPool(len(files), _bytes(files), self._tally.warn)
            if self._closed:
                self._pool.close(at_once=True)
        return self._pool

    def _window(self) -> int:
        return 2 * self._pool.processes if self._pool is not None else 2

    def _finished(
        self, batch: list[SourceFile], future: Future[list[Answer]], start: float
    ) -> Hashed:
        answers = future.result()
        size = 0
        done: Hashed = []
        for file, answer in zip(batch, answers, strict=True):
            if isinstance(answer, str):
                done.append((file, f"Cannot read {file.path}: {answer}."))
                continue
            digest = Digest(*answer)
            size += digest.size
            if self._shared is not None and digest.same is None:
                self._shared[file.path] = digest
            done.append((file, digest))
        self._tally.hashed(len(batch), size)
        self._tally.span("hash", start, len(batch), size)
        return done

    def close(self, *, at_once: bool = False) -> None:
        """End the workers; ``at_once`` from any thread, in the middle of their work."""
        self._closed = True
        if self._pool is not None:
            self._pool.close(at_once=at_once)
