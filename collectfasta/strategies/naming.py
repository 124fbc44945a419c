"""Names that a service stores in another way than they are written, or not at all."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, TypeVar

from collectfasta.exceptions import CollectfastaError, DestinationError, SourceError
from collectfasta.strategies.objects import ObjectStrategy

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

S = TypeVar("S")


class NamedStrategy(ObjectStrategy[S]):
    """A storage some of whose keys are not simply the location and the name."""

    def __init__(self, remote_storage: S) -> None:
        super().__init__(remote_storage)
        self._renames = self.overridden("_normalize_name", "_get_valid_path") is not None
        self._odd: dict[str, str] = {}

    def key(self, name: str) -> str:
        if self._renames:
            return self.normalise(name)
        return super().key(name)

    @abstractmethod
    def unfit(self, name: str, key: str) -> str:
        """Why the service cannot hold ``name`` at ``key``: the rest of a sentence, or nothing."""

    def refused(self, names: Sequence[str]) -> dict[str, str]:
        """Names that the service cannot hold, and names that it would take for one another."""
        found: dict[str, str] = {}
        keys: dict[str, str] = {}
        clashes: dict[str, list[str]] = {}
        for name in names:
            try:
                key = self.key(name)
                bytes_of(key)
                problem = self.unfit(name, key)
            except SourceError as error:
                found[name] = str(error)
                continue
            except UnicodeEncodeError:
                problem = "is not valid Unicode"
            if problem:
                found[name] = f"{name if name.isprintable() else ascii(name)}: the name {problem}."
            elif key in keys:
                clashes.setdefault(key, [keys[key]]).append(name)
            else:
                keys[key] = name
        for key, same in clashes.items():
            others = f"{', '.join(same)} would all be stored as {key}: rename all but one."
            found.update((name, f"{name}: {others}") for name in same)
        return found

    def wanted(self, names: Iterable[str]) -> dict[str, str]:
        """``names`` by their keys, without those that are refused."""
        keys: dict[str, str] = {}
        for name in names:
            try:
                key = self.key(name)
            except CollectfastaError:
                continue
            keys[key] = name
            if key != self.prefix + name:
                self._odd[key] = name
        return keys

    def name_of(self, key: str) -> str | None:
        """The name that we were given for ``key``, where it is not simply what follows the
        location."""
        return self._odd.get(key) or super().name_of(key)

    # -- delete -------------------------------------------------------------------------------

    batch: ClassVar[int]
    """Objects that one request deletes."""

    @abstractmethod
    def delete_batch(self, keys: Sequence[str]) -> Sequence[str]:
        """Delete at most :attr:`batch` objects. The keys that could not be, with the reason."""

    def delete(self, names: Sequence[str]) -> None:
        odd = {name: key for key, name in self._odd.items()}
        keys = [odd.get(name) or self.prefix + name for name in names]
        failed = [
            problem
            for first in range(0, len(keys), self.batch)
            for problem in self.delete_batch(keys[first : first + self.batch])
        ]
        if failed:
            more = f" and {len(failed) - 5} more" if len(failed) > 5 else ""
            raise DestinationError(f"Could not delete {', '.join(failed[:5])}{more}.")


def bytes_of(key: str) -> int:
    """The length of ``key`` in UTF-8. Raises ``UnicodeEncodeError``."""
    return len(key) if key.isascii() else len(key.encode())
