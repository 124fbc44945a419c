"""The Django app: no models, only the command and what ``manage.py check`` says of a bad set-up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.apps import AppConfig
from django.core.checks import Tags, register

if TYPE_CHECKING:
    from django.core.checks import CheckMessage


class CollectfastaConfig(AppConfig):
    name = "collectfasta"
    verbose_name = "Collectfasta"

    def ready(self) -> None:
        register(check, Tags.staticfiles)


def check(**options: Any) -> list[CheckMessage]:
    """All checks. Imported only when Django runs them, so that ``django.setup()`` stays quick."""
    from collectfasta import checks

    return checks.run(**options)
