"""What the SDK raises, as one line for the user that names the bucket, the endpoint or a setting.

Messages are our own words with the service's error code: a service's text may hold anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from botocore import exceptions as sdk

from collectfasta.exceptions import (
    CollectfastaError,
    DestinationError,
    ListingForbidden,
    UploadError,
)

_REFUSED = "the key is refused ({code}): look at AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_EXPIRED = "the credentials have expired ({code})"
_REGION = "the bucket is in another region ({code}): look at AWS_S3_REGION_NAME"
_NO_BUCKET = "there is no such bucket ({code}): look at AWS_STORAGE_BUCKET_NAME"
_CLOCK = "this machine's clock is wrong ({code})"

WHOLE = {
    "NoSuchBucket": _NO_BUCKET,
    "InvalidBucketName": _NO_BUCKET,
    "InvalidAccessKeyId": _REFUSED,
    "SignatureDoesNotMatch": _REFUSED,
    "InvalidToken": _REFUSED,
    "InvalidClientTokenId": _REFUSED,
    "UnrecognizedClientException": _REFUSED,
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "TokenRefreshRequired": _EXPIRED,
    "RequestExpired": _EXPIRED,
    "RequestTimeTooSkewed": _CLOCK,
    "PermanentRedirect": _REGION,
    "AuthorizationHeaderMalformed": _REGION,
    "IllegalLocationConstraintException": _REGION,
    "301": _REGION,
    "AccountProblem": "the account is not in order ({code})",
    "AllAccessDisabled": "all access is disabled ({code})",
    "NotSignedUp": "the account is not in order ({code})",
}
"""Error codes that no other file would escape."""

_NO_CREDENTIALS = (
    sdk.NoCredentialsError,
    sdk.PartialCredentialsError,
    sdk.CredentialRetrievalError,
    sdk.TokenRetrievalError,
    sdk.UnauthorizedSSOTokenError,
    sdk.SSOTokenLoadError,
    sdk.NoAuthTokenError,
    sdk.ProfileNotFound,
)
_UNREACHABLE = (sdk.EndpointConnectionError, sdk.ConnectTimeoutError, sdk.ReadTimeoutError)
ERRORS = (sdk.BotoCoreError, sdk.ClientError)
"""What the SDK raises when the service, the network or the credentials are at fault."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run publishes, as messages name it."""

    bucket: str
    endpoint: str

    def __str__(self) -> str:
        return f"bucket {self.bucket!r} at {self.endpoint}"

    def whole(self, error: Exception) -> DestinationError | None:
        """``error`` as one that every file would meet, if it is one."""
        why = _why(error)
        return DestinationError(f"The {self} cannot be used: {why}.") if why else None

    def opening(self, error: Exception) -> DestinationError:
        """What kept a client from being made."""
        return self.whole(error) or DestinationError(
            f"The {self} cannot be used: {type(error).__name__} while its client was made."
        )

    def file(self, error: Exception, name: str) -> CollectfastaError:
        """What kept ``name`` from being written."""
        return self.whole(error) or UploadError(f"{name}: {describe(error)}.", name=name)

    def listing(self, error: Exception) -> CollectfastaError:
        """What kept the bucket from being listed."""
        if code_of(error) in {"AccessDenied", "403", "AllAccessDisabled"}:
            return ListingForbidden(f"The {self} may not be listed with this key.")
        found = self.whole(error)
        return found or DestinationError(f"The {self} cannot be listed: {describe(error)}.")

    def deleting(self, error: Exception) -> DestinationError:
        """What kept objects from being deleted."""
        found = self.whole(error)
        return found or DestinationError(f"The {self} lets nothing be deleted: {describe(error)}.")


def code_of(error: Exception) -> str:
    """The service's error code; empty if the service has not answered."""
    if isinstance(error, sdk.ClientError):
        return str(error.response.get("Error", {}).get("Code", ""))
    return ""


def status_of(error: Exception) -> int:
    """The HTTP status of the service's answer, or 0."""
    if isinstance(error, sdk.ClientError):
        return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return 0


def describe(error: Exception) -> str:
    """A few words, without anything that the service or the SDK has quoted."""
    code, status = code_of(error), status_of(error)
    if code == "AccessDenied" or status == 403:
        return f"access denied ({code or status})"
    if code:
        return f"the storage answered {code}" + (f" ({status})" if str(status) != code else "")
    if isinstance(error, sdk.ParamValidationError):
        named = re.findall(r'parameter(?: in input)?:? "?([A-Za-z]+)', str(error))
        given = ", ".join(dict.fromkeys(name for name in named if name != "validation"))
        return f"S3 takes no such object parameter: {given or 'see the storage'}"
    return f"no answer from the storage ({type(error).__name__})"


def _why(error: Exception) -> str:
    found = WHOLE.get(code_of(error))
    if found is not None:
        return found.format(code=code_of(error))
    if isinstance(error, _NO_CREDENTIALS):
        return "there are no usable credentials: look at AWS_ACCESS_KEY_ID, or the profile's"
    if isinstance(error, sdk.SSLError):
        return "its TLS certificate is not accepted: look at AWS_S3_VERIFY"
    if isinstance(error, sdk.ProxyConnectionError):
        return "the proxy does not answer: look at AWS_S3_PROXIES"
    if isinstance(error, _UNREACHABLE):
        return "it does not answer"
    if isinstance(error, ValueError) and "endpoint" in str(error).lower():
        return "the endpoint is not a URL: look at AWS_S3_ENDPOINT_URL"
    if isinstance(error, sdk.ParamValidationError) and "bucket name" in str(error).lower():
        return "the bucket's name is not valid: look at AWS_STORAGE_BUCKET_NAME"
    return ""


def shown_url(url: str) -> str:
    """A URL without anything in it that could be secret."""
    parts = urlsplit(url)
    if not parts.hostname:
        return url
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path.rstrip('/')}"
