"""What is published, what is not, and that the live storage is left alone meanwhile."""

from __future__ import annotations

import contextlib
import json
import os
from concurrent.futures import CancelledError
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.staticfiles.storage import (
    HashedFilesMixin,
    ManifestFilesMixin,
    ManifestStaticFilesStorage,
    StaticFilesStorage,
)
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, InMemoryStorage
from django.test import override_settings

from collectfasta.exceptions import PostProcessError
from collectfasta.manifest.local import LocalFile, Sources
from collectfasta.manifest.process import PostProcessOptions, post_process, runs_directly
from collectfasta.pipeline.pool import HashPool
from tests.manifest import kit

if TYPE_CHECKING:
    from collections.abc import Sequence

TREE = {
    "a.css": "x{background:url(i.png)}",
    "b.css": "@import 'a.css'; x{background:url(sub/j.png)}",
    "same.css": "x{}",
    "i.png": "image",
    "sub/j.png": "another",
}


@pytest.fixture
def found(tmp_path: Path) -> Any:
    return kit.write_tree(tmp_path / "source", TREE)


def publish(storage: Any, run: kit.Run) -> None:
    """As the command would."""
    for file in [*run.processed.hashed, *run.processed.plain]:
        storage.objects[file.name] = run.published[file.name]
    for target, file in run.processed.manifest:
        (target or storage).objects[file.name] = kit.bytes_of(file)
    run.processed.commit()


def test_a_remote_storage_is_not_asked_for_anything(found: Any) -> None:
    """But for one look at the live manifest; and nothing in it changes before commit."""
    storage = kit.RemoteManifest()
    storage.hashed_files = {"old.css": "old.1.css"}
    storage.requests.clear()
    before = dict(storage.__dict__)
    run = kit.ours(storage, found)
    assert storage.requests == [("GET", kit.MANIFEST)]
    assert {**before, "requests": storage.requests} == storage.__dict__
    assert storage.hashed_files == {"old.css": "old.1.css"}
    assert storage.manifest_storage is storage
    run.processed.commit()
    assert storage.hashed_files == run.manifest["paths"]
    assert storage.manifest_hash == run.manifest["hash"]
    assert storage.url("a.css").endswith(run.manifest["paths"]["a.css"])
    assert storage.manifest_storage is storage
    assert type(storage) is kit.RemoteManifest


def test_what_is_published_is_what_django_publishes(tmp_path: Path, found: Any) -> None:
    """In three lists; what keeps its bytes is a second name for the collected file."""
    expected = kit.stock(kit.disk(ManifestStaticFilesStorage, tmp_path / "stock"), found)
    storage = kit.RemoteManifest()
    run = kit.ours(storage, found)
    kit.assert_same(run.published, expected)
    processed = run.processed
    assert processed.plain == list(found.values())
    changed = [file.name.partition(".")[0] for file in processed.hashed if file.data is not None]
    assert sorted(changed) == ["a", "b"]
    linked = {file.path for file in processed.hashed if file.data is None}
    assert linked == {found[name].path for name in ("same.css", "i.png", "sub/j.png")}
    assert sorted(processed.post_processed) == sorted(run.manifest["paths"].items())
    assert [target for target, _ in processed.manifest] == [None]
    assert run.warnings == []


def test_a_manifest_that_says_the_same_is_not_written(found: Any) -> None:
    """Whatever the order in it; one that says something else, or is damaged, is."""
    storage = kit.RemoteManifest()
    run = kit.ours(storage, found)
    publish(storage, run)
    old = json.loads(storage.objects[kit.MANIFEST])
    for live in (storage.objects[kit.MANIFEST], json.dumps(old, indent=1, sort_keys=True).encode()):
        storage.objects[kit.MANIFEST] = live
        again = kit.ours(storage, found)
        assert [file.data for _, file in again.processed.manifest] == [live]
    for live in (b"{}", b"[damaged"):
        storage.objects[kit.MANIFEST] = live
        assert kit.ours(storage, found).processed.manifest == run.processed.manifest


def test_in_files_mode_changed_bytes_are_in_a_folder_of_their_own(
    tmp_path: Path, found: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never the working directory; and the folder is gone afterwards."""
    temporary, here = tmp_path / "tmp", tmp_path / "here"
    temporary.mkdir()
    here.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.chdir(here)
    expected = kit.ours(kit.RemoteManifest(), found).published
    options = PostProcessOptions(print, mode="files")
    processed = post_process(kit.RemoteManifest(), found, options)
    files = [*processed.hashed, *processed.plain, *(file for _, file in processed.manifest)]
    assert {file.name: kit.bytes_of(file) for file in files} == expected
    assert all(file.data is None for file in processed.hashed)
    folders = {os.path.dirname(file.path) for file in processed.hashed}
    assert {Path(folder).parent for folder in folders} > {temporary}
    assert os.listdir(here) == []
    processed.close()
    assert os.listdir(temporary) == []


def test_in_files_mode_a_failure_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is removed whatever happens."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    found = kit.write_tree(tmp_path / "source", TREE | {"c.css": "url(no.png)"})
    with pytest.raises(PostProcessError):
        kit.ours(kit.RemoteManifest(), found, mode="files")
    assert os.listdir(tmp_path / "tmp") == []


def test_a_manifest_by_another_name_in_another_storage(tmp_path: Path, found: Any) -> None:
    """It is to be published there, and only if it says something new."""

    class Elsewhere(kit.RemoteManifest):
        manifest_name = "names.json"

    other = kit.Remote()
    storage = Elsewhere(manifest_storage=other)
    run = kit.ours(storage, found)
    [(target, file)] = run.processed.manifest
    assert target is other
    assert file.name == "names.json"
    assert json.loads(kit.bytes_of(file))["paths"]["i.png"] in run.published
    assert storage.objects == {}
    assert other.objects == {}
    assert kit.MANIFEST not in run.published
    publish(storage, run)
    assert storage.manifest_storage is other
    again = kit.ours(storage, found)
    (live,) = other.objects.values()
    assert [(place, file.data) for place, file in again.processed.manifest] == [(other, live)]


def test_a_manifest_storage_is_only_read(found: Any) -> None:
    """Whatever a class's own ``save_manifest`` does with it."""
    seen: list[Any] = []

    class Elaborate(kit.RemoteManifest):
        def save_manifest(self) -> None:
            super().save_manifest()
            other = self.manifest_storage
            with other.open(self.manifest_name) as file:
                seen.append(json.loads(file.read()))
            with other.open("notes") as file:
                seen.append(file.read())
            seen.append(other.url("notes"))
            other.save("copy.json", ContentFile("text"))
            seen.append(other.exists("copy.json"))
            super().save_manifest()

    other = kit.Remote(notes=b"by hand")
    run = kit.ours(Elaborate(manifest_storage=other), found)
    assert seen == [run.manifest, b"by hand", "https://cdn.example/assets/notes", True]
    assert other.objects == {"notes": b"by hand"}
    assert {file.name for _, file in run.processed.manifest} == {kit.MANIFEST, "copy.json"}


def test_the_collected_manifest_of_an_earlier_run_is_not_published(tmp_path: Path) -> None:
    """As in Django, the new one takes its place; its own hashed copy is another matter."""
    found = kit.write_tree(tmp_path / "s", TREE | {kit.MANIFEST: "{}"})
    expected = kit.stock(kit.disk(ManifestStaticFilesStorage, tmp_path / "stock"), found)
    run = kit.ours(kit.RemoteManifest(), found)
    kit.assert_same(run.published, expected)
    assert kit.MANIFEST not in {file.name for file in run.processed.plain}


def test_what_was_not_collected_is_looked_up_on_the_destination_once(tmp_path: Path) -> None:
    """And used, with a warning, as Django uses it; no hashed name is looked up."""
    tree = {"a.css": "url(old.png) url(gone.png)", "b.css": "url(old.png) url(gone.png)"}
    found = kit.write_tree(tmp_path / "s", tree)

    class Tolerant(kit.RemoteManifest):
        def hashed_name(self, name: str, content: Any = None, filename: Any = None) -> str:
            try:
                return super().hashed_name(name, content, filename)
            except ValueError:
                return name

    storage = Tolerant()
    storage.objects["old.png"] = b"image"
    storage.requests.clear()
    run = kit.ours(storage, found)
    heads = [name for method, name in storage.requests if method == "HEAD"]
    assert sorted(heads) == ["gone.png", "old.png"]
    assert b"old.78805a221a98.png" in b"".join(run.published.values())
    [warning] = run.warnings
    assert warning.startswith("old.png is referred to but was not collected")


def test_many_lookups_are_one_question_if_the_run_can_answer(tmp_path: Path) -> None:
    """All names that will be needed, in order, without the storage's own requests."""
    asked: list[Sequence[str]] = []

    def lookup(names: Sequence[str]) -> list[str]:
        asked.append(names)
        return ["old.png"]

    tree = {
        "sub/a.css": "url(../old.png?x) url(/static/old.png#y) url(/other.png) url(i.png) url(#a)",
        "b.css": "url(//cdn/x.png) url(data:abc) url(sub/) url(sub/i.png)",
        "sub/i.png": "i",
    }
    found = kit.write_tree(tmp_path / "s", tree)
    storage = kit.RemoteManifest()
    storage.objects["old.png"] = b"image"
    storage.requests.clear()
    run = kit.ours(storage, found, lookup=lookup)
    assert asked == [["old.png"]]
    assert not [name for method, name in storage.requests if method == "HEAD"]
    assert len(run.warnings) == 1
    tree["b.css"] = "url(a/gone.png)"
    with pytest.raises(PostProcessError, match=r"b\.css:1: reference 'a/gone.png' not found"):
        kit.ours(storage, kit.write_tree(tmp_path / "s", tree), lookup=lookup)
    asked.clear()
    kit.ours(storage, kit.write_tree(tmp_path / "s", TREE), lookup=lookup)
    assert asked == []


def test_a_folder_that_is_referred_to_is_left_alone_on_a_disk(tmp_path: Path) -> None:
    """As in Django; on a storage without folders it is a missing file."""
    found = kit.write_tree(tmp_path / "s", {"a.css": "url(sub) url(.)", "sub/i.png": "i"})
    expected = kit.stock(kit.disk(ManifestStaticFilesStorage, tmp_path / "stock"), found)
    disk = kit.disk(ManifestStaticFilesStorage, tmp_path / "ours")
    kit.assert_same(kit.ours(disk, found, lookup=lambda names: []).published, expected)
    with pytest.raises(PostProcessError, match="reference 'sub' not found"):
        kit.ours(kit.RemoteManifest(), found)


def test_the_runs_own_pool_is_used_and_left_open(found: Any) -> None:
    """One pool for a whole run."""
    pool = HashPool(1, 1, print)
    try:
        kit.ours(kit.RemoteManifest(), found, pool=pool)
        assert pool.run(len, [1, 2]).result() == 2
    finally:
        pool.close()


def test_when_told_to_stop_it_stops(found: Any) -> None:
    """Between batches, and between files; nothing stays behind."""
    for patience in range(3):
        left = iter([False] * patience)
        with pytest.raises(CancelledError):
            kit.ours(kit.RemoteManifest(), found, stop=lambda left=left: next(left, True))


@pytest.mark.parametrize("stopped", [False, True])
def test_a_pool_of_its_own_is_closed_at_once_if_it_stops(
    found: Any, monkeypatch: pytest.MonkeyPatch, stopped: bool
) -> None:
    """And when it is done otherwise."""
    closed: list[bool] = []

    class Watched(HashPool):
        def close(self, *, at_once: bool = False) -> None:
            closed.append(at_once)
            super().close(at_once=at_once)

    monkeypatch.setattr("collectfasta.manifest.scanning.HashPool", Watched)
    with contextlib.suppress(CancelledError):
        kit.ours(kit.RemoteManifest(), found, stop=lambda: stopped)
    assert closed == [stopped]


def test_many_batches_are_scanned_a_few_at_a_time(
    found: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are, all are scanned."""
    expected = kit.ours(kit.RemoteManifest(), found).published
    monkeypatch.setattr("collectfasta.pipeline.hashing.BATCH_FILES", 1)
    monkeypatch.setattr("collectfasta.manifest.scanning.AHEAD", 0)
    assert kit.ours(kit.RemoteManifest(), found).published == expected


def test_worker_processes_come_to_the_same_result(
    found: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tree large enough for processes."""
    expected = kit.ours(kit.RemoteManifest(), found).published
    monkeypatch.setattr("collectfasta.pipeline.pool.MANY_FILES", 1)
    monkeypatch.setattr("collectfasta.pipeline.pool.cpus", lambda: 2)
    assert kit.ours(kit.RemoteManifest(), found).published == expected


def test_a_class_with_its_own_hash_gets_the_content(tmp_path: Path, found: Any) -> None:
    """An opened file, with chunks, a name and a size."""
    seen: dict[str, Any] = {}

    class Own(ManifestStaticFilesStorage):
        def file_hash(self, name: str | None, content: Any = None) -> str:
            if name:
                data = b"".join(content.chunks())
                content.seek(0)
                seen[name] = (content.read() == data, content.size == len(data))
                return f"{len(data):04}"
            return "manifest"

    expected = kit.stock(kit.disk(Own, tmp_path / "stock"), found)
    seen.clear()
    run = kit.ours(kit.disk(Own, tmp_path / "ours"), found)
    kit.assert_same(run.published, expected)
    assert set(seen) == set(found)
    assert set(seen.values()) == {(True, True)}


def test_a_class_that_hashes_names_only_reads_no_file_but_css(tmp_path: Path, found: Any) -> None:
    """Nothing is read in vain: the image may even be gone."""

    class Own(kit.RemoteManifest):
        def file_hash(self, name: str | None, content: Any = None) -> str:
            return f"v{len(name or '')}"

    os.unlink(found["i.png"].path)
    processed = post_process(Own(), found, PostProcessOptions(print))
    assert "i.v5.png" in {file.name for file in processed.hashed}


def test_a_django_that_hashes_otherwise_is_asked_for_every_hash(
    found: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scan's MD5 is used only where it is what the library makes of a probe."""
    monkeypatch.setattr(
        HashedFilesMixin, "file_hash", lambda self, name, content=None: "x" * 5 if content else ""
    )
    run = kit.ours(kit.RemoteManifest(), found)
    assert run.manifest["paths"]["i.png"] == "i.xxxxx.png"


def test_names_that_stay_as_they_are_are_published_once(tmp_path: Path, found: Any) -> None:
    """Where the hashed name is the name, rewritten bytes take the place of the collected ones."""

    class Unhashed(ManifestStaticFilesStorage):
        def file_hash(self, name: str | None, content: Any = None) -> Any:
            return None if name and name != "i.png" else super().file_hash(name, content)

    expected = kit.stock(kit.disk(Unhashed, tmp_path / "stock"), found)
    run = kit.ours(kit.disk(Unhashed, tmp_path / "ours"), found)
    kit.assert_same(run.published, expected)
    assert {file.name for file in run.processed.plain} == {"i.png", "sub/j.png"}
    assert "sub/j.png" not in dict(run.processed.post_processed)


def test_a_dry_run_tells_what_a_real_one_would_publish(found: Any) -> None:
    """It is all in memory, so nothing speaks against it."""
    storage = kit.RemoteManifest()
    run = kit.ours(storage, found, dry_run=True)
    assert run.published == kit.ours(storage, found).published


def test_a_dry_run_with_post_processing_of_ones_own_leaves_it_to_that(found: Any) -> None:
    """It is told that the run is dry; Django's then does nothing."""

    class Own(kit.RemoteManifest):
        def post_process(self, *args: Any, **kwargs: Any) -> Any:
            assert kwargs == {"dry_run": True}
            yield from super().post_process(*args, **kwargs)

    run = kit.ours(Own(), found, dry_run=True)
    assert run.processed.hashed == []
    assert run.processed.manifest == []
    assert run.processed.plain == list(found.values())


class Compiling(kit.RemoteManifest):
    """What asset pipelines do: read, write, add to the paths, delete, list."""

    def post_process(self, paths: Any, dry_run: bool = False, **options: Any) -> Any:
        with self._open("a.css") as file:
            text = file.read().decode()
        self.save("made/all.css", ContentFile(text.replace("i.png", "../i.png")))
        self.save(None, ContentFile("text", name="named.txt"))
        self.delete("same.css")
        self.delete("never.css")
        del paths["same.css"]
        paths["made/all.css"] = (self, "made/all.css")
        paths["image.png"] = (self, "i.png")
        self.notes = {
            "exists": [self.exists(name) for name in ("a.css", "same.css", "made/all.css", "no")],
            "size": self.size("i.png"),
            "times": [self.get_modified_time(name) for name in ("a.css", "named.txt")],
            "root": sorted(self.listdir("")[1]),
            "folders": sorted(self.listdir("/")[0]),
            "made": self.listdir("made/"),
            "free": self.get_available_name("a.css"),
        }
        for name in ("no", "sub"):
            with pytest.raises(FileNotFoundError):
                self.open(name)
        with pytest.raises(FileNotFoundError):
            self.size("no")
        with pytest.raises(NotImplementedError):
            self.path("a.css")
        yield from super().post_process(paths, dry_run=dry_run, **options)


@pytest.mark.parametrize("use_tz", [True, False])
def test_code_of_ones_own_runs_over_memory(found: Any, use_tz: bool) -> None:
    """It sees the collected files and what it wrote; all of that is published, nothing asked."""
    storage = Compiling()
    storage.requests.clear()
    with override_settings(USE_TZ=use_tz):
        run = kit.ours(storage, found)
    assert storage.requests == [("GET", kit.MANIFEST)]
    paths = run.manifest["paths"]
    assert set(paths) == (set(TREE) - {"same.css"}) | {"made/all.css", "image.png"}
    assert run.published[paths["image.png"]] == b"image"
    hashed = f"../{paths['i.png']}".encode()
    assert hashed in run.published[paths["made/all.css"]]
    assert run.published["named.txt"] == b"text"
    assert "same.css" not in run.published
    assert not hasattr(storage, "notes")
    run.processed.commit()
    notes = storage.notes
    assert notes["exists"] == [True, False, True, False]
    assert notes["size"] == 5
    assert {moment.tzinfo is not None for moment in notes["times"]} == {use_tz}
    assert notes["times"][0] <= notes["times"][1]
    assert notes["root"] == ["a.css", "b.css", "i.png", "named.txt"]
    assert notes["folders"] == ["made", "sub"]
    assert notes["made"] == ([], ["all.css"])
    assert notes["free"] == "a.css"


def test_on_a_disk_a_path_is_that_of_the_collected_file(tmp_path: Path, found: Any) -> None:
    """So that a class may look at the file itself."""
    seen: dict[str, str] = {}

    class Looking(ManifestStaticFilesStorage):
        def hashed_name(self, name: str, *args: Any, **kwargs: Any) -> str:
            seen[name] = self.path(name)
            return super().hashed_name(name, *args, **kwargs)

    storage = kit.disk(Looking, tmp_path / "root")
    kit.ours(storage, found)
    assert seen["i.png"] == found["i.png"].path
    assert storage.path("i.png") == str(tmp_path / "root" / "i.png")


def test_storages_that_only_post_process_get_the_overlay_too(found: Any) -> None:
    """Without hashed names: their own code over memory, and no manifest."""

    class Stamping(kit.Remote):
        def post_process(self, paths: Any, dry_run: bool = False) -> Any:
            for name in paths:
                self.save(f"{name}.txt", ContentFile(b"stamp"))
                yield name, f"{name}.txt", True

    storage = Stamping()
    run = kit.ours(storage, found)
    assert {file.name for file in run.processed.hashed} == {f"{name}.txt" for name in TREE}
    assert run.processed.plain == list(found.values())
    assert run.processed.manifest == []
    assert storage.requests == []


def test_hashed_names_without_a_manifest(tmp_path: Path, found: Any) -> None:
    """The live storage learns them at commit."""

    class Hashed(HashedFilesMixin, InMemoryStorage):
        keep_intermediate_files = False

    storage = Hashed(base_url="/static/")
    run = kit.ours(storage, found)
    assert storage.hashed_files == {}
    assert run.processed.manifest == []
    run.processed.commit()
    assert set(storage.hashed_files) == set(TREE)
    assert set(storage.hashed_files.values()) < set(run.published)


def test_an_opened_file_can_be_closed_and_opened_again(found: Any) -> None:
    """As Django's files can."""
    file = LocalFile(found["i.png"])
    assert file.closed
    assert file.read() == b"image"
    assert not file.closed
    file.close()
    file.close()
    assert file.closed
    with file.open() as again:
        assert again.read() == b"image"
    assert file.closed
    sources = Sources(found, {})
    assert sources.path("i.png") == found["i.png"].path
    assert sources.exists("i.png")
    assert not sources.exists("no.png")


def test_only_ones_own_code_on_a_disk_runs_directly(tmp_path: Path) -> None:
    """Everything else goes through memory."""

    class Own(ManifestStaticFilesStorage):
        def post_process(self, *args: Any, **kwargs: Any) -> Any:
            yield from super().post_process(*args, **kwargs)

    class Stamping(FileSystemStorage):
        def post_process(self, paths: Any, dry_run: bool = False) -> Any:
            yield from ()

    class Deeper(ManifestStaticFilesStorage):
        def _post_process(self, *args: Any) -> Any:
            yield from super()._post_process(*args)

    root = tmp_path / "root"
    assert runs_directly(kit.disk(Own, root), remote=False)
    assert runs_directly(Stamping(), remote=False)
    assert not runs_directly(kit.disk(Own, root), remote=True)
    assert not runs_directly(kit.disk(Deeper, root), remote=False)
    assert not runs_directly(kit.disk(ManifestStaticFilesStorage, root), remote=False)
    assert not runs_directly(StaticFilesStorage(), remote=False)


def test_a_manifest_mixin_without_a_manifest_is_no_error(found: Any) -> None:
    """A class may have its reasons not to save it."""

    class Silent(kit.RemoteManifest):
        def save_manifest(self) -> None:
            pass

    run = kit.ours(Silent(), found)
    assert run.processed.manifest == []
    assert isinstance(Silent(), ManifestFilesMixin)


def test_text_written_as_text_is_utf8(found: Any) -> None:
    """``ContentFile`` takes both."""

    class Texts(kit.RemoteManifest):
        def save_manifest(self) -> None:
            self.manifest_storage._save(self.manifest_name, ContentFile('{"é": 1}'))

    for storage in (Texts(), Texts(manifest_storage=kit.Remote())):
        [(_, file)] = kit.ours(storage, found).processed.manifest
        assert kit.bytes_of(file) == '{"é": 1}'.encode()
