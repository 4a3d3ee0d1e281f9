"""A real PostgreSQL for the tests: the embedded one, or a server by CLARION_TEST_DATABASE_URL.

The schema is migrated once into a template; every run of the suite gets its own copy, and so does
each test that kills servers or counts everything in a database.
"""

from __future__ import annotations

import atexit
import itertools
import os
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from clarion.kit.postgres import EmbeddedServer, ensure_roles
from clarion.store import migrate

_numbers = itertools.count(1)


class House:
    """One server. URLs are libpq's; `superuser_url` only makes and drops databases.

    Without `durable` it waits for no disk: a killed server loses nothing by that, a machine without power
    would, and that is tested nowhere.
    """

    def __init__(self, state_dir: Path, *, durable: bool = True) -> None:
        external = os.environ.get("CLARION_TEST_DATABASE_URL")
        self.embedded: EmbeddedServer | None = None
        if external:
            self.superuser_url = external
            with psycopg.connect(external, autocommit=True) as connection:
                # two suites may share the server, and roles are the server's
                connection.execute("SELECT pg_advisory_lock(hashtext('clarion tests'))")
                ensure_roles(connection, None)
        else:
            self.embedded = EmbeddedServer(state_dir)
            self.superuser_url = self.embedded.start().superuser_url
            atexit.register(self.embedded.release)
            if not durable:
                self._wait_for_no_disk()
        self.template = f"clarion_test_{os.getpid()}"
        self._create(self.template, None)
        migrate.upgrade(self.url(self.template, owner=True))

    def _wait_for_no_disk(self) -> None:
        with psycopg.connect(self.superuser_url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")

    def url(self, name: str, *, owner: bool = False) -> str:
        """The URL of one database, as the application logs in or as the schema's owner."""
        if self.embedded is not None:
            return self.embedded.url_for(name, "clarion_owner" if owner else "clarion_app")
        return make_conninfo(
            self.superuser_url, dbname=name, user="clarion_owner" if owner else "clarion_app"
        )

    def superuser(self, name: str) -> str:
        return make_conninfo(self.superuser_url, dbname=name)

    def new_database(self) -> str:
        """A fresh migrated database; its name."""
        name = f"{self.template}_{next(_numbers)}"
        self._create(name, self.template)
        return name

    def drop(self, name: str) -> None:
        with psycopg.connect(self.superuser_url, autocommit=True) as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )

    def close(self) -> None:
        with psycopg.connect(self.superuser_url, autocommit=True) as connection:
            mine = connection.execute(
                "SELECT datname FROM pg_database WHERE datname LIKE %s", (self.template + "%",)
            ).fetchall()
        for (name,) in mine:
            self.drop(name)

    def _create(self, name: str, template: str | None) -> None:
        with psycopg.connect(self.superuser_url, autocommit=True) as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER clarion_owner {}").format(
                    sql.Identifier(name),
                    sql.SQL("TEMPLATE {}").format(sql.Identifier(template)) if template else sql.SQL(""),
                )
            )
        if template is None:
            with psycopg.connect(self.superuser(name), autocommit=True) as connection:
                connection.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
                connection.execute("GRANT ALL ON SCHEMA public TO clarion_owner WITH GRANT OPTION")
