"""Transactions: how a letter is handed to a mail server, and what it means where that breaks.

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
import socket
import ssl
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import aiosmtplib

from clarion.kit.http import Http, NeverSent, departing
from clarion.providers.calling import other_than
from clarion.providers.contract import Account, Answered, Fault, Found, Mail, Parcel, Told
from clarion.providers.letters import Letter, on_the_wire, written
from clarion.providers.replies import Stage, shown, told

IDLE = 10.0  # seconds that a connection is kept for the next letter
MOST = 100  # letters over one connection
CONNECTIONS = 5  # at once, where the channel says nothing else


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
class Transactions:
    """The sender of one account at its server. Implements contract.Sender."""

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
            tls_context=None if bare else trust(str(options.get("ca", ""))),
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
def trust(authority: str) -> ssl.SSLContext:
    """What the server's certificate must be signed by: this PEM, or whom everybody trusts."""
    return ssl.create_default_context(cadata=authority or None)
