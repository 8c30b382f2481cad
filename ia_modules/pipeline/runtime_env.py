"""Files with what Ray calls a ``runtime_env``: an operator's, or beside a pipeline's. They may have secrets.

So what is in them is never stored or shown, and no error has a word of it.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast


def read_runtime_env(file: Path) -> dict[str, Any]:
    """What a file says, as Ray takes it.

    Raises:
        ValueError: it cannot be read; says why, after "which".
    """
    try:
        read = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    except ValueError:
        raise ValueError("cannot be read: it is no JSON") from None
    if not isinstance(read, dict):
        raise ValueError("is no mapping in JSON")
    return cast(dict[str, Any], read)


def laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """One runtime_env over another: each key of the upper one counts, and of ``env_vars`` each variable."""
    both = {**below, **above}
    variables = below.get("env_vars"), above.get("env_vars")
    if all(isinstance(each, Mapping) for each in variables):
        both["env_vars"] = {**below["env_vars"], **above["env_vars"]}
    return both
