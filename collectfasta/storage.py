"""Mixins for storages with a manifest, for what many projects need of third-party files.

Put them before the storage class. They work with Django's own ``collectstatic`` too::

    class StaticStorage(ThirdPartyMixin, S3ManifestStaticStorage):
        pass
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import unquote, urlsplit

from django.core.exceptions import SuspiciousOperation

from collectfasta.manifest.live import means_absent

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)


class AbsentSourceMapsMixin:
    """A source map that is referred to but absent is a warning, not an error.

    Packages often ship minified files without their maps. The reference is left as it is.
    """

    source_maps_may_be_absent: ClassVar[bool] = True

    def url_converter(self, name: str, *args: Any, **kwargs: Any) -> Callable[..., str]:
        """Django's converter, that lets references to absent source maps be."""
        convert: Callable[..., str] = super().url_converter(name, *args, **kwargs)  # type: ignore[misc]  # a mixin: Django's class comes behind
        if not self.source_maps_may_be_absent:
            return convert

        def tolerant(match: re.Match[str]) -> str:
            try:
                return convert(match)
            except (ValueError, SuspiciousOperation):
                if "sourceMappingURL" not in match[0]:
                    raise
                _warn(self, f"{name}: its source map {match['url'].strip()!r} is absent.")
                return match[0]

        return tolerant


class BundledFilesMixin:
    r"""Files whose names carry a bundler's hash are published as they are.

    Their names stay, their content stays, and the manifest lists them. ``bundled_names`` is a
    regular expression that is searched for in the name; ``None`` turns it off. The default knows
    eight hex digits or more, letters among them, before the extension (webpack, esbuild, Parcel).
    Vite's eight characters look like words, so name its folder too, as in
    ``r"^dist/assets/.*-[\w-]{8}\.\w+$"``.
    """

    bundled_names: ClassVar[str | re.Pattern[str] | None] = (
        r"[.-](?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{8,64}(\.\w+)+$"
    )

    def is_bundled(self, name: str) -> bool:
        """Whether ``name`` (as in a reference, perhaps with a query) carries a bundler's hash."""
        return self.bundled_names is not None and bool(
            re.search(self.bundled_names, urlsplit(unquote(name)).path)
        )

    def hashed_name(self, name: str, content: Any = None, filename: str | None = None) -> str:
        """The name itself, if it is a bundler's. An absent file is as much an error as ever."""
        if self.is_bundled(name) and (
            content is not None or self.exists(urlsplit(unquote(name)).path.strip())  # type: ignore[attr-defined]  # a mixin
        ):
            return name
        return super().hashed_name(name, content, filename)  # type: ignore[misc]  # a mixin

    def url_converter(self, name: str, *args: Any, **kwargs: Any) -> Callable[..., str]:
        """Django's converter; in a bundler's file every reference stays as it is."""
        if self.is_bundled(name):
            return lambda match: match[0]
        return super().url_converter(name, *args, **kwargs)  # type: ignore[misc]  # a mixin


class ThirdPartyMixin(AbsentSourceMapsMixin, BundledFilesMixin):
    """Both: source maps may be absent, a bundler's files are published as they are."""


class AbsentManifestMixin:
    """For Azure: a manifest that does not exist yet reads as an empty one, as on other storages.

    ``collectstatic`` copes without it. It lets other commands and the site itself start before
    the first ``collectstatic``.
    """

    def read_manifest(self) -> str | None:
        """As Django's, for libraries that have an exception of their own for absent files."""
        try:
            return super().read_manifest()  # type: ignore[misc]  # a mixin
        except Exception as error:
            if means_absent(error):
                return None
            raise


def _warn(storage: object, message: str) -> None:
    """To the command that is running, or to the log."""
    warn: Callable[[str], None] = getattr(storage, "collectfasta_warn", logger.warning)
    warn(message)
