"""A sequence from the command line: real people of a file, a real worker, a provider that only pretends."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from clarion.kit.clock import Clock
from clarion.sandbox.client import SandboxProcess
from tests.acceptance.command import Terminal, end, until_said, waits

HELLO = {"kind": "template", "name": "hello", "language": "en", "parameters": ["{{ contact.name }}"]}
WELCOME: dict[str, Any] = {
    "schedule": {
        "start": {"from": "field", "key": "starts"},
        "steps": [{"number": 1, "content": "hello"}, {"number": 2, "days": 3, "content": "hello"}],
    },
    "contents": {"hello": {"variants": [{"content": HELLO}]}},
}


def _register(selam: Terminal, seconds: float) -> None:
    """Amina's date is in so many seconds, Rosa's in two days; Sara has none."""
    now = Clock().now()
    soon, later = (now + timedelta(seconds=seconds)).isoformat(), (now + timedelta(days=2)).isoformat()
    rows = (
        f"E-1,Amina,+254712003001,{soon}", f"E-2,Rosa,+353850003002,{later}", "E-3,Sara,+254712003003,",
    )  # fmt: skip
    selam.write("mothers.csv", "\n".join(["id,name,phone,starts", *rows, ""]))
    selam.ok("import", "contacts", "mothers.csv", "--group", "Mothers", "--create-fields")


def test_people_are_followed_from_their_own_dates(selam: Terminal, sandbox: SandboxProcess) -> None:
    _register(selam, 3_600)
    selam.write("welcome.json", json.dumps(WELCOME))
    made = selam.ok("sequence", "create", "welcome.json", "--name", "Welcome", "--group", "mothers")
    assert "It begins on the contact's starts." in made.err + made.out
    worker = selam.start("worker", CLARION_LOG_LEVEL="INFO")
    until_said(worker, "Starting worker")
    selam.ok("sequence", "launch", "Welcome")

    def hears(seconds: float) -> bool:
        """A machine that is slow may have taken longer to read the file than until that date."""
        _register(selam, seconds)
        return waits(lambda: sandbox.people().get("254712003001") == 1, seconds + 10)

    assert any(hears(seconds) for seconds in (5, 15, 45))
    people = {one["external_id"]: one for one in selam.ok("sequence", "people", "Welcome", "--json").json}
    assert [(one["status"], one["reason"]) for one in people.values()] == [
        ("active", ""), ("active", ""), ("active", "no_start"),
    ]  # fmt: skip
    assert [one["step"] for one in people["E-1"]["next"]] == [2]

    assert selam.ok("sequence", "steer", "pause", "Welcome", "E-2", "--json").json["done"] == 1
    again = selam.ok("sequence", "steer", "pause", "Welcome", "E-2", "--json").json
    assert (again["done"], again["already"]) == (0, 1)
    assert "paused" in selam.ok("sequence", "person", "Welcome", "E-2").out
    assert "paused" in selam.ok("explain", "E-2").out
    assert selam.ok("sequence", "cancel", "Welcome", "--json").json["state"] == "cancelled"
    end(worker)
    assert sandbox.people()["254712003001"] == 1


def test_what_is_wrong_with_one_is_told_with_its_place(selam: Terminal) -> None:
    selam.write("mother.csv", "id,name,phone\nE-9,Hana,+254712003009\n")
    selam.ok("import", "contacts", "mother.csv", "--group", "Aunts")
    selam.write("never.json", json.dumps({**WELCOME, "schedule": {"steps": []}}))
    never = selam.run("sequence", "create", "never.json", "--name", "Never", "--group", "Aunts")
    assert (never.code, "schedule.steps: it says nothing" in never.err) == (65, True)
    selam.write("welcome.json", json.dumps(WELCOME))
    nobody = selam.run("sequence", "create", "welcome.json", "--name", "Nobody", "--group", "Uncles")
    assert (nobody.code, "Aunts" in nobody.err) == (66, True)
    asked = {**WELCOME["schedule"], "start": {"from": "field", "key": "birthday"}}
    selam.write("birthday.json", json.dumps({**WELCOME, "schedule": asked}))
    birthday = selam.run("sequence", "create", "birthday.json", "--name", "Birthday", "--group", "Aunts")
    assert (birthday.code, "no field 'birthday' is kept of contacts" in birthday.err) == (65, True)
    assert selam.run("sequence", "show", "Nowhere").code == 66
