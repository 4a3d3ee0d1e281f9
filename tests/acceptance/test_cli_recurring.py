"""An announcement that recurs, from the command line: a group, a real worker, a provider that pretends."""

from __future__ import annotations

import json

import pytest

from clarion.sandbox.client import SandboxProcess
from tests.acceptance.command import Terminal, end, until_said, waits

NOW_AND_WEEKLY = {"steps": [{"number": 1}], "repeat": {"every": 7}}


def _nurses(selam: Terminal) -> None:
    selam.write("nurses.csv", "id,name,phone\nE-1,Amina,+254712004001\nE-2,Rosa,+353850004002\n")
    selam.ok("import", "contacts", "nurses.csv", "--group", "Night nurses")


def test_it_is_said_to_a_group_and_comes_again(selam: Terminal, sandbox: SandboxProcess) -> None:
    _nurses(selam)
    selam.write("weekly.json", json.dumps(NOW_AND_WEEKLY))
    worker = selam.start("worker", CLARION_LOG_LEVEL="INFO")
    until_said(worker, "Starting worker")
    made = selam.ok(
        "announcement", "create", "--name", "Open today", "--group", "night nurses", "--template", "open",
        "--schedule", "weekly.json", "--launch",
    )  # fmt: skip
    assert "running" in made.out

    def both() -> bool:
        return {number: sandbox.people().get(number) for number in ("254712004001", "353850004002")} == {
            "254712004001": 1,
            "353850004002": 1,
        }

    assert waits(both)
    shown = selam.ok("announcement", "show", "Open today").out
    assert "next" in shown
    (first,) = selam.ok("announcement", "occasions", "Open today", "--json").json
    assert (first["number"], first["total"]) == (1, 2)
    told = selam.ok("announcement", "occasions", "Open today").out
    assert any(word in told for word in ("accepted", "delivered", "read"))
    selam.ok("announcement", "edit", "Open today", "--every", "month last 08:30")
    assert "08:30" in selam.ok("announcement", "show", "Open today").out
    assert selam.ok("announcement", "cancel", "Open today", "--json").json["state"] == "cancelled"
    end(worker)
    assert both()


@pytest.mark.parametrize(
    ("every", "told"),
    [
        ("mon", "does not say when"),
        ("moonday 09:00", "'moonday' is no day of the week"),
        ("mon 25:00", "from 00:00 to 23:59"),
        ("month 40 09:00", "no month has a day 40"),
    ],
)
def test_what_no_calendar_has_is_refused_with_what_may_be_written(
    selam: Terminal, every: str, told: str
) -> None:
    refused = selam.run(
        "announcement", "create", "--name", "Never", "--everyone", "--text", "Hello", "--every", every
    )
    assert refused.code == 65
    assert told in refused.err
