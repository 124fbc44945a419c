"""Which strategy a run uses, and what a setting that cannot work is told."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.staticfiles.storage import (
    ManifestStaticFilesStorage,
    StaticFilesStorage,
    staticfiles_storage,
)
from django.core.files.storage import FileSystemStorage, InMemoryStorage, Storage, storages
from django.test.utils import override_settings
from django.utils.functional import SimpleLazyObject

import collectfasta.strategies
from collectfasta.exceptions import SettingError
from collectfasta.strategies import base, choice
from collectfasta.strategies.choice import load_strategy, strategy_class, unwrap
from collectfasta.strategies.filesystem import CachingFileSystemStrategy, FileSystemStrategy
from collectfasta.strategies.generic import GenericStrategy
from collectfasta.strategies.native import NativeStrategy
from tests.strategies.kit import PlainStorage
from tests.support import ROOT, static_storages

if TYPE_CHECKING:
    from pathlib import Path

DISK = "collectfasta.strategies.filesystem.FileSystemStrategy"
CACHING = "collectfasta.strategies.filesystem.CachingFileSystemStrategy"


def like(module: str, name: str, *bases: type) -> type:
    """A class that looks like a library's: nothing but its name counts."""
    return type(name, bases or (Storage,), {"__module__": module})


class Mine(FileSystemStorage):
    """A user's subclass."""


class Wrapping(FileSystemStrategy):
    """It brings its own storage."""

    def wrap_storage(self, remote_storage: Any) -> Any:
        return FileSystemStorage(location="/wrapped")


@pytest.mark.parametrize(
    ("storage", "family"),
    [
        (like("storages.backends.s3", "S3Storage"), "boto3.Boto3Strategy"),
        (like("storages.backends.s3boto3", "S3Boto3Storage"), "boto3.Boto3Strategy"),
        (
            like("shop", "Assets", like("storages.backends.s3", "S3Storage")),
            "boto3.Boto3Strategy",
        ),
        (like("storages.backends.gcloud", "GoogleCloudStorage"), "gcloud.GoogleCloudStrategy"),
        (like("storages.backends.azure_storage", "AzureStorage"), "azure.AzureBlobStrategy"),
        (FileSystemStorage, "filesystem.FileSystemStrategy"),
        (StaticFilesStorage, "filesystem.FileSystemStrategy"),
        (ManifestStaticFilesStorage, "filesystem.FileSystemStrategy"),
        (Mine, "filesystem.FileSystemStrategy"),
    ],
)
def test_a_storage_has_its_family(storage: Any, family: str) -> None:
    """Found by the names of its classes, so that no SDK is imported for it."""
    found = choice.family_of(storage.__new__(storage))
    assert found is not None
    assert found.strategy == f"collectfasta.strategies.{family}"


@pytest.mark.parametrize("storage", [InMemoryStorage, PlainStorage])
def test_any_other_storage_is_taken_by_its_own_methods(storage: type[Storage]) -> None:
    """An unknown storage works, too."""
    assert type(load_strategy(None, storage())) is GenericStrategy


@pytest.mark.parametrize("family", choice.FAMILIES, ids=lambda family: family.strategy)
def test_the_table_names_strategies_that_exist(family: choice.Family) -> None:
    """Each of ours can be imported, and is one."""
    assert issubclass(strategy_class(family.strategy), NativeStrategy)


def test_the_table_names_the_libraries_own_classes() -> None:
    """Real instances of the real classes, and the older name of one."""
    from storages.backends.azure_storage import AzureStorage
    from storages.backends.gcloud import GoogleCloudStorage
    from storages.backends.s3 import S3ManifestStaticStorage, S3StaticStorage
    from storages.backends.s3boto3 import S3Boto3Storage

    expected = {
        S3StaticStorage: "s3",
        S3ManifestStaticStorage: "s3",
        S3Boto3Storage: "s3",
        GoogleCloudStorage: "gcloud",
        AzureStorage: "azure",
    }
    for storage, extra in expected.items():
        family = choice.family_of(storage.__new__(storage))
        assert family is not None
        assert family.extra == extra


def test_a_lazy_storage_is_looked_into(tmp_path: Path) -> None:
    """Django's ``staticfiles_storage``, whether it has been used yet or not, and one in another."""
    backend = "django.contrib.staticfiles.storage.StaticFilesStorage"
    options = {"location": str(tmp_path), "base_url": "/static/"}
    with override_settings(STORAGES=static_storages(backend, options)):
        real = unwrap(staticfiles_storage)
        assert type(real) is StaticFilesStorage
        assert unwrap(SimpleLazyObject(lambda: staticfiles_storage)) is real
        assert unwrap(real) is real
        assert unwrap(storages["staticfiles"]) is real
        assert load_strategy(None, staticfiles_storage).remote_storage is real


@pytest.mark.parametrize("setting", [CACHING, CachingFileSystemStrategy])
def test_the_setting_wins(tmp_path: Path, setting: Any) -> None:
    """A dotted path, or the class itself."""
    strategy = load_strategy(setting, FileSystemStorage(location=tmp_path))
    assert type(strategy) is CachingFileSystemStrategy
    assert strategy.custom is None


def test_an_instance_is_taken_as_it_is(tmp_path: Path) -> None:
    """For tests and programs that have made their own."""
    storage = FileSystemStorage(location=tmp_path)
    strategy = FileSystemStrategy(storage)
    assert load_strategy(strategy, storage) is strategy


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        (
            "nowhere.Strategy",
            "'nowhere.Strategy', which cannot be imported: No module named 'nowhere'.",
        ),
        ("Strategy", "'Strategy', which is not the dotted path of a class."),
        ("", "'', which is not the dotted path of a class."),
        (".x", "'.x', which is not the dotted path of a class."),
        ("a b.c", "'a b.c', which is not the dotted path of a class."),
        (
            "collectfasta.strategies.filesystem.Missing",
            (
                "'collectfasta.strategies.filesystem.Missing', but "
                "collectfasta.strategies.filesystem has no Missing."
            ),
        ),
        (
            "collectfasta.strategies.filesystem.HOOKS",
            (
                "'collectfasta.strategies.filesystem.HOOKS', which is no subclass of "
                "collectfasta.strategies.Strategy."
            ),
        ),
        (int, "<class 'int'>, which is no subclass of collectfasta.strategies.Strategy."),
        (
            "collectfasta.strategies.DisabledStrategy",
            (
                "collectfasta.strategies.base.DisabledStrategy, which copies nothing: to run "
                "Django's own collectstatic, set COLLECTFASTA_ENABLED = False instead."
            ),
        ),
    ],
)
def test_a_setting_that_cannot_work(setting: Any, says: str) -> None:
    """One line that names the setting and its value."""
    with pytest.raises(SettingError) as caught:
        load_strategy(setting, PlainStorage())
    assert str(caught.value) == f"COLLECTFASTA_STRATEGY is {says}"


def test_a_module_with_a_bug_keeps_its_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is no failed import is the user's bug, not a wrong setting."""
    (tmp_path / "buggy_strategy.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ZeroDivisionError):
        strategy_class("buggy_strategy.Mine")


@pytest.mark.parametrize(
    ("storage", "instead"),
    [
        (PlainStorage, "collectfasta.strategies.generic.GenericStrategy"),
        (like("storages.backends.s3", "S3Storage"), "collectfasta.strategies.boto3.Boto3Strategy"),
    ],
)
def test_a_strategy_for_other_storages_is_refused(storage: type[Storage], instead: str) -> None:
    """With a sentence that says what to set."""

    class Sub(FileSystemStrategy):
        pass

    for cls in (FileSystemStrategy, Sub):
        with pytest.raises(SettingError) as caught:
            load_strategy(cls, storage())
        assert str(caught.value) == (
            f"COLLECTFASTA_STRATEGY is {cls.__module__}.{cls.__qualname__}, which does not fit the "
            f"storage {storage.__module__}.{storage.__qualname__}: leave it unset, or set it to "
            f"{instead!r}."
        )


def test_a_strategy_that_brings_its_own_storage_fits_any() -> None:
    """``wrap_storage`` may return what it likes."""
    assert load_strategy(Wrapping, PlainStorage()).identity() == "disk:/wrapped"


def test_the_strategy_for_any_storage_fits_a_disk(tmp_path: Path) -> None:
    """Slower, but right."""
    strategy = load_strategy(GenericStrategy, FileSystemStorage(location=tmp_path))
    assert type(strategy) is GenericStrategy


@pytest.mark.parametrize(
    ("path", "missing", "extra"),
    [
        ("collectfasta.strategies.boto3.Boto3Strategy", "boto3", "s3"),
        ("collectfasta.strategies.gcloud.GoogleCloudStrategy", "google.cloud", "gcloud"),
        ("collectfasta.strategies.azure.AzureBlobStrategy", "azure.storage", "azure"),
        ("collectfasta.strategies.azure.AzureBlobStrategy", "storages", "azure"),
    ],
)
def test_a_missing_extra_is_named(path: str, missing: str, extra: str) -> None:
    """With the command that installs it; also where django-storages has its own word for it."""
    code = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name == {missing!r} or name.startswith({missing + "."!r}):
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
from django.conf import settings
settings.configure()
from collectfasta.exceptions import SettingError
from collectfasta.strategies import load_strategy
try:
    load_strategy({path!r})
except SettingError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.startswith(f"{path} needs {missing}")
    assert done.stdout.endswith(f", which is missing: pip install 'collectfasta[{extra}]'.\n")


def test_choosing_for_a_disk_imports_no_sdk(tmp_path: Path) -> None:
    """It would cost more than the whole run."""
    code = f"""
import sys
from django.conf import settings
settings.configure()
from django.core.files.storage import FileSystemStorage
from collectfasta.strategies.choice import load_strategy
load_strategy(None, FileSystemStorage(location={str(tmp_path)!r}))
print([name for name in ("boto3", "botocore", "google.cloud", "azure", "storages", "obstore")
       if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "[]\n"


def test_public_names_are_where_they_were() -> None:
    """For people who switch from the original package."""
    assert collectfasta.strategies.__all__ == ["DisabledStrategy", "Strategy", "load_strategy"]
    for name in ("Strategy", "DisabledStrategy", "load_strategy"):
        assert getattr(collectfasta.strategies, name) is getattr(base, name)
    assert issubclass(base.CachingHashStrategy, base.HashStrategy)
    assert issubclass(base.HashStrategy, base.Strategy)
    assert collectfasta.strategies.load_strategy(DISK) is FileSystemStrategy
    assert collectfasta.strategies.load_strategy(FileSystemStrategy) is FileSystemStrategy
    with pytest.raises(NotImplementedError):
        base.DisabledStrategy(PlainStorage()).should_copy_file("a", "a", PlainStorage())
    with pytest.raises(NotImplementedError):
        base.DisabledStrategy(PlainStorage()).pre_should_copy_hook()
