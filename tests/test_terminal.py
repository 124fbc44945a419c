"""What a user sees on a real terminal, against what docs/terminal.md says that he sees."""

from __future__ import annotations

import re
import shutil

import pytest

from scripts import recording
from tests import documents

RUNNING = re.compile(r"^(collected|hashed|compared|uploaded) ", re.MULTILINE)


def _shape(screen: str) -> str:
    """Without what differs from one recording to the next: numbers, units, bars, paths, hashes."""
    screen = re.sub(r"^Time: .*$", "Time:", screen, flags=re.MULTILINE)
    screen = re.sub(r"^collectstatic: .*$", "", screen, flags=re.MULTILINE)  # on a slow machine
    screen = re.sub(r"'/.*/shop/static", "'/shop/static", screen)
    screen = re.sub(r"\bmd5 [0-9a-f\n]+|\bxxh3 [0-9a-f\n]+", "hash", screen)
    screen = re.sub(r"[\d.,]+( ([kMG]?B|min|s)\b)?", "N", screen)
    return re.sub(r"[━╸╺ ]+", " ", screen)


def test_a_terminal_shows_what_the_page_shows() -> None:
    """Cold, unchanged, explained, failing, piped: the same lines, but for the numbers. While the
    cold run goes on there is a line per stage; when it is done there is none."""
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    screens = recording.record()
    shown = documents.blocks("text", page="docs/terminal.md")
    assert len(shown) == len(screens)
    for block, (what, screen) in zip(shown, screens.items(), strict=True):
        if what == "running":
            assert RUNNING.findall(screen) == RUNNING.findall(block.text)
        else:
            assert _shape(screen).split() == _shape(block.text).split(), what
    assert not any(RUNNING.search(screen) for what, screen in screens.items() if what != "running")
    assert screens["failing"].endswith("\n1")
