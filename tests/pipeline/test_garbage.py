"""Garbage is collected less often in a run, and as before afterwards."""

from __future__ import annotations

import contextlib
import gc
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from collectfasta.pipeline.garbage import SELDOM, collected_seldom

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _thresholds() -> Iterator[None]:
    """As they were."""
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


@pytest.mark.parametrize(
    ("before", "meanwhile"),
    [(700, SELDOM), (SELDOM * 2, SELDOM * 2), (0, 0)],
    ids=["usual", "seldom already", "off"],
)
def test_garbage_is_collected_seldom_in_the_block_only(before: int, meanwhile: int) -> None:
    """Even if it raises."""
    gc.set_threshold(before, 11, 12)
    with contextlib.suppress(KeyError), collected_seldom():
        seen = gc.get_threshold()
        raise KeyError
    assert seen == (meanwhile, 11, 12)
    assert gc.get_threshold() == (before, 11, 12)


CYCLE = """
import gc
from collectfasta.pipeline.garbage import left_at_exit

class Noisy:
    def __del__(self):
        print("looked at")

left_at_exit()
left_at_exit()
noisy = Noisy()
noisy.me = noisy
gc.disable()
del noisy
print("done")
"""


def test_at_exit_nobody_looks_for_garbage() -> None:
    """And what is written before is written all the same."""
    done = subprocess.run([sys.executable, "-c", CYCLE], capture_output=True, check=True)
    assert done.stdout.split() == [b"done"]
    assert done.stderr == b""
