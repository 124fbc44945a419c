"""What was measured, as values and as JSON, and its medians."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Setting:
    """What all runners share. ``latency`` in ms, ``bandwidth`` in Mbit/s (0: no limit)."""

    corpus: str
    files: int
    size: int
    storage: str
    latency: float
    bandwidth: float = 0.0


@dataclass(frozen=True, slots=True)
class Record:
    """One run. ``wall`` and ``cpu`` in seconds, ``memory`` in MiB.

    ``requests`` by operation, as the store counted them. ``missing``: files that the destination
    lacks afterwards. ``error`` is empty if the run succeeded.
    """

    setting: Setting
    runner: str
    work: str
    turn: int
    wall: float
    cpu: float
    memory: float
    requests: dict[str, int] = field(default_factory=dict)
    missing: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Floor:
    """What nothing can be faster than, in seconds."""

    setting: Setting
    walk: float
    read: float
    link: float


@dataclass(frozen=True, slots=True)
class Result:
    """The median of one runner's turns at one work."""

    setting: Setting
    runner: str
    work: str
    turns: int
    wall: float
    cpu: float
    memory: float
    requests: int
    problem: str


def summarise(records: Iterable[Record]) -> list[Result]:
    """The medians, in the order in which things first came."""
    groups: dict[tuple[Setting, str, str], list[Record]] = {}
    for record in records:
        groups.setdefault((record.setting, record.work, record.runner), []).append(record)
    return [_result(setting, runner, work, of) for (setting, work, runner), of in groups.items()]


def _result(setting: Setting, runner: str, work: str, records: Sequence[Record]) -> Result:
    problems = [record.error for record in records if record.error]
    problems += [f"{record.missing} files missing" for record in records if record.missing]
    return Result(
        setting=setting,
        runner=runner,
        work=work,
        turns=len(records),
        wall=median(record.wall for record in records),
        cpu=median(record.cpu for record in records),
        memory=median(record.memory for record in records),
        requests=round(median(sum(record.requests.values()) for record in records)),
        problem=problems[0] if problems else "",
    )


def save(path: Path, records: Sequence[Record], floors: Sequence[Floor]) -> None:
    """Write them as JSON."""
    data = {
        "records": [dataclasses.asdict(record) for record in records],
        "floors": [dataclasses.asdict(floor) for floor in floors],
    }
    path.write_text(json.dumps(data, indent=1) + "\n")


def load(path: Path) -> tuple[list[Record], list[Floor]]:
    """Read what ``save`` wrote. Raises ``OSError``, or ``ValueError`` if it is not that."""
    try:
        data = json.loads(path.read_text())
        records = [Record(**_with_setting(entry)) for entry in data["records"]]
        floors = [Floor(**_with_setting(entry)) for entry in data["floors"]]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{path} holds no results of the bench") from error
    return records, floors


def _with_setting(entry: dict[str, Any]) -> dict[str, Any]:
    return {**entry, "setting": Setting(**entry["setting"])}
