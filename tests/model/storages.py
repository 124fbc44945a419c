"""Manifest storages on Google Cloud Storage and Azure, as people write them."""

from __future__ import annotations

from django.contrib.staticfiles.storage import ManifestFilesMixin
from storages.backends.azure_storage import AzureStorage
from storages.backends.gcloud import GoogleCloudStorage


class GoogleManifestStorage(ManifestFilesMixin, GoogleCloudStorage):
    """On Google."""


class AzureManifestStorage(ManifestFilesMixin, AzureStorage):
    """On Azure."""
