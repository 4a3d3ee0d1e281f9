"""Files of people come in whole: what cannot be read is told by line, and a stop loses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from clarion.domain.field import Field, FieldType
from clarion.domain.imports import ImportOptions
from clarion.domain.person import Given
from clarion.errors import Conflict, Invalid, NotFound
from clarion.flow.importing import Progress
from clarion.flow.ingest import cancel_import, import_file, start_import, upsert_people
from clarion.kit.clock import Clock
from clarion.kit.db import Database, Row
from clarion.store import contact, group, imports
from clarion.store import field as fields
from tests.store.people import ABEBE, AMINA, JOHN, ROSA

STAFF = f"""\
Employee ID,Name,Phone,E-mail,Country,Groups,Start date,Do not contact
E-1,Amina Wanjiru,0712 000 001,Amina@Example.org,KE,Nurses; Nairobi,2024-02-01,
E-2,አበበ በቀለ,0911 000 002,,Ethiopia,Drivers,1 March 2024,
,Rosa O'Neill,{ROSA},,,,soon,
E-4,John Smith,12345,,KE,,,
,Nobody,,,,,,
E-6,Stopped,{JOHN},,,,,yes
"""


class Office:
    """One workspace and a folder that files come from."""

    def __init__(self, db: Database, clock: Clock, workspace: UUID, folder: Path) -> None:
        self.db, self.clock, self.workspace, self.folder = db, clock, workspace, folder

    async def start(self, text: str | bytes, name: str = "staff.csv", **options: Any) -> UUID:
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return await start_import(self.db, self.clock, self.workspace, path, options=ImportOptions(**options))

    async def run(self, import_id: UUID, **how: Any) -> Row:
        return await import_file(self.db, self.clock, self.workspace, import_id, **how)

    async def bring(self, text: str | bytes, name: str = "staff.csv", **options: Any) -> Row:
        return await self.run(await self.start(text, name, **options))

    async def people(self) -> list[Row]:
        async with self.db.tenant(self.workspace) as connection:
            return await contact.page(connection)

    async def problems(self, import_id: UUID) -> list[tuple[int, str, str]]:
        async with self.db.tenant(self.workspace) as connection:
            found = await imports.problems(connection, import_id)
        return [(one["line"], one["field"], one["severity"]) for one in found]


@pytest.fixture
def office(db: Database, clock: Clock, workspace: UUID, tmp_path: Path) -> Office:
    return Office(db, clock, workspace, tmp_path)


def counts(ended: Row) -> tuple[int, ...]:
    return tuple(ended[name] for name in ("done_rows", "created", "updated", "unchanged", "refused"))


def crowd(first: int, last: int) -> str:
    lines = [f"E-{n},Person {n},07120{n:05d}" for n in range(first, last)]
    return "\n".join(["id,name,phone", *lines, ""])


async def test_a_messy_file_comes_in_and_every_trouble_is_told_by_line(office: Office) -> None:
    async with office.db.tenant(office.workspace) as connection:
        await fields.declare(connection, Field("start_date", "Start date", FieldType.DATE))
    ended = await office.bring(STAFF)
    assert (ended["state"], ended["error"]) == ("done", "")
    assert counts(ended) == (6, 5, 0, 0, 1)
    assert await office.problems(ended["id"]) == [
        (4, "Start date", "warning"),
        (5, "Phone", "warning"),
        (6, "", "refused"),
    ]
    amina, abebe, rosa, john, stopped = await office.people()
    assert [one["urn"] for one in amina["addresses"]] == [f"tel:{AMINA}", "mailto:amina@example.org"]
    assert [one["name"] for one in amina["groups"]] == ["Nairobi", "Nurses"]
    assert (amina["fields"], abebe["fields"]) == ({"start_date": "2024-02-01"}, {"start_date": "2024-03-01"})
    assert (abebe["name"], abebe["country"], abebe["addresses"][0]["urn"]) == (
        "አበበ በቀለ", "ET", f"tel:{ABEBE}",
    )  # fmt: skip
    assert (rosa["external_id"], rosa["fields"]) == (None, {})
    assert (john["addresses"], john["unreadable"]) == ([], [{"raw": "12345", "reason": "too_short"}])
    assert stopped["addresses"][0]["opted_out"] is True


async def test_the_same_file_again_changes_nothing(office: Office) -> None:
    await office.bring(STAFF)
    before = await office.people()
    assert counts(await office.bring(STAFF)) == (6, 0, 0, 5, 1)
    assert await office.people() == before


async def test_a_byte_order_mark_semicolons_and_crlf_are_as_good(office: Office) -> None:
    ended = await office.bring(b"\xef\xbb\xbfPhone;Name\r\n0712000001;Amina\r\n")
    assert counts(ended) == (1, 1, 0, 0, 0)
    (amina,) = await office.people()
    assert amina["name"] == "Amina"


async def test_json_comes_in_with_its_lists(office: Office) -> None:
    ended = await office.bring('[{"name": "Amina", "phone": "0712000001", "groups": ["A", "B"]}]', "p.json")
    assert counts(ended) == (1, 1, 0, 0, 0)
    (amina,) = await office.people()
    assert [one["name"] for one in amina["groups"]] == ["A", "B"]


async def test_columns_that_mean_nothing_are_told_or_become_fields(office: Office) -> None:
    told = await office.bring("phone,Shoe size\n0712000001,42\n")
    assert await office.problems(told["id"]) == [(1, "Shoe size", "warning")]
    made = await office.bring("phone,Shoe size\n0712000001,42\n", create_fields=True)
    assert counts(made) == (1, 0, 1, 0, 0)
    (amina,) = await office.people()
    assert amina["fields"] == {"shoe_size": "42"}


async def test_the_sender_may_say_what_a_column_means(office: Office) -> None:
    await office.bring(
        "Ref,Qui,Numéro\nX-1,Amina,0712000001\n",
        columns={"ref": "external_id", "Qui": "name", "Numéro": "whatsapp"},
        groups=("Everyone",),
    )
    (amina,) = await office.people()
    assert (amina["external_id"], amina["name"]) == ("X-1", "Amina")
    assert (amina["addresses"][0]["urn"], amina["groups"][0]["name"]) == (f"whatsapp:{AMINA}", "Everyone")


async def test_a_mapped_column_that_no_row_of_json_has_is_told_at_the_end(office: Office) -> None:
    rows = '[{"phone": "0712000001"}, {"phone": "0712000004", "Mobile": "0712000005"}]'
    ended = await office.bring(rows, "p.json", columns={"Moblie": "whatsapp", "Mobile": "whatsapp"})
    assert counts(ended) == (2, 2, 0, 0, 0)
    assert await office.problems(ended["id"]) == [(1, "Moblie", "warning")]


@pytest.mark.parametrize(
    ("text", "options", "what"),
    [
        (b"name,shoe\nAmina,42\n", {}, "no column tells who a person is"),
        (b"name,phone\n\xff\xfe\xfd,1\n", {}, "not UTF-8"),
        (b"", {}, "empty"),
        (b"phone\n0712000001\n", {"columns": {"phone": "nonsense"}}, "cannot be understood"),
        (b"phone,Mobile\n0712000001,\n", {"columns": {"Moblie": "whatsapp"}}, "did you mean Mobile"),
        (b"phone\n0712000001\n", {"country": "Narnia"}, "not a country"),
    ],
)
async def test_a_file_that_cannot_be_read_is_refused_at_once(
    office: Office, text: bytes, options: dict[str, Any], what: str
) -> None:
    with pytest.raises(Invalid) as refused:
        await office.start(text, **options)
    assert what in str(refused.value)
    async with office.db.tenant(office.workspace) as connection:
        assert await imports.page(connection) == []


async def test_a_file_that_breaks_off_fails_with_what_came_before_kept(office: Office) -> None:
    started = await office.start('[{"phone": "0712000001"}, {"phone": "0712000004"}, {"ph', "broken.json")
    ended = await office.run(started)
    assert (ended["state"], ended["done_rows"]) == ("failed", 2)
    assert ended["error"]
    assert len(await office.people()) == 2


class Killed(BaseException):
    """Stands for a process that died."""


async def test_an_import_that_was_killed_goes_on_where_it_stood(office: Office) -> None:
    seen: list[Progress] = []

    def die_at_the_third(progress: Progress) -> None:
        seen.append(progress)
        if len(seen) == 3:
            raise Killed

    started = await office.start(crowd(0, 95))
    with pytest.raises(Killed):
        await office.run(started, batch=10, progress=die_at_the_third)
    ended = await office.run(started, batch=10, progress=seen.append)
    assert (ended["state"], counts(ended)) == ("done", (95, 95, 0, 0, 0))
    assert [one.done_rows for one in seen] == [10, 20, 30, 40, 50, 60, 70, 80, 90, 95]
    assert seen[-1].done_bytes == seen[-1].size_bytes
    assert await office.run(started) == ended


async def test_a_cancelled_import_stops_at_its_next_batch(office: Office) -> None:
    started = await office.start(crowd(0, 100))
    seen: list[Progress] = []

    async def cancel() -> None:
        await cancel_import(office.db, office.clock, office.workspace, started)

    loop = asyncio.get_running_loop()
    cancelling: list[asyncio.Task[None]] = []

    def cancel_at_the_second(progress: Progress) -> None:
        seen.append(progress)
        if len(seen) == 2:
            cancelling.append(loop.create_task(cancel()))

    ended = await office.run(started, batch=10, progress=cancel_at_the_second)
    await cancelling[0]
    assert ended["state"] == "cancelled"
    assert 20 <= ended["done_rows"] < 100
    assert len(await office.people()) == ended["done_rows"]
    assert (await office.run(started))["done_rows"] == ended["done_rows"]


async def test_two_workers_never_read_one_file_at_once(office: Office) -> None:
    started = await office.start(crowd(0, 40))
    second: list[Conflict] = []

    async def another() -> None:
        with pytest.raises(Conflict) as refused:
            await office.run(started, batch=10)
        second.append(refused.value)

    first = asyncio.create_task(office.run(started, batch=5))
    await asyncio.gather(first, another(), return_exceptions=True)
    ended = await office.run(started)
    assert (ended["state"], counts(ended)) == ("done", (40, 40, 0, 0, 0))


async def test_a_row_that_may_be_somebody_else_is_told(office: Office) -> None:
    ended = await office.bring("id,name,phone\nE-1,John Smith,0712000004\nE-2,John Smith,0712000004\n")
    assert counts(ended) == (2, 2, 0, 0, 0)
    assert await office.problems(ended["id"]) == [(3, "external_id", "warning")]


async def test_a_file_of_our_own_is_removed_and_anothers_is_not(office: Office) -> None:
    await office.bring(crowd(0, 3), "ours.csv", remove_file=True)
    await office.bring(crowd(0, 3), "theirs.csv")
    assert [path.name for path in office.folder.iterdir()] == ["theirs.csv"]


async def test_another_workspaces_import_is_not_there(office: Office, another_workspace: UUID) -> None:
    started = await office.start(crowd(0, 3))
    with pytest.raises(NotFound):
        await import_file(office.db, office.clock, another_workspace, started)
    with pytest.raises(NotFound):
        await cancel_import(office.db, office.clock, another_workspace, started)


async def give(office: Office, given: Sequence[Given]) -> list[tuple[str, UUID | None, list[str]]]:
    told = await upsert_people(office.db, office.clock, office.workspace, given, by="key 1")
    return [(one.outcome, one.contact_id, [finding.field for finding in one.findings]) for one in told]


async def test_a_program_gets_one_answer_for_each_person_it_gives(office: Office) -> None:
    answers = await give(
        office,
        [
            Given(name="Amina", addresses=[("addresses[0]", None, "0712000001")]),
            Given(name="Nobody"),
            Given(name="AMINA", addresses=[("addresses[0]", "tel", AMINA)], language="Elvish"),
            Given(external_id="E-4", addresses=[("addresses[0]", "tel", "12")]),
        ],
    )
    assert [(outcome, where) for outcome, _, where in answers] == [
        ("created", []),
        ("refused", [""]),
        ("updated", ["language"]),
        ("created", ["addresses[0]"]),
    ]
    assert answers[0][1] == answers[2][1]
    assert answers[1][1] is None


async def test_more_than_ten_thousand_people_at_once_are_refused(office: Office) -> None:
    with pytest.raises(Invalid, match="at most 10,000"):
        await give(office, [Given(name="Amina")] * 10_001)


async def test_a_wish_to_stop_that_is_not_understood_counts_as_one(office: Office) -> None:
    ended = await office.bring("phone,opted out\n0712000001,please\n0712000004,no\n")
    assert await office.problems(ended["id"]) == [(2, "opted out", "warning")]
    assert [one["addresses"][0]["opted_out"] for one in await office.people()] == [True, False]


async def test_everybody_in_a_file_may_join_a_group(office: Office) -> None:
    await office.bring(crowd(0, 30), groups=("March intake",))
    async with office.db.tenant(office.workspace) as connection:
        (made,) = await group.page(connection)
        assert (made["name"], made["members"]) == ("March intake", 30)
        assert len(await group.members(connection, made["id"], limit=50)) == 30


async def test_people_are_listed_in_the_order_of_their_file(office: Office) -> None:
    await office.bring(crowd(0, 30))
    assert [one["name"] for one in await office.people()] == [f"Person {n}" for n in range(30)]


async def test_an_import_that_meets_a_fault_of_ours_does_not_seem_to_go_on(office: Office) -> None:
    def fault(_: Progress) -> None:
        raise ZeroDivisionError

    ended = await office.run(await office.start(crowd(0, 10)), progress=fault)
    assert (ended["state"], ended["error"]) == (
        "failed",
        "a fault of Clarion's (ZeroDivisionError); the log says more",
    )
