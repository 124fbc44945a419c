"""Fourth stage: judge one file and, if it must be, write it. Runs in an I/O thread."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from collectfasta.exceptions import CollectfastaError, DestinationError, UploadError
from collectfasta.items import Action, Decision, Outcome, Reason, Record, RemoteObject, SourceFile
from collectfasta.pipeline.compare import Facts, decide, skip, upload

if TYPE_CHECKING:
    from collectfasta.items import Digest
    from collectfasta.pipeline.report import Tally
    from collectfasta.strategies.native import NativeStrategy


class Candidate(NamedTuple):
    """One file with all that is known of it. ``digest`` is ``None`` where it has not been hashed,
    because its name is new. ``look`` asks the storage for ``remote`` first, by a HEAD. ``decision``
    is there if it has been made, and counted."""

    file: SourceFile
    digest: Digest | None
    record: Record | None
    remote: RemoteObject | None
    look: bool = False
    decision: Decision | None = None


class Publisher:
    """Writes files and remembers what was sent. Its methods are called from many threads."""

    def __init__(
        self,
        strategy: NativeStrategy[Any],
        tally: Tally,
        *,
        dry_run: bool,
        check_headers: bool,
        debug: bool,
    ) -> None:
        self._strategy = strategy
        self._custom = getattr(strategy, "custom", None)
        self._tally = tally
        self._dry_run = dry_run
        self._check_headers = check_headers
        self._debug = debug
        self.records: dict[str, Record] = {}
        """What the cache has to learn, by name."""

    def facts(self, candidate: Candidate, digest: Digest) -> Facts:
        fingerprint, encoded = self._strategy.sent_as(candidate.file.name)
        return Facts(
            digest, candidate.record, candidate.remote, fingerprint, encoded, self._check_headers
        )

    def publish(self, candidate: Candidate) -> None:
        """Look, decide, write. Raises ``DestinationError`` when nothing more can be written."""
        decision = candidate.decision or upload(Reason.UNPROVEN)
        try:
            if candidate.decision is not None:
                self._upload(candidate, decision)
                return
            if candidate.look:
                remote = self._strategy.head(candidate.file.name)
                candidate = candidate._replace(remote=remote, look=False)
            decision = self._decide(candidate)
            self.carry_out(candidate, decision)
        except DestinationError:
            raise
        except CollectfastaError as error:
            if self._debug:
                raise
            self._failed(candidate, decision, str(error))

    def _decide(self, candidate: Candidate) -> Decision:
        file, digest = candidate.file, candidate.digest
        if self._custom is not None:
            copy = self._custom.should_copy(file)
            if copy is not None:
                return upload(Reason.CUSTOM) if copy else skip(Reason.CUSTOM)
        if digest is None or candidate.remote is None:
            return upload(Reason.NEW)
        remote = candidate.remote
        return decide(
            self.facts(candidate, digest),
            lambda: self._strategy.same_bytes(file, digest, remote),
            lambda: self._strategy.same_headers(file),
        )

    def carry_out(self, candidate: Candidate, decision: Decision) -> None:
        """Do what was decided. Raises ``UploadError`` if the file cannot be written."""
        skipped = decision.action is Action.SKIP
        if skipped and self._custom is not None and not self._dry_run:
            self._custom.skipped(candidate.file)  # first, for it may fail the file
        self._tally.compared(decision, candidate.file)
        if skipped:
            self._skip(candidate, decision)
        elif self._dry_run:
            self._tally.uploaded(candidate.file.name, candidate.file.size)
            self._tell(candidate, decision, sent=candidate.file.size)
        else:
            self._upload(candidate, decision)

    def _skip(self, candidate: Candidate, decision: Decision) -> None:
        digest, remote, record = candidate.digest, candidate.remote, candidate.record
        if digest is not None and remote is not None and remote.etag:
            known = record is not None and record.etag == remote.etag
            if not known and decision.reason in (Reason.SAME_ALL, Reason.UNCHANGED):
                fingerprint = self._strategy.fingerprint(candidate.file.name)
                record = Record(digest.xxh3, remote.etag, fingerprint)
                self.records[candidate.file.name] = record
        self._tell(candidate, decision)

    def _upload(self, candidate: Candidate, decision: Decision) -> None:
        file = candidate.file
        if file.pinned:
            _check_pin(file)
        sent = self._strategy.upload(file)
        if file.pinned:
            _check_pin(file)
        if sent.etag:
            fingerprint = sent.fingerprint or self._strategy.fingerprint(file.name)
            self.records[file.name] = Record(sent.xxh3, sent.etag, fingerprint)
        if self._custom is not None:
            self._custom.copied(file)
        self._tally.uploaded(file.name, sent.wire)
        self._tell(candidate, decision, sent=sent.wire, local=sent.xxh3)

    def _failed(self, candidate: Candidate, decision: Decision, error: str) -> None:
        self._tally.failed(candidate.file.name, error)
        self._tell(candidate, decision, error=error)

    def _tell(self, candidate: Candidate, decision: Decision, **more: Any) -> None:
        if self._tally.detailed:
            self._tally.news.put(_outcome(candidate, decision, **more))

    def fail(self, file: SourceFile, error: str) -> None:
        """A file that could not even be read."""
        self._failed(Candidate(file, None, None, None), upload(Reason.UNPROVEN), error)


def _check_pin(file: SourceFile) -> None:
    """A hashed name is right for one content only. Raises ``UploadError`` if that has changed."""
    if file.modified:
        try:
            same = os.stat(file.path).st_mtime_ns == file.modified
        except OSError:
            same = False
        if not same:
            message = f"{file.name}: {file.path} was changed after its name had been made from it."
            raise UploadError(message, name=file.name)


def _outcome(
    candidate: Candidate, decision: Decision, *, sent: int = 0, error: str = "", local: bytes = b""
) -> Outcome:
    digest, remote = candidate.digest, candidate.remote
    return Outcome(
        candidate.file,
        decision,
        sent,
        error,
        (local or (digest.xxh3 if digest else b"")).hex(),
        (remote.checksum or remote.etag) if remote else "",
    )
