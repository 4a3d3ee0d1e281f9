"""Rules that all SQL of the house follows, and all migrations to come."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import clarion
from tests.store.migration_lint import lint_folder, lint_python, lint_sql

ROOT = Path(clarion.__file__).parent
VERSIONS = ROOT / "store" / "migrations" / "versions"

# A moment is a parameter: what the database thinks it is cannot be moved by a test, nor checked.
_DATABASE_CLOCKS = re.compile(
    r"(?<![\w.'])now\(\)|\b(?:CURRENT_(?:TIMESTAMP|DATE|TIME)|LOCALTIME(?:STAMP)?)\b"
    r"|\b(?:clock|statement|transaction)_timestamp\s*\(|\btimeofday\s*\(|'(?:now|today|tomorrow|yesterday)'::",
)
# The one comparison of our clock with the database's.
_COMPARES = {Path("store/health.py")}
_WALL_CLOCKS = re.compile(r"\bdatetime\.(?:now|utcnow|today)\(|\bdate\.today\(|\btime\.time(?:_ns)?\(")
# The clock itself; and the provider's stand-in and the server's keeper, which are processes of their own.
_KEEPERS = ("kit/clock.py", "sandbox/", "kit/postgres/")


def _sources(*suffixes: str) -> list[tuple[Path, str]]:
    found = [
        (path.relative_to(ROOT), path.read_text(encoding="utf-8"))
        for path in ROOT.rglob("*")
        if path.suffix in suffixes
    ]
    assert len(found) > 10
    return found


def _without_prose(path: Path, text: str) -> str:
    """Comments and docstrings may speak of what the code must not do."""
    if path.suffix == ".sql":
        return re.sub(r"--[^\n]*", "", text)
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value = ast.Constant("")
    return ast.unparse(tree)


def test_no_sql_reads_the_databases_clock() -> None:
    found = [
        f"{path}: {hit[0]}"
        for path, text in _sources(".py", ".sql")
        if path not in _COMPARES
        for hit in _DATABASE_CLOCKS.finditer(_without_prose(path, text))
    ]
    assert found == []


def test_nothing_reads_the_wall_clock_but_the_clock() -> None:
    found = [
        f"{path}: {hit[0]}"
        for path, text in _sources(".py")
        if not str(path).startswith(_KEEPERS)
        for hit in _WALL_CLOCKS.finditer(_without_prose(path, text))
    ]
    assert found == []


@pytest.mark.parametrize(
    "bad",
    [
        "SELECT now()",
        "UPDATE x SET at = CURRENT_TIMESTAMP",
        "DEFAULT now()",
        "SELECT clock_timestamp()",
        "'now'::timestamptz",
    ],
)
def test_the_rule_on_clocks_bites(bad: str) -> None:
    assert _DATABASE_CLOCKS.search(bad)
    assert not _DATABASE_CLOCKS.search("clock.now() and self.now() and edge.now()")


def test_no_migration_would_stop_the_living_system() -> None:
    assert lint_folder(VERSIONS) == []


@pytest.mark.parametrize(
    "bad",
    [
        "CREATE INDEX x ON message (due_at)",
        "create unique index x on public.contact using btree (name)",
        "CREATE INDEX IF NOT EXISTS x ON attempt_202607 (code)",
        "DROP INDEX message_once",
        "REINDEX TABLE contact",
        "ALTER TABLE message ALTER COLUMN tries TYPE int",
        "ALTER TABLE ONLY contact ALTER name SET DATA TYPE varchar(20)",
        "ALTER TABLE queue ALTER COLUMN variables SET NOT NULL",
        "ALTER TABLE contact ADD COLUMN token uuid NOT NULL DEFAULT gen_random_uuid()",
        "ALTER TABLE contact ADD lower_name text GENERATED ALWAYS AS (lower(name)) STORED",
        "ALTER TABLE tally ADD COLUMN k bigserial",
        "ALTER TABLE address ADD CONSTRAINT c CHECK (position >= 0)",
        "ALTER TABLE address ADD FOREIGN KEY (contact_id) REFERENCES contact (id)",
        "ALTER TABLE receipt ADD CONSTRAINT u UNIQUE (message_id)",
        "ALTER TABLE inbox ADD PRIMARY KEY (id)",
        "ALTER TABLE inbox SET UNLOGGED",
        "VACUUM FULL message",
        "VACUUM (FULL, ANALYZE) message",
        "LOCK TABLE queue",
        "ALTER TABLE campaign RENAME COLUMN name TO title",
        "ALTER TABLE campaign RENAME TO campaigns",
        "UPDATE contact SET name = ''",
        "DELETE FROM receipt WHERE code IS NULL",
        "ALTER TYPE message_state RENAME VALUE 'read' TO 'seen'",
        "SELECT 1; CREATE INDEX x ON message (due_at); SELECT 2",
    ],
)
def test_the_lint_refuses(bad: str) -> None:
    assert lint_sql(bad)
    assert lint_python(f"op.execute({bad!r})")


@pytest.mark.parametrize(
    "good",
    [
        "CREATE INDEX CONCURRENTLY x ON message_202607 (due_at)",
        "CREATE INDEX x ON ONLY message (due_at)",
        "CREATE INDEX x ON campaign (name)",
        "CREATE TABLE contact_note (id uuid PRIMARY KEY, contact_id uuid NOT NULL, at timestamptz NOT NULL)",
        "CREATE INDEX x ON contact_note (contact_id)",
        "ALTER TABLE contact ADD COLUMN nickname text",
        "ALTER TABLE contact ADD COLUMN nickname text NOT NULL DEFAULT ''",
        "ALTER TABLE address ADD CONSTRAINT c CHECK (position >= 0) NOT VALID",
        "ALTER TABLE address VALIDATE CONSTRAINT c",
        "ALTER TABLE receipt ADD CONSTRAINT u UNIQUE USING INDEX receipt_u",
        "ALTER TABLE message SET (fillfactor = 40)",
        "ALTER TYPE message_state ADD VALUE 'seen'",
        "ALTER TABLE campaign ALTER COLUMN name SET NOT NULL",
        "-- DROP INDEX message_once\nSELECT 1",
        "DROP INDEX CONCURRENTLY message_once",
    ],
)
def test_the_lint_lets_pass(good: str) -> None:
    assert lint_sql(good) == []


def test_operations_that_hide_their_lock_are_refused() -> None:
    assert lint_python("op.create_index('x', 'message', ['due_at'])")
    assert lint_python("op.alter_column('contact', 'name', nullable=False)")
    assert lint_python("op.add_column('contact', Column('nickname', Text))") == []


def test_the_lint_reads_files_of_both_kinds_but_not_the_first_migration(tmp_path: Path) -> None:
    for name in ("0001", "0002"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.sql").write_text("CREATE INDEX x ON message (due_at);")
        (tmp_path / f"{name}_x.py").write_text("op.execute('LOCK TABLE queue')")
    assert [line.partition(":")[0] for line in lint_folder(tmp_path)] == ["x.sql", "0002_x.py"]


def test_the_one_comparison_with_the_databases_clock_is_where_the_rule_says() -> None:
    for path in _COMPARES:
        assert _DATABASE_CLOCKS.search(_without_prose(path, (ROOT / path).read_text(encoding="utf-8")))
