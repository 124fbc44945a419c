"""ETags: quotes, kinds, and multipart ones made again."""

from __future__ import annotations

import hashlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectfasta.strategies.s3.etags import (
    MIB,
    PartHasher,
    checksum_of,
    combined,
    part_sizes,
    plain,
)

HEX = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("given_etag", "expected"), [(f'"{HEX}"', HEX), (f'W/"{HEX}"', HEX), (HEX, HEX), (None, "")]
)
def test_quotes_are_stripped(given_etag: object, expected: str) -> None:
    """So a listing's ETag equals an answer's."""
    assert plain(given_etag) == expected


def test_only_what_may_be_a_checksum_is_one() -> None:
    """Plain MD5s, multipart ones; all else is opaque."""
    assert checksum_of(HEX) == f"md5:{HEX}"
    assert checksum_of(f"{HEX}-12") == f"etag:{HEX}-12"
    for opaque in ("", HEX[1:], HEX.upper(), f"{HEX}-", f"{HEX}-x", "0x8DC"):
        assert checksum_of(opaque) == ""


@pytest.mark.parametrize(
    ("size", "count", "first"),
    [
        (9 * MIB, 2, 8),
        (8 * MIB, 1, 8),
        (50 * MIB, 10, 5),
        (100 * MIB, 7, 16),
        (1000 * MIB, 20, 50),
        (200_000 * MIB, 6250, 32),
    ],
)
def test_likely_part_sizes_come_first(size: int, count: int, first: int) -> None:
    """Each splits the size into as many parts as the ETag says."""
    sizes = part_sizes(size, count, 8 * MIB)
    assert sizes[0] == first * MIB
    assert all(max(1, -(-size // part)) == count for part in sizes)


def test_impossible_numbers_of_parts_have_no_size() -> None:
    """None at all, more parts than bytes; an empty file has one part."""
    assert part_sizes(10, 0, 8 * MIB) == []
    assert part_sizes(2, 3, 8 * MIB) == []
    assert 8 * MIB in part_sizes(0, 1, 8 * MIB)
    assert part_sizes(9 * MIB, 2, 6 * MIB)[0] == 6 * MIB


@given(st.binary(max_size=300), st.integers(1, 100), st.integers(0, 1000))
def test_parts_are_hashed_however_the_bytes_come(data: bytes, size: int, seed: int) -> None:
    """In pieces that know nothing of parts."""
    parts = [data[start : start + size] for start in range(0, len(data), size)] or [b""]
    expected = combined(hashlib.md5(part).digest() for part in parts)
    chance, hasher, left = random.Random(seed), PartHasher(size), data
    while left:
        taken = chance.randint(1, len(left))
        hasher.update(left[:taken])
        left = left[taken:]
    assert hasher.etag() == expected
    assert expected.endswith(f"-{len(parts)}")
