"""A run: the stages put together. Start reading here.

The run has a thread of its own, so that the main thread only waits and hears Ctrl-C at once,
whatever the server does.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from collectfasta.exceptions import CollectfastaError, DestinationError
from collectfasta.items import Action, Reason
from collectfasta.pipeline.compare import settle, upload
from collectfasta.pipeline.crew import Crew
from collectfasta.pipeline.hashing import Hasher
from collectfasta.pipeline.lookups import Lookups
from collectfasta.pipeline.upload import Candidate, Publisher
from collectfasta.pipeline.workers import bounded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from collectfasta.checksums import ChecksumCache
    from collectfasta.items import SourceFile
    from collectfasta.pipeline.hashing import Hashed
    from collectfasta.pipeline.report import Tally
    from collectfasta.strategies.native import NativeStrategy

AHEAD = 4
"""Files that wait for each I/O thread: enough to keep it busy, few enough to bound memory."""

READING = 0.25
"""Seconds for reading ahead a batch, ten times what a disk at hand needs; the rest is read by those
who send it, side by side."""

NEW = upload(Reason.NEW)

LAST_WORDS = 1.0
"""Seconds that an interrupted run has for what is in flight and for remembering what was sent."""


class Stopped(Exception):  # noqa: N818 - no error: somebody asked for it
    """The run has been interrupted."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What was asked for. ``threads`` is ``None`` where the run is to pick a good number."""

    threads: int | None = None
    dry_run: bool = False
    clear: bool = False
    verify_headers: bool = False
    debug: bool = False


class Run:
    """Publishes files in phases; a phase begins when everything before it has succeeded.

    ``keep``: names that ``--clear`` must leave alone although this run does not write them.
    """

    def __init__(
        self,
        strategy: NativeStrategy[Any],
        cache: ChecksumCache,
        options: RunOptions,
        tally: Tally,
    ) -> None:
        self._strategy = strategy
        self._cache = cache
        self._options = options
        self._tally = tally
        self._stop = threading.Event()
        self._crashes: list[BaseException] = []
        self.done = threading.Event()
        self._hasher: Hasher | None = None
        self._crew: Crew[Candidate] | None = None
        self._custom = getattr(strategy, "custom", None)
        self._publisher = Publisher(
            strategy,
            tally,
            dry_run=options.dry_run,
            check_headers=(options.verify_headers or cache.lasting or strategy.shows_headers),
            debug=options.debug,
        )

    def start(
        self,
        phases: Sequence[Sequence[SourceFile]],
        keep: Sequence[str],
        opened: Callable[[], object],
    ) -> None:
        """Begin in the background. ``opened`` returns when the strategy is open, or raises."""
        thread = threading.Thread(
            target=self._drive, args=(phases, keep, opened), name="collectfasta-run", daemon=True
        )
        thread.start()

    def result(self) -> None:
        """After ``done``: raises whatever has ended the run, except failures of single files."""
        if self._crashes:
            raise self._crashes[0]

    def interrupt(self) -> None:
        """Stop as soon as may be, and wait for it a moment. From the main thread."""
        self._stop.set()
        if self._crew is not None:
            self._crew.close(wait=False)
        if self._hasher is not None:
            self._hasher.close(at_once=True)
        self._strategy.interrupt()
        self.done.wait(LAST_WORDS)

    def _drive(
        self,
        phases: Sequence[Sequence[SourceFile]],
        keep: Sequence[str],
        opened: Callable[[], object],
    ) -> None:
        try:
            opened()
            self._execute(phases, keep)
        except Stopped:
            if not self._stop.is_set():
                self._crashes.append(RuntimeError("The run has stopped, and nobody asked it to."))
        except BaseException as error:  # noqa: BLE001 - raised again by result(), in the main thread
            self._crashes.append(error)
        finally:
            self.done.set()

    def _execute(self, phases: Sequence[Sequence[SourceFile]], keep: Sequence[str]) -> None:
        names = sorted({file.name for phase in phases for file in phase})
        threads = bounded(self._options.threads or self._strategy.threads_for(len(names)))
        dry_run = self._options.dry_run
        lookups = Lookups(self._strategy, self._cache, names, self._tally, dry_run=dry_run)
        self._ahead = threads * AHEAD
        self._crew = Crew(threads, self._publisher.publish, self._crashed)
        self._hasher = Hasher(self._strategy, lookups, self._tally, share=len(phases) > 1)
        try:
            if self._custom is not None:
                self._custom.before()
            for phase in phases:
                self._publish(phase, lookups)
                self._judge()
                if self._tally.failures:
                    break
            else:
                if self._options.clear:
                    self._clear({*names, *keep})
        finally:
            self._crew.close(wait=not self._stopping)  # so that all that was sent is judged
            self._judge()
            self._finish(lookups)

    def _finish(self, lookups: Lookups) -> None:
        """Remember what was sent, whatever has ended the run, and let go of everything."""
        try:
            if not self._options.dry_run:
                self._remember(lookups)
        finally:
            lookups.close()
            if self._hasher is not None:
                self._hasher.close(at_once=self._stopping)
            self._strategy.close()

    def _remember(self, lookups: Lookups) -> None:
        records = self._publisher.records
        if self._stopping:  # threads that nobody waits for may still add to them
            lookups.save(dict(records), LAST_WORDS / 2)
        else:
            lookups.save(records)

    @property
    def _stopping(self) -> bool:
        return self._stop.is_set() or bool(self._crashes)

    def _publish(self, files: Sequence[SourceFile], lookups: Lookups) -> None:
        """One phase, to its end. Raises ``Stopped``, or what a thread has crashed with."""
        refused = self._strategy.refused([file.name for file in files])
        for file in files:
            if file.name in refused:
                self._publisher.fail(file, refused[file.name])
        if self._hasher is None:
            raise Stopped
        start = time.monotonic()
        for hashed in self._hasher.digests([file for file in files if file.name not in refused]):
            self._wait(self._ahead)
            self._hand_over(self._candidates(hashed, lookups))
        self._wait(0)
        self._tally.span("publish", start, len(files))

    def _candidates(self, hashed: Hashed, lookups: Lookups) -> list[Candidate]:
        """Skip at once what record and listing prove; all else is for an I/O thread. What is new is
        counted, and read ahead for a moment."""
        remote, records = lookups.remote(), lookups.records()
        simple = self._custom is None and not self._options.dry_run
        new = []
        others = []
        until = time.monotonic() + READING
        for file, digest in hashed:
            if isinstance(digest, str):
                self._publisher.fail(file, digest)
                continue
            if digest is None and simple:
                if time.monotonic() < until:
                    self._strategy.read_ahead(file)
                new.append(Candidate(file, None, None, None, False, NEW))
                continue
            shown = remote.get(file.name) if remote is not None else None
            candidate = Candidate(file, digest, records.get(file.name), shown, remote is None)
            if not self._settled(candidate):
                others.append(candidate)
        if new:
            self._tally.decided(NEW, len(new))
        return new + others

    def _settled(self, candidate: Candidate) -> bool:
        if candidate.digest is None or candidate.look or self._custom is not None:
            return False
        decision = settle(self._publisher.facts(candidate, candidate.digest))
        if decision is None or not (decision.action is Action.SKIP or self._options.dry_run):
            return False
        self._publisher.carry_out(candidate, decision)
        return True

    def _hand_over(self, candidates: list[Candidate]) -> None:
        if self._crew is None:
            raise Stopped
        self._crew.put(candidates)

    def _wait(self, most: int) -> None:
        """Until so many files are left that are not published. Raises as :meth:`_check`."""
        while self._crew is not None and not self._crew.wait(most, seconds=0.2):
            self._check()
        self._check()

    def _crashed(self, candidate: Candidate, error: BaseException) -> None:
        self._crashes.append(_told(error, candidate.file.name))

    def _check(self) -> None:
        if self._stop.is_set():
            raise Stopped
        self.result()

    def _judge(self) -> None:
        """Uploads that turn out to be damaged have failed, and are not remembered."""
        for name, error in self._strategy.unjudged().items():
            self._publisher.records.pop(name, None)
            self._tally.overturn(name, error)

    def _clear(self, keep: set[str]) -> None:
        start = time.monotonic()
        stale = [name for name in self._strategy.list_all() if name not in keep]
        for first in range(0, len(stale), 1000):
            self._check()
            names = stale[first : first + 1000]
            if not self._options.dry_run:
                self._strategy.delete(names)
            self._tally.deleted += names
        self._tally.span("clear", start, len(stale))


def _told(error: BaseException, name: str) -> BaseException:
    """What to raise for ``error``, met while ``name`` was published."""
    if isinstance(error, MemoryError):
        short = CollectfastaError(
            f"{name}: there is not enough memory to publish it. Set COLLECTFASTA_THREADS lower.",
            name=name,
        )
        short.__cause__ = error
        return short
    if not isinstance(error, DestinationError):
        error.add_note(f"While {name!r} was published.")
    return error
