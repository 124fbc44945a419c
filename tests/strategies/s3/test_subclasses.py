"""Storages with something replaced: what is written is what they themselves would have written."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING, Any

import pytest
from boto3.s3.transfer import TransferConfig
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile

from collectfasta.exceptions import UploadError
from collectfasta.items import SourceFile
from collectfasta.strategies.boto3 import Boto3Strategy
from tests.strategies.s3.kit import MIB, digest, kept, listing, opened, source, storage

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.benchmarks.store import Store


class Parameters:
    """Headers for each name."""

    def get_object_parameters(self, name: str) -> dict[str, Any]:
        parameters: dict[str, Any] = {**super().get_object_parameters(name)}  # type: ignore[misc]
        if name.endswith(".css"):
            parameters["CacheControl"] = "max-age=1"
        return {**parameters, "Metadata": {"key": name}}


class WriteParameters:
    """A hook of the library that is not documented."""

    def _get_write_parameters(self, name: str, content: Any = None) -> dict[str, Any]:
        given: dict[str, Any] = super()._get_write_parameters(name, content)  # type: ignore[misc]
        return {**given, "CacheControl": "max-age=2"}


class Minified:
    """A ``_save`` that changes the bytes."""

    def _save(self, name: str, content: Any) -> str:
        smaller = ContentFile(content.read().replace(b" ", b""), name=name)
        saved: str = super()._save(name, smaller)  # type: ignore[misc]
        return saved


class Logged:
    """A ``save`` that does something more."""

    def save(self, name: str, content: Any, max_length: int | None = None) -> str:
        self.bucket.Object("log").put(Body=name.encode())  # type: ignore[attr-defined]
        saved: str = super().save(name, content, max_length)  # type: ignore[misc]
        return saved


class Lowered:
    """A ``get_available_name`` with an idea of its own."""

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        return name.lower()


class Session:
    """A session made in another way, with a header of its own."""

    def _create_session(self) -> Any:
        import boto3

        session = boto3.Session(aws_access_key_id="other", aws_secret_access_key="other")

        def add(params: dict[str, Any], **_: Any) -> None:
            params["headers"]["x-amz-meta-by"] = "session"

        session.events.register("before-call.s3.PutObject", add)
        return session


class OwnKeys:
    """A session that only has other keys."""

    def _create_session(self) -> Any:
        import boto3

        return boto3.Session(aws_access_key_id="other", aws_secret_access_key="other")


class OwnConnection:
    """A client made in a way of its own."""

    @property
    def connection(self) -> Any:
        import boto3

        session = boto3.Session(aws_access_key_id="mine", aws_secret_access_key="mine")
        return session.resource("s3", endpoint_url=self.endpoint_url)  # type: ignore[attr-defined]


class Squeezed:
    """A compression hook that does it otherwise."""

    def _compress_content(self, content: Any) -> Any:
        return io.BytesIO(b"squeezed:" + content.read())


CASES = {
    "get_object_parameters": ((Parameters,), {"location": "static"}, "obstore"),
    "_get_write_parameters": ((WriteParameters,), {}, "save"),
    "_save": ((Minified,), {"gzip": True}, "save"),
    "save": ((Logged,), {"default_acl": "private"}, "save"),
    "get_available_name": ((Lowered,), {}, "save"),
    "session with a header": ((Session,), {}, "put_object"),
    "session with other keys": ((OwnKeys,), {}, "obstore"),
    "connection": ((OwnConnection,), {}, "save"),
    "_compress_content": ((Squeezed,), {"gzip": True}, "obstore"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_names_bytes_and_headers_are_as_the_storage_writes_them(store: Store, case: Any) -> None:
    """First its own save, then ours over an empty bucket, then ours over what is there."""
    mixins, options, transport = case
    data = b"body { color: red }" * 20
    names = ["css/a.css", "static/B.txt"]

    def written() -> dict[str, Any]:
        return {key: (found.body, kept(store, key)) for key, found in sorted(store.objects.items())}

    own = storage(store.url, *mixins, **options)
    for name in names:
        own.save(name, ContentFile(data))
    expected = written()
    for key in list(store.objects):
        del store.objects[key]
    strategy = opened(store, *mixins, **options)
    assert transport in strategy.transport()
    for _ in range(2):
        for name in names:
            strategy.upload(source(name, data))
        assert written() == expected
    assert strategy.unjudged() == {}
    strategy.close()


@pytest.mark.parametrize("mixins", [(), (Logged,)], ids=["the library's", "an overridden save"])
def test_a_storage_that_never_overwrites_is_written_in_place(
    store: Store, mixins: tuple[type, ...]
) -> None:
    """With the library's ``get_available_name``, ``file_overwrite=False`` renames nothing."""
    options = {"file_overwrite": False, "location": "static"}
    storage(store.url, **options).save("a.css", ContentFile(b"old"))
    strategy = opened(store, *mixins, **options)
    sent = strategy.upload(source("a.css"))
    assert sorted(store.objects) == [*(["log"] if mixins else []), "static/a.css"]
    assert store.objects["static/a.css"].body == b"body { color: red }"
    assert sent.etag == store.objects["static/a.css"].etag
    assert strategy.storage.file_overwrite is False


def test_options_that_a_storage_does_not_let_one_set_stay_as_they_are(store: Store) -> None:
    """Properties of its class; the library sets none that is there already."""

    class Fixed(Logged):
        file_overwrite = property(lambda self: True)
        transfer_config = property(lambda self: TransferConfig(max_concurrency=2))

    strategy = opened(store, Fixed)
    assert strategy.upload(source("a.css")).etag == store.objects["a.css"].etag
    strategy.close()


def test_a_client_that_a_storage_was_given_is_the_one_that_its_save_uses(store: Store) -> None:
    """Not one that is made anew."""
    strategy = Boto3Strategy(storage(store.url, Logged))
    used: list[str] = []
    connection = strategy.storage.connection
    connection.meta.client.meta.events.register(
        "before-call.s3.PutObject", lambda **_: used.append("given")
    )
    strategy.open(2)
    strategy.upload(source("a.css"))
    assert "given" in used
    strategy.close()


def test_what_a_save_of_ones_own_has_written_is_recognised_by_the_answers_etag(
    store: Store,
) -> None:
    """Although its MD5 is not that of the source; no HEAD is spent."""
    strategy = opened(store, Minified)
    sent = strategy.upload(source("a.css"))
    assert sent.etag == hashlib.md5(b"body{color:red}").hexdigest()
    assert listing(strategy, ["a.css"])["a.css"].etag == sent.etag
    assert store.counts["HeadObject"] == 0
    strategy.close()


def test_where_nobody_sees_the_answer_only_equal_bytes_are_remembered(store: Store) -> None:
    """A ``_save`` through another client: a HEAD shows the MD5, or nothing is remembered."""

    class Elsewhere:
        def _save(self, name: str, content: Any) -> str:
            import boto3

            session = boto3.Session(aws_access_key_id="k", aws_secret_access_key="s")
            client = session.client("s3", endpoint_url=self.endpoint_url)  # type: ignore[attr-defined]
            body = content.read() + (b"!" if name == "changed.css" else b"")
            client.put_object(Bucket="static", Key=name, Body=body)
            return name

    strategy = opened(store, Elsewhere)
    assert strategy.upload(source("a.css")).etag == store.objects["a.css"].etag
    assert strategy.upload(source("changed.css")).etag == ""


def test_a_save_that_puts_the_file_elsewhere_is_not_remembered(store: Store) -> None:
    """The next run writes it again, as Django's own command does."""
    strategy = opened(store, Lowered)
    assert strategy.upload(source("A.css")).etag == ""
    assert list(store.objects) == ["a.css"]


def test_a_storage_without_a_client_of_the_usual_kind(store: Store) -> None:
    """No answers can be seen, so the HEAD decides."""

    class NoBucket:
        bucket = None

        def _save(self, name: str, content: Any) -> str:
            self.connection.Object("static", name).put(Body=content.read())  # type: ignore[attr-defined]
            return name

    strategy = opened(store, NoBucket)
    assert strategy.upload(source("a.css")).etag == store.objects["a.css"].etag
    strategy.close()


def test_a_name_that_the_storages_own_save_refuses_fails_alone(store: Store) -> None:
    """One line."""

    class Strict:
        def _save(self, name: str, content: Any) -> str:
            raise SuspiciousFileOperation(name)

    with pytest.raises(UploadError, match=r"^a\.css: the storage refuses the name\.$"):
        opened(store, Strict).upload(source("a.css"))


def test_a_large_file_that_changes_while_it_is_saved_has_failed(
    store: Store, tmp_path: Path
) -> None:
    """Nobody knows which of its bytes were sent."""
    path = tmp_path / "big.bin"
    path.write_bytes(bytes(9 * MIB))

    class Racing:
        def _save(self, name: str, content: Any) -> str:
            saved: str = super()._save(name, content)  # type: ignore[misc]
            path.write_bytes(b"1" * 9 * MIB)
            return saved

    strategy = opened(store, Racing)
    with pytest.raises(UploadError, match=r"^big\.bin: .* changed while it was read\.$"):
        strategy.upload(SourceFile(str(path), "big.bin", 9 * MIB))


def test_a_large_file_vanishes_before_it_is_saved(store: Store, tmp_path: Path) -> None:
    """Between its digest and its upload."""
    path = tmp_path / "big.bin"
    path.write_bytes(bytes(9 * MIB))
    strategy = opened(store, Logged)
    digest_of = strategy._own._digest  # type: ignore[union-attr]

    def vanish(file: SourceFile) -> bytes:
        found = digest_of(file)
        path.unlink()
        return found

    strategy._own._digest = vanish  # type: ignore[union-attr]
    with pytest.raises(UploadError.__mro__[1], match=r"^big\.bin: cannot read"):
        strategy.upload(SourceFile(str(path), "big.bin", 9 * MIB))
    assert len(store.objects) == 0


def test_a_large_file_in_memory_goes_through_the_storages_own_save(store: Store) -> None:
    """What post-processing has made of a file."""
    strategy = opened(store, Logged)
    file = source("big.bin", bytes(9 * MIB))
    sent = strategy.upload(file)
    assert sent.etag == store.objects["big.bin"].etag
    assert sent.xxh3 == digest(file).xxh3
