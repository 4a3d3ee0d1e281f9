"""A pool by the command line: made, used, and a person with a channel of their own."""

from __future__ import annotations

from collections import Counter

import pytest

from clarion.sandbox.client import SandboxProcess
from tests.acceptance.command import Terminal

TEMPLATE = ("--template", "clinic", "--param", "Closed on Monday")


@pytest.fixture(scope="module")
def numbers(selam: Terminal, sandbox: SandboxProcess) -> Terminal:
    """Beside `staff` a number in Addis."""
    selam.ok(
        "channel", "create", "addis", "--set", f"base_url={sandbox.url}", "--set", "sender=2002",
        "--credential", "token=sandbox-token", "--rate", "1000",
    )  # fmt: skip
    return selam


def test_each_hears_from_the_number_that_is_theirs(numbers: Terminal) -> None:
    made = numbers.ok(
        "pool", "create", "Both", "--channel", "staff=+254,+255*2", "--channel", "addis", "--json"
    ).json
    assert [(one["name"], one["prefixes"], one["weight"]) for one in made["channels"]] == [
        ("staff", ["+254", "+255"], 2),
        ("addis", [], 1),
    ]
    assert "several channels" in numbers.run("send", "--to", "people.csv", *TEMPLATE).err

    numbers.write(
        "people.csv",
        "id,name,phone,their number\nE-1,Amina,+254712000001,\nE-2,Abebe,+251911000002,\n"
        "E-3,Rosa,+353850000003,staff\nE-4,John,+254712000004,\n",
    )
    column = ("--column", "their number=channel")
    numbers.ok("send", "--to", "people.csv", *TEMPLATE, *column, "--pool", "Both", "--name", "closed")
    numbers.ok("announcement", "results", "closed", "who.csv")
    told = (numbers.folder / "who.csv").read_text("utf-8-sig").splitlines()
    over = {row.split(",")[0]: row.split(",")[-1] for row in told[1:]}
    assert over == {"E-1": "staff", "E-2": "addis", "E-3": "staff", "E-4": "staff"}
    assert "Both" in numbers.ok("announcement", "show", "closed").out

    numbers.ok("contact", "set", "E-4", "--channel", "addis")
    numbers.ok("workspace", "set", "--pool", "Both")
    numbers.ok("send", "--to", "people.csv", *TEMPLATE, "--name", "again", "--confirm-similar")
    numbers.ok("announcement", "results", "again", "who.csv", "--force")
    told = (numbers.folder / "who.csv").read_text("utf-8-sig").splitlines()
    assert Counter(row.split(",")[-1] for row in told[1:]) == {"staff": 2, "addis": 2}


def test_what_is_no_pool_is_told_and_what_is_needed_stays(numbers: Terminal) -> None:
    wrong = numbers.run("pool", "create", "Wrong", "--channel", "staff=0712")
    assert (wrong.code, "+254" in wrong.err) == (65, True)
    numbers.ok("pool", "create", "Spare", "--channel", "addis")
    numbers.ok("pool", "set", "Spare", "--rename", "Addis", "--skip-paused")
    assert "stands in" in numbers.ok("pool", "show", "Addis").out
    numbers.ok("workspace", "set", "--pool", "Addis")
    assert "by default" in numbers.run("pool", "remove", "Addis").err
    numbers.ok("workspace", "set", "--channel", "")
    numbers.ok("pool", "remove", "Addis")
    assert "Addis" not in numbers.ok("pool", "list").out
