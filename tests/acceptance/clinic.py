"""The clinic of examples/clinic on a virtual clock: its files, our API, and providers that only pretend.

Time goes from one moment at which something happens to the next. What is due is said by the providers' own
code, over HTTP and SMTP, to a sandbox in another process, and what was heard is read from its record.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from clarion.api.app import create_app
from clarion.domain.imports import ImportOptions
from clarion.domain.message import Outcome, reference
from clarion.flow import configure
from clarion.flow.compose import Composer
from clarion.flow.dispatch import account
from clarion.flow.ingest import import_file, start_import
from clarion.flow.services import Services
from clarion.kit.clock import FakeClock
from clarion.kit.db import rows
from clarion.kit.http import Http
from clarion.providers.contract import Answered, Parcel, Sender
from clarion.sandbox.client import SandboxProcess
from clarion.sandbox.dialect import Example
from clarion.sandbox.twins import africastalking, fcm, smtp
from clarion.store import imports
from tests.api.client import Api, serving
from tests.flow.alerting import work
from tests.flow.announcing import Dispatch

FILES = Path(__file__).parents[2] / "examples" / "clinic"
HOME = ZoneInfo("Africa/Nairobi")
PROVIDERS = {"SMS": "africastalking", "e-mail": "smtp", "push": "fcm"}
TWINS: dict[str, Example] = {
    "SMS": africastalking.TWIN.example, "e-mail": smtp.TWIN.example, "push": fcm.TWIN.example,
}  # fmt: skip
ALERTS = {"patient": "SMS", "nurse": "e-mail", "worker": "push", "missed": "push"}
"""Each alert's file, and what it goes over."""
PHONES = {
    "254712000001": "Amina", "353850000003": "Rosa", "251911000002": "Abebe", "254712000004": "John",
    "254712000010": "Zeinab",
}  # fmt: skip


class Heard(NamedTuple):
    """What somebody's phone showed: when, by the clocks of Nairobi, over what, and which words."""

    at: str
    who: str
    over: str
    words: str


def local(moment: str) -> datetime:
    """A moment by the clocks of Nairobi ("2026-03-02 15:00")."""
    return datetime.fromisoformat(moment).replace(tzinfo=HOME).astimezone(UTC)


@dataclass
class Clinic:
    """A workspace with three channels, the people, visits and alerts of the example, and what was heard."""

    services: Services
    workspace: UUID
    api: Api
    http: Http
    sandbox: SandboxProcess
    composer: Composer
    desks: dict[str, Dispatch] = field(default_factory=dict)
    senders: dict[str, Sender] = field(default_factory=dict)
    alerts: list[UUID] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)

    @property
    def clock(self) -> FakeClock:
        assert isinstance(self.services.clock, FakeClock)
        return self.services.clock

    async def asks(self, path: str, body: object) -> Any:
        """A POST that must go well."""
        reply = await self.api.post(f"/api/v1{path}", body)
        assert reply.status in (200, 201), reply.json
        return reply.json

    async def opens(self) -> None:
        """The channels are made, the files taken in, and the alerts launched."""
        for over in PROVIDERS:
            await self._channel(over)
        await self._takes_in("people.csv")
        await self.asks("/case-types", json.loads((FILES / "visit.json").read_text(encoding="utf-8")))
        await self._takes_in("visits.csv", case_type="visit")
        for name, over in ALERTS.items():
            text = (FILES / f"{name}.json").read_text(encoding="utf-8")
            written = await self.asks(
                "/alerts", json.loads(text.replace("CHANNEL", str(self.desks[over].channel_id)))
            )
            assert written["state"] == "running"
            self.alerts.append(UUID(written["id"]))
        await self.works()

    async def says(self, case: str, **word: Any) -> None:
        """A case is saved, and the same form is sent once more; the worker sees both."""
        said = {"type": "visit", "external_id": case, **word}
        for outcome in (("created", "updated"), ("unchanged",)):
            (result,) = (await self.asks("/cases", {"cases": [said]}))["results"]
            assert result["outcome"] in outcome, result
            await self.works()

    async def works(self) -> None:
        """What a worker does at this moment: it looks after every alert, then what is ready is said."""
        for alert_id in self.alerts:
            await work(self.services, self.workspace, alert_id)
        for over in self.desks:
            await self._speaks(over)
        await self._listens()

    async def until(self, moment: str) -> None:
        """Time goes by up to this moment by the clocks of Nairobi, and this moment too."""
        end = local(moment)
        while (soon := await self._next()) is not None and soon <= end:
            self.clock.advance((soon - self.clock.now()).total_seconds())
            await self.works()
        self.clock.advance((end - self.clock.now()).total_seconds())
        await self.works()

    # --- inside

    async def _channel(self, over: str) -> None:
        twin = TWINS[over]
        base_url = await asyncio.to_thread(self.sandbox.address, twin.protocol)
        async with self.services.db.tenant(self.workspace) as connection:
            channel_id = await configure.create_channel(
                connection, self.services, self.workspace, name=over, provider=PROVIDERS[over],
                config={"base_url": base_url, "sender": twin.sender, "options": dict(twin.options)},
                credentials=twin.credentials,
            )  # fmt: skip
        channel = await account.load(self.services, self.workspace, channel_id)
        self.senders[over] = channel.provider.sender(channel.account, self.http)
        self.desks[over] = Dispatch(self.services, self.workspace, channel_id, channel_id)

    async def _takes_in(self, name: str, **options: Any) -> None:
        """As `clarion import contacts` and `clarion case import` do; nothing of it may be wrong."""
        db, clock = self.services.db, self.services.clock
        chosen = ImportOptions.model_validate(options)
        import_id = await start_import(db, clock, self.workspace, FILES / name, options=chosen)
        ended = await import_file(db, clock, self.workspace, import_id)
        async with db.tenant(self.workspace) as connection:
            wrong = await imports.problems(connection, import_id)
        assert (ended["state"], ended["refused"], wrong) == ("done", 0, [])
        assert ended["created"] > 0

    async def _speaks(self, over: str) -> None:
        """Stands where a desk stands: all that is due over this channel, by its provider."""
        desk, now = self.desks[over], self.services.clock.now()
        assert desk.channel_id is not None
        channel = await account.load(self.services, self.workspace, desk.channel_id)
        while begun := await desk.begin():
            async with self.services.db.tenant(self.workspace) as connection:
                await self.composer.inform(connection, [waiting for waiting, _ in begun])
            for waiting, attempt_id in begun:
                words, _ = self.composer.compose(channel, waiting, now)
                name = reference(waiting.cohort, attempt_id)
                told = await self.senders[over].send(Parcel(name, waiting.scheme, waiting.address, words))
                assert told.answered is Answered.ACCEPTED, told
            await desk.end(begun, Outcome.ACCEPTED)

    async def _listens(self) -> None:
        """What phones have shown since the last look, by the sandbox's own record."""
        accepted = await asyncio.to_thread(self.sandbox.accepted)
        over = {twin.sender: name for name, twin in TWINS.items()}
        at = f"{self.clock.now().astimezone(HOME):%Y-%m-%d %H:%M}"
        self.heard += [
            Heard(at, PHONES[one["to"]], over[one["from"]], one["text"].strip())
            for one in accepted[len(self.heard) :]
        ]

    async def _next(self) -> datetime | None:
        """The next moment at which something is due, or the calendar turns a case."""
        async with self.services.db.tenant(self.workspace) as connection:
            (found,) = await rows(
                connection,
                """SELECT
                     (SELECT min(next_due) FROM enrollment WHERE state = 'active' AND next_due > %s) AS due,
                     (SELECT min(next_turn) FROM episode WHERE next_turn > %s) AS turn""",
                (self.clock.now(), self.clock.now().astimezone(HOME).date()),
            )
        some = [found["due"]] if found["due"] else []
        if found["turn"]:
            some.append(datetime.combine(found["turn"], time(), HOME))
        return min(some, default=None)


@asynccontextmanager
async def clinic(services: Services, sandbox: SandboxProcess) -> AsyncIterator[Clinic]:
    """Selam Clinic in Nairobi, with its API served and nothing in it yet."""
    made = await configure.create_workspace(services, name="Selam Clinic", country="KE", timezone=HOME.key)
    async with serving(create_app(services)) as base, Http() as http:
        api = Api(base, made.key.shown(), made.workspace_id)
        yield Clinic(services, made.workspace_id, api, http, sandbox, Composer(services))
