"""Modules beside a pipeline file, loaded as Python loads modules, under a name of their folder.

``steps.py`` in ``/srv/jobs`` becomes ``ia_modules.pipeline.beside._2fsrv_2fjobs_g1.steps``: two folders may both have a
``steps.py``, ``sys.path`` stays as it is, and what ``steps`` imports is looked for beside it first. Python's own import
machinery does the work (its locks, packages, folders without ``__init__.py``); here is only where it looks. The name
says the folder, so that another process finds a module by it, such as one that a step starts with multiprocessing.

``g1`` is a generation: what was loaded of a folder until one of its modules changed. Who loads code afterwards loads
all of it anew, under the next number; what runs keeps what it has. A generation that is no longer the current one is
forgotten when nobody holds it any more.
"""

import builtins
import hashlib
import importlib
import importlib.util
import os
import re
import sys
import threading
import time
import weakref
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    SourceFileLoader,
    SourcelessFileLoader,
)
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

PACKAGE = __name__
__path__: list[str] = []  # a package for Python: the folders are its modules

_SETTLED_NANOSECONDS = 2_000_000_000
"""A file that changed so shortly before it was read may change again without another time or size."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was found when a module was looked for.

    Attributes:
        path: where it was looked for.
        origin: its file, or the folder of a package without ``__init__.py``; None: there was none.
        stamp: of the file before it was read.
        digest: of what was read; None: it was not read here.
        is_settled: the stamp alone says whether the file is still the same.
    """

    path: tuple[str, ...]
    origin: str | None
    stamp: tuple[int, ...] | None = None
    digest: bytes | None = None
    is_settled: bool = True


class _Folder(ModuleType):
    """A folder as a package, in one generation: what its modules were found to be."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__seen__: dict[str, _Seen] = {}  # names that no module of a folder has
        self.__importlib__ = _Importlib(name)


@dataclass(eq=False)
class Generation:
    """What is loaded of a folder while none of its modules changes; its modules stay loaded while somebody holds it."""

    folder: Path
    number: int
    root: str = field(init=False)

    def __post_init__(self) -> None:
        self.root = f"{PACKAGE}.{_encoded(self.folder)}_g{self.number}"
        weakref.finalize(self, _forget, self.root)

    def has(self, module: str) -> bool:
        """Whether a module lies in the folder, by its name with dots; nothing is imported."""
        path, name = [str(self.folder)], self.root
        for each in module.split("."):
            name = f"{name}.{each}"
            spec = _found(name, path)
            if spec is None:
                return False
            path = list(spec.submodule_search_locations or ())
        return True

    def load(self, module: str) -> ModuleType:
        """A module of the folder; raises what its code raises, and ImportError."""
        return importlib.import_module(f"{self.root}.{module}")


_current: dict[Path, Generation] = {}
_choosing = threading.Lock()


def generation_of(folder: Path) -> Generation:
    """What is loaded of a folder; a new generation if a module of it changed, is gone, or came where there was none."""
    with _choosing:
        known = _current.get(folder)
        if known is None or not _is_current(known):
            known = _current[folder] = Generation(folder, 1 if known is None else known.number + 1)
        return known


def fingerprint(generation: Generation) -> dict[str, str]:
    """The digest of the source of each module of a folder that is loaded, by its name there."""
    package = sys.modules.get(generation.root)
    if not isinstance(package, _Folder):
        return {}
    seen = list(package.__seen__.items())
    return {name.removeprefix(f"{generation.root}."): each.digest.hex() for name, each in seen if each.digest}


def name_beside(module: str) -> str:
    """A module's name as a file beside it spells it; other names as they are."""
    return module.removeprefix(f"{PACKAGE}.").partition(".")[2] if folder_of(module) else module


def folder_of(module: str) -> Path | None:
    """The folder that a module was loaded from, by its full name; None: it is not one of these."""
    if not module.startswith(f"{PACKAGE}."):
        return None
    encoded = re.sub(r"_g\d+$", "", module.removeprefix(f"{PACKAGE}.").partition(".")[0])
    plain = re.sub(rb"_([0-9a-f]{2})", lambda found: bytes.fromhex(found[1].decode()), encoded.encode())
    return Path(os.fsdecode(plain))


def _encoded(folder: Path) -> str:
    """A folder as part of a module's name: letters and digits as they are, other bytes as ``_2f``."""
    return "".join(
        chr(byte) if chr(byte).isascii() and chr(byte).isalnum() else f"_{byte:02x}" for byte in os.fsencode(folder)
    )


def _root_of(module: str) -> str:
    """The name of the folder's package, of a module in it."""
    return f"{PACKAGE}.{module.removeprefix(f'{PACKAGE}.').partition('.')[0]}"


def _forget(root: str) -> None:
    for name in [each for each in list(sys.modules) if f"{each}.".startswith(f"{root}.")]:
        sys.modules.pop(name, None)
    globals().pop(root.rpartition(".")[2], None)  # Python has set it here, as with every package


class _Finder(MetaPathFinder):
    """Finds the folders by their names, and the modules in them."""

    def find_spec(self, fullname: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        folder = folder_of(fullname)
        if folder is None:
            return None
        root = _root_of(fullname)
        if fullname == root:
            spec = ModuleSpec(fullname, _FolderLoader(), is_package=True)
            spec.submodule_search_locations = [str(folder)]
            return spec
        spec = _found(fullname, path or ())
        package = sys.modules.get(root)
        if isinstance(package, _Folder):
            package.__seen__[fullname] = _Seen(tuple(path or ()), _origin_of(spec), _stamp_of(spec and spec.origin))
        if spec is None:  # said by raising: otherwise Python's own finder is asked next
            raise ModuleNotFoundError(f"No module named {name_beside(fullname)!r} in {folder}", name=fullname)
        return spec


class _FolderLoader(Loader):
    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Folder(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """There is nothing to run."""


class _SourceLoader(SourceFileLoader):
    """Reads the source each time: a cached compilation knows its source by whole seconds and size alone."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        now, stamp = time.time_ns(), _stamp_of(path)
        source = self.get_data(path)
        package = sys.modules.get(_root_of(fullname))
        if isinstance(package, _Folder) and fullname in package.__seen__ and stamp is not None:
            package.__seen__[fullname] = replace(
                package.__seen__[fullname],
                stamp=stamp,
                digest=_digest(source),
                is_settled=_is_settled(stamp, now),
            )
        return self.source_to_code(source, path)

    def exec_module(self, module: ModuleType) -> None:
        _look_beside_first(module)
        super().exec_module(module)


class _SourcelessLoader(SourcelessFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        _look_beside_first(module)
        super().exec_module(module)


_KINDS = (
    (ExtensionFileLoader, EXTENSION_SUFFIXES),
    (_SourceLoader, SOURCE_SUFFIXES),
    (_SourcelessLoader, BYTECODE_SUFFIXES),
)


def _found(name: str, path: Iterable[str], finders: dict[str, FileFinder] | None = None) -> ModuleSpec | None:
    """The module of this full name in these folders, as they are now; links lead where they lead.

    A folder without ``__init__.py`` is a package, unless one with it is installed under its name.

    Args:
        finders: those of this moment; Python's own remember what was there.
    """
    finders = {} if finders is None else finders
    folders: list[str] = []
    for entry in path:
        if entry not in finders:
            finders[entry] = FileFinder(entry, *_KINDS)
        spec = finders[entry].find_spec(name)
        if spec is not None and spec.loader is not None:
            return spec
        folders += (spec and spec.submodule_search_locations) or ()
    if not folders or _is_installed(name.removeprefix(f"{_root_of(name)}.")):
        return None
    package = ModuleSpec(name, None, is_package=True)
    package.submodule_search_locations = folders
    return package


def _is_installed(name: str) -> bool:
    """Whether there is a module of this name elsewhere that has a file."""
    try:
        spec = None if "." in name else importlib.util.find_spec(name)
    except ValueError:  # a module that was made by hand
        return True
    return spec is not None and spec.origin is not None


def _origin_of(spec: ModuleSpec | None) -> str | None:
    return None if spec is None else spec.origin or ":".join(spec.submodule_search_locations or ())


def _stamp_of(file: str | None) -> tuple[int, ...] | None:
    if file is None:
        return None
    try:
        found = Path(file).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino


def _digest(source: bytes) -> bytes:
    return hashlib.sha256(source).digest()


def _is_current(generation: Generation) -> bool:
    """Whether every module that was looked for in the folder is where, and what, it was."""
    package = sys.modules.get(generation.root)
    if not isinstance(package, _Folder):
        return True
    finders: dict[str, FileFinder] = {}
    for name, seen in list(package.__seen__.items()):
        again = _seen_again(name, seen, finders)
        if again is None:
            return False
        package.__seen__[name] = again
    return True


def _seen_again(name: str, seen: _Seen, finders: dict[str, FileFinder]) -> _Seen | None:
    """What is known of a module that is still the same; None when it is not."""
    spec = _found(name, seen.path, finders)
    if _origin_of(spec) != seen.origin:
        return None
    if spec is None or spec.origin is None:
        return seen
    now, stamp = time.time_ns(), _stamp_of(spec.origin)
    if seen.digest is None or (seen.is_settled and stamp == seen.stamp):
        return seen if stamp == seen.stamp else None
    try:
        same = _digest(Path(spec.origin).read_bytes()) == seen.digest
    except OSError:
        return None
    return replace(seen, stamp=stamp, is_settled=_is_settled(stamp, now)) if same else None


def _is_settled(stamp: tuple[int, ...] | None, now: int) -> bool:
    return stamp is not None and max(stamp[:2]) < now - _SETTLED_NANOSECONDS


def _is_beside(root: str, name: str) -> bool:
    """Whether an absolute import in a folder's module means a module beside it."""
    top = name.partition(".")[0]
    if not top or top.startswith("__"):
        return False
    full, seen = f"{root}.{top}", _package(root).__seen__
    if full not in sys.modules and full in seen and seen[full].origin is None:
        return False
    try:
        spec = importlib.util.find_spec(full)
        if spec is not None and spec.origin is None and name != top:  # such packages may lie in two places
            spec = importlib.util.find_spec(f"{root}.{name}")
    except ModuleNotFoundError as error:
        if not f"{root}.{name}.".startswith(f"{error.name}."):
            raise
        return False
    except ValueError:  # a module that has put another object in its place
        return True
    return spec is not None


def _package(root: str) -> _Folder:
    package = importlib.import_module(root)
    assert isinstance(package, _Folder)
    return package


def _look_beside_first(module: ModuleType) -> None:
    """Give a module an ``import`` of its own."""
    root = _root_of(module.__name__)

    def import_(
        name: str,
        globals_: Mapping[str, Any] | None = None,
        locals_: Mapping[str, Any] | None = None,
        fromlist: tuple[str, ...] | None = (),
        level: int = 0,
    ) -> Any:
        if level:
            package = str((globals_ or {}).get("__package__") or "")
            if not f"{importlib.util.resolve_name('.' * level, package)}.".startswith(f"{root}."):
                raise ImportError("attempted relative import beyond top-level package")
        elif name.partition(".")[0] == "importlib":
            found = builtins.__import__(name, globals_, locals_, fromlist or (), 0)
            return _package(root).__importlib__ if found is importlib else found
        elif _is_beside(root, name):
            found = _imported(f"{root}.{name}", fromlist)
            return found if fromlist else _imported(f"{root}.{name.partition('.')[0]}", None)
        return builtins.__import__(name, globals_, locals_, fromlist or (), level)

    module.__dict__["__builtins__"] = {**vars(builtins), "__import__": import_}


def _imported(name: str, fromlist: tuple[str, ...] | None) -> ModuleType:
    """The module itself; with what is there of it so far where two threads would wait for each other in a circle."""
    try:
        return builtins.__import__(name, None, None, fromlist or ("__name__",), 0)
    except RuntimeError as error:
        if type(error).__name__ != "_DeadlockError":
            raise
        # Python gives what there is only if the module was there when it looked first; now it is
        return builtins.__import__(name, None, None, fromlist or ("__name__",), 0)


class _Importlib(ModuleType):
    """``importlib`` as the modules of a folder see it: ``import_module`` finds what ``import`` finds."""

    def __init__(self, root: str) -> None:
        super().__init__("importlib", importlib.__doc__)
        self._root = root

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib, name)

    def import_module(self, name: str, package: str | None = None) -> ModuleType:
        beside = not name.startswith(".") and _is_beside(self._root, name)
        return importlib.import_module(f"{self._root}.{name}" if beside else name, package)


sys.meta_path.insert(0, _Finder())  # before the one that would load them as if they were ours
