"""Temporary tables for bulk writes: COPY is refused under row-level security, so rows are staged first.

A connection keeps the tables that it has made, and their rows go with each transaction. Making and dropping
them each time costs more than writing a few rows does (2 ms each, and dead rows in the catalogue, against
0.1 ms). They go with the connection, which the pool ends after an hour: an old temporary table would hold
back the database's oldest transaction, and nobody else can vacuum it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import chain, islice
from typing import Any, LiteralString, NamedTuple

from psycopg import sql
from psycopg.pq import PipelineStatus

from clarion.kit.db import Connection, texts

AT_ONCE = 1_000  # lines that are sent together: PostgreSQL reads these while the next are made
FEW = 50  # lines that go with their statement
_SPECIAL = re.compile(r"[\\\t\n\r]")
NULL = r"\N"
_WRITTEN = {"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"}
_READ = {written[1]: character for character, written in _WRITTEN.items()}


def line(*values: str | None) -> str:
    """Values as one line of COPY's text format, or as a part of one, without its end; None is NULL.

    A line is made of text, and not of typed values, so that most of it can be made before the row's
    identifier is known, by another thread than the one that talks to PostgreSQL.
    """
    plain = "\t".join([NULL if v is None else v for v in values])
    # nearly always nothing is to be escaped, and counting tells so in a fraction of the time
    if (
        plain.count("\t") == len(values) - 1
        and plain.count("\\") == values.count(None)
        and "\n" not in plain
        and "\r" not in plain
    ):
        return plain
    return "\t".join([NULL if v is None else _escaped(v) for v in values])


def _escaped(text: str) -> str:
    return _SPECIAL.sub(_as_written, text) if _SPECIAL.search(text) else text


def _as_written(found: re.Match[str]) -> str:
    return _WRITTEN[found[0]]


async def stage(connection: Connection, name: str, columns: Mapping[str, str], lines: Iterable[str]) -> None:
    """Fill the temporary table `name` (columns: name → SQL type) with lines as `line` makes them; they are
    there until the transaction ends. A name has one shape.

    Staging under a name again empties it first.
    """
    shape = tuple(columns.items())
    made, emptied, filled, inserted = _statements(name, shape)
    await connection.execute(made, prepare=False)
    await connection.execute(emptied, prepare=True)
    rest = iter(lines)
    some = list(islice(rest, AT_ONCE))
    # COPY is two round trips, and none within a pipeline
    if len(some) <= FEW or connection.pgconn.pipeline_status != PipelineStatus.OFF:
        while some:
            await connection.execute(inserted, _columns(some), prepare=True)
            some = list(islice(rest, AT_ONCE))
        return
    async with connection.cursor() as cursor, cursor.copy(filled) as copy:
        while some:
            some.append("")
            await copy.write("\n".join(some))
            some = list(islice(rest, AT_ONCE))


_Shape = tuple[tuple[str, str], ...]


class Source(NamedTuple):
    """Where a statement reads its rows: `FROM {text} s`, with these values beside its own."""

    text: LiteralString
    values: dict[str, Any]


async def source(
    connection: Connection, name: str, columns: Mapping[str, str], lines: Iterable[str]
) -> Source:
    """Rows for one statement, from lines (at least one) as `line` makes them: few go with it, in its own
    round trip; many are staged under the name."""
    rest = iter(lines)
    some = list(islice(rest, FEW + 1))
    if len(some) > FEW:
        await stage(connection, name, columns, chain(some, rest))
        return Source(_named(name), {})
    return Source(_values(tuple(columns.items())), _columns(some))


def _columns(some: Sequence[str]) -> dict[str, str | None]:
    """The values of some lines as `_values` names them."""
    fields = zip(*map(_fields, some), strict=True)
    return {f"staged_{n}": texts(column) for n, column in enumerate(fields)}


def _fields(written: str) -> list[str | None]:
    """The values that a line was made of."""
    return [None if one == NULL else _unescaped(one) for one in written.split("\t")]


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: _READ[found[1]], text) if "\\" in text else text


@cache
def _named(name: str) -> LiteralString:
    return sql.Identifier(name).as_string()


@cache
def _values(columns: _Shape) -> LiteralString:
    """As a table, of arrays of text: a line has every value as text, whatever it is.

    Read before it is joined (OFFSET 0): reading a value is not leakproof, so a key that is read within a join
    is compared only after the policy of the other table's rows, of all of them.
    """
    read = ", ".join(f"staged_{n}::{kind} AS {_named(column)}" for n, (column, kind) in enumerate(columns))
    named = ", ".join(f"staged_{n}" for n in range(len(columns)))
    given = ", ".join(f"%(staged_{n})s::text[]" for n in range(len(columns)))
    return f"(SELECT {read} FROM unnest({given}) AS staged({named}) OFFSET 0)"


@cache
def _statements(name: str, columns: _Shape) -> tuple[bytes, bytes, bytes, bytes]:
    """What makes the table, empties it, and fills it with many or with few: composed once a shape, since few
    lines are staged as often as many are."""
    table = sql.Identifier(name)
    shape = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(kind)) for column, kind in columns
    )
    made = sql.SQL("CREATE TEMPORARY TABLE IF NOT EXISTS {} ({}) ON COMMIT DELETE ROWS").format(table, shape)
    names = sql.SQL(", ").join(sql.Identifier(column) for column, _ in columns)
    filled = sql.SQL("COPY {} ({}) FROM STDIN").format(table, names)
    inserted = f"INSERT INTO {_named(name)} ({names.as_string()}) SELECT * FROM {_values(columns)} s"
    emptied = f"DELETE FROM {_named(name)}"
    return made.as_bytes(), emptied.encode(), filled.as_bytes(), inserted.encode()
