"""The smallest Django project that collects static files. Tests override what they need."""

from __future__ import annotations

SECRET_KEY = "nothing to protect here"
USE_TZ = True
INSTALLED_APPS = ["collectfasta", "django.contrib.staticfiles"]
STATIC_URL = "/static/"
STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
