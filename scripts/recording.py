"""Records terminal sessions for docs/terminal.md, in tmux, from the real command.

``python -m scripts.recording`` writes the page anew; tests/test_terminal.py holds it to its shape.
The store is the bench's, made slow enough that there is something to see.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.benchmarks.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "terminal.md"
COMMAND = "python manage.py collectstatic --noinput"
WIDTH, HEIGHT = 100, 40
SECONDS = 60.0
LATENCY = 0.4

SETTINGS = """\
SECRET_KEY = "nothing to protect here"
INSTALLED_APPS = [
    "collectfasta", "django.contrib.staticfiles", "django.contrib.contenttypes",
    "django.contrib.auth", "django.contrib.admin", "shop",
]
STATIC_URL = "/static/"
STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.AppDirectoriesFinder"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {
        "BACKEND": "storages.backends.s3.S3StaticStorage",
        "OPTIONS": {"bucket_name": "static", "endpoint_url": "%(url)s", "region_name": "us-east-1"},
    },
}
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": "%(folder)s/cache",
    }
}
COLLECTFASTA_THREADS = 8
"""

MANAGE = """\
import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
    execute_from_command_line(sys.argv)
"""

TEXT = """\
# A terminal session

Recorded in tmux by `python -m scripts.recording`, from the real command over Django admin's files.
The store answers each request 0.4 s late and only eight are sent at once, so that there is
something to see.

## Everything is new

While it runs, a line per stage:

```text
{running}
```

They are gone when it is done. Django's own summary is followed by ours:

```text
{cold}
```

## Nothing has changed

```text
{unchanged}
```

## What a deploy would change

One file was edited.

```text
{explained}
```

## A file is refused

All others are sent. The exit status is 1, and the next run sends what is missing.

```text
{failing}
```

## In a pipe

No control characters; a line every five seconds, which a run as short as this does not reach.

```text
{piped}
```
"""


def project(folder: Path, url: str) -> Path:
    """A project whose static files go to the store at ``url``; gives the stylesheet to edit."""
    (folder / "settings.py").write_text(SETTINGS % {"url": url, "folder": folder})
    (folder / "manage.py").write_text(MANAGE)
    sheet = folder / "shop" / "static" / "shop" / "site.css"
    sheet.parent.mkdir(parents=True)
    (folder / "shop" / "__init__.py").touch()
    sheet.write_text("body { margin: 0 }\n")
    return sheet


class Terminal:
    """A shell in a tmux of its own."""

    def __init__(self, folder: Path) -> None:
        self._tmux = ["tmux", "-S", str(folder / "tmux"), "-f", os.devnull]
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
        self._env = {**keys, "PATH": path, "PYTHONPATH": str(ROOT), "HOME": str(folder)}
        self._env |= {"LANG": "C.UTF-8", "AWS_EC2_METADATA_DISABLED": "true"}
        size = ["-x", str(WIDTH), "-y", str(HEIGHT)]
        self._do("new-session", "-d", *size, "-c", str(folder), "sh")
        self.wait(lambda text: text.endswith(("#", "$")))
        self._do("send-keys", "PS1='$ '", "Enter")  # root's is another, whatever the environment

    def run(self, command: str) -> str:
        """Type ``command`` on an empty screen; gives the screen when the prompt is back."""
        self.type(command)
        return self.wait(lambda text: text.endswith("\n$")).removesuffix("$").rstrip()

    def type(self, command: str) -> None:
        """On an empty screen, without waiting for anything."""
        self.wait(lambda text: text.endswith("$"))
        self._do("send-keys", "clear", "Enter")
        self.wait(lambda text: text == "$")
        self._do("send-keys", command, "Enter")

    def wait(self, seen: Callable[[str], bool]) -> str:
        """The first screen that is as it should be. Raises ``TimeoutError``."""
        deadline = time.monotonic() + SECONDS
        while not seen(text := self._do("capture-pane", "-p").rstrip()):
            if time.monotonic() > deadline:
                raise TimeoutError(text)
            time.sleep(0.05)
        return text

    def close(self) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):
            self._do("kill-server")

    def _do(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self._tmux, *arguments], env=self._env, capture_output=True, text=True, check=True
        )
        return done.stdout


def record() -> dict[str, str]:
    """The screens that the page shows."""
    with tempfile.TemporaryDirectory() as name, Store(latency=LATENCY) as store:
        folder = Path(name)
        sheet = project(folder, store.url)
        with contextlib.closing(Terminal(folder)) as terminal:
            terminal.type(COMMAND)
            screens = {"running": terminal.wait(lambda text: " left" in text)}
            cold = terminal.wait(lambda text: text.endswith("\n$"))
            screens["cold"] = cold.removesuffix("$").rstrip()
            store.latency = 0.0
            screens["unchanged"] = terminal.run(COMMAND)
            sheet.write_text("body { margin: 1px }\n")
            screens["explained"] = terminal.run(f"{COMMAND} --dry-run --explain 'shop/*'")
            refusal = store.fail("PutObject", key="shop/site.css", status=403)
            screens["failing"] = terminal.run(f"{COMMAND}; echo $?")
            store.faults.remove(refusal)
            screens["piped"] = terminal.run(f"{COMMAND} | cat")
    return {what: screen.replace(name, "/home/you") for what, screen in screens.items()}


def main() -> None:
    PAGE.write_text(TEXT.format(**record()))


if __name__ == "__main__":
    main()
