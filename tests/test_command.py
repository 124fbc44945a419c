"""The command on a disk: Django's options, output and return value, and what we add to them."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import django
import pytest
from django.contrib.staticfiles.management.commands import collectstatic as stock
from django.core.management import CommandError, call_command
from django.test.utils import override_settings

from collectfasta.management.commands.collectstatic import Command
from tests import support

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILES = {"a.css": b"a", "css/b.css": b"bb", "js/c.js": b"ccc", "empty.txt": b""}
DISK = "django.contrib.staticfiles.storage.StaticFilesStorage"


class Site:
    """A source tree, a folder to collect to, and the settings that tie them."""

    def __init__(self, folder: Path) -> None:
        self.source = support.write_tree(folder / "src", FILES)
        self.root = folder / "root"
        self.settings: dict[str, Any] = {
            "STATICFILES_DIRS": [str(self.source)],
            "STATIC_ROOT": str(self.root),
            "STORAGES": support.static_storages(DISK),
        }

    def collect(self, *args: str, **options: Any) -> support.Result:
        return support.collect(*args, settings=self.settings, **options)

    def published(self) -> dict[str, bytes]:
        return {
            path.relative_to(self.root).as_posix(): path.read_bytes()
            for path in self.root.rglob("*")
            if path.is_file()
        }


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def summary(result: support.Result) -> str:
    """Django's own summary line."""
    return result.stdout.strip().split("\n")[-1]


def test_everything_is_copied_and_then_left_alone(site: Site) -> None:
    """With Django's own words for it."""
    assert summary(site.collect()) == f"4 static files copied to '{site.root}'."
    assert site.published() == FILES
    before = {path: path.stat().st_mtime_ns for path in site.root.rglob("*")}
    result = summary(site.collect())
    assert result == f"0 static files copied to '{site.root}', 4 unmodified."
    assert {path: path.stat().st_mtime_ns for path in site.root.rglob("*")} == before


def test_the_command_returns_what_djangos_returns(site: Site) -> None:
    """The summary, for whoever calls it from a program."""
    with override_settings(**site.settings):
        ours = call_command("collectstatic", interactive=False, stdout=io.StringIO())
        theirs = call_command(stock.Command(), interactive=False, stdout=io.StringIO())
    assert ours == f"\n4 static files copied to '{site.root}'."
    assert theirs == f"\n0 static files copied to '{site.root}', 4 unmodified."


@pytest.mark.parametrize("how", ["option", "setting"])
@pytest.mark.parametrize("verbosity", [0, 1, 2, 3])
def test_disabled_is_stock_django_byte_for_byte(
    site: Site, tmp_path: Path, how: str, verbosity: int
) -> None:
    """Output and files, whatever the verbosity."""
    theirs = io.StringIO()
    with override_settings(**{**site.settings, "STATIC_ROOT": str(tmp_path / "theirs")}):
        call_command(stock.Command(), interactive=False, verbosity=verbosity, stdout=theirs)
    if how == "option":
        ours = site.collect("--disable-collectfasta", verbosity=verbosity)
    else:
        site.settings["COLLECTFASTA_ENABLED"] = False
        ours = site.collect(verbosity=verbosity)
    assert ours.stdout == theirs.getvalue().replace(str(tmp_path / "theirs"), str(site.root))
    assert ours.stderr == ""
    assert site.published() == FILES


def test_verbosity_0_is_silent(site: Site) -> None:
    """Not a byte."""
    assert site.collect(verbosity=0) == support.Result(0, "", "")
    assert site.published() == FILES


def test_dry_run_says_what_would_be_done_and_changes_nothing(site: Site) -> None:
    """Then does it with the same numbers."""
    result = site.collect("--dry-run")
    assert not site.root.exists()
    for name in FILES:
        assert f"Pretending to copy '{site.source / name}'" in result.stdout
    assert summary(result).startswith("4 static files copied")
    site.collect()
    (site.source / "a.css").write_bytes(b"X")
    result = site.collect("--dry-run")
    assert result.stdout.count("Pretending to copy") == 1
    assert site.published() == FILES


def test_check_tells_by_its_status_whether_a_deploy_would_change_anything(site: Site) -> None:
    """It belongs to ``--dry-run``."""
    assert site.collect("--check").status == 1
    assert "--dry-run" in site.collect("--check").stderr
    assert site.collect("--dry-run", "--check").status == 1
    site.collect()
    assert site.collect("--dry-run", "--check").status == 0
    assert site.collect("--dry-run").status == 0


def test_clear_deletes_what_this_run_did_not_write(site: Site) -> None:
    """After the copying; a dry run only says so."""
    site.collect()
    support.write_tree(site.root, {"old.css": b"o", "css/old.css": b"o"})
    assert "Pretending to delete 'old.css'" in site.collect("--clear", "--dry-run", "-v2").stdout
    assert "old.css" in site.published()
    result = site.collect("--clear")
    assert site.published() == FILES
    if django.VERSION >= (6, 0):
        assert "2 static files deleted, " in summary(result)


def test_ignored_files_are_not_collected(site: Site) -> None:
    """With Django's patterns, and more on the command line."""
    support.write_tree(site.source, {".secret": b"s", "x~": b"x"})
    site.collect("--ignore", "*.js")
    assert sorted(site.published()) == ["a.css", "css/b.css", "empty.txt"]
    site.collect("--no-default-ignore")
    assert sorted(site.published()) == [
        ".secret",
        "a.css",
        "css/b.css",
        "empty.txt",
        "js/c.js",
        "x~",
    ]


def test_link_is_djangos_own(site: Site) -> None:
    """And a later run without it puts copies in place of the links, not through them."""
    site.collect("--link")
    assert (site.root / "a.css").is_symlink()
    site.collect()
    assert not (site.root / "a.css").is_symlink()
    assert site.published() == FILES
    assert (site.source / "a.css").read_bytes() == b"a"


def test_the_second_file_of_a_name_is_told(site: Site, tmp_path: Path) -> None:
    """In Django's words, at Django's verbosity."""
    other = support.write_tree(tmp_path / "other", {"a.css": b"other"})
    site.settings["STATICFILES_DIRS"].append(str(other))
    level = 2 if django.VERSION >= (6, 0) else 1
    quiet = site.collect(verbosity=level - 1)
    assert "Found another file" not in quiet.stdout
    result = site.collect(verbosity=level)
    assert "Found another file with the destination path 'a.css'" in result.stdout
    assert site.published()["a.css"] == b"a"
    if django.VERSION >= (6, 0):
        assert "1 skipped due to conflict" in result.stdout


def test_explain_tells_why_for_the_files_it_names(site: Site) -> None:
    """Patterns may be used; other files are not told of."""
    result = site.collect("--explain", "*.css")
    lines = [line for line in result.stdout.split("\n") if ": " in line]
    assert len(lines) == 2
    assert any(line.startswith("css/b.css: ") and "new" in line for line in lines)


def test_verbosity_2_explains_every_file_and_sums_up(site: Site) -> None:
    """Each file once, then at most five lines after Django's."""
    site.collect()
    result = site.collect(verbosity=2)
    for name in FILES:
        assert result.stdout.count(f"{name}: ") == 1
    assert 1 <= len(result.stdout.split("unmodified.\n")[1].strip().split("\n")) <= 5


def test_a_report_holds_every_file(site: Site, tmp_path: Path) -> None:
    """As JSON, written even if a file has failed."""
    report = tmp_path / "report.json"
    support.write_tree(site.root, {"a.css/folder": b""})
    assert site.collect("--report", str(report)).status == 1
    content = json.loads(report.read_text())
    assert content["schema"] == 1
    assert sorted(entry["name"] for entry in content["files"]) == sorted(FILES)


def test_a_report_that_cannot_be_written_is_refused_first(site: Site, tmp_path: Path) -> None:
    """Before anything is copied."""
    result = site.collect("--report", str(tmp_path / "nowhere" / "report.json"))
    assert result.status == 1
    assert "--report" in result.stderr
    assert not site.root.exists()


def test_a_file_that_cannot_be_written_is_named_and_the_others_are(site: Site) -> None:
    """One line with its name, exit status 1."""
    support.write_tree(site.root, {"a.css/folder": b""})
    result = site.collect()
    assert result.status == 1
    assert "a.css" in result.stderr.strip().split("\n")[-1]
    assert {name: site.published().get(name) for name in FILES if name != "a.css"} == {
        name: data for name, data in FILES.items() if name != "a.css"
    }


def test_two_files_that_fail_get_a_line_each(site: Site) -> None:
    """After a line with their number."""
    for name in ("a.css", "css/b.css"):
        support.write_tree(site.root, {f"{name}/folder": b""})
    lines = site.collect().stderr.strip().split("\n")
    assert "2 files were not published." in lines
    assert sum("a.css" in line for line in lines) == 1
    assert sum("css/b.css" in line for line in lines) == 1


@pytest.mark.parametrize("debug", [False, True])
def test_debug_raises_the_error_itself(site: Site, debug: bool) -> None:
    """Otherwise it is a CommandError of one line."""
    (site.source / "broken").symlink_to(site.source / "gone")
    site.settings["COLLECTFASTA_DEBUG"] = debug
    with override_settings(**site.settings), pytest.raises(Exception, match="broken") as caught:
        call_command("collectstatic", interactive=False, stdout=io.StringIO())
    assert isinstance(caught.value, CommandError) is not debug


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("COLLECTFASTA_STRATEGY", "no.such.Strategy"),
        ("COLLECTFASTA_CACHE", "nowhere"),
        ("COLLECTFASTA_THREADS", "many"),
    ],
)
def test_a_wrong_setting_is_one_line_with_its_name(site: Site, name: str, value: Any) -> None:
    """Exit status 1, nothing copied."""
    site.settings[name] = value
    result = site.collect()
    assert result.status == 1
    assert name in result.stderr
    assert len(result.stderr.strip().split("\n")) == 1
    assert not site.root.exists()


def test_a_tree_without_files_is_no_error(site: Site, tmp_path: Path) -> None:
    """Nothing to do, and said so."""
    (tmp_path / "none").mkdir()
    site.settings["STATICFILES_DIRS"] = [str(tmp_path / "none")]
    assert summary(site.collect()) == f"0 static files copied to '{site.root}'."


class OtherPackage(Command):
    """Another package's subclass, written for Django's command."""

    copied: list[str] = []

    def copy_file(self, path: Any, prefixed_path: Any, source_storage: Any) -> None:
        self.copied.append(prefixed_path)
        super().copy_file(path, prefixed_path, source_storage)


def test_a_subclass_with_its_own_copy_file_goes_on_working(site: Site) -> None:
    """Django's ``collect()`` runs then, which calls it."""
    OtherPackage.copied.clear()
    with override_settings(**site.settings):
        call_command(OtherPackage(), interactive=False, stdout=io.StringIO())
    assert sorted(OtherPackage.copied) == sorted(FILES)
    assert site.published() == FILES


def test_files_under_a_prefix_are_collected_each(site: Site, tmp_path: Path) -> None:
    """Identical files under two prefixes are two files."""
    again = support.write_tree(tmp_path / "again", FILES)
    site.settings["STATICFILES_DIRS"] = [("one", str(site.source)), ("two", str(again))]
    site.collect()
    assert site.published() == {
        f"{prefix}/{name}": data for prefix in ("one", "two") for name, data in FILES.items()
    }


def test_an_answer_other_than_yes_copies_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Django's own question."""
    site.collect()
    (site.source / "a.css").write_bytes(b"X")
    monkeypatch.setattr("builtins.input", lambda prompt: "no")
    result = site.collect(interactive=True)
    assert (result.status, site.published()["a.css"]) == (1, b"a")


UNGUARDED = """
import os, sys
print("entered", flush=True)
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
import collectfasta.pipeline.pool as pool
pool.MANY_FILES = 0
pool.cpus = lambda: 2
import django
django.setup()
from django.core.management import call_command
call_command("collectstatic", interactive=False)
"""


def test_a_program_without_a_main_guard_enters_the_command_once(
    site: Site, project: Callable[..., Path]
) -> None:
    """Although its workers are processes of their own."""
    folder = project(site.settings)
    (folder / "program.py").write_text(UNGUARDED)
    site.collect()  # something to compare with, so that hashing is needed
    done = subprocess.run(
        [sys.executable, "program.py"],
        cwd=folder,
        env=support.command_env(),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("entered") == 1
    assert "4 unmodified" in done.stdout


def test_the_command_can_be_called_from_a_thread(site: Site) -> None:
    """Where signals cannot be handled, and there is nothing to handle."""
    import threading

    results: list[support.Result] = []
    thread = threading.Thread(target=lambda: results.append(site.collect()))
    thread.start()
    thread.join(100)
    assert results[0].status == 0
    assert site.published() == FILES


def test_sigterm_and_sigint_have_their_own_exit_statuses(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """143 and 130, without a traceback; the handlers of the caller are left as they were found."""
    kept = signal.getsignal(signal.SIGTERM)
    for number, status in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):

        def interrupt(command: Any, number: signal.Signals = number) -> None:
            signal.raise_signal(number)

        monkeypatch.setattr(Command, "collect", interrupt)
        with override_settings(**site.settings), pytest.raises(SystemExit) as ended:
            Command(stderr=io.StringIO()).run_from_argv(["manage.py", "collectstatic", "--noinput"])
        assert ended.value.code == status
    assert signal.getsignal(signal.SIGTERM) is kept
