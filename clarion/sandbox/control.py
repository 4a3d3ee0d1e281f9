"""The control API, below /sandbox/: the truth, the settings, faults, and people who write.

It answers JSON; what is wrong with a request is told as problem+json (RFC 9457). It asks for no key: a
sandbox listens on the loopback, and is no place for anything secret.
"""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
from collections.abc import Callable, Coroutine, Mapping
from typing import Any
from urllib.parse import urlencode

import orjson

from clarion.errors import ClarionError, Invalid, NotFound
from clarion.sandbox import truth
from clarion.sandbox.bodies import (
    FaultBody,
    InboundBody,
    ReceiptBody,
    ResetBody,
    VerifyBody,
    decoded,
    problem,
    read,
    refusal,
)
from clarion.sandbox.config import merge, parse_config
from clarion.sandbox.dialect import Told
from clarion.sandbox.faults import Queued, fault
from clarion.sandbox.head import Handler, Head, response
from clarion.sandbox.receipts import Receipts
from clarion.sandbox.record import STATUSES, Entry
from clarion.sandbox.server import Exchange, Server
from clarion.sandbox.truth import digits
from clarion.sandbox.world import Number, World

PREFIX = "/sandbox/"


class Control:
    """Serves the control API of one world. `more`: what else is controlled here, by method and name."""

    def __init__(
        self, world: World, receipts: Receipts, server: Server,
        more: Mapping[tuple[str, str], Callable[[Exchange], object]],
    ) -> None:  # fmt: skip
        self._world = world
        self._receipts = receipts
        self._server = server
        self._tasks: set[asyncio.Task[None]] = set()
        self._routes: dict[tuple[str, str], Handler] = {
            ("GET", "health"): self._plain(lambda _: {"status": "ok", "requests": len(world.record)}),
            ("GET", "record/summary"): self._plain(lambda _: self.summary()),
            ("GET", "record/people"): self._plain(lambda e: truth.people(world, e)),
            ("GET", "record/messages"): self._plain(lambda e: truth.messages(world, e)),
            ("GET", "record/dump"): self._dump,
            ("GET", "addresses"): self._plain(lambda _: world.addresses),
            ("GET", "webhooks"): self._plain(lambda _: self._webhooks()),
            ("GET", "config"): self._plain(lambda _: world.config.model_dump()),
            ("PUT", "config"): self._plain(lambda e: self._configure(decoded(e.body), whole=True)),
            ("PATCH", "config"): self._plain(lambda e: self._configure(decoded(e.body), whole=False)),
            ("POST", "faults"): self._plain(self._add_fault),
            ("GET", "faults"): self._plain(lambda _: self._queue()),
            ("DELETE", "faults"): self._plain(lambda _: self._clear_faults()),
            ("POST", "inbound"): self._plain(self._inbound),
            ("POST", "receipts"): self._plain(self._tell),
            ("POST", "verify"): self._later(self._verify),
            ("POST", "reset"): self._plain(self._reset),
            **{named: self._plain(make) for named, make in more.items()},
        }

    def route(self, head: Head) -> Handler | None:
        """The handler of this head when its address begins with /sandbox/."""
        if not head.path.startswith(PREFIX):
            return None
        if _from_elsewhere(head):
            foreign = problem(403, "forbidden", "a page of another origin may not control the sandbox")
            return lambda _: foreign
        name = head.path.removeprefix(PREFIX).rstrip("/")
        handler = self._routes.get((head.method, name))
        if handler is not None:
            return handler
        if name.startswith("phone/") and head.method == "GET":
            person = name.removeprefix("phone/").lstrip("+")
            return self._plain(lambda _: truth.phone(self._world, person))
        allowed = [method for method, known in self._routes if known == name]
        if allowed:
            refused = problem(405, "method-not-allowed", f"{head.method} is not for this address")
            return lambda _: refused
        return self._plain(lambda _: _nothing_here(head.path))

    def summary(self) -> dict[str, object]:
        """All counts, with how the webhooks and the look-ups went."""
        return {
            **self._world.record.summary(),
            "inbound": len(self._world.inbound),
            "lookups": self._world.lookups,
            "listings": self._world.listings,
            "webhooks": self._webhooks(),
        }

    def _webhooks(self) -> dict[str, int]:
        return {**dataclasses.asdict(self._receipts.tally), "pending": self._receipts.pending}

    # --- how an answer is made

    def _plain(self, make: Callable[[Exchange], object]) -> Handler:
        def handler(exchange: Exchange) -> bytes:
            try:
                return response(200, orjson.dumps(make(exchange)))
            except ClarionError as error:
                return refusal(error)

        return handler

    def _later(self, make: Callable[[Exchange], Coroutine[Any, Any, object]]) -> Handler:
        async def finish(exchange: Exchange) -> None:
            try:
                answer = response(200, orjson.dumps(await make(exchange)))
            except ClarionError as error:
                answer = refusal(error)
            exchange.answer(answer)

        def handler(exchange: Exchange) -> None:
            self._spawn(finish(exchange))

        return handler

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _dump(self, exchange: Exchange) -> None:
        everything = exchange.head.first("all") is not None
        self._spawn(exchange.stream("application/x-ndjson", truth.dump(self._world, everything)))

    # --- settings and faults

    def _configure(self, document: object, *, whole: bool) -> object:
        config = parse_config(document) if whole else merge(self._world.config, document)
        self._world.configure(config)
        self._settled()
        return config.model_dump()

    def _settled(self) -> None:
        self._server.forget_heads()
        self._server.keep_alive = self._world.config.keep_alive
        self._server.retime()

    def _add_fault(self, exchange: Exchange) -> object:
        body = read(FaultBody, exchange.body)
        try:
            struck = fault(body.fault, body.parameter)
        except ValueError as error:
            raise Invalid(str(error), where="fault") from error
        to = None if body.to is None else digits(body.to)
        self._world.faults.add(Queued(struck, body.count, to, body.reference))
        return self._queue()

    def _queue(self) -> object:
        return {
            "faults": [
                {
                    "fault": q.fault.name,
                    "parameter": q.fault.parameter,
                    "count": q.left,
                    "to": q.to,
                    "reference": q.reference,
                }
                for q in self._world.faults.queue
            ]
        }

    def _clear_faults(self) -> object:
        self._world.faults.clear_queue()
        return self._queue()

    def _reset(self, exchange: Exchange) -> object:
        body = read(ResetBody, exchange.body)
        self._receipts.reset()
        self._world.reset()
        if body.config:
            self._world.configure(parse_config({}))
        self._settled()
        return self.summary()

    # --- people and receipts

    def _inbound(self, exchange: Exchange) -> object:
        body = read(InboundBody, exchange.body)
        person = digits(body.person)
        number = self._world.number_for(body.phone_number_id, person)
        tapped = body.text is None
        message = (
            self._world.tap(number, person, body.tap or "")
            if tapped
            else self._world.write(number, person, body.text or "")
        )
        posted = self._receipts.listened(number)
        if posted:
            self._receipts.hear(number, message)
        return {"id": message.id, "phone_number_id": number.id, "at": message.at, "posting": posted}

    def _tell(self, exchange: Exchange) -> object:
        body = read(ReceiptBody, exchange.body)
        entries = [e for e in self._named(body) if e.accepted_at is not None]
        if not entries:
            raise NotFound("no accepted message has this id or reference")
        code = body.code if body.status == "failed" else 0
        for entry in entries:
            number = self._number(entry)
            told = Told(entry.row, STATUSES.index(body.status), self._world.clock.now(), code)
            self._receipts.tell(number, told, body.times)
        return {"messages": len(entries), "statuses": len(entries) * body.times}

    def _named(self, body: ReceiptBody) -> list[Entry]:
        record = self._world.record
        if (body.wamid is None) == (body.reference is None):
            raise Invalid("name the message by wamid or by reference")
        if body.reference is not None:
            return record.with_reference(body.reference)
        row = record.row_of(body.wamid or "")
        return [] if row is None else [record.entry(row)]

    def _number(self, entry: Entry) -> Number:
        return self._world.number_for(entry.sender, entry.to)

    async def _verify(self, exchange: Exchange) -> object:
        body = read(VerifyBody, exchange.body)
        number = self._world.number_for(body.phone_number_id, "")
        if number.callback_url is None:
            raise Invalid("this number has no callback_url", where="phone_number_id")
        challenge = secrets.token_hex(8)
        token = number.verify_token if body.verify_token is None else body.verify_token
        query = urlencode({"hub.mode": body.mode, "hub.verify_token": token, "hub.challenge": challenge})
        joint = "&" if "?" in number.callback_url else "?"
        try:
            status, text = await self._receipts.get(f"{number.callback_url}{joint}{query}", 10.0)
        except (OSError, TimeoutError) as error:
            return {"verified": False, "status": None, "error": str(error) or "no answer in 10 s"}
        return {"verified": status == 200 and text == challenge, "status": status, "body": text[:200]}


def _from_elsewhere(head: Head) -> bool:
    """Whether a browser asks on behalf of a page that is not ours: loopback alone does not keep those out."""
    origin = head.headers.get("origin")
    return origin is not None and origin.partition("://")[2] != head.headers.get("host", "")


def _nothing_here(path: str) -> object:
    raise NotFound(f"the sandbox has nothing at {path}", hint="docs/sandbox.md lists its addresses")
