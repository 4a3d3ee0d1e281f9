"""The embedded server while all goes well: who may do what on it, and how it is set."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from clarion.kit.postgres import EmbeddedServer, ServerInfo, ensure_roles

TENANTS = """
CREATE TABLE note (workspace text, body text);
ALTER TABLE note ENABLE ROW LEVEL SECURITY;
ALTER TABLE note FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON note USING (workspace = current_setting('clarion.workspace', true));
GRANT ALL ON note TO clarion_app;
GRANT SELECT ON note TO clarion_definer;
CREATE FUNCTION all_notes() RETURNS bigint LANGUAGE sql SECURITY DEFINER
  SET search_path = pg_catalog, public, pg_temp AS 'SELECT count(*) FROM note';
GRANT CREATE ON SCHEMA public TO clarion_definer;
ALTER FUNCTION all_notes() OWNER TO clarion_definer;
REVOKE CREATE ON SCHEMA public FROM clarion_definer;
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    server = EmbeddedServer(tmp_path_factory.mktemp("server"))
    server.start()
    yield server
    server.release()


@pytest.fixture
def info(server: EmbeddedServer) -> ServerInfo:
    return server.start()


@pytest.fixture
def notes(server: EmbeddedServer) -> Iterator[str]:
    """A database with a table of two workspaces, Selam's and Amina's; its name."""
    with psycopg.connect(server.create_database("notes")) as owner:
        owner.execute(TENANTS)
        for workspace in ("selam", "amina"):
            owner.execute("SELECT set_config('clarion.workspace', %s, true)", (workspace,))
            owner.execute("INSERT INTO note VALUES (%s, 'hello')", (workspace,))
    yield "notes"
    server.drop_database("notes")


def show(url: str, setting: str) -> str:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT current_setting(%s)", (setting,)).fetchone()
    assert row is not None
    return str(row[0])


def test_the_server_runs_as_the_ordinary_user_who_owns_the_data(info: ServerInfo) -> None:
    runs_as = Path(f"/proc/{info.pid}").stat().st_uid
    assert runs_as != 0
    assert runs_as == info.data_dir.stat().st_uid
    groups = Path(f"/proc/{info.pid}/status").read_text().split("Groups:")[1].splitlines()[0].split()
    assert "0" not in groups
    assert stat.S_IMODE(info.data_dir.stat().st_mode) == 0o700


def test_each_url_logs_in_as_its_own_role(info: ServerInfo) -> None:
    urls = {
        "postgres": info.superuser_url,
        "clarion_owner": info.owner_url,
        "clarion_app": info.app_url,
    }
    for role, url in urls.items():
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT current_user, current_database()").fetchone() == (
                role,
                "clarion",
            )
    assert info.version.split(".")[0] == "18"


def test_a_wrong_password_is_refused_on_the_socket_too(info: ServerInfo) -> None:
    for url in (info.app_url, info.owner_url, info.superuser_url):
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(make_conninfo(url, password="guess"))
    with psycopg.connect(info.superuser_url) as connection:
        kept = connection.execute("SELECT rolpassword FROM pg_authid WHERE rolcanlogin").fetchall()
    assert len(kept) == 3
    assert all(password.startswith("SCRAM-SHA-256$") for (password,) in kept)


def test_the_passwords_are_in_a_private_file_and_in_no_printed_form(
    server: EmbeddedServer, info: ServerInfo
) -> None:
    assert stat.S_IMODE(server.layout.passwords.stat().st_mode) == 0o600
    for url in (info.app_url, info.owner_url, info.superuser_url):
        assert str(conninfo_to_dict(url)["password"]) not in repr(info)


def test_the_server_listens_on_no_network_port(info: ServerInfo) -> None:
    listening = [
        (int(line.split()[1].rsplit(":", 1)[1], 16), int(line.split()[7]))
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/{info.pid}/net/{table}").read_text().splitlines()[1:]
        if line.split()[3] == "0A"
    ]
    assert (5432, info.data_dir.stat().st_uid) not in listening
    assert show(info.app_url, "listen_addresses") == ""


def test_the_socket_lies_in_a_private_folder_of_the_servers_user(info: ServerInfo) -> None:
    folder = info.socket_dir.stat()
    assert stat.S_IMODE(folder.st_mode) == 0o700
    assert folder.st_uid == info.data_dir.stat().st_uid
    assert len(os.fsencode(info.socket_dir / ".s.PGSQL.5432")) <= 107


def test_the_application_cannot_bypass_row_level_security(server: EmbeddedServer, notes: str) -> None:
    with psycopg.connect(server.url_for(notes, "clarion_app"), autocommit=True) as app:
        assert app.execute("SELECT count(*) FROM note").fetchone() == (0,)
        app.execute("SET clarion.workspace = 'selam'")
        assert app.execute("SELECT workspace FROM note").fetchall() == [("selam",)]
        app.execute("SET row_security = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("SELECT count(*) FROM note")
        for role in ("clarion_owner", "clarion_definer", "clarion_backup", "postgres"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(f"SET ROLE {role}")
        for forbidden in (
            "ALTER TABLE note DISABLE ROW LEVEL SECURITY",
            "ALTER ROLE clarion_app BYPASSRLS",
            "CREATE TABLE mine (a int)",
            "COPY note TO PROGRAM 'cat'",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(forbidden)


def test_the_owner_is_no_superuser_and_forced_row_level_security_holds_for_it(
    server: EmbeddedServer, notes: str
) -> None:
    with psycopg.connect(server.url_for(notes, "clarion_owner"), autocommit=True) as owner:
        assert owner.execute("SELECT count(*) FROM note").fetchone() == (0,)
        assert owner.execute("SHOW is_superuser").fetchone() == ("off",)
        owner.execute("SET ROLE clarion_app")
        assert owner.execute("SELECT current_user").fetchone() == ("clarion_app",)


def test_a_function_of_the_definer_sees_every_workspace(server: EmbeddedServer, notes: str) -> None:
    with psycopg.connect(server.url_for(notes, "clarion_app")) as app:
        assert app.execute("SELECT all_notes()").fetchone() == (2,)


def test_nobody_logs_in_as_the_definer_or_for_backups(info: ServerInfo) -> None:
    with psycopg.connect(info.superuser_url) as connection:
        rows = connection.execute(
            "SELECT rolname FROM pg_roles WHERE rolbypassrls AND NOT rolsuper AND NOT rolcanlogin ORDER BY 1"
        ).fetchall()
    assert rows == [("clarion_backup",), ("clarion_definer",)]


def test_making_the_roles_again_repairs_them_and_keeps_passwords(info: ServerInfo) -> None:
    with psycopg.connect(info.superuser_url, autocommit=True) as superuser:
        superuser.execute("ALTER ROLE clarion_app BYPASSRLS CREATEDB")
        ensure_roles(superuser, None)
        ensure_roles(superuser, None)
        row = superuser.execute(
            "SELECT rolbypassrls, rolcreatedb FROM pg_roles WHERE rolname = 'clarion_app'"
        ).fetchone()
    assert row == (False, False)
    psycopg.connect(info.app_url).close()


def test_what_was_acknowledged_is_on_the_disk(info: ServerInfo) -> None:
    for setting in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums"):
        assert show(info.app_url, setting) == "on"


def test_letters_of_every_script_are_letters(info: ServerInfo) -> None:
    with psycopg.connect(info.app_url) as connection:
        row = connection.execute(
            "SELECT similarity('ሰላም ለሁላችሁ', 'ሰላም ለሁላችን'), similarity('مرحبا', 'мир'), lower('ÉMILE')"
        ).fetchone()
    assert row is not None
    assert row[0] > 0.4
    assert row[1:] == (0, "émile")


def test_times_are_utc_and_text_is_utf8(info: ServerInfo) -> None:
    assert show(info.app_url, "TimeZone") == "UTC"
    assert show(info.app_url, "server_encoding") == "UTF8"


def test_a_database_can_be_copied_from_a_template(server: EmbeddedServer, notes: str) -> None:
    url = server.create_database("copy", template=notes)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT all_notes()").fetchone() == (2,)
    server.drop_database("copy")


def test_dropping_a_database_ends_its_connections(server: EmbeddedServer) -> None:
    connection = psycopg.connect(server.create_database("busy"), autocommit=True)
    server.drop_database("busy")
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    server.drop_database("busy")


def test_a_statement_that_fails_leaves_nothing_of_a_person_in_the_log(
    server: EmbeddedServer, notes: str
) -> None:
    number = "+251911234567"
    for role in ("clarion_app", "clarion_owner"):
        with psycopg.connect(server.url_for(notes, role), autocommit=True) as connection:
            with pytest.raises(psycopg.DataError):
                connection.execute("SELECT %s::text::date", (number,))
            with pytest.raises(psycopg.DataError):
                connection.execute(f"SELECT '{number}'::date")
    twice = f"CREATE TABLE one (a text PRIMARY KEY); INSERT INTO one VALUES ('{number}'), ('{number}')"
    superuser = psycopg.connect(server.url_for(notes, "postgres"), autocommit=True)
    with superuser, pytest.raises(psycopg.errors.UniqueViolation):
        superuser.execute(twice)
    log = server.layout.log.read_text()
    assert "duplicate key" in log  # the superuser's failures are told, without the key
    assert number not in log
