"""Recursion as deep as it takes."""

from __future__ import annotations

import contextvars
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def in_fresh_stack(function: Callable[[], T]) -> T:
    """Call ``function`` in a thread of its own and wait for it: frames are counted per thread.

    A daemon, so that Ctrl-C need not wait for it.
    """
    future: Future[T] = Future()
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(_call, function, future), daemon=True).start()
    return future.result()


def _call(function: Callable[[], T], future: Future[T]) -> None:
    try:
        result = function()
    except BaseException as error:  # noqa: BLE001 - it is handed to whoever waits for the result
        future.set_exception(error)
    else:
        future.set_result(result)
