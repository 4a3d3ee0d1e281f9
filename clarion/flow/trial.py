"""A test of an announcement: the same content to a few named addresses, now.

It is an announcement of its own that no list shows, so it goes through the ledger and the channel's
limits like any other, and whoever had the test still receives the announcement itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from clarion.domain.address import parse_address
from clarion.domain.audience import Audience, Selection
from clarion.domain.campaign import KIND, LONGEST_NAME, STEP, TEST_PRIORITY, Announcement, State
from clarion.domain.message import cohort_of
from clarion.domain.refusal import Refusal
from clarion.errors import Invalid, Problem
from clarion.flow import draft, route
from clarion.flow.route import Way
from clarion.flow.services import Services
from clarion.kit.db import Connection, Row
from clarion.kit.ids import uuid7
from clarion.store import campaign as campaigns
from clarion.store import named, run
from clarion.store import workspace as workspaces
from clarion.store.routes import Route

MOST = 20
EXPIRES = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Tested:
    """One address of a test: the message to it, or why there is none to send."""

    address: str
    contact_id: UUID
    message_id: UUID
    state: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class Trial:
    """A test under way; `id` is its own announcement, for its progress and results."""

    id: UUID
    messages: list[Tested]


async def send_test(
    connection: Connection, services: Services, campaign_id: UUID, addresses: Sequence[str], *, by: str = ""
) -> Trial:
    """Send what an announcement says to these addresses ("+254…", "whatsapp:+254…", national ones too).

    Each must be somebody's, since it is that person's name and language that the test shows. An opted
    out one is skipped. Raises NotFound, Invalid.
    """
    now = services.clock.now()
    row, definition = await draft.read(connection, campaign_id)
    over = await draft.check(connection, row["channel_id"], definition, now)
    places = await _places(connection, addresses, over.schemes)
    audience = Audience(include=Selection(contacts=tuple(place["contact_id"] for place in places)))
    own = definition.model_copy(
        update={
            "audience": audience,
            "test_of": campaign_id,
            "send_at": None,
            "frozen": False,
            "one_per": "person",
            "fallback": (),
        }
    )
    trial_id = uuid7(now)
    run_id, routes = await _plan(connection, trial_id, row["name"], over, own, now, by)
    written = {
        one["address_id"]: one
        for one in await named.write(
            connection, run_id, [place["address_id"] for place in places], now, routes
        )
    }
    return Trial(
        trial_id,
        [
            Tested(
                place["given"], place["contact_id"], written[place["address_id"]]["message_id"],
                written[place["address_id"]]["state"], written[place["address_id"]]["reason"],
            )
            for place in places
        ],
    )  # fmt: skip


async def _places(connection: Connection, addresses: Sequence[str], schemes: Sequence[str]) -> list[Row]:
    """Whose they are, in the order given. Raises Invalid with every address that will not do."""
    if not 1 <= len(addresses) <= MOST:
        raise Invalid(f"name 1 to {MOST} addresses", where="addresses")
    country = (await workspaces.get(connection))["country"]
    problems: list[Problem] = []
    values: dict[str, int] = {}
    for n, given in enumerate(addresses):
        read = parse_address(given, country=country)
        if isinstance(read, Refusal):
            problems.append(read.at(f"addresses[{n}]"))
        else:
            values.setdefault(read.path, n)
    found = {one["value"]: one for one in await named.whose(connection, list(values), schemes)}
    places: dict[UUID, Row] = {}
    for value, n in values.items():
        where = f"addresses[{n}]"
        if value not in found:
            hint = "Import or add the person first; a test shows what that person would read."
            problems.append(Problem(where, "nobody is reached there on this channel", hint))
        elif found[value]["contact_id"] in places:
            problems.append(Problem(where, "the same person as another of these", "Test one of the two."))
        else:
            places[found[value]["contact_id"]] = {**found[value], "given": addresses[n]}
    if problems:
        raise Invalid("these addresses cannot be tested", where="addresses", problems=tuple(problems))
    return list(places.values())


async def _plan(
    connection: Connection, trial_id: UUID, name: str, over: Way, own: Announcement, now: datetime, by: str
) -> tuple[UUID, tuple[Route, ...] | None]:
    """The run of the test, and its lanes where it goes over a pool."""
    content_id, run_id = uuid7(now), uuid7(now)
    await campaigns.create(
        connection, trial_id, kind=KIND, name=f"Test of {name}"[:LONGEST_NAME],
        definition=own.stored(), channel_id=over.lead, similarity_text="", created_by=by, now=now,
    )  # fmt: skip
    body = own.content.model_dump(mode="json", exclude_none=True)
    await campaigns.add_content(connection, content_id, trial_id, STEP, body, now)
    lanes = await route.open_lanes(connection, trial_id, over, own, now, priority=TEST_PRIORITY)
    await run.plan(
        connection, run_id, campaign_id=trial_id, iteration=1, cohort=cohort_of(now),
        content_version_id=content_id, lane_id=lanes.lead, due_at=now, expires_at=now + EXPIRES,
    )  # fmt: skip
    await campaigns.set_state(connection, trial_id, State.RUNNING, now, send_at=now)
    return run_id, lanes.routes
