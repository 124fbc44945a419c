"""Numbers as people read them."""

from __future__ import annotations

import math

MINUTE = 60


def in_files(number: int) -> str:
    """``1 file``, ``1,481 files``."""
    return f"{number:,} file" if number == 1 else f"{number:,} files"


def in_bytes(size: float) -> str:
    """Bytes in powers of ten, as storages bill them: ``512 B``, ``1.2 MB``."""
    if round(size) < 1000:
        return f"{round(size)} B"
    for unit in ("kB", "MB", "GB"):
        size /= 1000
        if round(size, 1) < 1000:
            return f"{size:.1f} {unit}"
    return f"{size / 1000:,.1f} TB"


def in_time(seconds: float) -> str:
    """Time that will pass, rounded up: ``8 s``, ``2 min 05 s``."""
    whole = math.ceil(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    return f"{whole // MINUTE} min {whole % MINUTE:02} s"


def in_seconds(seconds: float) -> str:
    """Time that has passed: ``0.03 s``, ``12.4 s``."""
    return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"
