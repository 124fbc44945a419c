"""A run over a destination in memory: what is sent, what is remembered, what stops it."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from django.test.utils import override_settings
from xxhash import xxh3_128_hexdigest

from collectfasta.checksums import ChecksumCache
from collectfasta.exceptions import DestinationError, UploadError
from collectfasta.items import Outcome, Reason, SourceFile
from collectfasta.pipeline import run as module
from collectfasta.pipeline.crew import Crew
from collectfasta.pipeline.hashing import BATCH_FILES
from collectfasta.pipeline.lookups import Lookups
from collectfasta.pipeline.report import Tally
from collectfasta.pipeline.run import Run, RunOptions
from tests.pipeline.memory import MemoryStrategy

PATIENCE = 30.0
Switch = Callable[[dict[str, Any]], None]


LOCMEM = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}


def files_in(folder: Path) -> dict[str, Any]:
    """A cache that outlives the process."""
    return {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": str(folder),
        "OPTIONS": {"MAX_ENTRIES": 10_000},
    }


@pytest.fixture
def use_cache(tmp_path: Path) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Switch the default cache; at first it is one that lasts."""
    with contextlib.ExitStack() as stack:

        def switch(cache: dict[str, Any]) -> None:
            stack.enter_context(override_settings(CACHES={"default": cache}))

        switch(files_in(tmp_path / "cache"))
        yield switch


class Site:
    """A tree on disk, a destination, and runs between them."""

    def __init__(self, folder: Path, strategy: MemoryStrategy) -> None:
        self.folder = folder
        self.strategy = strategy

    def write(self, files: Mapping[str, bytes]) -> None:
        for name, data in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    def files(self) -> list[SourceFile]:
        return [
            SourceFile(str(path), path.relative_to(self.folder).as_posix(), path.stat().st_size)
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        ]

    def start(self, *phases: Sequence[SourceFile], **options: Any) -> tuple[Run, Tally]:
        tally = Tally()
        cache = ChecksumCache("default", "test", "memory", tally.warn, debug=False)
        run = Run(self.strategy, cache, RunOptions(threads=4, **options), tally)
        run.start(phases or [self.files()], (), lambda: None)
        return run, tally

    def run(self, *phases: Sequence[SourceFile], **options: Any) -> Tally:
        self.strategy.log.clear()
        run, tally = self.start(*phases, **options)
        assert run.done.wait(PATIENCE)
        run.result()
        return tally


@pytest.fixture
def site(tmp_path: Path, use_cache: Switch) -> Site:
    site = Site(tmp_path / "tree", MemoryStrategy())
    site.write({f"css/{number}.css": b"%d" % number for number in range(20)} | {"empty": b""})
    return site


def test_no_more_is_read_ahead_than_can_be_sent_soon(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While uploads hang, one batch is read, and no other: memory is bounded."""
    site.write({f"many/{number}.txt": b"" for number in range(3 * BATCH_FILES)})
    remote, wait, waiting = Lookups.remote, Crew.wait, threading.Event()
    read: list[int] = []

    def told(crew: Crew[Any], most: int, seconds: float) -> bool:
        reached = wait(crew, most, seconds)
        if not reached and not read:
            read.append(len(site.strategy.did("ahead")))
            waiting.set()
        return reached

    monkeypatch.setattr(Lookups, "listed", property(lambda self: remote(self) is not None))
    monkeypatch.setattr(Crew, "wait", told)
    monkeypatch.setattr(module, "READING", PATIENCE)  # a busy machine is no slow disk
    site.strategy.before_upload = lambda file: waiting.wait(PATIENCE)  # type: ignore[assignment]  # what it returns does not matter
    site.run()
    assert read == [BATCH_FILES]
    assert len(site.strategy.did("ahead")) == 3 * BATCH_FILES + 21


def test_a_slow_disk_is_not_read_by_one_thread(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading ahead ends with its time; everything is sent all the same."""
    remote = Lookups.remote
    monkeypatch.setattr(Lookups, "listed", property(lambda self: remote(self) is not None))
    monkeypatch.setattr(module, "READING", -1)
    site.run()
    assert site.strategy.did("ahead") == []
    assert len(site.strategy.objects) == 21


def test_everything_new_is_sent_once(site: Site) -> None:
    """Bytes at the destination are those of the tree, each written once."""
    tally = site.run()
    assert {name: data for name, (data, _) in site.strategy.objects.items()} == {
        file.name: Path(file.path).read_bytes() for file in site.files()
    }
    assert len(site.strategy.did("put")) == 21
    assert tally.reasons == {Reason.NEW: 21}
    assert site.strategy.closed == 1


def test_a_second_run_sends_nothing_and_looks_at_nothing_twice(site: Site) -> None:
    """One listing; no HEAD, no comparison: the records vouch for all."""
    site.run()
    tally = site.run()
    assert [method for method, _ in site.strategy.log] == ["list"]
    assert tally.reasons == {Reason.UNCHANGED: 21}
    assert tally.hits == tally.asked == 21


def test_one_edit_of_the_same_size_is_sent_alone(site: Site) -> None:
    """A record with other bytes is enough to know."""
    site.run()
    site.write({"css/3.css": b"X"})
    site.run()
    assert site.strategy.did("put") == ["css/3.css"]
    assert site.strategy.objects["css/3.css"][0] == b"X"


def test_what_somebody_else_wrote_is_put_right(site: Site) -> None:
    """The etag has moved on, so the record proves nothing."""
    site.run()
    site.strategy.put("css/3.css", b"Z")
    del site.strategy.objects["css/4.css"]
    site.run()
    assert site.strategy.did("put") == ["css/3.css", "css/4.css"]
    assert site.strategy.objects["css/3.css"][0] == b"3"


def test_without_records_equal_bytes_and_headers_are_left_alone(
    site: Site, use_cache: Switch, tmp_path: Path
) -> None:
    """A lost cache costs one look at the headers each, once."""
    site.run()
    use_cache(files_in(tmp_path / "another"))
    tally = site.run()
    assert site.strategy.did("put") == []
    assert len(site.strategy.did("headers")) == 21
    assert tally.reasons == {Reason.SAME_ALL: 21}
    site.run()
    assert [method for method, _ in site.strategy.log] == ["list"]


def test_without_records_other_headers_are_sent(
    site: Site, use_cache: Switch, tmp_path: Path
) -> None:
    """The bytes alone are not all of it."""
    site.run()
    use_cache(files_in(tmp_path / "another"))
    site.strategy.header_answer = False
    assert site.run().reasons == {Reason.HEADERS: 21}


def test_without_a_lasting_cache_headers_are_checked_only_if_asked(
    site: Site, use_cache: Switch
) -> None:
    """And the tally tells how many were not."""
    use_cache(LOCMEM)
    site.run()
    tally = site.run()
    assert (tally.reasons, site.strategy.did("headers")) == ({Reason.SAME_BYTES: 21}, [])
    assert site.run(verify_headers=True).reasons == {Reason.SAME_ALL: 21}
    assert len(site.strategy.did("headers")) == 21


def test_headers_that_are_to_change_are_sent(site: Site) -> None:
    """The fingerprint in the record tells."""
    site.run()
    site.strategy.headers = "h2"
    assert site.run().reasons == {Reason.HEADERS: 21}


def test_a_run_killed_after_sending_other_headers_leaves_no_record_of_the_old_ones(
    site: Site,
) -> None:
    """Where an ETag is made of the bytes alone, as on S3, the old record would vouch for headers
    that are no longer there: the next run with the old headers would skip every file."""
    site.strategy.etag_of = lambda data: hashlib.md5(data).hexdigest()
    site.run()
    site.strategy.headers = "h2"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Lookups, "save", lambda *args, **kwargs: None)  # killed before it could
        assert len(site.run().copied) == 21
    site.strategy.headers = "h1"
    site.strategy.header_answer = False
    assert site.run().reasons == {Reason.HEADERS: 21}


def test_a_dry_run_with_other_headers_forgets_nothing(site: Site) -> None:
    """It changes neither the storage nor the cache."""
    site.run()
    site.strategy.headers = "h2"
    assert site.run(dry_run=True).reasons == {Reason.HEADERS: 21}
    site.strategy.headers = "h1"
    assert site.run().reasons == {Reason.UNCHANGED: 21}


def test_where_listing_is_forbidden_each_file_is_looked_up(site: Site) -> None:
    """One HEAD a file, known or not, and the same decisions."""
    site.strategy.listable = False
    site.run()
    assert len(site.strategy.did("head")) == len(site.strategy.did("put")) == 21
    tally = site.run()
    assert (len(site.strategy.did("head")), site.strategy.did("put")) == (21, [])
    assert tally.reasons == {Reason.UNCHANGED: 21}


def refuse(*names: str) -> Callable[[SourceFile], None]:
    def before(file: SourceFile) -> None:
        if file.name in names:
            raise UploadError(f"{file.name}: refused.", name=file.name)

    return before


def test_a_refused_upload_is_named_and_the_others_go_on(site: Site) -> None:
    """It is not remembered either: the next run heals it."""
    site.strategy.before_upload = refuse("css/3.css")
    tally = site.run()
    assert list(tally.failures) == ["css/3.css"]
    assert len(site.strategy.did("put")) == 20
    site.strategy.before_upload = lambda file: None
    site.run()
    assert site.strategy.did("put") == ["css/3.css"]


def test_a_later_phase_waits_for_the_success_of_the_earlier(site: Site) -> None:
    """Nothing of the second phase is written when the first has a failure."""
    files = site.files()
    site.strategy.before_upload = refuse("css/0.css")
    tally = site.run(files[:10], files[10:])
    assert list(tally.failures) == ["css/0.css"]
    assert site.strategy.did("put") == sorted(file.name for file in files[1:10])


def test_phases_are_written_in_order(site: Site) -> None:
    """The log shows all of the first before any of the second."""
    files = site.files()
    site.run(files[:10], files[10:])
    order = [name for method, name in site.strategy.log if method == "put"]
    assert set(order[:10]) == {file.name for file in files[:10]}


def test_a_damaged_upload_fails_late_and_is_not_remembered(site: Site) -> None:
    """Where only later uploads show what an etag means, the judgement comes at the end."""
    site.strategy.damaged = {"css/3.css": "damaged"}
    tally = site.run()
    assert tally.failures == {"css/3.css": "damaged"}
    assert "css/3.css" not in tally.copied
    site.strategy.damaged = {}
    assert site.run().reasons == {Reason.UNCHANGED: 20, Reason.SAME_ALL: 1}


def test_a_file_that_cannot_be_read_is_named(site: Site) -> None:
    """On a first run and on a later one, where it is hashed."""
    files = [*site.files(), SourceFile(str(site.folder / "gone"), "gone", 3)]
    site.strategy.put("gone", b"abc")
    tally = site.run(files)
    assert list(tally.failures) == ["gone"]
    assert "No such file" in tally.failures["gone"]
    assert site.strategy.objects["gone"][0] == b"abc"


def test_dry_run_changes_nothing_and_decides_the_same(site: Site) -> None:
    """Its copied names are those that a real run then writes."""
    site.run()
    site.write({"css/3.css": b"X", "new": b"n"})
    site.strategy.put("foreign", b"f")
    dry = site.run(dry_run=True, clear=True)
    assert (site.strategy.did("put"), site.strategy.did("delete")) == ([], [])
    real = site.run(clear=True)
    assert sorted(dry.copied) == sorted(real.copied) == ["css/3.css", "new"]
    assert dry.deleted == real.deleted == ["foreign"]


def test_clear_deletes_only_after_success(site: Site) -> None:
    """With a failure nothing is deleted."""
    site.strategy.put("foreign", b"f")
    site.strategy.before_upload = refuse("css/3.css")
    assert site.run(clear=True).deleted == []
    assert "foreign" in site.strategy.objects
    site.strategy.before_upload = lambda file: None
    assert site.run(clear=True).deleted == ["foreign"]


def test_a_file_edited_in_mid_run_is_recorded_as_it_was_sent(site: Site) -> None:
    """The record holds the digest of the bytes that went, not of those hashed before."""
    site.run()
    site.write({"css/3.css": b"X"})
    site.strategy.before_upload = lambda file: site.write({"css/3.css": b"Y"})
    site.run()
    assert site.strategy.objects["css/3.css"][0] == b"Y"
    site.strategy.before_upload = lambda file: None
    assert site.run().reasons == {Reason.UNCHANGED: 21}
    site.write({"css/3.css": b"X"})
    site.run()
    assert site.strategy.did("put") == ["css/3.css"]


def test_a_storage_that_is_gone_ends_the_run(site: Site) -> None:
    """A ``DestinationError`` is raised once, and what was sent before is remembered."""

    def gone(file: SourceFile) -> None:
        raise DestinationError("The bucket is gone.")

    site.strategy.before_upload = gone
    with pytest.raises(DestinationError, match="bucket is gone"):
        site.run()
    assert site.strategy.closed == 1


def test_a_bug_keeps_its_traceback_and_names_the_file(site: Site) -> None:
    """Unexpected errors are raised as they are."""

    def bug(file: SourceFile) -> None:
        raise ZeroDivisionError

    site.strategy.before_upload = bug
    with pytest.raises(ZeroDivisionError) as caught:
        site.run()
    assert "was published" in caught.value.__notes__[0]


def test_debug_raises_what_would_be_summed_up(site: Site) -> None:
    """``COLLECTFASTA_DEBUG`` shows where an upload error comes from."""
    site.strategy.before_upload = refuse("css/3.css")
    with pytest.raises(UploadError):
        site.run(debug=True)


def test_interrupt_ends_a_run_whose_uploads_hang(site: Site) -> None:
    """What was sent before is remembered; nothing waits for what hangs."""
    release = threading.Event()
    hanging = threading.Event()

    def hang(file: SourceFile) -> None:
        if file.name != "empty":
            hanging.set()
            release.wait(PATIENCE)

    site.strategy.before_upload = hang
    run, _ = site.start()
    assert hanging.wait(PATIENCE)
    run.interrupt()
    ended = run.done.wait(PATIENCE)
    release.set()
    assert ended


def test_names_that_the_storage_refuses_fail_before_anything_is_sent_for_them(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others go on."""
    monkeypatch.setattr(site.strategy, "refused", lambda names: {"empty": "empty: not here."})
    tally = site.run()
    assert tally.failures == {"empty": "empty: not here."}
    assert "empty" not in site.strategy.objects


class Hooks:
    """A custom strategy's hooks, logged."""

    def __init__(self, answer: bool | None) -> None:
        self.answer = answer
        self.log: list[str] = []

    def before(self) -> None:
        self.log.append("before")

    def should_copy(self, file: SourceFile) -> bool | None:
        return self.answer

    def copied(self, file: SourceFile) -> None:
        self.log.append("copied")

    def skipped(self, file: SourceFile) -> None:
        self.log.append("skipped")


@pytest.mark.parametrize(
    ("answer", "puts", "called"),
    [(True, 21, "copied"), (False, 0, "skipped"), (None, 0, "skipped")],
)
def test_custom_hooks_are_asked_and_told(
    site: Site, monkeypatch: pytest.MonkeyPatch, answer: bool | None, puts: int, called: str
) -> None:
    """``None`` leaves the decision to us; over an unchanged tree that is a skip."""
    site.run()
    hooks = Hooks(answer)
    monkeypatch.setattr(site.strategy, "custom", hooks, raising=False)
    site.run()
    assert len(site.strategy.did("put")) == puts
    assert hooks.log == ["before", *[called] * 21]


def test_outcomes_tell_both_checksums(site: Site) -> None:
    """News are one outcome a file, with what was sent from here and what was there."""
    site.run()
    site.write({"css/3.css": b"X"})
    site.strategy.before_upload = lambda file: site.write({file.name: b"Y"})  # since it was hashed
    tally = site.run()
    news = [tally.news.get() for _ in range(tally.news.qsize())]
    outcomes = {item.file.name: item for item in news if isinstance(item, Outcome)}
    assert len(outcomes) == 21
    changed = outcomes["css/3.css"]
    assert changed.local == xxh3_128_hexdigest(b"Y")
    assert changed.remote.startswith("md5:")
    assert changed.sent == 1
