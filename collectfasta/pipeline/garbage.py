"""Fewer garbage collections while hundreds of thousands of values live, none of them garbage."""

from __future__ import annotations

import atexit
import contextlib
import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SELDOM = 100_000
"""Objects made since the last collection. Python's 700 cost a fifth of a large run's CPU."""


@contextlib.contextmanager
def collected_seldom() -> Iterator[None]:
    """Afterwards all is as before; whoever has turned collection off keeps it off."""
    before = gc.get_threshold()
    if 0 < before[0] < SELDOM:
        gc.set_threshold(SELDOM, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def left_at_exit() -> None:
    """Have the interpreter end without a last search for garbage: the system takes the memory back
    anyway, and looking at each value once more costs a fifth of a run that changes nothing."""
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)
