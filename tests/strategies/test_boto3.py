"""Boto3Strategy: identity, names, headers, what it proves of bytes and headers, deleting."""

from __future__ import annotations

import gzip
import hashlib
import sys
from typing import TYPE_CHECKING, Any

import pytest
from django.core.files.base import ContentFile
from storages.backends.s3 import S3ManifestStaticStorage, S3Storage

from collectfasta.exceptions import DestinationError, ListingForbidden, SourceError, UploadError
from collectfasta.items import RemoteObject, SourceFile
from collectfasta.strategies.boto3 import (
    Boto3ManifestFileSystemStrategy,
    Boto3ManifestMemoryStrategy,
    Boto3Strategy,
)
from collectfasta.strategies.choice import load_strategy
from scripts.benchmarks.faults import Kind
from scripts.benchmarks.store import Store
from tests.strategies.s3.kit import (
    MIB,
    Watched,
    digest,
    kept,
    listing,
    only_sdk,
    opened,
    source,
    storage,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

URL = "http://127.0.0.1:9"


@pytest.fixture
def store() -> Iterator[Store]:
    """An empty bucket named ``static``."""
    with Store() as running:
        yield running


def closed(*mixins: type, **options: Any) -> Boto3Strategy:
    return Boto3Strategy(storage(URL, *mixins, **options))


# -- what it is ---------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", [S3Storage, S3ManifestStaticStorage])
def test_it_is_chosen_for_the_librarys_storages(cls: type, monkeypatch: pytest.MonkeyPatch) -> None:
    """And for their subclasses, without a setting."""
    monkeypatch.setattr(S3ManifestStaticStorage, "load_manifest", lambda self: ({}, ""))
    for own in (cls, type("Own", (cls,), {})):
        assert type(load_strategy(None, own(bucket_name="b"))) is Boto3Strategy


def test_the_manifest_strategies_differ_in_where_post_processing_works() -> None:
    """The manifest stage reads the attribute."""
    assert Boto3ManifestMemoryStrategy.post_processing == "memory"
    assert Boto3ManifestFileSystemStrategy.post_processing == "files"
    assert issubclass(Boto3ManifestMemoryStrategy, Boto3Strategy)
    assert issubclass(Boto3ManifestFileSystemStrategy, Boto3Strategy)


def test_no_two_destinations_have_the_same_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    """Endpoint, bucket, location; and the profile, whose endpoint only its file knows."""
    profile = {"access_key": None, "secret_key": None, "session_profile": "mine"}
    options: list[dict[str, Any]] = [
        {},
        {"location": "a"},
        {"location": "a/b"},
        {"bucket_name": "other"},
        {"endpoint_url": "http://other:9"},
        {"endpoint_url": None},
        {"endpoint_url": None, **profile},
    ]
    identities = [closed(**given).identity() for given in options]
    for variable in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.setenv(variable, f"http://{variable.lower()}:9")
        identities.append(closed(endpoint_url=None).identity())
    assert len(set(identities)) == len(identities)


def test_the_identity_holds_no_secret() -> None:
    """It goes into cache keys and may be printed."""
    assert closed(endpoint_url="http://user:pass@host:9/x?y=z").identity() == (
        "s3 http://host:9/x static/"
    )


def test_the_transport_is_told_with_its_reason(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For -v2 and the report."""
    assert closed().transport() == "s3: not opened"
    assert opened(store).transport() == "s3: obstore"
    assert opened(store, Watched).transport() == "s3: save (Mine overrides exists)"
    only_sdk(monkeypatch)
    strategy = opened(store)
    assert strategy.transport() == "s3: put_object (AWS_SKIP_SIGNATURE is set in the environment)"
    assert strategy.log_details() == {"bucket": "static", "transport": strategy.transport()}


def test_options_that_obstore_refuses_are_left_to_the_sdk(store: Store) -> None:
    """Such as a proxy's address that it cannot read; an older version may know fewer."""
    strategy = opened(store, proxies={"http": "http://[proxy"})
    assert strategy.transport() == "s3: put_object (obstore refuses its options: GenericError)"


def test_an_obstore_that_does_not_load_is_left_alone(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Built for another system, for example."""
    monkeypatch.setitem(sys.modules, "collectfasta.strategies.s3.fast", None)
    assert opened(store).transport() == "s3: put_object (obstore cannot be imported)"


def test_the_sdk_is_given_fewer_threads(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than 32 only wait for the interpreter."""
    assert opened(store).threads_for(10_000) == 256
    assert opened(store, Watched).threads_for(10_000) == 32
    only_sdk(monkeypatch)
    assert opened(store).threads_for(10_000) == 32


def test_opening_twice_builds_one_client(store: Store) -> None:
    """Several stages wait for the same opening."""
    strategy = opened(store)
    before = strategy._sdk
    strategy.open(4)
    assert strategy._sdk is before


def test_what_was_never_opened_can_be_interrupted_and_closed() -> None:
    """A run may end before it has begun."""
    strategy = closed()
    strategy.interrupt()
    strategy.close()


def test_a_storage_without_a_bucket_is_refused() -> None:
    """The line names the setting."""
    with pytest.raises(DestinationError, match="set AWS_STORAGE_BUCKET_NAME"):
        closed(bucket_name=None).open(1)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"endpoint_url": "no url"}, "look at AWS_S3_ENDPOINT_URL"),
        ({"access_key": None, "secret_key": None, "session_profile": "none"}, "no usable"),
    ],
)
def test_a_client_that_cannot_be_made_is_one_line(options: dict[str, Any], line: str) -> None:
    """No traceback for a slip in the settings."""
    with pytest.raises(DestinationError, match=line):
        closed(**options).open(1)


# -- names --------------------------------------------------------------------------------------


def test_names_that_s3_cannot_hold_are_refused() -> None:
    """Each with a sentence."""
    strategy = closed(location="static")
    long = "a" * 1018
    fine = "a" * 1017
    names = [long, fine, "../up.css", "bad\udc80.css", "a\\b.css", "a/b.css", "fine.css"]
    refused = strategy.refused(names)
    assert refused.keys() == {long, "../up.css", "bad\udc80.css", "a\\b.css", "a/b.css"}
    assert "too long: 1025 bytes with the location, of 1024" in refused[long]
    assert "outside of the storage's location" in refused["../up.css"]
    assert "would all be stored as static/a/b.css" in refused["a/b.css"]
    with pytest.raises(SourceError):
        strategy.key("../up.css")


@pytest.mark.parametrize("location", ["", "static", "a/b/"])
def test_a_location_that_occurs_inside_names_is_stripped_only_in_front(location: str) -> None:
    """And a neighbour whose name begins alike is not ours."""
    strategy = closed(location=location)
    prefix = f"{location.strip('/')}/" if location else ""
    for name in ("a.css", "static/a.css", "x/static/static/a.css", "a/b/a/b/c"):
        assert strategy.key(name) == prefix + name
        assert strategy.name_of(prefix + name) == name
    if location:
        assert strategy.name_of(f"{location.strip('/')}-old/a.css") is None
        assert strategy.name_of(prefix) is None


# -- listing ------------------------------------------------------------------------------------


def test_only_what_lies_under_the_location_is_listed_and_deleted(store: Store) -> None:
    """``static`` is neither ``static-old`` nor the bucket."""
    strategy = opened(store, location="static")
    strategy.upload(source("a.css"))
    others = ["static-old/a.css", "a.css", "static", "static/", "static//a.css", "static/d/"]
    for key in others:
        opened(store)._sdk.put(key, key, b"", {})
    assert set(listing(strategy, ["a.css", "b.css"])) == {"a.css"}
    found = sorted(strategy.list_all())
    assert found == ["/a.css", "a.css", "d/"]
    strategy.delete(found)
    assert sorted(store.objects) == ["a.css", "static", "static-old/a.css", "static/"]


def test_more_than_a_thousand_objects_are_deleted_in_batches(store: Store) -> None:
    """One request takes a thousand."""
    strategy = opened(store)
    for number in range(1001):
        store.objects[f"{number}.css"] = _stored()
    strategy.delete(sorted(strategy.list_all()))
    assert len(store.objects) == 0
    assert store.counts["DeleteObjects"] == 2


class Refusing:
    def delete(self, keys: list[str]) -> list[str]:
        return [f"{key} (AccessDenied)" for key in keys]


def test_what_could_not_be_deleted_is_named(store: Store) -> None:
    """The service answers 200 with a list of errors."""
    strategy = opened(store)
    strategy._sdk = Refusing()  # type: ignore[assignment]  # no server does it
    with pytest.raises(DestinationError, match=r"^Could not delete 0 \(Acc.* and 2 more\.$"):
        strategy.delete([str(number) for number in range(7)])


def test_a_bucket_from_which_nothing_may_be_deleted(store: Store) -> None:
    """One line for the whole."""
    store.fail("DeleteObjects", status=403)
    with pytest.raises(DestinationError, match=r"lets nothing be deleted: access denied"):
        opened(store).delete(["a.css"])


def test_where_listing_is_forbidden_single_objects_can_be_looked_at(store: Store) -> None:
    """AccessDenied for a listing is an answer that the run copes with."""
    store.fail("ListObjectsV2", status=403)
    strategy = opened(store)
    sent = strategy.upload(source("a.css"))
    with pytest.raises(ListingForbidden, match="may not be listed"):
        listing(strategy, ["a.css"])
    with pytest.raises(ListingForbidden):
        list(strategy.list_all())
    assert strategy.head("a.css") == RemoteObject("a.css", 19, sent.etag, f"md5:{sent.etag}")
    assert strategy.head("b.css") is None
    store.fail("HeadObject", status=403)
    assert strategy.head("a.css") is None


def test_no_names_take_no_request(store: Store) -> None:
    """An empty tree."""
    assert listing(opened(store), []) == {}
    assert not store.counts


# -- proof --------------------------------------------------------------------------------------


def test_bytes_are_compared_by_md5(store: Store) -> None:
    """With the digest that hashing found, or by reading again."""
    strategy = opened(store)
    file = source("a.css")
    strategy.upload(file)
    remote = strategy.head("a.css")
    assert remote is not None
    assert strategy.same_bytes(file, digest(file), remote) is True
    assert strategy.same_bytes(file, digest(file, md5=False), remote) is True
    other = source("a.css", b"body { color: RED }")
    assert strategy.same_bytes(other, digest(other), remote) is False
    opaque = RemoteObject("a.css", 19, "x", "")
    assert strategy.same_bytes(file, digest(file), opaque) is None


@pytest.mark.parametrize("system", [3, 255])
def test_gzipped_bytes_are_the_same_whichever_library_wrote_them(store: Store, system: int) -> None:
    """Versions differ in one byte of the header, which names the operating system."""
    strategy = opened(store, gzip=True)
    file = source("a.css", b"body { color: red }" * 100)
    data = bytearray(gzip.compress(file.data or b"", 9, mtime=0))
    data[9] = system
    store.objects["a.css"] = _stored(bytes(data))
    remote = strategy.head("a.css")
    assert remote is not None
    assert strategy.encodes("a.css")
    assert strategy.same_bytes(file, digest(file), remote) is True
    other = source("a.css", b"body { color: RED }" * 100)
    assert strategy.same_bytes(other, digest(other), remote) is False


@pytest.mark.parametrize("part", [5, 8, 16, 7])
def test_a_multipart_etag_is_made_again_with_the_parts_that_its_number_implies(
    store: Store, part: int
) -> None:
    """Whoever wrote it: rclone in parts of 5 MiB, boto3 of 8, MinIO's client of 16, others."""
    data = bytes(range(256)) * (17 * MIB // 256)
    parts = [data[start : start + part * MIB] for start in range(0, len(data), part * MIB)]
    digests = [hashlib.md5(piece).digest() for piece in parts]
    etag = f"{hashlib.md5(b''.join(digests)).hexdigest()}-{len(parts)}"
    file = source("big.bin", data)
    remote = RemoteObject("big.bin", len(data), etag, f"etag:{etag}")
    strategy = closed()
    # 7 MiB gives three parts, as 8 does: nobody uses it, and what is not equal proves nothing.
    assert strategy.same_bytes(file, digest(file), remote) is (True if part != 7 else None)
    other = source("big.bin", data[:-1] + b"x")
    assert strategy.same_bytes(other, digest(other), remote) is None
    # Hashed with other bytes than it has now: those must not be remembered under that hash.
    assert strategy.same_bytes(file, digest(other), remote) is not True


def test_a_multipart_etag_of_an_impossible_number_proves_nothing() -> None:
    """Nothing is read for it."""
    file = source("a.bin", b"ab")
    etag = f"{'0' * 32}-3"
    assert (
        closed().same_bytes(file, digest(file), RemoteObject("", 2, etag, f"etag:{etag}")) is None
    )


def test_headers_are_compared_by_one_head(store: Store) -> None:
    """The same after an upload, not after the parameters have changed."""
    parameters = {"CacheControl": "max-age=60", "Metadata": {"A": "b"}}
    file = source("a.css")
    strategy = opened(store, object_parameters=parameters)
    strategy.upload(file)
    store.forget()
    assert strategy.same_headers(file) is True
    assert store.counts == {"HeadObject": 1}
    assert opened(store).same_headers(file) is False
    assert strategy.same_headers(source("b.css")) is False


def test_the_fingerprint_is_of_all_that_is_sent() -> None:
    """Type, parameters, gzip; and the same in every process."""
    prints = {
        closed(**options).fingerprint("a.css")
        for options in (
            {},
            {"gzip": True},
            {"default_acl": "private"},
            {"object_parameters": {"CacheControl": "x"}},
        )
    }
    assert len(prints) == 4
    assert closed().fingerprint("a.css") == closed(location="x").fingerprint("b/c.css")
    assert closed().fingerprint("a.css") != closed().fingerprint("a.js")
    assert closed().fingerprint("a.css") == "ebbe65102a780849"


def test_a_content_type_is_guessed_once_per_extension(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless the user's class gives each name headers of its own."""

    class Named:
        def get_object_parameters(self, name: str) -> dict[str, str]:
            return {"ContentDisposition": name}

    calls = []
    guess = S3Storage._get_write_parameters

    def count(self: Any, name: str, content: Any = None) -> Any:
        calls.append(name)
        return guess(self, name, content)

    monkeypatch.setattr(S3Storage, "_get_write_parameters", count)
    strategy = closed()
    for number in range(10):
        strategy.headers(f"{number}.css")
    assert calls == ["0.css"]
    named = closed(Named, location="static")
    assert named.headers("a.css").params["ContentDisposition"] == "static/a.css"
    assert named.headers("b.css").params["ContentDisposition"] == "static/b.css"


# -- damage -------------------------------------------------------------------------------------


def test_a_store_that_keeps_other_bytes_is_found_out(store: Store) -> None:
    """Where ETags are MD5s: at once, or at the end for what came before that was known."""
    store.strike(Kind.DAMAGE, "PutObject", key="[ac].css")
    strategy = opened(store)
    strategy.upload(source("a.css"))
    assert strategy.unjudged() == {}
    strategy.upload(source("b.css"))
    assert strategy.unjudged() == {
        "a.css": "a.css: the storage answered another checksum than that of the bytes sent."
    }
    with pytest.raises(UploadError, match=r"^c\.css: the storage answered another"):
        strategy.upload(source("c.css"))


def test_random_etags_fail_nothing(store: Store) -> None:
    """As under SSE-KMS, for small files and large."""
    store.opaque_etags = True
    strategy = opened(store)
    for name in ("a.css", "b.css"):
        strategy.upload(source(name))
    strategy.upload(source("big.bin", bytes(9 * MIB)))
    assert strategy.unjudged() == {}


def test_files_of_another_encryption_are_judged_by_themselves(store: Store) -> None:
    """One encrypted by a customer's key must not fail because the others' ETags are MD5s."""

    class Mixed:
        def get_object_parameters(self, name: str) -> dict[str, str]:
            if name.startswith("kms"):
                return {"ServerSideEncryption": "aws:kms"}
            if name.startswith("customer"):
                return {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}
            return {}

    store.strike(Kind.OPAQUE, "PutObject", key="kms*")
    store.strike(Kind.OPAQUE, "PutObject", key="customer*")
    strategy = opened(store, Mixed)
    strategy.upload(source("a.css"))
    strategy.upload(source("kms.css"))
    strategy.upload(source("customer.css"))
    assert strategy.unjudged() == {}


def test_a_damaged_part_of_a_large_file_is_found_out(store: Store) -> None:
    """By the ETag that the parts' MD5s make."""
    strategy = opened(store)
    strategy.upload(source("a.bin", bytes(9 * MIB)))
    store.strike(Kind.DAMAGE, "UploadPart")
    with pytest.raises(UploadError, match="another checksum"):
        strategy.upload(source("b.bin", bytes(9 * MIB)))


def answers_the_whole(strategy: Boto3Strategy, monkeypatch: pytest.MonkeyPatch, etag: str) -> None:
    """As servers do that give a multipart object the MD5 of all its bytes."""

    def send(
        name: str, key: str, ahead: list[bytes], parts: Iterator[bytes], params: Any
    ) -> tuple[str, str]:
        strategy._multipart.give_back(ahead.pop())
        for _ in parts:
            pass
        return etag, "combined-2"

    monkeypatch.setattr(strategy._multipart, "send", send)


def test_a_server_that_answers_the_md5_of_the_whole_is_judged_by_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once one upload has shown that it does, another answer is damage."""
    strategy = opened(store)
    data = bytes(9 * MIB)
    answers_the_whole(strategy, monkeypatch, hashlib.md5(data, usedforsecurity=False).hexdigest())
    assert strategy.upload(source("a.bin", data)).wire == len(data)
    with pytest.raises(UploadError, match=r"^b\.bin: the storage answered another checksum"):
        strategy.upload(source("b.bin", data + b"!"))


@pytest.mark.parametrize("how", ["edited", "gone"])
def test_a_large_file_that_changes_after_it_was_sent_is_not_judged_by_what_it_is_now(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, how: str
) -> None:
    """What was sent is what is remembered; the file's new bytes say nothing of it."""
    strategy = opened(store)
    data = bytes(9 * MIB)
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    answers_the_whole(strategy, monkeypatch, md5)
    strategy.upload(source("a.bin", data))
    path = tmp_path / "b.bin"
    path.write_bytes(data)
    file = SourceFile(str(path), "b.bin", len(data))
    judge = strategy._judge_whole

    def edited(*args: Any) -> None:
        path.unlink()
        if how == "edited":
            path.write_bytes(data[:-1] + b"!")
        judge(*args)

    monkeypatch.setattr(strategy, "_judge_whole", edited)
    assert strategy.upload(file).etag == md5


# -- subclasses ---------------------------------------------------------------------------------


def test_a_strategy_of_the_users_own_goes_on_working(store: Store) -> None:
    """With a hook of its own around ours."""

    class Own(Boto3Strategy):
        def key(self, name: str) -> str:
            return super().key(name)

    strategy = Own(storage(store.url, location="static"))
    strategy.open(2)
    strategy.upload(source("a.css"))
    assert list(store.objects) == ["static/a.css"]
    assert kept(store, "static/a.css") == {"content-type": "text/css"}


def test_a_storage_that_names_its_keys_itself(store: Store) -> None:
    """Listed under our names, deleted under its own."""

    class Tenants:
        def _normalize_name(self, name: str) -> str:
            return f"tenant/{name.upper()}"

    strategy = opened(store, Tenants)
    strategy.upload(source("a.css"))
    assert list(store.objects) == ["tenant/A.CSS"]
    assert set(listing(strategy, ["a.css"])) == {"a.css"}
    assert list(strategy.list_all()) == ["a.css"]
    strategy.delete(["a.css"])
    assert len(store.objects) == 0


def _stored(body: bytes = b"") -> Any:
    from scripts.benchmarks.bucket import StoredObject

    return StoredObject(body, hashlib.md5(body).hexdigest(), {}, 0.0)


def test_a_manifest_storage_keeps_what_it_would_write(store: Store) -> None:
    """ManifestFilesMixin replaces nothing of ours."""
    own = type("Own", (S3ManifestStaticStorage,), {"load_manifest": lambda self: ({}, "")})
    strategy = Boto3ManifestMemoryStrategy(
        own(bucket_name="static", endpoint_url=store.url, access_key="k", secret_key="s")
    )
    strategy.open(1)
    assert strategy.transport() == "s3: obstore"
    own(bucket_name="static", endpoint_url=store.url).save("x.css", ContentFile(b"1"))
    assert strategy.head("x.css") is not None
