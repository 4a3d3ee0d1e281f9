"""What a migration after the first must not do to a table that may have a hundred million rows.

Everything here either rewrites the table or reads all of it under a lock that stops the living system,
or breaks the version of Clarion that still runs beside it. What to do instead stands with each rule.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

BIG = (
    "contact|identity|address|invalid_address|consent|consent_event|group_member|import_problem|"
    "frozen_audience|enrollment|message|queue|attempt|tally|inbox|receipt|inbound"
)
_TABLE = rf'(?:ONLY\s+)?(?:IF\s+EXISTS\s+)?(?:public\.)?"?(?:{BIG})(?:_\d+)?"?(?![\w])'
_ALTER = rf"ALTER\s+TABLE\s+{_TABLE}.*?"
_VOLATILE = r"(?:gen_random_uuid|random|clarion_uuid7|nextval|now|clock_timestamp|statement_timestamp)\s*\("

_RULES: tuple[tuple[str, str], ...] = (
    (
        rf"CREATE\s+(?:UNIQUE\s+)?INDEX\s+(?!CONCURRENTLY)(?:(?!\bON\b).)*\bON\s+(?!ONLY\b){_TABLE}",
        "CREATE INDEX CONCURRENTLY (of a partitioned table: ON ONLY it, CONCURRENTLY on each part, ATTACH)",
    ),
    (r"DROP\s+INDEX\s+(?!CONCURRENTLY)", "DROP INDEX CONCURRENTLY"),
    (r"REINDEX\b(?!.*CONCURRENTLY)", "REINDEX … CONCURRENTLY"),
    (
        rf"{_ALTER}ALTER\s+(?:COLUMN\s+)?\S+\s+(?:SET\s+DATA\s+)?TYPE\b",
        "add a column, fill it by a job in small pieces, change over, drop the old one later",
    ),
    (rf"{_ALTER}SET\s+NOT\s+NULL", "ADD CONSTRAINT … CHECK (… IS NOT NULL) NOT VALID, VALIDATE it later"),
    (
        rf"{_ALTER}ADD\s+(?:COLUMN\s+)?(?:IF\s+NOT\s+EXISTS\s+)?\w+\s.*?DEFAULT\s+.*?{_VOLATILE}",
        "add the column without a default that differs by row, and fill it by a job",
    ),
    (
        rf"{_ALTER}ADD\s+.*?(?:GENERATED\s+ALWAYS\s+AS\s*\(.*?STORED|\b(?:big)?serial\b|AS\s+IDENTITY)",
        "add a plain column and fill it by a job",
    ),
    (
        rf"{_ALTER}ADD\s+(?:CONSTRAINT\s+\S+\s+)?(?:CHECK|FOREIGN\s+KEY)\b(?!.*NOT\s+VALID)",
        "ADD CONSTRAINT … NOT VALID, and VALIDATE CONSTRAINT in the next migration",
    ),
    (
        rf"{_ALTER}ADD\s+(?:CONSTRAINT\s+\S+\s+)?(?:PRIMARY\s+KEY|UNIQUE)\b(?!.*USING\s+INDEX)",
        "CREATE UNIQUE INDEX CONCURRENTLY, then ADD CONSTRAINT … USING INDEX",
    ),
    (
        rf"{_ALTER}SET\s+(?:TABLESPACE|LOGGED|UNLOGGED|ACCESS\s+METHOD)",
        "nothing does this beside a running system: plan a pause",
    ),
    (r"\b(?:VACUUM\s*\(?\s*FULL|CLUSTER\b|LOCK\s+TABLE)", "nothing does this beside a running system"),
    (
        r"ALTER\s+TABLE\s+\S+\s+RENAME\b(?!\s+CONSTRAINT)",
        "the version before still uses the old name: add the new one, drop the old one a version later",
    ),
    (rf"\b(?:UPDATE|DELETE\s+FROM)\s+{_TABLE}", "a job does this in small pieces, not a migration"),
    (r"ALTER\s+TYPE\s+\S+\s+(?!ADD\s+VALUE)", "only ADD VALUE: the version before still uses the others"),
)
_COMPILED = [(re.compile(pattern, re.IGNORECASE | re.DOTALL), instead) for pattern, instead in _RULES]
# Alembic's own operations hide what they lock, so a migration says it in SQL.
_HIDING = re.compile(
    r"op\.(alter_column|create_index|drop_index|create_check_constraint|create_foreign_key|"
    r"create_unique_constraint|create_primary_key|rename_table|batch_alter_table)\b"
)


def lint_sql(text: str) -> list[str]:
    """What is wrong with some SQL, each with what to do instead."""
    bare = re.sub(r"--[^\n]*|/\*.*?\*/", " ", text, flags=re.DOTALL)
    found = []
    for statement in bare.split(";"):
        for pattern, instead in _COMPILED:
            if pattern.search(statement):
                found.append(f"{' '.join(statement.split())[:80]} → {instead}")
    return found


def lint_python(text: str) -> list[str]:
    """What is wrong with a migration: the SQL in its strings, and operations that hide theirs."""
    found = [f"{hidden[0]} → write it as SQL with op.execute" for hidden in _HIDING.finditer(text)]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found += lint_sql(node.value)
    return found


def lint_folder(versions: Path) -> list[str]:
    """All migrations after the first, which made the tables while they were empty."""
    found = []
    for path in sorted(versions.rglob("*")):
        first = path.relative_to(versions).parts[0].startswith("0001")
        if first or path.suffix not in (".py", ".sql"):
            continue
        lint = lint_python if path.suffix == ".py" else lint_sql
        found += [f"{path.name}: {problem}" for problem in lint(path.read_text(encoding="utf-8"))]
    return found
