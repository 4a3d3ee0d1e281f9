"""One workspace never sees or touches another's rows: the database sees to that, not our queries."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any, LiteralString
from uuid import UUID

import psycopg
import pytest
from psycopg import errors, sql

from clarion.kit.clock import Clock
from clarion.kit.db import Database
from clarion.kit.ids import uuid7
from clarion.store import workspace as workspaces
from clarion.store.tables import metadata
from tests.house import House

# Each is as narrow as its name; a new one is a decision, and comes with a line here.
DOORS = {
    "clarion_board",
    "clarion_errands",
    "clarion_fallbacks",
    "clarion_measures",
    "clarion_subscriptions",
    "clarion_event_measures",
    "clarion_due_runs",
    "clarion_due_polls",
    "clarion_open_lanes",  # of workers of the version before
    "clarion_lanes",
    "clarion_following",
    "clarion_following_cases",
    "clarion_waiting_inboxes",
    "clarion_channel_workspace",
    "clarion_workspaces",
    "clarion_ensure_cohort",
    "clarion_contacts_named",  # the own contacts by name: row-level security bars LIKE from its index
}
TENANTS = sorted(table.name for table in metadata.tables.values() if "workspace_id" in table.columns)
# Tables that say nothing of a tenant: the machines of the house, and the schema's revision.
SHARED = {"server", "worker", "alembic_version"}


@pytest.fixture(scope="module")
def catalog(house: House) -> Any:
    """A superuser's look at a database that has partitions."""
    name = house.new_database()
    with psycopg.connect(house.superuser(name), autocommit=True) as connection:
        connection.execute("SELECT clarion_ensure_cohort('2026-07-01')")
        yield connection
    house.drop(name)


def _ask(catalog: Any, query: LiteralString) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = catalog.execute(query).fetchall()
    return found


def test_every_table_is_a_tenants_or_known_to_be_shared(catalog: Any) -> None:
    tables = _ask(
        catalog,
        """SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
             AND relkind IN ('r', 'p') AND NOT relispartition AND relname NOT LIKE 'procrastinate%'""",
    )
    assert {name for (name,) in tables} == {*TENANTS, "workspace", *SHARED}


def test_row_level_security_is_forced_on_every_tenants_table_and_partition(catalog: Any) -> None:
    open_ones = _ask(
        catalog,
        """SELECT c.relname FROM pg_class c
           WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
             AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
             AND (c.relname = 'workspace' OR EXISTS (SELECT FROM pg_attribute a
                  WHERE a.attrelid = c.oid AND a.attname = 'workspace_id'))""",
    )
    assert open_ones == []
    [(partitions,)] = _ask(catalog, "SELECT count(*) FROM pg_class WHERE relispartition AND relkind = 'r'")
    assert partitions == 3, "the check above saw no partitions"


def test_every_tenants_table_has_one_policy_for_reading_and_writing(catalog: Any) -> None:
    policies = _ask(
        catalog,
        """SELECT tablename, cmd, permissive, roles::text[], qual, with_check FROM pg_policies
           WHERE schemaname = 'public'""",
    )
    partitions = _ask(catalog, "SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r'")
    expected_on = [*TENANTS, "workspace", *(name for (name,) in partitions)]
    assert sorted(name for name, *_ in policies) == sorted(expected_on)
    for name, command, permissive, roles, reading, writing in policies:
        column = "id" if name == "workspace" else "workspace_id"
        expected = f"({column} = ( SELECT clarion_workspace() AS clarion_workspace))"
        assert (command, permissive, roles) == ("ALL", "PERMISSIVE", ["public"]), name
        assert reading == writing == expected, name


def test_the_application_cannot_bypass_it(catalog: Any) -> None:
    [role] = _ask(
        catalog,
        """SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication
           FROM pg_roles WHERE rolname = 'clarion_app'""",
    )
    assert not any(role)
    above = _ask(
        catalog,
        """SELECT rolname FROM pg_roles WHERE rolname <> 'clarion_app'
             AND pg_has_role('clarion_app', oid, 'MEMBER')""",
    )
    assert above == []
    owned = _ask(
        catalog,
        """SELECT relname FROM pg_class WHERE pg_get_userbyid(relowner) = 'clarion_app'
           UNION ALL SELECT proname FROM pg_proc WHERE pg_get_userbyid(proowner) = 'clarion_app'""",
    )
    assert owned == []


def test_the_application_makes_nothing_in_the_schema_and_truncates_nothing(catalog: Any) -> None:
    [(create,)] = _ask(catalog, "SELECT has_schema_privilege('clarion_app', 'public', 'CREATE')")
    assert not create
    too_much = _ask(
        catalog,
        """SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
             AND has_table_privilege('clarion_app', oid, 'TRUNCATE, REFERENCES, TRIGGER')""",
    )
    assert too_much == []


def test_doors_across_workspaces_are_those_on_the_list_with_a_pinned_path(catalog: Any) -> None:
    doors = _ask(
        catalog,
        """SELECT proname, proconfig, has_function_privilege('public', oid, 'EXECUTE') FROM pg_proc
           WHERE prosecdef AND pronamespace = 'public'::regnamespace""",
    )
    assert {name for name, _, _ in doors} == DOORS
    for name, config, everybody in doors:
        # temporary objects last: a caller's own table of the same name is not the one that is read
        assert "search_path=pg_catalog, public, pg_temp" in (config or []), name
        assert not everybody, name


def test_who_stands_behind_the_doors_cannot_log_in_or_write(catalog: Any) -> None:
    [(login, superuser)] = _ask(
        catalog, "SELECT rolcanlogin, rolsuper FROM pg_roles WHERE rolname = 'clarion_definer'"
    )
    assert not login
    assert not superuser
    writable = _ask(
        catalog,
        """SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
             AND relkind IN ('r', 'p', 'S')
             AND has_table_privilege('clarion_definer', oid, 'INSERT, UPDATE, DELETE, TRUNCATE')""",
    )
    assert writable == []


def test_views_speak_with_the_rights_of_who_asks(catalog: Any) -> None:
    views = _ask(
        catalog,
        """SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'v'
             AND NOT coalesce(reloptions @> '{security_invoker=true}', false)""",
    )
    materialized = _ask(
        catalog, "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'm'"
    )
    assert views == materialized == []


async def _another(db: Database) -> UUID:
    now = Clock().now()
    identifier = uuid7(now)
    async with db.tenant(identifier) as connection:
        await workspaces.create(connection, identifier, name="Nyota School", now=now)
    return identifier


# A row of any table that means nothing but whose it is.
_MEANINGLESS: dict[str, Any] = {
    "Text": "x",
    "LargeBinary": b"x",
    "TIMESTAMP": datetime(2026, 7, 1, tzinfo=UTC),
    "JSONB": "{}",
    "Integer": 1,
    "SmallInteger": 1,
    "BigInteger": 1,
    "Numeric": 1,
    "Date": date(2026, 7, 1),
    "Boolean": True,
    "ARRAY": ["x"],
    "ENUM": "unknown",  # a state of both messages and attempts
}


def _row(name: str, workspace_id: UUID) -> dict[str, Any]:
    table = metadata.tables[name]
    row = {
        column.name: _MEANINGLESS.get(type(column.type).__name__) or uuid7(Clock().now())
        for column in table.columns
        if not column.nullable and column.server_default is None and column.identity is None
    }
    for check in table.constraints:
        listed = re.match(r"(\w+) IN \('(\w+)'", str(getattr(check, "sqltext", "")))
        if listed and listed[1] in row:
            row[listed[1]] = listed[2]
    return {**row, "workspace_id": workspace_id}


def _insert(table: str, row: dict[str, Any]) -> sql.Composed:
    return sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, row)),
        sql.SQL(", ").join(map(sql.Placeholder, row)),
    )


@pytest.mark.parametrize("table", TENANTS)
async def test_a_row_is_its_own_workspaces_alone(db: Database, workspace: UUID, table: str) -> None:
    other = await _another(db)
    await _write(db, workspace, table, _row(table, workspace))
    name = sql.Identifier(table)
    async with db.tenant(other) as connection:
        for statement in ("SELECT * FROM {}", "UPDATE {} SET workspace_id = workspace_id", "DELETE FROM {}"):
            done = await connection.execute(sql.SQL(statement).format(name))
            assert done.rowcount == 0, statement
    async with db.system() as connection:
        assert (await connection.execute(sql.SQL("SELECT * FROM {}").format(name))).rowcount == 0
    async with db.tenant(workspace) as connection:
        assert (await connection.execute(sql.SQL("SELECT * FROM {}").format(name))).rowcount == 1
        await connection.execute(sql.SQL("DELETE FROM {}").format(name))


async def _write(db: Database, workspace_id: UUID, table: str, row: dict[str, Any]) -> None:
    async with db.tenant(workspace_id) as connection:
        await connection.execute("SELECT clarion_ensure_cohort('2026-07-01')")
        await connection.execute(_insert(table, row), row)


async def _move(db: Database, workspace_id: UUID, table: str, to: UUID) -> None:
    move = sql.SQL("UPDATE {} SET workspace_id = {}").format(sql.Identifier(table), sql.Literal(to))
    async with db.tenant(workspace_id) as connection:
        await connection.execute(move)


@pytest.mark.parametrize("table", TENANTS)
async def test_a_row_is_not_written_into_or_moved_to_another_workspace(
    db: Database, workspace: UUID, table: str
) -> None:
    other = await _another(db)
    with pytest.raises(errors.InsufficientPrivilege):
        await _write(db, workspace, table, _row(table, other))
    await _write(db, workspace, table, _row(table, workspace))
    with pytest.raises(errors.InsufficientPrivilege):
        await _move(db, workspace, table, other)
    async with db.tenant(workspace) as connection:
        await connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))


@pytest.mark.parametrize("table", ["message", "attempt", "receipt"])
async def test_a_partition_asked_by_its_own_name_shows_no_more(
    db: Database, workspace: UUID, table: str
) -> None:
    other = await _another(db)
    await _write(db, workspace, table, _row(table, workspace))
    partition = f"{table}_202607"
    assert [await _count(db, who, partition) for who in (workspace, other)] == [1, 0]
    with pytest.raises(errors.InsufficientPrivilege):
        await _write(db, workspace, partition, _row(table, other))


async def _count(db: Database, workspace_id: UUID, table: str) -> int:
    async with db.tenant(workspace_id) as connection:
        return (await connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table)))).rowcount


async def test_a_workspace_sees_itself_only(db: Database, workspace: UUID) -> None:
    await _another(db)
    async with db.tenant(workspace) as connection:
        assert (await workspaces.get(connection))["id"] == workspace
        assert (await connection.execute("SELECT * FROM workspace")).rowcount == 1
    stray = uuid7(Clock().now())
    row = {"id": stray, "name": "Stray", "pepper": b"x", "created_at": Clock().now()}
    with pytest.raises(errors.InsufficientPrivilege):
        await _write(db, workspace, "workspace", row)


async def test_the_tenant_ends_with_its_transaction(db: Database, workspace: UUID) -> None:
    """Also for who gets the same connection next."""
    for _ in range(20):
        async with db.tenant(workspace) as connection:
            await connection.execute("SELECT 1")
        async with db.system() as connection:
            assert (await connection.execute("SELECT * FROM workspace")).rowcount == 0


async def test_the_doors_tell_identifiers_and_no_more(db: Database, workspace: UUID) -> None:
    async with db.system() as connection:
        names = await workspaces.names(connection)
        assert {"workspace_id", "name"} == set(names[0])
        assert workspace in [found["workspace_id"] for found in names]
