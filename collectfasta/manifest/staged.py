"""Hashed copies that are made already, while others are still being made.

Two of Django's patterns may match one reference in a module. The second then meets the hashed name
that the first has put there, finds that copy, and hashes its name once more: the reference leads
nowhere. Django's first pass sees only copies of files that came before, its later ones see all.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from collectfasta.items import SourceFile


class Staged:
    """Knows what Django would find where a hashed name is referred to."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self.files: dict[str, SourceFile] = {}
        self._positions: dict[str, int] = {}
        self._position = 0
        self._later_passes = False
        self._warned: set[str] = set()
        self.hidden = False
        """A copy was asked for which only Django's later passes would see."""

    def add(self, name: str, file: SourceFile, position: int) -> None:
        """The hashed copy ``name`` is made; its file is at ``position`` in Django's order."""
        self.files[name] = file
        self._positions[name] = position

    def sees(self, name: str) -> bool:
        """Whether Django would find ``name`` now."""
        if name not in self.files:
            return False
        if self._positions[name] > self._position and not self._later_passes:
            self.hidden = True
            return False
        if name not in self._warned:
            self._warned.add(name)
            self._warn(
                f"{name} is a hashed name already, but is hashed once more, as Django does: the "
                "reference leads nowhere. Two patterns match it."
            )
        return True

    @contextlib.contextmanager
    def at(self, position: int) -> Iterator[None]:
        """While the file at ``position`` is being made."""
        before = self._position, self._later_passes
        self._position, self._later_passes = position, False
        try:
            yield
        finally:
            self._position, self._later_passes = before

    def convert(self, function: Callable[[], str]) -> str:
        """Convert a reference as Django's first pass does, and, if that works, as its last."""
        self.hidden = False
        result = function()
        if self.hidden:
            self._later_passes = True
            try:
                result = function()
            finally:
                self._later_passes = self.hidden = False
        return result
