"""The database: a pool of connections that always run as one workspace or as none.

Every transaction names its workspace (`Database.tenant`), and forced row-level security shows it
that workspace's rows alone. `Database.system` names none: it sees no tenant's row, only what the
few security-definer functions of the migrations answer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow, dict_row
from psycopg_pool import AsyncConnectionPool

from clarion.errors import Unavailable

Connection = psycopg.AsyncConnection[TupleRow]
Row = dict[str, Any]
_OPENING = "BEGIN; SELECT set_config('clarion.workspace', {}, true)"
_LOOKING = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT set_config('clarion.workspace', {}, true)"
Greeting = Callable[[Connection], Awaitable[None]]

APP_ROLE = "clarion_app"

# Every plan is made for its values: a generic one, which PostgreSQL may turn to after five executions,
# knows neither the tenant's size nor the limit (measured: an expansion fell from 40,000 to 1,800 rows/s).
# Nothing is compiled: our statements are short, and servers before 18 price what finds rows by key (scans
# that are switched off) so high that they would compile each of them, for seconds.
# A process that was stopped inside a transaction must not hold its locks for ever.
_SESSION = (
    "-c timezone=UTC -c plan_cache_mode=force_custom_plan -c jit=off "
    "-c idle_in_transaction_session_timeout=60000"
)

# What the database says when it is away rather than displeased: wait and try again.
AWAY = (psycopg.OperationalError, psycopg.InterfaceError)


# Seconds: how long a caller waits for a connection, and how long a pool tries for one before it begins
# anew. It tries ever more seldom: after a long time without the database, this is how soon it is noticed.
WAIT_FOR_ONE, TRY_FOR = 10.0, 5.0


def conninfo(url: str, name: str, **more: str) -> str:
    """Where and how to connect; a connection whose other end is gone is noticed within half a minute."""
    return make_conninfo(
        url,
        application_name=name,
        keepalives_idle="10",
        keepalives_interval="5",
        keepalives_count="3",
        tcp_user_timeout="20000",
        connect_timeout="10",
        **more,
    )


async def become_app(connection: Connection) -> None:
    """Take the application role, which cannot bypass row-level security, whoever logged in."""
    async with connection.cursor() as cursor:
        await cursor.execute("SELECT session_user")
        row = await cursor.fetchone()
        if row is not None and row[0] != APP_ROLE:
            await cursor.execute("SET ROLE clarion_app")
    await connection.commit()


class Database:
    """A pool of connections to one database. Open it with `async with`."""

    def __init__(
        self,
        url: str,
        *,
        size: int = 10,
        name: str = "clarion",
        planner: str = "",
        greet: Greeting | None = None,
    ) -> None:
        """`url` is a libpq URL; `name` shows in pg_stat_activity; `planner` is libpq `options`.

        `greet` meets each new connection before anything else uses it; when it raises, the connection
        is not used and the next is tried.
        """
        self.url = url
        self._greet = greet
        options = conninfo_to_dict(url).get("options")
        self.pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            conninfo(url, name, options=" ".join(str(part) for part in (options, _SESSION, planner) if part)),
            min_size=1,
            max_size=size,
            open=False,
            configure=self._welcome,
            timeout=WAIT_FOR_ONE,
            reconnect_timeout=TRY_FOR,
            kwargs={"prepare_threshold": 2, "autocommit": True},  # transactions are opened by name
        )

    async def _welcome(self, connection: Connection) -> None:
        await become_app(connection)
        if self._greet is not None:
            await self._greet(connection)

    async def __aenter__(self) -> Database:
        await self.pool.open(wait=False)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.pool.close(timeout=2.0)

    @asynccontextmanager
    async def tenant(self, workspace_id: UUID) -> AsyncIterator[Connection]:
        """A transaction that sees and writes one workspace's rows. Commits at the end.

        Begun and told its workspace in one round trip; `connection.transaction()` inside is a savepoint.
        """
        async with self._opened(_OPENING, workspace_id) as connection:
            yield connection

    @asynccontextmanager
    async def snapshot(self, workspace_id: UUID) -> AsyncIterator[Connection]:
        """A transaction that only reads one workspace's rows, all of it as they were at one moment. To be
        ended soon: until then nothing that was changed since can be cleared away."""
        async with self._opened(_LOOKING, workspace_id) as connection:
            yield connection

    @asynccontextmanager
    async def _opened(self, how: LiteralString, workspace_id: UUID) -> AsyncIterator[Connection]:
        opening = sql.SQL(how).format(sql.Literal(str(workspace_id)))
        async with self.pool.connection() as connection:
            await connection.execute(opening, prepare=False)
            try:
                yield connection
            except BaseException:
                with suppress(*AWAY):
                    await connection.rollback()
                raise
            await connection.commit()

    async def peek(self, workspace_id: UUID, query: sql.Composed) -> list[Row]:
        """The rows of one query that reads a workspace, as dictionaries, its values written into it: with its
        transaction in one round trip instead of three."""
        whole = sql.SQL(_OPENING + "; {}; COMMIT").format(sql.Literal(str(workspace_id)), query)
        async with self.pool.connection() as connection:
            try:
                async with connection.cursor(row_factory=dict_row) as cursor:
                    await cursor.execute(whole, prepare=False)
                    cursor.nextset()  # of BEGIN
                    cursor.nextset()  # of the workspace
                    return await cursor.fetchall()
            except BaseException:
                with suppress(*AWAY):
                    await connection.rollback()
                raise

    @asynccontextmanager
    async def system(self) -> AsyncIterator[Connection]:
        """A transaction of no workspace: it sees no tenant's rows."""
        async with self.pool.connection() as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def glance(self) -> AsyncIterator[Connection]:
        """For one statement that only reads, of no workspace: without a transaction around it, which would
        cost three round trips instead of one to look whether there is anything to do."""
        async with self.pool.connection() as connection:
            yield connection

    async def wait_ready(self, timeout: float = 30.0) -> None:
        """Wait until a connection can be had. Raises Unavailable after `timeout` seconds."""
        try:
            await self.pool.wait(timeout=timeout)
        except psycopg.Error as error:
            raise Unavailable(
                f"the database cannot be reached: {type(error).__name__}",
                hint="`clarion doctor` says what is wrong with it.",
            ) from error


async def rows(
    connection: Connection, query: LiteralString, params: Sequence[Any] | Mapping[str, Any] = ()
) -> list[Row]:
    """All rows of a query as dictionaries."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query, params)
        return await cursor.fetchall()


async def row(
    connection: Connection, query: LiteralString, params: Sequence[Any] | Mapping[str, Any] = ()
) -> Row | None:
    """The first row of a query as a dictionary, or None."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query, params)
        return await cursor.fetchone()


def array(values: Iterable[str]) -> str:
    """An array literal of plain words (hexadecimal, enum labels, numbers) for `%s::type[]`.

    psycopg's own array dumping costs 2 µs an element; a hot statement passes thousands a second.
    """
    return "{" + ",".join(values) + "}"


def texts(values: Sequence[str | None]) -> str | None:
    """An array literal of any texts, None as NULL; None when all are (unnest pads it with NULLs)."""
    if not any(value is not None for value in values):
        return None
    return array("NULL" if v is None else f'"{_escaped(v)}"' for v in values)


def fit(text: str) -> str:
    """Without what PostgreSQL's text cannot hold: the NUL character and halves of surrogate pairs."""
    if "\x00" in text:
        text = text.replace("\x00", "")
    return text if text.isascii() else text.encode(errors="replace").decode()


def _escaped(text: str) -> str:
    if '"' not in text and "\\" not in text:
        return text
    return text.replace("\\", "\\\\").replace('"', '\\"')
