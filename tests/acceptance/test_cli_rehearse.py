"""A rehearsal from the command line: what a clerk reads before anything is launched."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from clarion.kit.clock import Clock
from tests.acceptance.command import Terminal

HELLO = {"kind": "template", "name": "hello", "language": "en", "parameters": ["{{ contact.name }}"]}


def _welcome(selam: Terminal, name: str, **more: Any) -> None:
    """Amina and Rosa, whose date is the day after tomorrow, and Sara, who has none, are to hear it twice."""
    date = (Clock().now() + timedelta(days=2)).date().isoformat()
    rows = (f"E-1,Amina,+254712003001,{date}", f"E-2,Rosa,+353850003002,{date}", "E-3,Sara,+254712003003,")
    selam.write("mothers.csv", "\n".join(["id,name,phone,registered", *rows, ""]))
    selam.ok("import", "contacts", "mothers.csv", "--group", "Mothers", "--create-fields")
    schedule = {
        "start": {"from": "field", "key": "registered"}, "time": "09:00",
        "steps": [{"number": 1}, {"number": 2, "days": 3}], **more,
    }  # fmt: skip
    contents = {"hello": {"variants": [{"content": HELLO}]}}
    selam.write("welcome.json", json.dumps({"schedule": schedule, "contents": contents}))
    selam.ok("sequence", "create", "welcome.json", "--name", name, "--group", "Mothers")


def test_a_clerk_reads_what_a_sequence_would_do(selam: Terminal) -> None:
    _welcome(selam, "Welcome")
    told = selam.ok("rehearse", "Welcome")
    assert "Nothing was sent." in told.err
    assert "For 1 person nothing says from when on" in told.out
    assert "3; 2 hear something" in told.out
    assert "4 fall due" in told.out
    found = selam.ok("rehearse", "Welcome", "--json").json
    assert (found["people"], found["hear"], found["messages"], found["leave"]) == (3, 2, 4, 4)
    assert [one["due"] for one in found["days"]] == [2, 2]
    (over,) = found["channels"]
    assert (over["name"], over["busiest"]["messages"], over["busiest"]["capacity"]) == ("staff", 2, 60_000)
    assert selam.ok("sequence", "show", "Welcome", "--json").json["people"] == {}


def test_an_endless_one_is_rehearsed_for_as_long_as_is_asked(selam: Terminal) -> None:
    _welcome(selam, "For ever", repeat={"every": 7})
    found = selam.ok("rehearse", "For ever", "--days", "15", "--json").json
    assert (found["messages"], found["beyond"]) == (8, True)
    assert "more come after that" in selam.ok("rehearse", "For ever").out


def test_an_announcement_is_found_by_its_name_too(selam: Terminal) -> None:
    selam.write("staff.csv", "id,name,phone\nE-7,Hana,+254712003009\n")
    words = ("--template", "closed", "--param", "Monday", "--no-wait")
    day = (Clock().now() + timedelta(days=30)).date().isoformat()
    selam.ok("send", "--to", "staff.csv", *words, "--name", "Closed", "--at", f"{day} 09:00")
    found = selam.ok("rehearse", "Closed", "--json").json
    assert (found["kind"], found["messages"]) == ("announcement", 1)
    assert found["last"] == f"{day}T06:00:00+00:00"
    assert f"{day} 09:00" in selam.ok("rehearse", "Closed", "--hours").out


def test_what_cannot_be_rehearsed_is_told(selam: Terminal) -> None:
    nowhere = selam.run("rehearse", "Nowhere")
    assert (nowhere.code, "there is no such campaign" in nowhere.err) == (66, True)
    _welcome(selam, "Late")
    past = selam.run("rehearse", "Late", "--at", "2020-01-01 09:00")
    assert (past.code, "is past" in past.err) == (65, True)
    never = selam.run("rehearse", "Late", "--days", "1000")
    assert (never.code, "between 1 and 731 days" in never.err) == (65, True)
