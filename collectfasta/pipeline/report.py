"""Last stage: count what happened, as it happens."""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from collectfasta.items import Action, Outcome, Reason

if TYPE_CHECKING:
    from collectfasta.items import Decision, SourceFile


@dataclass(frozen=True, slots=True)
class Span:
    """One piece of a stage's work, in seconds since the run began."""

    stage: str
    start: float
    end: float
    files: int
    bytes: int


@dataclass(slots=True)
class Counts:
    """Files and bytes that have passed each stage."""

    collected: int = 0
    hashed: int = 0
    compared: int = 0
    uploaded: int = 0
    kept: int = 0
    failed: int = 0
    bytes_hashed: int = 0
    bytes_sent: int = 0
    bytes_kept: int = 0


@dataclass(slots=True)
class Tally:
    """Everything that a run has to tell. One per run; any thread may add to it.

    Outcomes go through ``news``, which the main thread empties, if it is ``detailed``: somebody
    wants to know them. They are kept nowhere else.
    """

    detailed: bool = True
    counts: Counts = field(default_factory=Counts)
    reasons: Counter[Reason] = field(default_factory=Counter)
    copied: list[str] = field(default_factory=list)
    unmodified: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    spans: list[Span] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    hits: int = 0
    asked: int = 0
    news: queue.SimpleQueue[Outcome | str] = field(default_factory=queue.SimpleQueue)
    started: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def compared(self, decision: Decision, file: SourceFile) -> None:
        """A decision has been made. Its outcome follows when the file has been sent."""
        with self._lock:
            self.counts.compared += 1
            self.reasons[decision.reason] += 1
            if decision.action is Action.SKIP:
                self.counts.kept += 1
                self.counts.bytes_kept += file.size
                self.unmodified.append(file.name)

    def decided(self, decision: Decision, files: int) -> None:
        """So many files are to be uploaded, all for the same reason."""
        with self._lock:
            self.counts.compared += files
            self.reasons[decision.reason] += files

    def uploaded(self, name: str, sent: int) -> None:
        """A file is where it belongs; so many bytes went over the wire."""
        with self._lock:
            self.counts.uploaded += 1
            self.counts.bytes_sent += sent
            self.copied.append(name)

    def failed(self, name: str, error: str) -> None:
        """A file has not been written."""
        with self._lock:
            self.failures[name] = error
            self.counts.failed = len(self.failures)

    def overturn(self, name: str, error: str) -> None:
        """A file that seemed to be written has turned out not to be."""
        self.failed(name, error)
        with self._lock:
            if name in self.copied:
                self.copied.remove(name)
                self.counts.uploaded -= 1

    def warn(self, sentence: str) -> None:
        """Something the user should know, that changes nothing about the result."""
        self.news.put(sentence)

    def hashed(self, files: int, size: int) -> None:
        with self._lock:
            self.counts.hashed += files
            self.counts.bytes_hashed += size

    def span(self, stage: str, start: float, files: int = 0, size: int = 0) -> None:
        """A piece of ``stage`` that began at monotonic ``start`` has ended now."""
        end = time.monotonic()
        with self._lock:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + end - start
            self.spans.append(Span(stage, start - self.started, end - self.started, files, size))
