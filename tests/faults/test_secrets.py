"""Nothing secret is ever shown: not in output, reports, logs or exceptions, at any verbosity.

Each service answers with an error, and some say aloud what they were sent.
"""

from __future__ import annotations

import base64
import json
import logging
import traceback
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command
from django.test.utils import override_settings

from collectfasta.exceptions import CollectfastaError
from tests import support
from tests.faults.conftest import DUMMY
from tests.places import AZURE, GCS, S3_STATIC
from tests.servers import free_port
from tests.strategies.service import Answer, Request, serve

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECRET = "c0ffee5ec7e7"
KEY = base64.b64encode(SECRET.encode() * 4).decode()
SHOWN = (SECRET, KEY, "X-Amz-Signature", "Bearer ")


def s3(url: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    return support.static_storages(
        S3_STATIC,
        {
            "bucket_name": "static",
            "endpoint_url": url.replace("http://", f"http://user:{SECRET}@"),
            "access_key": f"AKIA{SECRET}",
            "secret_key": f"key{SECRET}",
            "security_token": f"token{SECRET}",
            "region_name": "us-east-1",
            "addressing_style": "path",
        },
    )


def gcs(url: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    from google.oauth2.credentials import Credentials

    monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
    options = {"bucket_name": "static", "project_id": "p", "credentials": Credentials(SECRET)}  # type: ignore[no-untyped-call]  # Google's
    return support.static_storages(GCS, options)


def azure(url: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    connection = f"BlobEndpoint={url}/account;AccountName=account;AccountKey={KEY}"
    options = {"azure_container": "static", "connection_string": connection}
    return support.static_storages(AZURE, options)


def azure_sas(url: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    connection = f"BlobEndpoint={url}/account;SharedAccessSignature=sv=2024&sig={SECRET}"
    options = {"azure_container": "static", "connection_string": connection}
    return support.static_storages(AZURE, options)


CLOUDS = [s3, gcs, azure, azure_sas]


def telling(status: int) -> Callable[[Request], Answer]:
    """An error that quotes the request, in every format."""

    def answer(request: Request) -> Answer:
        quoted = f"{request.path} {request.headers}".replace("<", "").replace('"', "")
        if request.path.startswith("/storage") or "uploadType" in request.path:
            body = json.dumps({"error": {"code": status, "message": quoted}})
            return Answer(status, body.encode(), {"Content-Type": "application/json"})
        body = f"<Error><Code>Odd</Code><Message>{quoted.replace('&', '')}</Message></Error>"
        return Answer(status, body.encode(), {"Content-Type": "application/xml"})

    return answer


def silent(status: int) -> Callable[[Request], Answer]:
    return lambda request: Answer(status)


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch, impatient: None) -> None:
    """No SDK waits long before it gives up."""
    from google.cloud.storage.retry import DEFAULT_RETRY

    from collectfasta.strategies.azureblob import container
    from collectfasta.strategies.google import bucket

    at_once = {"initial_backoff": 0.01, "increment_base": 0, "random_jitter_range": 0.01}
    monkeypatch.setattr(container, "_HURRY", at_once)
    monkeypatch.setattr(bucket, "LOOK_SECONDS", 0.2)
    short = DEFAULT_RETRY.with_delay(initial=0.05).with_timeout(0.3)
    monkeypatch.setattr(bucket, "DEFAULT_RETRY", short)


def settings_for(source: Path, storages: dict[str, Any]) -> dict[str, Any]:
    return {"STATICFILES_DIRS": [str(source)], "STORAGES": storages, "CACHES": DUMMY}


def nothing_shown(*texts: str) -> bool:
    for text in texts:
        for secret in SHOWN:
            assert secret not in text, text
    return True


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 500])
def test_an_error_that_quotes_the_request_is_not_quoted(
    tree: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    cloud: Callable[..., dict[str, Any]],
    status: int,
) -> None:
    """At the highest verbosity, with a report."""
    caplog.set_level(logging.INFO)
    report = tmp_path / "report.json"
    with serve(telling(status)) as service:
        storages = cloud(service.url, monkeypatch)
        settings = settings_for(tree({"a.css": b"a", "b.css": b"b"}), storages)
        result = support.collect(
            "--report", str(report), "--verify-headers", settings=settings, verbosity=3
        )
        assert service.seen
    assert result.status == 1
    assert "Traceback" not in result.output
    written = report.read_text() if report.exists() else ""
    assert nothing_shown(result.output, written, caplog.text)


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize("status", [0, 401, 403, 500])
def test_exceptions_with_all_their_causes_tell_no_secret(
    tree: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    cloud: Callable[..., dict[str, Any]],
    status: int,
) -> None:
    """As ``COLLECTFASTA_DEBUG`` raises them. Status 0: nobody is there."""
    source = tree({"a.css": b"a"})
    with serve(silent(status)) as service:
        url = service.url if status else f"http://127.0.0.1:{free_port()}"
        settings = settings_for(source, cloud(url, monkeypatch))
        with (
            override_settings(**settings, COLLECTFASTA_DEBUG=True),
            pytest.raises(CollectfastaError) as caught,
        ):
            call_command("collectstatic", interactive=False, verbosity=0)
    assert nothing_shown("".join(traceback.format_exception(caught.value)))


@pytest.mark.parametrize("cloud", CLOUDS)
def test_what_is_kept_in_the_cache_is_plain_text_without_secrets(
    monkeypatch: pytest.MonkeyPatch, cloud: Callable[..., dict[str, Any]]
) -> None:
    """Neither keys nor identities are made of anything secret, and values are strings."""
    from django.core.files.storage import storages

    from collectfasta.strategies.choice import load_strategy

    with override_settings(STORAGES=cloud("http://127.0.0.1:9", monkeypatch)):
        strategy = load_strategy(None, storages["staticfiles"])
        assert nothing_shown(
            strategy.identity(), strategy.transport(), repr(strategy.log_details())
        )


def test_a_successful_run_shows_no_secret(
    store: Any, tree: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor does the cache hold one, and its values are plain strings."""
    from tests.model import cache
    from tests.places import S3Bucket

    caplog.set_level(logging.INFO)
    report = tmp_path / "report.json"
    options = {"access_key": f"AKIA{SECRET}", "secret_key": SECRET, "security_token": SECRET}
    settings = settings_for(
        tree({"a.css": b"a"}), S3Bucket(store.url, store.name).storages(**options)
    )
    settings["CACHES"] = cache.SETTING
    cache.restore({})
    for _ in range(2):
        result = support.collect("--report", str(report), settings=settings, verbosity=3)
        assert result.status == 0
        assert nothing_shown(result.output, report.read_text(), caplog.text)
    kept = cache.entries()
    assert kept
    assert all(type(value) is str for value in kept.values())
    assert nothing_shown(repr(kept))
    cache.restore({})
