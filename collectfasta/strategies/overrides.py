"""Which of a library's methods a user's storage has replaced."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def overridden(storage: object, library: type, names: Iterable[str]) -> str | None:
    """The first of ``names`` that ``storage`` (its class, or the instance) does not have from
    ``library``, or ``None`` if all are the library's own. Properties are compared, not read."""
    cls = type(storage)
    instance = getattr(storage, "__dict__", {})
    for name in names:
        if name in instance:
            return name
        mine = inspect.getattr_static(cls, name, None)
        if mine is not inspect.getattr_static(library, name, None):
            return name
    return None
