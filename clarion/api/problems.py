"""Errors as `application/problem+json` (RFC 9457): what, where, what to do, and the request's id.

Every error of `clarion.errors` becomes one by itself: raise it, anywhere below a route. Extra members
are those of its `extra`; `retry_after` (seconds) also becomes the header.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from clarion import errors
from clarion.errors import ClarionError, Invalid, NotFound, Unavailable
from clarion.errors import Problem as Detail
from clarion.kit.db import AWAY
from clarion.kit.log import logger

MEDIA_TYPE = "application/problem+json"
log = logger(__name__)


class ProblemDetail(BaseModel):
    """One thing wrong at one place of the request."""

    where: str = Field(examples=["body.contacts[3].name"])
    what: str
    hint: str = ""


class Problem(BaseModel):
    """What went wrong, after RFC 9457. Some kinds have members of their own beside these."""

    type: str = Field(examples=["/problems/not-found"], description="an address that explains the kind")
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["there is no such channel"])
    code: str = Field(examples=["not-found"], description="the kind, as a word for programs")
    where: str = ""
    hint: str = ""
    problems: list[ProblemDetail] = []
    request_id: str = ""


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route documents of its errors; 401, 403, 422 and 503 are documented for all."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


def reply(error: ClarionError, request_id: str = "") -> Response:
    """The response for an error."""
    return _document(error, error.status, error.code, request_id)


def _document(error: ClarionError, status: int, code: str, request_id: str) -> Response:
    body = {
        **error.extra,
        "type": f"/problems/{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": error.what,
        "code": code,
        "where": error.where,
        "hint": error.hint,
        "problems": [{"where": p.where, "what": p.what, "hint": p.hint} for p in error.problems],
        "request_id": request_id,
    }
    content = orjson.dumps(body, default=str)
    return Response(content, status, headers=_headers(error, status), media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Let the application answer all its errors in this way."""
    app.add_exception_handler(ClarionError, _told)
    app.add_exception_handler(RequestValidationError, _not_valid)
    app.add_exception_handler(HTTPException, _http)
    for away in AWAY:
        app.add_exception_handler(away, _away)
    app.add_api_route("/problems/{code}", explain, include_in_schema=False)


async def explain(code: str) -> Response:
    """What a kind of error means, for whoever follows its `type`."""
    for _, kind in inspect.getmembers(errors, inspect.isclass):
        if issubclass(kind, ClarionError) and kind.code == code:
            return Response(f"{code} ({kind.status})\n\n{inspect.getdoc(kind)}\n", media_type="text/plain")
    raise NotFound("there is no such kind of problem")


def unexpected(request_id: str) -> Response:
    """The response where the fault is ours: no details, only what to ask for."""
    error = ClarionError(
        "something went wrong on our side; nothing of this request was kept",
        hint="Tell the operator the request_id: the log has the rest.",
    )
    return reply(error, request_id)


async def _told(request: Request, error: Exception) -> Response:
    assert isinstance(error, ClarionError)
    if error.status >= 500:
        log.error("a request failed", code=error.code, exc_info=error)
    return reply(error, request_id_of(request))


async def _not_valid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problems = tuple(Detail(where(found["loc"]), _said(found)) for found in _meant(error.errors()))
    told = Invalid("the request is not valid", problems=problems)
    return reply(told, request_id_of(request))


def _meant(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without "at least 1 item" of a list whose items are wrong: only those that are right were counted."""
    inside = {one["loc"][:n] for one in found for n in range(len(one["loc"]))}
    return [one for one in found if one["type"] != "too_short" or one["loc"] not in inside]


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, ClarionError):  # e.g. a body that grew too large while it was read
        return reply(error.__cause__, request_id_of(request))
    if error.status_code == HTTPStatus.BAD_REQUEST:  # the framework could not read the body
        unread = Invalid("the body cannot be read", where="body", hint="Send JSON in UTF-8.")
        return reply(unread, request_id_of(request))
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
    told = ClarionError(str(error.detail))
    response = _document(told, error.status_code, code, request_id_of(request))
    response.headers.update(error.headers or {})
    return response


async def _away(request: Request, error: Exception) -> Response:
    log.warning("the database is away", error=type(error).__name__)
    told = Unavailable(
        "the database is away for the moment",
        hint="Try again; with the same Idempotency-Key nothing is done twice.",
        extra={"retry_after": 2},
    )
    return reply(told, request_id_of(request))


def where(path: Sequence[int | str]) -> str:
    """A place in a request, readable: ("body", "contacts", 3, "name") → body.contacts[3].name."""
    steps = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in path]
    return "".join(steps).removeprefix(".")


def request_id_of(request: Request) -> str:
    return str(request.scope.get("state", {}).get("request_id", ""))


def _said(found: dict[str, Any]) -> str:
    if found["type"] == "json_invalid":
        return f"not JSON: {found.get('ctx', {}).get('error', '')}"
    return str(found["msg"]).removeprefix("Value error, ")


def _headers(error: ClarionError, status: int) -> dict[str, str]:
    headers: dict[str, str] = {}
    if "retry_after" in error.extra:
        headers["Retry-After"] = str(error.extra["retry_after"])
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="clarion"'
    return headers
