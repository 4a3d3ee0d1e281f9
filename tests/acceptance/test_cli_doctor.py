"""The doctor, and what to do when a database was lost: backup and restore."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests.acceptance.command import Terminal
from tests.house import House


def levels(terminal: Terminal, **environment: Any) -> tuple[int, dict[str, str]]:
    """The doctor's exit code, and the level of each check."""
    ended = terminal.run("doctor", "--json", **environment)
    return ended.code, {one["check"]: one["level"] for one in ended.json["checks"]}


def test_the_doctor_says_what_is_well_and_what_to_do_about_the_rest(selam: Terminal) -> None:
    code, found = levels(selam)
    told = selam.run("doctor")

    assert code == 0
    assert (found["schema"], found["clock"], found["secret key"]) == ("ok", "ok", "ok")
    assert found["workers"] == "warn"
    assert found["Selam Clinic / channel staff"] == "ok"
    assert "clarion worker" in told.out


def test_a_channel_whose_credentials_do_not_open_is_a_failure(selam: Terminal) -> None:
    code, found = levels(selam, CLARION_SECRET_KEY="another key than the one that sealed them")

    assert code == 1
    assert found["Selam Clinic / channel staff"] == "fail"


def test_a_channel_that_lacks_what_it_sends_with_is_a_failure(selam: Terminal) -> None:
    """Before anybody is sent to, and not when the first message pauses it."""
    selam.ok("channel", "create", "half", "--credential", "token=sandbox-token")
    code, found = levels(selam)
    told = selam.run("doctor")
    selam.ok("channel", "set", "half", "--set", "sender=1001")
    mended, afterwards = levels(selam)

    assert (code, found["Selam Clinic / channel half"]) == (1, "fail")
    assert "sender" in told.out
    assert (mended, afterwards["Selam Clinic / channel half"]) == (0, "ok")


def test_a_state_folder_that_cannot_be_made_is_told_and_not_stumbled_over(selam: Terminal) -> None:
    code, found = levels(selam, CLARION_STATE_DIR="/dev/null/clarion")

    assert code == 1
    assert (found["state"], found["secret key"]) == ("fail", "fail")


def test_a_database_url_that_is_none_is_told_by_the_name_of_its_setting_and_not_repeated(
    selam: Terminal,
) -> None:
    by_setting = selam.run("doctor", CLARION_DATABASE_URL="mysql://me:hush@db/clarion")
    by_option = selam.run("migrate", "--database-url", "mysql://me:hush@db/clarion")

    assert (by_setting.code, by_option.code) == (78, 78)
    assert "CLARION_DATABASE_URL" in by_setting.err
    assert "postgresql://" in by_option.err
    assert "hush" not in by_setting.err + by_option.err


@pytest.mark.parametrize("setting", ["CLARION_LOG_LEVEL=LOUD", "CLARION_DATABASE_URL=", "CLARION_PORT=x"])
def test_a_setting_that_is_none_is_told_by_its_name(selam: Terminal, setting: str) -> None:
    name, _, value = setting.partition("=")
    given: dict[str, Any] = {name: value}
    ended = selam.run("channel", "list", **given)

    assert ended.code == 78
    assert name in ended.err


def test_a_paused_channel_is_told_with_its_reason(selam: Terminal) -> None:
    paused = selam.ok("channel", "pause", "staff", "--reason", "the number is being moved", "--json").json
    said = selam.run("doctor")
    resumed = selam.ok("channel", "resume", "staff", "--json").json

    assert said.code == 0
    assert (paused["state"], resumed["state"]) == ("paused", "active")
    assert "the number is being moved" in said.out
    assert "clarion channel resume staff" in said.out


def test_a_role_that_sees_all_workspaces_is_a_failure(house: House, selam: Terminal) -> None:
    name = psycopg.conninfo.conninfo_to_dict(selam.environment["CLARION_DATABASE_URL"])["dbname"]
    url = make_conninfo(house.superuser_url, dbname=str(name))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER ROLE clarion_app BYPASSRLS")
        try:
            code, found = levels(selam)
        finally:
            connection.execute("ALTER ROLE clarion_app NOBYPASSRLS")

    assert code == 1
    assert found["roles"] == "fail"


def test_a_database_that_is_away_is_a_failure_and_why_is_told(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, {"CLARION_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"})

    ended = terminal.run("doctor")

    assert ended.code == 1
    assert "refused" in ended.out


def test_a_restored_database_has_everything_and_sends_nothing_until_a_person_looked(
    house: House, selam: Terminal, tmp_path: Path
) -> None:
    name = str(psycopg.conninfo.conninfo_to_dict(selam.environment["CLARION_DATABASE_URL"])["dbname"])
    selam.ok("backup", "all.dump", CLARION_DATABASE_URL=house.url(name, owner=True))
    empty = name + "_restored"
    with psycopg.connect(house.superuser_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{empty}" OWNER clarion_owner'.encode())
    with psycopg.connect(house.superuser(empty), autocommit=True) as connection:
        connection.execute("CREATE EXTENSION pg_trgm")
        connection.execute("GRANT ALL ON SCHEMA public TO clarion_owner WITH GRANT OPTION")

    told = selam.ok("restore", "all.dump", CLARION_DATABASE_URL=house.url(empty, owner=True))
    channels = selam.ok("channel", "list", "--json", CLARION_DATABASE_URL=house.url(empty)).json
    twice = selam.run("restore", "all.dump", CLARION_DATABASE_URL=house.url(empty, owner=True))

    assert f"paused now: {len(channels)}" in told.err
    assert {one["state"] for one in channels} == {"paused"}
    assert all("restored from a backup" in one["reason"] for one in channels)
    assert twice.code == 75
