"""Google Cloud Storage alone: gzip, CRC-32C, object parameters, refusals, credentials."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import google_crc32c
import pytest
import requests
from django.core.files.base import ContentFile
from google.api_core import exceptions as api
from google.auth import exceptions as auth
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Blob
from google.cloud.storage.retry import DEFAULT_RETRY
from storages.backends.gcloud import GoogleCloudStorage

from collectfasta.exceptions import DestinationError, ListingForbidden, UploadError
from collectfasta.items import RemoteObject, SourceFile
from collectfasta.strategies import gcloud
from collectfasta.strategies.google import bucket as bucket_module
from collectfasta.strategies.google import errors, objects
from collectfasta.strategies.google.gzips import GzipReader
from tests import servers
from tests.strategies.clouds import MIB, Cloud, digest, listing, source
from tests.strategies.service import Answer, Request, serve

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.places import GcsBucket


@pytest.fixture
def cloud(gcs_bucket: GcsBucket) -> Cloud:
    """Google alone."""
    return Cloud("gcs", gcs_bucket)


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks and uploads that give up soon."""
    monkeypatch.setattr(bucket_module, "LOOK_SECONDS", 0.2)
    monkeypatch.setattr(bucket_module, "TIMEOUT", (5.0, 0.5))
    short = DEFAULT_RETRY.with_delay(initial=0.05).with_timeout(0.5)
    monkeypatch.setattr(bucket_module, "DEFAULT_RETRY", short)


def at(url: str, monkeypatch: pytest.MonkeyPatch, **options: Any) -> gcloud.GoogleCloudStrategy:
    """A strategy for bucket ``b`` at ``url``, open."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
    given = {"bucket_name": "b", "project_id": "p", "credentials": AnonymousCredentials()}
    strategy = gcloud.GoogleCloudStrategy(GoogleCloudStorage(**{**given, **options}))
    strategy.open(4)
    return strategy


def refusal(status: int, message: str = "no") -> Answer:
    body = json.dumps({"error": {"code": status, "message": message}}).encode()
    return Answer(status, body, {"Content-Type": "application/json"})


# -- gzip ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 1000, MIB, 3 * MIB])
def test_gzip_in_parts_is_byte_for_byte_that_of_the_storage(size: int) -> None:
    """Or a large stylesheet would never be recognised."""
    data = (os.urandom(size // 2) + b"body { color: red }" * size)[:size]
    whole = GoogleCloudStorage()._compress_content(ContentFile(data)).read()
    reader = GzipReader(io.BytesIO(data))
    assert b"".join(iter(lambda: reader.read(70_000), b"")) == whole
    assert GzipReader(io.BytesIO(data)).readall() == whole


def test_large_text_is_gzipped_while_it_is_sent(cloud: Cloud, tmp_path: Path) -> None:
    """In chunks, its size unknown beforehand; the listing proves it afterwards."""
    data = base64.b64encode(os.urandom(15 * MIB))
    path = tmp_path / "large.css"
    path.write_bytes(data)
    strategy = cloud.open(gzip=True)
    file = SourceFile(str(path), "large.css", len(data))
    answer = strategy.upload(file)
    stored = cloud.place.read("large.css")
    assert gzip.decompress(stored) == data
    assert answer.wire == len(stored) > gcloud.CHUNK
    assert strategy.encodes("large.css")
    remote = listing(strategy, "large.css")["large.css"]
    assert strategy.same_bytes(file, digest(SourceFile("", "", 0, data)), remote) is True
    assert strategy.same_headers(file)


def test_gzip_of_another_library_is_recognised(cloud: Cloud) -> None:
    """The header's byte for the operating system differs between versions, and nothing else."""
    strategy = cloud.open(gzip=True)
    file = source("a.css", b"body { color: red }" * 100)
    ours = gzip.compress(file.data or b"", mtime=0)
    for stored in (ours, _os(ours)):
        for kind, value in (
            ("md5", hashlib.md5(stored).hexdigest()),
            ("crc32c", f"{google_crc32c.value(stored):08x}"),
        ):
            remote = RemoteObject("a.css", len(stored), "1", f"{kind}:{value}")
            assert strategy.same_bytes(file, digest(file), remote) is True


def _os(stored: bytes) -> bytes:
    return stored[:9] + (b"\xff" if stored[9] == 3 else b"\x03") + stored[10:]


# -- composite objects ---------------------------------------------------------------------------


def test_a_composite_object_is_compared_by_its_crc(cloud: Cloud, tmp_path: Path) -> None:
    """It has no MD5; the package before this one ended in a KeyError."""
    strategy = cloud.open()
    for data in (b"", b"body { color: red }", os.urandom(9 * MIB)):
        path = tmp_path / "a.bin"
        path.write_bytes(data)
        file = SourceFile(str(path), "a.bin", len(data))
        crc = f"crc32c:{google_crc32c.value(data):08x}"
        composite = RemoteObject("a.bin", len(data), "1", crc)
        other = RemoteObject("a.bin", len(data), "1", "crc32c:00000001")
        sums = digest(SourceFile("", "a.bin", len(data), data))
        assert strategy.same_bytes(file, sums, composite) is True
        assert strategy.same_bytes(file, sums, other) is False


def test_what_a_listing_shows_of_composite_and_of_encrypted_objects() -> None:
    """A CRC-32C, or nothing at all."""

    def blob(**properties: Any) -> Blob:
        shown = Blob("static/a.css", bucket=None)
        shown._properties.update(size="3", generation="7", metageneration="2", **properties)
        return shown

    md5 = base64.b64encode(hashlib.md5(b"abc").digest()).decode()
    crc = base64.b64encode(google_crc32c.value(b"abc").to_bytes(4, "big")).decode()
    found = [
        objects.remote_object("a.css", blob(md5Hash=md5, crc32c=crc)),
        objects.remote_object("a.css", blob(crc32c=crc)),
        objects.remote_object("a.css", blob()),
    ]
    assert [remote.checksum for remote in found] == [
        f"md5:{hashlib.md5(b'abc').hexdigest()}",
        f"crc32c:{google_crc32c.value(b'abc'):08x}",
        "",
    ]
    assert {remote.etag for remote in found} == {"7.2"}


def test_an_object_without_a_checksum_proves_nothing(cloud: Cloud) -> None:
    """Then only the record's generation can."""
    file = source("a.css")
    remote = RemoteObject("a.css", file.size, "1")
    assert cloud.open().same_bytes(file, digest(file), remote) is None


# -- headers -------------------------------------------------------------------------------------


def test_object_parameters_and_acl_go_with_the_upload(cloud: Cloud, sent: list[str]) -> None:
    """As the storage's own save would send them, in the same request."""
    parameters = {
        "acl": "publicRead",
        "cache_control": "max-age=60",
        "content_disposition": "inline",
        "content_language": "de",
        "metadata": {"build": 7},
        "storage_class": "NEARLINE",
    }
    strategy = cloud.open(object_parameters=parameters, default_acl="private")
    del sent[:]
    strategy.upload(source("a.css"))
    assert len(sent) == 1
    assert "predefinedAcl=publicRead" in sent[0]
    listing(strategy, "a.css")
    assert strategy.same_headers(source("a.css"))
    for change in (
        {**parameters, "metadata": {"build": 8}},
        {**parameters, "storage_class": "STANDARD"},
        {**parameters, "content_type": "text/plain"},
    ):
        other = cloud.open(object_parameters=change)
        listing(other, "a.css")
        assert not other.same_headers(source("a.css"))
        assert other.fingerprint("a.css") != strategy.fingerprint("a.css")


def test_an_edit_of_the_headers_by_others_moves_the_etag(cloud: Cloud) -> None:
    """The generation stays, the metageneration does not."""
    strategy = cloud.open()
    before = strategy.upload(source("a.css")).etag
    place: Any = cloud.place
    blob = place.client.bucket(place.name).get_blob("a.css")
    blob.cache_control = "no-store"
    blob.patch()
    assert listing(strategy, "a.css")["a.css"].etag != before
    assert not strategy.same_headers(source("a.css"))


def test_the_storages_chunk_size_is_used_within_bounds(cloud: Cloud) -> None:
    """In the service's steps, and never more than may be in memory."""
    strategies: list[Any] = [
        cloud.closed(blob_chunk_size=size) for size in (None, 3 * 256 * 1024, 1000 * MIB)
    ]
    assert [strategy._chunk() for strategy in strategies] == [
        gcloud.CHUNK,
        3 * 256 * 1024,
        strategies[0].flight.bound,
    ]


# -- requests ------------------------------------------------------------------------------------


def test_an_upload_sends_the_md5_and_computes_no_other_checksum(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The SDK would read the body once more for a CRC-32C."""
    md5 = hashlib.md5(b"x").digest()
    with serve(lambda request: _stored(md5)) as service:
        at(service.url, monkeypatch).upload(source("a.css", b"x"))
        (body,) = [request.body for request in service.seen if request.method == "POST"]
    assert base64.b64encode(md5) in body
    assert b"crc32c" not in body


def test_a_listing_of_many_pages_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service gives the token only to who asks for it."""

    def page(request: Request) -> Answer:
        query = parse_qs(urlsplit(request.path).query)
        number = int(query.get("pageToken", ["0"])[0])
        start = query.get("startOffset", ["static/"])[0]
        names = [f"static/{number:03}.css" for number in range(30)]
        names = [name for name in names if name >= start][number : number + 4]
        item = {"size": "1", "generation": "1", "metageneration": "1"}
        shown: dict[str, Any] = {"items": [{"name": name, **item} for name in names]}
        if names and names[-1] < "static/029.css" and "nextPageToken" in query["fields"][0]:
            shown["nextPageToken"] = str(number + 4)
        return Answer(200, json.dumps(shown).encode(), {"Content-Type": "application/json"})

    names = [f"{number:03}.css" for number in range(30)]
    with serve(page) as service:
        strategy = at(service.url, monkeypatch, location="static")
        assert sorted(listing(strategy, *names)) == names
        assert list(strategy.list_all()) == names


# -- a service that refuses ----------------------------------------------------------------------


def test_a_nobody_at_the_address_is_one_line(
    monkeypatch: pytest.MonkeyPatch, patience: None
) -> None:
    """Naming the bucket and the address."""
    url = f"http://127.0.0.1:{servers.free_port()}"
    strategy = at(url, monkeypatch)
    calls: list[Callable[[], Any]] = [
        lambda: listing(strategy, "a.css"),
        lambda: strategy.head("a.css"),
        lambda: strategy.upload(source("a.css")),
        lambda: strategy.delete(["a.css"]),
    ]
    for call in calls:
        with pytest.raises(DestinationError) as caught:
            call()
        assert f"bucket 'b' at {url}: the service cannot be reached (connection refused)" in str(
            caught.value
        )
        assert caught.value.__suppress_context__


def test_a_service_that_never_answers_ends_in_time(
    monkeypatch: pytest.MonkeyPatch, patience: None
) -> None:
    """A time-out, then a line."""
    import threading

    done = threading.Event()

    def hang(request: Request) -> Answer:
        done.wait(30)
        return Answer(500)

    try:
        with serve(hang) as service:
            strategy = at(service.url, monkeypatch)
            with pytest.raises(DestinationError, match="does not answer in time"):
                listing(strategy, "a.css")
            with pytest.raises(UploadError, match=r"^a\.css: .*does not answer in time"):
                strategy.upload(source("a.css"))
    finally:
        done.set()


def test_a_service_that_takes_a_part_for_the_whole_is_not_believed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It answers the first chunk as if it were the last, with that chunk's MD5."""

    def hasty(request: Request) -> Answer:
        if request.method == "POST":
            place = f"http://{request.headers['host']}/upload/storage/v1/b/b/o?upload_id=1"
            return Answer(200, b"", {"Location": place})
        md5 = base64.b64encode(hashlib.md5(request.body).digest()).decode()
        told = json.dumps({"name": "a.bin", "md5Hash": md5, "generation": "1"}).encode()
        return Answer(200, told, {"Content-Type": "application/json"})

    with serve(hasty) as service:
        strategy = at(service.url, monkeypatch)
        with pytest.raises(UploadError, match=r"^a\.bin: .* had only a part\.$"):
            strategy.upload(source("a.bin", bytes(9 * MIB)))
        sent = [request.method for request in service.seen if request.method != "GET"]
    assert sent == ["POST", "PUT"]


def test_refused_credentials_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look and an upload alike: nothing more can be written."""
    with serve(lambda request: refusal(401)) as service:
        strategy = at(service.url, monkeypatch)
        for call in (
            lambda: listing(strategy, "a.css"),
            lambda: strategy.head("a.css"),
            lambda: strategy.upload(source("a.css")),
        ):
            with pytest.raises(DestinationError, match="does not accept the credentials"):
                call()


def test_listing_forbidden_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run goes on with a look at each file; a look that is refused too means: upload."""
    with serve(lambda request: refusal(403)) as service:
        strategy = at(service.url, monkeypatch)
        with pytest.raises(ListingForbidden, match="does not let us list bucket 'b'"):
            listing(strategy, "a.css")
        with pytest.raises(ListingForbidden):
            list(strategy.list_all())
        assert strategy.head("a.css") is None


def test_a_refused_upload_names_the_file_and_the_permission(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And no URL: a resumable upload's is a key to the bucket."""
    said = "x@y does not have storage.objects.create access to the object."
    with serve(lambda request: refusal(403, said)) as service:
        strategy = at(service.url, monkeypatch)
        with pytest.raises(UploadError) as caught:
            strategy.upload(source("a.css"))
    assert str(caught.value) == (
        "a.css: Google Cloud Storage: the service refuses it (HTTP 403), "
        "storage.objects.create is missing."
    )
    assert caught.value.name == "a.css"


def test_a_short_outage_is_survived(monkeypatch: pytest.MonkeyPatch, patience: None) -> None:
    """The SDK's retries are kept, for looks and for uploads."""
    failed: set[str] = set()

    def once(request: Request) -> Answer:
        if request.method not in failed:
            failed.add(request.method)
            return refusal(503)
        return _stored(hashlib.md5(b"x").digest()) if request.method == "POST" else _empty()

    with serve(once) as service:
        monkeypatch.setattr(bucket_module, "LOOK_SECONDS", 10.0)
        strategy = at(service.url, monkeypatch)
        assert listing(strategy, "a.css") == {}
        assert strategy.upload(source("a.css", b"x")).etag == "5.1"


def _empty() -> Answer:
    return Answer(200, b'{"items": []}', {"Content-Type": "application/json"})


def _stored(md5: bytes) -> Answer:
    shown = {
        "name": "a.css",
        "generation": "5",
        "metageneration": "1",
        "md5Hash": base64.b64encode(md5).decode(),
    }
    return Answer(200, json.dumps(shown).encode(), {"Content-Type": "application/json"})


def test_other_bytes_in_the_answer_fail_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that keeps other bytes than were sent is found out by its answer."""
    with serve(lambda request: _stored(hashlib.md5(b"other").digest())) as service:
        strategy = at(service.url, monkeypatch)
        with pytest.raises(UploadError, match=r"^a\.css: .*another checksum"):
            strategy.upload(source("a.css"))
        assert strategy.unjudged() == {}


def test_damage_on_the_way_is_refused_by_the_service(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The MD5 goes with the bytes."""
    strategy: Any = cloud.open()
    send = strategy._bucket.send

    def damage(blob: Any, content: Any, size: int, params: Any) -> None:
        send(blob, io.BytesIO(b"x" * size), size, params)

    monkeypatch.setattr(strategy._bucket, "send", damage)
    with pytest.raises(UploadError, match="HTTP 400"):
        strategy.upload(source("a.css"))
    assert cloud.place.keys() == []


def test_an_upload_that_cannot_be_resumed_fails_alone(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK's own ValueError must not look like a bug of ours."""
    strategy: Any = cloud.open()

    def lost(*args: Any) -> None:
        raise ValueError("Stream is at byte 5, expected 0")

    monkeypatch.setattr(strategy._bucket, "send", lost)
    with pytest.raises(UploadError, match=r"^a\.css: .*lost a part"):
        strategy.upload(source("a.css"))


def test_an_error_in_the_users_own_save_is_one_line(
    monkeypatch: pytest.MonkeyPatch, patience: None, tmp_path: Path
) -> None:
    """Its library is the same; a network error is an OSError, and not one in reading the file."""

    class Mine(GoogleCloudStorage):
        def _save(self, name: str, content: Any) -> str:
            self.bucket.get_blob(name, retry=None, timeout=5)
            return name

    def strategy_at(url: str) -> gcloud.GoogleCloudStrategy:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
        storage = Mine(bucket_name="b", project_id="p", credentials=AnonymousCredentials())
        strategy = gcloud.GoogleCloudStrategy(storage)
        strategy.open(2)
        return strategy

    path = tmp_path / "a.css"
    path.write_bytes(b"x")
    on_disk = SourceFile(str(path), "a.css", 1)
    with serve(lambda request: refusal(403)) as service:
        strategy = strategy_at(service.url)
        for file, limit in ((source("a.css"), MIB), (on_disk, 1)):
            strategy.large = limit
            with pytest.raises(UploadError, match=r"^a\.css: .*refuses it \(HTTP 403\)"):
                strategy.upload(file)
    strategy = strategy_at(f"http://127.0.0.1:{servers.free_port()}")
    strategy.large = 1
    with pytest.raises(DestinationError, match="cannot be reached"):
        strategy.upload(on_disk)


def test_an_object_gone_right_after_the_users_save_leaves_no_record(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty etag is never remembered."""
    monkeypatch.setattr(GoogleCloudStorage, "_save", GoogleCloudStorage._save)
    strategy: Any = cloud.open(mixin=type("Mixin", (), {"exists": lambda self, name: False}))
    monkeypatch.setattr(strategy, "head", lambda name: None)
    assert strategy.upload(source("a.css")).etag == ""


def test_what_cannot_be_deleted_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first few, and how many more."""
    part = (
        "--x\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 {} x\r\n"
        "Content-Type: application/json\r\n\r\n{{}}\r\n"
    )
    body = "".join(part.format(code) for code in (204, 404, *[403] * 7)) + "--x--"
    answer = Answer(200, body.encode(), {"Content-Type": "multipart/mixed; boundary=x"})
    with serve(lambda request: answer) as service:
        strategy = at(service.url, monkeypatch, location="static")
        with pytest.raises(DestinationError) as caught:
            strategy.delete([f"{number}.css" for number in range(9)])
    assert "0.css" not in str(caught.value)
    assert "static/2.css (HTTP 403)" in str(caught.value)
    assert "and 2 more" in str(caught.value)


# -- set-up --------------------------------------------------------------------------------------


def test_a_bucket_name_that_is_not_set_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before any request."""
    with pytest.raises(DestinationError, match="GS_BUCKET_NAME"):
        at("http://127.0.0.1:9", monkeypatch, bucket_name=None)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (auth.DefaultCredentialsError("none"), "no credentials were found"),
        (OSError("Project was not passed"), "Project was not passed"),
        (ValueError("bad\nkey"), "no client: bad"),
    ],
)
def test_credentials_that_are_missing_are_one_line(
    monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    """Whatever the library calls it."""

    def fail(*args: Any, **kwargs: Any) -> None:
        raise error

    monkeypatch.setattr("storages.backends.gcloud.Client", fail)
    with pytest.raises(DestinationError, match=words) as caught:
        at("http://127.0.0.1:9", monkeypatch)
    assert "\n" not in str(caught.value)


def test_the_endpoint_is_that_of_the_client_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two services may have buckets of the same name."""
    from google.cloud.storage import Client

    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)

    def client(url: str) -> Client:
        options = {"api_endpoint": url}
        return Client("p", AnonymousCredentials(), client_options=options)

    class Mine(GoogleCloudStorage):
        client = property(lambda self: client("http://mine"))

    given = {"bucket_name": "b", "project_id": "p", "credentials": AnonymousCredentials()}
    plain, known = GoogleCloudStorage(**given), GoogleCloudStorage(**given)
    known._client = client("http://known")
    assert [
        gcloud.GoogleCloudStrategy(storage).identity() for storage in (plain, known, Mine(**given))
    ] == ["gcs https://storage.googleapis.com b ", "gcs http://known b ", "gcs http://mine b "]


def test_reserved_and_empty_keys_are_refused(cloud: Cloud) -> None:
    """The service answers them with an error that explains nothing."""
    refused = cloud.closed().refused([".well-known/acme-challenge/x", "."])
    assert "reserves" in refused[".well-known/acme-challenge/x"]
    assert "is empty" in refused["."]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (api.RetryError("x", requests.ConnectionError("resolve")), "unknown host"),
        (api.RetryError("x", None), "cannot be reached"),
        (auth.TransportError(requests.ConnectionError("certificate")), "not trusted"),
        (auth.TransportError("odd"), "cannot be used (TransportError)"),
        (auth.RefreshError("invalid_grant: secret"), "cannot be used (RefreshError)"),
        (requests.exceptions.SSLError("SSL"), "TLS failure"),
        (ConnectionResetError("reset"), "(ConnectionResetError)"),
        (api.TooManyRequests("slow"), "asks for fewer requests"),
        (api.GatewayTimeout("slow"), "answers (HTTP 504)"),
    ],
)
def test_every_error_is_a_line_without_the_librarys_words(error: Exception, words: str) -> None:
    """Those may quote a URL with a signature."""
    line = str(errors.Translator("b", "http://x").destination(error))
    assert words in line
    assert "secret" not in line
