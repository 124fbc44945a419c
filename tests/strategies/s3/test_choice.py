"""Which transport is chosen, and that obstore reaches the bucket as botocore does."""

from __future__ import annotations

import datetime as dt
import importlib.util
from typing import TYPE_CHECKING, Any

import botocore
import pytest
from botocore.config import Config

from collectfasta.exceptions import CollectfastaError, DestinationError
from collectfasta.strategies.s3.choice import Choice, choose
from collectfasta.strategies.s3.client import connect, is_aws
from tests.strategies.s3 import tls
from tests.strategies.s3.kit import Watched, only_sdk, opened, source, storage

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.benchmarks.store import Store
    from tests.places import S3Bucket

URL = "http://127.0.0.1:9"
AWS: dict[str, Any] = {"endpoint_url": None, "addressing_style": None}


def chosen(*mixins: type, url: str = URL, **options: Any) -> Choice:
    made = storage(url, *mixins, **options)
    return choose(made, connect(made, 4))


def config_of(**options: Any) -> dict[str, Any]:
    found = chosen(**options)
    assert found.options is not None, found
    return {**found.options.config, **found.options.client}


@pytest.mark.parametrize(
    ("options", "endpoint", "virtual", "region"),
    [
        ({}, URL, False, "us-east-1"),
        ({"addressing_style": None}, URL, False, "us-east-1"),
        ({"addressing_style": "virtual"}, URL, False, "us-east-1"),  # no bucket before a number
        ({"addressing_style": "virtual", "endpoint_url": "http://host.test:9"},
         "http://static.host.test:9", True, "us-east-1"),
        ({"endpoint_url": f"{URL}/minio"}, f"{URL}/minio", False, "us-east-1"),
        ({**AWS}, "https://static.s3.amazonaws.com", True, "us-east-1"),
        ({**AWS, "region_name": "eu-central-1"},
         "https://static.s3.eu-central-1.amazonaws.com", True, "eu-central-1"),
        ({**AWS, "addressing_style": "path", "region_name": "eu-central-1"},
         "https://s3.eu-central-1.amazonaws.com", False, "eu-central-1"),
        ({**AWS, "client_config": Config(s3={"use_accelerate_endpoint": True})},
         "https://static.s3-accelerate.amazonaws.com", True, "us-east-1"),
        ({**AWS, "use_ssl": False}, "http://static.s3.amazonaws.com", True, "us-east-1"),
    ],
)  # fmt: skip
def test_host_style_and_region_are_those_of_botocore(
    options: dict[str, Any], endpoint: str, virtual: bool, region: str
) -> None:
    """Nothing is sent to find out."""
    config = config_of(**options)
    assert config["endpoint"] == endpoint
    assert config["virtual_hosted_style_request"] is virtual
    assert config["region"] == region
    assert config["allow_http"] is endpoint.startswith("http:")
    assert ("checksum_algorithm" in config) is ("amazonaws" in endpoint)
    assert "aws_endpoint_url_s3" not in config


def test_an_endpoint_of_the_environment_does_not_win(monkeypatch: pytest.MonkeyPatch) -> None:
    """obstore would prefer it to the storage's."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://elsewhere:1")
    assert config_of()["aws_endpoint_url_s3"] == URL


def test_credentials_are_asked_for_again_after_a_minute() -> None:
    """From the storage's own session."""
    found = chosen(security_token="token")
    assert found.options is not None
    assert found.options.credentials is not None
    given = found.options.credentials()
    left = given.pop("expires_at") - dt.datetime.now(dt.UTC)
    assert dt.timedelta(0) < left <= dt.timedelta(minutes=1)
    assert given == {
        "access_key_id": "key",
        "secret_access_key": "a secret",
        "token": "token",
    }


def test_unsigned_requests_stay_unsigned(store: Store) -> None:
    """No credentials are looked for."""
    config = Config(signature_version=botocore.UNSIGNED, s3={"addressing_style": "path"})
    found = chosen(client_config=config, url=store.url)
    assert found.options is not None
    assert found.options.credentials is None
    assert found.options.config["skip_signature"] is True
    opened(store, client_config=config).upload(source("a.css"))
    assert list(store.objects) == ["a.css"]


class SessionEvents:
    """A session that answers requests by itself, as moto's ``mock_aws`` does."""

    def _create_session(self) -> Any:
        import boto3

        session = boto3.Session(aws_access_key_id="k", aws_secret_access_key="s")
        session.events.register("before-send.s3", lambda request, **_: object())
        return session


@pytest.mark.parametrize(
    ("mixins", "options", "why"),
    [
        ((SessionEvents,), {}, "requests are answered inside this process"),
        ((), {"signature_version": "s3"}, "in another way than by signature version 4"),
        ((), {"client_config": Config(client_cert="x.pem")}, "a client certificate is used"),
        (
            (),
            {"client_config": Config(proxies_config={"proxy_ca_bundle": "x"})},
            "the proxy has options of its own",
        ),
        ((), {"verify": "/no/such/file"}, "the file of certificates cannot be read"),
        (
            (),
            {**AWS, "bucket_name": "arn:aws:s3:us-east-1:123456789012:accesspoint/mine"},
            "the bucket's URL is of an unusual form",
        ),
        ((), {**AWS, "bucket_name": "Bad_Bucket/"}, "botocore cannot sign: ParamValidationError"),
    ],
)
def test_what_only_botocore_can_send_goes_through_it(
    mixins: tuple[type, ...], options: dict[str, Any], why: str
) -> None:
    """With the reason, for -v2."""
    found = chosen(*mixins, **options)
    assert (found.name, found.options) == ("put_object", None)
    assert why in found.why
    assert str(found) == f"put_object ({found.why})"


def test_signatures_in_the_url_are_left_to_botocore() -> None:
    """There is no header to read the region from."""
    made = storage(URL, signature_version="s3v4-query")
    assert "signed in the URL" in choose(made, connect(made, 1)).why


def test_missing_credentials_are_told_by_the_first_real_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not by the choice."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    keyless: dict[str, Any] = {"access_key": None, "secret_key": None}
    assert chosen(**keyless).why == "botocore cannot sign: NoCredentialsError"


def test_without_obstore_the_sdk_sends(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    """And its module is not even imported."""
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name == "obstore" else find(name),
    )
    strategy = opened(store)
    assert strategy.transport() == "s3: put_object (obstore is not installed)"
    strategy.upload(source("a.css"))
    assert list(store.objects) == ["a.css"]


def test_a_mocked_aws_is_not_bypassed() -> None:
    """``mock_aws`` in a user's tests: the object is where their test looks for it."""
    import boto3
    from moto import mock_aws

    with mock_aws():
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="mocked")
        made = storage(URL, **AWS, bucket_name="mocked")
        found = choose(made, connect(made, 1))
        assert found.why == "requests are answered inside this process"


# -- proxies and certificates -------------------------------------------------------------------


def test_proxies_of_the_settings_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """By scheme; those of the environment are obeyed by obstore itself."""
    assert "proxy_url" not in config_of()
    assert config_of(proxies={"http": "http://proxy:1"})["proxy_url"] == "http://proxy:1"
    assert config_of(proxies={"http": "proxy:1"})["proxy_url"] == "http://proxy:1"
    assert "proxy_url" not in config_of(proxies={"https": "http://proxy:1"})
    monkeypatch.setenv("http_proxy", "http://unwanted:1")
    assert "must not be used" in chosen(proxies={"https": "http://proxy:1"}).why


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate."""
    return tls.certificate(tmp_path_factory.mktemp("tls"))


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
@pytest.mark.parametrize("way", ["verify", "no verify", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
@pytest.mark.parametrize("transport", ["obstore", "put_object"])
def test_certificates_are_accepted_as_the_storage_says(
    pem: Path, way: str, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of them, none at all, or the environment's."""
    seen: list[dict[str, str]] = []
    options = {"verify": {"verify": str(pem), "no verify": False}.get(way)}
    if way.isupper():
        monkeypatch.setenv(way, str(pem))
    if transport == "put_object":
        only_sdk(monkeypatch)
    with tls.serve(pem, seen) as url:
        strategy = module_strategy(url, **options)
        assert transport in strategy.transport()
        assert strategy.upload(source("a.css")).etag == "e"
    (headers,) = seen
    assert headers["content-type"] == "text/css"
    assert "expect" not in headers
    assert "content-encoding" not in headers


def test_a_certificate_that_nobody_vouches_for_ends_the_run(
    pem: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line that names the setting."""
    only_sdk(monkeypatch)
    with tls.serve(pem, []) as url:
        config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
        strategy = module_strategy(url, client_config=config)
        with pytest.raises(DestinationError, match=r"its TLS certificate is not accepted.*VERIFY"):
            strategy.upload(source("a.css"))


def module_strategy(url: str, **options: Any) -> Any:
    from collectfasta.strategies.boto3 import Boto3Strategy

    strategy = Boto3Strategy(storage(url, **options))
    strategy.open(1)
    return strategy


# -- the client ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "when_required"),
        ({**AWS}, "when_supported"),
        (
            {"client_config": Config(request_checksum_calculation="when_supported")},
            "when_supported",
        ),
    ],
)
def test_checksums_are_sent_where_they_are_known_to_be_borne(
    options: dict[str, Any], expected: str
) -> None:
    """By Amazon, and where the user says so."""
    client = connect(storage(URL, **options), 4).client
    assert client.meta.config.request_checksum_calculation == expected


def test_checksums_that_the_environment_or_profile_wants_are_sent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The user knows the server."""
    profile = tmp_path / "config"
    profile.write_text("[default]\nrequest_checksum_calculation = when_supported\n")
    with monkeypatch.context() as patch:
        patch.setenv("AWS_CONFIG_FILE", str(profile))
        client = connect(storage(URL), 4).client
        assert client.meta.config.request_checksum_calculation == "when_supported"
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_supported")
    client = connect(storage(URL), 4).client
    assert client.meta.config.request_checksum_calculation == "when_supported"


def test_what_the_user_has_decided_of_the_client_stays() -> None:
    """Retries and time-outs; the pool is as wide as the threads."""
    config = Config(retries={"total_max_attempts": 2}, connect_timeout=3, read_timeout=4)
    client = connect(storage(URL, client_config=config), 40).client
    assert client.meta.config.retries["total_max_attempts"] == 2
    assert client.meta.config.connect_timeout == 3
    assert client.meta.config.read_timeout == 4
    assert client.meta.config.max_pool_connections == 44
    ours = connect(storage(URL), 1).client.meta.config
    assert ours.retries["total_max_attempts"] == 6
    assert ours.connect_timeout == 10
    assert ours.max_pool_connections == 10


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://s3.amazonaws.com", True),
        ("https://s3.cn-north-1.amazonaws.com.cn", True),
        ("https://amazonaws.com.evil.example", False),
        ("http://127.0.0.1:9", False),
    ],
)
def test_amazons_own_service_is_recognised(url: str, expected: bool) -> None:
    """By its host."""
    assert is_aws(url) is expected


def test_bulk_deletes_carry_an_md5_where_it_is_not_amazon(s3_bucket: S3Bucket) -> None:
    """Older MinIO insists on it, and knows no CRC."""
    from collectfasta.strategies.boto3 import Boto3Strategy

    strategy = Boto3Strategy(storage(s3_bucket.endpoint, **s3_bucket.options()))
    strategy.open(1)
    seen: list[Any] = []
    client = strategy._sdk.connection.client
    client.meta.events.register(
        "before-send.s3.DeleteObjects", lambda request, **_: seen.append(request)
    )
    s3_bucket.put("a.css", b"x")
    strategy.delete(["a.css"])
    assert s3_bucket.keys() == []
    headers = {name.lower() for name in seen[0].headers}
    assert "content-md5" in headers
    assert not any(name.startswith("x-amz-checksum") for name in headers)


def test_the_users_own_client_is_left_as_it_is(store: Store) -> None:
    """It may be in use elsewhere."""

    class Own:
        _made: Any = None

        @property
        def connection(self) -> Any:
            if self._made is None:
                import boto3

                session = boto3.Session(aws_access_key_id="k", aws_secret_access_key="s")
                self._made = session.resource("s3", endpoint_url=store.url)
            return self._made

    strategy = opened(store, Own)
    assert strategy._sdk.connection.session is None
    assert strategy._sdk.connection.client is strategy.storage.connection.meta.client
    with pytest.raises(CollectfastaError):
        strategy._sdk.put("a", "a", b"", {"Foo": "bar"})
    assert Watched not in type(strategy.storage).__mro__
