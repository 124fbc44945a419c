"""What a storage's own ``save`` reads of a file, and what its errors are worth."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any

import pytest
from django.core.files.base import ContentFile

from collectfasta.exceptions import SourceError, UploadError
from collectfasta.strategies import contents
from collectfasta.strategies.generic import GenericStrategy
from tests.strategies.kit import LARGE, PlainStorage, TimedStorage, digest, source

if TYPE_CHECKING:
    from pathlib import Path


def read_of(data: bytes) -> contents.Watched:
    raw = io.BytesIO(data)
    return contents.Watched(raw, len(data))


def test_from_start_to_end(tmp_path: Path) -> None:
    """Also after a look at the beginning, and with a jump to the end to find the size."""
    file = source(tmp_path, "a", b"0123456789")
    watched = read_of(b"0123456789")
    assert watched.read(3) == b"012"
    assert watched.seek(0, os.SEEK_END) == 10
    assert watched.tell() == 10
    watched.seek(0)
    assert watched.read() == b"0123456789"
    assert watched.xxh3() == digest(file).xxh3
    assert watched.readable()
    assert watched.seekable()


def test_with_a_gap() -> None:
    """What was not read cannot be vouched for."""
    watched = read_of(b"0123456789")
    watched.read(3)
    watched.seek(5)
    watched.read()
    assert watched.xxh3() is None
    watched.seek(8)
    watched.read()  # as many bytes as there are, but not these
    assert watched.xxh3() is None


def test_only_a_part(tmp_path: Path) -> None:
    """Then nothing is recorded of the upload."""

    class Half(TimedStorage):
        def _save(self, name: str, content: Any) -> str:
            return super()._save(name, ContentFile(content.read(2)))

    sent = GenericStrategy(Half()).upload(source(tmp_path, "a", b"0123"))
    assert (sent.etag, sent.xxh3) == ("", b"")


def test_a_large_file_that_changes_fails(tmp_path: Path) -> None:
    """Small files are read at once; large ones are looked at before and after."""
    file = source(tmp_path, "a", b"1" * LARGE)

    class Slow(PlainStorage):
        def _save(self, name: str, content: Any) -> str:
            os.utime(file.path, (1, 1))
            return super()._save(name, content)

    with pytest.raises(UploadError, match="changed while it was read"):
        GenericStrategy(Slow()).upload(file)


def test_a_storage_may_close_the_file(tmp_path: Path) -> None:
    """As s3transfer does with what it has sent."""
    file = source(tmp_path, "a", b"1" * LARGE)

    class Closing(PlainStorage):
        def _save(self, name: str, content: Any) -> str:
            saved = super()._save(name, content)
            content.file._raw.close()
            content.close()
            return saved

    storage = Closing()
    assert GenericStrategy(storage).upload(file).xxh3 == digest(file).xxh3
    assert len(storage.files["a"]) == LARGE


def test_a_file_that_is_gone_when_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two looks, anything may happen."""
    file = source(tmp_path, "a", b"1" * LARGE)
    monkeypatch.setattr(contents, "read_source", lambda file, limit: os.unlink(file.path))
    with pytest.raises(SourceError, match=r"^a: cannot read \S+: No such file or directory\.$"):
        GenericStrategy(PlainStorage()).upload(file)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError(), "ValueError"),
        (ValueError("one\n two."), "ValueError: one two"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError("odd"), "OSError: odd"),
        (ValueError("at s3://key:secret@host/a"), "ValueError: at s3://host/a"),
        (ValueError("'https://h/a?b=secret', c?"), "ValueError: 'https://h/a', c?"),
        (ValueError("x" * 500), f"ValueError: {'x' * 200}…"),
    ],
)
def test_errors_are_one_line_without_secrets(error: Exception, text: str) -> None:
    """Whatever a library puts into its message."""
    assert contents.one_line(error) == text


def test_an_error_of_ours_is_passed_on_as_it_is() -> None:
    """It has its sentence already."""
    error = SourceError("a: gone.", name="a")

    def question() -> None:
        raise error

    with pytest.raises(SourceError) as caught:
        contents.asked("a", "cannot be saved", question)
    assert caught.value is error
