"""`clarion rapidpro push` in a terminal: what it shows and asks, and what is left when it is killed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from clarion.sandbox.client import SandboxProcess
from tests.acceptance.command import Terminal
from tests.sandbox.rapidpro import NUMBERS, TOKEN, There

PUSH = ("rapidpro", "push", "Welcome", "--channel", "rapid", "--group", "Nurses")
NUMBER = 500
OFTEN = {"requests": 1_000_000}  # a test asks more often than a program may


@pytest.fixture(scope="module")
def there(bare: Terminal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[There]:
    """A workspace of RapidPro with a date, and a terminal that has a channel of it, and a sequence."""
    bare.ok("workspace", "create", "Selam Clinic", "--country", "KE")
    with SandboxProcess.start(
        tmp_path_factory.mktemp("rapidpro"), numbers=NUMBERS, rapidpro=OFTEN
    ) as sandbox:
        bare.ok(
            "channel", "create", "rapid", "--provider", "rapidpro", "--set", f"base_url={sandbox.url}",
            "--credential", f"token={TOKEN}",
        )  # fmt: skip
        there = There(sandbox)
        there.made("fields", name="Joined on", type="datetime")
        bare.ok("rapidpro", "import", "--channel", "rapid")
        bare.write("welcome.json", json.dumps(document(NUMBER, "09:00")))
        bare.ok("sequence", "create", "welcome.json", "--name", "Welcome", "--everyone", "--channel", "rapid")
        yield there


def document(days: int, at: object) -> dict[str, Any]:
    """A sequence that says hello each day."""
    hello = {"variants": [{"content": {"kind": "text", "text": "Hello {{ contact.name }}"}}]}
    schedule = {
        "start": {"from": "field", "key": "joined_on"}, "time": at, "steps": [{"number": 1}],
        "repeat": {"every": 1, "unit": "day", "count": days},
    }  # fmt: skip
    return {"schedule": schedule, "contents": {"hello": hello}}


def test_it_is_shown_first_and_nothing_is_done_without_a_yes(bare: Terminal, there: There) -> None:
    bare.write("greeting.json", json.dumps(document(5, "09:00")))
    bare.ok("sequence", "create", "greeting.json", "--name", "Greeting", "--everyone", "--channel", "rapid")
    push = ("rapidpro", "push", "Greeting", "--channel", "rapid", "--group", "Drivers")
    shown = bare.ok(*push, "--dry-run")
    assert ["create", "campaign", "Greeting", "for", "Drivers"] in [
        one.split() for one in shown.out.splitlines()
    ]
    assert "3 days after joined_on at 09:00" in shown.out
    assert "create 7" in shown.err
    told = bare.run(*push)
    assert (told.code, "--yes" in told.err) == (65, True)
    asked = bare.answer("n", *push)
    assert asked.code != 0
    assert "Make these 7 changes in RapidPro?" in asked.out
    assert "Greeting" not in [row["name"] for row in there.listed("campaigns")]
    assert "Drivers" not in [row["name"] for row in there.listed("groups")]


def test_killed_in_the_middle_it_is_finished_and_again_it_changes_nothing(
    bare: Terminal, there: There
) -> None:
    process = bare.start(*PUSH, "--yes")
    deadline = time.monotonic() + 60
    while len(there.get("campaign_events").body["results"]) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    process.communicate()
    made = len(there.listed("campaign_events"))
    assert made < NUMBER
    ended = bare.ok(*PUSH, "--yes", "--json").json
    assert (ended["created"], ended["deleted"]) == (NUMBER - made, 0)
    assert sorted(row["offset"] for row in there.listed("campaign_events")) == list(range(NUMBER))
    again = bare.ok(*PUSH)  # nothing is to be done, so nobody is asked
    assert f"as it should be: {NUMBER} events" in again.err
    bare.write("shorter.json", json.dumps(document(NUMBER - 1, "09:00")))
    bare.ok("sequence", "edit", "Welcome", "shorter.json")
    changes = bare.ok(*PUSH, "--dry-run", "--json").json["changes"]
    assert [(one["verb"], one["which"]) for one in changes] == [
        ("delete", f"{NUMBER - 1} days after joined_on at 09:00")
    ]


def test_what_rapidpro_cannot_do_is_told_with_its_place(bare: Terminal, there: There) -> None:
    bare.write("random.json", json.dumps(document(2, {"from": "09:00", "to": "21:00"})))
    bare.ok("sequence", "create", "random.json", "--name", "Random", "--everyone", "--channel", "rapid")
    told = bare.run("rapidpro", "push", "Random", "--channel", "rapid", "--group", "Nurses")
    assert told.code == 65
    assert "schedule.time: an event of RapidPro's has one hour for everybody, not a random one" in told.err
