"""What a run may say about post-processing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from collectfasta.pipeline.pool import HashPool


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class PostProcessOptions:
    """How to go about it.

    ``mode``: keep changed bytes in ``memory``, or as ``files`` in a private temporary folder.
    ``warn`` is given one line at a time. ``pool`` is where files are read, if the run has one
    already. ``lookup`` tells which of some names (sorted, without the location) exist on the
    destination; without it each is looked up with the storage's own ``exists``. ``stop`` is asked
    now and then whether to give up, which raises ``CancelledError``.
    """

    warn: Callable[[str], None]
    mode: str = "memory"
    dry_run: bool = False
    pool: HashPool | None = None
    lookup: Callable[[Sequence[str]], Iterable[str]] | None = None
    stop: Callable[[], bool] = _never
