"""`clarion rapidpro import` in a terminal: what it brings, what it says, what is left when it is killed."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator

import pytest

from clarion.sandbox.client import SandboxProcess
from tests.acceptance.command import Terminal
from tests.sandbox.rapidpro import NUMBERS, TOKEN, There


@pytest.fixture(scope="module")
def there(bare: Terminal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[There]:
    """A workspace of RapidPro with three pages of people, and a terminal that has a channel of it."""
    bare.ok("workspace", "create", "Selam Clinic", "--country", "KE")
    folder = tmp_path_factory.mktemp("rapidpro")
    with SandboxProcess.start(folder, numbers=NUMBERS, rapidpro={"page": 5}) as sandbox:
        bare.ok(
            "channel", "create", "rapid", "--provider", "rapidpro", "--set", f"base_url={sandbox.url}",
            "--credential", f"token={TOKEN}",
        )  # fmt: skip
        there = There(sandbox)
        there.made("groups", name="Nurses")
        for n in range(12):
            urns = [f"tel:+25471200{n:04d}", f"telegram:1000{n}"]
            there.made("contacts", name=f"Person {n}", urns=urns, groups=["Nurses"])
        yield there


def test_killed_in_the_middle_it_goes_on_and_again_it_changes_nothing(bare: Terminal, there: There) -> None:
    there.sandbox.configure(rapidpro={"page": 5, "requests": 1, "window": 2})
    process = bare.start("rapidpro", "import", "--channel", "rapid")
    wait_until_somebody_came(bare)
    process.kill()
    process.communicate()
    there.sandbox.configure(rapidpro={"page": 5, "requests": 3600, "window": 3600})
    ended = bare.ok("rapidpro", "import", "--channel", "rapid", "--report", "unread.csv", "--json").json
    assert 0 < ended["read"] < 12
    assert ended["read"] == ended["new"]
    with (bare.folder / "unread.csv").open(encoding="utf-8-sig", newline="") as file:
        first = next(csv.DictReader(file))
    assert (first["field"], first["severity"]) == ("urns.telegram", "warning")
    again = bare.ok("rapidpro", "import", "--channel", "rapid").out
    for words in ("read               12", "unchanged          12", "new                 0"):
        assert words.split() in [line.split() for line in again.splitlines()]
    assert "an address of a kind that we do not know" in again
    shown = bare.ok("explain", "+254712000003").out
    assert "Person 3" in shown


def test_a_channel_that_is_not_there_is_told(bare: Terminal, there: There) -> None:
    told = bare.run("rapidpro", "import", "--channel", "rapids")
    assert told.code != 0
    assert "there is no channel 'rapids'" in told.err


def wait_until_somebody_came(terminal: Terminal) -> None:
    deadline = time.monotonic() + 60
    while terminal.run("explain", "+254712000000").code != 0:
        assert time.monotonic() < deadline
