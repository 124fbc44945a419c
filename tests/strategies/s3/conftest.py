"""Fixtures of the tests of S3."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts.benchmarks.store import Store
from tests.strategies.s3.kit import Transport, only_sdk

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def store() -> Iterator[Store]:
    """An empty bucket named ``static``."""
    with Store() as running:
        yield running


@pytest.fixture(params=["obstore", "put_object", "save"])
def transport(
    request: pytest.FixtureRequest, store: Store, monkeypatch: pytest.MonkeyPatch
) -> Transport:
    """Each of the three ways in which files travel."""
    if request.param == "put_object":
        only_sdk(monkeypatch)
    return Transport(request.param, store)
