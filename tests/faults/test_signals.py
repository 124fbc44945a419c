"""Ctrl-C and SIGTERM at each stage, while whatever is waited for hangs."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from scripts.benchmarks.bucket import StoredObject
from scripts.benchmarks.faults import Fault, Kind
from tests import support
from tests.faults.conftest import FILES, on_disk, tree_at
from tests.faults.test_cache import answering, patient_caches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from tests.faults.conftest import Site

SOON = 10.0
"""Seconds; it takes less than two where nobody else uses the machine."""
PATIENCE = 60.0
STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143}
SIGNALS = [pytest.param(number, id=number.name) for number in STATUS]


@contextlib.contextmanager
def running(
    folder: Path, *args: str, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """The command in a process group of its own, of which nothing is left in the end."""
    process = subprocess.Popen(
        support.command_line(*args),
        cwd=folder,
        env=support.command_env(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=PATIENCE)


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.01)


def group_is_empty(leader: int) -> bool:
    """Whether no process of the group is left, not even a worker."""
    try:
        os.killpg(leader, 0)
    except ProcessLookupError:
        return True
    return False


def ends_in_time(
    process: subprocess.Popen[str], number: signal.Signals, *, all_of_it: bool = False
) -> str:
    """Send the signal to the command, or to its workers too, as a terminal does; its stderr."""
    (os.killpg if all_of_it else os.kill)(process.pid, number)
    start = time.monotonic()
    _, err = process.communicate(timeout=PATIENCE)
    assert time.monotonic() - start < SOON
    assert process.returncode == STATUS[number], err
    assert "Traceback" not in err
    until(lambda: group_is_empty(process.pid))
    return err


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("operation", ["ListObjectsV2", "PutObject"])
def test_while_the_store_hangs(
    site: Site, project: Callable[..., Path], number: signal.Signals, operation: str
) -> None:
    """In a listing, and in uploads; what is at the destination is whole."""
    site.store.hang(operation, seconds=60)
    with running(project(site.settings)) as process:
        site.store.wait_for(lambda store: store.counts[operation] > 0, PATIENCE)
        ends_in_time(process, number)
    assert site.published() == {}


@pytest.mark.parametrize("number", SIGNALS)
def test_in_the_middle_of_fifteen_hundred_uploads_that_hang(
    site: Site, project: Callable[..., Path], tree: Callable[..., Path], number: signal.Signals
) -> None:
    """Nobody waits for those that are under way, nor for those that have not begun."""
    tree({f"many/{number}.txt": b"%d" % number for number in range(1500)})
    site.store.strike(Fault(Kind.HANG, seconds=60), "PutObject", after=100)
    settings = {k: v for k, v in site.settings.items() if k != "COLLECTFASTA_THREADS"}
    with running(project(settings)) as process:
        site.store.wait_for(lambda store: store.in_flight > 20, PATIENCE)
        ends_in_time(process, number)
    whole = FILES | {f"many/{number}.txt": b"%d" % number for number in range(1500)}
    assert site.published().items() <= whole.items()
    assert len(site.published()) < len(whole)


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("question", [b"get", b"set"])
def test_while_the_cache_hangs(
    site: Site, project: Callable[..., Path], number: signal.Signals, question: bytes
) -> None:
    """When records are asked for, and when they are to be written."""
    asked: list[bytes] = []

    def answer(question_asked: bytes) -> bytes | None:
        asked.append(question_asked[:3])
        return b"END\r\n" if question == b"set" and question_asked[:3] == b"get" else None

    with answering(answer) as port:
        site.caches = patient_caches(port)
        with running(project(site.settings)) as process:
            until(lambda: question in asked)
            ends_in_time(process, number)


SLOW_FINDER = """
import time
from django.contrib.staticfiles.finders import BaseFinder
class Slow(BaseFinder):
    def list(self, ignore_patterns):
        open("waiting", "w").close()
        time.sleep(60)
        return []
"""


@pytest.mark.parametrize("number", SIGNALS)
def test_while_files_are_looked_for(
    site: Site, project: Callable[..., Path], number: signal.Signals
) -> None:
    """A finder of the user's own that takes its time."""
    folder = project({**site.settings, "STATICFILES_FINDERS": ["finders.Slow"]})
    (folder / "finders.py").write_text(SLOW_FINDER)
    with running(folder) as process:
        until((folder / "waiting").exists)
        ends_in_time(process, number)
    assert site.store.counts["PutObject"] == 0


BUSY_WORKERS = """
from collectfasta.pipeline import hashing, pool
pool.cpus = lambda: 2
pool.MANY_FILES = 1
hashing.BATCH_FILES = 1
"""


def huge_site(site: Site) -> None:
    """Two files of 100 GB, all holes, and objects that they must be compared with."""
    for name in ("huge1.bin", "huge2.bin"):
        with (site.source / name).open("wb") as file:
            file.truncate(512 << 20)
        site.store.objects[f"static/{name}"] = StoredObject(b"old", "e", {}, 0.0)


@pytest.mark.parametrize("number", SIGNALS)
def test_while_workers_hash(
    site: Site, project: Callable[..., Path], number: signal.Signals
) -> None:
    """The workers are ended with the run, whoever has heard the signal."""
    huge_site(site)
    with running(project(site.settings, BUSY_WORKERS)) as process:
        until(lambda: hashing_children(process.pid) >= 2)
        ends_in_time(process, number, all_of_it=number == signal.SIGINT)


def test_workers_do_not_outlive_a_command_that_is_killed(
    site: Site, project: Callable[..., Path]
) -> None:
    """``kill -9``: nobody is left to tell them."""
    huge_site(site)
    with running(project(site.settings, BUSY_WORKERS)) as process:
        until(lambda: hashing_children(process.pid) >= 2)
        process.kill()
        process.wait(PATIENCE)
        until(lambda: group_is_empty(process.pid))


def hashing_children(leader: int) -> int:
    """How many processes of the group have a huge file open."""
    count = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.getpgid(int(pid)) != leader:
                continue
            links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        except OSError:
            continue
        count += any("huge" in link for link in links)
    return count


def test_a_second_ctrl_c_does_no_harm(site: Site, project: Callable[..., Path]) -> None:
    """An impatient user."""
    site.store.hang("PutObject", seconds=60)
    with running(project(site.settings)) as process:
        site.store.wait_for(lambda store: store.counts["PutObject"] > 0, PATIENCE)
        os.kill(process.pid, signal.SIGINT)
        os.kill(process.pid, signal.SIGINT)
        start = time.monotonic()
        process.communicate(timeout=PATIENCE)
        assert time.monotonic() - start < SOON
        assert process.returncode != 0
        until(lambda: group_is_empty(process.pid))


def test_what_was_sent_before_is_remembered(
    remembering: Site, project: Callable[..., Path]
) -> None:
    """The next run sends the rest only; even where ETags prove nothing."""
    remembering.store.opaque_etags = True
    hanging = remembering.store.hang("PutObject", key="static/css/*", seconds=60)
    with running(project(remembering.settings)) as process:
        remembering.store.wait_for(
            lambda store: hanging.struck == 2 and len(store.objects) == 4, PATIENCE
        )
        ends_in_time(process, signal.SIGINT)
    remembering.store.faults.clear()
    remembering.store.forget()
    assert remembering.collect().status == 0
    sent = remembering.sent()
    assert {"css/b.css", "css/c.css"} <= set(sent)
    assert len(sent) < 6  # what was stored, but whose answer had not arrived, is sent again


CALLER = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
import django
django.setup()
from django.core.management import call_command
try:
    call_command("collectstatic", interactive=False)
except KeyboardInterrupt:
    print("heard", flush=True)
print("alive", flush=True)
"""


def test_under_call_command_it_is_a_keyboard_interrupt(
    site: Site, project: Callable[..., Path]
) -> None:
    """The program that called goes on, and ends as it likes."""
    site.store.hang("PutObject", seconds=60)
    folder = project(site.settings)
    process = subprocess.Popen(
        [sys.executable, "-c", CALLER],
        cwd=folder,
        env=support.command_env(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        site.store.wait_for(lambda store: store.counts["PutObject"] > 0, PATIENCE)
        os.kill(process.pid, signal.SIGINT)
        start = time.monotonic()
        out, err = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        process.wait()
    assert time.monotonic() - start < SOON
    assert out.split() == ["heard", "alive"], err
    assert process.returncode == 0


@pytest.mark.parametrize("number", SIGNALS)
def test_no_manifest_is_published_by_a_run_that_was_stopped(
    site: Site, project: Callable[..., Path], number: signal.Signals
) -> None:
    """The hashed files hang; the plain ones and the manifest come after them."""
    settings = site.settings
    backend = "storages.backends.s3.S3ManifestStaticStorage"
    settings["STORAGES"]["staticfiles"]["BACKEND"] = backend
    site.store.hang("PutObject", key="static/css/b.*.css", seconds=60)
    with running(project(settings)) as process:
        site.store.wait_for(lambda store: store.counts["PutObject"] > 3, PATIENCE)
        ends_in_time(process, number)
    assert "staticfiles.json" not in site.published()
    assert "css/b.css" not in site.published()


def test_a_disk_keeps_nothing_unfinished(
    project: Callable[..., Path], tree: Callable[..., Path], tmp_path: Path
) -> None:
    """A large file is being copied, slowly: its unfinished copy is removed, the old one stays."""
    source = tree({"a.css": b"a"})
    root = support.write_tree(tmp_path / "root", {"huge.bin": b"old"})
    with (source / "huge.bin").open("wb") as file:
        file.truncate(3 << 30)
    with running(project(on_disk(source, root), SLOW_WRITES)) as process:
        until(lambda: [path for path in root.iterdir() if path.name.endswith(".part")])
        ends_in_time(process, signal.SIGTERM)
    left = tree_at(root)
    assert left.pop("a.css", b"a") == b"a"
    assert left == {"huge.bin": b"old"}


SLOW_WRITES = """
import os, time
from collectfasta.strategies.disk import writing
def write(descriptor, data):
    if len(data) < writing.CHUNK:
        os.write(descriptor, data)
    else:
        time.sleep(0.01)
writing._write_all = write
"""
