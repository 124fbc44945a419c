"""A storage's patterns, as what the scan and the rewriting need of them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.contrib.staticfiles.storage import HashedFilesMixin
from django.contrib.staticfiles.utils import matches_patterns

from collectfasta.manifest.literals import ends_with_from, required, start
from collectfasta.manifest.matching import Rule

if TYPE_CHECKING:
    import re


class Rules:
    """Which patterns apply to which file. ``patterns`` is the storage's own ``_patterns``:
    extension (``*.css``) → tuples of compiled pattern, template and, from Django 6.1 on, the
    pattern of what is left alone (comments, strings)."""

    def __init__(self, patterns: dict[str, list[tuple[Any, ...]]]) -> None:
        self._patterns = patterns
        self._numbers: dict[tuple[str, ...], int] = {}
        self._by_name: dict[str, int] = {}
        self._entries: list[list[tuple[Any, ...]]] = []
        self.groups: list[list[Rule]] = []

    def group(self, name: str) -> int:
        """The number of the list of rules for ``name``; -1 if it holds no references."""
        number = self._by_name.get(name)
        if number is None:
            number = self._by_name[name] = self._group(name)
        return number

    def _group(self, name: str) -> int:
        extensions = tuple(ext for ext in self._patterns if matches_patterns(name, (ext,)))
        if not extensions:
            return -1
        number = self._numbers.get(extensions)
        if number is None:
            number = self._numbers[extensions] = len(self.groups)
            entries = [entry for ext in extensions for entry in self._patterns[ext]]
            self._entries.append(entries)
            self.groups.append([_rule(entry[0]) for entry in entries])
        return number

    def entries(self, group: int) -> list[tuple[tuple[Any, ...], Rule]]:
        """The storage's own tuples, each with its rule, in order."""
        return list(zip(self._entries[group], self.groups[group], strict=True))


def _rule(pattern: re.Pattern[str]) -> Rule:
    from_last = pattern.pattern in _djangos_own() and ends_with_from(pattern.pattern)
    return Rule(pattern.pattern, pattern.flags, required(pattern), start(pattern), from_last)


@lru_cache(maxsize=1)
def _djangos_own() -> frozenset[str]:
    _, patterns = HashedFilesMixin._js_module_import_aggregation_patterns
    return frozenset(entry if isinstance(entry, str) else entry[0] for entry in patterns)
