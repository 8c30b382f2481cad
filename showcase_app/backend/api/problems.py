"""Refusals and failures over HTTP: the status of each error, and RFC 9457 problem details, everywhere the same.

A problem says what was found and what to do. The server's own faults go to its log, not to the client: no
stack trace and no SQL leaves the server.
"""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import Response
from pydantic import BaseModel, Field

from ia_modules import errors
from ia_modules.errors import (
    AlreadyAnswered,
    InvalidAnswer,
    InvalidArgument,
    PayloadError,
    PipelineDefinitionError,
    PipelineInputError,
    Problem,
    RerunRefused,
    SlugMismatch,
    StepInputError,
    StepOutputError,
    TooFewUsers,
)
from ia_modules.payload import clean_text
from showcase_app.backend.api.bodies import limit_in
from showcase_app.backend.schemas.base import Time
from showcase_app.backend.services.pipeline_service import PipelineExists

CONTENT_TYPE = "application/problem+json"

_ERRORS_OF: Mapping[HTTPStatus, tuple[type[Exception], ...]] = {
    HTTPStatus.NOT_FOUND: (
        errors.ExecutionNotFound,
        errors.FailureGroupNotFound,
        errors.InteractionNotFound,
        errors.NothingToCompareWith,
        errors.StepExecutionNotFound,
        errors.PipelineNotFound,
        errors.PipelineVersionNotFound,
    ),
    HTTPStatus.CONFLICT: (
        errors.AlreadyAnswered,
        errors.AlreadyFinished,
        errors.AlreadyRepeated,
        errors.AlreadyResumed,
        errors.AlreadyStarted,
        errors.CodeNotFound,
        errors.ExecutionIdConflict,
        errors.ExecutionIsCopy,
        errors.ExecutionKept,
        errors.PipelineArchived,
        errors.PipelineConflict,
        PipelineExists,
        errors.PipelineHasHistory,
        errors.PipelineInUse,
        errors.PipelineNotRunnable,
        errors.RerunRefused,
        errors.RunsElsewhere,
        errors.StaleVersion,
        errors.StepConflict,
    ),
    HTTPStatus.UNPROCESSABLE_ENTITY: (
        errors.FileRefused,
        errors.IdempotencyConflict,
        errors.InvalidArgument,
        errors.PayloadError,
        errors.PipelineDefinitionError,
        errors.PipelineInputError,
        errors.SlugMismatch,
        errors.StepInputError,
        errors.StepOutputError,
        errors.TooFewUsers,
    ),
    HTTPStatus.SERVICE_UNAVAILABLE: (
        errors.DatabaseBusy,
        errors.DatabaseUnavailable,
        errors.ReadTooLong,
        errors.SchemaError,
    ),
    HTTPStatus.INTERNAL_SERVER_ERROR: (errors.IAModulesError,),
}
STATUS_OF = {kind: status for status, kinds in _ERRORS_OF.items() for kind in kinds}
"""What each error is over HTTP; of several that fit, the one closest to the error's own class."""


class InvalidField(BaseModel):
    """A part of the request that was refused."""

    location: str = Field(description="Where it stands: query, path or body.", examples=["query"])
    field: str = Field(description="Its name, or the path to it.", examples=["status"])
    detail: str


class FirstAnswer(BaseModel):
    """Who decided a question, and when."""

    by: str | None = Field(None, description="Left out: nobody did; its time was over, or its execution ended.")
    at: Time | None = None


class StepMisfit(BaseModel):
    """Why a step run that a re-run would copy does not fit the version that is to run."""

    step_id: str
    detail: str = Field(examples=["has other config"])


class Misfit(BaseModel):
    """What a re-run would copy and cannot."""

    steps: list[StepMisfit]
    fits_from: str | None = Field(None, description="The earliest step from which it fits; left out: only a whole one.")


class ProblemDetails(BaseModel):
    """RFC 9457 problem details."""

    type: str = Field(examples=["urn:ia-modules:execution-not-found", "about:blank"])
    title: str
    status: int
    detail: str
    instance: str = Field(description="The path that was asked for.")
    errors: list[InvalidField] | None = Field(None, description="Only for requests that are not understood.")
    answered: FirstAnswer | None = Field(None, description="Only for an answer that came too late.")
    misfit: Misfit | None = Field(None, description="Only for a re-run that does not fit the version.")


def problem_response(
    status: int,
    detail: str,
    *,
    instance: str,
    kind: str | None = None,
    errors: list[InvalidField] | None = None,
    answered: FirstAnswer | None = None,
    misfit: Misfit | None = None,
) -> Response:
    """A problem as an answer.

    Args:
        kind: class name of the error that it stands for; None = there is no more to it than the HTTP status.
    """
    problem = ProblemDetails(
        type="about:blank" if kind is None else f"urn:ia-modules:{_words(kind, '-')}",
        title=HTTPStatus(status).phrase if kind is None else _words(kind, " ").capitalize(),
        status=status,
        detail=clean_text(detail),
        instance=instance,
        errors=errors and [each.model_copy(update={"field": clean_text(each.field)}) for each in errors],
        answered=answered,
        misfit=misfit,
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


def fields_of(error: Exception) -> list[InvalidField] | None:
    """The invalid parts of the request body; None for errors that are not about the body."""
    match error:
        case PipelineDefinitionError():
            return [_in_body("definition", each.where, each.text) for each in error.problems]
        case PipelineInputError():
            return [_in_body("input_data", each.where, each.found) for each in error.problems]
        case InvalidAnswer():
            return [_of_answer(each) for each in error.problems]
        case TooFewUsers():
            return [InvalidField(location="body", field="assigned_users", detail=str(error))]
        case InvalidArgument() if error.where in _FIELDS:
            return [InvalidField(location="body", field=_FIELDS[error.where], detail=str(error))]
        case PayloadError() if error.where == "answer":
            return [_in_body("response", error.path, str(error))]
        case SlugMismatch():
            return [_in_body("definition", "$.slug", str(error))]
        case PayloadError() if error.where.startswith("input"):
            return [_in_body("input_data", error.path, str(error))]
        case StepInputError():
            return [_in_body("step_input", _INSIDE.sub("", each.where), each.text) for each in error.problems]
        case StepOutputError():
            return [_in_body("step_output", _INSIDE.sub("", each.where), each.text) for each in error.problems]
        case _:
            return None


_INSIDE = re.compile(r"^(?:inputs?|output|state)(?=[.\[]|$)")
"""What paths into the input or the result of a step begin with."""

_FIELDS: Mapping[str, str] = {
    "assigned_users": "assigned_users",
    "interaction_ids": "interaction_ids",
    "name of who answers": "responded_by",
    "responded_by": "responded_by",
    "from_step": "from_step",
    "iteration": "iteration",
    "items": "items",
    "token": "token",
}
"""The part of a body that an argument of a verb comes from."""


def answered_of(error: Exception) -> FirstAnswer | None:
    """Who was first, where an answer came too late."""
    return FirstAnswer(by=error.actor, at=error.closed_at) if isinstance(error, AlreadyAnswered) else None


def misfit_of(error: Exception) -> Misfit | None:
    """What does not fit, where a re-run is refused for that."""
    if not isinstance(error, RerunRefused):
        return None
    steps = [StepMisfit(step_id=step_id, detail=detail) for step_id, detail in error.problems.items()]
    return Misfit(steps=steps, fits_from=error.fits_from)


def _of_answer(problem: Problem) -> InvalidField:
    field = "responded_by" if problem.where == "actor" else problem.where
    return InvalidField(location="body", field=field, detail=problem.text)


def _in_body(name: str, path: str, detail: str) -> InvalidField:
    return InvalidField(location="body", field=f"{name}{path.removeprefix('$')}", detail=detail)


def described(answers: Mapping[int, str | dict[str, Any]]) -> dict[int | str, dict[str, Any]]:
    """``responses`` of a route: what a problem of each status means, and the headers of other answers."""
    return {
        status: {"model": ProblemDetails, "description": answer} if isinstance(answer, str) else {"headers": answer}
        for status, answer in answers.items()
    }


_EVERYWHERE: Mapping[str, str] = {
    "403": "The caller may not do this.",
    "421": "The server does not answer to this host name.",
    "431": "The head of the request is too large.",
    "503": "The database is away, or something is in the way: try again later.",
}
"""What any request to the API may be answered."""

_NOT_UNDERSTOOD = "The request is not understood, or its values cannot be used: `errors` says which."
_WITH_BODY: Mapping[str, str] = {
    "400": "The body is no text in UTF-8.",
    "408": "The body stopped coming.",
}


def document_problems(openapi: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI document with problem details on each route, under a media type that FastAPI cannot declare."""
    problem = {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}
    for path in openapi["paths"].values():
        for operation in path.values():
            responses: dict[str, Any] = operation["responses"]
            if responses.get("422", {}).get("description") == "Validation Error":  # FastAPI's own words
                responses["422"] = {"description": _NOT_UNDERSTOOD}
            common = {**_EVERYWHERE, **(_WITH_BODY if "requestBody" in operation else {})}
            if "requestBody" in operation:
                common["413"] = f"The body has more than {limit_in(operation):,} bytes."
            answers: dict[str, dict[str, Any]] = {status: {"description": text} for status, text in common.items()}
            answers |= responses
            for status, answer in answers.items():
                if status >= "4":
                    answer["content"] = problem
            operation["responses"] = dict(sorted(answers.items()))
    for unused in ("HTTPValidationError", "ValidationError"):
        openapi["components"]["schemas"].pop(unused, None)
    return openapi


def _words(class_name: str, separator: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", separator, class_name).lower()
