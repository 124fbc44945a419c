"""In which order files go out, and in which batches."""

from __future__ import annotations

import pytest

from collectfasta.items import SourceFile
from collectfasta.pipeline.hashing import BATCH_BYTES, BATCH_FILES, LARGE, batches, mixed


def files(*sizes: int) -> list[SourceFile]:
    return [SourceFile(f"/{number}", f"{number}", size) for number, size in enumerate(sizes)]


@pytest.mark.parametrize(
    ("large", "small", "expected"),
    [
        (2, 8, "LssLssssss"),
        (2, 3, "LLsss"),
        (0, 3, "sss"),
        (3, 0, "LLL"),
        (0, 0, ""),
        (1, 5, "Lsssss"),
    ],
)
def test_small_files_go_out_among_the_large(large: int, small: int, expected: str) -> None:
    """The large are through when half of the small are; each file comes once, largest first."""
    given = files(
        *[LARGE + large - n for n in range(large)], *[LARGE - 1 - n for n in range(small)]
    )
    order = list(mixed(given))
    assert "".join("L" if file.size >= LARGE else "s" for file in order) == expected
    for kind in (True, False):
        same = [file.size for file in order if (file.size >= LARGE) is kind]
        assert same == sorted(same, reverse=True)
    assert sorted(order, key=lambda file: int(file.name)) == given


def test_batches_are_bounded_by_files_and_bytes() -> None:
    """A file that is larger than the bound comes last in its batch."""
    assert [len(batch) for batch in batches(files(*[1] * (BATCH_FILES + 1)))] == [BATCH_FILES, 1]
    given = files(*[1] * (BATCH_FILES + 1), BATCH_BYTES + 1, BATCH_BYTES // 2, BATCH_BYTES // 2)
    found = list(batches(given))
    assert sorted(file.name for batch in found for file in batch) == sorted(f.name for f in given)
    for batch in found:
        assert len(batch) <= BATCH_FILES
        assert sum(file.size for file in batch[:-1]) < BATCH_BYTES
