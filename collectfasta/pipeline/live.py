"""Progress on a terminal, drawn by rich. Imported only where there are both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from collectfasta.pipeline.amounts import in_bytes
from collectfasta.pipeline.progress import Pace, rate_and_time, settled

if TYPE_CHECKING:
    from collectfasta.pipeline.progress import CountsLike, Totals

BAR = 24


class LiveProgress:
    """One line per stage, redrawn in place at each update. Starts no thread."""

    def __init__(self, stream: Any) -> None:
        self._console = Console(file=stream)
        self._live: Live | None = None
        self._pace = Pace()

    def update(self, counts: CountsLike, totals: Totals, elapsed: float) -> None:
        self._pace.update(counts, elapsed)
        table = stages(counts, totals, self._pace)
        if self._live is None:
            self._live = Live(
                console=self._console,
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        self._live.update(table, refresh=True)

    def hide(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def close(self) -> None:
        self.hide()


def stages(counts: CountsLike, totals: Totals, pace: Pace) -> Table:
    """The lines: stage, bar, files, bytes, and for the last one rate and time left."""
    to_upload = max(totals.files - counts.kept, counts.uploaded + counts.failed)
    failed = [f"{counts.failed:,} failed"] if counts.failed else []
    table = Table.grid(padding=(0, 2))
    rows: list[tuple[str, int, int, list[str]]] = [
        ("collected", counts.collected, max(totals.files, counts.collected), []),
        ("hashed", counts.hashed, totals.files, [in_bytes(counts.bytes_hashed)]),
        ("compared", counts.compared, totals.files, [f"{in_bytes(counts.bytes_kept)} unchanged"]),
        (
            "uploaded",
            counts.uploaded,
            to_upload,
            [in_bytes(counts.bytes_sent), *failed, *rate_and_time(counts, totals, pace)],
        ),
    ]
    for stage, done, total, phrases in rows:
        finished = stage == "hashed" and settled(counts) >= totals.files > 0
        bar = ProgressBar(total=max(1, done if finished else total), completed=done, width=BAR)
        table.add_row(stage, bar, f"{done:,}", ", ".join(phrases))
    return table
