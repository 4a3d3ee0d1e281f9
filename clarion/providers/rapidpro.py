"""RapidPro, and TextIt, by API v2: texts as broadcasts to one person, and starts of flows.

Shapes follow the API's own documentation (`/api/v2/`) and RapidPro's public source. It calls nobody, so
`rereading` asks for what became of things and for what people wrote.

A flow start keeps our reference among its `params`. A broadcast keeps nothing of ours: its messages name it
by its number, by which they find their try. `messages.json` would take one contact's identifier only, which
costs a second request for each text and is no better: it keeps nothing of ours either. A broadcast's text is
an expression template, so each @ of ours is doubled.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import orjson
from yarl import URL

from clarion.domain.content import REFERENCE_PARAM
from clarion.domain.limits import Limits
from clarion.errors import Invalid, Misconfigured, Problem
from clarion.kit.clock import Clock
from clarion.kit.http import Answer, Http, prepared
from clarion.providers import rereading
from clarion.providers.abilities import Reread
from clarion.providers.calling import asked, by_status, other_than
from clarion.providers.contract import (
    Account,
    Answered,
    Call,
    Fault,
    FlowStart,
    Found,
    Inbound,
    Parcel,
    Receipt,
    Sender,
    Text,
    Told,
)
from clarion.providers.searching import Search

# The field that a 400 complains of → (how it ended, whose fault). Nothing was made then. What is wrong for
# everybody goes before what is wrong with one person.
_L, _R = Answered.LATER, Answered.REFUSED
TABLE: dict[str, tuple[Answered, Fault]] = {
    "flow": (_L, Fault.CONTENT),
    "text": (_L, Fault.CONTENT),
    "params": (_L, Fault.CONTENT),
    "base_language": (_L, Fault.CONTENT),
    "urns": (_R, Fault.PERSON),
}
_BLOCKED = ("flagged", "suspended")  # words about the workspace, which stand under no field
_NOWHERE = (404, 405, 409, 410)  # no such place, or the workspace may have no more of them
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_LANGUAGE = re.compile(r"[a-z]{3}")
_OPTIONS = ("flows", "language", "exclude_active", "look_up", "poll_every", "reread_hours")


class _Sender:
    def __init__(self, account: Account, http: Http, clock: Clock) -> None:
        token = account.credentials.get("token")
        if not account.base_url or not token:
            raise Misconfigured(
                "a RapidPro channel needs base_url and credentials.token",
                where="channel",
                hint="`clarion channel set NAME --set base_url=https://… --credential token=…` writes them.",
            )
        self._base = account.base_url.rstrip("/")
        self._headers = prepared({"Authorization": f"Token {token}", "Content-Type": "application/json"})
        self._account, self._http = account, http
        lists = rereading.Lists(http, account, self._base, self._headers)
        self._search = Search(lists, clock)
        self._rereader = rereading.Rereader(lists, clock, account.options)

    async def send(self, parcel: Parcel) -> Told:
        urn = urn_of(parcel.scheme, parcel.address)
        if isinstance(parcel.content, Text):
            return await self._post("broadcasts", "id", broadcast(self._account, urn, parcel.content), parcel)
        if not isinstance(parcel.content, FlowStart):
            return other_than("RapidPro", "text")
        flow = flow_of(self._account.options, parcel.content.flow)
        if flow is None:
            detail = f"the channel's option `flows` has no {parcel.content.flow[:100]!r}"
            return Told(Answered.LATER, fault=Fault.CONTENT, code="unknown_flow", detail=detail)
        start = flow_start(self._account, urn, flow, parcel.content, parcel.reference)
        return await self._post("flow_starts", "uuid", start, parcel)

    async def _post(self, what: str, name: str, body: Mapping[str, Any], parcel: Parcel) -> Told:
        url = URL(f"{self._base}/api/v2/{what}.json")
        answer = await asked(self._http, self._account, "POST", url, self._headers, orjson.dumps(body))
        end = answer if isinstance(answer, Told) else told(answer, name)
        if end.detail is not None:
            end.detail = end.detail.replace(parcel.address.lstrip("+"), "…")[:200]
        return end

    async def look_up(self, reference: str) -> Found | None:
        return await self._search.find(reference)

    async def poll(self, cursor: str) -> Reread:
        return await self._rereader.poll(cursor)


def urn_of(scheme: str, address: str) -> str:
    """An address as RapidPro spells it: WhatsApp's numbers have no plus."""
    return f"{scheme}:{address.removeprefix('+') if scheme == 'whatsapp' else address}"


def broadcast(account: Account, urn: str, text: Text) -> dict[str, Any]:
    """A text to one person, whatever language theirs is there."""
    language = str(account.options.get("language", "eng"))
    escaped = text.body.replace("@", "@@")
    return {"urns": [urn], "text": {language: escaped}, "base_language": language}


def flow_of(options: Mapping[str, Any], named: str) -> str | None:
    """The identifier of a flow: itself, or by the name that the channel gives it."""
    if _UUID.fullmatch(named):
        return named.lower()
    found = options.get("flows", {}).get(named)
    return None if found is None else str(found)


def flow_start(account: Account, urn: str, flow: str, content: FlowStart, reference: str) -> dict[str, Any]:
    """The start of a flow for one person."""
    start: dict[str, Any] = {
        "flow": flow,
        "urns": [urn],
        "params": {**dict(content.params), REFERENCE_PARAM: reference},
    }
    if account.options.get("exclude_active"):
        start["exclude_active"] = True
    return start


def told(answer: Answer, name: str) -> Told:
    """What an answer means; `name` is where it says what was made."""
    try:
        said = orjson.loads(answer.body)
    except ValueError:
        said = None
    if answer.status in (200, 201):
        made = said.get(name) if isinstance(said, dict) else None
        taken = isinstance(made, str | int) and bool(made)
        return Told(Answered.ACCEPTED, provider_id=str(made)) if taken else by_status(answer)
    if answer.status == 400:
        return _invalid(answer, said)
    detail = _words(said.get("detail")) if isinstance(said, dict) else None
    if answer.status in _NOWHERE:
        return Told(_L, fault=Fault.ACCOUNT, code=f"http_{answer.status}", detail=detail)
    return by_status(answer, detail=detail)


def _invalid(answer: Answer, said: Any) -> Told:
    if not isinstance(said, dict):
        return by_status(answer)
    for place, (answered, fault) in TABLE.items():
        if place in said:
            # what it says of an address repeats the address
            words = None if fault is Fault.PERSON else _words(said[place])
            return Told(answered, fault=fault, code=f"invalid_{place}", detail=words)
    words = _words(said.get("non_field_errors") or said.get("detail"))
    if words and any(word in words.lower() for word in _BLOCKED):
        return Told(_L, fault=Fault.ACCOUNT, code="workspace_blocked", detail=words)
    return by_status(answer, detail=words)


def _words(said: Any) -> str | None:
    """The first words of a complaint, however deep they stand."""
    while isinstance(said, list | dict) and said:
        said = said[0] if isinstance(said, list) else next(iter(said.values()))
    return said if isinstance(said, str) else None


@dataclass(frozen=True)
class RapidPro:
    """The provider. Options: `flows` (names for flows of the workspace: their identifiers), `language` (of
    the texts, ISO 639-3), `exclude_active` (who is in another flow is left out there), `look_up`,
    `poll_every` (seconds), `reread_hours`."""

    clock: Clock = field(default_factory=Clock)

    name: ClassVar[str] = "rapidpro"
    base_url: ClassVar[str] = ""  # everybody's own; TextIt's is https://textit.com
    schemes: ClassVar[tuple[str, ...]] = ("tel", "whatsapp")
    can_look_up: ClassVar[bool] = True
    has_window: ClassVar[bool] = False
    text_limit: ClassVar[int] = 4096  # a workspace of one's own may have set less: then it says so
    kinds: ClassVar[frozenset[str]] = frozenset(("text", "flow_start"))
    credentials: ClassVar[dict[str, str]] = {"token": "the API token of a user of the workspace"}
    speaks_http: ClassVar[bool] = True
    limits: ClassVar[Limits] = Limits(rate=0.65)  # of 2,500 requests an hour; some are for asking
    counts_segments: ClassVar[bool] = False
    thanks: ClassVar[tuple[str, str]] = ("", "")
    by_its_own_names: ClassVar[bool] = True
    is_polled: ClassVar[bool] = True

    def sender(self, account: Account, http: Http) -> Sender:
        return _Sender(account, http, self.clock)

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Raises Invalid with every problem."""
        problems = [
            Problem(f"config.options.{name}", "RapidPro has no such option", "It has: " + ", ".join(_OPTIONS))
            for name in options
            if name not in _OPTIONS
        ]
        for name, wrong in _WRONG.items():
            if name in options and (what := wrong(options[name])):
                problems.append(Problem(f"config.options.{name}", what))
        if problems:
            raise Invalid("the channel's options are not right", problems=tuple(problems))

    def knows_flow(self, options: Mapping[str, Any], flow: str) -> bool:
        return flow_of(options, flow) is not None

    def verified(self, account: Account, call: Call) -> bool:
        return False  # RapidPro reports nothing to anybody

    def challenge(self, account: Account, call: Call) -> str | None:
        return None

    def read(self, account: Account, call: Call) -> Sequence[Receipt | Inbound]:
        return rereading.read(call)


def _flows(value: Any) -> str:
    right = isinstance(value, dict) and all(
        isinstance(uuid, str) and _UUID.fullmatch(uuid) and 0 < len(name) <= 200
        for name, uuid in value.items()
    )
    return "" if right else 'write names with the identifiers of flows: {"Welcome": "f5901b62-…"}'


def _language(value: Any) -> str:
    right = isinstance(value, str) and _LANGUAGE.fullmatch(value)
    return "" if right else "write three letters, as in eng or swa (ISO 639-3)"


def _yes_or_no(value: Any) -> str:
    return "" if isinstance(value, bool) else "write true or false"


def _between(least: int, most: int) -> Any:
    def wrong(value: Any) -> str:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return "" if number and least <= value <= most else f"write a number from {least} to {most:,}"

    return wrong


_WRONG: Mapping[str, Any] = {
    "flows": _flows,
    "language": _language,
    "exclude_active": _yes_or_no,
    "look_up": _yes_or_no,
    "poll_every": _between(10, 3600),
    "reread_hours": _between(1, 168),
}

provider = RapidPro()
