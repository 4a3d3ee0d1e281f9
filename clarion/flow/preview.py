"""Preview: what sending would come to if it were now. Nothing is written, nobody is told."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from clarion.domain.campaign import Announcement
from clarion.domain.outside import REASON, Outside
from clarion.domain.part import Attachment
from clarion.domain.segment import segments
from clarion.flow import catalogue, costing, draft, route, similar, whom
from clarion.flow.compose import WINDOW, Composer, Unsayable, window_open
from clarion.flow.costing import Cost, Segments
from clarion.flow.route import Way
from clarion.flow.services import Services
from clarion.flow.similar import Similar
from clarion.kit.db import Connection, Row
from clarion.providers import registry
from clarion.providers.contract import Content, FlowStart, Interactive, Mail, Media, Push, Text
from clarion.store import audience as audiences
from clarion.store import sample
from clarion.store.expansion import Meant
from clarion.store.queue import Waiting

SAMPLE = 200  # people for whom it is made in full
SHOWN = 3


@dataclass(frozen=True, slots=True)
class Example:
    """What one person would read: a text, a mail's text with its subject and HTML, a push message's body with
    its title and link, a file's caption with its address, a text with the line or the file above it (`title`,
    `url`), the line below it and the `choices` to tap, a template's parameters with the same, or a flow's
    parameters. `segments` are SMS, of a text that goes as such."""

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
    footer: str | None = None
    choices: tuple[str, ...] = ()
    flow: str | None = None


@dataclass(frozen=True, slots=True)
class Share:
    """A channel of a pool, and how many messages would go over it."""

    channel_id: UUID
    name: str
    people: int


@dataclass(frozen=True, slots=True)
class Preview:
    """`counts` are `store.audience.preview`'s, with `in_window` and `outside_window` of the reachable where
    the provider has one, and of a pool `no_route`; its channels are in `channels`. `unsayable` are reasons
    met in a sample of the reachable, `sampled` people: those would be skipped too. Of who is waited for it is
    what they will read. `similar`: what a launch would ask about. `warnings`: what of it could not be
    checked."""

    counts: dict[str, int]
    sampled: int
    unsayable: dict[str, int]
    examples: list[Example]
    segments: Segments | None
    costs: list[Cost] = field(default_factory=list)
    similar: list[Similar] = field(default_factory=list)
    channels: list[Share] = field(default_factory=list)
    warnings: tuple[str, ...] = ()


async def preview(connection: Connection, services: Services, campaign_id: UUID) -> Preview:
    """Of an announcement as it is written, in whatever state. Raises NotFound, Invalid."""
    now = services.clock.now()
    row, definition = await draft.read(connection, campaign_id)
    over = await draft.check(connection, row["channel_id"], definition, now)
    counts, shares = await _counts(connection, over, definition, now)
    meant = await whom.now_meant(connection, definition.audience, now)
    made, unsayable, taken = await _composed(connection, services, over, definition, meant, now)
    moment = row["send_at"] or definition.send_at or now
    return Preview(
        counts=counts,
        sampled=len(made) + unsayable.total(),
        unsayable=dict(unsayable),
        examples=made[:SHOWN],
        segments=costing.segments(taken, counts["reachable"]),
        costs=await costing.costs(connection, over, definition, meant, taken),
        similar=await similar.find(connection, campaign_id, definition, moment),
        channels=shares,
        warnings=(await catalogue.judged(connection, row["channel_id"], definition, now)).warnings,
    )


async def _counts(
    connection: Connection, over: Way, definition: Announcement, now: datetime
) -> tuple[dict[str, int], list[Share]]:
    others, _ = await route.further(connection, over.ids, definition)
    further = [scheme for other in others for scheme in other.schemes]
    counts = await audiences.preview(
        connection, definition.audience, over.schemes, definition.one_per, now=now, further=further
    )
    meant = await whom.now_meant(connection, definition.audience, now)
    if (routes := over.routes(definition)) is not None:
        found = await sample.by_channel(
            connection, meant, over.schemes, routes, now - WINDOW,
            once_an_address=definition.one_per == "address", further=further,
        )  # fmt: skip
        return _of_pool(over, definition, counts, found)
    if over.providers[0].has_window:
        inside = await sample.in_window(connection, meant, over.schemes, over.lead, now - WINDOW)
        counts["in_window"] = min(inside, counts["reachable"])
        counts["outside_window"] = counts["reachable"] - counts["in_window"]
    return counts, []


def _of_pool(
    over: Way, definition: Announcement, counts: dict[str, int], found: list[Row]
) -> tuple[dict[str, int], list[Share]]:
    """The counts of an audience over a pool, by what `store.sample.by_channel` found."""
    once = definition.one_per == "address"
    went = [one for one in found if one["channel_id"] is not None]
    nowhere = [one for one in found if one["channel_id"] is None]
    sharing = sum(one["people"] - one["addresses"] for one in went)
    counts |= {
        "no_route": sum(one["people"] for one in nowhere),
        "sharing_an_address": sharing,
        "duplicate_address": sharing if once else 0,
        "reachable": sum(one["addresses" if once else "people"] for one in went),
    }
    if "by_fallback" in counts:
        counts["by_fallback"] += sum(one["by_fallback"] for one in nowhere)
    rows = {row["channel_id"]: row for row in over.channels}
    shares = [
        Share(one["channel_id"], rows[one["channel_id"]]["name"], one["addresses" if once else "people"])
        for one in went
    ]
    windowed = {id for id, row in rows.items() if registry.of(row).has_window}
    if windowed:
        inside = sum(one["in_window"] for one in went if one["channel_id"] in windowed)
        counts["in_window"] = inside
        counts["outside_window"] = sum(one.people for one in shares if one.channel_id in windowed) - inside
    return counts, shares


async def _composed(
    connection: Connection,
    services: Services,
    over: Way,
    definition: Announcement,
    meant: Meant,
    now: datetime,
) -> tuple[list[Example], Counter[str], dict[UUID, list[int]]]:
    """What some of the people would read, each as the dispatch would make it; why nothing can be said to
    others; and the segments that texts take as SMS, by channel."""
    people = await sample.some(
        connection, meant, over.schemes, over.lead, SAMPLE, now, over.routes(definition)
    )
    by_channel = {id: registry.of(row) for id, row in zip(over.ids, over.channels, strict=True)}
    composer = Composer(services)
    await composer.rehearse(connection, over.lead, definition.content)
    made: list[Example] = []
    unsayable: Counter[str] = Counter()
    taken: dict[UUID, list[int]] = {}
    for waiting in people:
        over_channel = waiting.lane_id  # what stands there in a sample
        provider = by_channel[over_channel]
        if provider.has_window and not window_open(provider, over_channel, waiting, now):
            if definition.outside_window is Outside.SKIP:
                unsayable[REASON] += 1
                continue
            if definition.outside_window is Outside.WAIT:  # until they write: then they would read this
                waiting.window_at, waiting.window_channel_id = now, over_channel
        try:
            said = composer.say(provider, over_channel, waiting, now)[0]
        except Unsayable as error:
            unsayable[error.reason] += 1
            continue
        count = segments(said.body).count if provider.counts_segments and isinstance(said, Text) else None
        made.append(_example(waiting, said, count))
        if count is not None:
            taken.setdefault(waiting.lane_id, []).append(count)
    return made, unsayable, taken


def _example(waiting: Waiting, said: Content, count: int | None) -> Example:
    who = (waiting.contact_id, waiting.name)
    if isinstance(said, Text):
        return Example(*who, "text", said.body, segments=count)
    if isinstance(said, Mail):
        return Example(*who, "email", said.text, subject=said.subject, html=said.html)
    if isinstance(said, Push):
        return Example(*who, "push", said.body, title=said.title, url=said.url)
    if isinstance(said, FlowStart):
        params = "\n".join(f"{name}: {value}" for name, value in said.params)
        return Example(*who, "flow_start", params, flow=said.flow)
    if isinstance(said, Media):
        return Example(*who, "media", said.caption or "", title=said.filename, url=said.url)
    header, file = (said.header, None) if not isinstance(said.header, Attachment) else (None, said.header.url)
    if isinstance(said, Interactive):
        choices = said.buttons or (said.menu.rows if said.menu else ())
        titles = tuple(one.title for one in choices)
        return Example(
            *who, "interactive", said.text, title=header, url=file, footer=said.footer, choices=titles
        )
    return Example(*who, "template", "\n".join(said.parameters), said.name, title=header, url=file)
