"""Routers: one file a noun, found by themselves.

To add one, write `clarion/api/<noun>.py` with a module attribute

    router = new_router("groups", "Groups of people; they may be nested.")

and endpoints on it, as `api/channel.py` shows. That is all: the application takes every module of this
package that has a `router`. What comes with it: errors of `clarion.errors` as problem+json
(`api.problems`), keys and scopes (`api.auth.needs`), one transaction a POST and `Idempotency-Key`
(`api.idempotency`), pages (`api.pages`), bodies that refuse unknown members (`api.model`).

Rules: a POST that makes something answers 201 with it. An identifier that is another workspace's answers
as one that does not exist: let row-level security find nothing, and raise NotFound. `now` is
`edge.now()`. A POST holds one transaction from its first query to its reply, so it calls nobody outside.
Routes without keys (a provider's calls) use FastAPI's own APIRouter.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module

from fastapi import APIRouter

from clarion.api import problems
from clarion.api.idempotency import OnceRoute

PREFIX = "/api/v1"
DESCRIPTIONS: dict[str, str] = {}
_OFTEN = ("case", "contact")


def new_router(noun: str, description: str, prefix: str | None = None) -> APIRouter:
    """A router under /api/v1/`noun` (or `prefix`), shown under that name in the documentation."""
    DESCRIPTIONS[noun] = description
    return APIRouter(
        prefix=PREFIX + (f"/{noun}" if prefix is None else prefix),
        tags=[noun],
        route_class=OnceRoute,
        responses=problems.responses(401, 403, 422, 503),
    )


def found(package: str = "clarion.api") -> Iterator[APIRouter]:
    """Every module's router: those that other systems ask at each save, since a request is compared with the
    routes in this order, then the others in the order of their files."""
    names = [module.name for module in pkgutil.iter_modules(import_module(package).__path__)]
    for name in sorted(names, key=lambda name: name not in _OFTEN):
        router = getattr(import_module(f"{package}.{name}"), "router", None)
        if isinstance(router, APIRouter):
            yield router
