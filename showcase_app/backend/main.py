"""The application: what it is made of.

uvicorn → BelowRoot → NamesAsSent → TrustedCallers → Compressed → routes (api/)
→ services (on app.state.services) → the tracker → the database
"""

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from ia_modules.errors import IAModulesError
from ia_modules.version import __version__
from showcase_app.backend.api import (
    definitions,
    executions,
    failures,
    frontend,
    health,
    interactions,
    live,
    metrics,
    pages,
    pipelines,
    run_files,
    session,
    streams,
    system,
)
from showcase_app.backend.api.addresses import BelowRoot, NamesAsSent, rooted
from showcase_app.backend.api.compression import Compressed
from showcase_app.backend.api.problems import (
    STATUS_OF,
    answered_of,
    document_problems,
    fields_of,
    invalid_fields,
    misfit_of,
    problem_response,
)
from showcase_app.backend.api.trust import SECURITY_HEADERS, TrustedCallers, document_trust
from showcase_app.backend.services.container import open_services
from showcase_app.backend.services.keyring import Keyring
from showcase_app.backend.services.wrong_keys import WrongKeys
from showcase_app.backend.settings import Settings

logger = logging.getLogger("ia_modules.showcase")


def create_app(settings: Settings) -> FastAPI:
    """The application over one database. Its services are opened when it starts and closed when it stops."""
    keyring, wrong_keys = Keyring(settings.keys), WrongKeys()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with open_services(settings, encode=live.encode, wrong_keys=wrong_keys) as services:
            app.state.services = services
            yield

    app = FastAPI(
        title="ia_modules",
        version=__version__,
        description="Every execution and every step on record, while it happens.",
        lifespan=lifespan,
        docs_url=None,  # FastAPI's own pages load their scripts from another site; ours is in pages.py
        redoc_url=None,
        servers=[{"url": settings.root_path}] if settings.root_path else None,
        generate_unique_id_function=lambda route: route.name,
    )
    # frontend stands last: it answers whatever is no part of the API.
    subjects = (
        health,
        session,
        pipelines,
        definitions,
        run_files,
        executions,
        streams,
        failures,
        interactions,
        live,
        metrics,
        system,
        pages,
        frontend,
    )
    for subject in subjects:
        app.include_router(subject.router)
    app.state.keyring = keyring
    app.add_middleware(Compressed)
    app.add_middleware(
        TrustedCallers,
        settings=settings,
        keyring=keyring,
        wrong_keys=wrong_keys,
        routes=[route for subject in subjects for route in subject.router.routes],
    )
    app.add_middleware(NamesAsSent)
    app.add_middleware(BelowRoot, root_path=settings.root_path)  # the last one is the first that a request comes to
    app.add_exception_handler(HTTPException, _answer_refusal)
    app.add_exception_handler(RequestValidationError, _answer_invalid_request)
    app.add_exception_handler(IAModulesError, _answer_error)
    app.add_exception_handler(Exception, _answer_unexpected)
    _document_problems_of(app)
    return app


async def _answer_error(request: Request, error: Exception) -> Response:
    status = next(STATUS_OF[kind] for kind in type(error).__mro__ if kind in STATUS_OF)
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return await _answer_unexpected(request, error)
    return problem_response(
        status,
        str(error),
        instance=rooted(request, request.url.path),
        kind=type(error).__name__,
        errors=fields_of(error),
        answered=answered_of(error),
        misfit=misfit_of(error),
    )


async def _answer_unexpected(request: Request, error: Exception) -> Response:
    """Answer 500 without details; uvicorn writes the unexpected error to the log."""
    detail = "Something went wrong in the server; its log says what."
    answer = problem_response(HTTPStatus.INTERNAL_SERVER_ERROR, detail, instance=rooted(request, request.url.path))
    answer.headers.update(SECURITY_HEADERS)  # it is made outside of TrustedCallers, which sees to all others
    return answer


async def _answer_refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    answer = problem_response(error.status_code, error.detail, instance=rooted(request, request.url.path))
    answer.headers.update(error.headers or {})
    return answer


async def _answer_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    fields = invalid_fields(error.errors())
    detail = " ".join(f"{field.location} {field.field}: {field.detail}." for field in fields)
    return problem_response(
        HTTPStatus.UNPROCESSABLE_ENTITY, detail, instance=rooted(request, request.url.path), errors=fields
    )


def _document_problems_of(app: FastAPI) -> None:
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        known = app.openapi_schema is not None
        return generate() if known else document_trust(document_problems(generate()))

    app.openapi = openapi
