"""What Google's and Azure's SDK need of their ``requests`` session to bear many threads."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter

if TYPE_CHECKING:
    from requests import PreparedRequest, Response, Session

CONNECT_SECONDS = 20.0
"""How long a connection may take to be made, and one block of a body to be sent."""
READ_SECONDS = 60.0
"""How long the server may be silent before it answers."""

_LARGE = 64 * 1024
_PREFIXES = ("https://", "http://")


class PatientAdapter(HTTPAdapter):
    """A pool as wide as the threads, and bodies sent in blocks.

    A socket's time-out covers the whole of one ``sendall``, so a large body that shares a slow link
    with others would fail while it moves. In blocks, only a link that stands still times out.
    """

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        """Send ``request``; urllib3 gets a large body as a file, which it reads in blocks."""
        if isinstance(request.body, bytes) and len(request.body) > _LARGE:
            request.body = io.BytesIO(request.body)
        return super().send(request, *args, **kwargs)


def widen(session: Session, threads: int) -> None:
    """Let ``session`` keep one connection per thread, and send as :class:`PatientAdapter` does.

    An adapter of the user's own, or one that holds a client certificate, stays as it is.
    """
    for prefix in _PREFIXES:
        present = session.adapters.get(prefix)
        if _is_plain(present):
            retries = present.max_retries
            session.mount(prefix, PatientAdapter(pool_maxsize=threads, max_retries=retries))


def _is_plain(adapter: object) -> bool:
    kind = type(adapter)
    return kind is HTTPAdapter or (
        issubclass(kind, HTTPAdapter) and kind.__module__.startswith("azure.core.")
    )
