"""Manifest storages through the command: what is published, in which order, and what a failure
leaves."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.staticfiles.management.commands import collectstatic as stock
from django.contrib.staticfiles.storage import ManifestFilesMixin
from django.core.files.storage import FileSystemStorage
from django.core.management import call_command
from django.test.utils import override_settings
from storages.backends.azure_storage import AzureStorage
from storages.backends.gcloud import GoogleCloudStorage

from collectfasta.pipeline.session import Session
from collectfasta.strategies.boto3 import Boto3Strategy
from tests import support
from tests.places import S3Bucket

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from collectfasta.items import Sent, SourceFile
    from scripts.benchmarks.store import Store
    from tests.places import AzureContainer, GcsBucket

S3_MANIFEST = "storages.backends.s3.S3ManifestStaticStorage"
DISK_MANIFEST = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"

TREE = {
    "css/site.css": b'@import "base.css"; body { background: url("../img/back.png?v=1#x"); }',
    "css/base.css": b"@import url(deep/leaf.css);",
    "css/deep/leaf.css": b'p { background: url("/static/img/dot.svg") }',
    "css/alone.css": b"p { color: red }",
    "img/back.png": bytes(range(256)),
    "img/dot.svg": b"<svg/>",
    "js/app.js": b"console.log(1);\n//# sourceMappingURL=app.js.map\n",
    "js/app.js.map": b"{}",
    "empty.txt": b"",
}


class GoogleManifestStorage(ManifestFilesMixin, GoogleCloudStorage):
    """What people write for Google Cloud Storage."""


class AzureManifestStorage(ManifestFilesMixin, AzureStorage):
    """What people write for Azure."""


class ElsewhereStorage(ManifestFilesMixin, FileSystemStorage):
    """A manifest of its own name in a folder of its own."""

    manifest_name = "release.json"
    manifest_folder = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        folder = FileSystemStorage(location=self.manifest_folder)
        super().__init__(*args, manifest_storage=folder, **kwargs)


def published_by_stock(source: Path, root: Path) -> dict[str, bytes]:
    """What Django's own command makes of ``source`` with its own storage."""
    settings = {
        "STATICFILES_DIRS": [str(source)],
        "STATIC_ROOT": str(root),
        "STORAGES": support.static_storages(DISK_MANIFEST),
    }
    with override_settings(**settings):
        call_command(stock.Command(), interactive=False, verbosity=0)
    return files_in(root)


def files_in(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


def comparable(files: dict[str, bytes]) -> dict[str, Any]:
    """The manifest as JSON: Django 5.2 writes it in no particular order."""
    return {
        name: json.loads(data) if name.endswith("staticfiles.json") else data
        for name, data in files.items()
    }


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return support.write_tree(tmp_path / "src", TREE)


@pytest.fixture
def expected(source: Path, tmp_path: Path) -> dict[str, bytes]:
    return published_by_stock(source, tmp_path / "stock")


class Site:
    """An S3 manifest site on the fast store, whose log tells what was done."""

    def __init__(self, store: Store, source: Path, caches: dict[str, Any]) -> None:
        self.store = store
        self.source = source
        bucket = S3Bucket(store.url, store.name)
        self.settings: dict[str, Any] = {
            "STATICFILES_DIRS": [str(source)],
            "CACHES": caches,
            "STORAGES": bucket.storages("static", backend=S3_MANIFEST),
        }

    def collect(self, *args: str) -> support.Result:
        self.store.forget()
        return support.collect(*args, settings=self.settings)

    def written(self) -> list[str]:
        """The names that were written, in order, without the location."""
        return [
            entry.key.removeprefix("static/")
            for entry in self.store.log
            if entry.method == "PUT" and entry.status == 200
        ]

    def objects(self) -> dict[str, bytes]:
        return {
            key.removeprefix("static/"): bytes(self.store.objects[key].body)
            for key in self.store.objects
        }

    def manifest(self) -> dict[str, str]:
        paths: dict[str, str] = json.loads(self.objects()["staticfiles.json"])["paths"]
        return paths


@pytest.fixture
def site(store: Store, source: Path, caches: dict[str, Any]) -> Site:
    return Site(store, source, caches)


def test_a_folder_holds_what_djangos_own_command_makes(
    source: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    """Names, bytes and manifest."""
    settings = {
        "STATICFILES_DIRS": [str(source)],
        "STATIC_ROOT": str(tmp_path / "ours"),
        "STORAGES": support.static_storages(DISK_MANIFEST),
    }
    result = support.collect(settings=settings)
    assert result.status == 0
    assert "9 post-processed" in result.stdout
    assert comparable(files_in(tmp_path / "ours")) == comparable(expected)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "ours").rglob("*")}
    assert "0 static files copied" in support.collect(settings=settings).stdout
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "ours").rglob("*")} == before


def test_s3_holds_what_djangos_own_command_makes(site: Site, expected: dict[str, bytes]) -> None:
    """The same names and bytes, under the location."""
    result = site.collect()
    assert result.status == 0
    assert comparable(site.objects()) == comparable(expected)


def test_google_cloud_storage_holds_the_same(
    gcs_bucket: GcsBucket, source: Path, expected: dict[str, bytes], caches: dict[str, Any]
) -> None:
    """With ``ManifestFilesMixin``, from the first run on."""
    settings = {
        "STATICFILES_DIRS": [str(source)],
        "CACHES": caches,
        "STORAGES": gcs_bucket.storages(
            backend=f"{__name__}.GoogleManifestStorage", querystring_auth=False
        ),
    }
    assert support.collect(settings=settings).status == 0
    assert comparable(gcs_bucket.objects()) == comparable(expected)
    tokens = gcs_bucket.tokens()
    assert support.collect(settings=settings).status == 0
    assert gcs_bucket.tokens() == tokens


def test_azure_holds_the_same_although_it_had_no_manifest(
    azure_container: AzureContainer,
    source: Path,
    expected: dict[str, bytes],
    caches: dict[str, Any],
) -> None:
    """Where django-storages raises an error of Azure's own while the storage is made."""
    settings = {
        "STATICFILES_DIRS": [str(source)],
        "CACHES": caches,
        "STORAGES": azure_container.storages(
            "nested/static", backend=f"{__name__}.AzureManifestStorage"
        ),
    }
    assert support.collect(settings=settings).status == 0
    objects = azure_container.objects()
    found = {name.removeprefix("nested/static/"): data for name, data in objects.items()}
    assert comparable(found) == comparable(expected)
    tokens = azure_container.tokens()
    assert support.collect(settings=settings).status == 0
    assert azure_container.tokens() == tokens


def test_hashed_files_come_first_and_the_manifest_last(site: Site) -> None:
    """Each object is written once, and none is deleted."""
    site.collect()
    written = site.written()
    hashed = set(site.manifest().values())
    assert sorted(written) == sorted({*TREE, *hashed, "staticfiles.json"})
    assert set(written[: len(hashed)]) == hashed
    assert written[-1] == "staticfiles.json"
    assert not [entry for entry in site.store.log if entry.method == "DELETE"]


def test_a_second_run_writes_nothing(site: Site) -> None:
    """Not even the manifest, and asks for no object by itself but that."""
    site.collect()
    site.collect()
    assert site.written() == []
    looked = {entry.key for entry in site.store.log if entry.method in {"GET", "HEAD"}}
    assert {key for key in looked if key and key != "static/staticfiles.json"} == set()


def test_an_edited_stylesheet_takes_with_it_what_refers_to_it(site: Site) -> None:
    """Its hashed copy, itself, the hashed copies of those that import it, and the manifest."""
    site.collect()
    before = site.manifest()
    support.write_tree(site.source, {"css/base.css": TREE["css/base.css"] + b" p{}"})
    site.collect()
    after = site.manifest()
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"css/base.css", "css/site.css"}
    written = site.written()
    assert sorted(written) == sorted(
        ["css/base.css", *(after[name] for name in changed), "staticfiles.json"]
    )
    assert written[-1] == "staticfiles.json"
    assert written[-2] == "css/base.css"
    assert set(before.values()) <= set(site.objects())


@pytest.mark.parametrize("refused", ["static/css/base.*.css", "static/css/base.css"])
def test_a_refused_upload_leaves_the_old_site_whole(site: Site, refused: str) -> None:
    """The manifest that is live is byte for byte the old one, and every name in it is there."""
    site.collect()
    old = site.objects()
    support.write_tree(site.source, {"css/base.css": b"p{}", "img/back.png": b"new"})
    site.store.fail("PutObject", key=refused, status=403)
    result = site.collect()
    assert result.status == 1
    assert "css/base" in result.stderr
    now = site.objects()
    assert now["staticfiles.json"] == old["staticfiles.json"]
    assert {name: now[name] for name in site.manifest().values()} == {
        name: old[name] for name in site.manifest().values()
    }
    site.store.faults.clear()
    assert site.collect().status == 0
    assert site.objects()["css/base.css"] == b"p{}"


def test_a_file_edited_after_its_name_was_made_is_not_published_under_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hashed name stands for one content, for as long as anybody caches it."""
    publish = Session._publish

    def edit_first(self: Session, *args: Any, **kwargs: Any) -> None:
        support.write_tree(site.source, {"img/back.png": b"edited in mid-run"})
        publish(self, *args, **kwargs)

    monkeypatch.setattr(Session, "_publish", edit_first)
    result = site.collect()
    assert result.status == 1
    assert "back.png was changed" in result.stderr
    assert "staticfiles.json" not in site.objects()
    assert not [name for name in site.objects() if name.startswith("img/back.") and len(name) > 14]
    monkeypatch.undo()
    assert site.collect().status == 0


def test_a_file_edited_just_before_it_is_read_fails_the_run(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have gone out under a name that stands for other bytes: no manifest names it."""
    upload = Boto3Strategy.upload

    def edit_first(self: Boto3Strategy, file: SourceFile) -> Sent:
        if file.pinned and "back." in file.name:
            support.write_tree(site.source, {"img/back.png": bytes(reversed(range(256)))})
        return upload(self, file)

    monkeypatch.setattr(Boto3Strategy, "upload", edit_first)
    result = site.collect()
    assert result.status == 1
    assert "back.png was changed" in result.stderr
    assert "staticfiles.json" not in site.objects()
    monkeypatch.undo()
    assert site.collect().status == 0
    name = site.manifest()["img/back.png"]
    assert site.objects()[name] == bytes(reversed(range(256)))


def test_missing_references_are_all_named_and_nothing_is_published(site: Site) -> None:
    """Each with its file, its line and itself."""
    support.write_tree(
        site.source,
        {"a.css": b'p{}\nq{background:url("gone.png")}', "b.css": b"@import 'nowhere.css';"},
    )
    result = site.collect()
    assert result.status == 1
    assert re.search(r"a\.css:2:.*gone\.png", result.stderr)
    assert re.search(r"b\.css:1:.*nowhere\.css", result.stderr)
    assert site.written() == []


def test_an_import_cycle_is_named(site: Site) -> None:
    """The files in it, where Django gives up without a word of where."""
    support.write_tree(site.source, {"x.css": b'@import "y.css";', "y.css": b'@import "x.css";'})
    result = site.collect()
    assert result.status == 1
    assert "x.css" in result.stderr
    assert "y.css" in result.stderr
    assert site.written() == []


def test_a_manifest_of_its_own_name_in_another_storage_is_honoured(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is written there, last, and not among the files."""
    monkeypatch.setattr(ElsewhereStorage, "manifest_folder", str(tmp_path / "manifests"))
    settings = {
        "STATICFILES_DIRS": [str(source)],
        "STORAGES": support.static_storages(
            f"{__name__}.ElsewhereStorage", {"location": str(tmp_path / "root")}
        ),
    }
    assert support.collect(settings=settings).status == 0
    paths = json.loads((tmp_path / "manifests" / "release.json").read_bytes())["paths"]
    assert sorted(paths) == sorted(TREE)
    assert sorted(files_in(tmp_path / "root")) == sorted({*TREE, *paths.values()})


def test_dry_run_publishes_nothing_and_tells_what_it_would(site: Site) -> None:
    """Post-processing is done all the same."""
    result = site.collect("--dry-run")
    assert (result.status, site.written(), site.objects()) == (0, [], {})
    assert "9 static files copied, 9 post-processed" in result.stdout


def test_without_post_processing_only_plain_files_are_sent(site: Site) -> None:
    """``--no-post-process``."""
    site.collect("--no-post-process")
    assert site.objects() == TREE


def test_clear_spares_what_the_manifest_names(site: Site) -> None:
    """Old hashed copies go, the unchanged manifest stays although it is not written again."""
    site.collect()
    old = site.manifest()["css/alone.css"]
    support.write_tree(site.source, {"css/alone.css": b"p { color: blue }"})
    site.collect()
    assert old in site.objects()
    site.collect("--clear")
    assert site.written() == []
    assert old not in site.objects()
    assert set(site.objects()) == {*TREE, *site.manifest().values(), "staticfiles.json"}


@pytest.mark.parametrize("name", ["Boto3ManifestMemoryStrategy", "Boto3ManifestFileSystemStrategy"])
def test_the_strategies_of_the_original_package_do_the_same(
    site: Site,
    expected: dict[str, bytes],
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And never upload the working directory, which one of them once did."""
    support.write_tree(tmp_path / "cwd", {".env": b"SECRET", "manage.py": b""})
    monkeypatch.chdir(tmp_path / "cwd")
    site.settings["COLLECTFASTA_STRATEGY"] = f"collectfasta.strategies.boto3.{name}"
    assert site.collect().status == 0
    assert comparable(site.objects()) == comparable(expected)
    assert files_in(tmp_path / "cwd") == {".env": b"SECRET", "manage.py": b""}


def test_whitenoise_goes_on_working(
    source: Path, tmp_path: Path, project: Callable[..., Path], run_command: Callable[..., Any]
) -> None:
    """Every file that it compresses has its ``.gz`` beside it."""
    support.write_tree(source, {"css/long.css": b"p { color: red }\n" * 200})
    settings = {
        "STATICFILES_DIRS": [str(source)],
        "STATIC_ROOT": str(tmp_path / "root"),
        "STORAGES": support.static_storages(
            "whitenoise.storage.CompressedManifestStaticFilesStorage"
        ),
    }
    folder = project(settings)
    assert run_command(folder).status == 0
    files = files_in(tmp_path / "root")
    hashed = json.loads(files["staticfiles.json"])["paths"]["css/long.css"]
    assert {"css/long.css.gz", f"{hashed}.gz"} <= set(files)
    again = run_command(folder)
    assert again.status == 0
    assert set(files_in(tmp_path / "root")) == set(files)


def test_headers_of_a_manifest_that_says_the_same_are_sent_when_they_change(site: Site) -> None:
    """Its bytes are those that were live, so that it is written for its headers only."""
    site.collect()
    old = site.objects()["staticfiles.json"]
    options = site.settings["STORAGES"]["staticfiles"]["OPTIONS"]
    options["object_parameters"] = {"CacheControl": "no-cache"}
    site.collect()
    assert "staticfiles.json" in site.written()
    assert site.objects()["staticfiles.json"] == old
    site.collect()
    assert site.written() == []
