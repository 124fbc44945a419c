"""Between the command and a session: what the user sees while it runs and afterwards."""

from __future__ import annotations

import fnmatch
import time
from typing import TYPE_CHECKING, Any

from django.core.management.base import CommandError

from collectfasta.exceptions import CollectfastaError, DestinationError
from collectfasta.items import Action, Outcome, Reason
from collectfasta.pipeline.garbage import collected_seldom
from collectfasta.pipeline.progress import Totals, make_progress
from collectfasta.pipeline.run import RunOptions
from collectfasta.pipeline.session import Request, Session
from collectfasta.pipeline.summary import RunFacts, explain_line, summary_lines

if TYPE_CHECKING:
    from collectfasta.pipeline.report import Tally

Lists = dict[str, list[str]]


_SDKS = {"botocore", "google", "azure", "requests", "urllib3"}
"""Whose errors a storage may raise when it is constructed, because it reads its manifest then."""


def prepare(command: Any) -> None:
    """Before Django's own ``handle`` touches the storage. Raises ``CollectfastaError``."""
    if path := command.options_given.get("report"):
        from collectfasta.pipeline.reportfile import check_writable

        check_writable(path)
    from collectfasta.manifest.live import first_manifest

    try:
        first_manifest()
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in _SDKS or command.settings.debug:
            raise
        what = " ".join(str(error).split())
        raise DestinationError(f"The storage cannot read its manifest: {what}") from error


class Console:
    """Runs a session for ``command`` (the management command) and tells the user about it."""

    def __init__(self, command: Any) -> None:
        self._command = command
        self._options: dict[str, Any] = command.options_given
        self._dry_run: bool = command.dry_run
        self._explain: list[str] = self._options.get("explain") or []
        self._outcomes: list[Outcome] | None = [] if self._options.get("report") else None
        self._started = time.monotonic()
        shown = not self._options.get("no_progress") and command.verbosity > 0
        self._progress = make_progress(command.stdout, enabled=shown, verbosity=command.verbosity)
        self.session = Session(
            Request(
                storage=command.storage,
                settings=command.settings,
                options=RunOptions(
                    threads=command.settings.threads,
                    dry_run=command.dry_run,
                    clear=command.clear,
                    verify_headers=bool(self._options.get("verify_headers")),
                    debug=command.settings.debug,
                ),
                ignore_patterns=command.ignore_patterns,
                post_process=command.post_process,
                conflict=self._conflict,
                news=self._news,
                tick=self._tick,
            )
        )
        self.session.tally.detailed = bool(
            command.verbosity > 1 or self._explain or self._outcomes is not None or self._dry_run
        )

    def collect(self) -> Lists:
        """What ``collect()`` returns. Raises ``CommandError`` that names every file that failed."""
        try:
            with collected_seldom():
                self.session.run()
        except CollectfastaError as error:
            failures = self.session.tally.failures
            if not failures or self._command.settings.debug:
                raise
            raise CommandError(f"{error}\n{_failure(failures)}") from error
        finally:
            self._progress.close()
        self._report()
        lists = self._lists()
        if self.session.tally.failures:
            for line in self.summary():
                self._command.stderr.write(line)
            raise CommandError(_failure(self.session.tally.failures))
        return lists

    def summary(self) -> list[str]:
        """At most five lines, for after Django's own; empty where nobody wants them."""
        facts = self._facts()
        if self._command.verbosity == 0:
            return []
        wanted = self._command.verbosity > 1 or self._command.stdout.isatty()
        return summary_lines(facts) if wanted or facts.failed or facts.headers_unchecked else []

    @property
    def would_change(self) -> bool:
        tally = self.session.tally
        return bool(tally.copied or tally.deleted)

    def _conflict(self, name: str) -> None:
        level = 2 if hasattr(self._command, "skipped_files") else 1  # Django 6.0 says less
        self._command.log(
            f"Found another file with the destination path '{name}'. It will be ignored since only "
            "the first encountered file is collected. If this is not what you want, make sure "
            "every static file has a unique path.",
            level=level,
        )

    def _news(self, news: Outcome | str) -> None:
        if isinstance(news, str):
            if self._command.verbosity > 0:
                self._progress.hide()
                self._command.stderr.write(f"Warning: {news}")
            return
        if self._outcomes is not None:
            self._outcomes.append(news)
        name = news.file.name
        if news.decision.action is Action.UPLOAD and not news.error and self._dry_run:
            self._progress.hide()
            self._command.log(f"Pretending to copy '{news.file.path}'", level=1)
        if self._command.verbosity > 1 or any(fnmatch.fnmatch(name, p) for p in self._explain):
            self._progress.hide()
            self._command.stdout.write(explain_line(news, self._dry_run))

    def _tick(self, tally: Tally, files: int, size: int) -> None:
        elapsed = time.monotonic() - self._started
        self._progress.update(tally.counts, Totals(files, size), elapsed)

    def _lists(self) -> Lists:
        command, session = self._command, self.session
        command.copied_files += session.collected_of(session.tally.copied)
        command.unmodified_files += session.collected_of(session.tally.unmodified)
        copied = set(session.tally.copied) if session.post_processed else set()
        for original, processed in session.post_processed:
            if processed in copied or processed == original:
                command.log(f"Post-processed '{original}' as '{processed}'", level=2)
                command.post_processed_files.append(original)
        for name in session.tally.deleted:
            verb = "Pretending to delete" if self._dry_run else "Deleting"
            level = 2 if hasattr(command, "deleted_files") else 1
            command.log(f"{verb} '{name}'", level=level)
        lists = {
            "modified": command.copied_files,
            "unmodified": command.unmodified_files,
            "post_processed": command.post_processed_files,
        }
        if hasattr(command, "skipped_files"):
            command.skipped_files += session.collected.conflicts if session.collected else []
            command.deleted_files += session.tally.deleted
            lists |= {"skipped": command.skipped_files, "deleted": command.deleted_files}
        return lists

    def _facts(self) -> RunFacts:
        tally = self.session.tally
        strategy = self.session.strategy
        return RunFacts(
            reasons=dict(tally.reasons),
            failed=len(tally.failures),
            bytes_sent=tally.counts.bytes_sent,
            bytes_kept=tally.counts.bytes_kept,
            stage_seconds=dict(tally.seconds),
            cache=_cache_phrase(tally),
            transport=strategy.transport() if strategy else "",
            dry_run=self._dry_run,
            headers_unchecked=tally.reasons[Reason.SAME_BYTES],
        )

    def _report(self) -> None:
        if path := self._options.get("report"):
            from collectfasta.pipeline.reportfile import write_report

            try:
                write_report(path, self._facts(), self._outcomes or [], self.session.tally.spans)
            except OSError as error:
                raise CollectfastaError(f"--report {path}: {error.strerror}.") from error


def _cache_phrase(tally: Tally) -> str:
    if not tally.asked:
        return "no lasting cache"
    return f"{tally.hits} of {tally.asked} names remembered"


def _failure(failures: dict[str, str]) -> str:
    """One line a file, each with its name."""
    lines = [
        error if name in error else f"{name}: {error}" for name, error in sorted(failures.items())
    ]
    if len(lines) == 1:
        return f"One file was not published. {lines[0]}"
    return "\n".join([f"{len(lines)} files were not published.", *lines])
