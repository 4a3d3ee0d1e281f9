"""Alerts from the command line: written, tried, launched, explained, edited and ended."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from clarion.kit.clock import Clock
from clarion.sandbox.client import SandboxProcess
from tests.acceptance.command import Terminal, end, until_said, waits

SOON = {"kind": "template", "name": "soon", "language": "en", "parameters": ["{{ case.name }}"]}
VISITS: dict[str, Any] = {
    "case_type": "visit",
    "criteria": {"property": "status", "op": "equal", "value": "scheduled"},
    "recipients": [{"to": "role", "role": "phone"}, {"to": "owner"}],
    "schedule": {"steps": [{"number": 1}, {"number": 2, "days": 3}]},
    "contents": {"soon": {"variants": [{"content": SOON}]}},
}


def test_a_case_is_told_of_and_explained(selam: Terminal, sandbox: SandboxProcess) -> None:
    day = (Clock().now() + timedelta(days=9)).date().isoformat()
    selam.ok("case", "type", "visit", "--property", "appointment_date=date", "--property", "phone=address")
    rows = (f"V1,Amina,+254712004001,scheduled,{day}", f"V2,Rosa,+254712004002,done,{day}")
    selam.write("visits.csv", "\n".join(["Case ID,Name,Phone,Status,Appointment date", *rows, ""]))
    selam.ok("case", "import", "visits.csv", "--type", "visit")
    selam.write("alert.json", json.dumps(VISITS))

    made = selam.ok("alert", "create", "alert.json", "--name", "Visits", "--json").json
    assert (made["state"], made["case_type"]) == ("draft", "visit")
    tried = selam.ok("alert", "launch", "Visits", "--dry-run", "--json").json
    assert (tried["gone_over"], tried["people"]["enter"], tried["sample"][0]["case"]) == (2, 1, "V1")
    assert "would come to be told of" in selam.ok("alert", "launch", "Visits", "--dry-run").out
    draft = selam.ok("alert", "explain", "Visits", "--case", "V1").out
    assert "Amina hears nothing: the alert was not launched." in draft
    assert "Owner: the case has no owner." in draft

    selam.ok("alert", "launch", "Visits")
    worker = selam.start("worker", CLARION_LOG_LEVEL="INFO")
    until_said(worker, "Starting worker")
    assert waits(lambda: sandbox.people().get("254712004001") == 1)
    (amina,) = selam.ok("alert", "recipients", "Visits", "--json").json
    assert (amina["case"], amina["name"], amina["status"]) == ("V1", "Amina", "active")
    assert "V1" in selam.ok("alert", "recipients", "Visits").out
    told = selam.ok("alert", "explain", "Visits", "--case", "V1", "--json").json
    assert (told["meets"], len(told["people"][0]["past"]), len(told["people"][0]["next"])) == (True, 1, 1)
    assert "no: status equal 'scheduled' (V2 has 'done')" in selam.ok(
        "alert", "explain", "Visits", "--case", "V2"
    ).out  # fmt: skip

    selam.write("fewer.json", json.dumps({"recipients": [{"to": "owner"}]}))
    foreseen = selam.ok("alert", "edit", "Visits", "fewer.json", "--dry-run", "--json").json
    assert foreseen["people"]["leave"] == 1
    assert "owner" in selam.ok("alert", "edit", "Visits", "fewer.json").out
    assert selam.ok("alert", "pause", "Visits", "--json").json["state"] == "paused"
    assert selam.ok("alert", "resume", "Visits", "--json").json["state"] == "running"
    assert selam.ok("alert", "cancel", "Visits", "--json").json["state"] == "cancelled"
    end(worker)
    assert "cancelled" in selam.ok("alert", "list").out
    assert "It begins" in selam.ok("alert", "show", "Visits").out


def test_what_is_wrong_with_one_is_told_with_its_place(selam: Terminal) -> None:
    selam.write("nothing.json", json.dumps({**VISITS, "criteria": None}))
    nothing = selam.run("alert", "create", "nothing.json", "--name", "Nothing")
    assert (nothing.code, "nothing says which cases are meant" in nothing.err) == (65, True)
    selam.write("births.json", json.dumps({**VISITS, "case_type": "birth"}))
    births = selam.run("alert", "create", "births.json", "--name", "Births")
    assert (births.code, "there is no case type 'birth'" in births.err) == (65, True)
    assert selam.run("alert", "show", "Nowhere").code == 66
    assert selam.run("alert", "explain", "Nowhere", "--case", "V1").code == 66
