"""What the SDK raises becomes one line that names bucket, endpoint or setting, and no secret."""

from __future__ import annotations

from typing import Any

import pytest
from botocore import exceptions as sdk

from collectfasta.exceptions import DestinationError, ListingForbidden, UploadError
from collectfasta.strategies.s3.errors import Place, code_of, describe, shown_url, status_of

PLACE = Place("static", "http://host:9")


def client_error(code: str, status: int, message: str = "AKIASECRET") -> sdk.ClientError:
    answer: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return sdk.ClientError(answer, "PutObject")


WHOLE = [
    (client_error("NoSuchBucket", 404), "there is no such bucket (NoSuchBucket)"),
    (client_error("InvalidAccessKeyId", 403), "the key is refused (InvalidAccessKeyId)"),
    (client_error("SignatureDoesNotMatch", 403), "AWS_SECRET_ACCESS_KEY"),
    (client_error("ExpiredToken", 400), "the credentials have expired"),
    (client_error("RequestTimeTooSkewed", 403), "this machine's clock is wrong"),
    (client_error("PermanentRedirect", 301), "AWS_S3_REGION_NAME"),
    (sdk.NoCredentialsError(), "there are no usable credentials"),
    (sdk.ProfileNotFound(profile="x"), "there are no usable credentials"),
    (sdk.SSLError(endpoint_url="https://k:s@h", error="x"), "AWS_S3_VERIFY"),
    (sdk.ProxyConnectionError(proxy_url="http://user:pass@proxy"), "AWS_S3_PROXIES"),
    (sdk.EndpointConnectionError(endpoint_url="http://h/?sig=AKIASECRET"), "it does not answer"),
    (sdk.ConnectTimeoutError(endpoint_url="http://h/?sig=AKIASECRET"), "it does not answer"),
    (sdk.ReadTimeoutError(endpoint_url="http://h/?sig=AKIASECRET"), "it does not answer"),
    (ValueError("Invalid endpoint: x"), "AWS_S3_ENDPOINT_URL"),
    (
        sdk.ParamValidationError(report='Invalid bucket name "B/": Bucket name must match'),
        "AWS_STORAGE_BUCKET_NAME",
    ),
]


@pytest.mark.parametrize(("error", "line"), WHOLE, ids=lambda value: str(type(value).__name__))
def test_what_no_file_would_escape_ends_the_run(error: Exception, line: str) -> None:
    """Whatever was being done."""
    for found in (PLACE.file(error, "a.css"), PLACE.listing(error), PLACE.deleting(error)):
        assert type(found) is DestinationError
        text = str(found)
        assert text.startswith("The bucket 'static' at http://host:9 cannot be used: ")
        assert line in text
        assert text.endswith(".")
        assert "\n" not in text
        assert not any(secret in text for secret in ("AKIASECRET", "pass", "k:s"))


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (client_error("AccessDenied", 403), "a.css: access denied (AccessDenied)."),
        (client_error("InternalError", 500), "a.css: the storage answered InternalError (500)."),
        (client_error("400", 400), "a.css: the storage answered 400."),
        (
            sdk.ConnectionClosedError(endpoint_url="http://h/?sig=AKIASECRET"),
            "a.css: no answer from the storage (ConnectionClosedError).",
        ),
        (
            sdk.ParamValidationError(
                report='Unknown parameter in input: "Foo", must be one of: ACL\n'
                "Invalid type for parameter SSECustomerKey, value: AKIASECRET"
            ),
            "a.css: S3 takes no such object parameter: Foo, SSECustomerKey.",
        ),
        (
            sdk.ParamValidationError(report="something else"),
            "a.css: S3 takes no such object parameter: see the storage.",
        ),
    ],
)
def test_what_concerns_one_file_names_it(error: Exception, line: str) -> None:
    """The others go on."""
    found = PLACE.file(error, "a.css")
    assert type(found) is UploadError
    assert (str(found), found.name) == (line, "a.css")


def test_a_listing_that_is_forbidden_is_told_apart() -> None:
    """By the code, or where there is no body by the status."""
    for code in ("AccessDenied", "403"):
        assert type(PLACE.listing(client_error(code, 403))) is ListingForbidden
    other = PLACE.listing(client_error("InternalError", 500))
    assert str(other) == (
        "The bucket 'static' at http://host:9 cannot be listed: "
        "the storage answered InternalError (500)."
    )


def test_deleting_and_opening_have_their_own_words() -> None:
    """For what is no error of the whole."""
    denied = client_error("AccessDenied", 403)
    assert "lets nothing be deleted: access denied" in str(PLACE.deleting(denied))
    assert "ValueError while its client was made" in str(PLACE.opening(ValueError("x")))


def test_an_error_that_is_no_answer_has_no_code() -> None:
    """And no status."""
    assert (code_of(ValueError()), status_of(ValueError())) == ("", 0)
    assert describe(client_error("AccessDenied", 0)) == "access denied (AccessDenied)"


def test_a_url_is_shown_without_what_may_be_secret() -> None:
    """No user, no password, no query; anything else as it is."""
    assert shown_url("https://user:pass@host/x/?token=1") == "https://host/x"
    assert shown_url("http://[::1]:9") == "http://::1:9"
    assert shown_url("AWS") == "AWS"
