"""Who the caller is, and how a page signs in: a key once, then a cookie that scripts cannot read."""

import asyncio
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from showcase_app.backend.api.addresses import rooted
from showcase_app.backend.api.problems import described
from showcase_app.backend.api.trust import SESSION_COOKIE, client_address
from showcase_app.backend.dependencies import Container, CurrentCaller, Keys
from showcase_app.backend.services.container import Services
from showcase_app.backend.services.keyring import ANONYMOUS, LOCAL, SESSION_LASTS, Caller, Keyring
from showcase_app.backend.settings import Role

_WRONG_KEY_SECONDS = 0.5  # who guesses does not guess fast

router = APIRouter(prefix="/api/session", tags=["session"])

_WRONG_KEY = described({401: "This key is nobody's.", 422: "The body is not understood."})


class SessionOut(BaseModel):
    """Who calls."""

    actor: str = Field(description="The name of the key, as it goes on record; `local` on a server without keys.")
    role: Role = Field(
        description="viewer: looks; approver: reads and answers what it is asked, and nothing else; operator: looks, "
        "answers, starts, cancels, saves and deletes."
    )
    keys_required: bool = Field(description="Whether this server has keys.")
    signed_in: bool = Field(description="Whether the caller may ask for more than this and the pages themselves.")
    run_file: bool = Field(description="Whether this server shows a run file: nobody changes anything there.")

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"actor": "local", "role": "operator", "keys_required": False, "signed_in": True, "run_file": False}
            ]
        }
    )

    @classmethod
    def of(cls, caller: Caller, keyring: Keyring, services: Services) -> "SessionOut":
        return cls(
            actor=caller.actor,
            role=caller.role,
            keys_required=keyring.required,
            signed_in=caller is not ANONYMOUS,
            run_file=services.run_file,
        )


class SignIn(BaseModel):
    key: Annotated[str, Field(min_length=1, max_length=1000, description="One of the server's keys.")]


@router.get("", summary="Who am I")
async def get_session(caller: CurrentCaller, keyring: Keys, services: Container) -> SessionOut:
    """Open to everybody. A caller without a key is `anonymous` and not signed in."""
    return SessionOut.of(caller, keyring, services)


@router.post("", summary="Sign in", responses=_WRONG_KEY)
async def sign_in(request: Request, response: Response, body: SignIn, keyring: Keys, services: Container) -> SessionOut:
    """Begin a session with a key: a cookie for 30 days that no script can read. A key taken away ends its sessions.

    A key that is nobody's is answered half a second later and counted; the log has the address that it came from.
    """
    if not keyring.required:
        return SessionOut.of(LOCAL, keyring, services)
    caller, session = keyring.caller_with_key(body.key), keyring.new_session(body.key)
    if caller is None or session is None:
        services.wrong_keys.count(client_address(request.scope))
        await asyncio.sleep(_WRONG_KEY_SECONDS)
        raise HTTPException(HTTPStatus.UNAUTHORIZED, "This key is nobody's.", {"WWW-Authenticate": "Bearer"})
    response.set_cookie(
        SESSION_COOKIE,
        session,
        max_age=int(SESSION_LASTS.total_seconds()),
        path=rooted(request, "") or "/",
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return SessionOut.of(caller, keyring, services)


@router.delete("", summary="Sign out", status_code=HTTPStatus.NO_CONTENT)
async def sign_out(request: Request, response: Response) -> None:
    """Forget the session in this browser."""
    response.delete_cookie(SESSION_COOKIE, path=rooted(request, "") or "/", httponly=True, samesite="strict")
