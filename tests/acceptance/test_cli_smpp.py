"""An announcement by SMPP, from the command line through a real worker to an SMSC, and back over its bind."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from clarion.sandbox.client import SandboxProcess
from tests.acceptance.command import Terminal, end, until_said

PATIENCE = 60.0
LIST = "name,phone\nAmina,+254712000001\nAbebe,+251911000002\nRosa,+254712000003\n"
LONG = "Dear {{ contact.name }}, " + "the clinic in Selam is closed from Friday to Monday. " * 8


@dataclass
class Texting:
    """A terminal with a channel of SMPP, a server that answers and sends, and the SMSC."""

    terminal: Terminal
    smsc: SandboxProcess

    def send(self, text: str) -> str:
        """Announce to the list; the announcement, once everything was handed over."""
        told = self.terminal.ok("send", "--to", "list.csv", "--channel", "sms", "--text", text, "--json").json
        return str(told["announcement"])

    def counts(self, campaign: str) -> dict[str, int]:
        """How many people came to which reason or state, now."""
        shown = self.terminal.ok("announcement", "show", campaign, "--json").json
        return {one["reason"] or one["state"]: one["people"] for one in shown["counts"]}


@pytest.fixture(scope="module")
def texting(bare: Terminal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Texting]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    bare.ok("workspace", "create", "Selam Clinic", "--country", "KE")
    quick = {
        "sent_after": 0.0,
        "delivered_after": 0.05,
        "read_share": 0.0,
        "batch_within": 0.01,
        "retries": 20,
    }
    folder = tmp_path_factory.mktemp("smsc")
    with SandboxProcess.start(folder, numbers={"8000": {"provider": "smpp"}}, receipts=quick) as smsc:
        bare.ok(
            "channel", "create", "sms", "--provider", "smpp", "--set", f"base_url={smsc.address('smpp')}",
            "--set", "sender=8000", "--set", f"options={json.dumps({'window': 5})}",
            "--credential", "system_id=selam", "--credential", "password=sandbox-token", "--rate", "100",
        )  # fmt: skip
        bare.write("list.csv", LIST)
        process = bare.start("serve", "--port", str(port))
        until_said(process, "Clarion listens on")
        yield Texting(bare, smsc)
        end(process)


def test_what_was_sent_is_delivered_by_receipts_over_the_bind(texting: Texting) -> None:
    texting.smsc.reset()
    texting.smsc.fault("receipts_failed", to="254712000003")
    texting.smsc.fault("receipts_early", to="254712000001")
    campaign = texting.send(LONG)
    wait_for(lambda: texting.counts(campaign) == {"delivered": 2, "UNDELIV/011": 1})
    (shown,) = texting.smsc.messages(to="254712000001")
    assert shown["text"] == LONG.replace("{{ contact.name }}", "Amina").strip()
    assert texting.smsc.summary()["people_with_two"] == 0


def test_a_worker_that_has_nothing_to_send_listens_all_the_same(texting: Texting) -> None:
    texting.send("We are open")  # so that Amina is known
    texting.smsc.inbound("254712000001", "STOP", "8000")
    wait_for(lambda: "opted out" in texting.terminal.ok("explain", "+254712000001").out)
    texting.smsc.inbound("254712000001", "START", "8000")
    wait_for(lambda: "can be written to" in texting.terminal.ok("explain", "+254712000001").out)


def test_who_is_throttled_is_sent_to_later_and_nobody_hears_it_twice(texting: Texting) -> None:
    texting.smsc.reset()
    texting.smsc.fault("throttle", count=3)
    campaign = texting.send("Open again")
    wait_for(lambda: texting.counts(campaign) == {"delivered": 3})
    summary = texting.smsc.summary()
    assert (summary["people"], summary["people_with_two"], summary["requests"]) == (3, 0, 6)


def test_the_doctor_judges_it_by_the_protocol_that_it_speaks(texting: Texting) -> None:
    checks = texting.terminal.run("doctor", "--json").json["checks"]
    assert {one["check"]: one["level"] for one in checks}["Selam Clinic / channel sms"] != "fail"


def wait_for(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)
