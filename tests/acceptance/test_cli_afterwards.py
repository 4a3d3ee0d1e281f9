"""After an announcement: who got it, why somebody did not, and what a person decides."""

from __future__ import annotations

import csv
import time
from typing import Any

import pytest
from openpyxl import load_workbook

from clarion.sandbox.client import SandboxProcess
from tests.acceptance.command import Terminal, end, until_said

AMINA, JUMA, BARAKA = "254712345601", "254712345602", "254712345603"
NOBODYS = "01990000-0000-7000-8000-000000000000"
STAFF = f"""external_id,name,phone
A1,Amina,+{AMINA}
A2,Juma,+{JUMA}
A3,Baraka,+{BARAKA}
A4,Otieno,12
A5,Faith,
"""


@pytest.fixture(scope="module")
def told(selam: Terminal, sandbox: SandboxProcess) -> Terminal:
    """Five people were told: Juma's call was dropped after it was taken, Baraka's was refused."""
    sandbox.fault("drop_after_accept", to=JUMA)
    sandbox.fault("refuse_permanent", 131026, to=BARAKA)
    selam.write("five.csv", STAFF)
    worker = selam.start("worker", CLARION_LOG_LEVEL="INFO")
    until_said(worker, "Starting worker")
    selam.ok("send", "--to", "five.csv", "--template", "hello", "--name", "Hello", "--no-wait")
    deadline = time.monotonic() + 60
    while (shown := selam.ok("announcement", "show", "Hello", "--json").json)["state"] != "completed":
        assert time.monotonic() < deadline, f"it never ended: {shown}"
    end(worker)
    return selam


def states(shown: dict[str, Any]) -> dict[str, int]:
    """People by state."""
    found: dict[str, int] = {}
    for one in shown["counts"]:
        found[one["state"]] = found.get(one["state"], 0) + one["people"]
    return found


def test_results_name_everybody_who_was_meant_with_the_reason(told: Terminal) -> None:
    told.ok("announcement", "results", "Hello", "who.csv")
    written = told.ok("announcement", "results", "Hello", "who.xlsx", "--json").json
    again = told.run("announcement", "results", "Hello", "who.csv")
    other = told.run("announcement", "results", "Hello", "who.pdf")
    nowhere = told.run("announcement", "results", "Hello", "no/such/folder/who.csv")

    with (told.folder / "who.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = {row["external_id"]: row for row in csv.DictReader(file)}
    assert rows["A1"]["state"] in ("accepted", "delivered", "read")
    assert (rows["A4"]["state"], rows["A4"]["reason"]) == ("skipped", "invalid_number")
    assert (rows["A5"]["state"], rows["A5"]["reason"]) == ("skipped", "no_address")
    sheet = load_workbook(told.folder / "who.xlsx", read_only=True).worksheets[0]
    assert sum(1 for _ in sheet.iter_rows()) == len(rows) + 1
    assert (written["file"], written["people"]) == ("who.xlsx", len(rows))
    assert (again.code, other.code, nowhere.code) == (75, 65, 66)
    assert "no such folder" in nowhere.err


def test_a_person_is_explained_by_number_and_by_external_id(told: Terminal) -> None:
    by_number = told.ok("explain", f"0{AMINA[3:]}").out
    by_id = told.ok("explain", "A1").out
    unreachable = told.ok("explain", "A5").out
    nobody = told.run("explain", "A99")
    [hello] = [one for one in told.ok("announcement", "list", "--json").json if one["name"] == "Hello"]
    announcement = told.run("explain", hello["id"])

    assert by_number == by_id
    assert f"+{AMINA} can be written to" in by_number
    assert "has no address that this channel reaches" in unreachable
    assert (nobody.code, announcement.code) == (66, 66)
    assert "clarion announcement show" in announcement.err


def test_what_nobody_knows_is_shown_until_a_person_settles_it(told: Terminal) -> None:
    [unknown] = told.ok("unknown", "list", "--json").json
    before = states(told.ok("announcement", "show", "Hello", "--json").json)
    why = told.ok("explain", unknown["message"]).out

    nothing = told.run("unknown", "settle", "--as", "sent")
    absent = told.run("unknown", "settle", NOBODYS, "--as", "sent")
    both = told.run("unknown", "settle", unknown["id"], NOBODYS, "--as", "sent", "--json")
    again = told.run("unknown", "settle", unknown["id"], "--as", "not-sent")
    all_of_none = told.ok("unknown", "settle", "--all", "--as", "not-sent", "--json").json
    after = states(told.ok("announcement", "show", "Hello", "--json").json)

    assert unknown["name"] == "Juma"
    assert "never answered" in why
    assert " EAT" in why
    assert " UTC" not in why, "moments are told in the workspace's zone"
    assert before["unknown"] == 1
    assert (nothing.code, absent.code, both.code, again.code) == (65, 66, 66, 66)
    assert (both.json["settled"], both.json["asked"], all_of_none["settled"]) == (1, 2, 0)
    assert "clarion unknown list" in absent.err
    assert (after["accepted"], "unknown" in after) == (before["accepted"] + 1, False)
    assert told.ok("unknown", "list", "--json").json == []


def test_who_failed_is_tried_again_and_nobody_else(told: Terminal, sandbox: SandboxProcess) -> None:
    before = sandbox.people()

    retried = told.ok("announcement", "retry", "Hello", "--json").json

    assert retried["ready"] == 1
    assert sandbox.people() == {**before, BARAKA: 1}


def test_a_test_goes_to_who_is_named_and_to_nobody_else(told: Terminal, sandbox: SandboxProcess) -> None:
    before = sandbox.people()

    tried = told.ok("announcement", "test", "Hello", f"+{AMINA}", "--json").json
    listed = told.ok("announcement", "list", "--json").json

    assert tried["people"] == 1
    assert sandbox.people() == {**before, AMINA: before[AMINA] + 1}
    assert [one["name"] for one in listed] == ["Hello"]


def test_jobs_that_ended_well_leave_nothing_behind_and_only_failed_ones_are_retried(told: Terminal) -> None:
    listed = told.ok("jobs", "list", "--json").json
    missing = told.run("jobs", "retry", "999999")

    assert [job for job in listed if job["state"] == "failed"] == []
    assert missing.code == 66
