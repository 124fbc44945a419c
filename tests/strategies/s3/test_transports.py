"""The same for each transport: what arrives is what the storage itself would have written."""

from __future__ import annotations

import datetime as dt
import os
from typing import TYPE_CHECKING, Any

import pytest
import xxhash
from django.core.files.base import ContentFile

from collectfasta.exceptions import DestinationError, SourceError, UploadError
from collectfasta.items import SourceFile
from tests.strategies.s3.kit import MIB, digest, kept, listing, opened, source, storage

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.benchmarks.store import Store
    from tests.strategies.s3.kit import Transport

NAMES = [
    "css/a.css",
    "js/ü b#%+?&.js",
    "plain",
    ".well-known/x.json",
    "a.tar.gz",
    "logo.svgz",
    "data:text,x.css",
    "static/in/static/name.css",
]
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "location": {"location": "static"},
    "nested": {"location": "a/b/"},
    "gzip": {"gzip": True, "location": "static"},
    "acl": {"default_acl": "public-read"},
    "parameters": {
        "object_parameters": {
            "CacheControl": "max-age=31536000, immutable",
            "ContentDisposition": "inline",
            "ContentLanguage": "en",
            "StorageClass": "STANDARD_IA",
            "Metadata": {"owner": "web", "x-y": "1"},
            "Tagging": "team=web&env=prod",
            "ServerSideEncryption": "aws:kms",
            "SSEKMSKeyId": "arn:aws:kms:us-east-1:1:key/2",
        }
    },
    "encoding": {"gzip": True, "object_parameters": {"ContentEncoding": "identity"}},
    "expires": {"object_parameters": {"Expires": dt.datetime(2040, 1, 1, tzinfo=dt.UTC)}},
    "kept names": {"file_overwrite": False, "location": "static"},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
def test_bytes_and_headers_are_those_of_the_storage(
    transport: Transport, options: dict[str, Any]
) -> None:
    """Written by the storage's own save, then by us over it: nothing differs."""
    store = transport.store
    own = storage(store.url, **{**options, "file_overwrite": True})
    strategy = transport.opened(**options)
    for name in NAMES:
        data = f"contents of {name} ".encode() * 50
        own.save(name, ContentFile(data))
        (key,) = store.objects
        expected = store.objects[key].body, kept(store, key)
        sent = strategy.upload(source(name, data))
        assert list(store.objects) == [key]
        assert (store.objects[key].body, kept(store, key)) == expected
        assert sent.etag == store.objects[key].etag
        assert sent.xxh3 == xxhash.xxh3_128_digest(data)
        del store.objects[key]
    assert strategy.unjudged() == {}
    strategy.close()


@pytest.mark.parametrize("size", [0, 1, 8 * MIB - 1, 8 * MIB, 17 * MIB])
def test_files_of_every_size_get_the_etag_of_the_sdks_own_uploader(
    transport: Transport, tmp_path: Path, size: int
) -> None:
    """From 8 MiB on, that is a multipart ETag with parts of 8 MiB."""
    store = transport.store
    data = os.urandom(size)
    path = tmp_path / "file.bin"
    path.write_bytes(data)
    file = SourceFile(str(path), "file.bin", size)
    strategy = transport.opened()
    storage(store.url).save("file.bin", ContentFile(data))
    expected = store.objects["file.bin"]
    sent = strategy.upload(file)
    assert store.objects["file.bin"].body == data
    assert sent.etag == store.objects["file.bin"].etag == expected.etag
    assert sent.xxh3 == xxhash.xxh3_128_digest(data)
    remote = listing(strategy, ["file.bin"])["file.bin"]
    assert (remote.etag, remote.size) == (sent.etag, size)
    assert strategy.same_bytes(file, digest(source("file.bin", data)), remote) is True
    assert store.buckets["static"].uploads == {}


def test_a_large_file_that_gzip_makes_small_goes_in_one_piece(
    transport: Transport, tmp_path: Path
) -> None:
    """As by the SDK's uploader, which decides by what is sent."""
    store = transport.store
    path = tmp_path / "big.css"
    path.write_bytes(b"a {}" * (3 * MIB))
    file = SourceFile(str(path), "big.css", 12 * MIB)
    storage(store.url, gzip=True).save("big.css", ContentFile(path.read_bytes()))
    expected, headers = store.objects["big.css"], kept(store, "big.css")
    strategy = transport.opened(gzip=True)
    store.forget()
    sent = strategy.upload(file)
    assert store.objects["big.css"].body == expected.body
    assert kept(store, "big.css") == headers
    assert sent.etag == expected.etag
    assert set(store.counts) == {"PutObject"}
    found = digest(source("big.css", path.read_bytes()))
    assert strategy.same_bytes(file, found, listing(strategy, ["big.css"])["big.css"]) is True


def test_a_refused_file_fails_alone(transport: Transport) -> None:
    """A 403 for one key names that file, and others are written."""
    transport.store.fail("PutObject", key="secret.css", status=403)
    strategy = transport.opened()
    with pytest.raises(UploadError, match=r"^secret\.css: access denied \(AccessDenied\)\.$") as e:
        strategy.upload(source("secret.css"))
    assert e.value.name == "secret.css"
    strategy.upload(source("open.css"))
    assert list(transport.store.objects) == ["open.css"]


def test_a_bucket_that_is_not_there_ends_the_run(transport: Transport) -> None:
    """One line that names the bucket, the endpoint and the setting."""
    strategy = transport.opened(bucket_name="nowhere")
    with pytest.raises(DestinationError) as failure:
        strategy.upload(source("a.css"))
    assert str(failure.value) == (
        f"The bucket 'nowhere' at {transport.store.url} cannot be used: there is no such bucket "
        "(NoSuchBucket): look at AWS_STORAGE_BUCKET_NAME."
    )


def test_refused_credentials_end_the_run_and_are_not_shown(transport: Transport) -> None:
    """Expired or wrong: no other file would fare better."""
    transport.store.refused.add("key")
    strategy = transport.opened()
    with pytest.raises(DestinationError, match="the key is refused") as failure:
        strategy.upload(source("a.css"))
    assert "a secret" not in str(failure.value)


@pytest.mark.parametrize("kind", ["vanished", "a folder"])
def test_a_source_that_cannot_be_read_is_named(
    transport: Transport, tmp_path: Path, kind: str
) -> None:
    """Nothing is sent for it."""
    path = tmp_path / "a.css"
    if kind == "a folder":
        path.mkdir()
    strategy = transport.opened()
    with pytest.raises(SourceError, match=r"^css/a\.css: .*a\.css") as failure:
        strategy.upload(SourceFile(str(path), "css/a.css", 10))
    assert failure.value.name == "css/a.css"
    assert transport.store.counts["PutObject"] == 0


def test_a_few_503s_are_overcome(transport: Transport) -> None:
    """Retried by the one layer that there is."""
    transport.store.fail("PutObject", status=503, times=2)
    strategy = transport.opened()
    sent = strategy.upload(source("a.css"))
    assert transport.store.objects["a.css"].etag == sent.etag
    assert transport.store.counts["PutObject"] == 3


def test_a_redirect_or_a_conflict_that_only_the_sdk_copes_with(store: Store) -> None:
    """obstore gives up on a 409 at once; the SDK's answer counts, and three make it the way."""
    strategy = opened(store)
    for number in range(3):
        store.fail("PutObject", status=409, code="OperationAborted", times=1)
        strategy.upload(source(f"{number}.css"))
        gave_up = "otherwise than the SDK" in strategy.transport()
        assert gave_up is (number == 2)
        store.faults.clear()
    assert sorted(store.objects) == ["0.css", "1.css", "2.css"]
