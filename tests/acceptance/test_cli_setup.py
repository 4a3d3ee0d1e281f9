"""Setting up by the command line: workspaces, channels, keys, and the database itself."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from clarion.jobs.tasks import tasks
from clarion.kit import jobs
from tests.acceptance.command import Terminal
from tests.house import House

SECRET = "EAAG-a-token-that-nobody-may-read"


def test_the_only_workspace_need_not_be_named_and_several_must(house: House, tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, {"CLARION_DATABASE_URL": house.url(house.new_database())})

    none = terminal.run("key", "list")
    kenyan = terminal.ok("workspace", "create", "Selam Clinic", "--country", "Kenya")
    only = terminal.ok("key", "list", "--json")
    american = terminal.ok("workspace", "create", "Nyota School")
    several = terminal.run("key", "list")
    named = terminal.ok("key", "list", "--json", CLARION_WORKSPACE="selam clinic")

    assert none.code == 66
    assert "US" not in kenyan.err
    assert "National numbers are read as of the US" in american.err
    assert "clarion workspace create" in none.err
    assert several.code == 65
    assert "Nyota School" in several.err
    assert named.json == only.json


def test_a_key_is_shown_once_and_revoked_for_good(bare: Terminal) -> None:
    bare.ok("workspace", "create", "Keys")
    made = bare.ok("key", "create", "portal", "--scope", "announcements:write", "-w", "Keys", "--json").json

    revoked = bare.ok("key", "revoke", made["id"], "-w", "Keys", "--json").json
    listed = bare.ok("key", "list", "-w", "Keys", "--json")

    assert made["key"].startswith("clarion_")
    assert made["key"] not in listed.out
    [portal] = [key for key in listed.json if key["name"] == "portal"]
    assert portal["revoked_at"] is not None
    assert revoked == {"id": made["id"], "revoked": True}


async def fail_a_job(url: str, workspace_id: str) -> None:
    """Nobody can expand a run that there is not; without services every job fails, as of a fault of ours."""
    async with jobs.app(url, tasks).open_async() as app:
        await jobs.defer(app, "fire", {"workspace": workspace_id, "run": workspace_id}, once="fire:nothing")
        await app.run_worker_async(
            wait=False, install_signal_handlers=False, listen_notify=False, additional_context={}
        )


def test_a_failed_job_is_put_back_into_line_and_shown_as_it_is_then(bare: Terminal) -> None:
    made = bare.ok("workspace", "create", "Jobs", "--json").json
    asyncio.run(fail_a_job(bare.environment["CLARION_DATABASE_URL"], made["id"]))
    [failed] = bare.ok("jobs", "list", "-w", "Jobs", "--json").json

    again = bare.ok("jobs", "retry", str(failed["id"]), "-w", "Jobs", "--json").json

    assert (failed["state"], again["state"], again["id"]) == ("failed", "todo", failed["id"])


def test_credentials_go_in_from_a_file_and_are_never_shown(bare: Terminal) -> None:
    bare.ok("workspace", "create", "Channels")
    bare.write("token.txt", SECRET + "\n")
    here = ("-w", "Channels")

    said = [
        bare.ok("channel", "create", "a", "--credential", "token=@token.txt", "--set", "attempts=3", *here),
        bare.ok("channel", "set", "a", "--credential", "app_secret=-", "--set", "attempts=", *here,
                stdin=SECRET + "2\n"),
        bare.ok("channel", "show", "a", "--json", *here),
    ]  # fmt: skip

    shown = said[-1].json
    assert shown["has_credentials"]
    assert "attempts" not in shown["config"]
    assert not [one for one in said if SECRET in one.out + one.err]
    log = bare.folder / "state" / "log" / "command.log"
    assert SECRET not in log.read_text()


def test_an_interface_is_described_in_a_file(bare: Terminal) -> None:
    bare.ok("workspace", "create", "Described")
    form = {"to": "{to}", "text": "{text}"}
    bare.write("described.json", json.dumps({"request": {"form": form}}))
    bare.write("broken.json", '{"request": ')
    new = ("--provider", "generic_http", "--json", "-w", "Described")

    made = bare.ok("channel", "create", "a", "--set", "options=@described.json", *new).json
    broken = bare.run("channel", "create", "b", "--set", "options=@broken.json", *new)
    missing = bare.run("channel", "create", "c", "--set", "options=@nowhere.json", *new)
    wrong = bare.run("channel", "create", "d", "--set", "options={}", *new)

    assert made["config"]["options"] == {"request": {"form": form}}
    assert (broken.code, missing.code, wrong.code) == (65, 66, 65)
    assert "not JSON" in broken.err
    assert "config.options.request" in wrong.err


def test_what_a_channel_is_not_is_refused_by_name(bare: Terminal) -> None:
    bare.ok("workspace", "create", "Refusals")

    setting = bare.run("channel", "create", "x", "--set", "colour=red", "-w", "Refusals")
    provider = bare.run("channel", "create", "x", "--provider", "pigeon", "-w", "Refusals")
    missing = bare.run("channel", "pause", "x", "-w", "Refusals")

    assert (setting.code, provider.code, missing.code) == (65, 65, 66)
    assert "colour" in setting.err
    assert "whatsapp" in provider.err


def test_a_superuser_makes_roles_and_schema_once_and_again_changes_nothing(
    house: House, tmp_path: Path
) -> None:
    name = house.new_database() + "_new"
    with psycopg.connect(house.superuser_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    url = make_conninfo(house.superuser_url, dbname=name)
    terminal = Terminal(tmp_path, {"CLARION_DATABASE_URL": url})

    behind = terminal.run("workspace", "list")
    first = terminal.ok("migrate")
    second = terminal.ok("migrate")
    house_works = terminal.ok("workspace", "create", "Selam Clinic")

    assert behind.code == 78
    assert "clarion migrate" in behind.err
    assert "clarion_app" in first.err
    assert "nothing was changed" in second.err
    assert house_works.code == 0


def test_how_much_one_person_hears_is_said_changed_and_taken_away(bare: Terminal) -> None:
    bare.ok("workspace", "create", "Caps")

    def change(*words: str) -> str:
        told = bare.ok("workspace", "set", "--workspace", "Caps", *words).out
        return next((line.split(None, 1)[1] for line in told.splitlines() if line.startswith("caps")), "")

    assert change("--per-day", "3", "--gap", "90m") == "3 a day, 90 minutes between two"
    assert change("--per-day", "announcement=1", "--per-day", "sequence=") == (
        "3 a day, 90 minutes between two; announcements: 1 a day; sequences: as many as come"
    )
    assert change("--per-week", "10", "--gap", "2h").startswith(
        "3 a day, 10 in seven days, 2 hours between two"
    )
    for wrong, why in (
        (("--gap", "soon"), "no length of time"),
        (("--per-day", "many"), "no number of messages"),
        (("--per-day", "anouncement=1"), "there is no kind of campaign 'anouncement'"),
        (("--per-week", "2"), "3 a day never come about where 2 are enough in a week"),
    ):
        refused = bare.run("workspace", "set", "--workspace", "Caps", *wrong)
        assert (refused.code, why in refused.err) == (65, True), refused.err
    gone = ("--per-day", "", "--per-week", "", "--gap", "", "--per-day", "announcement=")
    assert change(*gone) == ""
