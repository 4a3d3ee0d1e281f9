"""Temporary tables for bulk writes: COPY is refused under row-level security, so rows are staged first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import islice

from psycopg import sql

from clarion.kit.db import Connection

AT_ONCE = 1_000  # lines that are sent together: PostgreSQL reads these while the next are made
_SPECIAL = re.compile(r"[\\\t\n\r]")
_NULL = r"\N"
_WRITTEN = {"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"}


def line(*values: str | None) -> str:
    """Values as one line of COPY's text format, or as a part of one, without its end; None is NULL.

    A line is made of text, and not of typed values, so that most of it can be made before the row's
    identifier is known, by another thread than the one that talks to PostgreSQL.
    """
    plain = "\t".join([_NULL if v is None else v for v in values])
    # nearly always nothing is to be escaped, and counting tells so in a fraction of the time
    if (
        plain.count("\t") == len(values) - 1
        and plain.count("\\") == values.count(None)
        and "\n" not in plain
        and "\r" not in plain
    ):
        return plain
    return "\t".join([_NULL if v is None else _escaped(v) for v in values])


def _escaped(text: str) -> str:
    return _SPECIAL.sub(_as_written, text) if _SPECIAL.search(text) else text


def _as_written(found: re.Match[str]) -> str:
    return _WRITTEN[found[0]]


async def stage(connection: Connection, name: str, columns: Mapping[str, str], lines: Iterable[str]) -> None:
    """Fill the temporary table `name` (columns: name → SQL type), which lives as long as the transaction,
    with lines as `line` makes them.

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
    rest = iter(lines)
    async with (
        connection.cursor() as cursor,
        cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(table, names)) as copy,
    ):
        while some := list(islice(rest, AT_ONCE)):
            some.append("")
            await copy.write("\n".join(some))
