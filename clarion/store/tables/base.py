"""The metadata that all tables hang on, and the few columns that many of them share.

Names follow PostgreSQL's own, so that a constraint is called the same whether SQL or this made it.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKey, Integer, MetaData, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.sql.schema import SchemaItem

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    }
)


def table(
    name: str,
    *items: SchemaItem,
    storage: dict[str, int | float] | None = None,
    partition_by: str | None = None,
) -> Table:
    """A table; `storage` are its storage parameters, `partition_by` its partition key."""
    return Table(name, metadata, *items, postgresql_with=storage or {}, postgresql_partition_by=partition_by)


def identifier() -> Column[object]:
    """The primary key of most tables: a uuidv7 that the caller makes."""
    return Column("id", Uuid, primary_key=True)


def owner(*, checked: bool = True, key: bool = False) -> Column[object]:
    """The tenant's column. The ledger does not check it (`checked`): foreign keys halve the fan-out."""
    if checked:
        return Column("workspace_id", Uuid, ForeignKey("workspace.id"), primary_key=key, nullable=False)
    return Column("workspace_id", Uuid, primary_key=key, nullable=False)


def uuid(name: str, *, null: bool = False, key: bool = False) -> Column[object]:
    return Column(name, Uuid, nullable=null, primary_key=key)


def moment(name: str, *, null: bool = False, key: bool = False) -> Column[object]:
    """A moment in time, UTC in and out."""
    return Column(name, TIMESTAMP(timezone=True), nullable=null, primary_key=key)


def words(name: str, *, null: bool = False, default: str | None = None, key: bool = False) -> Column[object]:
    return Column(name, Text, nullable=null, server_default=default, primary_key=key)


def count(name: str, *, default: int | None = None, null: bool = False) -> Column[object]:
    literal = None if default is None else text(str(default))
    return Column(name, Integer, nullable=null, server_default=literal)


def document(name: str, *, default: str | None = None, null: bool = False) -> Column[object]:
    """JSON, as binary."""
    return Column(name, JSONB, nullable=null, server_default=default)


def one_of(column: str, *values: str) -> CheckConstraint:
    """A closed set of words, checked by the database too."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)
