"""Memory that is not needed any more goes back to the system: a setting of glibc's ``malloc``."""

from __future__ import annotations

import os
import sys

_MMAP_THRESHOLD, _ARENA_MAX = -3, -8
"""``mallopt``'s names for them, from glibc's ``malloc.h``."""

ARENAS = 4
LARGE = 64 * 1024
"""Bytes. From here on a block is mapped by itself, and unmapped when it is freed."""


def give_back_memory() -> bool:
    """Have glibc keep less: it would hold on to what each of a hundred threads once needed, a
    third of a big run's memory. For a process that is ours alone; the environment goes first.

    Whether it was done.
    """
    if sys.platform != "linux" or any(name.startswith("MALLOC_") for name in os.environ):
        return False
    import ctypes

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    return mallopt is not None and all(
        [mallopt(_MMAP_THRESHOLD, LARGE) == 1, mallopt(_ARENA_MAX, ARENAS) == 1]
    )
