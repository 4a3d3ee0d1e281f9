"""Cases as they are told, again and again, late, by thousands, and all of it kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from clarion.errors import NotFound
from clarion.kit.db import Connection, Database, rows
from clarion.store import case as cases
from clarion.store import case_type
from tests.store.cases import history, one, say, types
from tests.store.people import NOW

LATER = NOW + timedelta(hours=1)
STAMP = "2026-03-02T07:30:00.000000Z"


async def version(connection: Connection, external_id: str) -> Any:
    (found,) = await rows(
        connection, 'SELECT ctid::text AS place FROM "case" WHERE external_id = %s', (external_id,)
    )
    return found["place"]


async def test_a_case_is_opened_as_it_was_told(db: Database, workspace: UUID) -> None:
    async with db.tenant(workspace) as connection:
        await types(connection)
        word = {
            "external_id": "P-1", "name": "Amina", "owner": "CHW-4", "modified_by": "CHW-5", "parent": "H-1",
            "modified_at": "2026-03-01T09:30:00+03:00",
            "properties": {"edd": "1 March 2026", "weight": "61.50", "risk": True, "note": "  calm ",
                "x": ""},
        }  # fmt: skip
        (taken,) = await say(connection, [word])
        assert (taken.outcome, taken.external_id, taken.findings) == ("created", "P-1", ())
        amina = await one(connection, "P-1")
        assert amina["id"] == taken.case_id
        assert amina["properties"] == {
            "edd": "1 March 2026", "weight": "61.50", "risk": True, "note": "  calm ",
        }  # fmt: skip
        assert (amina["type"], amina["state"], amina["parent"]) == ("pregnancy", "open", "H-1")
        assert amina["opened_at"] == amina["modified_at"] == NOW - timedelta(days=1)
        assert amina["changed"] == {}
        (kept,) = await rows(connection, 'SELECT dates, numbers FROM "case"')
        assert kept == {"dates": {"edd": "2026-03-01"}, "numbers": {"weight": 61.5}}
        assert await history(connection, "P-1") == []


async def test_a_case_without_an_id_of_its_own_gets_one(db: Database, workspace: UUID) -> None:
    async with db.tenant(workspace) as connection:
        await types(connection)
        first, second = await say(connection, [{}, {}])
        assert first.external_id == str(first.case_id) != second.external_id
        assert (await one(connection, str(first.case_id)))["external_id"] == str(first.case_id)


async def test_a_later_word_is_merged_and_its_change_is_kept(db: Database, workspace: UUID) -> None:
    async with db.tenant(workspace) as connection:
        await types(connection)
        await say(
            connection, [{"external_id": "P-1", "properties": {"edd": "2026-03-01", "weight": 60, "n": 1}}]
        )
        word = {
            "external_id": "P-1",
            "owner": "CHW-9",
            "properties": {"weight": "a lot", "n": None, "new": "x"},
        }
        (taken,) = await say(connection, [word], LATER, by="the clinic")
        assert taken.outcome == "updated"
        amina = await one(connection, "P-1")
        assert amina["properties"] == {"edd": "2026-03-01", "weight": "a lot", "new": "x"}
        assert amina["changed"] == {"weight": STAMP, "n": STAMP, "new": STAMP}
        assert (amina["modified_at"], amina["opened_at"]) == (LATER, NOW)
        (kept,) = await rows(connection, 'SELECT dates, numbers FROM "case"')
        assert kept == {"dates": {"edd": "2026-03-01"}, "numbers": {}}
        assert await history(connection, "P-1") == [
            {"weight": [60, "a lot"], "n": [1, None], "new": [None, "x"], "owner": [None, "CHW-9"]}
        ]
        (change,) = await cases.history(connection, amina["id"])
        assert (change["by"], change["how"], change["at"]) == ("the clinic", "import", LATER)


async def test_the_same_again_changes_nothing(db: Database, workspace: UUID) -> None:
    async with db.tenant(workspace) as connection:
        await types(connection)
        word = {"external_id": "P-1", "name": "Amina", "closed": False, "properties": {"weight": 60}}
        await say(connection, [word])
        before = await version(connection, "P-1")
        (taken,) = await say(connection, [{**word, "properties": {"weight": 60.0}}], LATER)
        assert taken.outcome == "unchanged"
        assert await version(connection, "P-1") == before
        assert await history(connection, "P-1") == []


async def test_a_source_that_looked_again_later_is_noted_without_history(
    db: Database, workspace: UUID
) -> None:
    async with db.tenant(workspace) as connection:
        await types(connection)
        word = {"external_id": "P-1", "modified_at": "2026-03-01T06:00:00Z"}
        await say(connection, [word])
        (taken,) = await say(connection, [{**word, "modified_at": "2026-03-02T06:00:00Z"}])
        assert taken.outcome == "updated"
        assert (await one(connection, "P-1"))["modified_at"] == NOW - timedelta(minutes=30)
        assert await history(connection, "P-1") == []


async def test_an_older_word_comes_too_late(db: Database, workspace: UUID) -> None:
    async with db.tenant(workspace) as connection:
        await types(connection)
        await say(connection, [{"external_id": "P-1", "name": "Amina"}])
        old = {
            "external_id": "P-1",
            "name": "Who?",
            "modified_at": "2026-03-02T06:29:59Z",
            "properties": {"n": 1},
        }
        (taken,) = await say(connection, [old], LATER)
        assert taken.outcome == "stale"
        amina = await one(connection, "P-1")
        assert (amina["name"], amina["properties"]) == ("Amina", {})


async def test_what_is_not_named_is_taken_away_where_a_word_replaces(db: Database, workspace: UUID) -> None:
    async with db.tenant(workspace) as connection:
        await types(connection)
        await say(connection, [{"external_id": "P-1", "name": "Amina", "properties": {"a": "1", "b": "2"}}])
        await say(connection, [{"external_id": "P-1", "replace": True, "properties": {"b": "2"}}], LATER)
        amina = await one(connection, "P-1")
        assert (amina["name"], amina["properties"]) == ("Amina", {"b": "2"})
        assert await history(connection, "P-1") == [{"a": ["1", None]}]
        (kept,) = await rows(connection, 'SELECT numbers FROM "case"')
        assert kept["numbers"] == {"b": 2}


async def test_words_about_one_case_in_one_batch_are_taken_in_order(db: Database, workspace: UUID) -> None:
    async with db.tenant(workspace) as connection:
        await types(connection)
        words = [{"external_id": "P-1", "properties": {"step": n}} for n in (1, 2, 2, 3)]
        taken = await say(connection, [*words, {"external_id": "P-2"}])
        assert [one.outcome for one in taken] == ["created", "updated", "unchanged", "updated", "created"]
        assert len({one.case_id for one in taken}) == 2
        assert await history(connection, "P-1") == [{"step": [1, 2]}, {"step": [2, 3]}]


async def test_a_case_is_closed_and_opened_again(db: Database, workspace: UUID) -> None:
    async with db.tenant(workspace) as connection:
        await types(connection)
        await say(connection, [{"external_id": "P-1"}, {"external_id": "P-2", "closed": True}])
        assert (await one(connection, "P-2"))["closed_at"] == NOW
        await say(connection, [{"external_id": "P-1", "closed": True}], LATER)
        closed = await one(connection, "P-1")
        assert (closed["state"], closed["closed_at"]) == ("closed", LATER)
        await say(connection, [{"external_id": "P-1", "closed": False}], LATER + timedelta(minutes=1))
        opened = await one(connection, "P-1")
        assert (opened["state"], opened["closed_at"]) == ("open", None)
        assert await history(connection, "P-1") == [
            {"state": ["open", "closed"]},
            {"state": ["closed", "open"]},
        ]


async def test_a_case_keeps_its_type(db: Database, workspace: UUID) -> None:
    async with db.tenant(workspace) as connection:
        await types(connection)
        await say(connection, [{"external_id": "1"}])
        (taken,) = await say(connection, [{"external_id": "1", "type": "household", "name": "The Otienos"}])
        assert taken.outcome == "refused"
        assert taken.findings[0].field == "type"
        assert (await one(connection, "1"))["name"] == ""


async def test_a_word_that_is_refused_for_its_host_says_nothing_of_its_parent(
    db: Database, workspace: UUID
) -> None:
    async with db.tenant(workspace) as connection:
        await types(connection)
        await say(connection, [{"external_id": "D", "host": "A"}, {"external_id": "A"}, {"external_id": "B"}])
        words = [{"external_id": "A", "parent": "B", "host": "D"}, {"external_id": "B", "parent": "A"}]
        taken = await say(connection, words)
        assert [one.outcome for one in taken] == ["refused", "updated"]
        assert taken[0].findings[0].field == "host"


async def test_a_parent_that_comes_round_is_refused(db: Database, workspace: UUID) -> None:
    async with db.tenant(workspace) as connection:
        await types(connection)
        words = [
            {"external_id": "A", "parent": "B"},
            {"external_id": "B", "parent": "C"},
            {"external_id": "C", "parent": "A"},
            {"external_id": "D", "parent": "A"},
        ]
        taken = await say(connection, words)
        assert [one.outcome for one in taken] == ["created", "created", "refused", "created"]
        assert taken[2].findings[0].field == "parent"
        with pytest.raises(NotFound):
            await one(connection, "C")
        (far,) = await say(connection, [{"external_id": "B", "parent": "D"}], LATER)
        assert far.outcome == "refused"
        (other,) = await say(connection, [{"external_id": "B", "host": "D"}], LATER)
        assert other.outcome == "updated"
        (ring,) = await say(connection, [{"external_id": "C", "parent": "A"}], LATER)
        assert ring.outcome == "refused"
        freed, closed = await say(
            connection, [{"external_id": "B", "parent": None}, {"external_id": "C", "parent": "A"}], LATER
        )
        assert (freed.outcome, closed.outcome) == ("updated", "created")


async def test_a_case_cannot_grow_without_end(db: Database, workspace: UUID) -> None:
    async with db.tenant(workspace) as connection:
        await types(connection)
        whole = {f"k{n}": "x" * 9_000 for n in range(25)}
        await say(connection, [{"external_id": "P-1", "properties": whole}])
        assert (await one(connection, "P-1"))["properties"] == whole
        more = {f"m{n}": "y" * 9_000 for n in range(25)}
        (taken,) = await say(connection, [{"external_id": "P-1", "properties": more}], LATER)
        assert taken.outcome == "refused"
        assert "take some away first" in taken.findings[0].reason
        many = {f"k{n}": 1 for n in range(900)}
        await say(connection, [{"external_id": "P-2", "properties": many}])
        (taken,) = await say(
            connection, [{"external_id": "P-2", "properties": {f"m{n}": 1 for n in range(101)}}]
        )
        assert taken.outcome == "refused"
        (taken,) = await say(
            connection, [{"external_id": "P-2", "properties": {f"m{n}": 1 for n in range(99)}}]
        )
        assert taken.outcome == "updated"


async def test_cases_are_found_by_what_is_asked(db: Database, workspace: UUID) -> None:
    async with db.tenant(workspace) as connection:
        await types(connection)
        words: list[dict[str, Any]] = [
            {"external_id": "P-1", "owner": "CHW-4", "properties": {"village": "Kisumu"}},
            {"external_id": "P-2", "parent": "H-1", "closed": True},
            {"external_id": "H-1", "type": "household", "properties": {"village": "Kisumu"}},
        ]
        await say(connection, words)
        household = (await case_type.named(connection, "household")).id

        async def found(**wanted: Any) -> list[str]:
            return [c["external_id"] for c in await cases.page(connection, cases.Wanted(**wanted))]

        assert await found() == ["P-1", "P-2", "H-1"]
        assert await found(key="village", value="Kisumu") == ["P-1", "H-1"]
        assert await found(type_id=household) == ["H-1"]
        assert await found(state="closed") == ["P-2"]
        assert await found(owner="CHW-4") == ["P-1"]
        assert await found(parent="H-1") == ["P-2"]
        assert await found(modified_since=LATER) == []
        (first,) = await cases.page(connection, cases.Wanted(), limit=1)
        rest = await cases.page(connection, cases.Wanted(), first["id"])
        assert [c["external_id"] for c in rest] == ["P-2", "H-1"]


async def test_another_workspaces_cases_are_not_there(
    db: Database, workspace: UUID, another_workspace: UUID
) -> None:
    async with db.tenant(workspace) as connection:
        await types(connection)
        (taken,) = await say(connection, [{"external_id": "P-1"}])
    async with db.tenant(another_workspace) as connection:
        await types(connection)
        for name in ("P-1", str(taken.case_id)):
            with pytest.raises(NotFound):
                await one(connection, name)
        (own,) = await say(connection, [{"external_id": "P-1"}])
        assert own.outcome == "created"
