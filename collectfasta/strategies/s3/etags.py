"""ETags: what they are the checksum of, and multipart ones made again from the bytes.

A multipart ETag is the MD5 of the parts' MD5s, then ``-`` and their number. The size of the parts
is not recorded, but few sizes give that number, and fewer are in use.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MIB = 1024 * 1024
USUAL = (8, 5, 16, 10, 15, 20, 25, 32, 50, 64, 100, 128, 256, 512)
"""Part sizes in MiB of well-known tools: boto3 and the AWS CLI 8, rclone 5, MinIO 16, s5cmd 50."""

_MD5 = re.compile(r"[0-9a-f]{32}")
_PARTS = re.compile(r"[0-9a-f]{32}-[0-9]{1,5}")


def plain(etag: object) -> str:
    """An ETag without its quotes; the same one whether from a listing or an answer."""
    text = str(etag or "")
    return text.removeprefix("W/").strip('"')


def checksum_of(etag: str) -> str:
    """As :class:`~collectfasta.items.RemoteObject` wants it; empty for an opaque one."""
    if _MD5.fullmatch(etag):
        return f"md5:{etag}"
    if _PARTS.fullmatch(etag):
        return f"etag:{etag}"
    return ""


def part_sizes(size: int, count: int, configured: int) -> list[int]:
    """Sizes in bytes that split ``size`` bytes into ``count`` parts, the likely ones first."""
    doubled = [8 * MIB << power for power in range(1, 10)]
    even = -(-size // count) if count else 0
    rounded = -(-even // MIB) * MIB
    wanted = [configured, *(usual * MIB for usual in USUAL), *doubled, rounded, even]
    return [
        part for part in dict.fromkeys(wanted) if part > 0 and max(1, -(-size // part)) == count
    ]


def combined(parts: Iterable[bytes]) -> str:
    """The multipart ETag of parts with these MD5s."""
    digests = list(parts)
    whole = hashlib.md5(b"".join(digests), usedforsecurity=False)
    return f"{whole.hexdigest()}-{len(digests)}"


class PartHasher:
    """The multipart ETag of what it is fed, for one size of parts."""

    def __init__(self, part_size: int) -> None:
        self._size = part_size
        self._room = part_size
        self._digests: list[bytes] = []
        self._hash = hashlib.md5(usedforsecurity=False)

    def update(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            if not self._room:
                self._finish()
            taken = view[: self._room]
            self._hash.update(taken)
            self._room -= len(taken)
            view = view[len(taken) :]

    def _finish(self) -> None:
        self._digests.append(self._hash.digest())
        self._hash = hashlib.md5(usedforsecurity=False)
        self._room = self._size

    def etag(self) -> str:
        """To be asked once, at the end."""
        self._finish()
        return combined(self._digests)
