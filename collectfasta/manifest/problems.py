"""What is wrong with a tree, in lines that somebody can act on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.exceptions import SuspiciousOperation

from collectfasta.exceptions import PostProcessError

if TYPE_CHECKING:
    import re
    from collections.abc import Sequence

LONGEST = 200

Line = tuple[int, str]
"""A line of the file that it is about (0: the file as a whole), and what to tell the user."""


class BrokenReferenceError(ValueError):
    """What Django's passes are given for a reference that fails."""


class EscapingReferenceError(SuspiciousOperation):
    """The same for one that leads out of the static files."""


def located(error: Exception, line: str) -> Exception:
    """``error``, or one of its kind, with a line for the user."""
    kind = BrokenReferenceError if isinstance(error, ValueError) else EscapingReferenceError
    other = kind(str(error))
    other.add_note(line)
    return other


def reference_line(name: str, original: str, match: re.Match[str], error: Exception) -> Line:
    """``file:line: reference 'x' not found``, or what else the storage says of it.

    ``original`` is the file's text as it was collected.
    """
    reference = match.groupdict().get("url") or match[0]
    text = str(error)
    if "could not be found with" in text:
        text = "not found"
    elif not isinstance(error, ValueError):  # SuspiciousFileOperation: its text holds machine paths
        text = "leads out of the static files"
    number = _line(original, match)
    return number, f"{name}:{number}: reference {reference[:LONGEST]!r} {_one_line(text)}"


def _line(original: str, match: re.Match[str]) -> int:
    """The line in the file as it was collected: earlier patterns may have changed the text."""
    where = original.find(match[0])
    if where < 0 or original.find(match[0], where + 1) >= 0:
        return match.string.count("\n", 0, match.start()) + 1
    return original.count("\n", 0, where) + 1


def not_utf8(name: str, error: UnicodeDecodeError) -> Line:
    """A file that may hold references must be UTF-8, for Django too."""
    return 0, f"{name}: not UTF-8 (byte {error.start} is 0x{error.object[error.start]:02x})"


def cycle_line(names: Sequence[str]) -> str:
    """Files whose names depend on each other's content."""
    if len(names) == 1:
        return f"{names[0]}: refers to itself, so it can have no name made from its content"
    return (
        f"{names[0]}: import cycle of {len(names)} files, which can have no names made from their "
        f"content: {', '.join(names)}"
    )


def other_line(name: str, error: Exception) -> str:
    """Whatever else the storage's own code has found wrong with ``name``."""
    return (
        error.__notes__[-1]
        if isinstance(error, BrokenReferenceError | EscapingReferenceError)
        else f"{name}: {_one_line(str(error))}"
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())


def failure(lines: Sequence[str]) -> PostProcessError:
    """All of it as one error: a summary, then a line for each problem."""
    count = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
    message = "\n".join([f"Post-processing found {count}; nothing is published.", *lines])
    return PostProcessError(message, name=lines[0].partition(":")[0])
