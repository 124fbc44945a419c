"""Azure Blob Storage alone: MD5s that we set, block lists, names, refusals, settings."""

from __future__ import annotations

import base64
import hashlib
import threading
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from azure.core import exceptions as azure
from azure.storage.blob import ContentSettings, LinearRetry
from storages.backends.azure_storage import AzureStorage

from collectfasta.exceptions import DestinationError, ListingForbidden, SourceError, UploadError
from collectfasta.strategies.azure import AzureBlobStrategy
from collectfasta.strategies.azureblob import container as container_module
from collectfasta.strategies.azureblob import errors
from collectfasta.strategies.azureblob.blobs import Entry
from tests import servers
from tests.strategies.clouds import MIB, Cloud, digest, listing, source
from tests.strategies.service import Answer, Request, serve

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.places import AzureContainer

SECRET = "c2VjcmV0LXNpZ25hdHVyZQ"
SAS = f"sv=2024-11-04&ss=b&srt=sco&sp=rwdl&sig={SECRET}"


@pytest.fixture
def cloud(azure_container: AzureContainer) -> Cloud:
    """Azure alone."""
    return Cloud("azure", azure_container)


@pytest.fixture
def haste(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries that do not wait."""
    at_once = {"initial_backoff": 0.01, "increment_base": 0, "random_jitter_range": 0.01}
    monkeypatch.setattr(container_module, "_HURRY", at_once)


def at(url: str, **options: Any) -> AzureBlobStrategy:
    """A strategy for container ``static`` at ``url``, with a SAS token, open."""
    connection = f"BlobEndpoint={url}/{servers.AZURE_ACCOUNT};SharedAccessSignature={SAS}"
    given = {"connection_string": connection, "azure_container": "static"}
    strategy = AzureBlobStrategy(AzureStorage(**{**given, **options}))
    strategy.open(4)
    return strategy


def refusal(status: int, code: str, message: str = "no") -> Answer:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Answer(
        status, body.encode(), {"Content-Type": "application/xml", "x-ms-error-code": code}
    )


# -- MD5 ----------------------------------------------------------------------------------------


def test_a_block_list_without_md5_proves_nothing(cloud: Cloud) -> None:
    """A foreign tool's large upload: only the record's ETag can tell."""
    place: Any = cloud.place
    blob = place.client.get_blob_client("static/a.css")
    blob.stage_block("AA==", b"body {}")
    blob.commit_block_list(["AA=="])
    strategy = cloud.open("static")
    remote = listing(strategy, "a.css")["a.css"]
    file = source("a.css", b"body {}")
    assert (remote.checksum, remote.size) == ("", file.size)
    assert strategy.same_bytes(file, digest(file), remote) is None
    assert strategy.head("a.css") == remote


def test_damage_on_the_way_is_refused_by_the_service(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The MD5 goes with the bytes, and with each block."""
    strategy: Any = cloud.open()
    put = strategy._container.put

    def damage(key: str, data: bytes, params: Any, md5: bytes) -> Any:
        return put(key, b"x" * len(data), params, md5)

    monkeypatch.setattr(strategy._container, "put", damage)
    with pytest.raises(UploadError, match=r"^a\.css: .*HTTP 400"):
        strategy.upload(source("a.css"))
    assert cloud.place.keys() == []


def test_other_bytes_in_the_answer_fail_the_file(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that keeps other bytes than were sent is found out by its answer."""
    strategy: Any = cloud.open()
    answer = {"etag": '"0x1"', "content_md5": bytearray(16)}
    monkeypatch.setattr(strategy._container, "put", lambda *args: answer)
    with pytest.raises(UploadError, match=r"^a\.css: .*another checksum"):
        strategy.upload(source("a.css"))
    assert strategy.unjudged() == {}
    answer["content_md5"] = bytearray()
    assert strategy.upload(source("a.css")).etag == "0x1"


def test_a_users_own_md5_gives_way_to_that_of_the_bytes(cloud: Cloud) -> None:
    """Content settings of the user's may hold one; ours is right."""
    strategy = cloud.open(object_parameters={"content_md5": bytearray(16)})
    strategy.upload(source("a.css", b"x"))
    found = listing(strategy, "a.css")["a.css"]
    assert found.checksum == f"md5:{hashlib.md5(b'x').hexdigest()}"


# -- headers ------------------------------------------------------------------------------------


def test_all_content_settings_are_sent_and_compared(cloud: Cloud) -> None:
    """Those of the storage, as its own save sends them."""
    parameters = {
        "content_disposition": "inline",
        "content_language": "de",
        "content_encoding": "identity",
        "no_such_setting": "is swallowed",
    }
    strategy = cloud.open(object_parameters=parameters, cache_control="max-age=5")
    strategy.upload(source("a.css"))
    listing(strategy, "a.css")
    assert strategy.same_headers(source("a.css"))
    for change in parameters:
        if change.startswith("content"):
            other = cloud.open(
                object_parameters={**parameters, change: "en"}, cache_control="max-age=5"
            )
            listing(other, "a.css")
            assert not other.same_headers(source("a.css")), change


def test_content_settings_of_the_users_own_take_the_storages_save(cloud: Cloud) -> None:
    """They may want to see the content."""

    class Mine:
        def _get_content_settings_parameters(self, name: str, content: Any = None) -> Any:
            return {"content_type": "x/y", "content_md5": bytearray(_md5(content))}

    def _md5(content: Any) -> bytes:
        data = content.read()
        content.seek(0)
        return hashlib.md5(data).digest()

    strategy = cloud.open(mixin=Mine)
    assert "_get_content_settings_parameters is overridden" in strategy.transport()
    strategy.upload(source("a.css"))
    assert cloud.place.headers("a.css") == {"content-type": "x/y"}


# -- listings -----------------------------------------------------------------------------------


def test_a_coded_name_is_decoded() -> None:
    """XML cannot hold every character."""
    found = Entry(ET.fromstring('<Blob><Name Encoded="true">a%EF%BF%BE</Name></Blob>'))
    assert found.key == "a\ufffe"
    assert found.remote("a").size == 0
    assert not found.folder


def test_folders_of_a_hierarchical_account_are_not_files(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They cannot be deleted while there is something in them."""
    place: Any = cloud.place
    place.put("static/css", b"", metadata={"hdi_isfolder": "true"})
    cloud.place.put("static/css/a.css", b"x")
    assert list(cloud.open("static").list_all()) == ["css/a.css"]


def test_listings_go_on_after_the_first_page(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the service's own marker."""
    monkeypatch.setattr("collectfasta.strategies.azure.PAGE", 2)
    monkeypatch.setattr("collectfasta.strategies.azureblob.folders.PAGE", 2)
    names = [f"{number}.css" for number in range(5)]
    for name in names:
        cloud.place.put(f"static/{name}", b"x")
    strategy = cloud.open("static")
    assert sorted(strategy.list_all()) == names
    assert sorted(listing(strategy, *names)) == names


# -- a service that refuses ---------------------------------------------------------------------


def test_nobody_at_the_address_is_one_line_without_the_token(haste: None) -> None:
    """The SDK's own message quotes the whole URL, signature included."""
    url = f"http://127.0.0.1:{servers.free_port()}"
    strategy = at(url)
    calls: list[Callable[[], Any]] = [
        lambda: listing(strategy, "a.css"),
        lambda: strategy.head("a.css"),
        lambda: strategy.upload(source("a.css")),
        lambda: strategy.delete(["a.css"]),
    ]
    for call in calls:
        with pytest.raises(DestinationError) as caught:
            call()
        line = str(caught.value)
        assert f"container 'static' at {url}" in line
        assert "cannot be reached (connection refused)" in line
        assert SECRET not in line
        assert caught.value.__suppress_context__
    assert SECRET not in strategy.identity()


def test_a_service_that_never_answers_ends_in_time(haste: None) -> None:
    """A time-out, then a line."""
    done = threading.Event()

    def hang(request: Request) -> Answer:
        done.wait(30)
        return Answer(500)

    try:
        with serve(hang) as service:
            strategy: Any = at(service.url)
            transport = strategy.remote_storage.service_client._pipeline._transport
            transport.connection_config.read_timeout = 0.2
            with pytest.raises(DestinationError, match="does not answer in time"):
                listing(strategy, "a.css")
            with pytest.raises(UploadError, match=r"^a\.css: .*does not answer in time"):
                strategy.upload(source("a.css"))
    finally:
        done.set()


def test_a_refused_key_is_one_line(azurite: servers.Server) -> None:
    """From the real emulator, for every kind of call."""
    key = base64.b64encode(b"another key").decode()
    good = servers.azure_connection_string(azurite)
    connection = good.replace(servers.AZURE_KEY, key)
    strategy = at("", connection_string=connection)
    for call in (
        lambda: listing(strategy, "a.css"),
        lambda: list(strategy.list_all()),
        lambda: strategy.upload(source("a.css")),
        lambda: strategy.delete(["a.css"]),
    ):
        with pytest.raises(DestinationError, match="does not accept the credentials") as caught:
            call()
        assert key not in str(caught.value)


def test_a_key_that_is_no_key_is_one_line(azurite: servers.Server) -> None:
    """The SDK finds out when it signs the first request."""
    connection = servers.azure_connection_string(azurite).replace(servers.AZURE_KEY, "@")
    with pytest.raises(DestinationError, match="credentials"):
        listing(at("", connection_string=connection), "a.css")


def test_listing_forbidden_is_told_apart() -> None:
    """The run goes on with a look at each file; a look that is refused too means: upload."""
    with serve(lambda request: refusal(403, "AuthorizationPermissionMismatch")) as service:
        strategy = at(service.url)
        with pytest.raises(ListingForbidden, match="does not let us list container 'static'"):
            listing(strategy, "a.css")
        with pytest.raises(ListingForbidden):
            list(strategy.list_all())
        assert strategy.head("a.css") is None
        with pytest.raises(UploadError, match=r"^a\.css: .*HTTP 403, AuthorizationPermission"):
            strategy.upload(source("a.css"))


def test_an_expired_token_ends_the_run(haste: None) -> None:
    """Nothing more can be written with it."""
    with serve(lambda request: refusal(401, "ExpiredToken")) as service:
        strategy = at(service.url)
        with pytest.raises(DestinationError, match=r"credentials \(ExpiredToken\)"):
            strategy.upload(source("a.css"))


def test_a_head_with_a_refused_key_is_no_missing_blob() -> None:
    """Or everything would be uploaded, in vain."""
    with (
        serve(lambda request: refusal(403, "AuthenticationFailed")) as service,
        pytest.raises(DestinationError, match="AuthenticationFailed"),
    ):
        at(service.url).head("a.css")


def test_a_short_outage_is_survived(haste: None) -> None:
    """The SDK's retries are kept, for looks and for uploads."""
    failed: set[str] = set()

    def once(request: Request) -> Answer:
        if request.method not in failed:
            failed.add(request.method)
            return refusal(503, "ServerBusy")
        if request.method == "PUT":
            return Answer(201, b"", {"ETag": '"0x5"'})
        body = (
            b"<?xml version='1.0'?><EnumerationResults><Blobs/><NextMarker/></EnumerationResults>"
        )
        return Answer(200, body, {"Content-Type": "application/xml"})

    with serve(once) as service:
        strategy = at(service.url)
        assert listing(strategy, "a.css") == {}
        assert strategy.upload(source("a.css")).etag == "0x5"


def test_a_server_error_fails_the_file_alone(haste: None) -> None:
    """In one line, after the SDK's retries."""
    with serve(lambda request: refusal(500, "InternalError")) as service:
        strategy = at(service.url)
        with pytest.raises(UploadError, match=r"^a\.css: .*\(HTTP 500, InternalError\)\.$"):
            strategy.upload(source("a.css"))


def test_every_block_carries_its_md5() -> None:
    """The service checks that one; the MD5 of the whole it only keeps."""
    with serve(lambda request: Answer(201, b"", {"ETag": '"0x5"'})) as service:
        strategy = at(service.url)
        strategy.large = 1
        strategy.upload(source("a.css", b"x" * 5 * MIB))
        *blocks, commit = service.seen
    assert [request.headers["content-md5"] for request in blocks] == [
        base64.b64encode(hashlib.md5(request.body).digest()).decode() for request in blocks
    ]
    whole = base64.b64encode(hashlib.md5(b"x" * 5 * MIB).digest()).decode()
    assert commit.headers["x-ms-blob-content-md5"] == whole


def test_a_block_that_is_refused_fails_the_file_alone(haste: None) -> None:
    """The blob that was there before is not touched: no list of blocks is sent."""

    def answer(request: Request) -> Answer:
        return refusal(500, "InternalError") if "MDAwMDAwMDE" in request.path else block

    block = Answer(201, b"", {"ETag": '"0x5"'})
    with serve(answer) as service:
        strategy = at(service.url)
        strategy.large = 1
        with pytest.raises(UploadError, match=r"^a\.css: .*HTTP 500"):
            strategy.upload(source("a.css", b"x" * 5 * MIB))
        assert not [request for request in service.seen if "comp=blocklist" in request.path]


def test_an_error_in_the_users_own_save_is_one_line() -> None:
    """Its library is the same."""

    class Mine(AzureStorage):
        def exists(self, name: str) -> bool:
            return True

    with serve(lambda request: refusal(409, "BlobImmutableDueToPolicy")) as service:
        connection = f"BlobEndpoint={service.url}/x;SharedAccessSignature={SAS}"
        strategy = AzureBlobStrategy(Mine(connection_string=connection, azure_container="static"))
        strategy.open(2)
        with pytest.raises(UploadError, match=r"^a\.css: .*HTTP 409, BlobImmutable"):
            strategy.upload(source("a.css"))


# -- deleting -----------------------------------------------------------------------------------


def test_where_batches_are_not_allowed_blobs_are_deleted_one_by_one(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some tokens and emulators refuse them; what fails then is named."""
    for key in ("static/a.css", "static/leased.css"):
        cloud.place.put(key, b"x")
    place: Any = cloud.place
    lease = place.client.get_blob_client("static/leased.css").acquire_lease()
    strategy: Any = cloud.open("static")

    def refuse(*args: Any, **kwargs: Any) -> Any:
        error = azure.HttpResponseError("no batches")
        error.status_code = 400
        raise error

    monkeypatch.setattr(strategy._container._client, "delete_blobs", refuse)
    with pytest.raises(DestinationError, match=r"^Could not delete static/leased\.css \(Lease"):
        strategy.delete(["a.css", "gone.css", "leased.css"])
    assert cloud.place.keys() == ["static/leased.css"]
    monkeypatch.undo()
    with pytest.raises(DestinationError, match=r"static/leased\.css \(LeaseIdMissing\)"):
        strategy.delete(["leased.css", "gone.css"])
    lease.release()


# -- settings -----------------------------------------------------------------------------------


def test_settings_that_make_no_client_are_one_line() -> None:
    """Without a word of what they hold."""
    with pytest.raises(DestinationError, match="AZURE_CONTAINER is not set"):
        at("http://127.0.0.1:9", azure_container=None)
    with pytest.raises(DestinationError, match="AZURE_CONNECTION_STRING") as caught:
        at("", connection_string=f"BlobSecondaryEndpoint=http://x;SharedAccessSignature={SAS}")
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__


def test_an_account_name_and_key_are_enough() -> None:
    """The identity names the account's own address."""
    given = {"account_name": "acme", "account_key": servers.AZURE_KEY, "azure_container": "static"}
    strategy = AzureBlobStrategy(AzureStorage(**given))
    assert strategy.identity() == "azure https://acme.blob.core.windows.net static "
    strategy.open(3)


def test_retries_of_the_users_own_are_left_alone() -> None:
    """Another policy, or another time, is there for a reason."""

    def policy(**options: Any) -> Any:
        storage = AzureStorage(
            account_name="acme",
            account_key=servers.AZURE_KEY,
            azure_container="static",
            client_options=options,
        )
        AzureBlobStrategy(storage).open(2)
        return storage.client._config.retry_policy

    assert policy().initial_backoff == 1
    assert policy(initial_backoff=7).initial_backoff == 7
    linear = LinearRetry(backoff=9)
    assert policy(retry_policy=linear) is linear


def test_a_transport_of_the_users_own_is_left_alone() -> None:
    """Its pool is theirs to size."""
    from azure.core.pipeline.transport import HttpTransport

    class Mine(HttpTransport[Any, Any]):
        def send(self, request: Any, **kwargs: Any) -> Any:
            raise NotImplementedError

        def open(self) -> None:
            raise NotImplementedError

        def close(self) -> None:
            raise NotImplementedError

        def __exit__(self, *args: object) -> None:
            raise NotImplementedError

    storage = AzureStorage(
        account_name="acme",
        account_key=servers.AZURE_KEY,
        azure_container="static",
        client_options={"transport": Mine()},
    )
    AzureBlobStrategy(storage).open(2)


def test_names_azure_would_shorten_to_nothing_are_refused(cloud: Cloud) -> None:
    """By the storage's own rule, told in our words."""
    strategy = cloud.open()
    assert "cannot hold" in strategy.refused(["..."])["..."]
    with pytest.raises(SourceError, match="cannot hold"):
        strategy.upload(source("..."))


def test_a_leading_dot_is_stored_as_the_storage_would(cloud: Cloud) -> None:
    """Where its ``url`` will look for it."""
    strategy = cloud.open()
    strategy.upload(source(".well-known/x.json"))
    assert cloud.place.keys() == ["well-known/x.json"]
    assert list(listing(strategy, ".well-known/x.json")) == [".well-known/x.json"]
    assert list(strategy.list_all()) == [".well-known/x.json"]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (azure.ServiceRequestError("Name or service not known: resolve"), "unknown host"),
        (azure.ServiceRequestError("certificate verify failed"), "is not trusted"),
        (azure.ServiceRequestError("odd"), "(ServiceRequestError)"),
        (azure.ServiceResponseError("reset"), "the request failed (ServiceResponseError)"),
        (azure.ClientAuthenticationError("secret"), "does not accept the credentials"),
    ],
)
def test_every_error_is_a_line_without_the_librarys_words(error: Exception, words: str) -> None:
    """Those may quote a URL with a signature."""
    line = str(errors.Translator("c", "http://x").destination(error))
    assert words in line
    assert "secret" not in line


def test_content_settings_are_the_sdks_own(cloud: Cloud) -> None:
    """A change of the headers by others is seen, though the bytes are the same."""
    strategy = cloud.open()
    strategy.upload(source("a.css"))
    place: Any = cloud.place
    blob = place.client.get_blob_client("a.css")
    blob.set_http_headers(ContentSettings(content_type="text/plain"))
    listing(strategy, "a.css")
    assert not strategy.same_headers(source("a.css"))
