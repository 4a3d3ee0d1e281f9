"""What the code believes of the tables is what the migrations made."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.sql.schema import SchemaItem

from clarion.store import schema
from clarion.store.tables import metadata
from tests.house import House
from tests.store.catalog import catalog

ASPECTS = ("tables", "columns", "indexes", "constraints", "enums")
Catalog = dict[str, list[str]]


@pytest.fixture(scope="module")
def migrated(house: House) -> Catalog:
    return catalog(house.url(house.template, owner=True))


@pytest.fixture(scope="module")
def modelled(house: House) -> Iterator[Catalog]:
    name = house.template + "_models"
    with psycopg.connect(house.superuser_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = house.superuser(name)
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url), poolclass=NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE EXTENSION pg_trgm")
        metadata.create_all(connection)
    yield catalog(url)
    house.drop(name)


@pytest.mark.parametrize("aspect", ASPECTS)
def test_the_models_make_what_the_migrations_make(aspect: str, migrated: Catalog, modelled: Catalog) -> None:
    assert migrated[aspect], "the catalog query found nothing, so it compares nothing"
    assert modelled[aspect] == migrated[aspect]


def test_alembic_finds_nothing_to_change(house: House) -> None:
    def ours(item: SchemaItem, name: str | None, kind: str, reflected: bool, other: object) -> bool:
        return not (kind == "table" and reflected and other is None and _foreign(name or ""))

    url = house.url(house.template, owner=True)
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url), poolclass=NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": ours, "compare_type": True})
        assert compare_metadata(context, metadata) == []


def _foreign(table: str) -> bool:
    """Procrastinate's and alembic's tables, and the partitions of ours."""
    return table.startswith(("procrastinate", "alembic")) or table.rpartition("_")[2].isdigit()


def test_a_model_that_drifts_is_noticed(house: House, migrated: Catalog) -> None:
    """The comparison bites: an index more, and it says so."""
    name = house.new_database()
    with psycopg.connect(house.superuser(name), autocommit=True) as connection:
        connection.execute("CREATE INDEX stray ON contact (name) WHERE name <> ''")
        connection.execute("ALTER TABLE lane ALTER priority SET DEFAULT 3")
    drifted = catalog(house.superuser(name))
    house.drop(name)
    assert [aspect for aspect in ASPECTS if drifted[aspect] != migrated[aspect]] == ["columns", "indexes"]


def test_the_revision_that_is_needed_is_the_last_migration_and_the_one_that_is_reached(house: House) -> None:
    config = Config()
    config.set_main_option("script_location", "clarion.store:migrations")
    assert schema.head() == ScriptDirectory.from_config(config).get_current_head()
    assert schema.current(house.url(house.template)) == schema.head()


def test_a_database_in_which_clarion_never_was_has_no_revision(house: House) -> None:
    assert schema.current(house.superuser_url) is None
