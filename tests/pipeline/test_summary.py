"""What is said after a run, and of single files."""

from __future__ import annotations

from dataclasses import replace

import pytest

from collectfasta.items import Action, Decision, Outcome, Reason, SourceFile
from collectfasta.pipeline.summary import RunFacts, explain_line, summary_lines

FACTS = RunFacts(
    reasons={Reason.NEW: 12, Reason.CHANGED: 3, Reason.UNCHANGED: 1460, Reason.SAME_ALL: 6},
    failed=0,
    bytes_sent=1_200_000,
    bytes_kept=38_900_000,
    stage_seconds={"collect": 0.081, "hash": 0.4, "publish": 1.52},
    cache="1,460 of 1,481 names remembered",
    transport="obstore",
    dry_run=False,
    headers_unchecked=0,
)


def test_five_lines_tell_a_run() -> None:
    """New, changed, unchanged, failed; bytes; time; cache; transport."""
    assert summary_lines(FACTS) == [
        "Files: 12 new, 3 changed, 1,466 unchanged; 0 failed.",
        "Bytes sent: 1.2 MB; not sent, because unchanged: 38.9 MB.",
        "Time: collect 0.08 s, hash 0.40 s, publish 1.5 s.",
        "Cache: 1,460 of 1,481 names remembered.",
        "Transport: obstore.",
    ]


def test_a_dry_run_says_so() -> None:
    """Nothing was sent."""
    lines = summary_lines(replace(FACTS, dry_run=True))
    assert lines[0].startswith("Files (dry run): ")
    assert lines[1].startswith("Bytes to send: ")


def test_rare_reasons_are_told_where_there_are_any() -> None:
    """And never make a sixth line."""
    reasons = {**dict.fromkeys(Reason, 1), Reason.UNCHANGED: 0}
    lines = summary_lines(replace(FACTS, reasons=reasons, headers_unchecked=1, failed=2))
    assert lines[0] == (
        "Files: 1 new, 1 changed, 1 headers changed, 1 not provably the same, 2 unchanged, "
        "1 decided by the custom strategy; 2 failed."
    )
    assert lines[3].endswith("Headers of 1 file were not checked (--verify-headers does).")
    assert len(lines) == 5


def test_what_is_not_known_has_no_line() -> None:
    """A run that never came to a stage has no times; a disk has no cache to speak of."""
    facts = replace(FACTS, stage_seconds={}, cache="", transport="")
    assert len(summary_lines(facts)) == 2


FILE = SourceFile("/src/css/a.css", "css/a.css", 3)


@pytest.mark.parametrize(
    ("outcome", "dry_run", "line"),
    [
        (
            Outcome(FILE, Decision(Action.UPLOAD, Reason.CHANGED), 3, "", "12ab", "md5:5678"),
            True,
            "css/a.css: would upload, changed (here xxh3 12ab, there md5 5678)",
        ),
        (
            Outcome(FILE, Decision(Action.UPLOAD, Reason.NEW), 3, "", "12ab"),
            False,
            "css/a.css: uploaded, new (here xxh3 12ab)",
        ),
        (
            Outcome(FILE, Decision(Action.SKIP, Reason.UNCHANGED), remote="0x8D", local="12ab"),
            False,
            "css/a.css: skipped, unchanged (here xxh3 12ab, there etag 0x8D)",
        ),
        (
            Outcome(FILE, Decision(Action.SKIP, Reason.UNCHANGED)),
            True,
            "css/a.css: would skip, unchanged",
        ),
        (
            Outcome(FILE, Decision(Action.UPLOAD, Reason.NEW), error="css/a.css: AccessDenied."),
            False,
            "css/a.css: failed, AccessDenied.",
        ),
    ],
)
def test_a_file_is_explained_in_one_line(outcome: Outcome, dry_run: bool, line: str) -> None:
    """What became or would become of it, why, and both checksums as far as they are known."""
    assert explain_line(outcome, dry_run) == line
