"""What the housekeeping does and who does it, by the API."""

from __future__ import annotations

import os
from datetime import timedelta

from procrastinate import App

from clarion.flow.services import Services
from clarion.kit import process
from clarion.kit.ids import uuid7
from clarion.store import worker as workers
from tests.api.client import Api

JOBS = "/api/v1/jobs"
CSV = {"Content-Type": "text/csv"}


async def _failed(api: Api, services: Services, jobs_app: App) -> int:
    """A job that has failed: nobody can expand a run that there is not. Its number."""
    run = str(uuid7(services.clock.now()))
    await services.defer("fire", {"workspace": str(api.workspace_id), "run": run}, once=f"fire:{run}")
    await jobs_app.run_worker_async(
        wait=False, install_signal_handlers=False, listen_notify=False,
        # without services every job fails, as it would of a fault of ours
        additional_context={},
    )  # fmt: skip
    [found] = (await api.get(JOBS)).json["items"]
    return int(found["id"])


async def test_a_failed_job_is_shown_and_put_back_into_line(
    selam: Api, services: Services, jobs_app: App
) -> None:
    job = f"{JOBS}/{await _failed(selam, services, jobs_app)}"
    shown = (await selam.get(job)).json
    assert (shown["task"], shown["state"], list(shown["about"])) == ("fire", "failed", ["run"])
    assert shown["asked_at"] <= shown["started_at"] <= shown["ended_at"]
    assert (await selam.get(f"{JOBS}?state=todo")).json["items"] == []
    again = await selam.post(f"{job}/retry")
    assert (again.status, again.json["state"], again.json["ended_at"]) == (200, "todo", None)
    assert (await selam.post(f"{job}/retry")).status == 409


async def test_jobs_come_page_by_page_newest_first(selam: Api) -> None:
    for n in range(3):
        handed = await selam.send("POST", "/api/v1/imports", data=f"external_id\nE-{n}\n", headers=CSV)
        assert handed.status == 201
    first = (await selam.get(f"{JOBS}?limit=2")).json
    rest = (await selam.get(first["next"])).json
    ids = [one["id"] for one in first["items"] + rest["items"]]
    assert len(ids) == 3
    assert ids == sorted(ids, reverse=True)
    assert handed.json["id"] == first["items"][0]["about"]["file"]


async def test_another_workspaces_job_answers_as_one_that_does_not_exist(
    selam: Api, nyota: Api, services: Services, jobs_app: App
) -> None:
    job = await _failed(selam, services, jobs_app)
    assert (await nyota.get(JOBS)).json["items"] == []
    assert (await nyota.get(f"{JOBS}/{job}")).status == 404
    assert (await nyota.post(f"{JOBS}/{job}/retry")).status == 404
    assert (await selam.get(f"{JOBS}/{job}")).json["state"] == "failed"


async def test_workers_are_shown_with_where_they_run_and_what_they_hold(
    selam: Api, services: Services
) -> None:
    now = services.clock.now()
    here = workers.Worker(
        id=uuid7(now), host=process.host(), pid=os.getpid(), boot=process.boot(),
        born=process.born(os.getpid()), flight="", version="1", started_at=now, seen_at=now, stopped_at=None,
        state={"channels": 2, "in_flight": 7, "suspicion": None},
    )  # fmt: skip
    async with services.db.system() as connection:
        await workers.enter(connection, here)
    [shown] = await _workers(selam, here)
    assert (shown["host"], shown["pid"], shown["standing"]) == (here.host, here.pid, "alive")
    assert (shown["channels"], shown["in_flight"]) == (2, 7)
    async with services.db.system() as connection:
        await workers.see(connection, here.id, now - timedelta(minutes=5), {})
    [silent] = await _workers(selam, here)
    assert silent["standing"] == "silent"
    async with services.db.system() as connection:
        await workers.leave(connection, here.id, now)
    assert await _workers(selam, here) == []
    assert [one["standing"] for one in await _workers(selam, here, "?all=true")] == ["left"]


async def _workers(api: Api, worker: workers.Worker, query: str = "") -> list[dict[str, object]]:
    items = (await api.get(f"/api/v1/workers{query}")).json["items"]
    return [one for one in items if one["id"] == str(worker.id)]
