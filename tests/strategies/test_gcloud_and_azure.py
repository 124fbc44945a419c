"""What Google Cloud Storage and Azure Blob Storage must both do, on their emulators."""

from __future__ import annotations

import hashlib
import os
from typing import Any

import pytest
from django.core.files.base import ContentFile

from collectfasta.exceptions import DestinationError, UploadError
from collectfasta.items import Digest, SourceFile
from tests.strategies.clouds import (
    NAMES,
    Cloud,
    content,
    digest,
    listing,
    plain,
    reach_azurite,
    small_puts,
    source,
)


@pytest.mark.parametrize("location", ["", "static", "a/b/c"])
def test_what_is_uploaded_is_listed_with_its_proof(cloud: Cloud, location: str) -> None:
    """Name, size, etag as answered, MD5 and headers: all from the listing, and the same by HEAD."""
    strategy = cloud.open(location)
    files = [source(name, content(name)) for name in NAMES]
    answers = {file.name: strategy.upload(file) for file in files}
    found = listing(strategy, *NAMES, "missing.css")
    assert sorted(found) == sorted(NAMES)
    for file in files:
        remote = found[file.name]
        assert remote.size == file.size
        assert remote.etag == answers[file.name].etag
        assert answers[file.name].xxh3 == digest(file).xxh3
        assert strategy.same_bytes(file, digest(file), remote) is True
        assert strategy.same_bytes(file, digest(file, md5=True), remote) is True
        assert strategy.same_headers(file)
        assert strategy.head(file.name) == remote
    assert strategy.head("missing.css") is None
    stored = cloud.place.objects()
    for file in files:
        assert plain(stored[strategy.key(file.name)]) == plain(file.data or b"")


def test_keys_are_those_of_the_storage_itself(cloud: Cloud) -> None:
    """What the storage's own ``exists`` and ``url`` look for is what we have written."""
    for location in ("", "static"):
        strategy, storage = cloud.open(location), cloud.storage(location)
        for name in NAMES:
            strategy.upload(source(name))
            assert storage.exists(name), name


def test_the_storages_own_save_gives_the_same_object(cloud: Cloud) -> None:
    """Bytes, content type, encoding and cache control, for every kind of name."""
    options: dict[str, Any] = (
        {"object_parameters": {"cache_control": "max-age=60", "metadata": {"a": "b"}}, "gzip": True}
        if cloud.kind == "gcs"
        else {
            "object_parameters": {"content_language": "de"},
            "cache_control": "max-age=60",
            "overwrite_files": True,
        }
    )
    names = ["x.css", "x.js", "x.svg", "x.svgz", "x.png", "x.tar.gz", "x", "x.unknown", "x.JSON"]
    strategy, storage = cloud.open("ours", **options), cloud.storage("stock", **options)
    for name in names:
        strategy.upload(source(name, content(name)))
        storage.save(name, ContentFile(content(name)))
        ours, stock = f"ours/{name}", f"stock/{name}"
        assert cloud.place.headers(ours) == cloud.place.headers(stock)
        assert cloud.place.read(ours) == cloud.place.read(stock)


def test_what_stock_has_uploaded_is_recognised(cloud: Cloud) -> None:
    """Whoever switches to us uploads nothing again."""
    options: dict[str, Any] = {"gzip": True} if cloud.kind == "gcs" else {}
    for name in NAMES:
        cloud.storage("static", **options).save(name, ContentFile(content(name)))
    strategy = cloud.open("static", **options)
    found = listing(strategy, *NAMES)
    for name in NAMES:
        file = source(name, content(name))
        assert strategy.same_bytes(file, digest(file), found[name]) is True
        assert strategy.same_headers(file)


def test_a_same_size_edit_is_seen(cloud: Cloud) -> None:
    """Size and path alone prove nothing."""
    strategy = cloud.open("static")
    strategy.upload(source("a.js", b"let a = 1"))
    remote = listing(strategy, "a.js")["a.js"]
    edited = source("a.js", b"let a = 2")
    assert strategy.same_bytes(edited, digest(edited), remote) is False


def test_an_upload_overwrites_in_place_and_moves_the_etag(cloud: Cloud) -> None:
    """Under exactly its name, also where the storage would rename."""
    options: dict[str, Any] = (
        {"overwrite_files": False} if cloud.kind == "azure" else {"file_overwrite": False}
    )
    strategy = cloud.open(**options)
    first = strategy.upload(source("a.css", b"one"))
    second = strategy.upload(source("a.css", b"two"))
    assert cloud.place.objects() == {"a.css": b"two"}
    assert first.etag != second.etag


def test_other_headers_are_seen_in_the_listing(cloud: Cloud, sent: list[str]) -> None:
    """No HEAD: the listing shows them all."""
    how: dict[str, Any] = (
        {"cache_control": "max-age=1"}
        if cloud.kind == "azure"
        else {"object_parameters": {"cache_control": "max-age=1"}}
    )
    cloud.open().upload(source("a.css"))
    changed = cloud.open(**how)
    listing(changed, "a.css")
    del sent[:]
    assert not changed.same_headers(source("a.css"))
    assert not sent
    assert not changed.same_headers(source("absent.css"))
    assert changed.fingerprint("a.css") != cloud.closed().fingerprint("a.css")


def test_a_cold_run_is_one_request_per_file(cloud: Cloud, sent: list[str]) -> None:
    """No look before, no session, no metadata afterwards."""
    options: dict[str, Any] = {"gzip": True} if cloud.kind == "gcs" else {}
    strategy = cloud.open("static", **options)
    names = [f"{number}.css" for number in range(20)]
    assert listing(strategy, *names) == {}
    del sent[:]
    for name in names:
        strategy.upload(source(name))
    assert len(sent) == len(names)
    del sent[:]
    assert sorted(listing(strategy, *names)) == sorted(names)
    assert len(sent) == 1


def test_only_the_location_is_listed_and_deleted(cloud: Cloud) -> None:
    """``static`` is not ``static-old``, and ``--clear`` must not think so."""
    for key in ("static/a.css", "static/b/c.css", "static-old/a.css", "staticx", "a.css"):
        cloud.place.put(key, b"x")
    strategy = cloud.open("static")
    assert sorted(strategy.list_all()) == ["a.css", "b/c.css"]
    assert sorted(listing(strategy, "a.css", "b/c.css")) == ["a.css", "b/c.css"]
    strategy.delete(["a.css", "b/c.css", "never-there.css"])
    assert cloud.place.keys() == ["a.css", "static-old/a.css", "staticx"]


def test_the_marker_of_the_location_itself_is_no_file(cloud: Cloud) -> None:
    """Consoles make an empty object to show a folder; it has no name of ours."""
    place: Any = cloud.place
    if cloud.kind == "gcs":
        from google.cloud.storage import Blob

        Blob("static/", place.client.bucket(place.name)).upload_from_string(b"")
    else:
        place.put("static/", b"")
    place.put("static/a.css", b"x")
    strategy = cloud.open("static")
    assert list(strategy.list_all()) == ["a.css"]
    assert list(listing(strategy, "a.css")) == ["a.css"]


def test_threads_are_as_many_as_the_sdks_can_use(cloud: Cloud) -> None:
    """Each request costs them over a millisecond of Python: more threads only wait."""
    assert cloud.closed().threads_for(50_000) == 32


def test_without_a_location_everything_is_listed(cloud: Cloud) -> None:
    """The whole bucket is the location then."""
    for key in ("a.css", "b/c.css"):
        cloud.place.put(key, b"x")
    assert sorted(cloud.open().list_all()) == ["a.css", "b/c.css"]


def test_deletes_go_in_batches(cloud: Cloud, sent: list[str]) -> None:
    """One request for 100 or 256 objects, not one for each."""
    strategy = cloud.open("static")
    names = [f"{number}.css" for number in range(strategy.batch + 5)]
    for name in names:
        cloud.place.put(f"static/{name}", b"")
    del sent[:]
    strategy.delete(names)
    assert cloud.place.keys() == []
    assert len(sent) == 2


def test_a_foreign_name_that_looks_like_ours_survives(cloud: Cloud) -> None:
    """``a//b`` is not ``a/b``: what is cleared is what was listed."""
    strategy = cloud.open("static")
    strategy.upload(source("a/b"))
    cloud.place.put("static/a//b", b"foreign")
    stale = set(strategy.list_all()) - {"a/b"}
    strategy.delete(sorted(stale))
    assert cloud.place.keys() == ["static/a/b"]


def test_a_name_stored_in_another_way_is_listed_as_ours(cloud: Cloud) -> None:
    """Or ``--clear`` would take for stale what the run has just written."""
    strategy = cloud.open("static")
    listing(strategy, "./x/a.css")
    strategy.upload(source("./x/a.css"))
    assert list(strategy.list_all()) == ["./x/a.css"]
    assert list(listing(strategy, "./x/a.css")) == ["./x/a.css"]


def test_a_large_file_goes_in_parts(
    cloud: Cloud, large: SourceFile, sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Resumable in chunks, or in blocks; its MD5 is known to the listing afterwards."""
    reach_azurite(cloud, monkeypatch)
    strategy = cloud.open("static", **small_puts(cloud))
    del sent[:]
    answer = strategy.upload(large)
    assert len(sent) == 4  # a session, or a list of blocks, and three parts
    remote = listing(strategy, "large.bin")["large.bin"]
    assert (remote.etag, remote.size, answer.wire) == (answer.etag, large.size, large.size)
    with open(large.path, "rb") as stored:
        data = stored.read()
    assert remote.checksum == f"md5:{hashlib.md5(data).hexdigest()}"
    assert strategy.same_bytes(large, Digest(answer.xxh3, None, large.size), remote) is True
    assert cloud.place.read("static/large.bin") == data


def test_a_large_file_that_changes_meanwhile_fails(
    cloud: Cloud, large: SourceFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing half old, half new is published."""
    reach_azurite(cloud, monkeypatch)
    strategy = cloud.open(**small_puts(cloud))
    stream = strategy.stream

    def touched(file: SourceFile, headers: Any, **more: Any) -> Any:
        opened = stream(file, headers, **more)
        os.utime(file.path, (1, 1))
        return opened

    monkeypatch.setattr(strategy, "stream", touched)
    with pytest.raises(UploadError, match=r"large\.bin"):
        strategy.upload(large)
    assert cloud.place.keys() == []


# -- names ------------------------------------------------------------------------------------


def test_names_that_cannot_be_held_are_refused_before_anything_is_sent(
    cloud: Cloud, sent: list[str]
) -> None:
    """One line each, with the name and the reason."""
    strategy = cloud.open("static")
    long = "a" * 1024 + ".css"
    bad = {
        long: "1,024",
        "../x": "outside",
        "\udcff.css": "Unicode",
    }
    bad |= (
        {"a\nb.css": "line break"}
        if cloud.kind == "gcs"
        else {"trailing.": "ends with '.'", "/".join("a" * 260): "254"}
    )
    refused = strategy.refused([*bad, "fine.css"])
    assert refused.keys() == bad.keys()
    for name, word in bad.items():
        assert word in refused[name]
        assert "\n" not in refused[name]
        assert ascii(name)[1:-1] in refused[name] or name in refused[name]
    assert not sent
    assert listing(strategy, *(name for name in bad if name.isprintable())) == {}


def test_two_names_of_one_object_are_both_refused(cloud: Cloud) -> None:
    """Neither may silently become the other."""
    pair = [".x/a", "x/a"] if cloud.kind == "azure" else ["x//a", "x/a"]
    refused = cloud.closed().refused([*pair, "b"])
    assert sorted(refused) == sorted(pair)
    assert all("rename" in line for line in refused.values())


# -- what a user gets wrong -----------------------------------------------------------------------


def test_a_missing_bucket_is_one_line(cloud: Cloud) -> None:
    """With its name, from the first look and from an upload alike."""
    option = {"gcs": "bucket_name", "azure": "azure_container"}[cloud.kind]
    strategy = cloud.open(**{option: "nosuchplace"})
    for call in (
        lambda: listing(strategy, "a.css"),
        lambda: list(strategy.list_all()),
        lambda: strategy.upload(source("a.css")),
    ):
        with pytest.raises(DestinationError, match=r"'nosuchplace'.* no such") as caught:
            call()
        assert "\n" not in str(caught.value)


def test_identities_never_coincide(cloud: Cloud) -> None:
    """Kind, endpoint, bucket and location; the same again for the same place."""
    option = {"gcs": "bucket_name", "azure": "azure_container"}[cloud.kind]
    identities = [
        cloud.closed().identity(),
        cloud.closed("static").identity(),
        cloud.closed("static", **{option: "another"}).identity(),
    ]
    assert len(set(identities)) == 3
    assert cloud.open("static").identity() == identities[1]
    assert cloud.kind in identities[0]
    assert "Key" not in "".join(identities)


@pytest.mark.parametrize("header", ["max-age=1", ""])
def test_headers_are_checked_without_a_lasting_cache(
    cloud: Cloud, header: str, collect: Any, tree: Any
) -> None:
    """The listing shows them at no cost: the same bytes under other headers are sent again."""
    folder = tree({"a.css": b"body {}"})

    def run(parameters: dict[str, str]) -> Any:
        settings = {
            "STORAGES": cloud.place.storages("static", object_parameters=parameters),
            "STATICFILES_DIRS": [str(folder)],
            "STATICFILES_FINDERS": ["django.contrib.staticfiles.finders.FileSystemFinder"],
            "CACHES": {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}},
        }
        return collect(settings=settings)

    run({})
    before = cloud.place.tokens()
    result = run({"cache_control": header} if header else {})
    assert cloud.place.headers("static/a.css").get("cache-control", "") == header
    assert (cloud.place.tokens() == before) == (not header)
    assert "headers not checked" not in result.output
