"""A comparison that reads a file again asks whether it is still what was hashed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import google_crc32c
import pytest
from google.auth.credentials import AnonymousCredentials
from storages.backends.gcloud import GoogleCloudStorage

from collectfasta.items import Digest, RemoteObject, SourceFile
from collectfasta.pipeline.hash import digest_of
from collectfasta.strategies.gcloud import GoogleCloudStrategy

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=["small", "large"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> SourceFile:
    """It holds ``edited`` by now."""
    path = tmp_path / "a.bin"
    path.write_bytes(b"edited" * (5 if request.param == "small" else 200_000))
    return SourceFile(str(path), "a.bin", path.stat().st_size)


@pytest.mark.parametrize("edited", [False, True])
@pytest.mark.parametrize("kind", ["crc32c", "md5"])
def test_on_google(file: SourceFile, kind: str, edited: bool) -> None:
    """By CRC-32C, as of composite objects, and by MD5 where it has to be made."""
    credentials: Any = AnonymousCredentials()
    storage = GoogleCloudStorage(bucket_name="b", project_id="p", credentials=credentials)
    strategy = GoogleCloudStrategy(storage)
    strategy.large = 100_000
    with open(file.path, "rb") as source:
        now = source.read()
    shown = {
        "crc32c": f"crc32c:{google_crc32c.value(now):08x}",
        "md5": f"md5:{hashlib.md5(now).hexdigest()}",
    }
    remote = RemoteObject("a.bin", len(now), "e", shown[kind])
    hashed = digest_of(b"before" * (len(now) // 6) if edited else now)
    assert hashed == Digest(hashed.xxh3, None, len(now))
    assert bool(strategy.same_bytes(file, hashed, remote)) is not edited
