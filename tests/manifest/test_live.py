"""The manifest that is live, and a storage whose library has its own word for absent."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.staticfiles.storage import ManifestFilesMixin
from django.core.files.base import File
from django.core.files.storage import storages
from django.test import override_settings

from collectfasta.exceptions import DestinationError
from collectfasta.manifest.live import first_manifest, live_manifest, means_absent, same_manifest
from collectfasta.storage import AbsentManifestMixin
from tests.manifest import kit

if TYPE_CHECKING:
    from pathlib import Path


class ResourceNotFoundError(Exception):
    """What Azure's library raises."""


class AzureLike(kit.Remote):
    """Opens anything, and finds out when it reads."""

    def _open(self, name: str, mode: str = "rb") -> File:
        if name in self.objects:
            return super()._open(name, mode)

        class Lazy(File):
            def read(self, *args: Any) -> bytes:
                raise ResourceNotFoundError("https://host/?signature=secret")

        return Lazy(io.BytesIO(), name)


class AzureManifest(ManifestFilesMixin, AzureLike):
    pass


class OwnReading(AzureManifest):
    def read_manifest(self) -> Any:
        return super().read_manifest()


class Broken(ManifestFilesMixin, kit.Remote):
    def _open(self, name: str, mode: str = "rb") -> File:
        raise PermissionError("https://host/?signature=secret")


class Unrelated(kit.Remote):
    def __init__(self) -> None:
        raise ResourceNotFoundError


def configured(cls: type) -> Any:
    name = f"{cls.__module__}.{cls.__qualname__}"
    return override_settings(STORAGES={"staticfiles": {"BACKEND": name}})


@pytest.mark.parametrize("cls", [AzureManifest, OwnReading])
def test_the_first_run_begins_without_a_manifest(tmp_path: Path, cls: Any) -> None:
    """Where Django cannot construct the storage we can; the class is as before afterwards."""
    own = cls.__dict__.get("read_manifest")
    with configured(cls):
        with pytest.raises(ResourceNotFoundError):
            storages["staticfiles"]
        first_manifest()
        storage = storages["staticfiles"]
        assert type(storage) is cls
        assert storage.hashed_files == {}
        assert cls.__dict__.get("read_manifest") is own
        found = kit.write_tree(tmp_path / "s", {"i.png": "i"})
        run = kit.ours(storage, found)
        assert set(run.manifest["paths"]) == {"i.png"}
        first_manifest()
        assert storages["staticfiles"] is storage


@pytest.mark.parametrize("cls", [Broken, Unrelated])
def test_any_other_failure_is_passed_on(cls: Any) -> None:
    """A refused key is no missing manifest, nor is anything that a storage without one lacks."""
    with configured(cls), pytest.raises((PermissionError, ResourceNotFoundError)):
        first_manifest()


def test_a_failure_of_another_kind_while_it_is_tried_again_is_passed_on() -> None:
    """The first try found nothing, the second is refused."""

    class Flaky(AzureManifest):
        tries = 0

        def read_manifest(self) -> Any:
            Flaky.tries += 1
            if Flaky.tries > 1:
                raise PermissionError
            return super().read_manifest()

    with configured(AzureManifest), pytest.MonkeyPatch.context() as patch:
        patch.setitem(globals(), "AzureManifest", Flaky)
        with pytest.raises(PermissionError):
            first_manifest()


def test_the_mixin_does_the_same_for_other_commands() -> None:
    """The site can start before the first run."""

    class Azure(AbsentManifestMixin, AzureManifest):
        pass

    class Refused(AbsentManifestMixin, Broken):
        pass

    assert Azure().hashed_files == {}
    with pytest.raises(PermissionError):
        Refused()


def test_the_live_manifest_is_read_whatever_the_storage_gives() -> None:
    """Bytes or text; none where there is none."""
    storage = kit.Remote()
    storage.objects["m"] = b"bytes"
    assert live_manifest(storage, "m") == b"bytes"
    assert live_manifest(storage, "n") is None
    assert live_manifest(AzureLike(), "n") is None

    class Texts(kit.Remote):
        def open(self, name: str, mode: str = "rb") -> Any:
            return io.StringIO("é")

    assert live_manifest(Texts(), "m") == "é".encode()


def test_a_manifest_that_cannot_be_read_is_an_error_without_the_librarys_words() -> None:
    """They may hold a signed address."""

    class Refusing(kit.Remote):
        def _open(self, name: str, mode: str = "rb") -> File:
            raise PermissionError("https://host/?signature=secret")

    with pytest.raises(DestinationError) as caught:
        live_manifest(Refusing(), "m.json")
    assert (
        str(caught.value)
        == "The manifest m.json cannot be read from its storage (PermissionError)."
    )


def test_absence_is_known_by_the_names_of_its_classes() -> None:
    """Their modules need not be imported."""

    class BlobGone(ResourceNotFoundError):
        pass

    assert means_absent(BlobGone())
    assert means_absent(FileNotFoundError())
    assert not means_absent(OSError())


@pytest.mark.parametrize(
    ("live", "new", "same"),
    [
        (None, b"{}", False),
        (b"{}", b"{}", True),
        (b'{"a":1,"b":2}', b'{"b": 2, "a": 1}', True),
        (b'{"a":1}', b'{"a":2}', False),
        (b"text", b"text", True),
        (b"text", b"{}", False),
    ],
)
def test_manifests_are_compared_by_what_they_say(
    live: bytes | None, new: bytes, same: bool
) -> None:
    """Order and blanks are nothing."""
    assert same_manifest(live, new) is same
