"""Which transport a storage's files take, and why."""

from __future__ import annotations

import datetime as dt
import importlib.util
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies

from storages.backends.s3 import S3Storage

from collectfasta.strategies.overrides import overridden
from collectfasta.strategies.s3.errors import ERRORS
from collectfasta.strategies.s3.probe import NoRoute, Route, find_route

if TYPE_CHECKING:
    from collections.abc import Callable

    from collectfasta.strategies.s3.client import Connection
    from collectfasta.strategies.s3.fast import Options

REPLACED = (
    "save",
    "_save",
    "get_available_name",
    "exists",
    "connection",
    "bucket",
    "_get_write_parameters",
)
"""What a transport of ours stands in for. ``_compress_content``, ``get_object_parameters``,
``_normalize_name`` and ``_create_session`` are called, not replaced."""

_FOREIGN = (
    "AWS_ALLOW_INVALID_CERTIFICATES",
    "AWS_CHECKSUM_ALGORITHM",
    "AWS_DEFAULT_CONTENT_TYPE",
    "AWS_DISABLE_TAGGING",
    "AWS_HTTP2_ONLY",
    "AWS_PROXY_CA_CERTIFICATE",
    "AWS_PROXY_EXCLUDES",
    "AWS_PROXY_URL",
    "AWS_REQUEST_PAYER",
    "AWS_S3_EXPRESS",
    "AWS_SERVER_SIDE_ENCRYPTION",
    "AWS_SKIP_SIGNATURE",
    "AWS_SSE_BUCKET_KEY_ENABLED",
    "AWS_SSE_CUSTOMER_KEY_BASE64",
    "AWS_SSE_KMS_KEY_ID",
    "AWS_UNSIGNED_PAYLOAD",
)
"""Environment variables that obstore obeys and boto3 does not know."""

TTL = dt.timedelta(seconds=60)
"""How long credentials are used before the session is asked again."""


@dataclass(frozen=True, slots=True)
class Choice:
    """``name`` is ``obstore``, ``put_object`` or ``save``; ``why`` is empty for the fastest."""

    name: str
    why: str = ""
    options: Options | None = None

    def __str__(self) -> str:
        return f"{self.name} ({self.why})" if self.why else self.name


def own_save(storage: Any) -> Choice | None:
    """The storage's own ``save``, if the user has replaced what a faster way would bypass."""
    name = overridden(storage, S3Storage, REPLACED)
    return Choice("save", f"{type(storage).__name__} overrides {name}") if name else None


def choose(storage: Any, connection: Connection) -> Choice:
    """Between obstore and the SDK. Sends nothing; may fetch credentials."""
    if importlib.util.find_spec("obstore") is None:
        return Choice("put_object", "obstore is not installed")
    try:
        options = _options(storage, connection)
    except ImportError:
        return Choice("put_object", "obstore cannot be imported")
    except NoRoute as error:
        return Choice("put_object", str(error))
    except ERRORS as error:  # the first real request will say it in full
        return Choice("put_object", f"botocore cannot sign: {type(error).__name__}")
    return Choice("obstore", "", options)


def _options(storage: Any, connection: Connection) -> Options:
    from collectfasta.strategies.s3.fast import Options

    foreign = next((name for name in _FOREIGN if name in os.environ), "")
    if foreign:
        raise NoRoute(f"{foreign} is set in the environment")
    route = find_route(connection.client, connection.bucket)
    return Options(
        connection.bucket,
        _config(route, connection),
        _client_options(storage, connection, route),
        _credentials(connection, route),
    )


def _config(route: Route, connection: Connection) -> dict[str, Any]:
    config: dict[str, Any] = {
        "endpoint": route.endpoint,
        "region": route.region,
        "virtual_hosted_style_request": route.virtual,
    }
    if "AWS_ENDPOINT_URL_S3" in os.environ:  # obstore would prefer it
        config["aws_endpoint_url_s3"] = route.endpoint
    if not route.signed:
        config["skip_signature"] = True
    if connection.aws:  # it is computed anyway, and buckets with object lock insist on one
        config["checksum_algorithm"] = "sha256"
    return config


def _client_options(storage: Any, connection: Connection, route: Route) -> dict[str, Any]:
    config = connection.client.meta.config
    if config.client_cert is not None:
        raise NoRoute("a client certificate is used")
    options: dict[str, Any] = {"allow_http": route.endpoint.startswith("http:")}
    options.update(_proxy(config, route.endpoint.partition(":")[0]))
    options.update(_certificates(storage, connection))
    return options


def _proxy(config: Any, scheme: str) -> dict[str, Any]:
    """Proxies of the environment are obeyed by obstore as they are by botocore."""
    if config.proxies_config:
        raise NoRoute("the proxy has options of its own")
    if config.proxies is None:
        return {}
    proxy = config.proxies.get(scheme)
    if proxy:
        return {"proxy_url": proxy if "://" in proxy else f"http://{proxy}"}
    if getproxies():
        raise NoRoute("a proxy of the environment must not be used")
    return {}


def _certificates(storage: Any, connection: Connection) -> dict[str, Any]:
    verify = storage.verify
    if verify is None:
        inner = getattr(connection.session, "_session", None)
        configured = inner.get_config_variable("ca_bundle") if inner is not None else None
        verify = configured or os.environ.get("REQUESTS_CA_BUNDLE")
    if verify is False:
        return {"allow_invalid_certificates": True}
    if verify is None or verify is True:
        return {}
    try:
        with open(verify, "rb") as bundle:
            return {"root_certificate": bundle.read()}
    except OSError as error:
        raise NoRoute("the file of certificates cannot be read") from error


def _credentials(connection: Connection, route: Route) -> Callable[[], Any] | None:
    if not route.signed:
        return None
    credentials = connection.session.get_credentials()
    if credentials is None:
        raise NoRoute("the session shows no credentials")

    def current() -> dict[str, Any]:
        frozen = credentials.get_frozen_credentials()
        return {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "token": frozen.token,
            "expires_at": dt.datetime.now(dt.UTC) + TTL,
        }

    return current
