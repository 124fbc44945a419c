"""One ``collectstatic``: collect, post-process, publish, from the main thread's side.

It only waits: everything that may block runs in daemon threads, so that Ctrl-C is heard at once.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import wait
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from collectfasta.checksums import ChecksumCache
from collectfasta.pipeline.collect import collect
from collectfasta.pipeline.lookups import present
from collectfasta.pipeline.report import Tally
from collectfasta.pipeline.run import Run, RunOptions
from collectfasta.pipeline.workers import DaemonPool
from collectfasta.strategies.choice import load_strategy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from collectfasta.items import Outcome, SourceFile
    from collectfasta.manifest.process import Processed
    from collectfasta.pipeline.collect import Collected
    from collectfasta.settings import Settings
    from collectfasta.strategies.native import NativeStrategy

TICK = 0.1
"""Seconds between two looks at what a run has to tell."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the command asks for. The callbacks are called in the main thread only."""

    storage: Any
    settings: Settings
    options: RunOptions
    ignore_patterns: Sequence[str]
    post_process: bool
    conflict: Callable[[str], None]
    news: Callable[[Outcome | str], None]
    tick: Callable[[Tally, int, int], None]
    """Called with the tally, and the files and bytes there are, a few times a second."""


@dataclass(slots=True)
class Session:
    """``run`` does everything; the rest is what the command reports of it afterwards."""

    request: Request
    tally: Tally = field(default_factory=Tally)
    post_processed: list[tuple[str, str]] = field(default_factory=list)
    collected: Collected | None = None
    adds_names: bool = False
    """Whether more is published than was collected: hashed names, and a manifest."""
    strategy: NativeStrategy[Any] | None = None

    def run(self) -> None:
        """Raises a ``CollectfastaError`` for what has kept the run as a whole from succeeding.

        Files that have failed are in the tally. Any other exception is a bug, or an interrupt.
        """
        settings = self.request.settings
        self.strategy = strategy = load_strategy(settings.strategy, self.request.storage)
        storage = strategy.remote_storage
        background = DaemonPool(2, "collectfasta-session")
        threads = settings.threads or strategy.threads_for(1 << 20)
        opening = background.submit(strategy.open, threads)
        try:
            self.collected = collected = self._collect()
            custom = getattr(strategy, "custom", None)
            if custom is not None:
                custom.bind(collected.found())
            if self._post_processes(storage, strategy):
                self._publish_processed(storage, strategy, opening.result, background)
            else:
                self._publish(strategy, [collected.files], (), opening.result)
                self._process_directly(storage)
        finally:
            background.shutdown(wait=False, cancel_futures=True)

    def collected_of(self, names: list[str]) -> list[str]:
        """Those of ``names`` that were collected, and not made from something else."""
        if not self.adds_names or self.collected is None:
            return names
        collected = {file.name for file in self.collected.files}
        return [name for name in names if name in collected]

    def _collect(self) -> Collected:
        start = time.monotonic()
        collected = collect(self.request.ignore_patterns, self.request.conflict)
        size = sum(file.size for file in collected.files)
        self.tally.counts.collected = len(collected.files)
        self.tally.span("collect", start, len(collected.files), size)
        return collected

    def _post_processes(self, storage: Any, strategy: NativeStrategy[Any]) -> bool:
        if not self.request.post_process or not hasattr(storage, "post_process"):
            return False
        from collectfasta.manifest.process import runs_directly

        return not runs_directly(storage, remote=strategy.kind != "disk")

    def _publish_processed(
        self,
        storage: Any,
        strategy: NativeStrategy[Any],
        opened: Callable[[], object],
        background: DaemonPool,
    ) -> None:
        """Hashed files, plain files, the manifest, each only if all before has succeeded."""
        self.adds_names = True
        processed = self._processed(storage, strategy, opened, background)
        try:
            self.post_processed = processed.post_processed
            own = [file for place, file in processed.manifest if place is None]
            phases = [phase for phase in (processed.hashed, processed.plain, own) if phase]
            self._publish(strategy, phases, (), opened)
            for place, file in processed.manifest:
                if place is not None and not self.tally.failures:
                    other = load_strategy(None, place)
                    self._publish(other, [[file]], (), partial(other.open, 1), manifest_only=True)
        finally:
            processed.close()
        if not self.tally.failures and not self.request.options.dry_run:
            processed.commit()

    def _processed(
        self,
        storage: Any,
        strategy: NativeStrategy[Any],
        opened: Callable[[], object],
        background: DaemonPool,
    ) -> Processed:
        from collectfasta.manifest.process import PostProcessOptions, post_process

        start = time.monotonic()
        stopped = threading.Event()
        files = {file.name: file for file in (self.collected.files if self.collected else ())}

        def lookup(names: Sequence[str]) -> set[str]:
            opened()
            return present(strategy, names)

        options = PostProcessOptions(
            mode=getattr(strategy, "post_processing", "memory"),
            dry_run=self.request.options.dry_run,
            warn=self.tally.warn,
            lookup=lookup,
            stop=stopped.is_set,
        )
        processing = background.submit(post_process, storage, files, options)
        try:
            while not processing.done():
                self._tell()
                wait([processing], timeout=TICK)
        finally:
            stopped.set()
        processed = processing.result()
        self.tally.span("post-process", start, len(files))
        return processed

    def _process_directly(self, storage: Any) -> None:
        """A storage on a disk whose class has its own post-processing: it reads what is there."""
        request = self.request
        if self.tally.failures or not request.post_process or self.collected is None:
            return
        if not hasattr(storage, "post_process"):
            return
        results = storage.post_process(self.collected.found(), dry_run=request.options.dry_run)
        for original, processed, changed in results:
            if isinstance(changed, Exception):
                raise changed
            if changed:
                self.post_processed.append((original, processed))

    def _publish(
        self,
        strategy: NativeStrategy[Any],
        phases: Sequence[Sequence[SourceFile]],
        keep: Sequence[str],
        opened: Callable[[], object],
        *,
        manifest_only: bool = False,
    ) -> None:
        settings, options = self.request.settings, self.request.options
        if manifest_only:
            options = RunOptions(threads=1, dry_run=options.dry_run, debug=options.debug)
        cache = ChecksumCache(
            settings.cache,
            settings.cache_key_prefix,
            strategy.identity(),
            self.tally.warn,
            debug=settings.debug,
        )
        run = Run(strategy, cache, options, self.tally)
        files = sum(len(phase) for phase in phases)
        size = sum(file.size for phase in phases for file in phase)
        try:
            run.start(phases, keep, opened)
            while not run.done.wait(TICK):
                self._tell()
                self.request.tick(self.tally, files, size)
        except BaseException:
            run.interrupt()
            raise
        self._tell()
        self.request.tick(self.tally, files, size)
        run.result()

    def _tell(self) -> None:
        """Hand on what there is to print."""
        for _ in range(self.tally.news.qsize()):
            self.request.news(self.tally.news.get())
