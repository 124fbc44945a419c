"""What is shown while a run goes on: live on a terminal, plain lines elsewhere, or nothing."""

from __future__ import annotations

import importlib.util
import io
import re
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management.base import OutputWrapper

from collectfasta.pipeline.amounts import in_bytes, in_files, in_seconds, in_time
from collectfasta.pipeline.progress import (
    NoProgress,
    Pace,
    PlainProgress,
    Totals,
    make_progress,
    plain_line,
)
from collectfasta.pipeline.report import Counts
from tests.support import ROOT, command_env

if TYPE_CHECKING:
    from collectfasta.pipeline.progress import Progress

TOTALS = Totals(files=1000, bytes=50_000_000)
HALF = Counts(
    collected=1000,
    hashed=700,
    compared=650,
    uploaded=300,
    kept=199,
    failed=1,
    bytes_hashed=30_000_000,
    bytes_sent=12_300_000,
    bytes_kept=9_000_000,
)


class Terminal(io.StringIO):
    """A text file that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal that can draw, with nobody else's opinion in the environment."""
    for name in ("CI", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    return Terminal()


def _progress(stream: Any, *, enabled: bool = True, verbosity: int = 1) -> Progress:
    return make_progress(stream, enabled=enabled, verbosity=verbosity)


def test_a_terminal_shows_a_line_per_stage(terminal: Terminal) -> None:
    """Stage by stage: files, bytes, rate, time left."""
    progress = _progress(terminal)
    progress.update(replace(HALF, uploaded=0, kept=0, failed=1), TOTALS, 1.0)
    progress.update(HALF, TOTALS, 11.0)
    text = terminal.getvalue()
    progress.close()
    for stage in ("collected", "hashed", "compared", "uploaded"):
        assert re.search(rf"{stage} .*\d", text)
    assert "30.0 MB" in text
    assert "9.0 MB unchanged" in text
    assert "12.3 MB, 1 failed, 1.2 MB/s, 10 s left" in text


def test_it_is_gone_when_it_is_done(terminal: Terminal) -> None:
    """Every line that was drawn is erased, and closing twice does no harm."""
    progress = _progress(terminal)
    progress.update(HALF, TOTALS, 1.0)
    progress.hide()
    at_rest = terminal.getvalue()
    progress.close()
    progress.close()
    assert terminal.getvalue() == at_rest
    assert at_rest.count("\x1b[2K") >= 4
    assert at_rest.endswith("\x1b[2K")


def test_a_hidden_display_comes_back(terminal: Terminal) -> None:
    """``hide`` makes room for somebody else's line; the next update draws again."""
    progress = _progress(terminal)
    progress.update(HALF, TOTALS, 1.0)
    progress.hide()
    before = len(terminal.getvalue())
    progress.update(HALF, TOTALS, 2.0)
    assert "uploaded" in terminal.getvalue()[before:]
    progress.close()


def test_a_run_that_hashes_only_what_it_must_ends_with_a_full_bar(terminal: Terminal) -> None:
    """New files are not hashed beforehand; the line for hashing must not look stuck."""
    progress = _progress(terminal)
    done = Counts(collected=10, hashed=4, compared=10, uploaded=6, kept=4)
    progress.update(done, Totals(10, 100), 1.0)
    text = terminal.getvalue()
    progress.close()
    lines = [line for line in text.splitlines() if "hashed" in line or "uploaded" in line]
    assert len({re.sub(r"[^━]", "", line) for line in lines}) == 1


@pytest.mark.parametrize("enabled", [True, False])
def test_the_commands_own_stream_is_unwrapped(terminal: Terminal, enabled: bool) -> None:
    """Django's wrapper would add an end of line to each control sequence."""
    progress = _progress(OutputWrapper(terminal), enabled=enabled)
    progress.update(HALF, TOTALS, 1.0)
    progress.close()
    assert ("uploaded" in terminal.getvalue()) is enabled
    raw = Terminal()
    progress = _progress(raw, enabled=enabled)
    progress.update(HALF, TOTALS, 1.0)
    progress.close()
    assert terminal.getvalue() == raw.getvalue()


@pytest.mark.parametrize(
    ("name", "value"), [("CI", "true"), ("TERM", "dumb"), ("TERM", "")], ids=lambda v: v or "empty"
)
def test_a_terminal_that_cannot_draw_gets_plain_lines(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """A log that is read afterwards, and a terminal without control sequences."""
    monkeypatch.setenv(name, value)
    assert isinstance(_progress(terminal), PlainProgress)


def test_without_rich_a_terminal_gets_plain_lines(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """rich is an extra."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert isinstance(_progress(terminal), PlainProgress)


def test_a_pipe_gets_a_line_every_five_seconds_without_control_characters() -> None:
    """A hundred updates in 12 seconds make two lines."""
    pipe = io.StringIO()
    progress = _progress(pipe)
    for tick in range(121):
        progress.update(HALF if tick > 10 else Counts(), TOTALS, tick / 10)
    progress.hide()
    progress.close()
    lines = pipe.getvalue().splitlines()
    assert len(lines) == 2
    assert lines[0] == (
        "collectstatic: 500 of 1,000 files done, 700 hashed, 300 uploaded, 1 failed, "
        "12.3 MB sent, 3.2 MB/s, 4 s left"
    )
    assert re.search(r"[^\x20-\x7e\n]", pipe.getvalue()) is None


def test_a_short_run_prints_no_plain_line() -> None:
    """Most runs are over before anybody asks."""
    pipe = io.StringIO()
    _progress(pipe).update(HALF, TOTALS, 4.9)
    assert pipe.getvalue() == ""


@pytest.mark.parametrize(("enabled", "verbosity"), [(False, 1), (True, 0), (True, 2), (True, 3)])
def test_nothing_is_shown_where_nothing_is_wanted(
    terminal: Terminal, enabled: bool, verbosity: int
) -> None:
    """``--no-progress``, ``-v0``, and ``-v2``, where each file has a line."""
    progress = _progress(terminal, enabled=enabled, verbosity=verbosity)
    progress.update(HALF, TOTALS, 60.0)
    progress.hide()
    progress.close()
    assert isinstance(progress, NoProgress)
    assert terminal.getvalue() == ""


def test_before_anything_is_known_only_the_collected_are_told() -> None:
    """Post-processing comes before the number of files is known."""
    line = plain_line(Counts(collected=1), Totals(0, 0), Pace())
    assert line == "collectstatic: 1 file collected"


def test_no_rate_is_guessed_in_the_first_second() -> None:
    """Nor before the first file has settled, so that a slow listing is no slow upload."""
    pace = Pace()
    pace.update(Counts(), 30.0)
    assert pace.per_second(1.0) is None
    pace.update(HALF, 31.0)
    pace.update(HALF, 31.5)
    assert pace.left(1, 2) is None
    pace.update(HALF, 33.0)
    assert pace.per_second(10) == 5.0
    assert pace.left(10, 20) == 2.0
    assert pace.left(0, 20) is None


def test_rich_is_imported_only_for_a_terminal() -> None:
    """In CI nothing is imported that is not used."""
    code = (
        "import io, sys; from collectfasta.pipeline.progress import make_progress;"
        "make_progress(io.StringIO(), enabled=True, verbosity=1).close();"
        "sys.exit('rich' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=command_env(), check=False)
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (in_files(1), "1 file"),
        (in_files(1481), "1,481 files"),
        (in_bytes(0), "0 B"),
        (in_bytes(999.4), "999 B"),
        (in_bytes(999.6), "1.0 kB"),
        (in_bytes(1_234_567), "1.2 MB"),
        (in_bytes(999_960), "1.0 MB"),
        (in_bytes(5e9), "5.0 GB"),
        (in_bytes(5e15), "5,000.0 TB"),
        (in_time(0.2), "1 s"),
        (in_time(59.5), "1 min 00 s"),
        (in_time(125), "2 min 05 s"),
        (in_seconds(0.034), "0.03 s"),
        (in_seconds(12.44), "12.4 s"),
    ],
)
def test_amounts_read_well(shown: str, expected: str) -> None:
    """One unit, no false precision, no ``1000.0 kB``."""
    assert shown == expected
