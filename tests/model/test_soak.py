"""``scripts/soak`` itself, for a few seconds."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from scripts.soaking.steady import ROOM, Use, check_growth
from tests import support


def test_a_short_soak_ends_well(memcached: object) -> None:
    """All its parts run, and the seed is printed."""
    options = ["--sequences", "2", "--runs", "3", "--rounds", "1", "--files", "30"]
    done = subprocess.run(
        [sys.executable, "-m", "scripts.soaking", *options],
        cwd=support.ROOT,
        env=support.command_env(),
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^seed \d+$", done.stdout, re.MULTILINE)
    assert "after 3 runs" in done.stdout
    assert "round 1 of 1" in done.stdout
    assert "2 of 2 sequences" in done.stdout


@pytest.mark.parametrize("end", [Use(ROOM + 2, 9, 1), Use(1, 12, 1), Use(1, 9, 4)])
def test_what_grows_is_told(end: Use) -> None:
    """Memory, descriptors and threads."""
    check_growth(Use(1, 9, 1), Use(ROOM, 10, 2))
    with pytest.raises(AssertionError, match="from"):
        check_growth(Use(1, 9, 1), end)
