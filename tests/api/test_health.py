"""What supervisors and Prometheus see."""

from __future__ import annotations

import re

import psycopg
from procrastinate import App, PsycopgConnector

from clarion.api.app import create_app
from clarion.flow.services import Services
from clarion.kit import jobs
from clarion.kit.db import Database, become_app
from clarion.kit.ids import uuid7
from clarion.store import imports
from clarion.store import workspace as workspaces
from tests.api.client import Api, serving
from tests.house import House


async def test_a_served_house_is_alive_and_ready(stranger: Api) -> None:
    assert (await stranger.get("/healthz")).json == {"status": "alive"}
    ready = await stranger.get("/readyz")
    assert ready.json == {"ready": True, "checks": {"database": "ok", "schema": "ok", "clock": "ok"}}


async def test_a_schema_of_another_version_is_not_ready(services: Services, house: House) -> None:
    name = house.new_database()
    with psycopg.connect(house.superuser(name), autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0000'")
    async with Database(house.url(name), size=2) as old:
        parts = Services(old, services.clock, services.settings, services.box)
        async with serving(create_app(parts)) as base:
            ready = await Api(base).get("/readyz")
    house.drop(name)
    assert ready.status == 503
    assert "clarion migrate" in ready.json["checks"]["schema"]


async def test_metrics_count_requests_by_pattern(stranger: Api) -> None:
    await stranger.get("/problems/conflict")
    text = (await stranger.get("/metrics")).body.decode()
    assert 'clarion_http_requests_total{method="GET",route="/problems/{code}",status="200"}' in text
    assert "clarion_message_lateness_seconds" in text


async def test_jobs_are_counted_by_how_they_ended(services: Services, house: House, jobs_app: App) -> None:
    """The last one's file lies on another machine."""
    name, now = house.new_database(), services.clock.now()
    selam, unknown, elsewhere = uuid7(now), str(uuid7(now)), uuid7(now)
    asked = [("fire", {"run": unknown}), ("ingest", {"file": unknown}), ("ingest", {"file": str(elsewhere)})]
    connector = PsycopgConnector(conninfo=house.url(name), configure=become_app)
    async with Database(house.url(name), size=2) as db:
        parts = Services(db, services.clock, services.settings, services.box)
        async with db.tenant(selam) as connection:
            await workspaces.create(connection, selam, name="Selam Clinic", now=now)
            await imports.create(
                connection, elsewhere, name="staff.csv", kind="csv", path="staff.csv", size_bytes=1,
                options={}, now=now,
            )  # fmt: skip
        with jobs_app.replace_connector(connector) as app:
            async with app.open_async():
                for task, what in asked:
                    await jobs.defer(app, task, {"workspace": str(selam), **what}, once=f"{task}:{what}")
                await app.run_worker_async(
                    wait=False, install_signal_handlers=False, listen_notify=False,
                    additional_context={"services": parts},
                )  # fmt: skip
        async with serving(create_app(parts)) as base:
            text = (await Api(base).get("/metrics")).body.decode()
    house.drop(name)
    counted = re.findall(r'^clarion_jobs_total{outcome="(\w+)",task="(\w+)"} 1\.0$', text, re.M)
    assert sorted(counted) == [("done", "fire"), ("failed", "ingest"), ("unavailable", "ingest")]
