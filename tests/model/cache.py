"""A cache that outlives a run, in this process, and can be damaged in every way."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

from django.core.cache.backends.locmem import LocMemCache

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "collectfasta-model"


class KeptCache(LocMemCache):
    """Django's LocMemCache under another name, so that it counts as lasting; ``down``: it fails."""

    down = False

    def __init__(self, name: str, params: dict[str, Any]) -> None:
        super().__init__(name, {**params, "MAX_ENTRIES": 1_000_000})

    def get_many(self, *args: Any, **kwargs: Any) -> Any:
        """Raises ``ConnectionError`` while it is down."""
        if KeptCache.down:
            raise ConnectionError("the cache is down")
        return super().get_many(*args, **kwargs)

    def set_many(self, *args: Any, **kwargs: Any) -> Any:
        """Raises ``ConnectionError`` while it is down."""
        if KeptCache.down:
            raise ConnectionError("the cache is down")
        return super().set_many(*args, **kwargs)


SETTING = {"default": {"BACKEND": "tests.model.cache.KeptCache", "LOCATION": NAME}}


def _cache() -> KeptCache:
    return KeptCache(NAME, {})


def entries() -> dict[str, Any]:
    """Everything in it by full key: also a snapshot that :func:`restore` takes back."""
    return {key: pickle.loads(value) for key, value in _cache()._cache.items()}


def restore(values: dict[str, Any]) -> None:
    """Hold just ``values``."""
    cache = _cache()
    cache.clear()
    for key, value in values.items():
        cache._cache[key] = pickle.dumps(value)
        cache._expire_info[key] = None


def change(how: Callable[[str, Any], Any]) -> None:
    """Put ``how(key, value)`` in the place of each value; ``None`` drops it."""
    changed = {key: how(key, value) for key, value in entries().items()}
    restore({key: value for key, value in changed.items() if value is not None})
