"""SMTP: mail over a company's own server or a mail service, with bounces and one-click unsubscribing.

Follows RFC 5321 (SMTP), 3207 (STARTTLS), 4954 (AUTH), 3461 (DSN), 3463 (enhanced codes), 6531 (UTF-8
addresses), 2369 and 8058 (List-Unsubscribe).

One try is one mail transaction. Its answer is the reply to the dot that ends the content: before that dot
is written the server has nothing that it may deliver, so whatever breaks earlier is proven unsent; from
then on only its reply says. A 5xx there is as certain as a 250.

The try is marked before MAIL FROM, not at the dot. Opening a connection (name, TLS, login) takes seconds
and counts for nothing; but transactions are what servers count and throttle, also those that they refuse
at RCPT TO, so our own limits must count them from there. What it costs: a worker that is killed within
these few round trips leaves an unknown where nothing had gone.

Connections are kept for a while and carry many letters, one after the other. One that was kept is asked by
RSET whether it lives before a transaction is begun on it: so no transaction is ever made twice.
"""

from __future__ import annotations

import asyncio
import hmac
import socket
import ssl
import struct
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from html import escape
from typing import Any, ClassVar
from urllib.parse import urlsplit

import aiosmtplib

from clarion.domain.limits import Limits
from clarion.errors import Invalid, Misconfigured, Problem
from clarion.kit.http import Http, NeverSent, departing
from clarion.providers import bounces
from clarion.providers.calling import other_than
from clarion.providers.contract import (
    Account,
    Answered,
    Call,
    Event,
    Fault,
    Found,
    Mail,
    OptOut,
    Parcel,
    Sender,
    Told,
)
from clarion.providers.letters import UNSUBSCRIBE, Letter, leaves, on_the_wire, who_leaves, written
from clarion.providers.replies import Stage, shown, told

PORTS = {"smtps": 465, "smtp": 587}
IDLE = 10.0  # seconds that a connection is kept for the next letter
MOST = 100  # letters over one connection
CONNECTIONS = 5  # at once, where the channel says nothing else
_OPTIONS = ("from_name", "reply_to", "bounces", "starttls", "ca", "connections", "receipts")


class _Refused(Exception):
    """The server would not go on, or nothing can be trusted to it."""

    def __init__(self, told: Told) -> None:
        super().__init__(told.code)
        self.told = told


@dataclass(slots=True)
class _Line:
    """A connection that has been let in, and how many letters it carried."""

    client: aiosmtplib.SMTP
    carried: int = 0
    ending: asyncio.TimerHandle | None = None

    async def alive(self) -> bool:
        """Whether it still answers, and forgets what was begun on it."""
        if self.ending is not None:
            self.ending.cancel()
        try:
            return (await self.client.execute_command(b"RSET")).code == 250
        except (aiosmtplib.SMTPException, OSError):
            return False

    def part(self) -> None:
        """Take leave: everything on it was answered."""
        sock = self.client.get_transport_info("socket")
        transport = self.client.transport
        if sock is None or not isinstance(transport, asyncio.WriteTransport):
            return
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 0, 0))
        transport.write(b"QUIT\r\n")
        self.client.close()


@dataclass(slots=True)
class _Try:
    """How far one try came: `whole` once the server may have a whole letter."""

    letter: Letter
    receipts: bool
    whole: bool = False

    async def over(self, line: _Line) -> Told:
        """Make the transaction. Raises what the connection raises, and what the departure does."""
        client, letter = line.client, self.letter
        if letter.utf8 and not client.supports_extension("smtputf8"):
            detail = "the server takes no addresses beyond ASCII (SMTPUTF8)"
            return Told(Answered.REFUSED, fault=Fault.PERSON, code="no_smtputf8", detail=detail)
        departure = departing.get()
        if departure is not None:
            departure.check()
            departure.leave()
        line.carried += 1
        sender, recipient = self._envelope(client)
        for stage, command, good in (
            (Stage.SENDER, sender, 250),
            (Stage.RECIPIENT, recipient, 250),
            (Stage.CONTENT, (b"DATA",), 354),
        ):
            reply = await client.execute_command(*command)
            if reply.code != good and not (stage is Stage.RECIPIENT and reply.code == 251):
                return _before_the_end(told(stage, reply.code, reply.message, letter.recipient))
        return await self._content(client)

    async def _content(self, client: aiosmtplib.SMTP) -> Told:
        if client.protocol is None:
            raise aiosmtplib.SMTPServerDisconnected("gone before the content")
        client.protocol.write(self.letter.body)
        await client.protocol._drain_helper()  # what StreamWriter.drain asks: the loop has taken most of it
        self.whole = True
        reply = await client.execute_command(b".")
        if 200 <= reply.code < 300:
            detail = shown(reply.message, self.letter.recipient)
            return Told(Answered.ACCEPTED, provider_id=self.letter.message_id, detail=detail)
        return told(Stage.CONTENT, reply.code, reply.message, self.letter.recipient)

    def _envelope(self, client: aiosmtplib.SMTP) -> tuple[Sequence[bytes], Sequence[bytes]]:
        letter = self.letter
        sender = [b"MAIL", f"FROM:<{letter.sender}>".encode()]
        recipient = [b"RCPT", f"TO:<{letter.recipient}>".encode()]
        if client.supports_extension("size"):
            sender.append(f"SIZE={len(letter.body)}".encode())
        if letter.utf8:
            sender.append(b"SMTPUTF8")
        if client.supports_extension("dsn"):
            sender += [b"RET=HDRS", f"ENVID={letter.reference}".encode()]
            recipient.append(b"NOTIFY=SUCCESS,FAILURE" if self.receipts else b"NOTIFY=FAILURE")
        return sender, recipient

    def broken(self, error: Exception) -> Told:
        """What it means that the connection broke, or that the time was up."""
        kind = type(error).__name__
        unreadable = isinstance(error, aiosmtplib.SMTPResponseException)
        fault = Fault.PROVIDER if unreadable else Fault.NETWORK
        code = "unreadable" if unreadable else "unanswered"
        if self.whole:
            return Told(Answered.UNKNOWN, fault=fault, code=code, detail=kind)
        return Told(Answered.LATER, fault=fault, code="interrupted", detail=kind)


def _before_the_end(answer: Told) -> Told:
    """A reply that cannot be read, before there was a whole letter: nothing was sent."""
    if answer.answered is Answered.UNKNOWN:
        answer.answered = Answered.LATER
    return answer


@dataclass(slots=True)
class _Sender:
    account: Account
    http: Http
    secure: bool  # encrypted from the first byte
    host: str
    port: int
    _kept: list[_Line] = field(default_factory=list)
    _places: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._places = asyncio.Semaphore(int(self.account.options.get("connections", CONNECTIONS)))

    async def send(self, parcel: Parcel) -> Told:
        """Make one transaction at most."""
        if not isinstance(parcel.content, Mail):
            return other_than("SMTP", "mail")
        try:
            letter = written(self.account, parcel, parcel.content)
        except ValueError:
            return Told(Answered.REFUSED, fault=Fault.PERSON, code="not_writable")
        one = _Try(letter, bool(self.account.options.get("receipts", False)))
        try:
            async with asyncio.timeout(self.account.total_timeout), self._places:
                return await self._carry(one)
        except _Refused as error:
            return error.told
        except NeverSent as error:
            return Told(Answered.LATER, fault=Fault.NETWORK, code="unreachable", detail=str(error))
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            return one.broken(error)

    async def look_up(self, reference: str) -> Found | None:
        """Mail servers answer no such question."""
        return None

    async def _carry(self, one: _Try) -> Told:
        line = await self._line()
        fit = False
        try:
            answer = await one.over(line)
            fit = line.client.is_connected and line.carried < MOST
            return answer
        finally:
            if fit:
                self._keep(line)
            else:
                line.client.close()

    async def _line(self) -> _Line:
        while self._kept:
            line = self._kept.pop()
            if await line.alive():
                return line
            line.client.close()
        return _Line(await self._open())

    def _keep(self, line: _Line) -> None:
        def end() -> None:
            self._kept.remove(line)
            line.part()

        line.ending = asyncio.get_running_loop().call_later(IDLE, end)
        self._kept.append(line)

    async def _open(self) -> aiosmtplib.SMTP:
        account, options = self.account, self.account.options
        starttls = not self.secure and bool(options.get("starttls", True))
        bare = not self.secure and not starttls
        patience = account.connect_timeout
        sock = await self.http.connected(self.host, self.port, timeout=patience, bare=bare)
        client = aiosmtplib.SMTP(
            hostname=self.host,
            port=None,
            sock=sock,
            local_hostname=on_the_wire(account.sender).rpartition("@")[2],
            username=account.credentials.get("username") or None,
            password=account.credentials.get("password") or None,
            use_tls=self.secure,
            start_tls=starttls,
            tls_context=None if bare else _trust(str(options.get("ca", ""))),
            timeout=account.total_timeout,
        )
        try:
            await client.connect()
            if client.is_ehlo_or_helo_needed:
                await client.ehlo()
        except (aiosmtplib.SMTPTimeoutError, aiosmtplib.SMTPServerDisconnected) as error:
            raise NeverSent(type(error).__name__) from error
        except aiosmtplib.SMTPResponseException as error:
            client.close()
            raise _Refused(told(Stage.OPENING, error.code, error.message)) from error
        except aiosmtplib.SMTPConnectError as error:  # TLS too
            raise NeverSent(f"{type(error).__name__} ({type(error.__cause__).__name__})") from error
        except ssl.SSLError as error:
            raise NeverSent(f"TLS: {type(error).__name__}") from error
        except aiosmtplib.SMTPException as error:  # no STARTTLS, no way to log in: as it is set up
            client.close()
            refused = Told(Answered.LATER, fault=Fault.ACCOUNT, code="not_offered", detail=str(error)[:300])
            raise _Refused(refused) from error
        except BaseException:
            client.close()
            raise
        return client


@lru_cache(maxsize=64)
def _trust(authority: str) -> ssl.SSLContext:
    """What the server's certificate must be signed by: this PEM, or whom everybody trusts."""
    return ssl.create_default_context(cadata=authority or None)


class Smtp:
    """The provider: mail, and nothing else."""

    name: ClassVar[str] = "smtp"
    base_url: ClassVar[str] = ""
    protocols: ClassVar[tuple[str, ...]] = ("smtps", "smtp")
    schemes: ClassVar[tuple[str, ...]] = ("mailto",)
    can_look_up: ClassVar[bool] = False
    has_window: ClassVar[bool] = False
    text_limit: ClassVar[int] = 64_000
    kinds: ClassVar[frozenset[str]] = frozenset(("email",))
    credentials: ClassVar[dict[str, str]] = {
        "username": "logs in at the mail server",
        "password": "logs in at the mail server",
        "hook_key": "proves bounces that are posted to us, and signs the links to unsubscribe",
    }
    speaks_http: ClassVar[bool] = True  # by its own telling: the module says where
    # What a company's server or a small plan of a service takes without a word.
    limits: ClassVar[Limits] = Limits(rate=10)
    counts_segments: ClassVar[bool] = False
    thanks: ClassVar[tuple[str, str]] = ("", "")

    def sender(self, account: Account, http: Http) -> Sender:
        """Raises Misconfigured without a server, or a sender that is a mail address."""
        parts = urlsplit(account.base_url)
        if parts.scheme not in PORTS or not parts.hostname:
            raise Misconfigured(
                "an SMTP channel needs base_url",
                where="config.base_url",
                hint="smtps://mail.example.org, or smtp://mail.example.org:587 for STARTTLS",
            )
        for where, address in (("sender", account.sender), *_places(account.options)):
            try:
                on_the_wire(address)
            except ValueError as error:
                raise Misconfigured(str(error), where=f"config.{where}") from None
        port = parts.port or PORTS[parts.scheme]
        return _Sender(account, http, parts.scheme == "smtps", parts.hostname, port)

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Raises Invalid with every problem."""
        problems = [
            Problem(f"config.options.{name}", "SMTP has no such option", "It has: " + ", ".join(_OPTIONS))
            for name in options
            if name not in _OPTIONS
        ]
        for where, address in _places(options):
            try:
                on_the_wire(address)
            except ValueError as error:
                problems.append(Problem(f"config.{where}", str(error)))
        problems += [
            Problem(f"config.options.{name}", "write true or false")
            for name in ("starttls", "receipts")
            if not isinstance(options.get(name, False), bool)
        ]
        name = options.get("from_name", "")
        if not isinstance(name, str) or not name.isprintable() or len(name) > 200:
            problems.append(Problem("config.options.from_name", "a name is one line of text"))
        connections = options.get("connections", CONNECTIONS)
        if type(connections) is not int or not 1 <= connections <= 100:
            problems.append(Problem("config.options.connections", "a number from 1 to 100"))
        if (authority := options.get("ca", "")) and not _readable(authority):
            problems.append(Problem("config.options.ca", "not certificates in PEM"))
        if problems:
            raise Invalid("the channel's options are not right", problems=tuple(problems))

    def verified(self, account: Account, call: Call) -> bool:
        """Whether who calls has the hook's key (as a bearer, or as the password of a Basic login), or
        follows a link that we gave out."""
        if UNSUBSCRIBE in dict(call.query):
            return leaves(account, call)
        key = account.credentials.get("hook_key", "")
        given = _secret(call.headers.get("authorization", ""))
        return bool(key) and hmac.compare_digest(key.encode(), given.encode(errors="replace"))

    def challenge(self, account: Account, call: Call) -> str | None:
        """Nobody asks one."""
        return None

    def page(self, account: Account, call: Call) -> str | None:
        """A button for who follows the link with a browser: programs that only look at links must not
        unsubscribe anybody (RFC 8058 1). What is posted is the same that a mail program posts."""
        if not leaves(account, call):
            return None
        try:
            address = who_leaves(call)
        except ValueError:
            return None
        return (_BUTTON if call.method == "GET" else _DONE).replace("{address}", escape(address or ""))

    def read(self, account: Account, call: Call) -> Sequence[Event]:
        """A person who leaves, or bounces."""
        address = who_leaves(call)
        return bounces.read(call) if address is None else [OptOut("mailto", address)]


def _places(options: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(f"options.{n}", str(options[n])) for n in ("reply_to", "bounces") if options.get(n)]


def _readable(authority: object) -> bool:
    try:
        _trust(str(authority))
    except (ssl.SSLError, ValueError):
        return False
    return True


def _secret(header: str) -> str:
    kind, _, given = header.partition(" ")
    if kind.lower() != "basic":
        return given if kind.lower() == "bearer" else ""
    try:
        return b64decode(given, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex"><title>Unsubscribe</title></head>
<body style="font: 1.1rem/1.5 sans-serif; max-width: 32rem; margin: 3rem auto; padding: 0 1rem">
{body}
</body></html>
"""
_BUTTON = _PAGE.replace(
    "{body}",
    """<h1>Unsubscribe?</h1><p>No more messages will be sent to <b>{address}</b>.</p>
<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click">
<button style="font: inherit; padding: .5rem 1.5rem">Unsubscribe</button></form>""",
)
_DONE = _PAGE.replace(
    "{body}", "<h1>Unsubscribed</h1><p>No more messages will be sent to <b>{address}</b>.</p>"
)


provider = Smtp()
