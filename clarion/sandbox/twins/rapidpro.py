"""The twin of RapidPro's API v2: one workspace, its broadcasts, flow starts and messages, for whoever asks.
Its people and campaigns are in `sandbox.rapidpro`.

Shapes follow the API's own documentation and RapidPro's public source. The workspace is the sending number
`selam`; its token is one of the sandbox's. It calls nobody: what a status or a person's message changes is
seen by who reads the lists. A broadcast's text is evaluated as there: `@@` is an @, and what looks like an
expression says nothing here. Three flows are known, `FLOWS`.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any, ClassVar
from urllib.parse import urlencode

import orjson

from clarion.sandbox.calls import Calls
from clarion.sandbox.dialect import Example, Refusal, Submission, Told, Webhook
from clarion.sandbox.head import Handler, Head, response
from clarion.sandbox.rapidpro.endpoints import NAMES, Endpoints
from clarion.sandbox.rapidpro.shapes import message_row, number_of, spelled, uuid_of
from clarion.sandbox.record import ACCEPTED, OUTCOMES, STATUSES, Entry
from clarion.sandbox.server import Exchange
from clarion.sandbox.world import Inbound, Number, World

WORKSPACE = "selam"
WELCOME = "f5901b62-ba76-4003-9c62-72fdacc1b7b7"
BOTS = ("0c5b8f1e-6d37-4c1a-9b57-31a9d7f3c001", "0c5b8f1e-6d37-4c1a-9b57-31a9d7f3c002")
FLOWS = {WELCOME: "Welcome", BOTS[0]: "Bot 1", BOTS[1]: "Bot 2"}
PAGE = 250
_PATH = re.compile(rf"/api/v2/(broadcasts|flow_starts|messages|{'|'.join(NAMES)})\.json")
_URN = re.compile(r"(tel:\+|whatsapp:)([0-9]{7,15})")
_EXPRESSION = re.compile(r"@@|@\([^)]*\)|@(?:contact|fields|globals|urns)\b[\w.]*")
_STATES = {
    "accepted": "queued",
    "sent": "wired",
    "delivered": "delivered",
    "read": "read",
    "failed": "failed",
}
_STARTED = {"accepted": "pending", "failed": "failed"}
_TEXT, _START = 0, 2  # of record.KINDS
_NO_TOKEN, _NO_URN, _NO_FLOW, _NO_TEXT, _NOWHERE, _BUSY = 403, 400, 4001, 4002, 404, 429
COMPLAINTS: dict[int, tuple[int, dict[str, Any]]] = {
    _NO_TOKEN: (403, {"detail": "Invalid token"}),
    _NO_URN: (400, {"urns": {"0": ["Invalid URN: tel:0. Ensure phone numbers contain country codes."]}}),
    _NO_FLOW: (400, {"flow": ["No such object: 0"]}),
    _NO_TEXT: (400, {"non_field_errors": ["Must provide either text or attachments."]}),
    _NOWHERE: (404, {"detail": "Not found."}),
    _BUSY: (429, {"detail": "Request was throttled."}),
}


@dataclass(slots=True)
class Made:
    """What a request made, beyond what the record keeps of it, and how it went on."""

    urn: str
    body: dict[str, Any]
    status: int = 0  # of record.STATUSES
    changed: float | None = None


class RapidPro:
    """Speaks for one world. Implements dialect.Twin and dialect.Pushing: nothing is posted."""

    batches: ClassVar[bool] = False
    example: ClassVar[Example] = Example(
        WORKSPACE,
        {"token": "sandbox-token"},
        {"look_up": True, "flows": {"welcome": WELCOME}},
        never=frozenset(("not_processed_503", "call", "reference", "settle", "repeat")),
    )

    def __init__(self, world: World) -> None:
        self._world = world
        self._calls: Calls | None = None
        self._made: dict[str, Made] = {}  # by the record's name of it
        self._endpoints = Endpoints(world, FLOWS)

    def serve(self, calls: Calls) -> None:
        """Take requests from now on."""
        self._calls = calls

    def route(self, head: Head) -> Handler | None:
        """The handler of this head, when the address is this provider's."""
        calls, match = self._calls, _PATH.fullmatch(head.path)
        if (by_hand := self._endpoints.by_hand(head)) is not None:
            return by_hand
        if match is None or calls is None:
            return None
        number = self._world.number(WORKSPACE, "rapidpro")
        kind, _, token = head.headers.get("authorization", "").partition(" ")
        if number is None or kind != "Token" or token not in number.keys:
            return lambda _: calls.invalid(self, Refusal(_NO_TOKEN))
        if match[1] in NAMES:
            return lambda exchange: self._endpoints.answer(exchange, match[1])
        if head.method == "GET":
            return lambda exchange: self._list(exchange, match[1], number)
        made: dict[str, Callable[[Exchange, Calls, Number], bytes | None]] = {
            "broadcasts": self._broadcast, "flow_starts": self._start,
        }  # fmt: skip
        take = made.get(match[1])
        return None if take is None else lambda exchange: take(exchange, calls, number)

    # --- what is made

    def _broadcast(self, exchange: Exchange, calls: Calls, number: Number) -> bytes | None:
        try:
            said = orjson.loads(exchange.body)
            (urn,) = said["urns"]
            text = said["text"][said["base_language"]]
        except (ValueError, KeyError, TypeError):
            return calls.invalid(self, Refusal(_NO_TEXT), sender=number.sender)
        shown = _EXPRESSION.sub(lambda found: "@" if found[0] == "@@" else "", text)
        return self._submit(exchange, calls, number, said, urn, _TEXT, shown, "")

    def _start(self, exchange: Exchange, calls: Calls, number: Number) -> bytes | None:
        try:
            said = orjson.loads(exchange.body)
            (urn,) = said["urns"]
            params = dict(said.get("params", {}))
        except (ValueError, KeyError, TypeError):
            return calls.invalid(self, Refusal(_NO_TEXT), sender=number.sender)
        if (flow := FLOWS.get(said.get("flow"))) is None:
            return calls.invalid(self, Refusal(_NO_FLOW), sender=number.sender)
        values = ", ".join(f"{name}: {value}" for name, value in params.items() if name != "clarion")
        return self._submit(
            exchange, calls, number, said, urn, _START, f"{flow} {values}".strip(), params.get("clarion", "")
        )

    def _submit(
        self, exchange: Exchange, calls: Calls, number: Number, said: dict[str, Any], urn: Any, kind: int,
        text: str, reference: str,
    ) -> bytes | None:  # fmt: skip
        found = _URN.fullmatch(urn) if isinstance(urn, str) else None
        if found is None:
            return calls.invalid(self, Refusal(_NO_URN), "", reference, text, number.sender)
        given = orjson.dumps({"urn": urn, "body": said}).decode()
        return calls.submit(exchange, self, Submission(number, found[2], reference, kind, text, given))

    # --- what is listed

    def _list(self, exchange: Exchange, name: str, number: Number) -> bytes:
        if number.bucket is not None and not number.bucket.take(time.monotonic()):
            return self.refused(self._throttled(number))
        query = {key: values[0] for key, values in exchange.head.query.items()}
        if name == "messages":
            rows = [*self._messages(number), *self._written(number)]
            by, backwards = "created_on", True
        elif name == "broadcasts":
            rows = [self._row(entry) for entry in self._entries(number, _TEXT)]
            by, backwards = "created_on", True
        else:
            self._world.lookups += 1
            rows = [self._row(entry) for entry in self._entries(number, _START)]
            by, backwards = "modified_on", query.get("reverse") != "true"
        rows = [row for row in rows if row[by] >= query.get("after", "")]
        rows.sort(key=lambda row: (row[by], str(row.get("id") or row.get("uuid"))), reverse=backwards)
        start = int(query.get("cursor", "0"))
        more = urlencode({**query, "cursor": start + PAGE}) if len(rows) > start + PAGE else None
        following = None if more is None else f"https://elsewhere.example{exchange.head.path}?{more}"
        told = {"next": following, "previous": None, "results": rows[start : start + PAGE]}
        now = formatdate(self._world.clock.now(), usegmt=True)
        return response(200, orjson.dumps(told), headers=[("Date", now)])

    def _entries(self, number: Number, kind: int) -> Iterator[Entry]:
        word = ("text", "template", "other")[kind]
        for entry in self._world.record.entries():
            ours = entry.sender == number.id and entry.kind == word
            if ours and entry.outcome == OUTCOMES[ACCEPTED] and self._name(entry) in self._made:
                yield entry

    def _name(self, entry: Entry) -> str:
        return self._world.record.wamid(entry.row)

    def _row(self, entry: Entry) -> dict[str, Any]:
        """A broadcast or a flow start."""
        name = self._name(entry)
        return self._broadcast_row(name, entry) if entry.kind == "text" else self._start_row(name, entry)

    def _broadcast_row(self, name: str, entry: Entry | None) -> dict[str, Any]:
        made = self._made[name]
        return {
            "id": number_of(name), "urns": [made.urn], "contacts": [], "groups": [],
            "text": made.body["text"], "attachments": {}, "base_language": made.body["base_language"],
            "status": "queued", "created_on": spelled(self._at(entry)),
        }  # fmt: skip

    def _start_row(self, name: str, entry: Entry | None) -> dict[str, Any]:
        made, at = self._made[name], self._at(entry)
        flow = str(made.body["flow"])
        changed = at if made.changed is None else max(at, made.changed)
        return {
            "uuid": uuid_of(name), "flow": {"uuid": flow, "name": FLOWS[flow]}, "groups": [],
            "contacts": [{"uuid": uuid_of(made.urn), "name": "Amina"}],
            "status": _STARTED.get(STATUSES[made.status], "complete"), "params": made.body.get("params", {}),
            "created_on": spelled(at), "modified_on": spelled(changed), "restart_participants": True,
            "exclude_active": made.body.get("exclude_active", False),
        }  # fmt: skip

    def _messages(self, number: Number) -> Iterator[dict[str, Any]]:
        for entry in self._entries(number, _TEXT):
            name = self._name(entry)
            made, at = self._made[name], self._at(entry)
            changed = spelled(at if made.changed is None else made.changed)
            yield {
                **message_row(f"{name} to", made.urn, entry.text, spelled(at), "out"),
                "broadcast": number_of(name), "status": _STATES[STATUSES[made.status]],
                "sent_on": changed if made.status else None, "modified_on": changed,
            }  # fmt: skip

    def _written(self, number: Number) -> Iterator[dict[str, Any]]:
        for said in self._world.inbound:
            if said.number == number.id:
                at = spelled(said.at)
                yield message_row(said.id, f"tel:+{said.person.lstrip('+')}", said.text, at, "in")

    def _at(self, entry: Entry | None) -> float:
        at = None if entry is None else entry.accepted_at
        return self._world.clock.now() if at is None else at

    # --- words

    def objection(self, submission: Submission, now: float, mono: float) -> Refusal | None:
        bucket = submission.number.bucket
        return None if bucket is None or bucket.take(mono) else self._throttled(submission.number)

    def _throttled(self, number: Number) -> Refusal:
        own = self._world.config.numbers.get(number.id)
        rate = (own.rate if own else None) or self._world.config.rate or 1.0
        return Refusal(_BUSY, retry_after=math.ceil(1.0 / rate))

    def throttled(self, retry_after: float | None) -> Refusal:
        return Refusal(_BUSY, retry_after=retry_after)

    def not_processed(self, code: int) -> Refusal:
        return Refusal(_BUSY)

    def accepted(self, submission: Submission, wamid: str) -> bytes:
        given = orjson.loads(submission.given)
        self._made[wamid] = Made(given["urn"], given["body"])
        row = self._broadcast_row if submission.kind == _TEXT else self._start_row
        return response(201, orjson.dumps(row(wamid, None)))

    def refused(self, refusal: Refusal) -> bytes:
        status, said = COMPLAINTS.get(refusal.code, COMPLAINTS[_NO_URN])
        headers = [] if refusal.retry_after is None else [("Retry-After", f"{refusal.retry_after:g}")]
        return response(status, orjson.dumps(said), headers=headers)

    def broken(self) -> bytes:
        return response(500, b"Server Error. Site administrators have been notified.", "text/html")

    def malformed(self) -> bytes:
        return response(201, b'{"id": 1')

    # --- what goes on

    def statuses(self, number: Number, told: Sequence[Told]) -> Webhook | None:
        """A status is seen from now on; none goes back."""
        (one,) = told
        made = self._made.get(self._world.record.wamid(one.row))
        if made is not None and one.status > made.status:
            made.status, made.changed = one.status, one.at
        return Webhook("", {})

    def inbound(self, number: Number, messages: Sequence[Inbound]) -> Webhook | None:
        return Webhook("", {})

    async def push(self, number: Number, webhook: Webhook) -> bool:
        """Nobody is told: who asks sees it."""
        return True


TWIN = RapidPro
