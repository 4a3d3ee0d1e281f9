"""Backup and restore: everything comes back, or nothing happened."""

from __future__ import annotations

import stat
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from clarion.errors import Conflict, Invalid, Misconfigured, NotFound, Unavailable
from clarion.kit.postgres import backup, restore
from clarion.kit.postgres.binaries import Binaries, installed
from clarion.kit.postgres.client import Facts, dump_programs, without_password
from tests.house import House

AWKWARD = ["plain", "tab\tand\nnewline", "\\.", "\\N", "back\\slash", "ሰላም", "مرحبا", "O'Brien", ""]
SCHEMA = """
CREATE TABLE note (id bigint GENERATED ALWAYS AS IDENTITY, workspace text, body text)
  PARTITION BY LIST (workspace);
CREATE TABLE note_selam PARTITION OF note FOR VALUES IN ('selam');
CREATE TABLE note_amina PARTITION OF note FOR VALUES IN ('amina');
CREATE INDEX note_alike ON note USING gin (body gin_trgm_ops);
COMMENT ON TABLE note IS 'what was noted';
ALTER TABLE note ENABLE ROW LEVEL SECURITY;
ALTER TABLE note FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON note USING (workspace = current_setting('clarion.workspace', true));
GRANT SELECT, INSERT ON note TO clarion_app;
GRANT SELECT ON note TO clarion_definer;
CREATE FUNCTION all_notes() RETURNS bigint LANGUAGE sql SECURITY DEFINER
  SET search_path = pg_catalog, public, pg_temp AS 'SELECT count(*) FROM note';
GRANT CREATE ON SCHEMA public TO clarion_definer;
ALTER FUNCTION all_notes() OWNER TO clarion_definer;
REVOKE CREATE ON SCHEMA public FROM clarion_definer;
"""


class Databases:
    """Databases of one test, on the server that the whole suite uses (embedded, or by URL)."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.made: list[str] = []

    def empty(self) -> str:
        """A new database as the server's set-up leaves it; its name."""
        name = f"clarion_backup_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(self.house.superuser_url, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER clarion_owner").format(sql.Identifier(name)))
        self.made.append(name)
        with psycopg.connect(self.superuser(name), autocommit=True) as connection:
            connection.execute("CREATE EXTENSION pg_trgm")
            connection.execute("GRANT ALL ON SCHEMA public TO clarion_owner WITH GRANT OPTION")
            connection.execute("GRANT USAGE ON SCHEMA public TO clarion_app, clarion_definer")
        return name

    def noted(self) -> str:
        """A database with notes of two workspaces, Selam's and Amina's; its name."""
        name = self.empty()
        with psycopg.connect(self.owner(name)) as connection:
            connection.execute(SCHEMA)
            for workspace in ("selam", "amina"):
                connection.execute("SELECT set_config('clarion.workspace', %s, true)", (workspace,))
                for body in AWKWARD:
                    connection.execute(
                        "INSERT INTO note (workspace, body) VALUES (%s, %s)", (workspace, body)
                    )
        return name

    def superuser(self, name: str) -> str:
        return self.house.superuser(name)

    def owner(self, name: str) -> str:
        return self.house.url(name, owner=True)

    def application(self, name: str) -> str:
        return self.house.url(name)


@pytest.fixture
def databases(house: House) -> Iterator[Databases]:
    databases = Databases(house)
    yield databases
    for name in databases.made:
        house.drop(name)


def notes(url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT id, workspace, body FROM note ORDER BY id").fetchall()


def is_empty(url: str) -> bool:
    with psycopg.connect(url) as connection:
        return not connection.execute(
            "SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
        ).fetchall()


@pytest.mark.parametrize("by", ["superuser", "owner"])
def test_every_row_of_every_workspace_comes_back(databases: Databases, tmp_path: Path, by: str) -> None:
    source, target = databases.noted(), databases.empty()
    path = backup(getattr(databases, by)(source), tmp_path / "clarion.dump")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    restore(path, getattr(databases, by)(target))
    assert notes(databases.superuser(target)) == notes(databases.superuser(source))
    assert len(notes(databases.superuser(target))) == 2 * len(AWKWARD)


@pytest.mark.parametrize("by", ["superuser", "owner"])
def test_rights_come_back_with_the_rows(databases: Databases, tmp_path: Path, by: str) -> None:
    target = databases.empty()
    restore(
        backup(databases.owner(databases.noted()), tmp_path / "clarion.dump"),
        getattr(databases, by)(target),
    )
    with psycopg.connect(databases.application(target), autocommit=True) as app:
        app.execute("SET ROLE clarion_app")
        assert app.execute("SELECT count(*) FROM note").fetchone() == (0,)
        assert app.execute("SELECT all_notes()").fetchone() == (2 * len(AWKWARD),)
        app.execute("SET clarion.workspace = 'selam'")
        assert app.execute("SELECT count(*) FROM note").fetchone() == (len(AWKWARD),)
        app.execute("INSERT INTO note (workspace, body) VALUES ('selam', 'the numbers go on')")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("DELETE FROM note")
    with psycopg.connect(databases.superuser(target)) as connection:
        owners = connection.execute(
            "SELECT (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'note'),"
            " (SELECT pg_get_userbyid(proowner) FROM pg_proc WHERE proname = 'all_notes'),"
            " obj_description('note'::regclass),"
            " has_schema_privilege('clarion_definer', 'public', 'CREATE')"
        ).fetchone()
    assert owners == ("clarion_owner", "clarion_definer", "what was noted", False)


def test_the_projects_own_schema_comes_back_unchanged(
    house: House, databases: Databases, tmp_path: Path
) -> None:
    source, target = house.new_database(), databases.empty()
    path = backup(house.url(source, owner=True), tmp_path / "clarion.dump")
    restore(path, house.url(target, owner=True))
    question = """
        SELECT relname, relkind, relowner, relacl::text, relrowsecurity, relforcerowsecurity, reloptions,
               (SELECT string_agg(polname || pg_get_expr(polqual, polrelid), ',' ORDER BY polname)
                FROM pg_policy WHERE polrelid = pg_class.oid)
        FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY relname
    """
    answers = []
    for name in (source, target):
        with psycopg.connect(databases.superuser(name)) as connection:
            answers.append(connection.execute(question).fetchall())
    assert answers[0] == answers[1]
    assert len(answers[0]) > 20


def test_a_backup_may_be_a_folder_that_several_write_at_once(databases: Databases, tmp_path: Path) -> None:
    source, target = databases.noted(), databases.empty()
    path = backup(databases.owner(source), tmp_path / "clarion", jobs=2)
    assert path.is_dir()
    restore(path, databases.superuser(target))
    assert notes(databases.superuser(target)) == notes(databases.superuser(source))


def test_progress_names_the_tables(databases: Databases, tmp_path: Path) -> None:
    told: list[str] = []
    path = backup(databases.owner(databases.noted()), tmp_path / "clarion.dump", told.append)
    restore(path, databases.superuser(databases.empty()), told.append)
    assert 'dumping contents of table "public.note_selam"' in told
    assert "rows of public.note_selam" in told


def test_a_backup_never_overwrites(databases: Databases, tmp_path: Path) -> None:
    path = tmp_path / "clarion.dump"
    path.write_text("last year's")
    with pytest.raises(Conflict, match="never overwrites"):
        backup(databases.owner(databases.noted()), path)
    assert path.read_text() == "last year's"
    assert list(tmp_path.iterdir()) == [path]


def test_the_application_cannot_make_a_backup_that_would_lack_rows(
    databases: Databases, tmp_path: Path
) -> None:
    url = make_conninfo(databases.application(databases.noted()), options="-c role=clarion_app")
    with pytest.raises(Misconfigured, match="does not see every workspace"):
        backup(url, tmp_path / "clarion.dump")
    assert list(tmp_path.iterdir()) == []


def test_a_backup_that_fails_leaves_nothing_behind(databases: Databases, tmp_path: Path) -> None:
    with psycopg.connect(databases.superuser(source := databases.noted())) as connection:
        connection.execute("CREATE FUNCTION broken() RETURNS int LANGUAGE sql AS 'SELECT 1'")
        connection.execute("UPDATE pg_proc SET prolang = 4242 WHERE proname = 'broken'")
        connection.commit()
        with pytest.raises(Unavailable, match="the backup failed"):
            backup(databases.superuser(source), tmp_path / "clarion.dump")
    assert list(tmp_path.iterdir()) == []


def test_a_restore_never_mixes_with_what_is_there(databases: Databases, tmp_path: Path) -> None:
    source, target = databases.noted(), databases.empty()
    path = backup(databases.owner(source), tmp_path / "clarion.dump")
    with psycopg.connect(databases.owner(target)) as connection:
        connection.execute("CREATE TABLE already (a int)")
    with pytest.raises(Conflict, match=r"is not empty \(it has already"):
        restore(path, databases.superuser(target))
    with psycopg.connect(databases.owner(target)) as connection:
        assert connection.execute("SELECT to_regclass('note')").fetchone() == (None,)


def test_what_the_caller_adds_is_in_the_same_transaction(databases: Databases, tmp_path: Path) -> None:
    path = backup(databases.owner(databases.noted()), tmp_path / "clarion.dump")
    target = databases.empty()

    def fail(connection: psycopg.Connection[Any]) -> None:
        assert connection.execute("SELECT count(*) FROM note").fetchone() == (2 * len(AWKWARD),)
        raise RuntimeError("the power went")

    with pytest.raises(RuntimeError, match="the power went"):
        restore(path, databases.superuser(target), after=fail)
    assert is_empty(databases.superuser(target))

    def pause(connection: psycopg.Connection[Any]) -> None:
        connection.execute("UPDATE note SET body = 'paused'")

    restore(path, databases.superuser(target), after=pause)
    assert {body for _, _, body in notes(databases.superuser(target))} == {"paused"}


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.97])
def test_a_damaged_backup_is_told_and_restores_nothing(
    databases: Databases, tmp_path: Path, kept: float
) -> None:
    path = backup(databases.owner(databases.noted()), tmp_path / "clarion.dump")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    target = databases.empty()
    with pytest.raises(Invalid, match="the backup cannot be read"):
        restore(path, databases.superuser(target))
    assert is_empty(databases.superuser(target))


def test_a_file_that_is_no_backup_is_told(databases: Databases, tmp_path: Path) -> None:
    target = databases.superuser(databases.empty())
    with pytest.raises(NotFound, match="no such file"):
        restore(tmp_path / "nothing", target)
    (tmp_path / "letter").write_text("Dear all")
    with pytest.raises(Invalid, match="the backup cannot be read"):
        restore(tmp_path / "letter", target)


def test_a_server_that_is_away_is_told(tmp_path: Path) -> None:
    nobody_there = f"postgresql://clarion_owner:secret@/clarion?host={tmp_path}"
    with pytest.raises(Unavailable, match="cannot be reached"):
        backup(nobody_there, tmp_path / "clarion.dump")


def test_the_password_goes_by_the_environment_and_not_by_the_argument_list() -> None:
    words, environment = without_password("postgresql://amina:s3cret@db.example/clarion?sslmode=require")
    assert "s3cret" not in words
    assert environment["PGPASSWORD"] == "s3cret"
    assert "sslmode=require" in words


def test_a_dump_takes_the_oldest_program_that_is_not_older_than_the_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = [Binaries(Path(f"/pg{major}"), f"{major}.1") for major in (18, 15, 16)]
    monkeypatch.setattr("clarion.kit.postgres.client._programs", lambda _: iter(found))
    assert dump_programs(Facts(16, tls=False)).major == 16
    assert dump_programs(Facts(17, tls=False)).major == 18
    with pytest.raises(Misconfigured, match="postgresql-client-19"):
        dump_programs(Facts(19, tls=False))


def test_a_connection_by_tls_is_not_dumped_with_programs_that_know_no_tls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("clarion.kit.postgres.client.SYSTEM_FOLDERS", ())
    monkeypatch.setenv("PATH", "/nowhere")
    assert dump_programs(Facts(18, tls=False)) == installed()
    with pytest.raises(Misconfigured, match="by TLS"):
        dump_programs(Facts(18, tls=True))
