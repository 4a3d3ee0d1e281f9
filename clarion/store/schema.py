"""Which schema a database has, and which one this version needs.

Every process asks this when it begins, so it is told without the tools that migrate (`store.migrate`), which
take longer to load than most commands to answer.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

import psycopg

_FILE = re.compile(r"(\d{4})_\w+\.py")


@cache
def head() -> str:
    """The revision that this version of Clarion needs: the last of its migrations."""
    folder = resources.files("clarion.store.migrations") / "versions"
    return max(found[1] for one in folder.iterdir() if (found := _FILE.fullmatch(one.name)))


def current(url: str) -> str | None:
    """The database's revision, or None where Clarion has never been. Raises psycopg.OperationalError."""
    with psycopg.connect(url, autocommit=True) as connection:
        there = connection.execute("SELECT to_regclass('alembic_version')").fetchone()
        if there is None or there[0] is None:
            return None
        found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if found is None else str(found[0])
