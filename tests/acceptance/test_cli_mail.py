"""An announcement by mail, from the command line through a real worker to a real mail server, and back."""

from __future__ import annotations

import re
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.command import Terminal, end, until_said
from tests.providers.mail_server import MailServer, Taken, mail_server

PATIENCE = 60.0
KEY = "a-key-of-our-hook"
LIST = "name,email\nAmina,amina@example.org\nAbebe <b>,abebe@example.org\nNobody,rcpt+550+5.1.1@example.org\n"
CLOSED = (
    "--subject",
    "Closed on Friday, {{ contact.name }}",
    "--text",
    "Dear {{ contact.name }}, we are closed.",
)


@dataclass
class Mailing:
    """A terminal with a channel of mail, a server that answers and sends, and the mail server."""

    terminal: Terminal
    server: MailServer
    base: str

    def send(self, *words: str) -> dict[str, int]:
        """Announce to the list; how many people came to which state or reason."""
        told = self.terminal.ok("send", "--to", "list.csv", "--channel", "mail", *words, "--json").json
        return {one["reason"] or one["state"]: one["people"] for one in told["counts"]}

    def consent(self) -> list[str]:
        """What holds for Amina's address, as people read it."""
        shown = self.terminal.ok("explain", "amina@example.org").out
        return re.findall(r"(opted out|can be written to)", shown)


@pytest.fixture(scope="module")
def mailing(bare: Terminal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailing]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    base = f"http://127.0.0.1:{port}"
    bare.ok("workspace", "create", "Selam Clinic", "--country", "KE")
    folder: Path = tmp_path_factory.mktemp("mail")
    with mail_server(folder) as server:
        bare.ok(
            "channel", "create", "mail", "--provider", "smtp", "--set", f"base_url={server.url}",
            "--set", "sender=selam@clinic.example", "--set", 'options={"starttls": false}',
            "--credential", f"hook_key={KEY}", "--rate", "1000",
        )  # fmt: skip
        bare.write("list.csv", LIST)
        process = bare.start("serve", "--port", str(port), CLARION_PUBLIC_URL=base)
        until_said(process, "Clarion listens on")
        yield Mailing(bare, server, base)
        end(process)


def test_the_doctor_judges_a_mail_channel_by_the_protocol_that_it_speaks(mailing: Mailing) -> None:
    checks = mailing.terminal.run("doctor", "--json").json["checks"]
    assert {one["check"]: one["level"] for one in checks}["Selam Clinic / channel mail"] == "ok"


def test_everybody_is_written_to_and_who_leaves_hears_nothing_more(mailing: Mailing) -> None:
    before = mailing.send(*CLOSED)
    taken = {one.recipient: one for one in mailing.server.taken()}
    link = leaving(taken["amina@example.org"])

    shown = follow(link)
    written_to = mailing.consent()
    refused = [follow(link[:-2] + "xx", data) for data in (None, b"List-Unsubscribe=One-Click")]
    done = follow(link, b"List-Unsubscribe=One-Click")
    wait_for(lambda: mailing.consent() == ["opted out"])
    after = mailing.send("--subject", "Open again", "--text", "We are open again, and happy to see you.")

    assert before == {"accepted": 2, "refused": 1}
    message = taken["abebe@example.org"].message
    assert message["Subject"] == "Closed on Friday, Abebe <b>"
    body = message.get_body(("plain",))
    assert body is not None
    assert body.get_content().strip() == "Dear Abebe <b>, we are closed."
    assert (shown[0], "<form" in shown[1], "amina@example.org" in shown[1]) == (200, True, True)
    assert written_to == ["can be written to"], "a look at the link changes nothing"
    assert [status for status, _ in refused] == [403, 401]
    assert (done[0], "Unsubscribed" in done[1]) == (200, True)
    assert after == {"accepted": 1, "opted_out": 1, "refused": 1}
    assert [one.recipient for one in mailing.server.taken()].count("amina@example.org") == 1


def test_what_a_channel_does_not_carry_is_told_before_anything_is_sent(mailing: Mailing) -> None:
    refused = mailing.terminal.run("send", "--to", "list.csv", "--channel", "mail", "--text", "Only a text")
    assert refused.code != 0
    assert "a channel of smtp does not carry content of the kind 'text'" in refused.err


def wait_for(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def leaving(letter: Taken) -> str:
    """The address in its List-Unsubscribe."""
    assert letter.message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    return str(letter.message["List-Unsubscribe"]).strip().strip("<>")


def follow(link: str, data: bytes | None = None) -> tuple[int, str]:
    """As a browser (GET) or a mail program (POST) does, without cookies."""
    try:
        with urllib.request.urlopen(link, data) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
