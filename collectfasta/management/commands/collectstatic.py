"""``collectstatic``, replaced: options in, a run, its result out."""

from __future__ import annotations

import signal
import sys
import threading
from typing import Any

from django.contrib.staticfiles.management.commands import collectstatic
from django.core.management.base import CommandError

from collectfasta.exceptions import CollectfastaError
from collectfasta.pipeline.garbage import left_at_exit
from collectfasta.pipeline.memory import give_back_memory
from collectfasta.settings import Settings


class Command(collectstatic.Command):
    """Django's own command with another ``collect()``. See ``collectfasta.pipeline.run``."""

    def add_arguments(self, parser: Any) -> None:
        super().add_arguments(parser)
        add = parser.add_argument
        add("--disable-collectfasta", action="store_true", help="Run Django's own command.")
        add(
            "--verify-headers",
            action="store_true",
            help="Where a file is not remembered, look at its headers too: one request each.",
        )
        add(
            "--explain",
            nargs="+",
            default=[],
            metavar="NAME",
            help="Tell why these files (patterns may be used) are uploaded or left alone.",
        )
        add(
            "--check",
            action="store_true",
            help="With --dry-run: exit with status 1 if anything would change.",
        )
        add("--report", metavar="FILE", help="Write what was done to FILE, as JSON.")
        add("--no-progress", action="store_true", help="Show no progress while it runs.")

    def handle(self, **options: Any) -> str | None:
        """Raises ``CommandError`` for whatever the user can act on."""
        self.options_given = options
        self.console: Any = None
        self.settings = Settings()
        try:
            self.settings = Settings.load()
            if options.get("check") and not options["dry_run"]:
                raise CommandError("--check needs --dry-run.")
            if not self.is_stock():
                from collectfasta.pipeline.console import prepare

                prepare(self)
            return super().handle(**options)
        except CollectfastaError as error:
            if self.settings.debug:
                raise
            raise CommandError(str(error)) from error

    def execute(self, *args: Any, **options: Any) -> Any:
        """What we add comes after Django's own summary, and is no part of what it returns."""
        output = super().execute(*args, **options)
        if self.console is not None:
            for line in self.console.summary():
                self.stdout.write(line)
            if options.get("check") and self.console.would_change:
                raise CommandError("The destination differs from what was collected.")
        return output

    def is_stock(self) -> bool:
        """Whether Django's own ``collect()`` is to run."""
        given = self.options_given
        return bool(
            given.get("disable_collectfasta") or not self.settings.enabled or given.get("link")
        )

    def collect(self) -> dict[str, list[str]]:
        """Django's ``collect()``: the lists that its summary counts."""
        if self.is_stock():
            return super().collect()
        own = [
            hook for hook in ("copy_file", "delete_file", "clear_dir") if self.is_overridden(hook)
        ]
        if own:
            self.log(f"Django's own collect() runs, because {', '.join(own)} is overridden.")
            return super().collect()
        from collectfasta.pipeline.console import Console

        self.console = Console(self)
        return self.console.collect()

    def is_overridden(self, hook: str) -> bool:
        return getattr(type(self), hook) is not getattr(collectstatic.Command, hook)

    def run_from_argv(self, argv: list[str]) -> None:
        """From a shell: Ctrl-C ends with status 130, SIGTERM with 143, neither with a traceback."""
        give_back_memory()
        left_at_exit()
        on_main = threading.current_thread() is threading.main_thread()
        kept = signal.signal(signal.SIGTERM, _terminate) if on_main else None
        try:
            super().run_from_argv(argv)
        except KeyboardInterrupt:
            self.stderr.write("Interrupted. What was not sent yet is sent by the next run.")
            sys.exit(130)
        finally:
            if on_main:
                signal.signal(signal.SIGTERM, kept)


def _terminate(_number: int, _frame: object) -> None:
    sys.exit(143)
