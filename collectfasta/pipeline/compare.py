"""Third stage: the decision table, a pure function over what is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from collectfasta.items import Action, Decision, Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from collectfasta.items import Digest, Record, RemoteObject


class Facts(NamedTuple):
    """What is known of one name. ``check_headers``: where only the bytes are proven to be the same,
    look at the object's headers too. ``encoded``: it is stored gzipped: its size tells nothing."""

    digest: Digest
    record: Record | None
    remote: RemoteObject | None
    fingerprint: str
    encoded: bool
    check_headers: bool


def upload(reason: Reason) -> Decision:
    return Decision(Action.UPLOAD, reason)


def skip(reason: Reason) -> Decision:
    return Decision(Action.SKIP, reason)


def decide(
    facts: Facts, same_bytes: Callable[[], bool | None], same_headers: Callable[[], bool]
) -> Decision:
    """The table of docs/how-it-works.md, from top to bottom.

    ``same_bytes`` and ``same_headers`` are asked only where neither the record nor the size settles
    it: they may cost a read and a request.
    """
    if (settled := settle(facts)) is not None:
        return settled
    same = same_bytes()
    if same is None:
        return upload(Reason.UNPROVEN)
    if not same:
        return upload(Reason.CHANGED)
    if not facts.fingerprint:
        return skip(Reason.UNCHANGED)
    if not facts.check_headers:
        return skip(Reason.SAME_BYTES)
    return skip(Reason.SAME_ALL) if same_headers() else upload(Reason.HEADERS)


def settle(facts: Facts) -> Decision | None:
    """The decision that record, listing and a local comparison allow; ``None``: ask for more."""
    remote, record, digest = facts.remote, facts.record, facts.digest
    if remote is None:
        return upload(Reason.NEW)
    if record is not None and remote.etag and record.etag == remote.etag:
        if record.xxh3 != digest.xxh3:
            return upload(Reason.CHANGED)
        if record.fingerprint != facts.fingerprint:
            return upload(Reason.HEADERS)
        return skip(Reason.UNCHANGED)
    if not facts.encoded and remote.size >= 0 and remote.size != digest.size:
        return upload(Reason.CHANGED)
    if digest.same is not None and not facts.fingerprint:
        return skip(Reason.UNCHANGED) if digest.same else upload(Reason.CHANGED)
    return None
