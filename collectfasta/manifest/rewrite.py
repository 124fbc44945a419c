"""Replaces the references in one file, by the storage's own patterns and ``url_converter``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import SuspiciousOperation

from collectfasta.exceptions import SourceError
from collectfasta.manifest.matching import Text
from collectfasta.manifest.problems import not_utf8, reference_line

if TYPE_CHECKING:
    import re
    from collections.abc import Callable

    from collectfasta.items import SourceFile
    from collectfasta.manifest.matching import Rule
    from collectfasta.manifest.problems import Line
    from collectfasta.manifest.rules import Rules
    from collectfasta.manifest.scan import Scan
    from collectfasta.manifest.staged import Staged


class Rewriter:
    """Rewrites files of ``overlay``, and keeps account of what is wrong with them."""

    def __init__(self, overlay: Any, rules: Rules, staged: Staged) -> None:
        self._overlay = overlay
        self._rules = rules
        self._staged = staged
        self.errors: dict[str, list[Exception]] = {}
        """By file: one exception per pattern that failed, as Django would raise it."""
        self.lines: dict[str, list[Line]] = {}
        """By file: a line for the user for each reference that failed."""

    def rewritten(
        self, source: SourceFile, scan: Scan, hashed_files: dict[str, str]
    ) -> bytes | None:
        """The new content of a file, ``None`` if it stays as it is. Raises ``SourceError``."""
        name = source.name
        self.errors.pop(name, None)
        self.lines.pop(name, None)
        if not (scan.hits or scan.problem):
            return None
        try:
            original = text = _bytes(source).decode("utf-8")
        except UnicodeDecodeError as error:
            self._blame(name, error, [not_utf8(name, error)])
            return None
        for index, (entry, rule) in enumerate(self._rules.entries(self._rules.group(name))):
            if text is not original or scan.hits >> index & 1:
                text = self._substituted(name, entry, rule, (original, text), hashed_files)
        return None if text == original else text.encode()

    def _substituted(
        self,
        name: str,
        entry: tuple[Any, ...],
        rule: Rule,
        texts: tuple[str, str],
        hashed_files: dict[str, str],
    ) -> str:
        """One pattern's work. As in Django, one that fails anywhere changes nothing."""
        original, text = texts
        prepared = Text(text)
        if text is not original and not prepared.holds(rule):
            return text
        _, template, *ignored = entry
        blocks = [self._overlay.get_ignored_blocks(text, regex) for regex in ignored]
        convert: Callable[[re.Match[str]], str] = self._overlay.url_converter(
            name, hashed_files, template, *blocks
        )
        errors: list[Exception] = []
        lines: list[Line] = []

        def guarded(match: re.Match[str]) -> str:
            try:
                return self._staged.convert(lambda: convert(match))
            except (ValueError, SuspiciousOperation) as error:
                errors.append(error)
                lines.append(reference_line(name, original, match, error))
                return match[0]

        changed = prepared.substituted(rule, guarded)
        if not errors:
            return changed
        self._blame(name, errors[0], lines)
        return text

    def _blame(self, name: str, error: Exception, lines: list[Line]) -> None:
        self.errors.setdefault(name, []).append(error)
        self.lines.setdefault(name, []).extend(lines)


def _bytes(source: SourceFile) -> bytes:
    if source.data is not None:
        return source.data
    try:
        with open(source.path, "rb") as file:
            return file.read()
    except OSError as error:
        raise SourceError(
            f"Cannot read {source.path}: {error.strerror}.", name=source.name
        ) from error
