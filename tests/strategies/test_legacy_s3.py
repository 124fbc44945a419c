"""Custom strategies of the original package on S3, as people wrote them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import botocore.exceptions
import pytest

from collectfasta.strategies.base import CachingHashStrategy, HashStrategy
from collectfasta.strategies.boto3 import Boto3Strategy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from django.core.files.storage import Storage

    from tests.places import S3Bucket
    from tests.support import Result

FILES = {"css/a.css": "aaa", "js/b.js": "bbb", "c.map": "ccc"}


class ByEtag:
    """It asks the bucket itself, one HEAD a file."""

    remote_storage: Any
    asked: list[str] = []

    def get_remote_file_hash(self, prefixed_path: str) -> str | None:
        self.asked.append(prefixed_path)
        key = f"{self.remote_storage.location}/{prefixed_path}"
        try:
            tag: str = self.remote_storage.bucket.Object(key).e_tag
        except botocore.exceptions.ClientError:
            return None
        return tag.strip('"')


class Plain(ByEtag, HashStrategy[Any]):
    pass


class Caching(ByEtag, CachingHashStrategy[Any]):
    pass


class WithoutMaps(Boto3Strategy):
    """One of ours, with a say of the user's."""

    copied: list[str] = []

    def should_copy_file(self, path: str, prefixed_path: str, local_storage: Storage) -> bool:
        if path.endswith(".map"):
            return False
        return super().should_copy_file(path, prefixed_path, local_storage)

    def post_copy_hook(self, path: str, prefixed_path: str, local_storage: Storage) -> None:
        self.copied.append(prefixed_path)


@pytest.fixture
def publish(
    s3_bucket: S3Bucket,
    caches: dict[str, Any],
    tree: Callable[..., Path],
    collect: Callable[..., Result],
) -> Callable[..., Result]:
    """Collect to a location of the bucket with a strategy of this module."""
    folder = tree(FILES)
    ByEtag.asked.clear()
    WithoutMaps.copied.clear()

    def run(strategy: str) -> Result:
        return collect(
            settings={
                "STATICFILES_DIRS": [str(folder)],
                "STORAGES": s3_bucket.storages("static"),
                "CACHES": caches,
                "COLLECTFASTA_STRATEGY": f"{__name__}.{strategy}",
                "COLLECTFASTA_THREADS": 4,
            }
        )

    return run


def objects(bucket: S3Bucket) -> dict[str, bytes]:
    return dict(bucket.objects())


@pytest.mark.parametrize("strategy", ["Plain", "Caching"])
def test_a_hash_strategy_on_s3(
    tmp_path: Path, s3_bucket: S3Bucket, publish: Callable[..., Result], strategy: str
) -> None:
    """Filled, left alone, edited, emptied behind a warm cache: always the right objects."""
    expected = {f"static/{name}": text.encode() for name, text in FILES.items()}
    assert publish(strategy).status == 0
    assert objects(s3_bucket) == expected
    tokens = s3_bucket.tokens()
    ByEtag.asked.clear()
    assert publish(strategy).status == 0
    assert s3_bucket.tokens() == tokens
    assert len(ByEtag.asked) == (0 if strategy == "Caching" else 3)
    (tmp_path / "static" / "css/a.css").write_text("aaX")
    expected["static/css/a.css"] = b"aaX"
    assert publish(strategy).status == 0
    assert objects(s3_bucket) == expected
    for key in expected:
        s3_bucket.delete(key)
    assert publish(strategy).status == 0
    assert objects(s3_bucket) == expected


def test_a_subclass_of_the_s3_strategy(
    tmp_path: Path, s3_bucket: S3Bucket, publish: Callable[..., Result]
) -> None:
    """What it hands on is decided as usual; what it refuses is not sent."""
    assert publish("WithoutMaps").status == 0
    assert set(objects(s3_bucket)) == {"static/css/a.css", "static/js/b.js"}
    assert sorted(WithoutMaps.copied) == ["css/a.css", "js/b.js"]
    (tmp_path / "static" / "js/b.js").write_text("bbX")
    WithoutMaps.copied.clear()
    assert publish("WithoutMaps").status == 0
    assert WithoutMaps.copied == ["js/b.js"]


def test_the_s3_strategy_tells_hashes(s3_bucket: S3Bucket, publish: Callable[..., Result]) -> None:
    """``get_remote_file_hash`` is the MD5, as it was."""
    from django.core.files.storage import storages
    from django.test.utils import override_settings

    from collectfasta.strategies.choice import load_strategy

    publish("Plain")
    with override_settings(STORAGES=s3_bucket.storages("static")):
        strategy = load_strategy(None, storages["staticfiles"])
        strategy.open(2)
        assert strategy.get_remote_file_hash("c.map") == hashlib.md5(b"ccc").hexdigest()
        assert strategy.get_remote_file_hash("absent") is None
        strategy.close()
