"""Push messages from the command line through a real worker to devices and browsers, and back."""

from __future__ import annotations

import csv
import io
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from clarion.sandbox.client import SandboxProcess
from clarion.sandbox.twins.fcm import SERVICE_ACCOUNT, device
from clarion.sandbox.twins.webpush import VAPID_KEY, subscription
from tests.acceptance.command import Terminal, end, until_said

PATIENCE = 60.0
PHONES = {"Amina": "254712000001", "Abebe": "251911000002", "Rosa": "353850000003"}
NEWS = ("--title", "Closed on Friday", "--text", "Dear {{ contact.name }}, we are closed.")


@dataclass
class Desk:
    """A terminal with a channel to devices and one to browsers, a worker, and the sandbox."""

    terminal: Terminal
    sandbox: SandboxProcess

    def send(self, channel: str, *words: str) -> dict[str, int]:
        """Announce to the list; how many people came to which state or reason."""
        told = self.terminal.ok(
            "send", "--to", "list.csv", "--channel", channel, "--confirm-similar", *words, "--json"
        ).json
        return {one["reason"] or one["state"]: one["people"] for one in told["counts"]}

    def shown(self, name: str) -> list[str]:
        """What somebody's phone shows."""
        return [one["text"] for one in self.sandbox.messages(to=PHONES[name]) if one["outcome"] == "accepted"]


def people() -> str:
    """A list with a column of devices and one of browsers, as a site would export it."""
    file = io.StringIO()
    rows = csv.writer(file)
    rows.writerow(["id", "name", "fcm token", "push subscription"])
    rows.writerows([name, name, device(phone), subscription(phone)] for name, phone in PHONES.items())
    return file.getvalue()


@pytest.fixture(scope="module")
def desk(bare: Terminal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    base = f"http://127.0.0.1:{port}"
    bare.ok("workspace", "create", "Selam Clinic", "--country", "KE")
    folder: Path = tmp_path_factory.mktemp("push")
    with SandboxProcess.start(folder) as sandbox:
        sandbox.configure(receipts={"sent_after": 0.0, "delivered_after": 0.02, "read_share": 0.0})
        bare.write("account.json", SERVICE_ACCOUNT)
        bare.write("list.csv", people())
        common = (
            "--set",
            f"base_url={sandbox.url}",
            "--credential",
            "hook_key=a-key-of-ours",
            "--rate",
            "1000",
        )
        bare.ok(
            "channel",
            "create",
            "app",
            "--provider",
            "fcm",
            "--credential",
            "service_account=@account.json",
            *common,
        )
        bare.ok(
            "channel", "create", "site", "--provider", "webpush", "--set", "sender=push@selam.example",
            "--credential", f"vapid_key={VAPID_KEY}", *common,
        )  # fmt: skip
        process = bare.start("serve", "--port", str(port), CLARION_PUBLIC_URL=base)
        until_said(process, "Clarion listens on")
        yield Desk(bare, sandbox)
        end(process)


def test_a_notification_reaches_everybody_and_what_is_gone_is_used_no_more(desk: Desk) -> None:
    for channel, code in (("app", 404), ("site", 410)):
        desk.sandbox.reset()
        desk.sandbox.fault("refuse_permanent", code, to=PHONES["Rosa"])
        first = desk.send(channel, *NEWS, "--link", "https://clinic.example/friday")
        again = desk.send(channel, "--title", "Open again", "--text", "We are open again.")

        assert first.pop("address_gone") == 1
        assert (sum(first.values()), set(first) <= {"accepted", "delivered"}) == (2, True)
        assert (again.pop("no_address"), sum(again.values())) == (1, 2)
        assert desk.shown("Amina") == ["Dear Amina, we are closed.", "We are open again."]
        assert desk.shown("Rosa") == []

    rosa = " ".join(desk.terminal.ok("explain", "Rosa").out.split())
    assert "leads nowhere any more and is not used (fcm says UNREGISTERED" in rosa
    assert "leads nowhere any more and is not used (webpush says http_410" in rosa
    assert "opted out" not in rosa


def test_plain_text_goes_over_a_push_channel_too(desk: Desk) -> None:
    desk.sandbox.reset()
    desk.send("site", "--text", "Plain words for {{ contact.name }}")
    assert desk.shown("Amina") == ["Plain words for Amina"]
    deadline = time.monotonic() + PATIENCE
    while "arrived" not in desk.terminal.ok("explain", "Amina").out:
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--title", "News"), "Give --text too"),
        (("--link", "https://clinic.example", "--text", "x"), "Give --title too"),
        (("--title", "News", "--text", "x", "--link", "clinic.example"), "a link begins with"),
        (("--title", "News", "--text", "x", "--subject", "y"), "a push message is a title and a text"),
        (("--title", "News", "--text", "ሰ" * 1300), "3,904 bytes, as UTF-8 counts; at most 3,700"),
    ],
)
def test_what_is_no_push_message_is_told_before_anybody_is_taken_in(
    desk: Desk, words: tuple[str, ...], what: str
) -> None:
    refused = desk.terminal.run("send", "--to", "list.csv", "--channel", "app", *words)
    assert refused.code != 0
    assert what in " ".join(refused.err.split())
