"""`clarion rapidpro push --slots` in a terminal: what it shows and asks, and what a kill leaves."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from clarion.kit.clock import Clock
from clarion.sandbox.client import SandboxProcess
from tests.acceptance.command import Terminal
from tests.sandbox.rapidpro import NUMBERS, TOKEN, There

PUSH = ("rapidpro", "push", "Welcome", "--channel", "rapid", "--group", "Nurses", "--slots")
PEOPLE = 400
JOINED = f"{Clock().now() + timedelta(days=20):%Y-%m-%d}T00:00:00Z"
OFTEN = {"requests": 1_000_000}  # a test asks more often than a program may


@pytest.fixture(scope="module")
def there(bare: Terminal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[There]:
    """Many people in RapidPro who were brought, and a sequence at hours of their own."""
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
        there.made("groups", name="Nurses")
        for n in range(PEOPLE):
            there.made(
                "contacts", name=f"Person {n}", urns=[f"tel:+25471200{n:04d}"], groups=["Nurses"],
                fields={"joined_on": JOINED},
            )  # fmt: skip
        bare.ok("rapidpro", "import", "--channel", "rapid")
        twice = {"every": 1, "unit": "week", "count": 2}
        for name, schedule in (("Welcome", twice), ("Shown", twice), ("Ever", {"every": 1})):
            bare.write("sequence.json", json.dumps(document(schedule)))
            bare.ok("sequence", "create", "sequence.json", "--name", name, "--everyone", "--channel", "rapid")
        yield there


def document(repeat: dict[str, Any]) -> dict[str, Any]:
    """A sequence that says hello at a random hour."""
    hello = {"variants": [{"content": {"kind": "text", "text": "Hello {{ contact.name }}"}}]}
    schedule = {
        "start": {"from": "field", "key": "joined_on"}, "time": {"from": "09:00", "to": "21:00"},
        "steps": [{"number": 1}], "repeat": repeat,
    }  # fmt: skip
    return {"schedule": schedule, "contents": {"hello": hello}}


def filled(there: There) -> int:
    """How many of the people who changed last hold a moment of ours."""
    rows = there.get("contacts").body["results"]
    return sum(any(at for key, at in row["fields"].items() if key.startswith("clarion_")) for row in rows)


def test_it_is_shown_first_and_nothing_is_done_without_a_yes(bare: Terminal, there: There) -> None:
    push = [word.replace("Welcome", "Shown") for word in PUSH]  # which nobody has pushed
    before = [row["key"] for row in there.listed("fields")]
    shown = bare.ok(*push, "--dry-run")
    assert f"2 fields, 2 events and {PEOPLE} people would change." in shown.out
    assert f"and {PEOPLE - 20} more" in shown.out
    told = bare.run(*push)
    assert (told.code, "--yes" in told.err) == (65, True)
    asked = bare.answer("n", *push)
    assert asked.code != 0
    assert f"Make these {PEOPLE + 5} changes in RapidPro?" in asked.out
    assert [row["key"] for row in there.listed("fields")] == before


def test_killed_in_the_middle_it_goes_on_and_again_it_changes_nothing(bare: Terminal, there: There) -> None:
    process = bare.start(*PUSH, "--yes")
    deadline = time.monotonic() + 200
    while filled(there) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    process.communicate()
    done = sum(
        all(at for key, at in row["fields"].items() if key.startswith("clarion_"))
        for row in there.listed("contacts")
    )
    assert 0 < done < PEOPLE
    ended = bare.ok(*PUSH, "--yes", "--json").json
    assert (ended["created"], ended["written"], ended["people"]["same"]) == (0, PEOPLE - done, done)
    fires = there.ask("GET", f"{there.sandbox.url}/rapidpro/fires").body
    assert Counter(Counter(one["contact"] for one in fires).values()) == {2: PEOPLE}
    again = bare.ok(*PUSH)  # nothing is to be done, so nobody is asked
    assert f"as it should be: 2 events, {PEOPLE} people" in again.err
    assert there.ask("GET", f"{there.sandbox.url}/rapidpro/fires").body == fires


def test_a_schedule_without_an_end_says_what_to_do(bare: Terminal, there: There) -> None:
    push = ("rapidpro", "push", "Ever", "--channel", "rapid", "--group", "Nurses", "--slots")
    told = bare.run(*push)
    assert told.code == 65
    assert "schedule.repeat: it has no end" in told.err
    assert "--until MOMENT" in told.err
    until = f"{Clock().now() + timedelta(days=23):%Y-%m-%d} 09:00"
    shown = bare.ok(*push, "--until", until, "--dry-run", "--json").json
    assert (shown["people"]["write"], len(shown["changes"])) == (PEOPLE, shown["events"] * 2 + 1)
    told = bare.run(*push[:-1], "--until", until)
    assert "--slots" in told.err
