"""What a user is told after Django's own summary line, and of single files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from collectfasta.items import Action, Reason
from collectfasta.pipeline.amounts import in_bytes, in_files, in_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from collectfasta.items import Outcome

_UNCHANGED = (Reason.UNCHANGED, Reason.SAME_BYTES, Reason.SAME_ALL)
_RARE = ((Reason.HEADERS, "headers changed"), (Reason.UNPROVEN, "not provably the same"))


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What a run has done. ``reasons`` counts decisions, ``stage_seconds`` are summed over threads;
    ``cache`` and ``transport`` are phrases for the user."""

    reasons: Mapping[Reason, int]
    failed: int
    bytes_sent: int
    bytes_kept: int
    stage_seconds: Mapping[str, float]
    cache: str
    transport: str
    dry_run: bool
    headers_unchecked: int

    def files(self, *reasons: Reason) -> int:
        """How many files were decided upon for any of ``reasons``."""
        return sum(self.reasons.get(reason, 0) for reason in reasons)


def summary_lines(facts: RunFacts) -> list[str]:
    """Five lines at most."""
    times = ", ".join(f"{stage} {in_seconds(s)}" for stage, s in facts.stage_seconds.items())
    lines = [
        _files(facts),
        _bytes(facts),
        f"Time: {times}." if times else "",
        _cache(facts),
        f"Transport: {facts.transport}." if facts.transport else "",
    ]
    return [line for line in lines if line]


def _files(facts: RunFacts) -> str:
    counts = [
        ("new", facts.files(Reason.NEW)),
        ("changed", facts.files(Reason.CHANGED)),
        *((word, facts.files(reason)) for reason, word in _RARE if facts.files(reason)),
        ("unchanged", facts.files(*_UNCHANGED)),
    ]
    if custom := facts.files(Reason.CUSTOM):
        counts.append((Reason.CUSTOM.value, custom))
    said = ", ".join(f"{number:,} {word}" for word, number in counts)
    return f"Files{' (dry run)' if facts.dry_run else ''}: {said}; {facts.failed:,} failed."


def _bytes(facts: RunFacts) -> str:
    verb = "to send" if facts.dry_run else "sent"
    kept = in_bytes(facts.bytes_kept)
    return f"Bytes {verb}: {in_bytes(facts.bytes_sent)}; not sent, because unchanged: {kept}."


def _cache(facts: RunFacts) -> str:
    phrases = [f"Cache: {facts.cache}."] if facts.cache else []
    if facts.headers_unchecked:
        files = in_files(facts.headers_unchecked)
        phrases.append(f"Headers of {files} were not checked (--verify-headers does).")
    return " ".join(phrases)


def explain_line(outcome: Outcome, dry_run: bool) -> str:
    """Why this file was or would be uploaded or left alone, with both checksums."""
    uploads = outcome.decision.action is Action.UPLOAD
    reason = outcome.decision.reason.value
    verb = ("would upload" if dry_run else "uploaded") if uploads else "skipped"
    if not uploads and dry_run:
        verb = "would skip"
    if outcome.error:
        verb, reason = "failed", outcome.error.removeprefix(f"{outcome.file.name}: ")
    line = f"{outcome.file.name}: {verb}, {reason}"
    known = [f"here xxh3 {outcome.local}"] if outcome.local else []
    if outcome.remote:
        known.append(f"there {_remote(outcome.remote)}")
    return f"{line} ({', '.join(known)})" if known else line


def _remote(checksum: str) -> str:
    kind, separator, value = checksum.partition(":")
    return f"{kind} {value}" if separator else f"etag {checksum}"
