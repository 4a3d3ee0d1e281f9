"""Temporary tables for bulk writes: COPY is refused under row-level security, so rows are staged first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from psycopg import sql

from clarion.kit.db import Connection


async def stage(
    connection: Connection, name: str, columns: Mapping[str, str], records: Iterable[Sequence[Any]]
) -> None:
    """Fill the temporary table `name` (columns: name → SQL type), which lives as long as the transaction.

    Staging under a name again empties it first.
    """
    table = sql.Identifier(name)
    shape = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(kind)) for column, kind in columns.items()
    )
    await connection.execute(
        sql.SQL("CREATE TEMPORARY TABLE IF NOT EXISTS {} ({}) ON COMMIT DROP").format(table, shape)
    )
    await connection.execute(sql.SQL("TRUNCATE {}").format(table))
    names = sql.SQL(", ").join(sql.Identifier(column) for column in columns)
    async with (
        connection.cursor() as cursor,
        cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(table, names)) as copy,
    ):
        copy.set_types([kind.split()[0] for kind in columns.values()])
        for record in records:
            await copy.write_row(record)
