"""The client of our own: times are read as botocore reads them, and nobody else's are touched."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.utils import parse_timestamp
from hypothesis import given
from hypothesis import strategies as st

from collectfasta.strategies.s3.client import _time
from tests.strategies.s3.kit import opened, source

if TYPE_CHECKING:
    from scripts.benchmarks.store import Store


@given(st.datetimes(datetime(1970, 1, 1), datetime(9000, 1, 1)), st.sampled_from(["Z", "+00:00"]))
def test_times_are_what_botocore_makes_of_them(time: datetime, zone: str) -> None:
    """The same moment, with a time zone."""
    text = time.isoformat() + zone
    assert _time(text) == parse_timestamp(text) == time.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "odd", ["Wed, 25 Nov 2026 09:12:51 GMT", 1764061971, "1764061971", "2026-11-25T09:12:51"]
)
def test_other_ways_of_writing_a_time_are_left_to_botocore(odd: Any) -> None:
    """HTTP's, seconds since 1970, and what has no zone."""
    assert _time(odd) == parse_timestamp(odd)


def test_what_is_no_time_is_botocores_error() -> None:
    """It becomes an error of the SDK's, which is told as such."""
    with pytest.raises(ValueError, match="timestamp"):
        _time("noon")


def test_only_a_session_of_ours_reads_times_in_another_way(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that the project makes may serve its other clients, too."""
    read: list[Any] = []

    def watched(value: Any) -> datetime:
        read.append(value)
        return _time(value)

    monkeypatch.setattr("collectfasta.strategies.s3.client._time", watched)
    shared = boto3.Session(aws_access_key_id="k", aws_secret_access_key="s")

    class Shared:
        def _create_session(self) -> Any:
            return shared

    ours, theirs = opened(store), opened(store, Shared)
    ours.upload(source("a.css"))
    for strategy, times in ((theirs, 0), (ours, 1)):
        assert [key for key, _, _ in strategy._sdk.page("", "", 5)[0]] == ["a.css"]
        assert len(read) == times
