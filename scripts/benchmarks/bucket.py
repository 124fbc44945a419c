"""What a bucket of the store holds, and how it is listed."""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import dataclass, field

_LAST = chr(0x10FFFF)


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object's bytes and what its answers carry. ``etag`` is without quotes.

    ``headers``: what was sent along and is kept, by lower-case name: content-type, cache-control,
    x-amz-meta-..., x-amz-acl and so on.
    """

    body: bytes
    etag: str
    headers: dict[str, str]
    modified: float

    def iso_time(self) -> str:
        """The time of writing as listings have it."""
        return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(self.modified))

    def http_time(self) -> str:
        """The time of writing as headers have it."""
        return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(self.modified))


@dataclass(slots=True)
class Multipart:
    """An upload in parts that is under way."""

    key: str
    headers: dict[str, str]
    parts: dict[int, bytes] = field(default_factory=dict)


class ForeignKeys(Sequence[str]):
    """``count`` pretended keys, none of them in memory: numbered, shared evenly among ``stems``.

    One stem, ``("other/",)``: all lie under that prefix. Our own names as stems: scattered between
    them.
    No stem may be the beginning of another one's keys.
    """

    def __init__(self, count: int, stems: Sequence[str]) -> None:
        """Raises ``ValueError`` without a stem."""
        if count and not stems:
            raise ValueError("foreign keys need a stem")
        self.stems = sorted(stems)
        self.each = -(-count // len(self.stems)) if count else 1
        self.total = self.each * len(self.stems) if count else 0

    def __len__(self) -> int:
        """How many there are."""
        return self.total

    def __getitem__(self, index: int) -> str:  # type: ignore[override]  # nobody slices it
        """The key at this place in the order of a listing."""
        if not 0 <= index < self.total:
            raise IndexError(index)
        stem, number = divmod(index, self.each)
        return f"{self.stems[stem]}~{number:09d}"


class ObjectMap(MutableMapping[str, StoredObject]):
    """The objects by key; knows their order without sorting anew for each page."""

    def __init__(self) -> None:
        """Empty."""
        self._objects: dict[str, StoredObject] = {}
        self._sorted: list[str] = []
        self._new: list[str] = []
        self._stale = False

    def __getitem__(self, key: str) -> StoredObject:
        """The object; ``KeyError`` if there is none."""
        return self._objects[key]

    def __setitem__(self, key: str, value: StoredObject) -> None:
        """Store or replace it."""
        if key not in self._objects:
            self._new.append(key)
        self._objects[key] = value

    def __delitem__(self, key: str) -> None:
        """Forget it; ``KeyError`` if there is none."""
        del self._objects[key]
        self._stale = True

    def __iter__(self) -> Iterator[str]:
        """The keys, in no order."""
        return iter(self._objects)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._objects)

    def in_order(self) -> list[str]:
        """The keys in the order of a listing: that of their UTF-8, which is that of code points."""
        if self._stale:
            self._sorted, self._new, self._stale = sorted(self._objects), [], False
        elif self._new:
            self._sorted.extend(self._new)
            self._sorted.sort()  # two runs already in order cost one merge
            self._new = []
        return self._sorted


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing. ``last`` is the key or common prefix that it ended with."""

    keys: list[str]
    prefixes: list[str]
    truncated: bool
    last: str


class Bucket:
    """One bucket: its objects, the uploads under way, the foreign keys that it pretends to hold."""

    def __init__(self) -> None:
        """Empty."""
        self.objects = ObjectMap()
        self.uploads: dict[str, Multipart] = {}
        self.foreign = ForeignKeys(0, ())

    def page(self, prefix: str, after: str, delimiter: str, limit: int) -> Page:
        """Up to ``limit`` keys and common prefixes under ``prefix`` that sort after ``after``.

        An ``after`` that is itself a common prefix skips everything under it.
        """
        keys: list[str] = []
        prefixes: list[str] = []
        if delimiter and after.endswith(delimiter) and after.startswith(prefix):
            after += _LAST
        walk = _Walk((self.objects.in_order(), self.foreign), prefix, after)
        last = ""
        while len(keys) + len(prefixes) < limit:
            key = walk.next()
            if key is None:
                return Page(keys, prefixes, truncated=False, last=last)
            cut = key.find(delimiter, len(prefix)) if delimiter else -1
            if cut < 0:
                keys.append(key)
                last = key
            else:
                last = key[: cut + len(delimiter)]
                prefixes.append(last)
                walk.jump(last + _LAST)
        return Page(keys, prefixes, truncated=walk.next() is not None, last=last)


class _Walk:
    """Goes through two sorted sequences as through one, from a key on, and can jump ahead."""

    def __init__(
        self, sequences: tuple[Sequence[str], Sequence[str]], prefix: str, after: str
    ) -> None:
        self.sequences = sequences
        self.prefix = prefix
        if after >= prefix and after:
            self.at = [bisect_right(keys, after) for keys in sequences]
        else:
            self.at = [bisect_left(keys, prefix) for keys in sequences]

    def next(self) -> str | None:
        """The next key with the prefix, ``None`` after the last."""
        heads = [
            (keys[at], which)
            for which, (keys, at) in enumerate(zip(self.sequences, self.at, strict=True))
            if at < len(keys)
        ]
        if not heads:
            return None
        key, which = min(heads)
        if not key.startswith(self.prefix):
            return None
        self.at[which] += 1
        return key

    def jump(self, key: str) -> None:
        """Go on after ``key``."""
        self.at = [
            bisect_right(keys, key, lo=at) for keys, at in zip(self.sequences, self.at, strict=True)
        ]
