"""The tree of errors: drawn as it is, and whole whichever room an error stands in."""

import importlib
import inspect
import pkgutil
import re

from ia_modules import errors
from ia_modules.errors import IAModulesError, StepTimeout
from ia_modules.pipeline.document.retry import RetryPolicy, should_retry

BRANCH = re.compile(r"^(?P<indent>[│ ]*)[├└]── (?P<name>\w+)")


def drawn() -> dict[str, str]:
    """Each error of the drawing with the one above it."""
    parents: dict[str, str] = {}
    trail = ["IAModulesError"]
    for line in (errors.__doc__ or "").splitlines():
        if branch := BRANCH.match(line):
            depth = len(branch["indent"]) // 4 + 1
            trail[depth:] = [branch["name"]]
            parents[branch["name"]] = trail[depth - 1]
    return parents


def public_errors() -> dict[str, type[Exception]]:
    classes = dict(inspect.getmembers(errors, inspect.isclass))
    return {name: each for name, each in classes.items() if issubclass(each, Exception) and not name.startswith("_")}


def test_the_first_page_of_the_module_draws_every_error_below_the_one_it_derives_from() -> None:
    tree = drawn()
    assert sorted([*tree, "IAModulesError"]) == sorted(public_errors())
    assert [name for name, above in tree.items() if not issubclass(public_errors()[name], public_errors()[above])] == []


def test_everything_that_is_raised_on_purpose_can_be_caught_by_the_root() -> None:
    assert [name for name, each in public_errors().items() if not issubclass(each, IAModulesError)] == []


def test_every_error_of_a_room_is_imported_from_the_package() -> None:
    rooms = [
        importlib.import_module(f"{errors.__name__}.{each.name}") for each in pkgutil.iter_modules(errors.__path__)
    ]
    found = {
        name: each
        for room in rooms
        for name, each in inspect.getmembers(room, inspect.isclass)
        if issubclass(each, Exception) and not name.startswith("_")
    }
    assert found == public_errors()
    assert found.keys() <= set(errors.__all__)


def test_an_error_is_named_by_the_path_that_it_is_imported_from() -> None:
    assert {each.__module__ for each in public_errors().values()} == {"ia_modules.errors"}
    policy = RetryPolicy(retry_on=("ia_modules.errors.StepTimeout",))
    assert should_retry(policy, 1, StepTimeout("s", 1.0)) is True
