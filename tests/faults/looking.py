"""Looking into the ledger from outside, many times a second, over one connection."""

from __future__ import annotations

from threading import Lock
from typing import Any

import psycopg
from psycopg.rows import dict_row


class Looking:
    """A superuser's connection that is opened at the first look, and anew when the server went away.

    A connection for each look would cost as much as a tenth of what the workers do.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection[dict[str, Any]] | None = None
        self._alone = Lock()

    def rows(self, statement: str, params: tuple[object, ...]) -> list[dict[str, Any]]:
        """What a statement finds; once more over a new connection if the old one was broken."""
        with self._alone:
            try:
                return self._open().execute(statement.encode(), params).fetchall()
            except psycopg.OperationalError:
                if self._connection is None or not self._connection.broken:
                    raise
                return self._open().execute(statement.encode(), params).fetchall()

    def close(self) -> None:
        """Let go of the connection; a later look opens another."""
        with self._alone:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _open(self) -> psycopg.Connection[dict[str, Any]]:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self._url, row_factory=dict_row, autocommit=True)
        return self._connection
