"""The base of every strategy, with the hooks that custom ones of the original package define."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from django.core.files.storage import Storage

S = TypeVar("S")


class Strategy(Generic[S]):
    """How files get to one storage. A custom strategy defines ``should_copy_file``; the rest are
    hooks, called only if a subclass overrides them, in worker threads, except ``wrap_storage``."""

    def __init__(self, remote_storage: S) -> None:
        self.remote_storage: S = self.wrap_storage(remote_storage)

    def wrap_storage(self, remote_storage: S) -> S:
        """The storage to work with; by default the very one that was given."""
        return remote_storage

    def should_copy_file(self, path: str, prefixed_path: str, local_storage: Storage) -> bool:
        """Whether the file at ``path`` in ``local_storage`` must be written to ``prefixed_path``."""
        raise NotImplementedError

    def pre_should_copy_hook(self) -> None:
        """Called before the first ``should_copy_file``."""

    def post_copy_hook(self, path: str, prefixed_path: str, local_storage: Storage) -> None:
        """Called after a file has been written."""

    def on_skip_hook(self, path: str, prefixed_path: str, local_storage: Storage) -> None:
        """Called after a file has been left alone."""

    @classmethod
    def overrides(cls, hook: str, base: type[Any]) -> bool:
        """Whether a subclass has its own ``hook``, other than that of ``base``."""
        return getattr(cls, hook) is not getattr(base, hook)
