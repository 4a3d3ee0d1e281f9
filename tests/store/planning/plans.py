"""What the server really did: the plan of every statement of a connection, with rows and buffers counted.

The server's own `auto_explain` tells, so that what is looked at is the statement as it was executed, with
its parameters, prepared or not, and what functions do inside.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from clarion.kit.db import Connection

_TOLD = {
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_level": "notice",
    "auto_explain.log_format": "json",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_buffers": "on",
    "auto_explain.log_timing": "off",
    "auto_explain.log_nested_statements": "on",
}


_CONDITIONS = ("Index Cond", "TID Cond", "Recheck Cond")


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a plan. `rows` and `removed` are over all its loops."""

    kind: str
    relation: str
    index: str
    condition: str
    rows: float
    removed: float

    @property
    def read(self) -> float:
        """Rows that were looked at, whether they were wanted or not."""
        return self.rows + self.removed


@dataclass(frozen=True, slots=True)
class Plan:
    """One statement. `buffers` are pages, found or read."""

    text: str
    nodes: tuple[Node, ...]
    buffers: int

    def of(self, *tables: str) -> list[Node]:
        """The nodes that read these tables or their partitions."""
        return [
            node
            for node in self.nodes
            if any(node.relation == table or node.relation.startswith(f"{table}_2") for table in tables)
        ]

    @property
    def relations(self) -> set[str]:
        return {node.relation for node in self.nodes if node.relation}


def tell(superuser_url: str, database: str) -> None:
    """From now on every new connection to this database is told its plans."""
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        for name, value in _TOLD.items():
            connection.execute(
                sql.SQL("ALTER DATABASE {} SET {} = {}").format(
                    sql.Identifier(database), sql.Identifier(*name.split(".")), sql.Literal(value)
                )
            )


@contextmanager
def heard(connection: Connection) -> Iterator[list[Plan]]:
    """The plans of what runs meanwhile."""
    plans: list[Plan] = []

    def hear(notice: psycopg.errors.Diagnostic) -> None:
        head, plan, body = (notice.message_primary or "").partition("plan:\n")
        if plan and head.startswith("duration"):
            plans.append(_plan(json.loads(body)))

    connection.add_notice_handler(hear)
    try:
        yield plans
    finally:
        connection.remove_notice_handler(hear)


def _plan(told: dict[str, Any]) -> Plan:
    root = told["Plan"]
    buffers = root.get("Shared Hit Blocks", 0) + root.get("Shared Read Blocks", 0)
    return Plan(told["Query Text"], tuple(_nodes(root)), buffers)


def _nodes(node: dict[str, Any]) -> Iterator[Node]:
    loops = node.get("Actual Loops", 0)
    yield Node(
        kind=node["Node Type"],
        relation=node.get("Relation Name", ""),
        index=node.get("Index Name", ""),
        condition=next((node[key] for key in _CONDITIONS if node.get(key)), ""),
        rows=node.get("Actual Rows", 0) * loops,
        removed=node.get("Rows Removed by Filter", 0) * loops,
    )
    for below in node.get("Plans", ()):
        yield from _nodes(below)
