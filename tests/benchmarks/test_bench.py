"""The bench's own logic, without a rival and without the network."""

from __future__ import annotations

import contextlib
import io
import json
import os
import stat
import sys
import tarfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from scripts.benchmarks import (
    __main__ as bench,
)
from scripts.benchmarks import (
    corpora,
    environments,
    floors,
    measure,
    places,
    plot,
    records,
    runners,
    startup,
    table,
    turns,
)
from tests.support import write_tree

if TYPE_CHECKING:
    from pathlib import Path

SMALL = records.Setting("small", 100, 5_000_000, "s3", 25.0)


def record(runner: str, work: str, wall: float, **more: object) -> records.Record:
    """A run on the small tree."""
    made = records.Record(SMALL, runner, work, 0, wall, 1.0, 50.0, {"PutObject": 100})
    return replace(made, **more)  # type: ignore[arg-type]  # fields of Record


@pytest.fixture
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache in which the small tree, of three files, is there already."""
    write_tree(
        tmp_path / "corpora" / "small",
        {".ready": "", "a.css": "a{}", "lib/b.js": "let b", "lib/c.txt": "c" * 5000},
    )
    monkeypatch.setattr(bench, "CACHE", tmp_path)
    return tmp_path


def tarball(path: Path, files: dict[str, bytes]) -> Path:
    """A package as npm packs it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def test_a_corpus_is_unpacked_from_packages_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without what Django ignores, and without asking npm for what is there."""
    monkeypatch.setattr(corpora, "PACKAGES", {"tiny": ("@a/b@1.0.0",)})
    packed = tmp_path / "tarballs" / "a-b-1.0.0.tgz"
    names = ["package/x.css", "package/dist/y.js", "package/.npmrc", "package/dist/z~"]
    tarball(packed, {name: name.encode() for name in names})
    built = corpora.build("tiny", tmp_path)
    assert (built.files, built.size) == (2, len("package/x.css") + len("package/dist/y.js"))
    assert (built.folder / "@a/b/dist/y.js").read_bytes() == b"package/dist/y.js"
    packed.unlink()
    assert corpora.build("tiny", tmp_path) == built
    assert sorted(os.listdir(tmp_path)) == ["tarballs", "tiny"]


def test_a_number_is_a_tree_of_so_many_links(quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spread over the large tree, repeated when that has too few."""
    (quick / "corpora" / "small").rename(quick / "corpora" / "large")
    few = corpora.build("2", quick / "corpora")
    many = corpora.build("7", quick / "corpora")
    assert (few.files, many.files) == (2, 7)
    assert (many.folder / "copy001" / "lib" / "b.js").stat().st_nlink > 1
    assert len(list((many.folder / "copy002").iterdir())) == 1
    assert few.size == 5003 or few.size == 8  # which of them does not matter


@pytest.mark.parametrize("npm", ["missing", "failing"])
def test_what_npm_cannot_fetch_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, npm: str
) -> None:
    """Naming npm, or the package."""
    folder = tmp_path / "bin"
    folder.mkdir()
    if npm == "failing":
        script = folder / "npm"
        script.write_text("#!/bin/sh\necho no such thing >&2\nexit 1\n")
        script.chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{folder}:/bin" if npm == "failing" else str(folder))
    with pytest.raises(
        corpora.BenchError, match=r"npm is missing|fetch a@1: no such thing"
    ) as told:
        corpora.fetch("a@1", tmp_path)
    assert "\n" not in str(told.value)


def test_an_environment_that_cannot_be_made_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Naming the rival."""
    monkeypatch.setattr(sys, "_base_executable", "/bin/false", raising=False)
    with pytest.raises(corpora.BenchError, match=r"^s5cmd: its environment could not be made"):
        environments.program("s5cmd", "s5cmd", tmp_path)


def test_a_run_is_measured_with_its_children(tmp_path: Path) -> None:
    """Wall, CPU, memory, and the last line of one that fails."""
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'x = b\"1\" * 10**8'])"
    usage = measure.run([sys.executable, "-c", code], os.environ, tmp_path)
    assert usage.error == ""
    assert usage.memory > 95
    assert usage.cpu > 0
    assert 0 < usage.wall < 60
    failed = measure.run(
        [sys.executable, "-c", "print('first', flush=True); raise SystemExit('last')"],
        os.environ,
        tmp_path,
    )
    assert failed.error == "exit status 1: last"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets us adopt them")
def test_the_cpu_of_processes_left_behind_counts(tmp_path: Path) -> None:
    """Such as workers that end after the program."""
    work = "import time; end = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {work!r}])"
    usage = measure.run([sys.executable, "-c", code], os.environ, tmp_path)
    assert usage.cpu > 0.3


def test_a_run_that_hangs_is_ended(tmp_path: Path) -> None:
    """After the time it may take."""
    code = "import time; time.sleep(600)"
    usage = measure.run([sys.executable, "-c", code], os.environ, tmp_path, timeout=0.2)
    assert usage.error.startswith("exit status -9")


def test_medians_and_ratios_are_by_work() -> None:
    """Each runner against ours at the same work."""
    found = [
        *(record("ours", "cold", wall) for wall in (1.0, 9.0, 2.0)),
        record("s5cmd", "cold", 5.0),
        record("ours", "warm", 0.5, requests={}),
        record("s5cmd", "warm", 0.25),
    ]
    rows = table.rows(records.summarise(found))
    assert [(row[0], row[1], row[2], row[3], row[6]) for row in rows] == [
        ("cold", "ours", "2.00", "1.00", "100"),
        ("cold", "s5cmd", "5.00", "2.50", "100"),
        ("warm", "ours", "0.50", "1.00", ""),
        ("warm", "s5cmd", "0.25", "0.50", "100"),
    ]


def test_tables_say_what_went_wrong_and_what_the_floor_is() -> None:
    """As text and as Markdown."""
    found = [record("ours", "cold", 1.0, missing=3), record("aws", "cold", 1.0, error="exit 1: x")]
    results = records.summarise(found)
    text = table.render(results, [records.Floor(SMALL, 0.1, 0.2, 4.0)])
    assert "small: 100 files, 5 MB, to s3, 25 ms a request" in text
    assert "3 files missing" in text
    assert "exit 1: x" in text
    assert "walk 0.10 s, read and hash 0.20 s, bytes over the link 4.0 s" in text
    assert "| cold | ours | 1.00 | 1.00 |" in table.render(results, [], markdown=True)


def test_results_are_read_back_as_written(tmp_path: Path) -> None:
    """And other JSON is refused with the file's name."""
    path = tmp_path / "results.json"
    found, below = [record("ours", "cold", 1.5)], [records.Floor(SMALL, 0.1, 0.2, 0.0)]
    records.save(path, found, below)
    assert records.load(path) == (found, below)
    for wrong in ("[]", '{"records": [{}], "floors": []}', "no"):
        path.write_text(wrong)
        with pytest.raises(ValueError, match=r"results\.json"):
            records.load(path)


def test_two_runs_are_joined_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``--from`` runs nothing; the picture holds lines and floors."""
    pytest.importorskip("matplotlib")
    large = replace(SMALL, corpus="large", files=1000)
    far = replace(SMALL, latency=100.0)
    for name, setting in (("a", SMALL), ("b", large), ("c", far)):
        found = [
            replace(record(runner, work, 1.0), setting=setting)
            for runner in ("ours", "s5cmd")
            for work in ("cold", "warm")
        ]
        records.save(tmp_path / f"{name}.json", found, [records.Floor(setting, 0.1, 0.2, 0.0)])
    sources = [str(tmp_path / f"{name}.json") for name in "abc"]
    picture = tmp_path / "p.svg"
    status = bench.main(["--from", *sources, "--plot", str(picture)])
    assert status == 0
    assert capsys.readouterr().out.count("ms a request") == 3
    drawn = picture.read_text()
    assert drawn.startswith("<?xml")
    assert "floor: walk" in drawn or "<!-- floor: walk -->" in drawn


def test_nothing_to_draw_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And exit status 1."""
    pytest.importorskip("matplotlib")
    records.save(tmp_path / "a.json", [], [])
    assert bench.main(["--from", str(tmp_path / "a.json"), "--plot", "p.svg"]) == 1
    assert capsys.readouterr().err == (
        "scripts/bench: There is nothing to draw: no run to s3 succeeded.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--runner", "rsync"], "'rsync' is none of ours, stock"),
        (["--corpus", "tiny"], "'tiny' is none of small, medium, large, a number"),
        (["--corpus", "0"], "'0' is none of"),
        (["--latency", "fast"], "'fast': numbers from 0 up"),
        (["--bandwidth", "-1"], "numbers from 0 up"),
    ],
)
def test_wrong_options_are_named(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is built."""
    with pytest.raises(SystemExit):
        bench.main(arguments)
    assert message in capsys.readouterr().err


def test_a_runner_that_cannot_write_there_is_one_line(
    quick: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Naming it and the storage."""
    assert bench.main(["--runner", "s5cmd", "--storage", "disk"]) == 1
    last = capsys.readouterr().err.splitlines()[-1]  # before it: that the machine is busy
    assert last == "scripts/bench: None of s5cmd can write to disk."


def test_the_environment_of_a_run_holds_nothing_of_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither credentials nor settings."""
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.setenv("COLLECTFASTA_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    scene = runners.Scene(tmp_path, (), tmp_path, tmp_path, "gcloud", "http://127.0.0.1:1", "")
    env = runners.environment("stock", scene)
    assert not {"AWS_PROFILE", "COLLECTFASTA_THREADS", "PYTHONPATH"} & set(env)
    assert env["STORAGE_EMULATOR_HOST"] == "http://127.0.0.1:1"
    assert json.loads(env["BENCH"])["runner"] == "stock"
    assert runners.environment("ours", scene)["PYTHONPATH"] == str(runners.ROOT)


def test_turns_begin_with_another_runner_each(quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a work that is not timed is done all the same, without latency."""
    done: list[tuple[str, str]] = []
    paces: list[float] = []

    def pretend(
        self: turns.Comparison, runner: str, work: str, *_: object, timed: bool
    ) -> records.Record:
        done.append((runner, work))
        paces.append(timed)
        return record(runner, work, 1.0)

    monkeypatch.setattr(turns.Comparison, "_work", pretend)
    monkeypatch.setattr(turns, "memcached", contextlib.nullcontext)
    plan = turns.Plan("disk", ("ours", "stock"), ("warm",), 2, 25.0, 0.0, 60.0)
    tree = corpora.build("small", quick / "corpora")
    comparison = turns.Comparison(tree, plan, quick / "work", quick / "venvs")
    found = [one.runner for number in range(2) for one in comparison.turn(number)]
    assert found == ["ours", "stock", "stock", "ours"]
    assert done[:2] == [("ours", "cold"), ("ours", "warm")]
    assert paces[:2] == [False, True]


def test_stock_django_is_timed_on_a_real_tree(
    quick: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """To the store and to a disk: every file arrives, requests are counted, one edit is one PUT."""
    status = bench.main(
        [
            "--runner", "stock", "--storage", "disk,s3", "--latency", "0",
            "--work", "cold,edit", "--json", str(quick / "r.json"),
        ]
    )  # fmt: skip
    said = capsys.readouterr()
    assert status == 0, said.err
    found, below = records.load(quick / "r.json")
    assert [(one.setting.storage, one.work) for one in found] == [
        ("disk", "cold"), ("disk", "edit"), ("s3", "cold"), ("s3", "edit"),
    ]  # fmt: skip
    assert not any(one.missing or one.error for one in found)
    assert found[2].requests["PutObject"] == found[2].setting.files
    assert found[3].requests["PutObject"] == 1
    assert found[3].setting.files > 100  # Django's admin is there
    assert len(below) == 2
    assert not os.listdir(quick / "bench")


def test_files_that_did_not_arrive_are_counted(tmp_path: Path) -> None:
    """On a disk by looking."""
    place = places.Place(folder=write_tree(tmp_path / "static", {"a": "x", "b/c": "y"}))
    assert place.missing(5) == 3
    assert places.Place(folder=tmp_path / "nowhere").missing(5) == 5


def test_floors_are_measured(quick: Path) -> None:
    """Bytes over the link from its rate."""
    setting = replace(SMALL, bandwidth=20.0)
    floor = floors.measure_floor(setting, quick / "corpora" / "small")
    assert floor.walk > 0
    assert floor.read > 0
    assert floor.link == 2.0
    assert floors.hash_files([str(quick / "corpora" / "small" / "a.css")]) == 1


def test_imports_are_read_and_summed_by_package() -> None:
    """From what ``-X importtime`` prints."""
    imports = startup.read(
        [
            "import time: self [us] | cumulative | imported package",
            "import time:      1500 |       1500 |   django.conf",
            "import time:       500 |       2000 | django",
            "import time:       250 |        250 | xxhash",
            "anything else",
        ]
    )
    assert imports[1] == startup.Import("django", 0.5, 2.0)
    report = startup.report(imports)
    assert report.startswith("3 modules, 2 ms of imports")
    assert "     2.0  django\n" in report


def test_help_says_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Every runner and storage."""
    with pytest.raises(SystemExit):
        bench.main(["--help"])
    said = capsys.readouterr().out
    assert all(name in said for name in [*runners.RUNNERS, *runners.STORAGES])
    assert plot.commonest([1, 2, 2]) == 2
