import importlib
import subprocess
import sys

import pytest

import ia_modules


def test_importing_the_package_loads_neither_drivers_nor_models() -> None:
    loaded = "{'apsw', 'asyncpg', 'orjson', 'pydantic', 'typer'} & set(sys.modules)"
    program = f"import ia_modules, sys; print(sorted({loaded}))"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


@pytest.mark.parametrize("name", ia_modules.__all__)
def test_every_public_name_is_there_and_listed(name: str) -> None:
    assert getattr(ia_modules, name) is not None
    assert name in dir(ia_modules)


def test_a_name_that_is_not_there_is_refused_as_everywhere() -> None:
    with pytest.raises(AttributeError, match="module 'ia_modules' has no attribute 'Nothing'"):
        getattr(importlib.import_module("ia_modules"), "Nothing")  # noqa: B009 - the types forbid it otherwise
