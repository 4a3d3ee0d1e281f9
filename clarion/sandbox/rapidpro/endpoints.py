"""The endpoints of people and campaigns together: which request goes where, and what it answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

import orjson

from clarion.sandbox.head import Handler, Head, response
from clarion.sandbox.rapidpro.actions import Actions
from clarion.sandbox.rapidpro.bodies import Body, read
from clarion.sandbox.rapidpro.campaigns import Campaigns
from clarion.sandbox.rapidpro.complaints import Complaint, not_found
from clarion.sandbox.rapidpro.contacts import Contacts
from clarion.sandbox.rapidpro.events import Events
from clarion.sandbox.rapidpro.fields import Fields
from clarion.sandbox.rapidpro.fires import fires
from clarion.sandbox.rapidpro.groups import Groups
from clarion.sandbox.rapidpro.lists import Query, Row, page
from clarion.sandbox.rapidpro.settings import RapidProSettings
from clarion.sandbox.rapidpro.throttle import Throttle
from clarion.sandbox.rapidpro.workspace import ACTIVE, ARCHIVED, STOPPED, Workspace, moment
from clarion.sandbox.server import Exchange
from clarion.sandbox.world import World

NAMES = ("contacts", "contact_actions", "fields", "groups", "campaigns", "campaign_events")
_LOOKUPS = {"contacts": ("uuid", "urn"), "fields": ("key",)}  # all others: uuid
_BY_HAND = re.compile(r"/rapidpro/(stop|archive|restore)/([0-9a-f-]{36})")
_STATUSES = {"stop": STOPPED, "archive": ARCHIVED, "restore": ACTIVE}


class Listed(Protocol):
    """Something that is listed and written."""

    scope: str

    def rows(self, query: Query, at: int) -> Iterator[Row]: ...
    def create(self, body: Body) -> dict[str, Any]: ...
    def update(self, query: Query, body: Body) -> tuple[int, dict[str, Any]]: ...


@runtime_checkable
class Deletable(Protocol):
    def delete(self, query: Query) -> None: ...


class Endpoints:
    """Serves one workspace; emptied with the sandbox's record."""

    def __init__(self, world: World, flows: dict[str, str]) -> None:
        self._world, self._flows = world, flows
        self._run = world.record.run
        self._begin()

    def _begin(self) -> None:
        self.workspace = Workspace(self._world.clock.now)
        self._throttle = Throttle()

    @property
    def _settings(self) -> RapidProSettings:
        return self._world.config.rapidpro

    def by_hand(self, head: Head) -> Handler | None:
        """What people do there and no API does: `POST /rapidpro/stop/<uuid>`, archive, restore; and what its
        campaigns say from now (or `?after=`) on, `GET /rapidpro/fires`."""
        if (head.method, head.path) == ("GET", "/rapidpro/fires"):
            return lambda _: self._fires(head.query.get("after", [""])[0])
        match = _BY_HAND.fullmatch(head.path) if head.method == "POST" else None
        return None if match is None else lambda _: self._set(match[2], _STATUSES[match[1]])

    def _set(self, uuid: str, status: str) -> bytes:
        self._same_record()
        found = self.workspace.contact(uuid)
        if found is None:
            return response(404, b"{}")
        self.workspace.set_status([found], status)
        return response(200, b"{}")

    def _fires(self, after: str) -> bytes:
        self._same_record()
        try:
            since = moment(after) if after else self.workspace.now()
        except ValueError:
            return response(400, orjson.dumps({"detail": f"{after} is no moment"}))
        return response(200, orjson.dumps(fires(self.workspace, since)))

    def answer(self, exchange: Exchange, name: str) -> bytes:
        """The whole answer to one request of somebody whose token was good."""
        self._same_record()
        try:
            return self._answer(exchange, name)
        except Complaint as complaint:
            return response(complaint.status, orjson.dumps(complaint.body))

    def _same_record(self) -> None:
        if self._run != self._world.record.run:
            self._run = self._world.record.run
            self._begin()

    def _answer(self, exchange: Exchange, name: str) -> bytes:
        head, endpoint = exchange.head, self._endpoint(name)
        if (refused := self._throttled(endpoint.scope)) is not None:
            return refused
        query = {key: values[0] for key, values in head.query.items()}
        if isinstance(endpoint, Actions):
            if head.method != "POST":
                raise _not_allowed(head.method)
            endpoint.act(read(exchange.body))
            return response(204, b"")
        if head.method == "GET":
            at = self.workspace.now() - round(self._settings.read_lag * 1_000_000)
            address = f"http://{head.headers.get('host', '')}{head.path}"
            told = page(endpoint.rows(query, at), query, address, self._settings.page)
            return response(200, orjson.dumps(told))
        return self._write(endpoint, name, head.method, query, exchange.body)

    def _write(self, endpoint: Listed, name: str, method: str, query: Query, raw: bytes) -> bytes:
        by = [key for key in _LOOKUPS.get(name, ("uuid",)) if key in query]
        if len(by) > 1:
            raise Complaint(400, {"detail": f"URL can only contain one of the {', '.join(by)} parameters"})
        if method == "POST":
            body = read(raw)
            status, made = endpoint.update(query, body) if by else (201, endpoint.create(body))
            return response(status, orjson.dumps(made))
        if method != "DELETE" or not isinstance(endpoint, Deletable):
            raise _not_allowed(method)
        if not by:
            raise not_found()
        endpoint.delete(query)
        return response(204, b"")

    def _endpoint(self, name: str) -> Any:
        settings, there = self._settings, self.workspace
        if name == "campaign_events":
            return Events(there, self._flows, round(settings.scheduling_for * 1_000_000))
        if name in ("fields", "groups"):
            return (Fields if name == "fields" else Groups)(there, settings.most)
        return {"contacts": Contacts, "contact_actions": Actions, "campaigns": Campaigns}[name](there)

    def _throttled(self, scope: str) -> bytes | None:
        settings, now = self._settings, self._world.clock.now()
        wait = self._throttle.wait(scope, now, settings.requests, settings.window)
        if wait is None:
            return None
        said = {"detail": f"Request was throttled. Expected available in {wait} seconds."}
        return response(429, orjson.dumps(said), headers=[("Retry-After", str(wait))])


def _not_allowed(method: str) -> Complaint:
    return Complaint(405, {"detail": f'Method "{method}" not allowed.'})
