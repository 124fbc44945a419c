"""What a user sees while a run is going on.

On a terminal with rich installed: a live line per stage, gone when the run is done. Anywhere else
plain lines, one every few seconds at most, without control characters.
"""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from collectfasta.pipeline.amounts import in_bytes, in_files, in_time

if TYPE_CHECKING:
    from collections.abc import Mapping

EVERY = 5.0
"""Seconds between two plain lines; a run that is shorter prints none."""

SETTLED = 1.0
"""Seconds after which a rate says something."""


class CountsLike(Protocol):
    """Files and bytes that have passed each stage so far."""

    @property
    def collected(self) -> int: ...
    @property
    def hashed(self) -> int: ...
    @property
    def compared(self) -> int: ...
    @property
    def uploaded(self) -> int: ...
    @property
    def failed(self) -> int: ...
    @property
    def kept(self) -> int: ...
    @property
    def bytes_hashed(self) -> int: ...
    @property
    def bytes_sent(self) -> int: ...
    @property
    def bytes_kept(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Totals:
    """How many files and bytes a run has before it, as far as is known."""

    files: int
    bytes: int


class Progress(Protocol):
    """Called by the main thread only. ``elapsed`` is in seconds since the run began."""

    def update(self, counts: CountsLike, totals: Totals, elapsed: float) -> None:
        """Show how far things are. Cheap; may be called ten times a second."""

    def hide(self) -> None:
        """Make room for a line of somebody else's; the next update shows progress again."""

    def close(self) -> None:
        """Leave nothing on the screen. May be called twice."""


def make_progress(stream: Any, *, enabled: bool, verbosity: int) -> Progress:
    """The progress that fits ``stream`` (a text file, or the command's wrapper of one).

    From verbosity 2 on every file has a line of its own, which is progress enough.
    """
    if not enabled or verbosity != 1:
        return NoProgress()
    raw = getattr(stream, "_out", stream)  # Django's wrapper adds line ends of its own
    if _is_live(raw, os.environ) and importlib.util.find_spec("rich") is not None:
        from collectfasta.pipeline.live import LiveProgress

        return LiveProgress(raw)
    return PlainProgress(raw)


def _is_live(stream: Any, environ: Mapping[str, str]) -> bool:
    """A terminal that somebody looks at: CI systems show their logs afterwards, as text."""
    isatty = getattr(stream, "isatty", None)
    if isatty is None or not isatty():
        return False
    return not environ.get("CI") and environ.get("TERM") not in (None, "", "dumb", "unknown")


class NoProgress:
    """Says nothing."""

    def update(self, counts: CountsLike, totals: Totals, elapsed: float) -> None:
        """Nothing."""

    def hide(self) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class PlainProgress:
    """A line of text every five seconds."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._next = EVERY
        self._pace = Pace()

    def update(self, counts: CountsLike, totals: Totals, elapsed: float) -> None:
        self._pace.update(counts, elapsed)
        if elapsed < self._next:
            return
        self._next = elapsed + EVERY
        self._stream.write(plain_line(counts, totals, self._pace) + "\n")
        self._stream.flush()

    def hide(self) -> None:
        """Nothing: its lines stay."""

    def close(self) -> None:
        """Nothing: its lines stay."""


class Pace:
    """How fast files settle: from the moment the first one did, so that waiting for the listing
    does not count."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._now = 0.0

    def update(self, counts: CountsLike, elapsed: float) -> None:
        self._now = elapsed
        if self._since is None and settled(counts):
            self._since = elapsed

    def per_second(self, amount: float) -> float | None:
        """``amount`` so far as a rate; ``None`` while it would be a guess."""
        if self._since is None or self._now - self._since < SETTLED:
            return None
        return amount / (self._now - self._since)

    def left(self, done: float, total: float) -> float | None:
        """Seconds until ``done`` is ``total`` at the pace so far."""
        rate = self.per_second(done)
        return max(0.0, total - done) / rate if rate else None


def settled(counts: CountsLike) -> int:
    """Files whose fate is known."""
    return counts.kept + counts.uploaded + counts.failed


def rate_and_time(counts: CountsLike, totals: Totals, pace: Pace) -> list[str]:
    """Bytes a second and the time that is left, as far as they are known."""
    phrases = []
    rate = pace.per_second(counts.bytes_sent)
    if rate:
        phrases.append(f"{in_bytes(rate)}/s")
    left = pace.left(settled(counts), totals.files)
    if left:
        phrases.append(f"{in_time(left)} left")
    return phrases


def plain_line(counts: CountsLike, totals: Totals, pace: Pace) -> str:
    """All of it in one line."""
    if not totals.files:
        return f"collectstatic: {in_files(counts.collected)} collected"
    phrases = [
        f"{settled(counts):,} of {in_files(totals.files)} done",
        f"{counts.hashed:,} hashed",
        f"{counts.uploaded:,} uploaded",
    ]
    if counts.failed:
        phrases.append(f"{counts.failed:,} failed")
    if counts.bytes_sent:
        phrases.append(f"{in_bytes(counts.bytes_sent)} sent")
    return "collectstatic: " + ", ".join([*phrases, *rate_and_time(counts, totals, pace)])
