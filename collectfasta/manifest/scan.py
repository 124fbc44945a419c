"""Read each collected file once: its MD5, and which patterns match in it.

Worker processes load this: it imports no Django. A file is read in small pieces, which stay in the
processor's cache; only one that may hold references is then looked at as a whole.
"""

from __future__ import annotations

import codecs
import hashlib
import os
import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from collectfasta.manifest.literals import Literal

CHUNK = 1 << 18

_FOLDED = tuple(letter.encode() for letter in "\u0130\u0131\u017f\u212a")
"""The only letters outside ASCII that ``re.IGNORECASE`` takes for ASCII ones (i, i, s, k)."""

_FROM = re.compile(r"from\s*['\"][./][^\n]*\s*;?", re.IGNORECASE)


class Rule(NamedTuple):
    """One pattern of a storage, with the texts that it cannot match without.

    ``from_last``: every match ends with ``from './…'``.
    """

    pattern: str
    flags: int
    literals: tuple[Literal, ...]
    from_last: bool = False


class Job(NamedTuple):
    """One file to scan. ``group`` is the number of its list of rules; -1: only its MD5."""

    path: str
    group: int


class Scan(NamedTuple):
    """What is known of one file after one read.

    ``hits`` has bit *n* set if rule *n* of its group matches. ``urls`` are the references that were
    found. ``problem`` is why the file cannot be read as UTF-8, and ``unread`` why not at all.
    """

    md5: bytes | None = None
    hits: int = 0
    urls: tuple[str, ...] = ()
    problem: str = ""
    unread: str = ""


def scan_batch(jobs: Sequence[Job], groups: Sequence[Sequence[Rule]], md5: bool) -> list[Scan]:
    """Scan each file. One answer per job, in order."""
    return [_scan(job, groups, md5) for job in jobs]


def _scan(job: Job, groups: Sequence[Sequence[Rule]], md5: bool) -> Scan:
    rules = groups[job.group] if job.group >= 0 else None
    if rules is None and not md5:
        return Scan()
    try:
        hasher = hashlib.md5(usedforsecurity=False)
        sieve = Sieve(rules) if rules is not None else None
        for chunk in _chunks(job.path):
            if md5:
                hasher.update(chunk)
            if sieve is not None:
                sieve.feed(chunk)
        digest = hasher.digest() if md5 else None
        if sieve is None or not (sieve.end() or sieve.candidates()):
            return Scan(digest)
        with open(job.path, "rb") as file:
            return scan_bytes(file.read(), sieve.rules, digest)
    except OSError as error:
        return Scan(unread=error.strerror or str(error))


def _chunks(path: str) -> Iterator[bytes]:
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        while chunk := os.read(descriptor, CHUNK):
            yield chunk
    finally:
        os.close(descriptor)


def scan_bytes(data: bytes, rules: Sequence[Rule], md5: bytes | None) -> Scan:
    """Look for matches in bytes that are at hand."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        return Scan(md5, problem=f"byte {error.start} (0x{data[error.start]:02x})")
    sieve = Sieve(rules)
    sieve.feed(data)
    hits = 0
    urls: dict[str, None] = {}
    for index in sieve.candidates():
        pattern = _compiled(rules[index].pattern, rules[index].flags)
        for match in pattern.finditer(text, 0, reach(text, rules[index])):
            hits |= 1 << index
            if "url" in pattern.groupindex:
                urls[match["url"]] = None
    return Scan(md5, hits, tuple(urls))


def may_match(text: str, rule: Rule) -> bool:
    """Whether it is worth trying ``rule`` on ``text``."""
    sieve = Sieve([rule])
    sieve.feed(text.encode())
    return bool(sieve.candidates())


def reach(text: str, rule: Rule) -> int:
    """How far into ``text`` a match of ``rule`` can reach.

    Django's patterns for ``import … from './x'`` search to the end of the file from each ``import``
    that no ``from`` follows: minutes, for one large bundle. Behind the line of the last
    ``from './`` there can be no match.
    """
    if not rule.from_last:
        return len(text)
    end = 0
    for match in _FROM.finditer(text):
        end = match.end()
    return end


class Sieve:
    """Tells which rules cannot match in a file, from its bytes, piece by piece."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = rules
        self._unseen = {literal for rule in rules for literal in rule.literals}
        self._keep = max((len(text) for text, _ in self._unseen), default=1) - 1
        self._carry = b""
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._valid = True

    def feed(self, chunk: bytes) -> None:
        ascii_only = chunk.isascii()
        if self._valid and not (ascii_only and not self._decoder.getstate()[0]):
            self._decode(chunk)
        window = self._carry + chunk if self._carry else chunk
        self._carry = window[-self._keep :] if self._keep else b""
        if self._unseen:
            self._look(window, ascii_only=ascii_only)

    def _decode(self, chunk: bytes, *, final: bool = False) -> None:
        try:
            self._decoder.decode(chunk, final)
        except UnicodeDecodeError:
            self._valid = False

    def _look(self, window: bytes, *, ascii_only: bool) -> None:
        lowered = b""
        for literal in tuple(self._unseen):
            text, ignore_case = literal
            if ignore_case:
                lowered = lowered or window.lower()
                seen = text in lowered or (
                    not ascii_only and any(letter in window for letter in _FOLDED)
                )
            else:
                seen = text in window
            if seen:
                self._unseen.discard(literal)

    def end(self) -> bool:
        """No more pieces. Whether the file turned out not to be UTF-8."""
        if self._valid:
            self._decode(b"", final=True)
        return not self._valid

    def candidates(self) -> list[int]:
        """The numbers of the rules that may match."""
        return [
            index for index, rule in enumerate(self.rules) if self._unseen.isdisjoint(rule.literals)
        ]


@lru_cache(maxsize=64)
def _compiled(pattern: str, flags: int) -> re.Pattern[str]:
    return re.compile(pattern, flags)
