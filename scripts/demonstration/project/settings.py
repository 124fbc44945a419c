"""A small shop with Django's admin; its static files go to S3. Only the servers are the demo's."""

from __future__ import annotations

import os

SECRET_KEY = "for a demo"
USE_TZ = True

INSTALLED_APPS = [
    "collectfasta",  # before staticfiles: that is all
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "shop",
]

STATIC_URL = "/static/"
STATICFILES_DIRS = [
    (name, os.path.join(os.environ["DEMO_PACKAGES"], name))
    for name in ("bootstrap", "jquery", "leaflet")
    if os.path.isdir(os.path.join(os.environ["DEMO_PACKAGES"], name))
]

STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {
        "BACKEND": "storages.backends.s3.S3StaticStorage",
        "OPTIONS": {
            "bucket_name": os.environ["DEMO_BUCKET"],
            "endpoint_url": os.environ["DEMO_S3"],
            "location": "static",
            "object_parameters": {"CacheControl": "public, max-age=86400"},
        },
    },
}

if "DEMO_MEMCACHED" in os.environ:
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.memcached.PyMemcacheCache",
            "LOCATION": os.environ["DEMO_MEMCACHED"],
            "OPTIONS": {"connect_timeout": 2, "timeout": 5},
        }
    }
