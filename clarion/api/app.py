"""The application: `create_app(services)`.

Layers, from outside: `api.shell` (id, size, log, metrics), `api.problems` (errors), the routers of
`api.routers` (which says how to add one), and `api.health`.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.middleware import Middleware

import clarion
from clarion.api import problems, routers
from clarion.api.idempotency import PARAMETER
from clarion.api.shell import Limits, Shell
from clarion.flow.services import Services

_ABOUT = """
Say who, what and when; each person hears it once, on time, within what the channel can carry.

**Keys.** `Authorization: Bearer clarion_…`; a key belongs to one workspace and has scopes.
**Once.** Every POST takes an `Idempotency-Key`: sent again it is not done again.
**Errors** are `application/problem+json` (RFC 9457), with `where` it is wrong and a `hint`.
**Lists** come in pages: follow `next`. **Moments** are RFC 3339 with an offset.
"""


def create_app(services: Services, limits: Limits | None = None) -> FastAPI:
    """The API over these services. The caller opens and closes them."""
    app = FastAPI(
        title="Clarion",
        version=getattr(clarion, "__version__", "0.1.0"),
        description=_ABOUT,
        docs_url="/docs",
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
        middleware=[Middleware(Shell, services=services, limits=limits or Limits())],
    )
    app.state.services = services
    problems.install(app)
    for router in routers.found():
        app.include_router(router)
    _describe(app)
    return app


def _describe(app: FastAPI) -> None:
    """The OpenAPI document, with what every route has: errors, and the key of a POST."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            tags = [{"name": name, "description": text} for name, text in routers.DESCRIPTIONS.items()]
            schema = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
                tags=tags,
            )
            schemas = schema.setdefault("components", {}).setdefault("schemas", {})
            schemas["Problem"] = problems.Problem.model_json_schema(
                ref_template="#/components/schemas/{model}"
            )
            schemas.update(schemas["Problem"].pop("$defs", {}))
            _idempotency_keys(schema)
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _idempotency_keys(schema: dict[str, Any]) -> None:
    for path, methods in schema["paths"].items():
        if path.startswith(routers.PREFIX) and "post" in methods:
            methods["post"].setdefault("parameters", []).append(PARAMETER)
            methods["post"]["responses"].update(
                {str(status): said for status, said in problems.responses(409, 413).items()}
            )
