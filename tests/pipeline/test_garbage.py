"""Garbage is collected less often in a run, and as before afterwards."""

from __future__ import annotations

import contextlib
import gc
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
