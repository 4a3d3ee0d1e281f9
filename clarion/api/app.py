"""The application: `create_app(services)`.

Layers, from outside: `api.shell` (id, size, log, metrics), `api.problems` (errors), the routers of
`api.routers` (which says how to add one), and `api.health`.
"""

from __future__ import annotations

from importlib import metadata
from typing import Any

from fastapi import FastAPI
from starlette.middleware import Middleware

from clarion.api import hooks, manual, problems, routers, webhooks
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
    app = _Api(
        title="Clarion",
        version=metadata.version("clarion"),
        description=_ABOUT,
        docs_url=None,  # ours is of `api.manual`
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
        middleware=[
            Middleware(Shell, services=services, limits=limits or Limits()),
            Middleware(hooks.FastLane),
        ],
    )
    app.state.services = services
    problems.install(app)
    manual.install(app)
    for router in routers.found():
        app.include_router(router)
    app.webhooks.include_router(webhooks.told())
    return app


class _Api(FastAPI):
    """Its OpenAPI document tells also what every route has: errors, and the key of a POST."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            schema = super().openapi()
            schema["tags"] = [
                {"name": name, "description": text} for name, text in routers.DESCRIPTIONS.items()
            ]
            schemas = schema.setdefault("components", {}).setdefault("schemas", {})
            problem = problems.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas.update(problem.pop("$defs", {}), Problem=problem)
            _idempotency_keys(schema)
        return self.openapi_schema or {}


def _idempotency_keys(schema: dict[str, Any]) -> None:
    for path, methods in schema["paths"].items():
        if path.startswith(routers.PREFIX) and "post" in methods:
            methods["post"].setdefault("parameters", []).append(PARAMETER)
            conflicts = problems.responses(409, 413)
            methods["post"]["responses"].update({str(status): said for status, said in conflicts.items()})
