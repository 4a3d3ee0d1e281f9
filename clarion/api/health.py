"""For supervisors, load balancers and Prometheus; no key is needed and no tenant's data is shown."""

from __future__ import annotations

import asyncio
from typing import Literal

from fastapi import APIRouter, FastAPI, Request, Response
from pydantic import BaseModel
from starlette.middleware import Middleware

from clarion.api import problems
from clarion.api.auth import services_of
from clarion.api.shell import Limits, Shell
from clarion.flow.measure import Measurer
from clarion.flow.services import Services
from clarion.kit.db import AWAY
from clarion.kit.metrics import CONTENT_TYPE
from clarion.store import health
from clarion.store.schema import head

router = APIRouter(tags=["health"])
_PATIENCE = 3.0


class Alive(BaseModel):
    status: Literal["alive"] = "alive"


class Readiness(BaseModel):
    """Whether requests can be served; what stands in the way, if anything."""

    ready: bool
    checks: dict[str, str]


@router.get("/healthz", summary="Is the process alive?")
async def healthz() -> Alive:
    """Says nothing of the database: a restart of this process would not mend that."""
    return Alive()


@router.get(
    "/readyz",
    summary="Can requests be served?",
    responses={503: {"description": "not now", "model": Readiness}},
)
async def readyz(request: Request, response: Response) -> Readiness:
    """Whether the database answers and has the schema that this version needs, and the process stays."""
    checks = await _checks(services_of(request))
    stop: asyncio.Event | None = getattr(request.app.state, "stop", None)
    if stop is not None and stop.is_set():
        checks["process"] = "ends when its calls under way have ended"
    ready = all(said == "ok" for said in checks.values())
    response.status_code = 200 if ready else 503
    return Readiness(ready=ready, checks=checks)


@router.get("/metrics", summary="Metrics for Prometheus", response_class=Response)
async def metrics(request: Request) -> Response:
    """Prometheus' text format. Counters, histograms and what is in flight are this process's own: sum
    them over processes. What waits on a channel is the database's word, at most ten seconds old, and the
    same everywhere: take the maximum."""
    await _measurer(request).refresh()
    return Response(services_of(request).metrics.render(), media_type=CONTENT_TYPE)


def small_app(services: Services, stop: asyncio.Event) -> FastAPI:
    """These three addresses and nothing else: for a process that serves no API. It is not ready once
    `stop` is set."""
    app = FastAPI(
        title="Clarion", docs_url=None, redoc_url=None, openapi_url=None,
        middleware=[Middleware(Shell, services=services, limits=Limits())],
    )  # fmt: skip
    app.state.services, app.state.stop = services, stop
    problems.install(app)
    app.include_router(router)
    return app


def _measurer(request: Request) -> Measurer:
    """The application's one: everybody who asks shares what it measured."""
    state = request.app.state
    measurer: Measurer | None = getattr(state, "measurer", None)
    if measurer is None:
        measurer = state.measurer = Measurer(state.services)
    return measurer


async def _checks(services: Services) -> dict[str, str]:
    try:
        async with asyncio.timeout(_PATIENCE), services.db.system() as connection:
            revision = await health.revision(connection)
            theirs = await health.database_clock(connection)
    except (*AWAY, TimeoutError) as error:
        return {"database": f"away ({type(error).__name__})"}
    apart = (services.clock.now() - theirs).total_seconds()
    schema = "ok" if revision == head() else f"is {revision}, needs {head()}: run `clarion migrate`"
    trusted = abs(apart) <= services.settings.clock_tolerance
    clock = "ok" if trusted else f"{apart:+.1f} s from the database's: synchronise it"
    return {"database": "ok", "schema": schema, "clock": clock}
