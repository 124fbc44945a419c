"""What ``manage.py check``, and the command's start, say of a set-up that will not do.

Django runs these at every start of the development server, so no SDK and no storage is imported
here: a storage class of the user's own is looked at only if somebody has imported it already.
"""

from __future__ import annotations

import difflib
import importlib.util
import sys
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004 - Django's name for it

from collectfasta.checksums import PAGES
from collectfasta.exceptions import SettingError
from collectfasta.settings import PREFIX, Settings
from collectfasta.strategies import choice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collectfasta.strategies.choice import Family

OWN, FAST, STATIC = "collectfasta", "collectfast", "django.contrib.staticfiles"
LIBRARIES = {"s3": "boto3", "gcloud": "google.cloud.storage", "azure": "azure.storage.blob"}
CAPPED = (".FileBasedCache", ".DatabaseCache")
"""Caches that throw entries away beyond MAX_ENTRIES. memcached and Redis know no such limit."""

DJANGOS_MAX_ENTRIES = 300
S3, GCS = choice.FAMILIES[0], choice.FAMILIES[1]


def run(**_: Any) -> list[CheckMessage]:
    """Everything that is wrong. Where only stock Django is to run, nothing is: its output is to be
    the same, byte for byte. (Programs other than a shell run no checks before a command.)"""
    if getattr(settings, f"{PREFIX}ENABLED", True) is False or "--disable-collectfasta" in sys.argv:
        return []
    return [message for check in CHECKS for message in check()]


def check_apps() -> Iterator[CheckMessage]:
    """The app that comes first has the command."""
    names = [config.name for config in apps.get_app_configs()]
    if OWN in names and STATIC in names and names.index(OWN) > names.index(STATIC):
        yield Error(
            f"{OWN!r} comes after {STATIC!r} in INSTALLED_APPS, so that Django's own "
            "collectstatic runs.",
            hint=f"Put {OWN!r} above {STATIC!r}.",
            id="collectfasta.E001",
        )
    if FAST in names:
        yield Error(
            f"Both {FAST!r} and {OWN!r} are in INSTALLED_APPS: each replaces collectstatic.",
            hint=f"Remove {FAST!r}.",
            id="collectfasta.E002",
        )


def check_values() -> Iterator[CheckMessage]:
    """Settings of a wrong type or with a value that cannot work."""
    try:
        Settings.load()
    except SettingError as error:
        yield Error(
            str(error),
            hint="The README's table of settings says what each may be.",
            id="collectfasta.E003",
        )


def check_names() -> Iterator[CheckMessage]:
    """Settings that nothing reads: typing errors, and those of the package's ancestor."""
    known = [field.name.upper() for field in fields(Settings)]
    for name in dir(settings):
        prefix, _, rest = name.partition("_")
        if prefix not in (PREFIX.rstrip("_"), "COLLECTFAST") or name in map(PREFIX.__add__, known):
            continue
        close = [PREFIX + near for near in difflib.get_close_matches(rest, known, n=1)]
        yield Warning(
            f"{name} is no setting of {OWN}; nothing reads it.",
            hint=f"Is {close[0]} meant?" if close else f"There are {PREFIX}{', '.join(known)}.",
            id="collectfasta.W001",
        )


def check_libraries() -> Iterator[CheckMessage]:
    """Libraries that the storage or the cache needs and that are not installed."""
    family = _family(_backend())
    needed = ("storages", LIBRARIES[family.extra]) if family is not None and family.extra else ()
    missing = next((library for library in needed if not _installed(library)), None)
    if family is not None and missing:
        yield Error(
            f"STORAGES['staticfiles'] is {_backend()}, which needs {missing}; it is not installed.",
            hint=f"pip install 'collectfasta[{family.extra}]'",
            id="collectfasta.E006",
        )
    if _cache().get("BACKEND", "").endswith(".PyMemcacheCache") and not _installed("pymemcache"):
        yield Error(
            f"CACHES[{_alias()!r}] needs pymemcache; it is not installed.",
            hint="pip install 'collectfasta[memcached]'",
            id="collectfasta.E006",
        )


def check_strategy() -> Iterator[CheckMessage]:
    """A strategy that is not there, or that is meant for other storages."""
    setting = getattr(settings, f"{PREFIX}STRATEGY", None)
    path = setting if isinstance(setting, str) else ""
    if not path:
        return
    module, _, name = path.rpartition(".")
    if not module or not _installed(module) or not _may_have(module, name):
        yield Error(
            f"{choice.SETTING} is {path!r}, which cannot be imported.",
            hint="Leave it unset: the strategy is found from the storage class.",
            id="collectfasta.E004",
        )
    meant = next((family for family in choice.FAMILIES if family.strategy == path), None)
    family = _family(_backend())
    if meant is not None and family is not None and meant is not family:
        yield Error(
            f"{choice.SETTING} is {path}, which does not fit {_backend()}.",
            hint=f"Leave it unset, or set it to {family.strategy!r}.",
            id="collectfasta.E005",
        )


def check_cache() -> Iterator[CheckMessage]:
    """Caches that forget. TIMEOUT does no harm: records are written to last."""
    backend, family = _cache().get("BACKEND", ""), _family(_backend())
    if not backend or family is None or family is choice.DISK:
        return  # a disk is compared byte by byte
    if backend.endswith((".LocMemCache", ".DummyCache")):
        yield Warning(
            f"CACHES[{_alias()!r}] is {backend}, which forgets everything when the command ends: "
            "headers are not checked, and what the listing alone cannot prove is sent again.",
            hint=f"Add a memcached, Redis, database or file cache to CACHES, and name it in "
            f"{PREFIX}CACHE.",
            id="collectfasta.W002",
        )
    options = _cache().get("OPTIONS") or {}
    entries = options.get("MAX_ENTRIES", _cache().get("MAX_ENTRIES", DJANGOS_MAX_ENTRIES))
    if backend.endswith(CAPPED) and isinstance(entries, int) and entries < PAGES:
        yield Warning(
            f"CACHES[{_alias()!r}] keeps {entries} entries; {OWN} needs {PAGES} for each "
            "destination.",
            hint="Raise OPTIONS['MAX_ENTRIES'], or use a cache without such a limit.",
            id="collectfasta.W003",
        )


def check_gzip() -> Iterator[CheckMessage]:
    """django-storages' gzip settings where no storage reads them."""
    paths = [str(entry.get("BACKEND", "")) for entry in settings.STORAGES.values()]
    families = [_family(path) for path in paths if not path.startswith("django.")]
    if None in families:
        return  # a class that we do not know may read anything
    for name, family in (("AWS_IS_GZIPPED", S3), ("GS_IS_GZIPPED", GCS)):
        if getattr(settings, name, False) and family not in families:
            yield Warning(
                f"{name} has no effect: no storage in STORAGES reads it.",
                hint=f"Remove it. {family.storages[0]} reads it.",
                id="collectfasta.W004",
            )
    if hasattr(settings, "GZIP_CONTENT_TYPES") and not _compresses():
        yield Warning(
            "GZIP_CONTENT_TYPES has no effect: nothing is compressed.",
            hint="Set AWS_IS_GZIPPED or GS_IS_GZIPPED, or OPTIONS['gzip'] of the storage.",
            id="collectfasta.W004",
        )


def _compresses() -> bool:
    if getattr(settings, "AWS_IS_GZIPPED", False) or getattr(settings, "GS_IS_GZIPPED", False):
        return True
    return any((entry.get("OPTIONS") or {}).get("gzip") for entry in settings.STORAGES.values())


def _alias() -> str:
    return str(getattr(settings, f"{PREFIX}CACHE", "default"))


def _cache() -> dict[str, Any]:
    return dict(settings.CACHES.get(_alias(), {}))


def _backend() -> str:
    return str(settings.STORAGES.get("staticfiles", {}).get("BACKEND", ""))


def _family(path: str) -> Family | None:
    """The family of a storage class, as far as it can be told without importing anything new."""
    module, _, name = path.rpartition(".")
    for family in choice.FAMILIES:
        if path.startswith(tuple(known.rpartition(".")[0] + "." for known in family.storages)):
            return family
    if path.startswith("django."):
        return choice.DISK if path.endswith(_DJANGOS_DISKS) else None
    cls = getattr(sys.modules.get(module), name, None)
    if not isinstance(cls, type):
        return None
    names = {f"{base.__module__}.{base.__qualname__}" for base in cls.__mro__}
    return next((family for family in choice.FAMILIES if names & {*family.storages}), None)


_DJANGOS_DISKS = (".FileSystemStorage", ".StaticFilesStorage", ".ManifestStaticFilesStorage")


def _may_have(module: str, name: str) -> bool:
    """Whether ``name`` can be in ``module``. One of ours is read, not imported, to tell."""
    if module in sys.modules:
        return hasattr(sys.modules[module], name)
    spec = importlib.util.find_spec(module) if module.startswith(f"{OWN}.") else None
    source = getattr(spec.loader, "get_source", None) if spec is not None else None
    return source is None or name in (source(module) or name)


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # a parent is missing; a module without a spec
        return module in sys.modules


CHECKS = (
    check_apps,
    check_values,
    check_names,
    check_libraries,
    check_strategy,
    check_cache,
    check_gzip,
)
