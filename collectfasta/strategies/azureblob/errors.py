"""Azure's errors in one line, without the URLs that they carry: a SAS token is part of them."""

from __future__ import annotations

from azure.core import exceptions as azure

from collectfasta.exceptions import CollectfastaError, DestinationError, UploadError

ERRORS: tuple[type[Exception], ...] = (azure.AzureError,)
"""What the client raises when the service, the network or the credentials are at fault."""

_REFUSED_KEY = {
    "AuthenticationFailed",
    "AccountIsDisabled",
    "InvalidAuthenticationInfo",
    "KeyBasedAuthenticationNotPermitted",
    "NoAuthenticationInformation",
    "PublicAccessNotPermitted",
}
_NO_CONTAINER = {"ContainerNotFound", "ContainerBeingDeleted", "ContainerDisabled"}


class Translator:
    """Says what an error means for one container, without a word of what the library says of it."""

    def __init__(self, container: str, account: str) -> None:
        self._where = f"container {container!r} at {account}"

    def destination(self, error: Exception) -> DestinationError:
        """An error that concerns the container as a whole."""
        return DestinationError(f"Azure Blob Storage, {self._where}: {_reason(error)}.")

    def upload(self, error: Exception, name: str) -> CollectfastaError:
        """An error in writing ``name``: of that file, or of them all where nothing can be written
        any more."""
        if key_refused(error) or code_of(error) in _NO_CONTAINER or _unreachable(error):
            return self.destination(error)
        return UploadError(f"{name}: Azure Blob Storage: {_reason(error)}.", name=name)


def code_of(error: Exception) -> str:
    """The service's own word for it: ``ContainerNotFound``; empty if it did not answer."""
    code = getattr(error, "error_code", None) or ""
    return str(getattr(code, "value", code))


def status(error: Exception) -> int:
    """The HTTP status that the service answered, or 0."""
    return int(getattr(error, "status_code", None) or 0)


def key_refused(error: Exception) -> bool:
    """Whether the service does not know us, rather than forbidding one thing.

    ``AuthorizationFailure`` can be either; only its message tells.
    """
    if code_of(error) in _REFUSED_KEY:
        return True
    if isinstance(error, azure.ClientAuthenticationError):
        return status(error) != 403
    return code_of(error) == "AuthorizationFailure" and "authenticate" in str(error)


def _unreachable(error: Exception) -> bool:
    """No connection could be made at all, after retries."""
    return isinstance(error, azure.ServiceRequestError) and not isinstance(
        error, azure.ServiceRequestTimeoutError
    )


def _reason(error: Exception) -> str:
    code = code_of(error)
    if key_refused(error):
        said = f" ({code})" if code else ""
        return f"the service does not accept the credentials{said}"
    if code in _NO_CONTAINER:
        return f"the service says that there is no such container ({code})"
    timed_out = (azure.ServiceRequestTimeoutError, azure.ServiceResponseTimeoutError)
    if isinstance(error, timed_out):
        return "the service does not answer in time"
    if isinstance(error, azure.ServiceRequestError):
        return f"the service cannot be reached ({_network(error)})"
    if status(error):
        said = f", {code}" if code else ""
        return f"the service answers with an error (HTTP {status(error)}{said})"
    return f"the request failed ({type(error).__name__})"


def _network(error: Exception) -> str:
    text = str(error)
    for sign, words in (
        ("refused", "connection refused"),
        ("resolve", "unknown host"),
        ("certificate", "its certificate is not trusted"),
    ):
        if sign in text:
            return words
    return type(error).__name__
