"""Results as a picture: time against the number of files, and against latency."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from scripts.benchmarks.corpora import BenchError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from scripts.benchmarks.records import Floor, Result, Setting

COLOURS = {
    "ours": "#0b6e4f",
    "s5cmd": "#c0392b",
    "aws": "#e08e0b",
    "collectfasta": "#5b5ea6",
    "stock": "#555555",
    "enhanced": "#8e44ad",
}
NAMES = {
    "ours": "Collectfasta",
    "s5cmd": "s5cmd sync",
    "aws": "aws s3 sync",
    "collectfasta": "collectfasta 3.3.5",
    "stock": "Django",
    "enhanced": "manifeststaticfiles-enhanced",
}
STYLES = {"cold": "-", "warm": "--"}
LABELS = {"cold": "everything new", "warm": "nothing changed"}


def commonest(values: Sequence[Any]) -> Any:
    """The value that occurs most; the first of several."""
    return Counter(values).most_common(1)[0][0]


def draw(results: Sequence[Result], floors: Sequence[Floor], path: Path) -> None:
    """Write the picture; its suffix says how. Raises ``BenchError`` if there is nothing to draw."""
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise BenchError("matplotlib is missing: pip install 'collectfasta[bench]'.") from error
    mpl.use("svg")
    from matplotlib import pyplot as plt

    to_s3 = [r for r in results if r.setting.storage == "s3" and r.work in STYLES and not r.problem]
    if not to_s3:
        raise BenchError("There is nothing to draw: no run to s3 succeeded.")
    mpl.rcParams["svg.hashsalt"] = "bench"  # the same picture from the same results
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 5.4), layout="constrained")
    _against_files(left, to_s3, floors)
    _against_latency(right, to_s3)
    lines = dict(zip(*reversed(left.get_legend_handles_labels()), strict=True))
    figure.legend(lines.values(), lines.keys(), loc="outside lower center", ncols=4, fontsize=8)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _against_files(axes: Any, results: Sequence[Result], floors: Sequence[Floor]) -> None:
    pace = commonest([_pace(result.setting) for result in results])
    latency, bandwidth = pace
    chosen = [result for result in results if _pace(result.setting) == pace]
    _lines(axes, chosen, lambda setting: setting.files)
    fitting = [f for f in floors if f.setting.storage == "s3" and _pace(f.setting) == pace]
    known = sorted({floor.setting.files: floor for floor in fitting}.items())
    for text, style, seconds in (
        ("floor: read and hash", ":", [floor.walk + floor.read for _, floor in known]),
        ("floor: walk", (0, (1, 4)), [floor.walk for _, floor in known]),
        ("floor: bytes over the link", "-.", [floor.link for _, floor in known]),
    ):
        if any(seconds):
            axes.plot([n for n, _ in known], seconds, ls=style, color="#888888", label=text)
    axes.set(xscale="log", yscale="log", xlabel="files", ylabel="seconds, whole command")
    axes.xaxis.set_minor_formatter("")  # or the labels of one decade run into each other
    link = f", {bandwidth:g} Mbit/s" if bandwidth else ""
    axes.set_title(f"to S3, {latency:g} ms a request{link}", fontsize=10)
    axes.grid(alpha=0.25, which="both")


def _pace(setting: Setting) -> tuple[float, float]:
    return setting.latency, setting.bandwidth


def _against_latency(axes: Any, results: Sequence[Result]) -> None:
    def latencies(corpus: str) -> int:
        return len({r.setting.latency for r in results if r.setting.corpus == corpus})

    corpus = max(dict.fromkeys(r.setting.corpus for r in results), key=latencies)
    chosen = [r for r in results if r.setting.corpus == corpus and not r.setting.bandwidth]
    _lines(axes, chosen, lambda setting: setting.latency)
    files = chosen[0].setting.files if chosen else 0
    axes.set(yscale="log", xlabel="ms a request", ylabel="seconds, whole command")
    axes.set_title(f"{corpus} tree, {files:,} files", fontsize=10)
    axes.grid(alpha=0.25, which="both")


def _lines(axes: Any, results: Sequence[Result], x: Callable[[Setting], float]) -> None:
    for runner in dict.fromkeys(result.runner for result in results):
        for work, style in STYLES.items():
            points = sorted(
                (x(r.setting), r.wall) for r in results if (r.runner, r.work) == (runner, work)
            )
            if points:
                axes.plot(
                    *zip(*points, strict=True),
                    ls=style,
                    marker="o",
                    ms=3,
                    color=COLOURS.get(runner),
                    label=f"{NAMES.get(runner, runner)}, {LABELS[work]}",
                )
