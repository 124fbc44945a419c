"""The manifest that is published now, read in a way that copes with there being none yet."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

from django.contrib.staticfiles.storage import ManifestFilesMixin
from django.core.files.storage import storages
from django.utils.module_loading import import_string

from collectfasta.exceptions import DestinationError

if TYPE_CHECKING:
    from collections.abc import Iterator

_ABSENT = frozenset(
    ["FileNotFoundError", "ResourceNotFoundError", "NotFound", "NoSuchKey", "BlobNotFound"]
)
"""What libraries call it. Known by name: their modules are not ours to import."""


def means_absent(error: BaseException) -> bool:
    """Whether ``error`` is a library's way to say that there is no such file."""
    return any(cls.__name__ in _ABSENT for cls in type(error).__mro__)


def live_manifest(manifest_storage: Any, name: str) -> bytes | None:
    """The bytes of the published manifest, ``None`` if there is none. One request.

    Raises ``DestinationError`` if it cannot be read for any other reason.
    """
    try:
        with manifest_storage.open(name) as file:
            data = file.read()
    except Exception as error:
        if means_absent(error):
            return None
        raise DestinationError(
            f"The manifest {name} cannot be read from its storage ({type(error).__name__}).",
            name=name,
        ) from error
    return data.encode() if isinstance(data, str) else bytes(data)


def same_manifest(live: bytes | None, new: bytes) -> bool:
    """Whether two manifests say the same: Django 5.2 writes them in no particular order."""
    if live is None or live == new:
        return live is not None
    try:
        return bool(json.loads(live) == json.loads(new))
    except ValueError:
        return False


def first_manifest(alias: str = "staticfiles") -> None:
    """Construct the storage ``alias``, even where it has no manifest yet.

    Django's classes read the manifest when they are constructed, and expect ``FileNotFoundError``
    where there is none. Azure's storage raises an error of its own, so without this its first run
    could not even begin. Afterwards ``storages[alias]`` is that storage.
    """
    try:
        storages[alias]
    except Exception as error:
        cls = import_string(storages.backends[alias]["BACKEND"])
        if not (means_absent(error) and issubclass(cls, ManifestFilesMixin)):
            raise
        with _absent_is_empty(cls):
            storages[alias]


@contextlib.contextmanager
def _absent_is_empty(cls: Any) -> Iterator[None]:
    """While a storage is constructed: a manifest that is not there reads as none."""
    own = cls.__dict__.get("read_manifest")
    inherited = cls.read_manifest

    def read_manifest(self: Any) -> Any:
        try:
            return inherited(self)
        except Exception as error:
            if means_absent(error):
                return None
            raise

    cls.read_manifest = read_manifest
    try:
        yield
    finally:
        if own is None:
            del cls.read_manifest
        else:
            cls.read_manifest = own
