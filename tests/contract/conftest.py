"""A site for the contract: a source tree, a destination, and one memcached."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests import local_places, support
from tests.contract.destinations import DESTINATIONS, Destination

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LOCATION = "static"


@dataclass(slots=True)
class Site:
    """``collect`` publishes what is in ``source`` to ``place``, under ``location``."""

    destination: Destination
    place: Any
    source: Path
    caches: dict[str, Any]
    location: str = LOCATION
    options: dict[str, Any] = field(default_factory=dict)

    def write(self, files: Mapping[str, bytes]) -> None:
        support.write_tree(self.source, files)

    def settings(self) -> dict[str, Any]:
        return {
            "STATICFILES_DIRS": [str(self.source)],
            "STATIC_ROOT": None,
            "STORAGES": self.place.storages(self.location, **self.options),
            "CACHES": self.caches,
        }

    def run(self, *args: str, **options: Any) -> support.Result:
        return support.collect(*args, settings=self.settings(), **options)

    def collect(self, *args: str, **options: Any) -> str:
        """What a run that must succeed has printed."""
        result = self.run(*args, **options)
        assert result.status == 0, result.output
        assert result.stderr == ""
        return result.stdout

    def changes(self, *args: str) -> list[str]:
        """The keys that a run has written or deleted."""
        before = self.place.tokens()
        self.collect(*args)
        after = self.place.tokens()
        keys = before.keys() | after.keys()
        return sorted(key for key in keys if before.get(key) != after.get(key))

    def keyed(self, files: Mapping[str, bytes]) -> dict[str, bytes]:
        """``files`` as they must be found at the destination."""
        start = f"{self.location}/" if self.location else ""
        return {start + name: body for name, body in files.items()}

    def forget(self) -> None:
        """Lose what the cache remembers."""
        self.caches = {
            "default": {**self.caches["default"], "KEY_PREFIX": f"lost{uuid.uuid4().hex}"}
        }


@pytest.fixture
def folder(tmp_path: Path) -> local_places.Folder:
    """A folder that does not exist yet."""
    return local_places.Folder(tmp_path / "published")


@pytest.fixture
def unknown_place() -> local_places.UnknownPlace:
    """An unknown storage that is empty."""
    return local_places.UnknownPlace()


@pytest.fixture(params=DESTINATIONS, ids=lambda each: each.label)
def site(request: pytest.FixtureRequest, tmp_path: Path, caches: dict[str, Any]) -> Site:
    """On each destination in turn."""
    destination: Destination = request.param
    place = request.getfixturevalue(destination.fixture)
    options = destination.headers("public, max-age=60")
    return Site(destination, place, tmp_path / "source", caches, options=options)
