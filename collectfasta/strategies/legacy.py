"""Custom strategies written for the original package, at work in ours.

Such a strategy decides which files are written, and hears of it. Writing, and all else a run asks
of a storage, is done by the strategy of ours that fits the storage.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, cast

from collectfasta.exceptions import SettingError, SourceError
from collectfasta.items import Digest, SourceFile
from collectfasta.strategies.base import CachingHashStrategy, HashStrategy, Strategy
from collectfasta.strategies.native import NativeStrategy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from django.core.files.storage import Storage

    from collectfasta.items import RemoteObject, Sent

GONE = {
    "copy_args_hook": (
        "Have a finder give the files the names they are to have, or let wrap_storage() return a "
        "storage that does."
    ),
    "second_pass_strategy": (
        "Manifest storages are post-processed in memory, in one pass, by every strategy of ours: "
        "leave COLLECTFASTA_STRATEGY unset, or move the other methods into a strategy without it."
    ),
}
"""Hooks of the original package that cannot work any more, and what to do instead."""

_CALLED = ("should_copy_file", "pre_should_copy_hook", "post_copy_hook", "on_skip_hook")


def check(cls: type[Strategy[Any]]) -> None:
    """Raises ``SettingError`` for a custom strategy that cannot work here."""
    name = f"{cls.__module__}.{cls.__qualname__}"
    for hook, instead in GONE.items():
        if hasattr(cls, hook):
            raise SettingError(f"The strategy {name} defines {hook}(), which is gone. {instead}")
    if issubclass(cls, NativeStrategy):
        return
    if not cls.overrides("should_copy_file", Strategy):
        raise SettingError(f"The strategy {name} defines no should_copy_file().")
    hashes = issubclass(cls, HashStrategy) and not (
        cls.overrides("should_copy_file", HashStrategy)
        and cls.overrides("should_copy_file", CachingHashStrategy)
    )
    if hashes and not cls.overrides("get_remote_file_hash", HashStrategy):
        raise SettingError(f"The strategy {name} defines no get_remote_file_hash().")


def adapt(
    custom: Strategy[Any], native: type[NativeStrategy[Any]], storage: Any
) -> NativeStrategy[Any]:
    """A strategy of ours, of class ``native``, that leaves the decisions to ``custom``."""
    strategy = _over(native, custom)(storage)
    strategy.custom = Hooks(custom, custom.should_copy_file)
    if isinstance(custom, CachingHashStrategy):
        custom.witness = cast(Any, strategy)
    return strategy


def attach(strategy: NativeStrategy[Any]) -> NativeStrategy[Any]:
    """``strategy``, consulted in a run if its class is a user's that overrides a hook."""
    cls = type(strategy)
    if cls.overrides("should_copy_file", NativeStrategy):
        strategy.custom = Hooks(strategy, strategy.should_copy_file)
    elif _has_own_hash(cls):
        strategy.use_gzip = strategy.use_gzip or bool(
            getattr(strategy.remote_storage, "gzip", False)
        )
        strategy.custom = Hooks(strategy, _by_hash(strategy))
    elif any(cls.overrides(hook, NativeStrategy) for hook in _CALLED):
        strategy.custom = Hooks(strategy, None)
    return strategy


def _has_own_hash(cls: type[Any]) -> bool:
    """Whether ``get_remote_file_hash`` is the user's, not one of this package."""
    owner = next(base for base in cls.__mro__ if "get_remote_file_hash" in vars(base))
    return not owner.__module__.startswith("collectfasta.")


def _by_hash(strategy: NativeStrategy[Any]) -> Callable[[str, str, Storage], bool]:
    def differs(path: str, prefixed_path: str, local_storage: Storage) -> bool:
        return HashStrategy.should_copy_file(strategy, path, prefixed_path, local_storage)

    return differs


class AsUsual:
    """What ``super().should_copy_file()`` returns: nothing decided yet.

    Where it is handed on, the run decides, with all that it knows already. Where it is tested, it
    finds out by itself: one look-up, and one reading of the file.
    """

    __slots__ = ("_local_storage", "_name", "_path", "_strategy")

    def __init__(
        self, strategy: NativeStrategy[Any], path: str, name: str, local_storage: Storage
    ) -> None:
        self._strategy = strategy
        self._path = path
        self._name = name
        self._local_storage = local_storage

    def __bool__(self) -> bool:
        from collectfasta.pipeline.hash import hash_batch

        remote = self._strategy.head(self._name)
        if remote is None:
            return True
        local = self._local_storage.path(self._path)
        (answer,) = hash_batch([(local, self._strategy.beside(self._name))], md5=True)
        if isinstance(answer, str):
            raise SourceError(f"{self._name}: cannot read {local}: {answer}.", name=self._name)
        digest = Digest(*answer)
        if not self._strategy.encodes(self._name) and remote.size not in (-1, digest.size):
            return True
        file = SourceFile(local, self._name, digest.size)
        return self._strategy.same_bytes(file, digest, remote) is not True


class Hooks:
    """The hooks of one strategy, as a run consults them: see ``CustomHooks``.

    As in the original package, only collected files are asked about: not their hashed copies, and
    not what post-processing has made.
    """

    def __init__(
        self, strategy: Strategy[Any], decide: Callable[[str, str, Storage], object] | None
    ) -> None:
        self._strategy = strategy
        self._decide = decide
        self._found: Mapping[str, tuple[Storage, str]] | None = None

    def bind(self, found: Mapping[str, tuple[Storage, str]]) -> None:
        self._found = found

    def before(self) -> None:
        """Nothing: ``pre_should_copy_hook`` is called before each file, as it always was."""

    def should_copy(self, file: SourceFile) -> bool | None:
        place = self._place(file)
        if place is None:
            return None
        storage, path = place
        self._strategy.pre_should_copy_hook()
        if self._decide is None:
            return None
        answer = self._decide(path, file.name, storage)
        return None if isinstance(answer, AsUsual) else bool(answer)

    def copied(self, file: SourceFile) -> None:
        if (place := self._place(file)) is not None:
            self._strategy.post_copy_hook(place[1], file.name, place[0])

    def skipped(self, file: SourceFile) -> None:
        if (place := self._place(file)) is not None:
            self._strategy.on_skip_hook(place[1], file.name, place[0])

    def _place(self, file: SourceFile) -> tuple[Storage, str] | None:
        if file.data is not None:
            return None
        if self._found is not None:
            return self._found.get(file.name)
        from django.core.files.storage import FileSystemStorage

        folder, path = os.path.split(file.path)
        return FileSystemStorage(location=folder), path


def _over(native: type[NativeStrategy[Any]], custom: Strategy[Any]) -> type[NativeStrategy[Any]]:
    """``native`` that tells ``custom``, if that remembers hashes, what the storage shows."""
    decider = f"{type(custom).__module__}.{type(custom).__qualname__}"
    watches = isinstance(custom, CachingHashStrategy)

    class LegacyStrategy(native):  # type: ignore[misc,valid-type]  # which class, the storage says
        def __init__(self, remote_storage: Any) -> None:
            super().__init__(remote_storage)
            self._etags: dict[str, str] = {}
            self._listed: frozenset[str] = frozenset()

        def transport(self) -> str:
            return f"{super().transport()}; {decider} decides what is written"

        def etag(self, name: str) -> str:
            """What the listing, or else a look, shows; empty if nothing is there."""
            if name not in self._etags and name not in self._listed:
                self.head(name)
            return self._etags.get(name, "")

        def list(self, names: Sequence[str]) -> Iterator[Iterable[RemoteObject]]:
            wanted = frozenset(names) if watches else frozenset()
            for page in super().list(names):
                seen = [*page]
                self._etags.update((item.name, item.etag) for item in seen if item.name in wanted)
                yield seen
            self._listed = wanted

        def head(self, name: str) -> RemoteObject | None:
            remote = super().head(name)
            self._etags[name] = "" if remote is None else remote.etag
            return remote

        def upload(self, file: SourceFile) -> Sent:
            sent = super().upload(file)
            self._etags[file.name] = sent.etag
            return sent

    return cast("type[NativeStrategy[Any]]", LegacyStrategy)
