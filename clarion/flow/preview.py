"""Preview: what sending would come to if it were now. Nothing is written, nobody is told."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from clarion.domain.campaign import Announcement
from clarion.domain.segment import segments
from clarion.flow import draft, route, similar, whom
from clarion.flow.compose import WINDOW, Composer, Unsayable
from clarion.flow.services import Services
from clarion.flow.similar import Similar
from clarion.kit.db import Connection
from clarion.providers.contract import Content, Mail, Provider, Push, Text
from clarion.store import audience as audiences
from clarion.store import sample
from clarion.store.queue import Waiting

SAMPLE = 200  # people for whom it is made in full
SHOWN = 3


@dataclass(frozen=True, slots=True)
class Example:
    """What one person would read: a text, a mail's text with its subject and HTML, a push message's body with
    its title and link, or a template's parameters. `segments` are SMS, of a text."""

    contact_id: UUID
    name: str
    kind: str
    text: str
    template: str | None = None
    segments: int | None = None
    subject: str | None = None
    html: str | None = None
    title: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Segments:
    """SMS that texts take: by message on average and at most, estimated for all from the sample."""

    each: float
    most: int
    total: int


@dataclass(frozen=True, slots=True)
class Preview:
    """`counts` are `store.audience.preview`'s, with `in_window` and `outside_window` of the reachable where
    the provider has one. `unsayable` are reasons met in a sample of the reachable, `sampled` people: those
    would be skipped too. `similar`: what a launch would ask about."""

    counts: dict[str, int]
    sampled: int
    unsayable: dict[str, int]
    examples: list[Example]
    segments: Segments | None
    similar: list[Similar] = field(default_factory=list)


async def preview(connection: Connection, services: Services, campaign_id: UUID) -> Preview:
    """Of an announcement as it is written, in whatever state. Raises NotFound, Invalid."""
    now = services.clock.now()
    row, definition = await draft.read(connection, campaign_id)
    provider = await draft.check(connection, row["channel_id"], definition, now)
    counts = await _counts(connection, row["channel_id"], definition, provider, now)
    made, unsayable = await _composed(connection, services, row["channel_id"], definition, provider, now)
    moment = row["send_at"] or definition.send_at or now
    return Preview(
        counts=counts,
        sampled=len(made) + unsayable.total(),
        unsayable=dict(unsayable),
        examples=made[:SHOWN],
        segments=_segments(made, counts["reachable"]),
        similar=await similar.find(connection, campaign_id, definition, moment),
    )


async def _counts(
    connection: Connection, channel_id: UUID, definition: Announcement, provider: Provider, now: datetime
) -> dict[str, int]:
    others, _ = await route.further(connection, channel_id, definition)
    counts = await audiences.preview(
        connection, definition.audience, provider.schemes, definition.one_per, now=now,
        further=[scheme for other in others for scheme in other.schemes],
    )  # fmt: skip
    if provider.has_window:
        meant = await whom.now_meant(connection, definition.audience, now)
        inside = await sample.in_window(connection, meant, provider.schemes, now - WINDOW)
        counts["in_window"] = min(inside, counts["reachable"])
        counts["outside_window"] = counts["reachable"] - counts["in_window"]
    return counts


async def _composed(
    connection: Connection,
    services: Services,
    channel_id: UUID,
    definition: Announcement,
    provider: Provider,
    now: datetime,
) -> tuple[list[Example], Counter[str]]:
    """What some of the people would read, each as the dispatch would make it."""
    meant = await whom.now_meant(connection, definition.audience, now)
    people = await sample.some(connection, meant, provider.schemes, channel_id, SAMPLE, now)
    composer = Composer(services)
    await composer.rehearse(connection, channel_id, definition.content)
    made: list[Example] = []
    unsayable: Counter[str] = Counter()
    for waiting in people:
        try:
            made.append(_example(waiting, composer.say(provider, waiting, now)[0]))
        except Unsayable as error:
            unsayable[error.reason] += 1
    return made, unsayable


def _example(waiting: Waiting, said: Content) -> Example:
    if isinstance(said, Text):
        return Example(
            waiting.contact_id, waiting.name, "text", said.body, segments=segments(said.body).count
        )
    if isinstance(said, Mail):
        return Example(
            waiting.contact_id, waiting.name, "email", said.text, subject=said.subject, html=said.html
        )
    if isinstance(said, Push):
        return Example(waiting.contact_id, waiting.name, "push", said.body, title=said.title, url=said.url)
    return Example(waiting.contact_id, waiting.name, "template", "\n".join(said.parameters), said.name)


def _segments(made: list[Example], reachable: int) -> Segments | None:
    counts = [one.segments for one in made if one.segments is not None]
    if not counts:
        return None
    each = sum(counts) / len(counts)
    return Segments(round(each, 2), max(counts), round(each * reachable))
