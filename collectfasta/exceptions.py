"""What can go wrong in a run, as the user is told it: one line, with the file or the setting."""

from __future__ import annotations


class CollectfastaError(Exception):
    """Something the user can act on. Printed as one line, exit status 1, no traceback."""

    def __init__(self, message: str, *, name: str = "") -> None:
        super().__init__(message)
        self.name = name
        """The file on the storage that it is about, or an empty string."""


class SettingError(CollectfastaError):
    """A setting has the wrong type or a value that cannot work."""


class SourceError(CollectfastaError):
    """A local file cannot be read, or must not be published."""


class DestinationError(CollectfastaError):
    """The storage as a whole cannot be used: no such bucket, refused key, no answer."""


class UploadError(CollectfastaError):
    """One file could not be written; the others go on."""


class ListingForbidden(CollectfastaError):  # noqa: N818 - an answer that the run copes with, not an error
    """The storage lets us write and look at single objects, but not list them."""


class PostProcessError(CollectfastaError):
    """References that cannot be resolved, or import cycles: nothing is published."""
