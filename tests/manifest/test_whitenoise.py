"""WhiteNoise's storage, which compresses on the disk, runs on the disk."""

from __future__ import annotations

import gzip
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from collectfasta.manifest.process import runs_directly
from tests.manifest import kit

if TYPE_CHECKING:
    from pathlib import Path

whitenoise = pytest.importorskip("whitenoise.storage")

TREE = {
    "a.css": "x{background:url(i.png)}\n" + "y{color:red}\n" * 200,
    "b.css": "@import 'a.css';\n" + "z{color:red}\n" * 200,
    "i.png": "image",
}


def test_every_compressed_copy_lies_beside_its_file(tmp_path: Path) -> None:
    """Plain files first, then its own post-processing of the live storage."""
    found = kit.write_tree(tmp_path / "s", TREE)
    storage: Any = kit.disk(whitenoise.CompressedManifestStaticFilesStorage, tmp_path / "root")
    assert runs_directly(storage, remote=False)
    published = kit.stock(storage, found)
    hashed = storage.hashed_files
    assert set(hashed) == set(TREE)
    for name in ("a.css", "b.css"):
        for copy in (name, hashed[name]):
            assert gzip.decompress(published[f"{copy}.gz"]) == published[copy]
    assert hashed["a.css"].encode() in published[hashed["b.css"]]
    assert "i.png.gz" not in published
    shutil.rmtree(tmp_path / "root")
