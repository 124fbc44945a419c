"""Runs of the command inside the model: plain, stopped in the middle, two at once."""

from __future__ import annotations

import contextlib
import io
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command

from collectfasta.pipeline import session
from collectfasta.pipeline.lookups import Lookups
from collectfasta.pipeline.session import Session
from collectfasta.pipeline.upload import Publisher
from tests import support
from tests.model import finder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE = 20.0


@dataclass(frozen=True, slots=True)
class Stop:
    """A run that ends after so many ``uploads``. ``killed``: without a chance to remember any."""

    uploads: int
    killed: bool


def run(folder: Path, settings: dict[str, Any], *args: str) -> support.Result:
    """One whole run."""
    finder.look_in(str(folder))
    return support.collect(*args, settings=settings)


def run_stopped(folder: Path, settings: dict[str, Any], stop: Stop, *args: str) -> bool:
    """Whether it was stopped; it may have ended before."""
    others = set(threading.enumerate())
    with _stopping(stop):
        try:
            run(folder, settings, *args)
        except KeyboardInterrupt:
            return True
        finally:
            quiet(others)
    return False


def run_both(folders: list[Path]) -> list[support.Result]:
    """At once, each in a thread of its own; settings are those in force."""
    results: list[support.Result] = []

    def one(folder: Path) -> None:
        finder.look_in(str(folder))
        out, err = io.StringIO(), io.StringIO()
        status = 0
        try:
            call_command("collectstatic", interactive=False, stdout=out, stderr=err)
        except CommandError as error:
            status = error.returncode
            err.write(str(error))
        except Exception:  # noqa: BLE001 - it is shown by whoever looks at the result
            status = 99
            err.write(traceback.format_exc())
        results.append(support.Result(status, out.getvalue(), err.getvalue()))

    threads = [threading.Thread(target=one, args=(folder,), daemon=True) for folder in folders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(results) == len(folders), "a run has hung or crashed"
    return results


def quiet(others: set[threading.Thread]) -> None:
    """Return when no thread of ours is at work any more; ``others`` were there before."""
    end = time.monotonic() + PATIENCE
    for thread in set(threading.enumerate()) - others:
        if thread.name.startswith("collectfasta-"):
            while thread.ident is None and time.monotonic() < end:  # it is only just being started
                time.sleep(0.001)
            thread.join(max(0.0, end - time.monotonic()))
            if thread.is_alive():
                frame = sys._current_frames().get(thread.ident or 0)
                where = "".join(traceback.format_stack(frame)) if frame is not None else ""
                raise AssertionError(f"{thread.name} is still at work:\n{where}")


@contextlib.contextmanager
def _stopping(stop: Stop) -> Iterator[None]:
    """Ctrl-C, as the main thread hears it, when so many uploads have begun."""
    begun = 0
    lock = threading.Lock()
    upload, tell = Publisher._upload, Session._tell

    def counted(self: Publisher, *args: Any) -> None:
        nonlocal begun
        with lock:
            begun += 1
        upload(self, *args)

    def heard(self: Session) -> None:
        if begun >= stop.uploads:
            raise KeyboardInterrupt
        tell(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Publisher, "_upload", counted)
        patch.setattr(Session, "_tell", heard)
        patch.setattr(session, "TICK", 0.0005)
        if stop.killed:
            patch.setattr(Lookups, "save", lambda *args, **kwargs: None)
        yield
