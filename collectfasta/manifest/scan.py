"""Read each collected file once: its MD5, and which patterns match in it.

Worker processes load this: it imports no Django. A file is read in small pieces, which stay in the
processor's cache; only one that may hold references is then looked at as a whole.
"""

from __future__ import annotations

import codecs
import hashlib
import os
from typing import TYPE_CHECKING, NamedTuple

from collectfasta.manifest.matching import FOLDED, Text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from collectfasta.manifest.matching import Rule

CHUNK = 1 << 18

_FOLDED = tuple(letter.encode() for letter in FOLDED)


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
        if rules is None or sieve is None or not sieve.worth_a_look():
            return Scan(digest)
        with open(job.path, "rb") as file:
            return scan_bytes(file.read(), rules, digest)
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
        text = Text(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        return Scan(md5, problem=f"byte {error.start} (0x{data[error.start]:02x})")
    hits = 0
    urls: dict[str, None] = {}
    for index, rule in enumerate(rules):
        if not text.holds(rule):
            continue
        for match in text.matches(rule):
            hits |= 1 << index
            if "url" in match.re.groupindex:
                urls[match["url"]] = None
    return Scan(md5, hits, tuple(urls))


class Sieve:
    """Tells, piece by piece, whether a file is worth a closer look: whether it holds the longest of
    the texts that some rule needs, or is not UTF-8."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._wanted = {rule.literals[0] for rule in rules if rule.literals}
        self._found = any(not rule.literals for rule in rules)
        self._keep = max((len(text) for text, _ in self._wanted), default=1) - 1
        self._carry = b""
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def feed(self, chunk: bytes) -> None:
        """The next piece of the file."""
        if self._found:
            return
        ascii_only = chunk.isascii()
        if not ascii_only or self._decoder.getstate()[0]:
            self._decode(chunk)
        window = self._carry + chunk if self._carry else chunk
        self._carry = window[-self._keep :] if self._keep else b""
        self._look(window, ascii_only=ascii_only)

    def worth_a_look(self) -> bool:
        """After the last piece."""
        if not self._found:
            self._decode(b"", final=True)
        return self._found

    def _decode(self, chunk: bytes, *, final: bool = False) -> None:
        try:
            self._decoder.decode(chunk, final)
        except UnicodeDecodeError:
            self._found = True

    def _look(self, window: bytes, *, ascii_only: bool) -> None:
        lowered = b""
        for text, ignore_case in self._wanted:
            if ignore_case:
                lowered = lowered or window.lower()
                if text in lowered or not (
                    ascii_only or all(letter not in window for letter in _FOLDED)
                ):
                    self._found = True
            elif text in window:
                self._found = True
