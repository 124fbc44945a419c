"""``COLLECTFASTA_*`` settings, read and checked when the command runs, never at import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings as django_settings

from collectfasta.exceptions import SettingError

PREFIX = "COLLECTFASTA_"
MAX_THREADS = 512
_UNSET = object()


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user has set. ``threads`` is ``None`` where the run picks a good number itself."""

    strategy: Any = None
    cache: str = "default"
    threads: int | None = None
    enabled: bool = True
    debug: bool = False
    cache_key_prefix: str = "collectfasta"

    @classmethod
    def load(cls) -> Settings:
        """Read them all. Raises ``SettingError`` that names the setting."""
        return cls(
            strategy=_strategy(),
            cache=_cache(),
            threads=_threads(),
            enabled=_typed("ENABLED", bool, default=True),
            debug=_typed("DEBUG", bool, default=False),
            cache_key_prefix=_typed("CACHE_KEY_PREFIX", str, default="collectfasta"),
        )


def _get(name: str) -> Any:
    return getattr(django_settings, PREFIX + name, _UNSET)


def _typed(name: str, kind: type, *, default: Any) -> Any:
    value = _get(name)
    if value is _UNSET:
        return default
    if not isinstance(value, kind):
        raise SettingError(
            f"{PREFIX}{name} must be a {kind.__name__}, not {type(value).__name__}: {value!r}."
        )
    return value


def _strategy() -> Any:
    value = _get("STRATEGY")
    if value is _UNSET or value is None or value == "":
        return None
    if not isinstance(value, str | type):
        raise SettingError(
            f"{PREFIX}STRATEGY must be the dotted path of a strategy class, "
            f"not {type(value).__name__}: {value!r}."
        )
    return value


def _cache() -> str:
    alias: str = _typed("CACHE", str, default="default")
    if alias not in django_settings.CACHES:
        known = ", ".join(sorted(django_settings.CACHES))
        raise SettingError(f"{PREFIX}CACHE is {alias!r}, which is not in CACHES ({known}).")
    return alias


def _threads() -> int | None:
    value = _get("THREADS")
    if value is _UNSET or value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise SettingError(f"{PREFIX}THREADS must be a whole number, not {value!r}.")
    if not 0 <= value <= MAX_THREADS:
        raise SettingError(f"{PREFIX}THREADS must be from 0 to {MAX_THREADS}, not {value}.")
    return max(1, value)
