"""Somebody writes STOP in Amharic to a real server; a real worker answers, over a provider that pretends."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from clarion.sandbox.client import SandboxProcess
from tests.acceptance.command import Listener, Terminal, until_said

PATIENCE = 60.0
SENDER = "106540352242922"
SARA, BEKELE = "251911000001", "251911000002"
PEOPLE = f"name,phone\nSara,+{SARA}\nBekele,+{BEKELE}\n"


@dataclass
class Line:
    """A terminal with one channel, a server that listens to its provider, and the provider."""

    terminal: Terminal
    sandbox: SandboxProcess

    def says(self, person: str, text: str) -> None:
        """A person writes, and our server has heard it."""
        self.sandbox.inbound(person, text, SENDER)
        self.sandbox.wait_for_webhooks()

    def reads(self, person: str) -> list[str]:
        """What a person has on the phone."""
        return [one["text"] for one in self.sandbox.phone(person) if one["direction"] == "in"]


@pytest.fixture
def line(bare: Terminal, tmp_path: Path) -> Iterator[Line]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    base = f"http://127.0.0.1:{port}"
    bare.ok("workspace", "create", "Selam Clinic", "--country", "ET")
    selam = Terminal(bare.folder, {**bare.environment, "CLARION_WORKSPACE": "Selam Clinic"})
    with SandboxProcess.start(tmp_path) as sandbox:
        channel = selam.ok(
            "channel", "create", "staff", "--set", f"base_url={sandbox.url}", "--set", f"sender={SENDER}",
            "--credential", "token=sandbox-token", "--credential", "app_secret=sandbox-secret", "--rate",
            "1000", "--json",
        ).json  # fmt: skip
        hook = f"{base}/hooks/{channel['id']}"
        sandbox.configure(numbers={SENDER: {"callback_url": hook}}, window="open")
        selam.write("people.csv", PEOPLE)
        process = selam.start("serve", "--port", str(port), CLARION_PUBLIC_URL=base)
        until_said(process, "Clarion listens on")
        listener = Listener(process)
        yield Line(selam, sandbox)
        listener.end()


def test_stop_in_amharic_is_heeded_and_confirmed_once_and_start_brings_everybody_back(line: Line) -> None:
    line.terminal.ok("import", "contacts", "people.csv")
    line.says(SARA, "አቁም።")
    wait_for(lambda: len(line.reads(SARA)) == 1)
    (confirmed,) = line.reads(SARA)
    line.says(SARA, "አቁም!")
    line.says(BEKELE, "Help")  # who writes later is answered later: then an answer to Sara would be there
    wait_for(lambda: len(line.reads(BEKELE)) == 1)
    after_stop = line.reads(SARA)
    line.says(SARA, "START")
    wait_for(lambda: len(line.reads(SARA)) == 2)
    (_, welcome) = line.reads(SARA)
    shown = line.terminal.ok("explain", f"+{SARA}").out

    assert confirmed.startswith("Selam Clinic፦ ከእኛ ተጨማሪ መልእክት አይደርስዎትም")
    assert after_stop == [confirmed]
    assert welcome == (
        "Selam Clinic: you will get our messages again. To get no more, write STOP. For help, write HELP."
    )
    assert "Answers to STOP, START and HELP" in shown
    assert "can be written to" in shown


def test_words_and_answers_are_the_workspaces_own(bare: Terminal) -> None:
    bare.ok("workspace", "create", "Nyota School", "--language", "sw")
    nyota = ("-w", "Nyota School")
    bare.ok("consent", "add", "sw", "stop", "acha kabisa", *nyota)
    bare.ok("consent", "remove", "es", "alto", *nyota)
    bare.ok("consent", "answer", "stop", "--text", "sw={us}: kwaheri.", *nyota)
    bare.ok("consent", "answer", "help", "--off", *nyota)
    refused = bare.run("consent", "remove", "en", "stop", *nyota)

    words = bare.ok("consent", "words", "--json", *nyota).json
    answers = bare.ok("consent", "answers", "--json", *nyota).json
    found = {(one["language"], one["word"]): one["own"] for one in words}
    told = {one["meaning"]: one for one in answers}

    assert found["sw", "acha kabisa"] is True
    assert found["sw", "acha"] is False
    assert ("es", "alto") not in found
    assert told["stop"]["texts"]["sw"] == "{us}: kwaheri."
    assert (told["stop"]["on"], told["help"]["on"]) == (True, False)
    assert (refused.code, "always counts" in refused.err) == (65, True)


def wait_for(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)
