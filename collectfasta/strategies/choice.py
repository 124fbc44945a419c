"""Which strategy a run uses: the one that is set, else the one that fits the storage."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured

from collectfasta.exceptions import SettingError
from collectfasta.strategies.base import DisabledStrategy, Strategy

if TYPE_CHECKING:
    from collectfasta.strategies.native import NativeStrategy

SETTING = "COLLECTFASTA_STRATEGY"


@dataclass(frozen=True, slots=True)
class Family:
    """A strategy of ours, the storage classes it fits (their subclasses too), and the extra with
    which its libraries are installed."""

    strategy: str
    storages: tuple[str, ...]
    extra: str = ""


DISK = Family(
    "collectfasta.strategies.filesystem.FileSystemStrategy",
    ("django.core.files.storage.filesystem.FileSystemStorage",),
)
FAMILIES = (
    Family(
        "collectfasta.strategies.boto3.Boto3Strategy",
        ("storages.backends.s3.S3Storage", "storages.backends.s3boto3.S3Boto3Storage"),
        "s3",
    ),
    Family(
        "collectfasta.strategies.gcloud.GoogleCloudStrategy",
        ("storages.backends.gcloud.GoogleCloudStorage",),
        "gcloud",
    ),
    Family(
        "collectfasta.strategies.azure.AzureBlobStrategy",
        ("storages.backends.azure_storage.AzureStorage",),
        "azure",
    ),
    DISK,
)
GENERIC = "collectfasta.strategies.generic.GenericStrategy"

_EXTRAS = {
    "boto3": "s3",
    "botocore": "s3",
    "s3transfer": "s3",
    "google": "gcloud",
    "azure": "azure",
}
"""By the top-level name of what cannot be imported."""


def load_strategy(setting: str | type | Strategy[Any] | None, storage: Any) -> NativeStrategy[Any]:
    """The strategy for ``storage``, ready to be opened.

    ``setting`` is what ``COLLECTFASTA_STRATEGY`` says, if anything. Raises ``SettingError`` that
    says what to set, or to install.
    """
    storage = unwrap(storage)
    if setting is None:
        return _native_class(storage)(storage)
    from collectfasta.strategies import legacy
    from collectfasta.strategies.native import NativeStrategy

    given = setting if isinstance(setting, Strategy) else None
    cls = strategy_class(setting if given is None else type(given))
    legacy.check(cls)
    if issubclass(cls, NativeStrategy):
        _check_fit(cls, storage)
        return legacy.attach(cls(storage) if given is None else given)  # type: ignore[arg-type]  # of cls
    custom = cls(storage) if given is None else given
    wrapped = unwrap(custom.wrap_storage(storage))
    return legacy.adapt(custom, _native_class(wrapped), wrapped)


def strategy_class(setting: object) -> type[Strategy[Any]]:
    """The class that ``setting`` is, or is the dotted path of. Raises ``SettingError``."""
    cls = _imported(setting) if isinstance(setting, str) else setting
    if not isinstance(cls, type) or not issubclass(cls, Strategy):
        raise SettingError(
            f"{SETTING} is {setting!r}, which is no subclass of collectfasta.strategies.Strategy."
        )
    if issubclass(cls, DisabledStrategy):
        raise SettingError(
            f"{SETTING} is {_qualified(cls)}, which copies nothing: to run Django's own "
            "collectstatic, set COLLECTFASTA_ENABLED = False instead."
        )
    return cls


def unwrap(storage: Any) -> Any:
    """The storage itself, where a lazy one stands for it, as ``staticfiles_storage`` does."""
    from django.utils.functional import LazyObject, empty

    while issubclass(type(storage), LazyObject):
        if storage._wrapped is empty:
            storage._setup()
        storage = storage._wrapped
    return storage


def family_of(storage: object) -> Family | None:
    """The family that fits a storage, found by the names of its classes: no SDK is imported."""
    names = _ancestors(type(storage))
    return next((family for family in FAMILIES if names & {*family.storages}), None)


def _native_class(storage: object) -> type[NativeStrategy[Any]]:
    family = family_of(storage)
    path = GENERIC if family is None else family.strategy
    return strategy_class(path)  # type: ignore[return-value]  # all in the table are native


def _check_fit(cls: type[NativeStrategy[Any]], storage: object) -> None:
    """Raises ``SettingError`` if ``cls`` is for other storages."""
    from collectfasta.strategies.native import NativeStrategy

    names = _ancestors(cls)
    meant = next((family for family in FAMILIES if family.strategy in names), None)
    if meant is None or cls.overrides("wrap_storage", NativeStrategy):
        return
    fitting = family_of(storage)
    if fitting is not meant:
        better = GENERIC if fitting is None else fitting.strategy
        raise SettingError(
            f"{SETTING} is {_qualified(cls)}, which does not fit the storage "
            f"{_qualified(type(storage))}: leave it unset, or set it to {better!r}."
        )


def _imported(path: str) -> object:
    module, _, name = path.rpartition(".")
    if not module or not all(part.isidentifier() for part in path.split(".")):
        raise SettingError(f"{SETTING} is {path!r}, which is not the dotted path of a class.")
    try:
        found = getattr(importlib.import_module(module), name, None)
    except (ImportError, ImproperlyConfigured) as error:
        raise SettingError(_not_imported(path, error)) from error
    if found is None:
        raise SettingError(f"{SETTING} is {path!r}, but {module} has no {name}.")
    return found


def _not_imported(path: str, error: Exception) -> str:
    """Names the extra, if one is missing. django-storages makes it an ImproperlyConfigured."""
    cause = error if isinstance(error, ImportError) else error.__cause__ or error.__context__
    missing = (cause.name or "") if isinstance(cause, ImportError) else ""
    root = missing.partition(".")[0]
    ours = {family.strategy: family.extra for family in FAMILIES}
    extra = _EXTRAS.get(root) or (ours.get(path) if root == "storages" else None)
    if extra:
        return f"{path} needs {missing}, which is missing: pip install 'collectfasta[{extra}]'."
    why = " ".join(str(error).split()).rstrip(".")
    return f"{SETTING} is {path!r}, which cannot be imported: {why}."


def _ancestors(cls: type) -> set[str]:
    return {_qualified(base) for base in cls.__mro__}


def _qualified(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
