"""The base of every strategy, with the hooks that custom ones of the original package define.

Importing this costs nothing: Django and the hash functions are imported where they are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Generic, NoReturn, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.core.files.storage import Storage

    from collectfasta.items import SourceFile

S = TypeVar("S")


class CustomHooks(Protocol):
    """How a run consults a custom strategy. All but ``bind`` and ``before`` are called in I/O
    threads, several at once; what the custom strategy raises passes through."""

    def bind(self, found: Mapping[str, tuple[Storage, str]]) -> None:
        """What was collected: name → (the finder's storage, the path in it). Called first."""

    def before(self) -> None:
        """Called once, before the first file."""

    def should_copy(self, file: SourceFile) -> bool | None:
        """Whether to write ``file``; ``None``: decide as if there were no custom strategy."""

    def copied(self, file: SourceFile) -> None:
        """``file`` has been written."""

    def skipped(self, file: SourceFile) -> None:
        """``file`` has been left alone."""


class Strategy(Generic[S]):
    """How files get to one storage. A custom one defines ``should_copy_file``; the rest are hooks.

    ``path`` is a path in ``local_storage``, the finder's; ``prefixed_path`` is the name on the
    destination. All but ``wrap_storage`` are called in I/O threads, several at once.
    """

    delete_not_found_exception: ClassVar[tuple[type[Exception], ...]] = ()
    """Nothing is deleted before it is replaced, so nothing reads this; kept for who names it."""

    custom: CustomHooks | None = None
    """How a run consults the hooks below; ``None`` where nobody has defined any."""

    def __init__(self, remote_storage: S) -> None:
        self.remote_storage: S = remote_storage

    def wrap_storage(self, remote_storage: S) -> S:
        """The storage to write to; by default the very one that was given."""
        return remote_storage

    def should_copy_file(self, path: str, prefixed_path: str, local_storage: Storage) -> bool:
        """Whether ``path`` in ``local_storage`` must be written to ``prefixed_path``."""
        raise NotImplementedError(f"{type(self).__qualname__} defines no should_copy_file().")

    def pre_should_copy_hook(self) -> None:
        """Called before each ``should_copy_file``, in the same thread."""

    def post_copy_hook(self, path: str, prefixed_path: str, local_storage: Storage) -> None:
        """Called after a file has been written."""

    def on_skip_hook(self, path: str, prefixed_path: str, local_storage: Storage) -> None:
        """Called after a file has been left alone."""

    @classmethod
    def overrides(cls, hook: str, base: type[Any]) -> bool:
        """Whether a subclass has its own ``hook``, other than that of ``base``."""
        return getattr(cls, hook, None) is not getattr(base, hook, None)


class HashStrategy(Strategy[S]):
    """A custom strategy that compares hashes: it defines ``get_remote_file_hash``."""

    use_gzip = False
    """Whether the destination holds text files gzipped, so that their hash is that of the gzip."""

    def get_remote_file_hash(self, prefixed_path: str) -> str | None:
        """The MD5 in hex of what is at ``prefixed_path`` now; ``None`` if nothing is."""
        raise NotImplementedError(f"{type(self).__qualname__} defines no get_remote_file_hash().")

    def should_copy_file(self, path: str, prefixed_path: str, local_storage: Storage) -> bool:
        """Whether the hashes differ."""
        local = self.get_local_file_hash(path, local_storage)
        remote = self.get_remote_file_hash(prefixed_path)
        return not self._same_hash(local, remote, path, local_storage)

    def get_local_file_hash(self, path: str, local_storage: Storage) -> str:
        """The MD5 in hex of what would be stored for a local file."""
        from collectfasta.strategies import hashes

        if not (self.use_gzip and hashes.is_gzipped(path, getattr(self, "remote_storage", None))):
            return hashes.md5_of(local_storage, path)
        contents = hashes.read(local_storage, path)
        return self.get_gzipped_local_file_hash(hashes.md5(contents), path, contents)

    def get_gzipped_local_file_hash(
        self,
        uncompressed_file_hash: str,  # noqa: ARG002 - for subclasses
        path: str,  # noqa: ARG002 - for subclasses
        contents: bytes | str,
    ) -> str:
        """The MD5 in hex of ``contents`` gzipped as the S3 storage does it."""
        from collectfasta.strategies import hashes

        return hashes.md5(hashes.gzipped(contents, hashes.UNIX))

    def _same_hash(self, local: str, remote: str | None, path: str, local_storage: Storage) -> bool:
        if local == remote:
            return True
        if remote is None or not self.use_gzip:
            return False
        from collectfasta.strategies import hashes

        # Other libraries and Python versions write another byte into the header of the same gzip.
        return hashes.is_gzipped(
            path, getattr(self, "remote_storage", None)
        ) and remote == hashes.md5(hashes.gzipped(hashes.read(local_storage, path), hashes.UNKNOWN))


class Witness(Protocol):
    """Who tells what the destination shows of a name, so that a cached hash can be checked."""

    def identity(self) -> str:
        """What no two destinations share."""

    def etag(self, name: str) -> str:
        """What changes with each write of ``name``; empty where nothing is there or shown."""


class CachingHashStrategy(HashStrategy[S]):
    """A :class:`HashStrategy` whose remote hashes are remembered in ``COLLECTFASTA_CACHE``.

    In a run, a remembered hash counts only while the destination shows the object as it was then.
    """

    witness: Witness | None = None

    def should_copy_file(self, path: str, prefixed_path: str, local_storage: Storage) -> bool:
        """Whether the hashes differ, the remote one remembered where that is safe."""
        from collectfasta.strategies import hashes

        before = hashes.signature(local_storage, path)
        local = self.get_local_file_hash(path, local_storage)
        self._decided()[prefixed_path] = (local, before)
        remote = self.get_cached_remote_file_hash(path, prefixed_path)
        if self._same_hash(local, remote, path, local_storage):
            return False
        self.invalidate_cached_hash(path)
        return True

    def get_cache_key(self, path: str) -> str:
        """The cache's key for ``path``, other for every destination."""
        identity = "" if self.witness is None else self.witness.identity()
        return self._cache().key(f"{identity}\n{path}" if identity else path)

    def invalidate_cached_hash(self, path: str) -> None:
        """Forget the hash of ``path``."""
        self._cache().delete(self.get_cache_key(path))

    def get_cached_remote_file_hash(self, path: str, prefixed_path: str) -> str:
        """The remembered hash, else that of ``get_remote_file_hash``; ``"None"``: nothing there."""
        etag = None if self.witness is None else self.witness.etag(prefixed_path)
        key = self.get_cache_key(path)
        match self._cache().get(key):
            case [str(name), str(known), str(seen)] if name == prefixed_path:
                if etag is None or (etag and etag == seen):
                    return known
        remote = str(self.get_remote_file_hash(prefixed_path))
        if etag != "":
            self._cache().set(key, [prefixed_path, remote, etag or ""])
        return remote

    def post_copy_hook(self, path: str, prefixed_path: str, local_storage: Storage) -> None:
        """Remember the hash of what was sent, if the file has not changed since it was hashed."""
        from collectfasta.strategies import hashes

        super().post_copy_hook(path, prefixed_path, local_storage)
        local, before = self._decided().pop(prefixed_path, ("", None))
        etag = "" if self.witness is None else self.witness.etag(prefixed_path)
        unchanged = before is not None and before == hashes.signature(local_storage, path)
        if unchanged and (etag or self.witness is None):
            self._cache().set(self.get_cache_key(path), [prefixed_path, local, etag])
        else:
            self.invalidate_cached_hash(path)

    def on_skip_hook(self, path: str, prefixed_path: str, local_storage: Storage) -> None:
        """Let go of what was kept for ``post_copy_hook``."""
        super().on_skip_hook(path, prefixed_path, local_storage)
        self._decided().pop(prefixed_path, None)

    def _decided(self) -> dict[str, tuple[str, tuple[int, ...] | None]]:
        """By name: the local hash that was compared, and the file's signature before it was read.

        Not made by ``__init__``, because a custom one may not call ours.
        """
        return self.__dict__.setdefault("_decided_hashes", {})

    def _cache(self) -> Any:
        from collectfasta.strategies import hashes

        cache = self.__dict__.get("_hash_cache")
        return cache or self.__dict__.setdefault("_hash_cache", hashes.HashCache())


class DisabledStrategy(Strategy[Any]):
    """Copies nothing. To switch collectfasta off, use ``COLLECTFASTA_ENABLED = False``."""

    def should_copy_file(self, path: str, prefixed_path: str, local_storage: Storage) -> NoReturn:
        raise NotImplementedError

    def pre_should_copy_hook(self) -> NoReturn:
        raise NotImplementedError


def load_strategy(klass: str | type | object) -> type[Strategy[Any]]:
    """The strategy class of that dotted path, or ``klass`` itself. Raises ``SettingError``."""
    from collectfasta.strategies.choice import strategy_class

    return strategy_class(klass)
