"""Catalogues: which templates a channel's provider keeps, and whether what is written calls them rightly.

A reading is kept and serves for an hour; it is had again, too, where something written does not fit it. What
the provider cannot tell now, or does not tell at all, is a warning and keeps nobody from writing.

The provider is asked between transactions, never within one: whoever writes calls `freshen` before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from clarion.domain.campaign import Announcement
from clarion.domain.catalogue import Kept, called, check
from clarion.domain.content import Content, TemplateForm
from clarion.domain.purpose import Purpose
from clarion.domain.refusal import Refusal
from clarion.errors import Invalid, Misconfigured, Problem, Unavailable
from clarion.flow import route
from clarion.flow.dispatch import account
from clarion.flow.services import Services
from clarion.kit.db import Connection, Row
from clarion.kit.http import Http
from clarion.providers import registry
from clarion.providers.abilities import Cataloguing, Purposeful
from clarion.store import catalogue as catalogues
from clarion.store import channel as channels

FRESH = timedelta(hours=1)
AGAIN = timedelta(minutes=1)  # after a reading that something does not fit, and after one that failed
PATIENCE = 30.0  # seconds for all pages: whoever writes waits for them


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The templates of a channel as they were at `read_at` (None: never read). `problem` is why the last try
    brought none. `told`: whether the channel's options say whose templates it calls."""

    channel_id: UUID
    told: bool
    read_at: datetime | None
    tried_at: datetime | None
    problem: str
    templates: tuple[Kept, ...]

    def fresh(self, now: datetime) -> bool:
        """Whether it can be relied upon."""
        return self.read_at is not None and now - self.read_at <= FRESH


@dataclass(frozen=True, slots=True)
class Judged:
    """What is wrong with the templates that are called and with the purpose, and what nobody could find
    out."""

    problems: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()


async def stored(connection: Connection, channel_id: UUID) -> Catalogue:
    """As it was last read. Raises NotFound, and Invalid for a channel whose provider keeps no templates."""
    row = await channels.get(connection, channel_id)
    if not keeps(row):
        raise Invalid(f"{row['provider']} keeps no templates", where="channel")
    return await _stored(connection, row)


async def read(
    services: Services, workspace_id: UUID, channel_id: UUID, *, refresh: bool = False
) -> Catalogue:
    """The same; of the provider itself where that is older than an hour, or with `refresh`. Not within a
    transaction. Raises NotFound, and Invalid where there is nothing to be asked."""
    async with services.db.tenant(workspace_id) as connection:
        present = await stored(connection, channel_id)
    if not present.told:
        raise Invalid(
            "the channel's options do not say whose templates it calls",
            where="config.options",
            hint='`clarion channel set NAME --set options={"business_account_id": "…"}` writes it.',
        )
    if refresh or not present.fresh(services.clock.now()):
        await _ask(services, workspace_id, channel_id)
        async with services.db.tenant(workspace_id) as connection:
            return await stored(connection, channel_id)
    return present


async def freshen(
    services: Services, workspace_id: UUID, channel_id: UUID | None, definition: Announcement
) -> None:
    """Before an announcement is judged: read again what its channels keep, where that is old or does not fit
    what it calls. Says nothing of what goes wrong: judging does."""
    if not _calls_any(definition.content):
        return
    async with services.db.tenant(workspace_id) as connection:
        if channel_id is None and definition.pool_id is None:
            try:
                channel_id, pool_id = await route.default(connection)
            except Invalid:
                return
            definition = definition.model_copy(update={"pool_id": pool_id})
        rows = await route.ways(connection, channel_id, definition)
    ids = [row["id"] for row in rows]
    await freshen_for(services, workspace_id, ids, definition.content, definition.purpose)


async def freshen_for(
    services: Services, workspace_id: UUID, channel_ids: Sequence[UUID], content: Content, purpose: Purpose
) -> None:
    """The same, of content that is to go over these channels."""
    if not _calls_any(content):
        return
    async with services.db.tenant(workspace_id) as connection:
        rows = [await channels.get(connection, each) for each in channel_ids]
        now = services.clock.now()
        due = [row["id"] for row in rows if keeps(row) and await _due(connection, row, content, purpose, now)]
    for each in due:
        await _ask(services, workspace_id, each)


async def judged(
    connection: Connection, channel_id: UUID | None, definition: Announcement, now: datetime
) -> Judged:
    """`judge`, over all channels that an announcement may go over."""
    rows = await route.ways(connection, channel_id, definition)
    return await judge(connection, rows, definition.content, definition.purpose, now)


async def judge(
    connection: Connection, rows: Sequence[Row], content: Content, purpose: Purpose, now: datetime
) -> Judged:
    """What content calls for a purpose, by the templates that these channels (`store.channel` rows) are known
    to keep. A problem's place is below `content`, or `purpose`."""
    problems: list[Problem] = []
    warnings: list[str] = []
    for row in rows:
        if (unfit := _unfit(row, purpose)) is not None:
            problems.append(unfit.at("purpose"))
        forms = called(content, row["provider"]) if keeps(row) else []
        if not forms:
            continue
        present = await _stored(connection, row)
        found = [
            wrong
            for where, form in forms
            for wrong in check(form, f"content.{where}", present.templates, purpose)
        ]
        if not present.told:
            warnings.append(
                f"The templates of {row['name']} were not checked: its options name no business_account_id."
            )
        elif present.fresh(now):
            problems += [Problem(one.where, f"over {row['name']}: {one.what}", one.hint) for one in found]
        else:
            why = present.problem or "they were not read lately"
            warnings.append(f"The templates of {row['name']} were not checked: {why}.")
            warnings += [f"{one.what}, by an older reading." for one in found if present.read_at is not None]
    return Judged(tuple(problems), tuple(warnings))


def _calls_any(content: Content) -> bool:
    return any(isinstance(form, TemplateForm) for variant in content.variants for _, form in variant.forms)


def keeps(row: Row) -> bool:
    """Whether a channel's provider keeps templates at all."""
    return isinstance(registry.get(row["provider"]), Cataloguing)


def _unfit(row: Row, purpose: Purpose) -> Refusal | None:
    provider = registry.get(row["provider"])
    options = row["config"].get("options") or {}
    return provider.unfit(options, purpose) if isinstance(provider, Purposeful) else None


def _source(row: Row) -> str | None:
    provider = registry.get(row["provider"])
    options = row["config"].get("options") or {}
    return provider.catalogue(options) if isinstance(provider, Cataloguing) else None


async def _stored(connection: Connection, row: Row) -> Catalogue:
    source, kept = _source(row), await catalogues.get(connection, row["id"])
    if kept is None or kept["source"] != source:  # of another account: worth nothing
        return Catalogue(row["id"], source is not None, None, None, "", ())
    templates = tuple(await catalogues.templates(connection, row["id"])) if kept["read_at"] else ()
    return Catalogue(row["id"], True, kept["read_at"], kept["tried_at"], kept["problem"], templates)


async def _due(connection: Connection, row: Row, content: Content, purpose: Purpose, now: datetime) -> bool:
    forms = called(content, row["provider"])
    if not forms or _source(row) is None:
        return False
    present = await _stored(connection, row)
    if present.tried_at is not None and now - present.tried_at < AGAIN:
        return False
    return not present.fresh(now) or any(
        check(form, where, present.templates, purpose) for where, form in forms
    )


async def _ask(services: Services, workspace_id: UUID, channel_id: UUID) -> None:
    """Read them of the provider, and keep them or why there are none."""
    problem, source = "", ""
    kept: Sequence[Kept] = ()
    async with services.db.tenant(workspace_id) as connection:
        source = _source(await channels.get(connection, channel_id)) or ""
    try:
        ready = await account.load(services, workspace_id, channel_id)
        assert isinstance(ready.provider, Cataloguing)
        private = services.settings.allow_private_addresses
        async with Http(connections=2, allow_private=private) as http, asyncio.timeout(PATIENCE):
            kept = await ready.provider.templates(ready.account, http)
    except (Unavailable, Misconfigured) as error:
        problem = error.what
    except TimeoutError:
        problem = f"it took longer than {PATIENCE:g} seconds"
    now = services.clock.now()
    async with services.db.tenant(workspace_id) as connection:
        if problem:
            await catalogues.failed(connection, channel_id, source, problem, now)
        else:
            await catalogues.replace(connection, channel_id, source, kept, now)
