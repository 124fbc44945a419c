"""Addresses are asked for once where they are regular, and each time where they are not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.staticfiles.storage import ManifestFilesMixin
from django.core.exceptions import SuspiciousOperation

from collectfasta.exceptions import PostProcessError
from tests.manifest import kit

if TYPE_CHECKING:
    from pathlib import Path

s3: Any = pytest.importorskip("storages.backends.s3")

TREE = {
    "a.css": "url('sub/é b.png') url(sub/é%20b.png?v=1) url(sub/é%20b.png#x) url(sub/é%20b.png?#y)",
    "b.css": "url(sub/i.png) @import 'a.css'; url(./sub/../sub/i.png)",
    "sub/é b.png": "image",
    "sub/i.png": "image",
}


class Offline:
    """No request is possible; counts the addresses that the library makes."""

    objects: dict[str, bytes]
    made: list[str]

    def read_manifest(self) -> None:
        return None

    def exists(self, name: str) -> bool:
        return False

    def open(self, name: str, mode: str = "rb") -> Any:
        raise FileNotFoundError(name)


class Tolerant(Offline, s3.S3ManifestStaticStorage):
    def hashed_name(self, name: str, *args: Any, **kwargs: Any) -> str:
        try:
            return super().hashed_name(name, *args, **kwargs)
        except ValueError:
            return name


class OwnUrls(s3.S3StaticStorage):
    def url(self, name: str, *args: Any, **kwargs: Any) -> str:
        return f"/cdn/{name}?own"


class Own(Offline, ManifestFilesMixin, OwnUrls):
    pass


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names for which the library has made an address."""
    names: list[str] = []
    original = s3.S3Storage.url

    def counting(self: Any, name: str, *args: Any, **kwargs: Any) -> Any:
        names.append(name)
        return original(self, name, *args, **kwargs)

    monkeypatch.setattr(s3.S3Storage, "url", counting)
    return names


def options(**more: Any) -> dict[str, Any]:
    return {"bucket_name": "b", "access_key": "a", "secret_key": "s", "region_name": "r", **more}


@pytest.mark.parametrize("more", [{}, {"custom_domain": "cdn.example"}, {"location": "x/y"}])
def test_regular_addresses_are_made_once_and_come_out_the_same(
    tmp_path: Path, made: list[str], monkeypatch: pytest.MonkeyPatch, more: dict[str, Any]
) -> None:
    """With a domain of its own, a location, or neither."""
    found = kit.write_tree(tmp_path / "s", TREE)
    run = kit.ours(Tolerant(**options(**more)), found)
    assert made == ["collectfasta/a probe.css"]
    monkeypatch.setattr("collectfasta.manifest.overlay.quick_urls", lambda cls: ())
    kit.assert_same(run.published, kit.ours(Tolerant(**options(**more)), found).published)
    assert len(made) > 5


def test_signed_addresses_are_made_each_time(tmp_path: Path, made: list[str]) -> None:
    """As in Django, which then writes the signature into the file."""
    found = kit.write_tree(tmp_path / "s", TREE)
    run = kit.ours(Tolerant(**options(querystring_auth=True)), found)
    assert len(made) > 5
    assert b"Signature" in b"".join(run.published.values())


def test_addresses_of_ones_own_are_asked_for_each_time(tmp_path: Path, made: list[str]) -> None:
    """Nobody knows what they depend on."""
    found = kit.write_tree(tmp_path / "s", {"b.css": "url(sub/i.png)", "sub/i.png": "i"})
    run = kit.ours(Own(**options()), found)
    assert made == []
    assert b".png?own" in run.published[run.manifest["paths"]["b.css"]]


def test_names_that_the_library_objects_to_are_still_refused(
    tmp_path: Path, made: list[str]
) -> None:
    """The class tolerates that the file is missing; the address is refused all the same."""
    found = kit.write_tree(tmp_path / "s", {"b.css": "url(../../up.png)"})
    with pytest.raises(PostProcessError, match="leads out of the static files") as caught:
        kit.ours(Tolerant(**options(location="x/y")), found)
    assert isinstance(caught.value.__cause__, SuspiciousOperation)
