"""Where the code of steps comes from: modules beside a pipeline file, then installed ones, and which may be used.

Code in them is of the module that it says itself, so that a module gives away nothing that it only imported.
"""

import functools
import importlib
import sys
import sysconfig
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from ia_modules.errors import Problem
from ia_modules.payload import clean_text
from ia_modules.pipeline import beside
from ia_modules.pipeline.allowed_code import MODULES_VARIABLE
from ia_modules.pipeline.document.wording import shown
from ia_modules.tasks import is_ctrl_c

NAME_LIMIT_CHARACTERS = 200
"""The longest name of a module, or of code in it, that a definition may give."""

NAMES = f"names of Python with dots between them, at most {NAME_LIMIT_CHARACTERS} characters"


class StandIn:
    """What a module has in place of code, and means that code: the node of a flow."""

    __wrapped__: Callable[..., Any]


class StepModules:
    """Where the code of steps comes from: a folder, then what is installed."""

    def __init__(self, folder: Path | None = None, *, allowed: tuple[str, ...] | None = None) -> None:
        """Look for modules.

        Args:
            folder: modules in it come first.
            allowed: patterns of module names that may be imported from elsewhere, such as ``my_company.steps.*``; None:
                every module, for files that local code passes in.
        """
        self._generation = None if folder is None else beside.generation_of(folder.resolve())
        self._allowed = allowed
        self._here: dict[str, bool] = {}  # by module: the folder may have many files, and the pipeline many steps

    @property
    def allowed(self) -> tuple[str, ...] | None:
        """Patterns of module names that may be imported from elsewhere; None: every one."""
        return self._allowed

    @property
    def generation(self) -> beside.Generation | None:
        """What is loaded of the folder; it stays loaded while this is held."""
        return self._generation

    def finds_the_same_as(self, before: "StepModules") -> bool:
        """Whether all modules that were looked for before are where, and what, they were then."""
        is_same = self._generation is before._generation and self._allowed == before._allowed
        return is_same and all(self._lies_beside(module) == lay for module, lay in before._here.items())

    def code(self, module: str, name: str) -> Callable[..., Any]:
        """The class or function that a definition names.

        Raises:
            LookupError: it is not there, is neither, or may not be used; the message says why.
        """
        if refused := self.refused(module, name):
            raise LookupError(f"{refused.found}; expected {refused.expected}")
        code = plain(self.attribute(module, name))
        if not callable(code):  # its value may be a secret, and definitions come from the API
            raise LookupError(f"a value of type {type(code).__name__}, which is neither a class nor a function")
        home = home_of(code)
        if self._allowed is not None and not self._is_home(home):
            raise LookupError(f"{name!r} of module {module!r} is code of {home!r}, which may not be used here")
        return code

    def attribute(self, module: str, name: str) -> Any:
        """Whatever ``name`` stands for in a module.

        Raises:
            LookupError: it is not there, or the module cannot be imported; the message says why.
        """
        found: Any = self._module(module)
        for each in name.split("."):
            try:
                found = getattr(found, each)
            except AttributeError:
                there = ", ".join(sorted(each for each in dir(found) if not each.startswith("_"))) or "nothing"
                raise LookupError(f"module {module!r} has no {name!r}; it has {there}") from None
            except BaseException as error:  # user code: a module may load what it has only when it is looked for
                if is_ctrl_c(error):
                    raise
                failed = f"{name!r} of module {module!r} cannot be loaded"
                raise LookupError(f"{failed}: {type(error).__name__}: {clean_text(error)}") from error
        return found

    def refused(self, module: str, name: str) -> Problem | None:
        """Why such code may not be used, by its names alone; None: it may, if it is there. Nothing is imported.

        ``where`` of the problem is the key of a step that is wrong, ``module`` or ``step_class``.
        """
        for key, text in (("module", module), ("step_class", name)):
            if wrong := misspelled(text):
                return Problem(key, f"{shown(text)}, {wrong}", NAMES)
        if self._allows(module):
            return None
        found = f"the module {module!r}, which is not among the modules that may be used here"
        allowed = ", ".join(self._allowed or ()) or "it allows none"
        hint = f"Allow it where the program is started, with {MODULES_VARIABLE}, or lay it beside the pipeline's file."
        return Problem(
            "module", found, f"one beside the pipeline's file ({self._beside()}) or an allowed one: {allowed}", hint
        )

    def _allows(self, module: str) -> bool:
        """Whether a module lies in the folder, or is allowed by name."""
        if self._allowed is None or self._lies_beside(module):
            return True
        return any(fnmatchcase(module, pattern) for pattern in self._allowed)

    def _lies_beside(self, module: str) -> bool:
        if module not in self._here:
            self._here[module] = self._generation is not None and self._generation.has(module)
        return self._here[module]

    def _is_home(self, home: str) -> bool:
        """Whether code may come from a module, by its loaded name; what a module imported is not its to give away."""
        if (folder := beside.folder_of(home)) is not None:
            return self._generation is not None and folder == self._generation.folder
        return any(fnmatchcase(home, pattern) for pattern in self._allowed or ())

    def _module(self, module: str) -> ModuleType:
        try:
            if self._generation is not None and self._lies_beside(module):
                return self._generation.load(module)
            return importlib.import_module(module)
        except BaseException as error:  # user code: whatever it raises, it cannot be used
            if is_ctrl_c(error):
                raise
            absent = isinstance(error, ModuleNotFoundError) and f"{module}.".startswith(
                f"{beside.name_beside(error.name or '')}."
            )
            failed = "cannot be imported" if absent else "cannot be loaded"
            looked = f" ({self._looked_at()})" if isinstance(error, ImportError) else ""
            found = f"module {module!r} {failed}: {type(error).__name__}: {clean_text(error)}{looked}"
            raise LookupError(found) from error

    def _looked_at(self) -> str:
        """Where modules were looked for, for people."""
        paths = sysconfig.get_paths()
        installed = tuple(paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib", "scripts"))
        elsewhere = [each for each in sys.path if each and not each.startswith(installed) and Path(each).is_dir()]
        return f"looked for in {'; '.join(dict.fromkeys([self._beside(), *elsewhere, 'installed packages']))}"

    def _beside(self) -> str:
        """The folder and what is in it, for people."""
        if self._generation is None:
            return "no folder of its own"
        folder = self._generation.folder
        return f"{folder}, which has {_modules_in(folder)}"


def _modules_in(folder: Path) -> str:
    """The Python files and folders of a folder, for people: the first of them."""
    try:
        names = sorted(each.name for each in folder.iterdir() if each.suffix == ".py" or each.is_dir())
    except OSError as error:
        return f"nothing that can be read ({error.strerror})"
    names = [name for name in names if not name.startswith((".", "__"))]
    return f"{', '.join(names[:20])}{', …' if len(names) > 20 else ''}" or "no modules"


def plain(code: Any) -> Any:
    """The code itself where a stand-in is named; nobody else's wrapper is looked through: it is there to run."""
    while isinstance(code, StandIn):
        code = code.__wrapped__
    return code


def home_of(code: Any) -> str:
    """The module that code is of, by what it says itself.

    A decorated function is of the module that it was written in when its decorator uses ``functools.wraps``; an object
    is of that of its class, and a partial of that of its function.
    """
    while isinstance(code, functools.partial):
        code = plain(cast("functools.partial[Any]", code).func)
    return str(getattr(code, "__module__", None) or "")


def misspelled(name: str) -> str | None:
    """What keeps a text from being the name of a module, or of code in one; None: nothing."""
    if len(name) > NAME_LIMIT_CHARACTERS:
        return f"a name of {len(name)} characters"
    parts = name.split(".")
    if "__main__" in parts:
        return "the program itself, which nobody else can import"
    if any(each.startswith("__") and each.endswith("__") for each in parts):
        return "which is Python's own and no code of a step"
    if name.startswith(f"{beside.PACKAGE}."):
        return "the name of a module in this process alone"
    if not all(map(str.isidentifier, parts)):
        return "which is no name that Python code can have" if "<" not in name else "which has no name of its own"
    return None
