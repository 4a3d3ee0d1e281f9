"""Verboice (InSTEDD): calls that say a text, and what became of them.

Shapes follow Verboice's own source (Api::CallsController, Channel#call, session.erl). A call is queued with
the flow that it speaks, TwiML with one `Say`; Verboice has its own queue, retries and schedules, which belong
to its channel (the `sender` here). It can be asked for a call by its own number only, not by our reference,
so there is no look-up: our reference travels in the call's status_callback_url, with a proof, because the
callback is a plain GET. Verboice makes it once and never again: a status that is lost is lost.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from typing import ClassVar
from xml.sax.saxutils import escape, quoteattr

import orjson
from yarl import URL

from clarion.domain.limits import Limits
from clarion.errors import Misconfigured
from clarion.kit.http import Answer, Http, prepared
from clarion.providers.calling import asked, by_status, called_back, encoded, proof, proves, text_only
from clarion.providers.contract import (
    Account,
    Answered,
    Call,
    Evidence,
    Fault,
    Found,
    Inbound,
    Parcel,
    Receipt,
    Sender,
    Text,
    Told,
)

# Verboice says in words why it queues nothing: how they begin → (how it ended, whose fault, our code).
_L, _R = Answered.LATER, Answered.REFUSED
TABLE: dict[str, tuple[Answered, Fault, str]] = {
    "Channel not found": (_L, Fault.ACCOUNT, "channel_not_found"),
    "Channel is disabled": (_L, Fault.ACCOUNT, "channel_disabled"),
    "Call address cannot be empty": (_R, Fault.PERSON, "no_address"),
}
_EVIDENCE = {
    "queued": Evidence.ACCEPTED,
    "ringing": Evidence.ACCEPTED,
    "in-progress": Evidence.ACCEPTED,
    "completed": Evidence.DELIVERED,
    "failed": Evidence.FAILED,
    "busy": Evidence.FAILED,
    "no-answer": Evidence.FAILED,
    "expired": Evidence.FAILED,
}
_THE_PERSONS = ("busy", "no-answer")
_NO_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


class _Sender:
    def __init__(self, account: Account, http: Http) -> None:
        user, password = account.credentials.get("username"), account.credentials.get("password")
        if not account.base_url or not account.sender or not user or not password:
            raise Misconfigured(
                "a Verboice channel needs base_url, sender (Verboice's channel), credentials.username and "
                "credentials.password",
                where="channel",
                hint="`clarion channel set NAME --set base_url=https://… --set sender=… "
                "--credential username=… --credential password=…` writes them.",
            )
        self._url = f"{account.base_url.rstrip('/')}/api/call"
        login = base64.b64encode(f"{user}:{password}".encode()).decode()
        # not as XML, which its framework would read itself
        self._headers = prepared({"Authorization": f"Basic {login}", "Content-Type": "text/plain"})
        self._account = account
        self._http = http

    async def send(self, parcel: Parcel) -> Told:
        if not isinstance(parcel.content, Text):
            return text_only("Verboice")
        query = encoded(fields(self._account, parcel.address, parcel.reference))
        url = URL(f"{self._url}?{query}", encoded=True)
        flow = spoken(parcel.content.body, str(self._account.options.get("language") or ""))
        answer = await asked(self._http, self._account, "POST", url, self._headers, flow.encode())
        return answer if isinstance(answer, Told) else told(answer)

    async def look_up(self, reference: str) -> Found | None:
        """Verboice cannot be asked by our reference."""
        return None


def fields(account: Account, to: str, reference: str) -> Iterator[tuple[str, str]]:
    """The request's query for one call. `channel` (an option) is for names with a space."""
    yield "channel", str(account.options.get("channel") or account.sender)
    yield "address", to.removeprefix("+")
    key = account.credentials.get("hook_key")
    if account.hook and key:
        back = called_back(account.hook, ref=reference, proof=proof(key, reference))
        yield "status_callback_url", back


def spoken(text: str, language: str = "") -> str:
    """The flow that says this."""
    attribute = f" language={quoteattr(language)}" if language else ""
    return f"<Response><Say{attribute}>{escape(_NO_XML.sub('', text))}</Say></Response>"


def told(answer: Answer) -> Told:
    """What an answer means. A 2xx that cannot be read, or without a number, was not refused: unknown."""
    try:
        document = orjson.loads(answer.body)
        if answer.status == 200:
            return Told(Answered.ACCEPTED, provider_id=str(int(document["call_id"])))
        why = str(document["error"])
    except (ValueError, KeyError, TypeError):
        return by_status(answer)
    for beginning, (answered, fault, code) in TABLE.items():
        if answer.status == 400 and why.startswith(beginning):
            return Told(answered, fault=fault, code=code, detail=beginning)
    return by_status(answer)


class Verboice:
    """The provider. Options: `language` (of the voice), `channel` (where its name holds a space)."""

    name: ClassVar[str] = "verboice"
    base_url: ClassVar[str] = ""  # everybody's own
    schemes: ClassVar[tuple[str, ...]] = ("tel",)
    can_look_up: ClassVar[bool] = False
    has_window: ClassVar[bool] = False
    text_limit: ClassVar[int] = 1000  # a minute or more of speech
    kinds: ClassVar[frozenset[str]] = frozenset(("text",))
    credentials: ClassVar[dict[str, str]] = {
        "username": "the account's mail address",
        "password": "the account's",
        "hook_key": "a word of ours that makes statuses genuine: without it none is taken",
    }
    speaks_http: ClassVar[bool] = True
    limits: ClassVar[Limits] = Limits(rate=1)  # Verboice queues; its channels have few lines
    counts_segments: ClassVar[bool] = False
    thanks: ClassVar[tuple[str, str]] = ("", "")

    def sender(self, account: Account, http: Http) -> Sender:
        return _Sender(account, http)

    def verified(self, account: Account, call: Call) -> bool:
        return proves(account.credentials.get("hook_key", ""), call.query)

    def challenge(self, account: Account, call: Call) -> str | None:
        return None

    def read(self, account: Account, call: Call) -> Sequence[Receipt | Inbound]:
        said = dict(call.query)
        status = said.get("CallStatus")
        if status is None or "ref" not in said:
            raise ValueError("this is not a status of Verboice's")
        evidence = _EVIDENCE.get(status)
        if evidence is None:
            return []
        code = (said.get("CallStatusCode") or status) if evidence is Evidence.FAILED else None
        fault = Fault.PERSON if status in _THE_PERSONS else None
        return [Receipt(evidence, None, said["ref"], said.get("CallSid") or None, code, fault)]


provider = Verboice()
