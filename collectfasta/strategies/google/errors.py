"""Google's errors in one line, without the URLs that they carry: an upload's is a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

import requests
import urllib3.exceptions
from google.api_core import exceptions as api
from google.auth import exceptions as auth

from collectfasta.exceptions import CollectfastaError, DestinationError, UploadError

if TYPE_CHECKING:
    from collections.abc import Iterator

ERRORS: tuple[type[Exception], ...] = (
    api.GoogleAPIError,
    auth.GoogleAuthError,
    requests.RequestException,
    ConnectionError,
    TimeoutError,
)
"""What the client raises when the service, the network or the credentials are at fault."""

_ANSWERS = {
    401: "does not accept the credentials",
    403: "refuses it",
    404: "says that there is no such bucket",
    429: "asks for fewer requests, even after retries",
}
_WHOLE = (401, 404)
"""Answers to an upload that every other file would get as well."""


class Translator:
    """Says what an error means for one bucket, without a word of what the library says of it."""

    def __init__(self, bucket: str, endpoint: str) -> None:
        self._where = f"bucket {bucket!r} at {endpoint}"

    def destination(self, error: Exception) -> DestinationError:
        """An error that concerns the bucket as a whole."""
        return DestinationError(f"Google Cloud Storage, {self._where}: {_reason(error)}.")

    def upload(self, error: Exception, name: str) -> CollectfastaError:
        """An error in writing ``name``: of that file, or of them all where nothing can be written
        any more."""
        cause = _cause(error)
        if isinstance(cause, auth.GoogleAuthError) or status(cause) in _WHOLE or no_door(cause):
            return self.destination(cause)
        return UploadError(f"{name}: Google Cloud Storage: {_reason(cause)}.", name=name)


def status(error: Exception) -> int:
    """The HTTP status that the service answered, or 0."""
    cause = _cause(error)
    return int(cause.code or 0) if isinstance(cause, api.GoogleAPICallError) else 0


def no_door(error: Exception) -> bool:
    """Whether no connection could be made at all, after retries: refused, or no such host."""
    inner = error.args[0] if error.args else None
    reason = getattr(inner, "reason", None)
    return isinstance(reason, urllib3.exceptions.NewConnectionError)


def _chain(error: Exception) -> Iterator[Exception]:
    seen: Exception | None = error
    while isinstance(seen, Exception):
        yield seen
        if isinstance(seen, api.RetryError):
            seen = seen.cause
        elif isinstance(seen, auth.TransportError) and seen.args:
            seen = seen.args[0] if isinstance(seen.args[0], Exception) else None
        else:
            seen = None


def _cause(error: Exception) -> Exception:
    """What lies behind a retry that has run out of time, or behind a failed sign-in."""
    return list(_chain(error))[-1]


def _reason(error: Exception) -> str:
    cause = _cause(error)
    if isinstance(cause, api.GoogleAPICallError):
        code = status(cause)
        return f"the service {_ANSWERS.get(code, 'answers')} (HTTP {code}){_permission(cause)}"
    if isinstance(cause, auth.InvalidOperation):  # anonymous ones, which cannot be renewed
        return f"the service {_ANSWERS[401]}"
    if isinstance(cause, auth.DefaultCredentialsError):
        return "no credentials were found; set GS_CREDENTIALS or GOOGLE_APPLICATION_CREDENTIALS"
    if isinstance(cause, auth.GoogleAuthError):
        return f"the credentials cannot be used ({type(cause).__name__})"
    if isinstance(cause, (requests.Timeout, TimeoutError)):
        return "the service does not answer in time"
    return f"the service cannot be reached ({_network(cause)})"


def _network(error: Exception) -> str:
    text = str(error)
    for sign, words in (
        ("refused", "connection refused"),
        ("resolve", "unknown host"),
        ("certificate", "its certificate is not trusted"),
        ("SSL", "TLS failure"),
    ):
        if sign in text:
            return words
    return type(error).__name__


def _permission(error: api.GoogleAPICallError) -> str:
    """The permission that is missing, where the answer names it: ``storage.objects.create``."""
    for quoted in str(error).split():
        word = quoted.strip("'\".,;:()")
        if word.startswith("storage.") and word.count(".") == 2 and word.isascii():
            return f", {word} is missing"
    return ""
