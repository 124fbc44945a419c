"""``--report FILE``: its schema, and that it is written whole or not at all."""

from __future__ import annotations

import json
import os
import threading
from typing import TYPE_CHECKING, Any

import pytest

from collectfasta.exceptions import SettingError
from collectfasta.items import Action, Decision, Outcome, Reason, SourceFile
from collectfasta.pipeline.report import Span
from collectfasta.pipeline.reportfile import check_writable, write_report
from tests.pipeline.test_summary import FACTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE = SourceFile("/src/css/a.css", "css/a.css", 3)
SENT = Outcome(FILE, Decision(Action.UPLOAD, Reason.CHANGED), 2, "", "12ab", "md5:5678")
FAILED = Outcome(
    SourceFile("/src/\udcff", "\udcff", 1), Decision(Action.UPLOAD, Reason.NEW), error="No."
)
SPANS = [Span("collect", 0.0, 0.08123, 2, 4), Span("hash", 0.1, 0.2, 2, 4)]


def _written(path: Path) -> Any:
    return json.loads(path.read_text())


def test_everything_is_in_it(tmp_path: Path) -> None:
    """Schema 1, as docs/report.md has it; undecodable names survive."""
    path = tmp_path / "report.json"
    write_report(str(path), FACTS, [SENT, FAILED], SPANS)
    report = _written(path)
    assert [*report] == ["schema", "version", "summary", "stages", "files"]
    assert report["schema"] == 1
    assert report["summary"]["reasons"] == {
        "new": 12,
        "changed": 3,
        "unchanged": 1460,
        "same bytes, same headers": 6,
    }
    assert report["summary"]["bytes_sent"] == 1_200_000
    assert report["stages"][0] == {
        "stage": "collect",
        "start": 0.0,
        "end": 0.0812,
        "files": 2,
        "bytes": 4,
    }
    assert report["files"] == [
        {
            "name": "css/a.css",
            "action": "upload",
            "reason": "changed",
            "size": 3,
            "sent": 2,
            "local": "xxh3:12ab",
            "remote": "md5:5678",
        },
        {
            "name": "\udcff",
            "action": "upload",
            "reason": "new",
            "size": 1,
            "sent": 0,
            "local": "",
            "remote": "",
            "error": "No.",
        },
    ]


def test_a_run_without_files_has_a_report_too(tmp_path: Path) -> None:
    """Empty lists are valid JSON."""
    path = tmp_path / "report.json"
    write_report(str(path), FACTS, [], [])
    assert _written(path)["files"] == []


def test_a_report_that_breaks_off_leaves_the_old_one(tmp_path: Path) -> None:
    """Whatever reads it never meets half a file; nothing else stays behind."""
    path = tmp_path / "report.json"
    path.write_text("old")

    def outcomes() -> Iterator[Outcome]:
        yield SENT
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_report(str(path), FACTS, outcomes(), [])
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["report.json"]


def test_a_link_is_followed(tmp_path: Path) -> None:
    """The link stays a link; what it points to is replaced."""
    (tmp_path / "real.json").write_text("old")
    (tmp_path / "link.json").symlink_to("real.json")
    check_writable(str(tmp_path / "link.json"))
    write_report(str(tmp_path / "link.json"), FACTS, [], [])
    assert (tmp_path / "link.json").is_symlink()
    assert _written(tmp_path / "real.json")["schema"] == 1


def test_what_a_killed_process_left_is_no_obstacle(tmp_path: Path) -> None:
    """Process numbers come round."""
    left = tmp_path / f"report.json.{os.getpid()}.part"
    left.write_text("left")
    write_report(str(tmp_path / "report.json"), FACTS, [], [])
    assert os.listdir(tmp_path) == ["report.json"]


def test_a_pipe_is_written_to_as_it_is(tmp_path: Path) -> None:
    """``--report /dev/stdout`` and named pipes; checking does not open them."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    check_writable(str(pipe))
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    write_report(str(pipe), FACTS, [SENT], SPANS)
    reader.join(30)
    assert json.loads(read[0])["files"][0]["name"] == "css/a.css"


def test_checking_leaves_nothing_behind(tmp_path: Path) -> None:
    """Neither a new file nor a changed old one."""
    path = tmp_path / "report.json"
    check_writable(str(path))
    assert os.listdir(tmp_path) == []
    path.write_text("old")
    check_writable(str(path))
    assert path.read_text() == "old"


@pytest.mark.parametrize("name", ["missing/report.json", "."])
def test_a_path_that_cannot_be_written_is_told_before_and_after(tmp_path: Path, name: str) -> None:
    """One line that names the option and the file: no such folder, a folder itself."""
    path = str(tmp_path / name)
    for attempt in (check_writable, lambda path: write_report(path, FACTS, [], [])):
        with pytest.raises(SettingError, match=r"^--report .*: cannot be written") as caught:
            attempt(path)
        assert path in str(caught.value)
        assert "\n" not in str(caught.value)
