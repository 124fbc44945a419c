"""Results as a table for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts.benchmarks.records import Floor, Result, Setting

HEADER = ("work", "runner", "wall s", "ratio", "CPU s", "MiB", "requests", "turns")


def title(setting: Setting) -> str:
    """``small: 1,390 files, 27 MB, to s3, 25 ms a request``."""
    text = f"{setting.corpus}: {setting.files:,} files, {setting.size / 1e6:.0f} MB, "
    text += f"to {setting.storage}"
    if setting.latency:
        text += f", {setting.latency:g} ms a request"
    if setting.bandwidth:
        text += f", {setting.bandwidth:g} Mbit/s"
    return text


def rows(results: Sequence[Result]) -> list[tuple[str, ...]]:
    """A row for each result of one setting; the ratio is to ours at the same work."""
    ours = {result.work: result.wall for result in results if result.runner == "ours"}
    table: list[tuple[str, ...]] = []
    for result in results:
        base = ours.get(result.work)
        table.append(
            (
                result.work,
                result.runner,
                f"{result.wall:.2f}",
                f"{result.wall / base:.2f}" if base else "",
                f"{result.cpu:.2f}",
                f"{result.memory:.0f}",
                f"{result.requests:,}" if result.requests else "",
                str(result.turns) + (f"  {result.problem}" if result.problem else ""),
            )
        )
    return table


def render(results: Sequence[Result], floors: Sequence[Floor], *, markdown: bool = False) -> str:
    """All tables, one for each setting, as aligned text or as Markdown."""
    blocks = []
    for setting in dict.fromkeys(result.setting for result in results):
        table = rows([result for result in results if result.setting == setting])
        block = [("### " if markdown else "") + title(setting), ""]
        block += _markdown(table) if markdown else _aligned(table)
        block += [_floor_line(floor) for floor in floors if floor.setting == setting][:1]
        blocks.append("\n".join(block))
    return "\n\n".join(blocks)


def _floor_line(floor: Floor) -> str:
    text = f"floors: walk {floor.walk:.2f} s, read and hash {floor.read:.2f} s"
    return "\n" + text + (f", bytes over the link {floor.link:.1f} s" if floor.link else "")


def _markdown(table: Sequence[tuple[str, ...]]) -> list[str]:
    lines: list[tuple[str, ...]] = [HEADER, ("---", "---") + ("--:",) * (len(HEADER) - 2), *table]
    return ["| " + " | ".join(line) + " |" for line in lines]


def _aligned(table: Sequence[tuple[str, ...]]) -> list[str]:
    lines = [HEADER, *table]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADER))]
    widths[-1] = len(HEADER[-1])  # a problem may be long
    text = []
    for line in lines:
        cells = [
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        text.append("  ".join(cells).rstrip())
    return text
