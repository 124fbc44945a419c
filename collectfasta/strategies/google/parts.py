"""A stream of parts as the file that Google's resumable upload reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collectfasta.strategies.bodies import Stream


class PartsFile:
    """Each ``read`` hands out the next part, whole. The SDK asks for as many bytes as a part has,
    or for those that are left, and keeps the part while it is sent, retries included."""

    def __init__(self, stream: Stream, size: int) -> None:
        self._parts: Iterator[bytes] = stream.parts(size)
        self._position = 0

    def read(self, size: int) -> bytes:  # noqa: ARG002 - the size of a part, as both sides know
        part = next(self._parts, b"")
        self._position += len(part)
        return part

    def tell(self) -> int:
        return self._position
