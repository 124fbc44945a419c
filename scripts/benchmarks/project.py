"""Settings of the Django project that the bench collects, copied beside its ``manage.py``.

Every runner's own environment reads them, so they import nothing of ours. What differs comes in
the environment variable ``BENCH``, a JSON object: ``runner``, ``storage``, ``dirs``, ``root`` (the
folder of the disk storages), ``memcached`` (its address) and ``endpoint`` (of the cloud).
"""

from __future__ import annotations

import json
import os
from typing import Any

BENCH: dict[str, Any] = json.loads(os.environ["BENCH"])
SECRET_KEY = "nothing to protect here"
USE_TZ = True
STATIC_URL = "/static/"
STATIC_ROOT = BENCH["root"]
STATICFILES_DIRS = BENCH["dirs"]
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.staticfiles",
]

_S3 = {
    "bucket_name": "static",
    "endpoint_url": BENCH["endpoint"],
    "access_key": "testing",
    "secret_key": "testing",
    "region_name": "us-east-1",
    "addressing_style": "path",
    "querystring_auth": False,
}
_MANIFEST = {
    "enhanced": "django_manifeststaticfiles_enhanced.storage.EnhancedManifestStaticFilesStorage"
}


def _gcloud() -> dict[str, Any]:
    from google.auth.credentials import AnonymousCredentials

    return {
        "bucket_name": "static",
        "project_id": "bench",
        "credentials": AnonymousCredentials(),
        "querystring_auth": False,
    }


def _storage() -> dict[str, Any]:
    kind = BENCH["storage"]
    if kind == "s3":
        return {"BACKEND": "storages.backends.s3.S3StaticStorage", "OPTIONS": _S3}
    if kind == "s3-manifest":
        return {"BACKEND": "storages.backends.s3.S3ManifestStaticStorage", "OPTIONS": _S3}
    if kind == "gcloud":
        return {
            "BACKEND": "storages.backends.gcloud.GoogleCloudStorage",
            "OPTIONS": _gcloud(),
        }
    if kind == "azure":
        options = {"connection_string": BENCH["endpoint"], "azure_container": "static"}
        return {"BACKEND": "storages.backends.azure_storage.AzureStorage", "OPTIONS": options}
    django = "django.contrib.staticfiles.storage."
    name = "ManifestStaticFilesStorage" if kind == "disk-manifest" else "StaticFilesStorage"
    backend = django + name
    if kind == "disk-manifest":
        backend = _MANIFEST.get(BENCH["runner"], backend)
    return {"BACKEND": backend}


STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": _storage(),
}

if BENCH["runner"] in {"ours", "collectfasta"}:
    INSTALLED_APPS.insert(0, "collectfasta")

if BENCH["runner"] == "collectfasta":
    # One client of memcached shared by its threads hangs: its own listing serves it without.
    _CACHE = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    _CACHE["OPTIONS"] = {"MAX_ENTRIES": 1_000_000}  # type: ignore[assignment]  # a plain dict
    COLLECTFASTA_THREADS = 20
    COLLECTFASTA_STRATEGY = (
        "collectfasta.strategies."
        + {
            "s3": "boto3.Boto3Strategy",
            "s3-manifest": "boto3.Boto3ManifestMemoryStrategy",
            "disk": "filesystem.FileSystemStrategy",
        }[BENCH["storage"]]
    )
elif BENCH["memcached"]:
    _CACHE = {
        "BACKEND": "django.core.cache.backends.memcached.PyMemcacheCache",
        "LOCATION": BENCH["memcached"],
    }
else:
    _CACHE = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
CACHES = {"default": _CACHE}
