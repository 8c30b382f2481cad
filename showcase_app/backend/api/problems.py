"""Answers that are not what was asked for: RFC 9457 problem details, everywhere the same.

A problem names what was found and what to do. What is the server's own fault is told in its log, not to the client: no
stack trace and no SQL leaves the server.
"""

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import Response
from pydantic import BaseModel, Field

CONTENT_TYPE = "application/problem+json"


class InvalidField(BaseModel):
    """A part of the request that was refused."""

    location: str = Field(description="Where it stands: query, path or body.", examples=["query"])
    field: str = Field(description="Its name, or the path to it.", examples=["status"])
    detail: str


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str = Field(examples=["urn:ia-modules:execution-not-found", "about:blank"])
    title: str
    status: int
    detail: str
    instance: str = Field(description="The path that was asked for.")
    errors: list[InvalidField] | None = Field(None, description="Only for requests that are not understood.")


def problem_response(
    status: int, detail: str, *, instance: str, kind: str | None = None, errors: list[InvalidField] | None = None
) -> Response:
    """A problem as an answer.

    Args:
        kind: class name of the error that it stands for; None = there is no more to it than the HTTP status.
    """
    problem = Problem(
        type="about:blank" if kind is None else f"urn:ia-modules:{_words(kind, '-')}",
        title=HTTPStatus(status).phrase if kind is None else _words(kind, " ").capitalize(),
        status=status,
        detail=detail,
        instance=instance,
        errors=errors,
    )
    headers = {"Retry-After": "1"} if status == HTTPStatus.SERVICE_UNAVAILABLE else None
    body = orjson.dumps(problem.model_dump(exclude_none=True))
    return Response(body, status_code=status, headers=headers, media_type=CONTENT_TYPE)


def invalid_fields(found: Sequence[Any]) -> list[InvalidField]:
    """The errors of a FastAPI validation, as problems name them."""
    return [
        InvalidField(
            location=str(error["loc"][0]),
            field=".".join(str(part) for part in error["loc"][1:]) or "$",
            detail=error["msg"],
        )
        for error in found
    ]


def document_problems(openapi: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI document with problems under their own media type, which FastAPI cannot be told."""
    for path in openapi["paths"].values():
        for operation in path.values():
            for status, response in operation["responses"].items():
                if status >= "4" and "application/json" in response.get("content", {}):
                    response["content"] = {CONTENT_TYPE: response["content"]["application/json"]}
    return openapi


def _words(class_name: str, separator: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", separator, class_name).lower()
