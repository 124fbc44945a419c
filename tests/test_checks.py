"""What ``manage.py check`` says of a set-up that will not do, and that it is silent otherwise."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.test.utils import override_settings

from collectfasta import checks
from tests.support import ROOT, command_env, static_storages

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support import Result

S3 = static_storages("storages.backends.s3.S3StaticStorage")
GCS = static_storages("storages.backends.gcloud.GoogleCloudStorage")
AZURE = static_storages("storages.backends.azure_storage.AzureStorage")
DISK = static_storages("django.contrib.staticfiles.storage.StaticFilesStorage")
UNKNOWN = static_storages("not.yet.imported.Storage")
MEMCACHED = {
    "default": {
        "BACKEND": "django.core.cache.backends.memcached.PyMemcacheCache",
        "LOCATION": "x:1",
    }
}
LOCMEM = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
APPS = ["collectfasta", "django.contrib.staticfiles"]


def _file_cache(**options: Any) -> dict[str, Any]:
    backend = "django.core.cache.backends.filebased.FileBasedCache"
    return {"default": {"BACKEND": backend, "LOCATION": "/nowhere", **options}}


def _ids(**settings: Any) -> list[str]:
    """The ids that a set-up gives: right for S3 with memcached, but for ``settings``."""
    settings = {"STORAGES": S3, "CACHES": MEMCACHED, **settings}
    with override_settings(**settings):
        return [message.id.removeprefix("collectfasta.") for message in checks.run()]


STRATEGIES = "collectfasta.strategies"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"INSTALLED_APPS": [*reversed(APPS)]}, ["E001"]),
        ({"COLLECTFASTA_THREADS": "20"}, ["E003"]),
        ({"COLLECTFASTA_CACHE": "elsewhere"}, ["E003"]),
        ({"COLLECTFASTA_STRATEGY": "no.such.Strategy"}, ["E004"]),
        ({"COLLECTFASTA_STRATEGY": "Strategy"}, ["E004"]),
        ({"COLLECTFASTA_STRATEGY": f"{STRATEGIES}.boto3.Boto4Strategy"}, ["E004"]),
        ({"COLLECTFASTA_STRATEGY": f"{STRATEGIES}.base.Bass"}, ["E004"]),
        ({"COLLECTFASTA_STRATEGY": f"{STRATEGIES}.gcloud.GoogleCloudStrategy"}, ["E005"]),
        (
            {"COLLECTFASTA_STRATEGY": f"{STRATEGIES}.boto3.Boto3Strategy", "STORAGES": DISK},
            ["E005"],
        ),
        ({"COLLECTFASTA_THREAD": 20}, ["W001"]),
        ({"COLLECTFAST_STRATEGY": "collectfast.strategies.boto3.Boto3Strategy"}, ["W001"]),
        ({"CACHES": LOCMEM}, ["W002"]),
        ({"CACHES": LOCMEM, "STORAGES": GCS}, ["W002"]),
        ({"CACHES": LOCMEM, "STORAGES": AZURE}, ["W002"]),
        ({"CACHES": _file_cache(OPTIONS={"MAX_ENTRIES": 100})}, ["W003"]),
        ({"AWS_IS_GZIPPED": True, "STORAGES": AZURE}, ["W004"]),
        ({"GS_IS_GZIPPED": True}, ["W004"]),
        ({"GZIP_CONTENT_TYPES": ("text/css",)}, ["W004"]),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else value[0],
)
def test_what_is_wrong_is_said_under_its_id(settings: dict[str, Any], expected: list[str]) -> None:
    """One wrong setting, one message."""
    assert _ids(**settings) == expected


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"STORAGES": GCS},
        {"STORAGES": AZURE},
        {"STORAGES": UNKNOWN, "CACHES": LOCMEM},
        {"STORAGES": DISK, "CACHES": LOCMEM},
        {"COLLECTFASTA_STRATEGY": f"{STRATEGIES}.boto3.Boto3Strategy"},
        {"COLLECTFASTA_STRATEGY": f"{STRATEGIES}.boto3.Boto3Strategy", "STORAGES": UNKNOWN},
        {"COLLECTFASTA_STRATEGY": f"{STRATEGIES}.base.Strategy"},
        {"COLLECTFASTA_THREADS": 20, "COLLECTFASTA_DEBUG": True},
        {"CACHES": _file_cache()},
        {"CACHES": _file_cache(TIMEOUT=300, OPTIONS={"MAX_ENTRIES": 256})},
        {"AWS_IS_GZIPPED": True, "GZIP_CONTENT_TYPES": ("text/css",)},
        {"AWS_IS_GZIPPED": True, "STORAGES": UNKNOWN},
        {
            "GZIP_CONTENT_TYPES": ("text/css",),
            "STORAGES": static_storages(S3["staticfiles"]["BACKEND"], {"gzip": True}),
        },
        {"STORAGES": {}},
        {"COLLECTFASTA_ENABLED": False, "COLLECTFASTA_THREADS": "20", "CACHES": LOCMEM},
    ],
)
def test_nothing_is_said_where_nothing_is_wrong(settings: dict[str, Any]) -> None:
    """Silence for set-ups that work, and for those that the checks cannot judge."""
    assert _ids(**settings) == []


def test_both_packages_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """E002 when the package that this one replaces is still installed."""
    (tmp_path / "collectfast").mkdir()
    (tmp_path / "collectfast" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    try:
        assert _ids(INSTALLED_APPS=["collectfast", *APPS]) == ["E002"]
    finally:
        sys.modules.pop("collectfast", None)


@pytest.mark.parametrize(
    ("missing", "storages", "extra"),
    [
        ("boto3", S3, "s3"),
        ("google.cloud.storage", GCS, "gcloud"),
        ("azure.storage.blob", AZURE, "azure"),
        ("storages", S3, "s3"),
        ("pymemcache", S3, "memcached"),
    ],
)
def test_a_missing_library_names_its_extra(
    missing: str, storages: dict[str, Any], extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """E006 says what to install, in a line that a shell understands."""
    real = importlib.util.find_spec

    def find_spec(name: str, package: str | None = None) -> Any:
        return None if name == missing else real(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    with override_settings(STORAGES=storages, CACHES=MEMCACHED):
        (message,) = checks.run()
    assert message.id == "collectfasta.E006"
    assert missing in message.msg
    assert message.hint == f"pip install 'collectfasta[{extra}]'"


def test_a_missing_parent_package_counts_as_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """``google.cloud.storage`` cannot even be looked for without ``google``."""
    monkeypatch.setitem(checks.LIBRARIES, "gcloud", "no_such_parent.cloud.storage")
    assert _ids(STORAGES=GCS) == ["E006"]


def test_a_subclass_that_is_imported_already_is_recognised() -> None:
    """A storage class of the user's own, known by its ancestors."""
    import storages.backends.s3

    cls = type("Own", (storages.backends.s3.S3Storage,), {"__module__": __name__})
    globals()["Own"] = cls
    try:
        assert _ids(STORAGES=static_storages(f"{__name__}.Own"), CACHES=LOCMEM) == ["W002"]
    finally:
        del globals()["Own"]


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ({"COLLECTFASTA_THREAD": 1}, "Is COLLECTFASTA_THREADS meant?"),
        ({"COLLECTFAST_CACHE": "x"}, "Is COLLECTFASTA_CACHE meant?"),
        ({"COLLECTFASTA_XYZZY": 1}, "There are COLLECTFASTA_STRATEGY, "),
    ],
)
def test_an_unknown_setting_is_answered_with_the_nearest(
    settings: dict[str, Any], hint: str
) -> None:
    """A typing error, the ancestor's name, and nothing like any setting."""
    with override_settings(STORAGES=S3, CACHES=MEMCACHED, **settings):
        (message,) = checks.run()
    assert (message.hint or "").startswith(hint)


def test_every_message_has_a_hint_and_one_line() -> None:
    """What to do is always said; what is wrong fits one line."""
    wrong = {
        "INSTALLED_APPS": [*reversed(APPS)],
        "COLLECTFASTA_THREADS": "20",
        "COLLECTFASTA_STRATEGY": "no.such.Strategy",
        "COLLECTFASTA_THREAD": 1,
        "CACHES": LOCMEM,
        "GS_IS_GZIPPED": True,
    }
    with override_settings(STORAGES=S3, **wrong):
        messages = checks.run()
    assert len(messages) == len(wrong)
    assert all(message.hint and "\n" not in message.msg for message in messages)


def test_djangos_check_command_runs_them() -> None:
    """They are registered: ``manage.py check`` fails with the id."""
    wrong = override_settings(INSTALLED_APPS=[*reversed(APPS)])
    with wrong, pytest.raises(SystemCheckError, match=r"collectfasta\.E001"):
        call_command("check")


def test_the_command_itself_starts_with_them(
    project: Callable[..., Path], run_command: Callable[..., Result], tmp_path: Path
) -> None:
    """From a shell; with the app order wrong it is Django's own command that says so. With
    ``--disable-collectfasta`` nothing is said."""
    settings = {"STATIC_ROOT": str(tmp_path / "root"), "COLLECTFASTA_THREAD": 3}
    place = project({**settings, "INSTALLED_APPS": APPS})
    result = run_command(place, "--dry-run")
    assert result.status == 0
    assert "collectfasta.W001" in result.stderr
    assert run_command(place, "--dry-run", "--disable-collectfasta").stderr == ""
    place = project({**settings, "INSTALLED_APPS": [*reversed(APPS)]})
    result = run_command(place)
    assert result.status == 1
    assert "collectfasta.E001" in result.stderr


def test_no_sdk_is_imported() -> None:
    """The development server runs them at each start."""
    code = f"""
import sys, django
from django.conf import settings
settings.configure(
    INSTALLED_APPS={APPS!r}, STORAGES={S3!r}, CACHES={LOCMEM!r}, STATIC_URL="/static/",
    COLLECTFASTA_STRATEGY="collectfasta.strategies.boto3.Boto3Strategy",
)
django.setup()
assert "xxhash" not in sys.modules
from django.core import checks
found = [message.id for message in checks.run_checks()]
heavy = {{"boto3", "botocore", "storages.backends.s3", "obstore", "azure.core", "google.auth"}}
print(found, sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=command_env(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout.strip(), done.returncode) == ("['collectfasta.W002'] []", 0), done.stderr
