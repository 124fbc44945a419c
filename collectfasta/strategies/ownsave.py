"""Writing through the storage's own ``save``, where the user has replaced what we would bypass."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import xxhash
from django.core.exceptions import SuspiciousOperation
from django.core.files.base import ContentFile, File

from collectfasta.exceptions import UploadError
from collectfasta.strategies.bodies import changed, read_source, unreadable

if TYPE_CHECKING:
    from collections.abc import Callable

    from collectfasta.items import SourceFile

    Digest = Callable[[SourceFile], bytes]


class OwnSave:
    """The user's storage, made to write in place under exactly the name it is given.

    It is a shallow copy, which shares clients with the original, so that nothing that the rest of
    the program sees is changed.
    """

    def __init__(self, storage: Any, **attributes: Any) -> None:
        self._storage = twin(storage, **attributes)
        self._storage.get_available_name = _same_name

    def write(self, file: SourceFile, limit: int, digest: Digest) -> bytes:
        """Save ``file``; the xxh3_128 of the source bytes that were saved.

        Below ``limit`` bytes they are handed over from memory. A larger file is digested before and
        after, since nobody knows how the storage reads it. Raises ``UploadError`` and
        ``SourceError``.
        """
        data = read_source(file, limit)
        if data is not None:
            self._save(file, ContentFile(data, name=file.name))
            return xxhash.xxh3_128_digest(data)
        before = digest(file)
        if file.data is not None:
            self._save(file, ContentFile(file.data, name=file.name))
            return before
        try:
            source = open(file.path, "rb")  # noqa: SIM115 - an OSError of save is not one of open
        except OSError as error:
            raise unreadable(file, error) from error
        with source:
            self._save(file, File(source, name=file.name))
        if digest(file) != before:
            raise changed(file)
        return before

    def _save(self, file: SourceFile, content: Any) -> None:
        try:
            saved = self._storage.save(file.name, content)
        except SuspiciousOperation as error:
            message = f"{file.name}: the storage refuses the name."
            raise UploadError(message, name=file.name) from error
        if saved != file.name:
            raise UploadError(
                f"{file.name}: the storage's own save has written it as {saved!r}, where nothing "
                "will look for it.",
                name=file.name,
            )


def twin(storage: Any, **attributes: Any) -> Any:
    """A second storage of the same class and state, clients included, but for ``attributes``. Where
    its class makes one of those read-only, it stays as it is."""
    other = object.__new__(type(storage))
    other.__dict__.update(vars(storage))
    for name, value in attributes.items():
        with contextlib.suppress(AttributeError):
            setattr(other, name, value)
    return other


def _same_name(name: str, max_length: int | None = None) -> str:  # noqa: ARG001 - as Django calls it
    return name
