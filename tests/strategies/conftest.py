"""Fixtures of the tests of both Google Cloud Storage and Azure Blob Storage."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

import pytest

from collectfasta.items import SourceFile
from tests.strategies.clouds import MIB, Cloud

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=["gcs", "azure"])
def cloud(request: pytest.FixtureRequest) -> Cloud:
    """Each of the two."""
    fixture = {"gcs": "gcs_bucket", "azure": "azure_container"}[request.param]
    return Cloud(request.param, request.getfixturevalue(fixture))


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """``METHOD path`` of every request that a strategy sends, as it goes.

    Google's SDK looks at each bucket once, in the background, for its traces: that is not ours.
    """
    from collectfasta.strategies import sessions

    seen: list[str] = []
    send = sessions.PatientAdapter.send

    def spy(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        if not re.fullmatch(r"/storage/v1/b/[^/]+\?projection=noAcl.*", request.path_url):
            seen.append(f"{request.method} {request.path_url}")
        return send(self, request, *args, **kwargs)

    monkeypatch.setattr(sessions.PatientAdapter, "send", spy)
    return seen


@pytest.fixture
def large(tmp_path: Path) -> SourceFile:
    """18 MiB on disk."""
    path = tmp_path / "large.bin"
    path.write_bytes(os.urandom(18 * MIB))
    return SourceFile(str(path), "large.bin", 18 * MIB)
