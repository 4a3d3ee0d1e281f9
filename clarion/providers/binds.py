"""Binds: the connection to an SMSC that lets us in, and how a text goes over it.

One try is the submit_sm of one text: one, or one for each segment, one after the other. The first decides:
what it is refused for, the whole text is refused for, and nothing has been sent. Once the SMSC has taken a
part, somebody may see it, and to begin again would show it twice; so whatever then keeps the text from being
whole is `unknown` (code `incomplete`), for a person to decide. A part that is throttled meanwhile is offered
again, within the time of the try: that refusal proves that the SMSC does not have it.

The try is marked before its first submit_sm: binding takes seconds and counts for nothing. An answer that
comes when nobody waits for it any more is heard like a receipt: it names the message, and settles the try.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from clarion.kit.http import Http, NeverSent, departing
from clarion.kit.log import logger
from clarion.providers.abilities import Hear
from clarion.providers.calling import called_back, text_only
from clarion.providers.contract import Account, Answered, Call, Fault, Found, Parcel, Text, Told
from clarion.providers.line import Broken, Line
from clarion.providers.pdus import BIND_TRANSCEIVER, SUBMIT_SM, Pdu, Place, bind, submissions

WINDOW = 10  # submit_sm without an answer, where the channel says nothing else
ENQUIRE_LINK = 30.0  # seconds
OFFERED_AGAIN = 0.5  # seconds until a throttled part is offered again
IDLE = 10.0  # seconds that a bind is kept to which nobody listens
LONGEST_PAUSE = 30.0  # seconds between two binds that fail
HEARD, PDU = "SMPP", "application/vnd.smpp"
log = logger(__name__)


class _Refused(Exception):
    """There is no bind, and why."""

    def __init__(self, told: Told) -> None:
        super().__init__(told.code)
        self.told = replace(told)


@dataclass(slots=True)
class _Try:
    """How far one try came: `left` once its first byte may have, and how many parts were taken."""

    reference: str
    parts: Sequence[bytes]
    means: Callable[[Pdu], Told]
    left: bool = False
    taken: int = 0

    async def over(self, line: Line) -> Told:
        """Submit the parts. Raises what the line raises, and what the departure does."""
        if not line.open:
            raise NeverSent("the bind has ended")
        departure = departing.get()
        if departure is not None:
            departure.check()
            departure.leave()
        self.left = True
        for part in self.parts:
            told = await self._offer(line, part)
            if told.answered is not Answered.ACCEPTED:
                return told if not self.taken else self._incomplete(told.fault, told.code)
            self.taken += 1
        return told

    async def _offer(self, line: Line, part: bytes) -> Told:
        # a late answer to the last part tells of the whole; to another, of nothing
        reference = self.reference if self.taken + 1 == len(self.parts) else ""
        while True:
            told = self.means(await line.ask(SUBMIT_SM, part, reference))
            if not self.taken or (told.answered, told.fault) != (Answered.LATER, Fault.RATE):
                return told
            await asyncio.sleep(OFFERED_AGAIN)

    def _incomplete(self, fault: Fault | None, code: str | None) -> Told:
        detail = f"{self.taken} of {len(self.parts)} parts were taken, and then: {code}"
        return Told(Answered.UNKNOWN, fault=fault or Fault.PROVIDER, code="incomplete", detail=detail)

    def broken(self, error: Exception) -> Told:
        """What it means that the connection broke, or that the time was up."""
        kind = type(error).__name__
        if self.taken:
            return self._incomplete(Fault.NETWORK, kind)
        if self.left:
            return Told(Answered.UNKNOWN, fault=Fault.NETWORK, code="unanswered", detail=kind)
        return Told(Answered.LATER, fault=Fault.NETWORK, code="unreachable", detail=kind)


@dataclass(slots=True)
class Binds:
    """The sender of one account at its SMSC. Implements contract.Sender and abilities.Hearing.

    `means` says what an answer to a submit_sm means, `refused` what an answer to a bind does.
    """

    account: Account
    http: Http
    secure: bool  # encrypted from the first byte
    host: str
    port: int
    source: Place
    kind: tuple[int, int]  # type of number and numbering plan of those who are written to
    means: Callable[[Pdu], Told]
    refused: Callable[[Pdu], Told]
    _line: Line | None = None
    _opening: asyncio.Task[Line | Told] | None = None
    _failed: Told | None = None
    _again: float = 0.0  # monotonic; until then a bind that failed is not tried again
    _pause: float = 0.0
    _hear: Hear | None = None
    _resting: asyncio.TimerHandle | None = None
    _parting: asyncio.Task[None] | None = None
    _number: int = field(default_factory=lambda: random.randrange(256))  # noqa: S311

    @property
    def options(self) -> Mapping[str, object]:
        return self.account.options

    async def send(self, parcel: Parcel) -> Told:
        """Make one try: every part is submitted once, but for what is proven not to have been taken."""
        if not isinstance(parcel.content, Text):
            return text_only("SMPP")
        try:
            one = _Try(parcel.reference, self._parts(parcel, parcel.content.body), self.means)
        except ValueError:
            return Told(Answered.REFUSED, fault=Fault.PERSON, code="not_writable")
        try:
            async with asyncio.timeout(self.account.total_timeout):
                return await self._carry(one)
        except _Refused as error:
            return error.told
        except NeverSent as error:
            return Told(Answered.LATER, fault=Fault.NETWORK, code="unreachable", detail=str(error))
        except (Broken, TimeoutError, OSError) as error:
            return one.broken(error)

    async def look_up(self, reference: str) -> Found | None:
        """An SMSC knows nothing of our references (query_sm asks by its own)."""
        return None

    async def listen(self, hear: Hear) -> None:
        """Stay bound, and hear what the SMSC delivers."""
        self._hear = hear
        loop = asyncio.get_running_loop()
        try:
            while True:
                try:
                    line = await self._bound()
                    await line.ended.wait()
                except _Refused as error:
                    log.warning("there is no bind to listen on", code=error.told.code)
                await asyncio.sleep(max(OFFERED_AGAIN, self._again - loop.time()))
        finally:
            await self._leave()
            self._hear = None

    async def _carry(self, one: _Try) -> Told:
        line = await self._bound()
        if self._resting is not None:
            self._resting.cancel()
        try:
            async with line.window:
                return await one.over(line)
        finally:
            if self._hear is None:  # nobody keeps it, and nobody will close it
                self._resting = asyncio.get_running_loop().call_later(IDLE, self._part, line)

    def _part(self, line: Line) -> None:
        self._parting = asyncio.create_task(line.leave())

    def _parts(self, parcel: Parcel, text: str) -> list[bytes]:
        self._number = (self._number + 1) % 256
        return submissions(
            self.source,
            Place(parcel.address.lstrip("+"), *self.kind),
            text,
            number=self._number,
            payload=self.options.get("long") == "payload",
            latin=self.options.get("alphabet") == "latin1",
            receipt=bool(self.options.get("receipts", True)),
        )

    # --- the bind

    async def _bound(self) -> Line:
        """The bind that there is, or a new one, which all who ask wait for. Raises _Refused."""
        if self._line is not None and self._line.open:
            return self._line
        if self._failed is not None and asyncio.get_running_loop().time() < self._again:
            raise _Refused(self._failed)
        if self._opening is None or self._opening.done():
            self._opening = asyncio.create_task(self._open())
        made = await asyncio.shield(self._opening)
        if isinstance(made, Told):
            raise _Refused(made)
        return made

    async def _open(self) -> Line | Told:
        try:
            made = await self._let_in(await self._connected())
        except (NeverSent, Broken, OSError, TimeoutError) as error:
            detail = str(error) or type(error).__name__
            made = Told(Answered.LATER, fault=Fault.NETWORK, code="unreachable", detail=detail)
        if isinstance(made, Told):
            self._pause = min(LONGEST_PAUSE, 2 * self._pause or OFFERED_AGAIN)
            self._again = asyncio.get_running_loop().time() + self._pause
            self._failed = made
        else:
            self._failed, self._pause, self._line = None, 0.0, made
        return made

    async def _connected(self) -> Line:
        account = self.account
        bare = not self.secure and not self.options.get("plaintext")
        sock = await self.http.connected(self.host, self.port, timeout=account.connect_timeout, bare=bare)
        context = trust(str(self.options.get("ca", ""))) if self.secure else None
        async with asyncio.timeout(account.connect_timeout):
            reader, writer = await asyncio.open_connection(
                sock=sock, ssl=context, server_hostname=self.host if self.secure else None
            )
        window, every = self.options.get("window", WINDOW), self.options.get("enquire_link", ENQUIRE_LINK)
        return Line(reader, writer, int(str(window)), float(str(every)), account.connect_timeout, self._told)

    async def _let_in(self, line: Line) -> Line | Told:
        credentials = self.account.credentials
        body = bind(
            credentials["system_id"],
            credentials.get("password", ""),
            str(self.options.get("system_type", "")),
        )
        try:
            async with asyncio.timeout(self.account.connect_timeout):
                answer = await line.ask(BIND_TRANSCEIVER, body)
            if answer.status or answer.command != Pdu(BIND_TRANSCEIVER, 0, 0).answer().command:
                line.end()
                return self.refused(answer)
        except BaseException:
            line.end()
            raise
        return line

    async def _told(self, pdu: Pdu, line: str, reference: str) -> bool:
        """The SMSC delivers, or answers late; whether that is durable. Raises what `hear` does."""
        if self._hear is None:
            return False
        more = {"bind": line, **({"late": reference} if reference else {})}
        url = called_back(self.account.hook, **more)
        await self._hear(Call(HEARD, url, {"content-type": PDU}, pdu.raw))
        return True

    async def _leave(self) -> None:
        if self._opening is not None and not self._opening.done():
            self._opening.cancel()
            await asyncio.wait({self._opening})
        if self._line is not None:
            await self._line.leave()


@lru_cache(maxsize=64)
def trust(authority: str) -> ssl.SSLContext:
    """What the SMSC's certificate must be signed by: this PEM, or whom everybody trusts."""
    return ssl.create_default_context(cadata=authority or None)
