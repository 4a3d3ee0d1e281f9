"""Rows for a statement are the same, whether they go with it or are staged; a connection keeps its tables."""

from __future__ import annotations

from random import Random
from typing import Any
from uuid import UUID

import pytest

from clarion.kit.db import Connection, Database
from clarion.store.staging import FEW, line, source, stage

SHAPE = {"n": "int4", "word": "text", "numbers": "bigint[]", "day": "date"}
LETTERS = ["a", "N", "é", "ሰ", "\\", "\t", "\n", "\r", '"', "'", ",", "{", "}", " ", "%"]


async def held(connection: Connection, lines: list[str]) -> list[Any]:
    some = await source(connection, "staged_words", SHAPE, lines)
    cursor = await connection.execute(f"SELECT s.* FROM {some.text} s ORDER BY n", some.values)
    return await cursor.fetchall()


async def test_what_goes_with_a_statement_is_what_is_staged(db: Database, workspace: UUID) -> None:
    drawn = Random(7)
    words: list[str | None]
    async with db.tenant(workspace) as connection:
        for _ in range(100):
            words = [
                "".join(drawn.choices(LETTERS, k=drawn.randrange(9))) for _ in range(drawn.randint(1, FEW))
            ]
            words[drawn.randrange(len(words))] = None
            lines = [
                line(str(n), word, "{1,2}" if n % 2 else "{}", "2026-03-02" if n % 3 else None)
                for n, word in enumerate(words)
            ]
            few = await held(connection, lines)
            await stage(connection, "staged_words", SHAPE, lines)
            cursor = await connection.execute("SELECT * FROM staged_words ORDER BY n")
            assert few == await cursor.fetchall()
            assert [word for _, word, _, _ in few] == words


@pytest.mark.parametrize("many", [0, 1, FEW, FEW + 1, 3 * FEW])
async def test_however_many_there_are_all_are_there(db: Database, workspace: UUID, many: int) -> None:
    lines = [line(str(n), f"Amina {n}", "{}", None) for n in range(many)]
    async with db.tenant(workspace) as connection:
        if many:
            assert [n for n, *_ in await held(connection, lines)] == list(range(many))
        await stage(connection, "staged_words", SHAPE, lines)
        await stage(connection, "staged_words", SHAPE, lines)  # again: it is emptied first
        cursor = await connection.execute("SELECT count(*) FROM staged_words")
        assert await cursor.fetchone() == (many,)


async def test_what_one_transaction_staged_no_other_sees(db: Database, workspace: UUID) -> None:
    lines = [line("1", "Amina", "{}", None)]
    async with Database(db.url, size=1) as alone:
        async with alone.tenant(workspace) as connection:
            await stage(connection, "staged_words", SHAPE, lines)
        async with alone.tenant(workspace) as connection:
            await stage(connection, "staged_words", SHAPE, lines)
            await connection.rollback()
        async with alone.tenant(workspace) as connection:
            cursor = await connection.execute("SELECT count(*) FROM staged_words")
            assert await cursor.fetchone() == (0,)
