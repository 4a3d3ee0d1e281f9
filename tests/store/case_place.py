"""A place in the database where the cast of cases is, and may be asked of by SQL and by the reference."""

from __future__ import annotations

import asyncio
from datetime import date, datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from clarion.domain.case_matching import case_matches, next_turn
from clarion.domain.contact import fold_name
from clarion.domain.criteria import parse_criteria
from clarion.domain.field import Field, stored
from clarion.domain.refusal import Refusal
from clarion.kit.db import Connection, Database
from clarion.kit.ids import uuid7
from clarion.store import case_criteria, group
from clarion.store import field as fields
from clarion.store import workspace as workspaces
from clarion.store.criteria import Values
from tests.domain import case_cast as cast
from tests.domain import criteria_strategies as drawn
from tests.domain.case_cast import NOW, ZONE, Drawn

Told = dict[str, tuple[bool, date | None]]


class Somewhere:
    """A workspace with the cast of cases and everybody whom they are linked to."""

    def __init__(self, url: str) -> None:
        self.loop = asyncio.new_event_loop()
        self.db = Database(url, size=1)
        self.workspace = uuid7(NOW)
        self.groups: dict[str, UUID] = {}
        self.people: dict[str, UUID] = {}
        self.types: dict[str, UUID] = {}
        self.cases = cast.cast()
        self.loop.run_until_complete(self._settle())
        names = {name: str(id) for name, id in self.groups.items()}
        self.views = cast.views(self.cases, cast.contacts(names), names)

    def close(self) -> None:
        self.loop.run_until_complete(self.db.__aexit__())
        self.loop.close()

    def ask(self, tree: Any, now: datetime = NOW) -> tuple[Told, Told]:
        """What is said of each case, by its external id: by SQL, and by the reference."""
        criteria = parse_criteria(self._with_ids(tree))
        by_sql = self.loop.run_until_complete(self._ask(criteria, now))
        asked: dict[str, Any] = {"known": drawn.KNOWN, "now": now, "zone": ZONE}
        return by_sql, {
            name: (case_matches(criteria, view, **asked), next_turn(criteria, view, **asked))
            for name, view in self.views.items()
        }

    def tried(self, pattern: str) -> Refusal | None:
        return self.loop.run_until_complete(self._tried(pattern))

    async def _tried(self, pattern: str) -> Refusal | None:
        async with self.db.tenant(self.workspace) as connection:
            why = await case_criteria.try_pattern(connection, pattern)
            cursor = await connection.execute("SHOW statement_timeout")  # it is as it was, and goes on
            assert await cursor.fetchone() == ("0",)
        return why

    async def _ask(self, criteria: Any, now: datetime) -> Told:
        async with self.db.tenant(self.workspace) as connection:
            values = Values()
            read_in = await case_criteria.case_frame(connection, now)
            holds, turn = case_criteria.compiled(criteria, read_in, values)
            cursor = await connection.execute(
                f'SELECT k.external_id, {holds}, {turn} FROM "case" k', values.params
            )
            return {name: (true, when) for name, true, when in await cursor.fetchall()}

    def _with_ids(self, tree: Any) -> Any:
        """The tree with the groups' ids for their names."""
        if isinstance(tree, list):
            return [self._with_ids(child) for child in tree]
        if not isinstance(tree, dict):
            return tree
        if "in_group" in tree:
            return tree | {"in_group": str(self.groups[tree["in_group"]])}
        return {key: self._with_ids(child) for key, child in tree.items()}

    async def _settle(self) -> None:
        await self.db.__aenter__()
        async with self.db.tenant(self.workspace) as connection:
            await workspaces.create(connection, self.workspace, name="Somewhere", timezone=str(ZONE), now=NOW)
            for key, kind in drawn.FIELDS.items():
                await fields.declare(connection, Field(key, key, kind))
            for name in drawn.GROUPS:
                above = self.groups.get(cast.ABOVE.get(name, ""))
                self.groups[name] = await group.create(
                    connection, name, NOW, above, external_id=cast.OWNERS[name]
                )
            for name in (*cast.CONTACTS, cast.GONE):
                await self._add_contact(connection, name)
            for name in cast.TYPES:
                await self._add_type(connection, name)
            for case in self.cases:
                await self._add_case(connection, case)

    async def _add_contact(self, connection: Connection, external_id: str) -> None:
        person = cast.CONTACTS.get(external_id)
        identifier = self.people[external_id] = uuid7(NOW)
        kept = {} if person is None else {key: stored(value) for key, value in person.fields.items()}
        name = "" if person is None else person.name or ""
        codes = (person.language, person.country) if person else ("sw", None)
        await connection.execute(
            """INSERT INTO contact (id, workspace_id, external_id, name, folded_name, language, country,
                 fields, status, created_at, modified_at)
               VALUES (%s, clarion_workspace(), %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
            (
                identifier, external_id, name, fold_name(name), *codes, Jsonb(kept),
                "active" if person else "merged", NOW, NOW,
            ),
        )  # fmt: skip
        for member_of in cast.MEMBERS.get(external_id, ()):
            await group.add_members(connection, self.groups[member_of], [identifier])

    async def _add_type(self, connection: Connection, name: str) -> None:
        identifier = self.types[name] = uuid7(NOW)
        view = cast.TYPES[name]
        await connection.execute(
            """INSERT INTO case_type (id, workspace_id, name, created_at, modified_at)
               VALUES (%s, clarion_workspace(), %s, %s, %s)""",
            (identifier, name, NOW, NOW),
        )
        for key, kind in view.kinds.items():
            await connection.execute(
                """INSERT INTO case_property (workspace_id, type_id, key, kind)
                   VALUES (clarion_workspace(), %s, %s, %s)""",
                (identifier, key, "address" if key in view.addresses else kind.value),
            )

    async def _add_case(self, connection: Connection, case: Drawn) -> None:
        identifier = uuid7(NOW)
        await connection.execute(
            """INSERT INTO "case" (id, workspace_id, type_id, external_id, name, state, properties, dates,
                 numbers, changed, owner, modified_by, parent, host, opened_at, closed_at, modified_at,
                 stored_at)
               VALUES (%s, clarion_workspace(), %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s,
                 %s)""",
            (
                identifier, self.types[case.type], case.external_id, case.name, case.state,
                Jsonb(case.properties), Jsonb(case.dates), Jsonb(case.numbers), Jsonb(case.changed),
                case.owner, case.modified_by, case.parent, case.host, case.opened_at, case.closed_at,
                case.modified_at, NOW,
            ),
        )  # fmt: skip
        for role, names in case.people.items():
            for name in names:
                await connection.execute(
                    """INSERT INTO case_contact (workspace_id, case_id, role, contact_id)
                       VALUES (clarion_workspace(), %s, %s, %s)""",
                    (identifier, role, self.people[name]),
                )
