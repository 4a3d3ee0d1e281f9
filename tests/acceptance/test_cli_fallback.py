"""A further channel, from the command line: real people of a file, two real channels, a worker."""

from __future__ import annotations

import pytest

from clarion.sandbox.client import SandboxProcess
from tests.acceptance.command import Terminal

TEMPLATE = ("--template", "clinic", "--param", "Closed on Monday")


@pytest.fixture(scope="module")
def two(selam: Terminal, sandbox: SandboxProcess) -> Terminal:
    """Beside `staff` a second number."""
    selam.ok(
        "channel", "create", "second", "--set", f"base_url={sandbox.url}", "--set", "sender=2002",
        "--credential", "token=sandbox-token", "--rate", "1000",
    )  # fmt: skip
    return selam


def test_whom_the_first_channel_does_not_reach_hears_it_over_the_second(
    two: Terminal, sandbox: SandboxProcess
) -> None:
    two.write("people.csv", "id,name,phone\nE-1,Amina,+254712003001\nE-2,Abebe,+251911003002\n")
    sandbox.fault("refuse_permanent", to="251911003002", count=1)
    words = ("send", "--to", "people.csv", *TEMPLATE, "--channel", "staff", "--fallback", "second")
    told = two.ok(*words, "--name", "closed", "--json").json
    assert told["people"] == 2
    two.ok("announcement", "results", "closed", "who.csv")
    rows = (two.folder / "who.csv").read_text("utf-8-sig").splitlines()[1:]
    assert {row.split(",")[0]: row.split(",")[-1] for row in rows} == {"E-1": "staff", "E-2": "second"}
    assert all(row.split(",")[3] in ("accepted", "delivered", "read") for row in rows)
    shown = sandbox.people()
    assert (shown["254712003001"], shown["251911003002"]) == (1, 1)

    abebe = next(row for row in rows if row.startswith("E-2"))
    story = two.ok("explain", abebe.split(",")[-2]).out
    assert "Try 1 over staff" in story
    assert "Try 2 over second" in story


def test_a_channel_that_comes_twice_is_told_before_anybody_is_taken_in(two: Terminal) -> None:
    two.write("twice.csv", "id,name,phone\nE-9,Rosa,+353850003009\n")
    wrong = two.run("send", "--to", "twice.csv", *TEMPLATE, "--channel", "staff", "--fallback", "staff")
    assert (wrong.code, "named twice" in wrong.err) == (65, True)
    assert "importing" not in wrong.err
