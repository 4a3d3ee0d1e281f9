"""What supervisors and Prometheus see."""

from __future__ import annotations

import psycopg

from clarion.api.app import create_app
from clarion.flow.services import Services
from clarion.kit.db import Database
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
