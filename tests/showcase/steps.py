"""Step code that pipelines of these tests name."""

from typing import Any


def greet(data: dict[str, Any]) -> dict[str, Any]:
    return {"greeting": f"Hello, {data.get('who', 'nobody')}!"}
