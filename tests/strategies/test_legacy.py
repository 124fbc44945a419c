"""Custom strategies written for the original package, in whole runs of the command."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import FileSystemStorage, Storage
from django.test.utils import override_settings

from collectfasta.exceptions import SettingError, UploadError
from collectfasta.items import SourceFile
from collectfasta.strategies.base import CachingHashStrategy, HashStrategy, Strategy
from collectfasta.strategies.choice import load_strategy
from collectfasta.strategies.filesystem import FileSystemStrategy
from collectfasta.strategies.generic import GenericStrategy
from tests.strategies.kit import PlainStorage, source, tree
from tests.support import Result, static_storages

Run = Callable[..., Result]


class Recording(Strategy[Any]):
    """It copies what does not end in ``.skip``, and writes down what it hears."""

    log: list[tuple[str, str, str]] = []
    threads: set[int] = set()

    def __init__(self, remote_storage: Any) -> None:
        super().__init__(remote_storage)
        self.suffix = ".skip"
        self.log.clear()
        self.threads.clear()

    def should_copy_file(self, path: str, prefixed_path: str, local_storage: Storage) -> bool:
        self._note("should", path, prefixed_path, local_storage)
        return not path.endswith(self.suffix)

    def pre_should_copy_hook(self) -> None:
        self.threads.add(threading.get_ident())
        self.log.append(("pre", "", ""))

    def post_copy_hook(self, path: str, prefixed_path: str, local_storage: Storage) -> None:
        self._note("copied", path, prefixed_path, local_storage)

    def on_skip_hook(self, path: str, prefixed_path: str, local_storage: Storage) -> None:
        self._note("skipped", path, prefixed_path, local_storage)

    def _note(self, what: str, path: str, name: str, local_storage: Storage) -> None:
        with local_storage.open(path) as file:
            text = file.read().decode()
        assert Path(local_storage.path(path)).read_text() == text
        self.log.append((what, name, text))


class Elsewhere(Recording):
    """It brings a storage of its own, with what its constructor has set up."""

    def wrap_storage(self, remote_storage: Any) -> Any:
        location = Path(remote_storage.location)
        return FileSystemStorage(location=location.with_name(f"elsewhere{self.suffix}"))


class Hooked(FileSystemStrategy):
    """One of ours, of which a user wants to hear."""

    log: list[tuple[str, str]] = []

    def post_copy_hook(self, path: str, prefixed_path: str, local_storage: Storage) -> None:
        super().post_copy_hook(path, prefixed_path, local_storage)
        self.log.append(("copied", prefixed_path))

    def on_skip_hook(self, path: str, prefixed_path: str, local_storage: Storage) -> None:
        self.log.append(("skipped", prefixed_path))


class Choosy(Hooked):
    """One of ours, which a user asks first."""

    def should_copy_file(self, path: str, prefixed_path: str, local_storage: Storage) -> bool:
        if prefixed_path.endswith(".map"):
            return False
        return super().should_copy_file(path, prefixed_path, local_storage)


class Asking(Choosy):
    """It wants to know at once what would be decided."""

    def should_copy_file(self, path: str, prefixed_path: str, local_storage: Storage) -> bool:
        if super().should_copy_file(path, prefixed_path, local_storage):
            self.log.append(("differs", prefixed_path))
            return True
        return False


class Grumbling(Recording):
    """It fails a file that it has left alone."""

    def on_skip_hook(self, path: str, prefixed_path: str, local_storage: Storage) -> None:
        raise UploadError(f"{prefixed_path}: not in the CDN.", name=prefixed_path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


@pytest.fixture
def publish(
    tmp_path: Path, root: Path, tree: Callable[..., Path], collect: Run
) -> Iterator[Callable[..., Result]]:
    """Collect ``files`` with a custom strategy of this module."""

    def run(strategy: str | type, files: Mapping[str, str], *args: str, **settings: Any) -> Result:
        folder = tree(files, folder="static")
        options = {"location": str(root), "base_url": "/static/"}
        backend = settings.pop("backend", "django.contrib.staticfiles.storage.StaticFilesStorage")
        if "." not in str(strategy):
            strategy = f"{__name__}.{strategy}"
        return collect(
            *args,
            settings={
                "STATICFILES_DIRS": [str(folder), ("prefix", str(tmp_path / "prefixed"))],
                "STORAGES": static_storages(backend, options),
                "COLLECTFASTA_STRATEGY": strategy,
                **settings,
            },
        )

    (tmp_path / "prefixed").mkdir()
    Recording.log.clear()
    Hooked.log.clear()
    yield run
    Recording.log.clear()
    Hooked.log.clear()


def test_a_file_is_not_both_left_alone_and_failed(publish: Callable[..., Result]) -> None:
    """A skip hook that raises fails its file, which counts once."""
    result = publish("Grumbling", {"a.js": "a", "b.skip": "b"})
    assert result.status == 1
    assert "One file was not published. b.skip: not in the CDN." in result.stderr
    assert " 0 unchanged, 1 decided by the custom strategy; 1 failed." in result.stderr


def test_a_custom_strategy_decides_and_hears(
    tmp_path: Path, root: Path, publish: Callable[..., Result]
) -> None:
    """In I/O threads; with the finder's storage and the path in it, with and without a prefix."""
    (tmp_path / "prefixed" / "p.css").write_text("pp")
    (tmp_path / "prefixed" / "q.skip").write_text("qq")
    result = publish("Recording", {"css/a.css": "aa", "b.skip": "bb"})
    assert result.status == 0, result.output
    assert tree(root) == {"css/a.css": b"aa", "prefix/p.css": b"pp"}
    assert Counter(Recording.log) == Counter(
        [("pre", "", "")] * 4
        + [(("should"), name, text) for name, text in FOUR.items()]
        + [("copied", name, FOUR[name]) for name in ("css/a.css", "prefix/p.css")]
        + [("skipped", name, FOUR[name]) for name in ("b.skip", "prefix/q.skip")]
    )
    assert threading.main_thread().ident not in Recording.threads
    assert publish("Recording", {}).status == 0
    assert Counter(what for what, *_ in Recording.log)["copied"] == 2


FOUR = {"css/a.css": "aa", "prefix/p.css": "pp", "b.skip": "bb", "prefix/q.skip": "qq"}


def test_a_dry_run_asks_but_tells_of_nothing(root: Path, publish: Callable[..., Result]) -> None:
    """Nothing has been copied or left alone."""
    result = publish("Recording", {"a.css": "aa", "b.skip": "bb"}, "--dry-run")
    assert result.status == 0, result.output
    assert not root.exists()
    assert {what for what, *_ in Recording.log} == {"pre", "should"}


def test_a_wrapped_storage_is_written_to(
    tmp_path: Path, root: Path, publish: Callable[..., Result]
) -> None:
    """The strategy's constructor has run before; it keeps the storage it was made with."""
    result = publish("Elsewhere", {"a.css": "aa"})
    assert result.status == 0, result.output
    assert tree(tmp_path / "elsewhere.skip") == {"a.css": b"aa"}
    assert not root.exists()


def test_any_storage_may_have_a_custom_strategy(tmp_path: Path) -> None:
    """Writing is done by the strategy of ours that fits, and ``-v2`` says who decides."""
    strategy = load_strategy(Recording, PlainStorage())
    assert isinstance(strategy, GenericStrategy)
    assert strategy.transport().endswith(f"; {__name__}.Recording decides what is written")
    assert strategy.uses_records
    disk = load_strategy(Recording, FileSystemStorage(location=tmp_path))
    assert isinstance(disk, FileSystemStrategy)
    assert not disk.uses_records
    custom = Recording(PlainStorage())
    adapted = load_strategy(custom, PlainStorage())
    assert adapted.custom is not None
    assert adapted.remote_storage is not custom.remote_storage


def test_a_subclass_of_ours_hears(root: Path, publish: Callable[..., Result]) -> None:
    """What is copied is decided as usual."""
    for expected in ("copied", "skipped"):
        Hooked.log.clear()
        result = publish("Hooked", {"a.css": "aa", "b.css": "bb"})
        assert result.status == 0, result.output
        assert sorted(Hooked.log) == [(expected, "a.css"), (expected, "b.css")]
    assert tree(root) == {"a.css": b"aa", "b.css": b"bb"}


def test_a_subclass_of_ours_may_leave_it_to_ours(
    root: Path, publish: Callable[..., Result]
) -> None:
    """What ``super().should_copy_file()`` returns may simply be handed on."""
    publish("Choosy", {"a.css": "aa", "b.css": "bb", "a.map": "m"})
    assert tree(root) == {"a.css": b"aa", "b.css": b"bb"}
    Hooked.log.clear()
    result = publish("Choosy", {"a.css": "AA"}, "-v2")
    assert result.status == 0, result.output
    assert tree(root) == {"a.css": b"AA", "b.css": b"bb"}
    assert sorted(Hooked.log) == [("copied", "a.css"), ("skipped", "a.map"), ("skipped", "b.css")]


def test_what_is_handed_on_costs_no_look(tmp_path: Path, root: Path) -> None:
    """The run knows from its listing what a look at each file would tell."""
    strategy = load_strategy(Choosy, FileSystemStorage(location=root))
    assert strategy.custom is not None
    assert strategy.custom.should_copy(source(tmp_path, "a.css", b"a")) is None
    assert strategy.custom.should_copy(source(tmp_path, "a.map", b"a")) is False


def test_a_subclass_of_ours_may_ask_ours(root: Path, publish: Callable[..., Result]) -> None:
    """Where its truth is asked for, the answer is found at once."""
    publish("Asking", {"new.css": "1", "same.css": "2", "edited.css": "3", "longer.css": "4"})
    assert [what for what, _ in Hooked.log].count("differs") == 4
    Hooked.log.clear()
    (root / "new.css").unlink()
    result = publish("Asking", {"edited.css": "x", "longer.css": "44"})
    assert result.status == 0, result.output
    assert tree(root) == {
        "new.css": b"1",
        "same.css": b"2",
        "edited.css": b"x",
        "longer.css": b"44",
    }
    names = {what: {name for kind, name in Hooked.log if kind == what} for what, _ in Hooked.log}
    changed = {"new.css", "edited.css", "longer.css"}
    assert names == {"differs": changed, "copied": changed, "skipped": {"same.css"}}


def test_hashed_copies_are_none_of_its_business(root: Path, publish: Callable[..., Result]) -> None:
    """As in the original package, only collected files are asked about."""
    backend = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
    files = {"a.css": "body{background:url(b.png)}", "b.png": "png"}
    result = publish("Recording", files, backend=backend)
    assert result.status == 0, result.output
    assert len(tree(root)) == 5
    assert {name for _, name, _ in Recording.log if name} == {"a.css", "b.png"}


def test_without_a_finder_the_file_is_its_own_place(tmp_path: Path) -> None:
    """Before ``bind``, or for who runs the strategy by himself."""
    strategy = load_strategy(Recording, PlainStorage())
    hooks = strategy.custom
    assert hooks is not None
    file = source(tmp_path, "css/a.css", b"aa")
    hooks.before()
    assert hooks.should_copy(file) is True
    hooks.copied(file)
    hooks.skipped(SourceFile(file.path, "css/a.css", 1, b"made"))
    hooks.bind({})
    assert hooks.should_copy(file) is None
    assert [what for what, *_ in Recording.log] == ["pre", "should", "copied"]


def test_what_a_custom_strategy_raises_is_not_lost(publish: Callable[..., Result]) -> None:
    """The run ends with the bug's own traceback."""
    with pytest.raises(ZeroDivisionError):
        publish("Buggy", {"a.css": "aa"})


class Buggy(Recording):
    def should_copy_file(self, path: str, prefixed_path: str, local_storage: Storage) -> bool:
        return bool(1 / 0)


class CopyArgs(Recording):
    def copy_args_hook(self, args: Any) -> Any:
        return args


class SecondPass(FileSystemStrategy):
    def second_pass_strategy(self) -> None:
        return None


class Undecided(Strategy[Any]):
    pass


class NoHash(HashStrategy[Any]):
    pass


class NoRemoteHash(CachingHashStrategy[Any]):
    pass


@pytest.mark.parametrize(
    ("strategy", "says"),
    [
        (CopyArgs, "defines copy_args_hook(), which is gone. Have a finder"),
        (SecondPass, "defines second_pass_strategy(), which is gone. Manifest storages are"),
        (Undecided, "defines no should_copy_file()."),
        (NoHash, "defines no get_remote_file_hash()."),
        (NoRemoteHash, "defines no get_remote_file_hash()."),
    ],
)
def test_what_cannot_work_is_refused(
    tmp_path: Path, strategy: type[Strategy[Any]], says: str
) -> None:
    """Before anything is written, with what to do, in one line."""
    with pytest.raises(SettingError) as caught:
        load_strategy(strategy, FileSystemStorage(location=tmp_path))
    text = str(caught.value)
    assert text.startswith(f"The strategy {__name__}.{strategy.__name__} {says}")
    assert "\n" not in text


def test_the_commands_error_is_one_line(publish: Callable[..., Result]) -> None:
    """A refused strategy ends the command with status 1."""
    result = publish("CopyArgs", {"a.css": "a"})
    assert result.status == 1
    assert result.stderr.count("\n") == 1


def test_the_base_has_nothing_to_say() -> None:
    """Its hooks do nothing; what must be defined says so."""
    strategy: Strategy[Any] = Undecided(PlainStorage())
    strategy.pre_should_copy_hook()
    strategy.post_copy_hook("a", "a", PlainStorage())
    strategy.on_skip_hook("a", "a", PlainStorage())
    assert strategy.custom is None
    assert Strategy.delete_not_found_exception == ()
    with pytest.raises(NotImplementedError, match="defines no should_copy_file"):
        strategy.should_copy_file("a", "a", PlainStorage())
    with pytest.raises(NotImplementedError, match="defines no get_remote_file_hash"):
        NoHash(PlainStorage()).get_remote_file_hash("a")
    with override_settings(COLLECTFASTA_STRATEGY="no_such.Y"), pytest.raises(SettingError):
        load_strategy("no_such.Y", PlainStorage())
