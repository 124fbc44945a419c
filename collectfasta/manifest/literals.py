"""What text a pattern cannot match without: found once, so that workers need not try in vain.

Trying Django's own JavaScript patterns on a bundle of some megabytes takes a minute; looking for
the word ``from`` in it takes a millisecond.
"""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Literal = tuple[bytes, bool]
"""ASCII text that must occur, and whether its case is ignored (it is then in lower case)."""

SHORT = 3
"""Shorter texts are hardly worth looking for: they occur anyway."""


def required(pattern: re.Pattern[str]) -> tuple[Literal, ...]:
    """Texts that every match of ``pattern`` holds, the longest first. Empty where none is known:
    then just try it."""
    tree = _parsed(pattern)
    if tree is None:
        return ()
    runs = _runs(tree, ignore_case=bool(tree.state.flags & re.IGNORECASE))
    found = sorted({_literal(*run) for run in runs if run[0].isascii()}, key=_by_length)
    return tuple(item for item in found if len(item[0]) >= SHORT) or tuple(found[:1])


def start(pattern: re.Pattern[str]) -> Literal | None:
    """Text that every match of ``pattern`` begins with, anchors aside. ``None``: not known."""
    tree = _parsed(pattern)
    if tree is None:
        return None
    run, ignore_case = _first_run(tree, ignore_case=bool(tree.state.flags & re.IGNORECASE))
    return _literal(run, ignore_case) if len(run) >= SHORT and run.isascii() else None


def _parsed(pattern: re.Pattern[str]) -> Any:
    """The standard library's view of a pattern: no public interface, so ``None`` is possible."""
    try:
        parser: Any = importlib.import_module("re._parser")
        return parser.parse(pattern.pattern, pattern.flags)
    except (ImportError, AttributeError):
        return None


def _first_run(tree: Any, *, ignore_case: bool) -> tuple[str, bool]:
    run = ""
    for operation, argument in tree:
        if str(operation) == "LITERAL":
            run += chr(argument)
        elif run or str(operation) not in ("AT", "SUBPATTERN"):
            break
        elif str(operation) == "SUBPATTERN":
            _, added, removed, inner = argument
            return _first_run(inner, ignore_case=_ignoring(ignore_case, added, removed))
    return run, ignore_case


def _ignoring(ignore_case: bool, added: int, removed: int) -> bool:
    """Whether case is ignored within a group that changes flags."""
    return (ignore_case or bool(added & re.IGNORECASE)) and not removed & re.IGNORECASE


def _by_length(literal: Literal) -> tuple[int, bytes]:
    return -len(literal[0]), literal[0]


def _literal(run: str, ignore_case: bool) -> Literal:
    cased = ignore_case and run.lower() != run.upper()
    return (run.lower() if cased else run).encode("ascii"), cased


def _runs(tree: Any, *, ignore_case: bool) -> Iterator[tuple[str, bool]]:
    """Runs of literal characters that no match can do without, each with its own flag."""
    run = ""
    for operation, argument in tree:
        if str(operation) == "LITERAL":
            run += chr(argument)
            continue
        if run:
            yield run, ignore_case
            run = ""
        if str(operation) == "SUBPATTERN":
            _, added, removed, inner = argument
            yield from _runs(inner, ignore_case=_ignoring(ignore_case, added, removed))
        elif str(operation).endswith("_REPEAT") and argument[0]:  # at least once
            yield from _runs(argument[2], ignore_case=ignore_case)
    if run:
        yield run, ignore_case


_FROM = re.compile(r"\\s\*from\\s\*\[['\"]{2}\]\(\?P<url>\[\./\]\.\*\?\)\[['\"]{2}\](\\s\*;)?\)$")


def ends_with_from(source: str) -> bool:
    """Whether a pattern of Django's (its source) only matches what ends with ``from './…'``.

    Two of them do. A class's own pattern may look alike and hold alternatives: never ask for it.
    """
    return _FROM.search(source) is not None
