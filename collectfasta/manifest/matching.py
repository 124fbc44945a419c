"""Finds what a pattern finds, only sooner: leaping from one place where it can begin to another.

Worker processes load this: it imports no Django.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from collectfasta.manifest.literals import Literal

FOLDED = "\u0130\u0131\u017f\u212a"
"""The only letters outside ASCII that ``re.IGNORECASE`` takes for ASCII ones (i, i, s, k)."""

_FROM = re.compile(r"from\s*['\"][./][^\n]*\s*;?", re.IGNORECASE)


class Rule(NamedTuple):
    """One pattern of a storage, and what is known of all its matches.

    ``literals``: texts that each holds. ``start``: text that each begins with, but for anchors.
    ``from_last``: each ends with ``from './…'``.
    """

    pattern: str
    flags: int
    literals: tuple[Literal, ...] = ()
    start: Literal | None = None
    from_last: bool = False


class Text:
    """A file's text, prepared for many searches."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._lowered: str | None = None
        self._folds: bool | None = None

    def holds(self, rule: Rule) -> bool:
        """Whether everything is there that a match needs."""
        return all(self._find(literal, 0) != -1 for literal in rule.literals) or self._folding(rule)

    def matches(self, rule: Rule) -> Iterator[re.Match[str]]:
        """What ``finditer`` yields, once ``holds`` is true."""
        pattern, end = compiled(rule.pattern, rule.flags), self._reach(rule)
        if rule.start is None or (rule.start[1] and self._folding(rule)):
            yield from pattern.finditer(self.text, 0, end)
            return
        place = self._find(rule.start, 0)
        while -1 < place < end:
            match = pattern.match(self.text, place, end)
            if match is not None:
                yield match
            place = self._find(rule.start, match.end() if match is not None else place + 1)

    def substituted(self, rule: Rule, convert: Callable[[re.Match[str]], str]) -> str:
        """What ``sub`` gives, once ``holds`` is true."""
        parts = []
        done = 0
        for match in self.matches(rule):
            parts += [self.text[done : match.start()], convert(match)]
            done = match.end()
        parts.append(self.text[done:])
        return "".join(parts)

    def _find(self, literal: Literal, place: int) -> int:
        text, ignore_case = literal
        if not ignore_case:
            return self.text.find(text.decode(), place)
        if self._lowered is None:
            ascii_text = self.text
            if not ascii_text.isascii():  # one ``?`` for each letter, so that places stay the same
                ascii_text = ascii_text.encode("ascii", "replace").decode("ascii")
            self._lowered = ascii_text.lower()
        return self._lowered.find(text.decode(), place)

    def _folding(self, rule: Rule) -> bool:
        """Whether a letter may stand for another, so that only the pattern itself can tell."""
        if self._folds is None:
            self._folds = not self.text.isascii() and any(letter in self.text for letter in FOLDED)
        return self._folds and bool(rule.flags & re.IGNORECASE)

    def _reach(self, rule: Rule) -> int:
        """How far a match can reach.

        Django's patterns for ``import … from './x'`` search to the end of the file from each
        ``import`` that no ``from`` follows: minutes, for one large bundle. Behind the line of the
        last ``from './`` there can be no match.
        """
        if not rule.from_last:
            return len(self.text)
        end = 0
        for match in _FROM.finditer(self.text):
            end = match.end()
        return end


@lru_cache(maxsize=64)
def compiled(pattern: str, flags: int) -> re.Pattern[str]:
    """The pattern, compiled once in each process."""
    return re.compile(pattern, flags)
