"""Whether an upload's answer shows that other bytes were stored than were sent.

Whether an ETag is the MD5 of the object depends on the bucket's encryption and on the vendor, and
nothing in an answer tells. So each run finds out: where one upload's ETag was the MD5 of what was
sent, all uploads with the same encryption must be answered so, and one that is not was damaged.
Where none was, the ETags are something else and say nothing.
"""

from __future__ import annotations

from collectfasta.exceptions import UploadError

DAMAGED = "the storage answered another checksum than that of the bytes sent"


class Judge:
    """Compares answers with what was sent. Thread-safe without a lock: it only adds."""

    def __init__(self) -> None:
        self._comparable: set[str] = set()
        self._doubtful: list[tuple[str, str]] = []

    def see(self, name: str, answered: str, sent: str, group: str = "") -> None:
        """Judge one upload. ``group`` names the encryption (and way) it was sent with.

        Raises ``UploadError`` if the bytes were damaged; keeps what cannot be told yet.
        """
        if answered == sent:
            if group not in self._comparable:
                self._comparable.add(group)
        elif group in self._comparable:
            raise UploadError(f"{name}: {DAMAGED}.", name=name)
        else:
            self._doubtful.append((group, name))

    def unjudged(self) -> dict[str, str]:
        """After the last upload: what turned out to be damaged, as a sentence per name."""
        return {
            name: f"{name}: {DAMAGED}."
            for group, name in self._doubtful
            if group in self._comparable
        }
