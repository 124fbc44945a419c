"""The frozen values that flow through the pipeline.

Tuples, for a run makes several of them a file, and frozen dataclasses take five times as long.
"""

from __future__ import annotations

import enum
from typing import NamedTuple


class SourceFile(NamedTuple):
    """One file to publish.

    ``path`` is the absolute local path its bytes are read from. Where post-processing has changed
    the bytes they are in ``data`` instead, and ``path`` names the file that they were made from.
    ``name`` is the storage's name for it: relative, with ``/``, without the storage's location.
    ``size`` is in bytes. ``modified`` is the modification time when it was collected, in ns.
    ``pinned``: the name was made from the content of that time, so it must not have changed since.
    """

    path: str
    name: str
    size: int
    data: bytes | None = None
    modified: int = 0
    pinned: bool = False


class Digest(NamedTuple):
    """What hashing found: xxh3_128 (16 bytes), MD5 (16 bytes, where it was asked for), bytes read.

    ``same`` tells whether the local copy that the file was compared with holds the same bytes;
    ``None`` where there was nothing to compare with.
    """

    xxh3: bytes
    md5: bytes | None
    size: int
    same: bool | None = None


class RemoteObject(NamedTuple):
    """One object as the storage's listing (or a HEAD) shows it.

    ``etag`` changes whenever the object is written: an ETag, a generation, or mtime and inode. It
    is only ever compared with itself. ``checksum`` is ``kind:value``, as its strategy
    understands it (``md5:<hex>``, ``etag:<hex>-<parts>``, ``crc32c:<hex>``), or empty where the
    storage shows nothing to compare bytes with.
    """

    name: str
    size: int
    etag: str
    checksum: str = ""


class Record(NamedTuple):
    """What the checksum cache remembers of one name.

    The xxh3_128 of the source bytes that were sent, the etag the storage answered, and the
    fingerprint of the headers they were sent with.
    """

    xxh3: bytes
    etag: str
    fingerprint: str


class Action(enum.Enum):
    UPLOAD = "upload"
    SKIP = "skip"


class Reason(enum.Enum):
    """Why a file is uploaded or skipped; the value is what ``-v2`` prints."""

    NEW = "new"
    CHANGED = "changed"
    HEADERS = "headers changed"
    UNPROVEN = "cannot prove that the bytes are the same"
    UNCHANGED = "unchanged"
    SAME_BYTES = "same bytes, headers not checked"
    SAME_ALL = "same bytes, same headers"
    CUSTOM = "decided by the custom strategy"

    __hash__ = object.__hash__  # Enum's own is Python code, and each file is counted


class Decision(NamedTuple):
    action: Action
    reason: Reason


class Sent(NamedTuple):
    """What one upload did: the etag in the storage's answer, the digest of the bytes that were read
    for it, and how many bytes went over the wire (after gzip). ``fingerprint``: of its headers,
    where it is at hand."""

    etag: str
    xxh3: bytes
    wire: int
    fingerprint: str = ""


class Outcome(NamedTuple):
    """What became of one file. ``error`` is empty unless it failed. ``sent`` is in bytes."""

    file: SourceFile
    decision: Decision
    sent: int = 0
    error: str = ""
    local: str = ""
    """The local bytes' checksum in hex, where it is known."""
    remote: str = ""
    """What the storage showed before: its checksum or etag; empty where there was no object."""
