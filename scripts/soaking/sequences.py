"""The model, for thousands of sequences, shared among all its worlds."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

AT_ONCE = 50
"""Sequences that one seed stands for: that many have to be repeated to see a failure again."""


def soak(count: int, dice: random.Random, say: Callable[[str], None]) -> None:
    """Raises what the model raises."""
    from tests.conftest import pytest_configure

    pytest_configure()
    from tests.model import cloud_worlds, worlds
    from tests.model.test_model import explore_with

    kinds = [
        worlds.S3,
        worlds.Disk,
        cloud_worlds.Google,
        worlds.OpaqueS3,
        worlds.CachingDisk,
        cloud_worlds.Azure,
    ]
    done = 0
    while done < count:
        world = kinds[done // AT_ONCE % len(kinds)]
        number = min(AT_ONCE, count - done)
        seed = dice.randrange(2**32)
        started = time.monotonic()
        explore_with(world, seed, number)
        done += number
        took = f"{time.monotonic() - started:.0f} s"
        say(f"{done} of {count} sequences: {number} of {world.__name__}, seed {seed}, {took}")
