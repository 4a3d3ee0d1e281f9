"""Saying something from the command line, to real people of a file, over a real provider."""

from __future__ import annotations

import csv
import signal
from datetime import timedelta

from clarion.kit.clock import Clock
from clarion.sandbox.client import SandboxProcess
from tests.acceptance.command import Terminal, end, until_said

STAFF = "external_id,name,phone\nE1,Amina,0712 345 678\nE2,Juma,+254712345679\nE3,Nobody,12\n"
CLOSED = ("--text", "The office is closed on Friday.", "--template", "office_closed")
SOON = f"{Clock().now() + timedelta(days=30):%Y-%m-%d}"
AT_NIGHT = f"{SOON} 23:00"


def counts(told: dict[str, object]) -> dict[tuple[str, str | None], int]:
    """The counts of a command's JSON."""
    found = told["counts"]
    assert isinstance(found, list)
    return {(one["state"], one["reason"]): one["people"] for one in found}


def test_everybody_in_a_file_hears_it_once_and_who_does_not_is_told_with_the_reason(
    selam: Terminal, sandbox: SandboxProcess
) -> None:
    selam.write("staff.csv", STAFF)

    told = selam.ok("send", "--to", "staff.csv", *CLOSED, "--json").json

    got = counts(told)
    taken = sum(n for (state, _), n in got.items() if state in ("accepted", "delivered", "read"))
    assert taken == 2
    assert got[("skipped", "invalid_number")] == 1
    assert told["import"]["created"] == 3
    assert {"254712345678": 1, "254712345679": 1}.items() <= sandbox.people().items()


def test_the_same_again_is_refused_until_it_is_confirmed(selam: Terminal, sandbox: SandboxProcess) -> None:
    selam.write("twice.csv", "name,phone\nFaith,+254712000111\n")
    words = ("send", "--to", "twice.csv", "--template", "salary_day", "--language", "sw")
    selam.ok(*words)

    refused = selam.run(*words)
    before = sandbox.people()["254712000111"]
    confirmed = selam.ok(*words, "--confirm-similar", "--json")

    assert refused.code == 75
    assert "--confirm-similar" in refused.err
    assert before == 1
    assert confirmed.json["people"] == 1
    assert sandbox.people()["254712000111"] == 2


def test_a_name_that_was_used_before_reaches_nobody_of_that_time(
    selam: Terminal, sandbox: SandboxProcess
) -> None:
    selam.write("first.csv", "name,phone\nAchieng,+254712001001\n")
    selam.write("second.csv", "name,Rununu\nBarasa,+254712001002\n")

    selam.ok("send", "--to", "first.csv", "--template", "week_one", "--name", "Weekly")
    told = selam.ok(
        "send", "--to", "second.csv", "--column", "Rununu=phone", "--template", "week_two",
        "--name", "Weekly", "--json",
    ).json  # fmt: skip

    assert told["people"] == 1
    assert (sandbox.people()["254712001001"], sandbox.people()["254712001002"]) == (1, 1)


def test_a_name_means_what_was_sent_and_not_what_was_refused(selam: Terminal) -> None:
    selam.write("named.csv", "name,phone\nMwangi,+254712001003\n")
    words = ("send", "--to", "named.csv", "--template", "named", "--name", "Said once")
    sent = selam.ok(*words, "--json").json
    refused = selam.run(*words)

    shown = selam.ok("announcement", "show", "Said once", "--json").json

    assert refused.code == 75
    assert shown["id"] == sent["announcement"]


def test_a_moment_that_is_past_is_refused_and_now_is_offered(selam: Terminal) -> None:
    selam.write("staff.csv", STAFF)

    ended = selam.run("send", "--to", "staff.csv", *CLOSED, "--at", "2020-02-29 08:00")

    assert ended.code == 65
    assert "past" in ended.err
    assert "Leave --at out to send now" in ended.err


def test_a_mistake_in_the_text_is_told_by_line_and_column_before_anybody_is_taken_in(selam: Terminal) -> None:
    selam.write("new.csv", "name,phone\nNewcomer,+254712000222\n")

    ended = selam.run("send", "--to", "new.csv", "--text", "Hello {{ contact.nme }}")

    assert ended.code == 65
    assert "line 1 column 10" in ended.err
    assert "importing" not in ended.err


def test_a_list_of_which_nobody_can_be_reached_is_refused_with_the_reasons_and_leaves_nothing(
    selam: Terminal, sandbox: SandboxProcess
) -> None:
    before = [one["name"] for one in selam.ok("announcement", "list", "--json").json], sandbox.people()
    people = "external_id,name,phone,opted_out\nN1,Otieno,12,\nN2,Faith,,\nN3,Zawadi,0712 000 177,yes\n"
    selam.write("unreachable.csv", people)
    tomorrow = (Clock().now() + timedelta(days=1)).isoformat()
    selam.write("strangers.csv", "external_id,name,phone\nN4,Nia,0712 000 178\n")

    now = selam.run("send", "--to", "unreachable.csv", "--name", "Nobody", *CLOSED)
    later = selam.run("send", "--to", "unreachable.csv", "--name", "Nobody", "--at", tomorrow, *CLOSED)
    closed = selam.run("send", "--to", "strangers.csv", "--name", "Nobody", *CLOSED[:2])

    assert (now.code, later.code, closed.code) == (65, 65, 65)
    for said in (now.err, later.err):
        assert "none of the 3 people can be reached" in said
        assert "1 opted out, 1 without an address, 1 with a number that is none" in said
    assert "did not write within 24 hours" in closed.err
    assert "--template" in closed.err.split("Nothing is scheduled.")[1]
    assert (
        [one["name"] for one in selam.ok("announcement", "list", "--json").json],
        sandbox.people(),
    ) == before


def test_what_is_scheduled_is_shown_edited_paused_and_cancelled_and_reaches_nobody(
    selam: Terminal, sandbox: SandboxProcess
) -> None:
    selam.write("later.csv", "name,phone\nKamau,+254712000333\n")
    selam.ok(
        "send",
        "--to",
        "later.csv",
        "--template",
        "later",
        "--at",
        AT_NIGHT,
        "--name",
        "Later",
        "--no-wait",
    )

    words = ("edit", "Later", "--at", f"{SOON} 08:00", "--name", "Much later", "--json")
    edited = selam.ok("announcement", *words).json
    selam.ok("announcement", "pause", "Much later", "--reason", "the director has doubts")
    paused = selam.ok("announcement", "show", "Much later", "--json").json
    resumed = selam.ok("announcement", "resume", "Much later", "--json").json
    cancelled = selam.ok("announcement", "cancel", "Much later", "--json").json
    listed = selam.ok("announcement", "list", "--json").json

    assert paused["send_at"] == f"{SOON}T05:00:00Z"
    assert (edited["name"], edited["state"]) == ("Much later", "scheduled")
    assert (resumed["state"], cancelled["state"]) == ("scheduled", "cancelled")
    assert (paused["state"], paused["reason"]) == ("paused", "the director has doubts")
    assert paused["preview"]["counts"]["reachable"] == 1
    assert [one["state"] for one in listed if one["name"] == "Much later"] == ["cancelled"]
    assert "254712000333" not in sandbox.people()


def test_a_copy_is_launched_by_itself_and_says_the_same(selam: Terminal, sandbox: SandboxProcess) -> None:
    selam.write("copy.csv", "name,phone\nNjeri,+254712000444\n")
    selam.ok("send", "--to", "copy.csv", "--template", "copied", "--name", "Original")

    copy = selam.ok("announcement", "duplicate", "Original", "--name", "Copy", "--json").json
    launched = selam.ok("announcement", "launch", copy["id"], "--confirm-similar", "--json").json

    assert copy["state"] == "draft"
    assert launched["state"] == "completed"
    assert sandbox.people()["254712000444"] == 2


def test_ctrl_c_stops_the_waiting_and_says_how_to_pause_what_goes_on(selam: Terminal) -> None:
    selam.write("patient.csv", "name,phone\nOtieno,+254712000555\n")
    process = selam.start("send", "--to", "patient.csv", "--template", "patience", "--at", AT_NIGHT, "-y")
    until_said(process, "No worker is running")

    ended = end(process, signal.SIGINT)

    assert ended.code == 0
    assert "clarion announcement pause" in ended.err
    listed = selam.ok("announcement", "list", "--json").json
    assert [one["state"] for one in listed if "patient.csv" in one["name"]] == ["scheduled"]


def test_a_person_at_a_terminal_is_asked_first_and_may_think_better_of_it(
    selam: Terminal, sandbox: SandboxProcess
) -> None:
    selam.write("asked.csv", "name,phone\nHassan,+254712000888\n")
    words = ("send", "--to", "asked.csv", "--template", "asked", "--name", "Asked")

    no = selam.answer("n", *words)
    nobody = dict(sandbox.people())
    yes = selam.answer("y", *words)

    assert "Send to 1 people now?" in no.out
    assert no.code == 1
    assert "254712000888" not in nobody
    assert yes.code == 0
    assert sandbox.people()["254712000888"] == 1


def test_what_cannot_go_on_says_why_and_goes_on_when_that_is_settled(
    selam: Terminal, sandbox: SandboxProcess
) -> None:
    selam.write("held.csv", "name,phone\nChebet,+254712000999\n")
    selam.ok("channel", "pause", "staff", "--reason", "the number is being moved")

    held = selam.run("send", "--to", "held.csv", "--template", "held", "--name", "Held")
    before = dict(sandbox.people())
    selam.ok("channel", "resume", "staff")
    ended = selam.ok("announcement", "wait", "Held", "--json").json

    assert held.code == 75
    assert "the number is being moved" in held.err
    assert "254712000999" not in before
    assert ended["state"] == "completed"
    assert sandbox.people()["254712000999"] == 1


def test_every_refused_row_is_told_with_its_line_and_the_reason(selam: Terminal) -> None:
    selam.write(
        "messy.csv", "external_id,name,phone\nM1,Baraka,0712 000 666\n,Nobody,\nM3,Achieng,not a number\n"
    )

    told = selam.ok("import", "contacts", "messy.csv", "--report", "report.csv", "--group", "Nurses")
    again = selam.ok("import", "contacts", "messy.csv", "--json").json
    nowhere = selam.run("import", "contacts", "messy.csv", "--report", "no/such/folder/report.csv")
    itself = selam.run("import", "contacts", "messy.csv", "--report", ".")

    with (selam.folder / "report.csv").open(encoding="utf-8-sig", newline="") as file:
        report = {row["line"]: row["severity"] for row in csv.DictReader(file)}
    assert report == {"3": "refused", "4": "warning"}
    assert "refused" in told.out
    assert (again["unchanged"], again["refused"]) == (2, 1)
    assert (nowhere.code, itself.code) == (66, 65)
    assert "importing" not in nowhere.err


def test_a_file_that_is_none_is_refused_whole(selam: Terminal) -> None:
    (selam.folder / "picture.csv").write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe")

    missing = selam.run("import", "contacts", "nowhere.csv")
    wrong = selam.run("send", "--to", "picture.csv", "--template", "x")

    assert missing.code == 66
    assert wrong.code == 65
    assert "UTF-8" in wrong.err


def test_people_are_told_between_hours(selam: Terminal) -> None:
    selam.write("between.csv", "id,name,phone\nE-91,Amina,+254712009101\n")
    wrong = selam.run("send", "--to", "between.csv", *CLOSED, "--between", "8 to 20", "--no-wait")
    assert (wrong.code, "write 08:00-20:00" in wrong.err) == (65, True)
    said = selam.ok("send", "--to", "between.csv", *CLOSED, "--between", "08:00-20:00", "--no-wait", "--json")
    shown = selam.ok("announcement", "show", said.json["announcement"])
    assert "from 08:00 to 20:00, where each of them is" in shown.out


def test_who_is_outside_the_window_is_waited_for_where_that_is_said(selam: Terminal) -> None:
    selam.write("outside.csv", "id,name,phone\nE-92,Amina,+254712009201\n")
    send = ("send", "--to", "outside.csv", "--text", "How did it go?", "--no-wait")
    wrong = selam.run(*send, "--template", "closed", "--outside-window", "wait")
    assert (wrong.code, "content.variants[0].outside" in wrong.err) == (65, True)
    said = selam.ok(*send, "--outside-window", "wait", "--json")
    assert "Others are skipped" not in said.err
    shown = selam.ok("announcement", "show", said.json["announcement"])
    assert "who wrote nothing for 24 hours is waited for" in shown.out
