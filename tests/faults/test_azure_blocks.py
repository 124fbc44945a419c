"""Two runs that send the same large file to Azure at once, on the emulator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from storages.backends.azure_storage import AzureStorage

from collectfasta.exceptions import UploadError
from collectfasta.items import SourceFile
from collectfasta.strategies import azure
from collectfasta.strategies.azure import AzureBlobStrategy
from collectfasta.strategies.azureblob.container import Container

if TYPE_CHECKING:
    from tests.places import AzureContainer

ONE, TWO = b"1" * 5000, b"2" * 5000


def strategy(place: AzureContainer) -> AzureBlobStrategy:
    """It sends everything from 1,000 bytes on in blocks of 1,000."""
    made = AzureBlobStrategy(AzureStorage(**place.options()))
    made.open(2)
    made.large = 1000
    made._container.block = 1000
    return made


def source(data: bytes) -> SourceFile:
    return SourceFile("", "big.bin", len(data), data)


def test_blocks_of_two_runs_never_end_up_in_one_blob(
    azure_container: AzureContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other run stages all its blocks between ours and our commit."""
    ours, other = strategy(azure_container), strategy(azure_container)
    commit = Container.commit

    def meanwhile(self: Container, key: str, *args: Any) -> Any:
        if self is ours._container:
            with other.stream(source(TWO), other.headers("big.bin")) as stream:
                other._put_blocks(key, stream)
        return commit(self, key, *args)

    monkeypatch.setattr(Container, "commit", meanwhile)
    ours.upload(source(ONE))
    assert azure_container.objects() == {"big.bin": ONE}


@pytest.mark.parametrize("size", [10, 5000])
def test_an_upload_whose_blocks_another_run_has_discarded_begins_again(
    azure_container: AzureContainer, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """The other run publishes the file, in whatever way, between our blocks and our commit."""
    ours, other = strategy(azure_container), strategy(azure_container)
    commit = Container.commit
    met: list[str] = []

    def meanwhile(self: Container, key: str, *args: Any) -> Any:
        if self is ours._container and not met:
            met.append(key)
            other.upload(source(TWO[:size]))
        return commit(self, key, *args)

    monkeypatch.setattr(Container, "commit", meanwhile)
    sent = ours.upload(source(ONE))
    assert met
    assert azure_container.objects() == {"big.bin": ONE}
    remote = ours.head("big.bin")
    assert remote is not None
    assert remote.etag == sent.etag


def test_it_does_not_begin_again_for_ever(
    azure_container: AzureContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody writes the same blob all the time: the file is named."""
    monkeypatch.setattr(azure, "TRIES", 2)
    ours, other = strategy(azure_container), strategy(azure_container)
    commit = Container.commit

    def meanwhile(self: Container, key: str, *args: Any) -> Any:
        if self is ours._container:
            other.upload(source(TWO))
        return commit(self, key, *args)

    monkeypatch.setattr(Container, "commit", meanwhile)
    with pytest.raises(UploadError, match=r"big\.bin: somebody else writes it as well"):
        ours.upload(source(ONE))
    assert azure_container.objects() == {"big.bin": TWO}
