"""SMTP: the letter that a parcel becomes, what a real server's replies mean, and when nobody can know."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from clarion.errors import Invalid, Misconfigured
from clarion.kit.http import Departure, Http, departing
from clarion.providers import registry
from clarion.providers.abilities import Choosy
from clarion.providers.contract import Account, Answered, Fault, Mail, Parcel, Text, Told
from clarion.providers.letters import written
from clarion.providers.replies import Stage, told
from tests.kit.wire import Wire, always, wire
from tests.providers.mail_server import MailServer, mail_server

SMTP = registry.get("smtp")
REFERENCE = "202603.0199c0de000070008000000000000001"
NEWS = Mail("Habari & ሰላም", "The clinic is closed.\n.A line with a dot\n", "<p>The clinic is closed.</p>")
HOOK = "https://clarion.example/hooks/0199c0de-0000-7000-8000-000000000001"
BARE = {"starttls": False}


def parcel(to: str = "amina@example.org", mail: Mail = NEWS) -> Parcel:
    return Parcel(REFERENCE, "mailto", to, mail)


def account(base_url: str = "", **more: Any) -> Account:
    made = Account(
        base_url, "selam@clinic.example", {"hook_key": "k-1"}, BARE, connect_timeout=2.0, total_timeout=5.0,
        hook=HOOK,
    )  # fmt: skip
    return replace(made, **more)


async def send(http: Http, server: MailServer | Wire, what: Parcel | None = None, **more: Any) -> Told:
    """One try at this server."""
    url = server.url.replace("http://", "smtp://")
    return await SMTP.sender(account(url, **more), http).send(what or parcel())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailServer]:
    with mail_server(tmp_path_factory.mktemp("mail")) as running:
        yield running


# --- the letter


def test_a_letter_says_who_writes_and_what_in_whatever_script() -> None:
    options = {
        "from_name": "Kliniki ya ሰላም",
        "reply_to": "help@clinic.example",
        "bounces": "b@clinic.example",
    }
    letter = written(account(options=options), parcel(), NEWS)
    message = message_from_bytes(letter.body.replace(b"\r\n..", b"\r\n."), policy=policy.default)
    assert (letter.sender, letter.recipient) == ("b@clinic.example", "amina@example.org")
    assert message["From"] == "Kliniki ya ሰላም <selam@clinic.example>"
    assert (message["To"], message["Reply-To"]) == ("amina@example.org", "help@clinic.example")
    assert message["Subject"] == "Habari & ሰላም"
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    assert text.get_content().replace("\r\n", "\n") == NEWS.text
    assert html.get_content().strip() == NEWS.html
    assert letter.body.isascii()


def test_the_same_try_makes_the_same_letter_whose_id_and_date_are_its_references() -> None:
    letter = written(account(), parcel(), NEWS)
    message = message_from_bytes(letter.body, policy=policy.default)
    assert letter.message_id == f"{REFERENCE}@clinic.example"
    assert message["Message-ID"] == f"<{letter.message_id}>"
    assert message["Date"].datetime == datetime(2025, 10, 7, 22, 49, 58, tzinfo=UTC)
    assert written(account(), parcel(), NEWS).message_id == letter.message_id


def test_whoever_reads_it_can_leave_by_one_click() -> None:
    letter = written(account(), parcel("a" * 60 + "@example.org"), NEWS)
    lines = letter.body.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    (link,) = [line for line in lines if line.startswith("List-Unsubscribe:")]
    assert link.startswith(f"List-Unsubscribe: <{HOOK}?unsubscribe=")
    assert link.endswith(">")
    assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click" in lines


@pytest.mark.parametrize("lacking", [{"hook": ""}, {"credentials": {}}], ids=["an address", "a key"])
def test_without_a_hook_or_its_key_no_link_is_promised(lacking: dict[str, Any]) -> None:
    assert b"unsubscribe" not in written(account(**lacking), parcel(), NEWS).body.lower()


def test_an_address_outside_ascii_travels_with_its_domain_encoded() -> None:
    assert written(account(), parcel("amina@bücher.example"), NEWS).recipient == "amina@xn--bcher-kva.example"
    assert not written(account(), parcel("amina@bücher.example"), NEWS).utf8
    assert written(account(), parcel("josé@example.org"), NEWS).utf8


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
async def test_nobody_smuggles_a_header_or_a_second_letter_in(
    http: Http, server: MailServer, end: str
) -> None:
    before = len(server.taken())
    evil = Mail(f"Hello{end}Bcc: rosa@example.org", "Hello")
    assert (await send(http, server, parcel(mail=evil))).answered is Answered.REFUSED
    address = parcel(f"amina@example.org>{end}RCPT TO:<rosa@example.org")
    assert (await send(http, server, address)).answered is Answered.REFUSED
    smuggled = Mail("Hello", f"Hello{end}.{end}MAIL FROM:<rosa@example.org>{end}")
    assert (await send(http, server, parcel(mail=smuggled))).answered is Answered.ACCEPTED
    (one,) = server.taken()[before:]
    body = one.message.get_body(("plain",))
    assert body is not None
    assert "MAIL FROM:<rosa@example.org>" in body.get_content()


# --- a real server


async def test_a_real_server_takes_it_as_it_was_written(http: Http, server: MailServer) -> None:
    answer = await send(http, server)
    assert answer == Told(Answered.ACCEPTED, provider_id=f"{REFERENCE}@clinic.example",
                          detail="2.0.0 Ok: queued as 4XyZ")  # fmt: skip
    one = server.taken()[-1]
    assert (one.sender, one.recipient) == ("selam@clinic.example", "amina@example.org")
    body = one.message.get_body(("plain",))
    assert body is not None
    assert body.get_content().replace("\r\n", "\n") == NEWS.text


async def test_one_connection_carries_many_and_a_dead_one_none(http: Http, server: MailServer) -> None:
    sender = SMTP.sender(account(server.url), http)
    before = len(server.taken())
    await sender.send(parcel("one@example.org"))
    await sender.send(parcel("rcpt+550+5.1.1@example.org"))
    await sender.send(parcel("two@example.org"))
    await sender.send(parcel("dot+gone@example.org"))
    assert (await sender.send(parcel("three@example.org"))).answered is Answered.ACCEPTED
    one, two, three = server.taken()[before:]
    assert one.connection == two.connection != three.connection
    assert [it.recipient[:3] for it in (one, two, three)] == ["one", "two", "thr"]


REPLIES: dict[str, tuple[str, tuple[Answered, Fault], str | None]] = {
    "no such mailbox": ("rcpt+550+5.1.1", (Answered.REFUSED, Fault.PERSON), "5.1.1"),
    "no such mailbox, without a code": ("rcpt+550", (Answered.REFUSED, Fault.PERSON), "550"),
    "mailbox full": ("rcpt+452+4.2.2", (Answered.LATER, Fault.PROVIDER), "4.2.2"),
    "greylisted": ("rcpt+450+4.7.1", (Answered.LATER, Fault.PROVIDER), "4.7.1"),
    "no relaying": ("rcpt+554+5.7.1+relay", (Answered.LATER, Fault.ACCOUNT), "5.7.1"),
    "one person's own rules": ("rcpt+550+5.7.1", (Answered.REFUSED, Fault.PERSON), "5.7.1"),
    "the queue is full": ("dot+451+4.3.0", (Answered.LATER, Fault.PROVIDER), "4.3.0"),
    "too fast": ("dot+450+4.7.1", (Answered.LATER, Fault.RATE), "4.7.1"),
    "the day's quota": ("dot+550+5.4.5", (Answered.LATER, Fault.RATE), "5.4.5"),
    "held for spam": ("dot+554+5.7.1", (Answered.LATER, Fault.CONTENT), "5.7.1"),
    "too large": ("dot+552+5.3.4", (Answered.LATER, Fault.CONTENT), "5.3.4"),
    "mailbox gone, told late": ("dot+550+5.1.1", (Answered.REFUSED, Fault.PERSON), "5.1.1"),
    "hung up before the content": ("rcpt+gone", (Answered.LATER, Fault.NETWORK), "interrupted"),
    "hung up after the dot": ("dot+gone", (Answered.UNKNOWN, Fault.NETWORK), "unanswered"),
}


@pytest.mark.parametrize("label", REPLIES)
async def test_a_real_servers_reply_has_its_meaning(http: Http, server: MailServer, label: str) -> None:
    local, outcome, code = REPLIES[label]
    answer = await send(http, server, parcel(f"{local}@example.org"))
    assert (answer.answered, answer.fault) == outcome
    assert answer.code == code
    assert local not in f"{answer.detail}", "the recipient is not repeated"


async def test_a_sender_that_is_not_ours_is_the_accounts_fault(http: Http, server: MailServer) -> None:
    answer = await send(http, server, sender="mail+550+5.7.1@clinic.example")
    assert (answer.answered, answer.fault, answer.code) == (Answered.LATER, Fault.ACCOUNT, "5.7.1")


TABLE: dict[str, tuple[Stage, int, str, tuple[Answered, Fault]]] = {
    "not let in": (Stage.OPENING, 554, "5.7.1 go away", (Answered.LATER, Fault.ACCOUNT)),
    "a wrong login": (Stage.OPENING, 535, "5.7.8 no", (Answered.LATER, Fault.ACCOUNT)),
    "the login's server is down": (Stage.OPENING, 454, "4.7.0 later", (Answered.LATER, Fault.PROVIDER)),
    "too many connections": (Stage.OPENING, 421, "4.7.0 too many", (Answered.LATER, Fault.RATE)),
    "shutting down": (Stage.SENDER, 421, "4.3.2 bye", (Answered.LATER, Fault.PROVIDER)),
    "log in first": (Stage.SENDER, 530, "5.7.0 authenticate", (Answered.LATER, Fault.ACCOUNT)),
    "too large, at once": (Stage.SENDER, 552, "too large", (Answered.LATER, Fault.CONTENT)),
    "SPF fails": (Stage.CONTENT, 550, "5.7.23 SPF", (Answered.LATER, Fault.ACCOUNT)),
    "no route": (Stage.CONTENT, 550, "5.4.4 no route", (Answered.REFUSED, Fault.PERSON)),
    "malformed": (Stage.CONTENT, 550, "5.6.0 no", (Answered.LATER, Fault.CONTENT)),
    "refused without a code": (Stage.CONTENT, 554, "no", (Answered.LATER, Fault.CONTENT)),
    "of another class than its status": (Stage.RECIPIENT, 550, "4.7.1 no", (Answered.REFUSED, Fault.PERSON)),
    "a status that is none": (Stage.CONTENT, 25, "0 ok", (Answered.UNKNOWN, Fault.PROVIDER)),
    "the same before the content": (Stage.RECIPIENT, 25, "0 ok", (Answered.LATER, Fault.PROVIDER)),
}


@pytest.mark.parametrize("label", TABLE)
def test_a_reply_means_by_where_it_comes(label: str) -> None:
    stage, status, words, outcome = TABLE[label]
    answer = told(stage, status, words)
    assert (answer.answered, answer.fault) == outcome


async def test_the_try_is_marked_after_the_connection_and_before_the_transaction(
    http: Http, server: MailServer
) -> None:
    class Marked(Departure):
        """Whose time is up when the connection stands."""

        left = False

        def check(self) -> None:
            raise TimeoutError("too late to begin")

        def leave(self) -> None:
            self.left = True

    marked, before = Marked(), len(server.taken())
    token = departing.set(marked)
    try:
        nowhere = await send(http, replace(server, port=9))
        assert (nowhere.answered, nowhere.code) == (Answered.LATER, "unreachable")
        late = await send(http, server)
    finally:
        departing.reset(token)
    assert (late.answered, marked.left, len(server.taken())) == (Answered.LATER, False, before)


async def test_a_server_that_never_greets_is_later(http: Http) -> None:
    async with wire(always(b"")) as silent:
        answer = await send(http, silent, total_timeout=0.3)
    assert (answer.answered, answer.fault) == (Answered.LATER, Fault.NETWORK)


async def test_what_is_no_mail_is_contents_fault(http: Http, server: MailServer) -> None:
    answer = await send(http, server, replace(parcel(), content=Text("Hello")))
    assert (answer.answered, answer.fault, answer.code) == (Answered.LATER, Fault.CONTENT, "not_mail")


# --- encryption and the login


def certificate(folder: Path) -> str:
    """A certificate for 127.0.0.1 that nobody but its holder signed, and its key in `tls.pem`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.selam.example")])
    place = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([place]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    public = made.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "tls.pem").write_bytes(private + public)
    return public.decode()


async def test_a_server_is_spoken_to_encrypted_and_logged_in_to(http: Http, tmp_path: Path) -> None:
    authority = certificate(tmp_path)
    (tmp_path / "login").write_text("selam s3cret")
    login = {"username": "selam", "password": "s3cret"}
    with mail_server(tmp_path) as encrypted:
        taken = await send(http, encrypted, options={"ca": authority}, credentials=login)
        wrong = await send(http, encrypted, options={"ca": authority},
                           credentials={**login, "password": "s3cre"})  # fmt: skip
        nobody = await send(http, encrypted, options={"ca": authority})
        untrusted = await send(http, encrypted, options={}, credentials=login)
        assert len(encrypted.taken()) == 1
    assert taken.answered is Answered.ACCEPTED
    assert (wrong.answered, wrong.fault, wrong.code) == (Answered.LATER, Fault.ACCOUNT, "5.7.8")
    assert (nobody.answered, nobody.fault, nobody.code) == (Answered.LATER, Fault.ACCOUNT, "5.7.0")
    assert (untrusted.answered, untrusted.fault) == (Answered.LATER, Fault.NETWORK)


async def test_a_server_that_cannot_encrypt_is_sent_nothing(http: Http, server: MailServer) -> None:
    before = len(server.taken())
    answer = await send(http, server, options={})
    assert (answer.answered, answer.fault, answer.code) == (Answered.LATER, Fault.ACCOUNT, "not_offered")
    assert len(server.taken()) == before


async def test_unencrypted_is_for_private_addresses_in_development_only(server: MailServer) -> None:
    before = len(server.taken())
    async with Http(allow_private=False) as strict:
        answer = await send(strict, server)
    assert (answer.answered, answer.fault) == (Answered.LATER, Fault.NETWORK)
    async with Http() as http:
        public = account("smtp://192.88.99.1:25", connect_timeout=0.5)
        answer = await SMTP.sender(public, http).send(parcel())
    assert (answer.answered, answer.detail) == (
        Answered.LATER,
        "PermissionError: unencrypted, and not to a private address",
    )
    assert len(server.taken()) == before


# --- the channel


@pytest.mark.parametrize(
    "wrong",
    [
        {"from_name": "Selam\r\nBcc: x@y.org"},
        {"reply_to": "nobody"},
        {"bounces": "a@b"},
        {"starttls": "no"},
        {"connections": 0},
        {"ca": "no certificate"},
        {"reply-to": "a@b.org"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_options_that_cannot_be_are_told_when_the_channel_is_made(wrong: dict[str, Any]) -> None:
    assert isinstance(SMTP, Choosy)
    with pytest.raises(Invalid) as refused:
        SMTP.check_options(wrong)
    assert [one.where for one in refused.value.problems] == [f"config.options.{next(iter(wrong))}"]


@pytest.mark.parametrize("more", [{"base_url": ""}, {"base_url": "https://x.org"}, {"sender": "selam"}])
async def test_a_channel_that_lacks_something_says_so(http: Http, more: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured):
        SMTP.sender(replace(account("smtp://mail.example.org"), **more), http)
