"""Settings are read when the command runs, and say which one is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from django.test.utils import override_settings

from collectfasta.exceptions import SettingError
from collectfasta.settings import Settings


def test_without_settings_there_are_defaults() -> None:
    """Zero configuration."""
    assert Settings.load() == Settings(None, "default", None, True, False, "collectfasta")


@override_settings(
    COLLECTFASTA_STRATEGY="a.B",
    COLLECTFASTA_CACHE="other",
    COLLECTFASTA_THREADS=7,
    COLLECTFASTA_ENABLED=False,
    COLLECTFASTA_DEBUG=True,
    COLLECTFASTA_CACHE_KEY_PREFIX="p",
    CACHES={"default": {"BACKEND": "x"}, "other": {"BACKEND": "y"}},
)
def test_settings_are_read_at_the_time_of_the_call() -> None:
    """Each one is honoured."""
    assert Settings.load() == Settings("a.B", "other", 7, False, True, "p")


@pytest.mark.parametrize(("given", "meant"), [(None, None), (0, 1), (1, 1), (64, 64)])
def test_no_threads_mean_one_at_a_time(given: Any, meant: int | None) -> None:
    """0 and 1 are the same; unset lets the run pick."""
    with override_settings(COLLECTFASTA_THREADS=given):
        assert Settings.load().threads == meant


@pytest.mark.parametrize("given", [None, ""])
def test_an_empty_strategy_is_found_from_the_storage(given: Any) -> None:
    """As if it were unset."""
    with override_settings(COLLECTFASTA_STRATEGY=given):
        assert Settings.load().strategy is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STRATEGY", 7),
        ("CACHE", None),
        ("CACHE", "nowhere"),
        ("THREADS", "20"),
        ("THREADS", True),
        ("THREADS", -1),
        ("THREADS", 100_000),
        ("THREADS", 2.5),
        ("ENABLED", "yes"),
        ("DEBUG", 1),
        ("CACHE_KEY_PREFIX", None),
    ],
)
def test_a_wrong_value_is_named_with_its_setting(name: str, value: Any) -> None:
    """In one line."""
    with (
        override_settings(**{f"COLLECTFASTA_{name}": value}),
        pytest.raises(SettingError, match=f"COLLECTFASTA_{name}") as error,
    ):
        Settings.load()
    assert "\n" not in str(error.value)
