"""`clarion migrate`, `backup` and `restore`: the database as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import psycopg
import typer
from psycopg import errors as pg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from clarion import wiring
from clarion.cli import place, terminal
from clarion.cli.commands import single
from clarion.errors import Misconfigured
from clarion.kit import log, postgres
from clarion.kit.clock import Clock
from clarion.kit.postgres.client import connect
from clarion.store import migrate as migrations
from clarion.store import restored, schema

migrate_app = single()
backup_app = single()
restore_app = single()

Url = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        envvar="CLARION_DATABASE_URL",
        metavar="URL",
        help="A server of your own, as its owner (clarion_owner) or a superuser; absent: the embedded one.",
        show_envvar=True,
    ),
]


@migrate_app.command()
def migrate(database_url: Url = None) -> None:
    """Bring a database to this version's schema. Safe beside running workers; again changes nothing.

    The embedded database is migrated by every command that starts it. On a server of your own, run it
    once as a superuser, which makes the roles, and then as clarion_owner after each upgrade of Clarion.

    [dim]$[/] clarion migrate --database-url postgresql://postgres@db/clarion
    """
    _logged()
    with _database(database_url) as url:
        with connect(url) as connection:
            superuser = connection.info.parameter_status("is_superuser") == "on"
            if superuser:
                postgres.ensure_roles(connection)
                postgres.ensure_database_rights(connection)
        before = schema.current(url)
        after = _upgrade(_as_owner(url) if superuser else url)
    if before == after:
        terminal.say(f"The schema is {after} already; nothing was changed.")
    else:
        terminal.say(f"The schema is {after} (it was {before or 'not there'}).")
    if superuser and database_url is not None:
        terminal.say(
            "Give clarion_owner and clarion_app passwords (`ALTER ROLE clarion_app PASSWORD '…'`), and run "
            "workers and the API as clarion_app."
        )


@backup_app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="Where to; it may not be there yet.")],
    parallel: Annotated[
        int, typer.Option(min=1, max=32, help="So many tables at once, into a folder instead of a file.")
    ] = 1,
    database_url: Url = None,
) -> None:
    """Write the whole database, of all workspaces, to a file as of this moment, while it is in use.

    The key that opens channels' credentials is not in it: keep CLARION_SECRET_KEY, or secret.key of the
    state folder, somewhere else.

    [dim]$[/] clarion backup clarion-2026-03-01.dump
    """
    _logged()
    with _database(database_url) as url, terminal.steps("writing the backup") as tell:
        made = postgres.backup(url, file, tell, jobs=parallel)
    size = sum(one.stat().st_size for one in made.rglob("*")) if made.is_dir() else made.stat().st_size
    terminal.say(f"Wrote {made} ({size / 1e6:,.1f} MB).")


@restore_app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A backup that `clarion backup` wrote.")],
    database_url: Url = None,
) -> None:
    """Fill an empty database from a backup: all of it, or nothing.

    Afterwards every channel is paused: what was sent after the backup is not in it, and would be sent
    again. Cancel what went out already, then `clarion channel resume`.

    [dim]$[/] CLARION_STATE_DIR=/srv/clarion-new clarion restore clarion-2026-03-01.dump
    """
    _logged()
    paused = 0

    def after(connection: psycopg.Connection[Any]) -> None:
        nonlocal paused
        paused = restored.pause_everything(connection, Clock().now())

    with _database(database_url) as url, terminal.steps("restoring") as tell:
        postgres.restore(file, url, tell, after=after)
        _upgrade(url)
    terminal.say(f"Restored. Channels that are paused now: {paused}.")


@contextmanager
def _database(url: str | None) -> Iterator[str]:
    """The URL of the schema's owner: the one that was given, or of the embedded server, running."""
    if url is not None:
        yield url
        return
    server = wiring.embedded(place.chosen())
    try:
        yield server.start(place.slow).owner_url
    finally:
        server.release()


def _as_owner(url: str) -> str:
    """The same login, acting as the schema's owner, so that what it makes is the owner's."""
    options = conninfo_to_dict(url).get("options")
    return make_conninfo(url, options=f"{options or ''} -c role={postgres.OWNER}".strip())


def _upgrade(url: str) -> str:
    try:
        return migrations.upgrade(url, terminal.say)
    except (pg.InsufficientPrivilege, pg.UndefinedObject) as error:
        raise Misconfigured(
            f"this login cannot make the schema: {error.diag.message_primary}",
            where="--database-url",
            hint="Run it once with a superuser's URL, which makes the roles; then as clarion_owner.",
        ) from error


def _logged() -> None:
    present = place.chosen()
    log.configure("json", present.log_level, terminal.log_to(present.state_dir))
