"""``--report FILE``: what a run did, as JSON. The schema is documented in ``docs/report.md``."""

from __future__ import annotations

import contextlib
import json
import os
from typing import IO, TYPE_CHECKING, Any, Protocol

from collectfasta import __version__
from collectfasta.exceptions import SettingError
from collectfasta.items import Action

if TYPE_CHECKING:
    from collections.abc import Iterable

    from collectfasta.items import Outcome
    from collectfasta.pipeline.summary import RunFacts

SCHEMA = 1


class SpanLike(Protocol):
    """One piece of a stage's work, in seconds since the run began."""

    @property
    def stage(self) -> str: ...
    @property
    def start(self) -> float: ...
    @property
    def end(self) -> float: ...
    @property
    def files(self) -> int: ...
    @property
    def bytes(self) -> int: ...


def check_writable(path: str) -> None:
    """Before a run. Raises ``SettingError`` that names ``--report`` if it cannot be written."""
    if not _is_replaced(path):
        if os.path.isdir(path) or not os.access(path, os.W_OK):
            raise SettingError(f"--report {path}: cannot be written.")
        return
    try:
        with _open(path):
            pass
        os.unlink(_partial(path))
    except OSError as error:
        raise _unwritable(path, error) from error


def write_report(
    path: str, facts: RunFacts, outcomes: Iterable[Outcome], timeline: Iterable[SpanLike]
) -> None:
    """Write the report, whole or not at all. Raises ``SettingError`` if it cannot be written.

    ``path`` is replaced when everything is written; what is no regular file (a pipe,
    ``/dev/stdout``) is written to as it is. Where an outcome is told twice, the later one counts.
    """
    try:
        with _open(path) as file:
            _write(file, facts, outcomes, timeline)
        if _is_replaced(path):
            os.replace(_partial(path), os.path.realpath(path))
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            os.unlink(_partial(path))


def _is_replaced(path: str) -> bool:
    return os.path.isfile(path) or not os.path.exists(path)


def _partial(path: str) -> str:
    return f"{os.path.realpath(path)}.{os.getpid()}.part"


def _open(path: str) -> IO[str]:
    if _is_replaced(path):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(_partial(path))  # left by a killed process that had our number
        return open(_partial(path), "x", encoding="ascii")
    return open(path, "w", encoding="ascii")


def _unwritable(path: str, error: OSError) -> SettingError:
    return SettingError(f"--report {path}: cannot be written: {error.strerror or error}.")


def _write(
    file: IO[str], facts: RunFacts, outcomes: Iterable[Outcome], timeline: Iterable[SpanLike]
) -> None:
    """A line per file and per span, so that memory does not grow and diffs are readable."""
    head = {"schema": SCHEMA, "version": __version__, "summary": summary(facts)}
    file.write(json.dumps(head)[:-1])
    for key, entries in (
        ("stages", map(span_entry, timeline)),
        ("files", map(file_entry, outcomes)),
    ):
        file.write(f',\n"{key}": [')
        for number, entry in enumerate(entries):
            file.write((",\n" if number else "\n") + json.dumps(entry))
        file.write("\n]")
    file.write("}\n")


def summary(facts: RunFacts) -> dict[str, Any]:
    """The run as a whole."""
    return {
        "dry_run": facts.dry_run,
        "reasons": {reason.value: count for reason, count in facts.reasons.items()},
        "failed": facts.failed,
        "bytes_sent": facts.bytes_sent,
        "bytes_kept": facts.bytes_kept,
        "headers_unchecked": facts.headers_unchecked,
        "stage_seconds": {stage: round(s, 4) for stage, s in facts.stage_seconds.items()},
        "cache": facts.cache,
        "transport": facts.transport,
    }


def span_entry(span: SpanLike) -> dict[str, Any]:
    return {
        "stage": span.stage,
        "start": round(span.start, 4),
        "end": round(span.end, 4),
        "files": span.files,
        "bytes": span.bytes,
    }


def file_entry(outcome: Outcome) -> dict[str, Any]:
    """One file. ``error`` is there only where something went wrong."""
    uploads = outcome.decision.action is Action.UPLOAD
    entry: dict[str, Any] = {
        "name": outcome.file.name,
        "action": outcome.decision.action.value,
        "reason": outcome.decision.reason.value,
        "size": outcome.file.size,
        "sent": outcome.sent if uploads else 0,
        "local": f"xxh3:{outcome.local}" if outcome.local else "",
        "remote": outcome.remote,
    }
    if outcome.error:
        entry["error"] = outcome.error
    return entry
