"""RapidPro from the command line through a real worker, which asks what became of what it sent."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from clarion.kit.clock import Clock
from clarion.sandbox.client import SandboxProcess
from clarion.sandbox.twins.rapidpro import WELCOME, WORKSPACE
from tests.acceptance.command import Terminal, end, until_said

PATIENCE = 60.0
SOON = f"{Clock().now() + timedelta(days=30):%Y-%m-%d} 09:00"
LIST = "name,phone\nAmina,+254712000001\nAbebe,+251911000002\n"
ROSA = "name,phone\nRosa,+353850000003\n"
OPTIONS = {"look_up": True, "poll_every": 10, "flows": {"Welcome": WELCOME}}


@dataclass
class Desk:
    """A terminal with a channel of RapidPro, a server that answers and sends, and the workspace there."""

    terminal: Terminal
    rapidpro: SandboxProcess

    def send(self, *words: str, to: str = "list.csv") -> str:
        """Announce to the list; the announcement, once everything was handed over."""
        told = self.terminal.ok("send", "--to", to, "--channel", "rapid", *words, "--json").json
        return str(told["announcement"])

    def counts(self, campaign: str) -> dict[str, int]:
        """How many people came to which reason or state, now."""
        shown = self.terminal.ok("announcement", "show", campaign, "--json").json
        return {one["reason"] or one["state"]: one["people"] for one in shown["counts"]}


@pytest.fixture(scope="module")
def desk(bare: Terminal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    bare.ok("workspace", "create", "Selam Clinic", "--country", "KE")
    quick = {"sent_after": 0.0, "delivered_after": 0.05, "read_share": 0.0, "batch_within": 0.01}
    folder = tmp_path_factory.mktemp("rapidpro")
    with SandboxProcess.start(folder, numbers={WORKSPACE: {"provider": "rapidpro"}}, receipts=quick) as there:
        bare.ok(
            "channel", "create", "rapid", "--provider", "rapidpro", "--set", f"base_url={there.url}",
            "--set", f"options={json.dumps(OPTIONS)}", "--credential", "token=sandbox-token", "--rate", "50",
        )  # fmt: skip
        bare.write("list.csv", LIST)
        bare.write("rosa.csv", ROSA)
        process = bare.start("serve", "--port", str(port))
        until_said(process, "Clarion listens on")
        yield Desk(bare, there)
        end(process)


def test_texts_are_delivered(desk: Desk) -> None:
    desk.rapidpro.reset()
    campaign = desk.send("--text", "Dear {{ contact.name }}, write to desk@selam.example")
    wait_for(lambda: desk.counts(campaign) == {"delivered": 2})
    (shown, *more) = desk.rapidpro.messages(to="254712000001")
    assert (shown["text"], more) == ("Dear Amina, write to desk@selam.example", [])


def test_a_flow_is_started_once_for_each_also_where_nobody_answered(desk: Desk) -> None:
    desk.rapidpro.reset()
    desk.rapidpro.fault("drop_after_accept", to="254712000001")
    campaign = desk.send("--flow", "Welcome", "--param", "first_name={{ contact.name }}")
    wait_for(lambda: desk.counts(campaign) == {"accepted": 2})
    for phone, name in (("254712000001", "Amina"), ("251911000002", "Abebe")):
        shown = desk.rapidpro.messages(to=phone)
        assert [one["text"] for one in shown] == [f"Welcome first_name: {name}"]


def test_who_writes_stop_is_heard(desk: Desk) -> None:
    desk.send("--text", "We are open", to="rosa.csv")  # so that Rosa is known
    desk.rapidpro.inbound("+353850000003", "STOP", WORKSPACE)
    wait_for(lambda: "opted out" in desk.terminal.ok("explain", "+353850000003").out)


def test_a_flow_over_a_channel_that_has_none_is_refused_when_it_is_written(desk: Desk) -> None:
    desk.terminal.ok("channel", "create", "sms", "--provider", "twilio", "--set", "sender=+15550001111")
    told = desk.terminal.run(
        "send", "--to", "list.csv", "--channel", "sms", "--flow", "Welcome", "--confirm-similar"
    )
    assert told.code != 0
    assert "does not carry content of the kind 'flow_start'" in told.err


def test_a_flow_that_the_channel_does_not_know_is_refused_before_anybody_is_taken_in(desk: Desk) -> None:
    desk.terminal.write("biko.csv", "name,phone\nBiko,+254712000009\n")
    told = desk.terminal.run("send", "--to", "biko.csv", "--channel", "rapid", "--flow", "Welcom")
    assert told.code != 0
    assert "the channel 'rapid' knows no flow 'Welcom'" in told.err
    assert desk.terminal.run("explain", "+254712000009").code != 0


def test_a_draft_is_changed_to_start_a_flow_and_shows_what_the_flow_gets(desk: Desk) -> None:
    desk.terminal.ok(
        "send", "--to", "list.csv", "--channel", "rapid", "--text", "We close at six", "--name", "Friday",
        "--at", SOON, "--confirm-similar", "--no-wait",
    )  # fmt: skip
    desk.terminal.ok("announcement", "edit", "Friday", "--flow", "Welcome", "--param", "from=Selam")
    shown = desk.terminal.ok("announcement", "show", "Friday").out
    assert "flow Welcome" in shown
    assert "from: Selam" in shown


def wait_for(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)
