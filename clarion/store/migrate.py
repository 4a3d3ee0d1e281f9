"""Bringing a database to this version's schema, safely beside a running system."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
from alembic import command
from alembic.config import Config
from psycopg import errors as pg
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import NullPool

from clarion.errors import Unavailable
from clarion.store.schema import head

_ONE_AT_A_TIME = 7_201_403_001  # advisory lock: two `migrate` at once wait for each other


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", "clarion.store:migrations")
    config.attributes["connection"] = connection
    return config


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url), poolclass=NullPool)
    with engine.connect() as connection:
        yield connection


def upgrade(url: str, progress: Callable[[str], None] | None = None, tries: int = 5) -> str:
    """Apply what is missing, as the schema's owner; returns the revision reached.

    Raises Unavailable when a lock could not be had in `tries` attempts of three seconds: nothing
    was changed then by the step that waited, and running it again goes on from there. What else the database
    says is raised as psycopg has it.
    """
    for attempt in range(1, tries + 1):
        try:
            with _connected(url) as connection:
                connection.exec_driver_sql(f"SELECT pg_advisory_lock({_ONE_AT_A_TIME})")
                connection.commit()
                command.upgrade(_config(connection), "head")
            return head()
        except OperationalError as error:
            if not isinstance(error.orig, pg.LockNotAvailable):
                raise error.orig or error from error
            if progress:
                progress(f"a table is busy; trying again ({attempt} of {tries})")
            time.sleep(min(2.0**attempt, 10.0))
        except DBAPIError as error:
            raise error.orig or error from error
    raise Unavailable(
        "a table stayed locked, so the migration gave way",
        hint="Find the long transaction with `clarion doctor`, then run `clarion migrate` again.",
    )
