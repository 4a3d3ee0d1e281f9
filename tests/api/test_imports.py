"""Files of people by the API: handed in, read by a worker, told row by row."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import aiohttp
from procrastinate import App

from clarion.api.app import create_app
from clarion.api.shell import Limits
from clarion.flow.ingest import ingest
from clarion.flow.services import Services
from clarion.kit.clock import Clock
from clarion.kit.db import Database
from tests.api.client import Api, Reply, serving


class Later(Clock):
    """The clock of somebody who comes two hours later."""

    def now(self) -> datetime:
        return super().now() + timedelta(hours=2)


IMPORTS = "/api/v1/imports"
PEOPLE = (
    "external_id,name,tel,shoe\n"
    "E-1,Abeba Tesfaye,0712000001,38\n"
    "E-2,Baraka Otieno,not a number,43\n"
    ",Nobody knows,,40\n"
)
CSV = {"Content-Type": "text/csv"}


async def _handed_in(api: Api, data: Any = PEOPLE, query: str = "", headers: Any = CSV) -> Reply:
    return await api.send("POST", IMPORTS + query, data=data, headers=headers)


async def _work(jobs_app: App, services: Services) -> None:
    """Be a worker until no job waits."""
    await jobs_app.run_worker_async(
        wait=False, install_signal_handlers=False, listen_notify=False, delete_jobs="successful",
        additional_context={"services": services},
    )  # fmt: skip


def _left(services: Services) -> list[str]:
    return [file.name for file in (services.settings.state_dir / "imports").glob("*")]


async def test_a_file_is_read_by_a_worker_and_every_refused_row_says_why(
    selam: Api, services: Services, jobs_app: App
) -> None:
    handed = await _handed_in(selam, query="?name=people.csv&group=Nurses")
    assert handed.status == 201, handed.json
    assert (handed.json["state"], handed.json["name"], handed.json["size_bytes"]) == (
        "waiting",
        "people.csv",
        len(PEOPLE),
    )
    await _work(jobs_app, services)
    path = f"{IMPORTS}/{handed.json['id']}"
    done = (await selam.get(path)).json
    assert done["state"] == "done", done
    assert [done[name] for name in ("done_rows", "created", "refused")] == [3, 2, 1]
    told: list[Any] = []
    following: str | None = f"{path}/problems?limit=1"
    while following:
        page = (await selam.get(following)).json
        told += page["items"]
        following = page["next"]
    assert [(one["line"], one["field"], one["severity"]) for one in told] == [
        (1, "shoe", "warning"),
        (3, "tel", "warning"),
        (4, "", "refused"),
    ]
    people = (await selam.get("/api/v1/contacts")).json["items"]
    assert [one["groups"][0]["name"] for one in people] == ["Nurses", "Nurses"]
    assert str(handed.json["id"]) not in " ".join(_left(services))
    assert (await selam.get(IMPORTS)).json["items"] == [done]


async def test_a_form_carries_a_file_and_its_choices(selam: Api, services: Services, jobs_app: App) -> None:
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("create_fields", "true")
    form.add_field("column", "Mobile No=whatsapp")
    form.add_field("file", "id,Mobile No,shoe\nE-1,0712000001,38\n", filename="C:\\staff.csv")
    handed = await _handed_in(selam, form, headers={})
    assert (handed.status, handed.json["name"]) == (201, "staff.csv"), handed.json
    await _work(jobs_app, services)
    [abeba] = (await selam.get("/api/v1/contacts")).json["items"]
    assert abeba["fields"] == {"shoe": "38"}
    assert abeba["addresses"][0]["urn"] == "whatsapp:+254712000001"


async def test_what_no_worker_could_read_is_refused_at_once_and_leaves_nothing(
    selam: Api, services: Services
) -> None:
    before = set(_left(services))
    form = aiohttp.FormData()
    form.add_field("sheets", "1")
    form.add_field("file", PEOPLE, filename="people.csv")
    for data, query, headers, where in (
        (b"", "", CSV, "the file is empty"),
        (b"name\nAb\xe9ba\n", "", CSV, "the file is not UTF-8 text"),
        (PEOPLE, "?country=Atlantis", CSV, ""),
        (PEOPLE, "?column=tel", CSV, "a column's meaning is COLUMN=MEANING"),
        (PEOPLE, "?column=Fone=tel", CSV, "the file does not have every column that was given a meaning"),
        (PEOPLE, "?sheet=Staff", CSV, "only a workbook has sheets"),
        (PEOPLE, "?sheets=1", CSV, "the request is not valid"),
        (b"no form", "", {"Content-Type": "multipart/form-data; boundary=x"}, ""),
        (form, "", {}, "the form is not valid"),
    ):
        refused = await _handed_in(selam, data, query, headers)
        assert refused.status == 422, (query, refused.json)
        assert where in refused.json["detail"]
    assert set(_left(services)) == before
    assert (await selam.get(IMPORTS)).json["items"] == []


async def test_a_file_over_the_limit_is_refused_while_it_comes(selam: Api, services: Services) -> None:
    async def endless() -> Any:
        while True:
            yield b"E-1,Abeba Tesfaye,0712000001\n" * 1000

    before = set(_left(services))
    small = Limits(usual=64 * 1024, by_prefix={"/api/v1/imports": 1024 * 1024})
    async with serving(create_app(services, small)) as base:
        try:
            refused = await _handed_in(replace(selam, base=base), endless())
        except aiohttp.ClientError:  # the server hung up while it was still being talked to
            pass
        else:
            assert (refused.status, refused.json["most_bytes"]) == (413, 1024 * 1024)
    assert set(_left(services)) == before
    assert (await selam.get(IMPORTS)).json["items"] == []


async def test_the_same_upload_sent_again_is_one_import(selam: Api) -> None:
    once = {**CSV, "Idempotency-Key": "staff-of-july"}
    first = await _handed_in(selam, headers=once)
    again = await _handed_in(selam, headers=once)
    assert (again.status, again.json) == (201, first.json)
    other = await _handed_in(selam, PEOPLE + "E-3,Chane,0712000003,1\n", headers=once)
    assert other.status == 422
    assert len((await selam.get(IMPORTS)).json["items"]) == 1


async def test_an_import_cancelled_before_a_worker_takes_it_reads_nobody_and_leaves_no_file(
    selam: Api, services: Services, jobs_app: App
) -> None:
    before = set(_left(services))
    handed = await _handed_in(selam)
    cancelled = await selam.post(f"{IMPORTS}/{handed.json['id']}/cancel")
    assert cancelled.json["state"] == "cancelled"
    await _work(jobs_app, services)
    assert (await selam.get("/api/v1/contacts")).json["items"] == []
    assert (await selam.get(f"{IMPORTS}/{handed.json['id']}")).json["state"] == "cancelled"
    assert set(_left(services)) <= before


async def test_a_file_on_another_machine_waits_for_a_worker_there(
    selam: Api, services: Services, jobs_app: App
) -> None:
    handed = await _handed_in(selam)
    here = max((services.settings.state_dir / "imports").glob("*.csv"))  # the newest
    there = here.rename(here.with_suffix(".elsewhere"))
    await _work(jobs_app, services)
    path = f"{IMPORTS}/{handed.json['id']}"
    assert (await selam.get(path)).json["state"] == "waiting"
    [job] = (await selam.get("/api/v1/jobs")).json["items"]
    assert (job["state"], job["tries"]) == ("todo", 1)
    there.rename(here)
    assert selam.workspace_id
    done = await ingest(services, selam.workspace_id, UUID(handed.json["id"]))
    assert (done["state"], done["created"]) == ("done", 2)


async def test_a_file_that_no_machine_has_ends_as_failed(selam: Api, services: Services) -> None:
    handed = await _handed_in(selam)
    for lost in (services.settings.state_dir / "imports").glob("*.csv"):
        lost.unlink()
    later = replace(services, clock=Later())
    assert selam.workspace_id
    failed = await ingest(later, selam.workspace_id, UUID(handed.json["id"]))
    assert (failed["state"], "no such file" in failed["error"]) == ("failed", True)


async def test_what_a_killed_process_had_half_received_goes_away_a_day_later(
    selam: Api, services: Services
) -> None:
    folder = services.settings.state_dir / "imports"
    folder.mkdir(parents=True, exist_ok=True)
    yesterdays, todays = folder / "killed.part", folder / "coming.part"
    for half in (yesterdays, todays):
        half.write_text("E-1,Abe")
    long_ago = time.time() - 2 * 86_400
    os.utime(yesterdays, (long_ago, long_ago))
    assert (await _handed_in(selam)).status == 201
    left = _left(services)
    todays.unlink()
    assert (yesterdays.name in left, todays.name in left) == (False, True)


async def test_a_job_that_loses_the_database_is_done_again(
    selam: Api, services: Services, jobs_app: App, database_url: str
) -> None:
    handed = await _handed_in(selam)
    async with Database(database_url, size=2) as closed:
        pass
    await _work(jobs_app, replace(services, db=closed))
    [job] = (await selam.get("/api/v1/jobs")).json["items"]
    assert (job["state"], job["tries"]) == ("todo", 1)
    assert (await selam.get(f"{IMPORTS}/{handed.json['id']}")).json["state"] == "waiting"


async def test_another_workspaces_import_answers_as_one_that_does_not_exist(selam: Api, nyota: Api) -> None:
    path = f"{IMPORTS}/{(await _handed_in(selam)).json['id']}"
    assert (await nyota.get(path)).status == 404
    assert (await nyota.get(f"{path}/problems")).status == 404
    assert (await nyota.post(f"{path}/cancel")).status == 404


async def test_a_file_of_cases_is_read_too_where_the_key_may(
    selam: Api, services: Services, jobs_app: App
) -> None:
    await selam.post("/api/v1/case-types", {"name": "pregnancy"})
    cases, query = "Case ID,Name\nP-1,Amina\nP-2,Rosa\n", "?case_type=pregnancy"
    handed = await _handed_in(selam, cases, query)
    assert handed.status == 201, handed.json
    await _work(jobs_app, services)
    ended = (await selam.get(f"{IMPORTS}/{handed.json['id']}")).json
    assert (ended["state"], ended["created"]) == ("done", 2)
    assert (await selam.get("/api/v1/cases/P-2")).json["name"] == "Rosa"
    made = await selam.post("/api/v1/keys", {"name": "people only", "scopes": ["contacts:write"]})
    people = Api(selam.base, made.json["key"])
    assert (await _handed_in(people, cases, query)).status == 403
    assert (await _handed_in(selam, cases, "?case_type=birth")).status == 404
