"""The trees that the contract is stated with."""

from __future__ import annotations

import random

BIG = "media/a big one.bin"
BIG_SIZE = 5 * 1024 * 1024

FEW = {
    "a.css": b"body { color: red }\n" * 40,
    "b b.txt": b"a name with a space",
    "js/c.js": b"let c = 1;\n" * 40,
    "js/deep/er/d.json": b"{}",
    "empty.txt": b"",
    "static/static.txt": b"named like its location",
}

_ODD = (
    "with space.css",
    "hash#mark.css",
    "per%cent.css",
    "per%20cent.css",
    "plus+plus.js",
    "amper&sand=.js",
    "question?mark.txt",
    "quote'.txt",
    "comma,semi;colon.txt",
    "(round) [square] {curly}.txt",
    "at@dollar$.txt",
    "tilde~.svg.txt",
    "ümlaut.css",
    "中文/文件.js",
    "emoji 🎈.txt",
    "empty.css",
    "no-extension",
    "many.dots.in.name.min.js",
    "deep/er/and/deep/er/still/to/the/end.css",
    "UPPER/Case.PNG",
)


def many() -> dict[str, bytes]:
    """62 files: odd names, empty ones, one of 5 MiB, and ordinary ones. The same each time."""
    dice = random.Random(62)
    files = {name: f"/* {name} */".encode() for name in _ODD}
    files["empty.css"] = b""
    files["empty/empty.txt"] = b""
    files[BIG] = dice.randbytes(BIG_SIZE)
    extensions = ("css", "js", "png", "svg", "woff2")
    for number in range(40):
        name = f"app{number % 3}/file{number}.{extensions[number % 5]}"
        files[name] = dice.randbytes(dice.randrange(20, 30_000))
    return files
