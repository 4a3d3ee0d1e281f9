"""Pictures, buttons and templates over WhatsApp from the command line, through a real worker, and back."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from clarion.sandbox.client import SandboxProcess
from tests.acceptance.command import Terminal, end, until_said

PATIENCE = 60.0
SENDER = "100200300"
AMINA, ABEBE, HIDDEN = "254712000001", "251911000002", "US.13491208655302741918"
TEMPLATES = [
    {"name": "payday", "language": "en", "parameters": 1, "body": "Dear {{1}}, your pay is here.",
     "header": "IMAGE", "buttons": [{"type": "QUICK_REPLY", "text": "Thanks"}]},
    {"name": "office_closed", "language": "en", "status": "PAUSED"},
]  # fmt: skip
FILE = "https://files.example/plan.pdf"
PICTURE = "https://files.example/july.png"


@dataclass
class Desk:
    """A terminal with a channel of WhatsApp, a worker, and the sandbox."""

    terminal: Terminal
    sandbox: SandboxProcess

    def send(self, *words: str) -> dict[str, int]:
        """Announce to the list; how many people came to which state or reason."""
        told = self.terminal.ok("send", "--to", "list.csv", "--confirm-similar", *words, "--json").json
        return {one["reason"] or one["state"]: one["people"] for one in told["counts"]}

    def refused(self, *words: str) -> str:
        ended = self.terminal.run("send", "--to", "list.csv", *words)
        assert ended.code != 0
        return " ".join(ended.err.split())

    def shown(self, person: str) -> list[str]:
        """What we wrote that somebody's phone shows."""
        return [one["text"] for one in self.sandbox.phone(person) if one["direction"] == "in"]

    def tap(self, person: str, which: str, address: str, payload: str) -> None:
        """Somebody taps this, and it comes in so."""
        self.sandbox.tap(person, which, SENDER)
        self.wait_for((address, which, payload))

    def wait_for(self, said: tuple[str, str, str]) -> None:
        """Until this has come in: (address, text, payload)."""
        deadline = time.monotonic() + PATIENCE
        while said not in self.heard():
            assert time.monotonic() < deadline, self.heard()
            time.sleep(0.05)

    def heard(self) -> list[tuple[str, str, str]]:
        """What people wrote: (address, text, payload)."""
        with psycopg.connect(self.terminal.environment["CLARION_DATABASE_URL"]) as connection:
            workspace = connection.execute("SELECT workspace_id FROM clarion_workspaces()").fetchone()
            assert workspace is not None
            connection.execute("SELECT set_config('clarion.workspace', %s, true)", (str(workspace[0]),))
            return connection.execute("SELECT address, text, payload FROM inbound ORDER BY id").fetchall()


@pytest.fixture(scope="module")
def desk(bare: Terminal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    base = f"http://127.0.0.1:{port}"
    bare.ok("workspace", "create", "Selam Clinic", "--country", "KE")
    folder: Path = tmp_path_factory.mktemp("whatsapp")
    with SandboxProcess.start(folder) as sandbox:
        receipts = {"sent_after": 0.0, "delivered_after": 0.02, "read_share": 0.0}
        bare.write("list.csv", f"id,name,whatsapp\n1,Amina,+{AMINA}\n2,Abebe,+{ABEBE}\n3,Rosa,{HIDDEN}\n")
        bare.write("options.json", '{"business_account_id": "100000000000001"}')
        made = bare.ok(
            "channel", "create", "staff", "--set", f"base_url={sandbox.url}", "--set", f"sender={SENDER}",
            "--set", "options=@options.json", "--credential", "token=sandbox-token",
            "--credential", "app_secret=sandbox-secret", "--rate", "1000", "--json",
        ).json  # fmt: skip
        number = {SENDER: {"callback_url": f"{base}/hooks/{made['id']}"}}
        sandbox.configure(receipts=receipts, templates=TEMPLATES, numbers=number)
        process = bare.start("serve", "--port", str(port), CLARION_PUBLIC_URL=base)
        until_said(process, "Clarion listens on")
        bare.ok("import", "contacts", "list.csv")
        yield Desk(bare, sandbox)
        end(process)


def test_who_is_told_by_a_template_taps_and_is_asked_more_also_without_a_number(desk: Desk) -> None:
    counts = desk.send("--template", "payday", "--param", "{{ contact.name }}", "--header", PICTURE)

    assert sum(counts.values()) == 3
    assert set(counts) <= {"accepted", "delivered"}
    assert desk.shown(AMINA)[-1] == f"[image {PICTURE}]\nDear Amina, your pay is here."
    assert desk.shown(HIDDEN)[-1] == f"[image {PICTURE}]\nDear Rosa, your pay is here."

    desk.tap(AMINA, "Thanks", f"whatsapp:+{AMINA}", "Thanks")
    desk.tap(HIDDEN, "Thanks", f"whatsapp:{HIDDEN}", "Thanks")
    asked = desk.send("--text", "Will you come, {{ contact.name }}?", "--button", "y=Yes", "--button", "No")

    assert asked.pop("outside_window") == 1
    assert sum(asked.values()) == 2
    assert desk.shown(HIDDEN)[-1] == "Will you come, Rosa?\n[Yes]\n[No]"
    desk.tap(HIDDEN, "Yes", f"whatsapp:{HIDDEN}", "y")
    desk.tap(AMINA, "No", f"whatsapp:+{AMINA}", "No")


def test_a_document_goes_with_its_name_and_caption(desk: Desk) -> None:
    desk.sandbox.inbound(AMINA, "What is the plan?", SENDER)
    desk.wait_for((f"whatsapp:+{AMINA}", "What is the plan?", ""))
    desk.send("--file", FILE, "--text", "The plan, {{ contact.name }}")
    assert desk.shown(AMINA)[-1] == f"[document {FILE} plan.pdf] The plan, Amina"


def test_the_templates_are_listed_and_the_doctor_tells_which_are_closed(desk: Desk) -> None:
    listed = desk.terminal.ok("channel", "templates", "staff")
    rows = [" ".join(line.split()) for line in listed.out.splitlines()]
    assert "2 templates, read " in listed.err
    assert rows[1:] == [
        "office_closed en utility paused nothing",
        "payday en utility approved 1 parameters, header: image, button 0: quick_reply",
    ]
    again = desk.terminal.ok("channel", "templates", "staff", "--refresh", "--json").json
    assert [one["name"] for one in again["templates"]] == ["office_closed", "payday"]
    assert "the provider has closed office_closed" in desk.terminal.run("doctor").out


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--template", "pay_day"), "Did you mean payday?"),
        (("--template", "office_closed"), "is paused, not approved"),
        (("--template", "payday", "--header", PICTURE), "takes one parameter; 0 given"),
        (("--template", "payday", "--param", "x"), "has an image in its header; given: nothing"),
        (("--button", "Yes"), "Give --text too"),
        (("--text", "x", *("--button", "Yes") * 2), "the same id or title"),
        (("--text", "x", "--button", "x" * 21), "at most 20"),
        (("--file", "https://10.0.0.1/a.png"), "loopback or private"),
        (("--file", "https://files.example/a.mp3", "--text", "x"), "a recording has no caption"),
        (("--text", "x", "--header", "July"), "Give --template too"),
        (("--file", FILE, "--subject", "x", "--text", "y"), "a mail is a subject and a text"),
    ],
)
def test_what_cannot_be_said_is_told_before_anybody_is_taken_in(
    desk: Desk, words: tuple[str, ...], what: str
) -> None:
    assert what in desk.refused(*words)


def test_without_the_business_account_it_is_sent_and_the_doubt_is_told(desk: Desk) -> None:
    desk.terminal.ok("channel", "set", "staff", "--set", "options=")
    words = ("--template", "payday", "--param", "x", "--header", PICTURE)
    ended = desk.terminal.ok("send", "--to", "list.csv", "--confirm-similar", *words)
    assert "The templates of staff were not checked" in ended.err
    assert desk.terminal.run("channel", "templates", "staff").code != 0
    assert "not checked" in desk.terminal.run("doctor").out
    desk.terminal.ok("channel", "set", "staff", "--set", "options=@options.json")
