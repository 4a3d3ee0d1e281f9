"""A campaign is made equal to what is wanted, in rounds: read, plan, do, wait, until a plan is empty.

Nothing is kept on our side. Whoever is killed, or was not answered, leaves something half done, which the
next plan finishes. Lists lag, so a round is read only `settle` seconds after the last change: what a plan
made twice since it did not see it is taken away by a later one. Campaigns cannot be taken away, so one is
made only where it was missing twice, `settle` seconds apart.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from clarion.connectors.rapidpro.client import Client, Refused, Unsure, words
from clarion.connectors.rapidpro.plan import (
    TYPES,
    CampaignThere,
    Event,
    Plan,
    There,
    Wanted,
    event_there,
    one_of_name,
    plan,
)
from clarion.errors import NotFound, Unavailable

SETTLE = 10.0  # seconds that lists may lag
ROUNDS = 8
BUSY, TAKEN = "currently being scheduled", "must be unique"
BUSY_TRIES, BUSY_WAIT = 30, 2.0


@dataclass(slots=True)
class Pushed:
    """What was done. `rounds` that changed anything."""

    rounds: int = 0
    created: int = 0
    updated: int = 0
    deleted: int = 0


@dataclass(frozen=True, slots=True)
class Pusher:
    """Over one client. `told` hears of every change that was made, in few words."""

    client: Client
    settle: float = SETTLE
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    told: Callable[[str], None] = lambda done: None

    async def foresee(self, wanted: Wanted) -> tuple[There, Plan]:
        """What there is, and what `push` would do; nothing is changed. Raises as `push`."""
        wanted.check()
        there = await self._read(wanted)
        return there, plan(wanted, there)

    async def push(self, wanted: Wanted) -> Pushed:
        """Make it so. Running it again changes nothing. Raises Invalid, Conflict, Misconfigured, Unavailable
        (also where it does not come to an end: somebody else may be changing the same campaign)."""
        done, missing = Pushed(), False
        for _ in range(ROUNDS):
            there, todo = await self.foresee(wanted)
            if todo.empty:
                return done
            with suppress(Unsure):  # the next round sees what became of it
                missing = await self._round(wanted, there, todo, done, certain=missing)
            await self.sleep(self.settle)
        raise Unavailable(
            f"the campaign {wanted.name} is not as it should be after {ROUNDS} rounds",
            hint="Is somebody else changing it? Run it again.",
        )

    async def _read(self, wanted: Wanted) -> There:
        fields = {str(row["key"]): str(row["type"]) for row in await self.client.all("fields")}
        groups = {str(row["name"]).casefold(): str(row["uuid"]) for row in await self.client.all("groups")}
        campaigns = [
            CampaignThere(str(row["uuid"]), str(row["name"]), str(row["group"]["uuid"]))
            for row in await self.client.all("campaigns")
            if not row.get("archived")
        ]
        mine = one_of_name(campaigns, wanted.name)
        rows = await self.client.all("campaign_events", {"campaign": mine.uuid}) if mine else []
        return There(fields, groups, campaigns, dict(map(event_there, rows)))

    async def _round(self, wanted: Wanted, there: There, todo: Plan, done: Pushed, *, certain: bool) -> bool:
        """Do what is planned; whether the campaign was missing, and is so until it was `certain`."""
        for field in todo.fields:
            # under the name that gives its key there
            await self._make("fields", field.key.replace("_", " "), {"type": TYPES[field.type]})
        if todo.make_group:
            await self._make("groups", wanted.group, {})
        if todo.campaign is None and not certain:
            return True
        done.rounds += 1
        campaign = await self._campaign(wanted, there, todo)
        for event in todo.create:
            await self.client.post("campaign_events", {"campaign": campaign, **event.body()})
            done.created += 1
            self.told("an event is made")
        for uuid, event in todo.update:
            await self._change(uuid, event)
            done.updated += 1
            self.told("an event is changed")
        for uuid in todo.delete:
            await self._change(uuid, None)
            done.deleted += 1
            self.told("an event is taken away")
        return False

    async def _make(self, what: str, name: str, more: dict[str, str]) -> None:
        """A field or a group; of one that is there, and was not seen yet, RapidPro says so."""
        try:
            await self.client.post(what, {"name": name, **more})
            self.told(f"{name} of the {what} is made")
        except Refused as refused:
            if TAKEN not in words(refused.body):
                raise

    async def _campaign(self, wanted: Wanted, there: There, todo: Plan) -> str:
        group = there.groups.get(wanted.group.casefold(), wanted.group)
        body = {"name": wanted.name, "group": group}
        if todo.campaign is None:
            made = await self.client.post("campaigns", body)
            self.told(f"the campaign {wanted.name} is made")
            return str(made["uuid"])
        if todo.regroup:
            await self.client.post("campaigns", body, {"uuid": todo.campaign})
            self.told(f"the campaign {wanted.name} is changed")
        return todo.campaign

    async def _change(self, uuid: str, event: Event | None) -> None:
        """Change an event, or take it away. RapidPro does neither while it schedules it: ask again until it
        does. One that is not there any more was shown by a list that lags."""
        for _ in range(BUSY_TRIES):
            try:
                with suppress(NotFound):
                    if event is None:
                        await self.client.delete("campaign_events", {"uuid": uuid})
                    else:
                        await self.client.post("campaign_events", event.body(), {"uuid": uuid})
                return
            except Refused as refused:
                if BUSY not in words(refused.body):
                    raise
            await self.sleep(BUSY_WAIT)
        raise Unavailable("RapidPro is still scheduling an event", hint="Run it again in some minutes.")
