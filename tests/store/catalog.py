"""What PostgreSQL's own catalogs say of a schema: the tables of ours, without partitions and jobs."""

from __future__ import annotations

from typing import LiteralString

import psycopg

# Ours: not procrastinate's, not alembic's, not the partitions of a parent.
_OURS: LiteralString = """
  c.relnamespace = 'public'::regnamespace AND NOT c.relispartition AND c.relkind IN ('r', 'p')
  AND c.relname NOT LIKE 'procrastinate%' AND c.relname <> 'alembic_version'"""

_ASPECTS: dict[str, LiteralString] = {
    "tables": "SELECT relname, relkind::text, pg_get_partkeydef(c.oid), reloptions FROM pg_class c WHERE "
    + _OURS,
    "columns": """SELECT c.relname, a.attname, a.attnum, format_type(a.atttypid, a.atttypmod), a.attnotnull,
      a.attidentity::text, a.attgenerated::text, pg_get_expr(d.adbin, d.adrelid)
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
      LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
      WHERE a.attnum > 0 AND NOT a.attisdropped AND """
    + _OURS,
    "indexes": """SELECT c.relname, pg_get_indexdef(i.indexrelid), i.indisunique, i.indisprimary
      FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid WHERE """
    + _OURS,
    "constraints": """SELECT c.relname, k.conname, k.contype::text, pg_get_constraintdef(k.oid)
      FROM pg_class c JOIN pg_constraint k ON k.conrelid = c.oid WHERE k.contype <> 'n' AND """
    + _OURS,
    "enums": """SELECT t.typname, e.enumlabel FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid
      WHERE t.typname NOT LIKE 'procrastinate%' ORDER BY t.typname, e.enumsortorder""",
}


def catalog(url: str) -> dict[str, list[str]]:
    """Aspect → its facts, one line each, in a fixed order."""
    with psycopg.connect(url) as connection:
        return {aspect: _lines(connection, query, aspect != "enums") for aspect, query in _ASPECTS.items()}


def _lines(connection: psycopg.Connection, query: LiteralString, unordered: bool) -> list[str]:
    found = [" | ".join(str(value) for value in row) for row in connection.execute(query)]
    return sorted(found) if unordered else found
