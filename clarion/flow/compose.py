"""Composing: what one waiting message says, from its content version and the person as they are now.

    await composer.prepare(connection, content_version_ids)   # loads and compiles what is missing
    content, said = composer.compose(channel, waiting, now)   # hot: no I/O

`said` is what a retry needs to say the same. One composer serves all desks of a process.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from clarion.domain.contact import ATTRIBUTES
from clarion.domain.content import Content
from clarion.domain.field import FieldType
from clarion.domain.manner import Manner, languages
from clarion.domain.missing import needed, path_of, patience_of
from clarion.domain.refusal import Refusal
from clarion.domain.rendering import render
from clarion.domain.said import Said as Reading
from clarion.domain.said import SaidMail, SaidPush, SaidText
from clarion.domain.saying import Chosen, case_values, choose, contact_values, in_a_manner, variables
from clarion.errors import Invalid, NotFound
from clarion.flow.dispatch.account import Channel
from clarion.flow.services import Services
from clarion.kit.db import Connection
from clarion.providers import registry
from clarion.providers.contract import Content as Rendered
from clarion.providers.contract import Mail, Provider, Push, Text
from clarion.store import campaign as campaigns
from clarion.store import field as fields
from clarion.store import told_case
from clarion.store import workspace as workspaces
from clarion.store.queue import Waiting

# WhatsApp counts 24 hours from the person's message; a minute is left for the way there.
WINDOW = timedelta(hours=24) - timedelta(minutes=1)
FRESH = 300.0  # seconds after which the workspace's language and fields are read again
MOST = 512  # content versions kept; those asked for lately stay whatever their number

Said = dict[str, Any]


class Unsayable(Exception):
    """Nothing can be said to this person now. `reason` is a word for the ledger.

    `no_content`, `outside_window`, `empty_text`, `empty_subject`, `empty_title`, `empty_parameter`,
    `too_long`, `template_failed`, `missing:` and the path of a value.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Lacking(Unsayable):
    """A value is missing, and it waits for that: for `patience` after its moment. `of_case`: it is a value
    of the case, or of what that is linked to."""

    def __init__(self, reason: str, patience: timedelta) -> None:
        super().__init__(reason)
        self.patience = patience
        self.of_case = (path_of(reason) or "").startswith("case.")


@dataclass(slots=True)
class _Speech:
    """A content version, compiled, with what its workspace adds to it."""

    content: Content | None  # None: it is gone or cannot be read, so nothing can be said
    wanted: tuple[str, ...]
    types: dict[str, FieldType]
    language: str
    zone: tzinfo
    loaded_at: float
    used_at: float
    many_languages: bool = field(init=False)
    of_cases: bool = field(init=False)  # whether it says something of a case
    in_a_manner: bool = field(init=False)  # whether it writes something as the person's language does
    strict: bool = field(init=False)  # whether nothing is said without what it would show
    choices: dict[tuple[str | None, str, bool], Chosen | Refusal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        variants = self.content.variants if self.content else ()
        self.many_languages = len({variant.language for variant in variants}) > 1
        self.of_cases = any(path.startswith("case.") for path in self.wanted)
        self.in_a_manner = self.content is not None and in_a_manner(self.content)
        self.strict = self.content is not None and needed(self.content.missing)


class Composer:
    """Content versions by id. They never change; what is read of the workspace is read again now and then."""

    def __init__(self, services: Services) -> None:
        self._clock = services.clock
        self._speeches: dict[UUID, _Speech] = {}

    async def prepare(self, connection: Connection, content_version_ids: Iterable[UUID]) -> None:
        """Load those that are not there (in their workspace's transaction), so that `compose` finds them."""
        ticks = self._clock.monotonic()
        missing = []
        for content_id in content_version_ids:
            speech = self._speeches.get(content_id)
            if speech is None or ticks - speech.loaded_at > FRESH:
                missing.append(content_id)
            else:
                speech.used_at = ticks
        if missing:
            self._forget(ticks)
            await self._load(connection, missing, ticks)

    async def inform(self, connection: Connection, some: Sequence[Waiting]) -> None:
        """`prepare` for what waits, and read of each the case that it is about, where it says something of
        it."""
        await self.prepare(connection, {waiting.content_version_id for waiting in some})
        about = [one for one in some if self._speeches[one.content_version_id].of_cases]
        if about:
            known = await told_case.of_messages(connection, [(one.message_id, one.cohort) for one in about])
            for waiting in about:
                waiting.case = known.get(waiting.message_id)

    async def rehearse(self, connection: Connection, content_id: UUID, content: Content) -> None:
        """Take content that is not stored, under an identifier of the caller's. Raises Invalid."""
        ticks = self._clock.monotonic()
        await self._keep(connection, {content_id: (content, tuple(sorted(variables(content))))}, ticks)

    def compose(self, channel: Channel, waiting: Waiting, now: datetime) -> tuple[Rendered, Said | None]:
        """What to say, and what a retry needs to say the same (None: nothing). Raises Unsayable, Lacking."""
        return self.say(channel.provider, channel.id, waiting, now)

    def say(
        self, provider: Provider, channel_id: UUID, waiting: Waiting, now: datetime
    ) -> tuple[Rendered, Said | None]:
        """The same, of a provider and one of its channels.

        The values of a try before (`waiting.variables`) go before the person's present ones, and so does
        its language; whether the service window is open is judged anew, since the provider does too.
        """
        speech = self._speeches[waiting.content_version_id]
        before = waiting.variables
        wishes = waiting.language if before is None else before.get("language", waiting.language)
        in_window = not provider.has_window or window_open(provider, channel_id, waiting, now)
        chosen = _chosen(speech, wishes, provider.name, in_window=in_window)
        values = _values(speech, waiting) if before is None else before
        manner = _manner(speech, chosen, waiting)
        said = render(
            chosen.form, values, text_limit=provider.text_limit, byte_limit=registry.byte_limit(provider),
            manner=manner, strict=speech.strict and before is None,
        )  # fmt: skip
        if isinstance(said, Refusal):
            raise _unsayable(speech, said)
        snapshot = before if before is not None else _snapshot(speech, chosen, values, manner)
        return _rendered(said), snapshot

    def zone_of(self, waiting: Waiting) -> str:
        """By whose clock: the person's, or else the workspace's."""
        return waiting.timezone or str(self._speeches[waiting.content_version_id].zone)

    async def _load(self, connection: Connection, content_ids: list[UUID], ticks: float) -> None:
        read = {content_id: await _read(connection, content_id) for content_id in content_ids}
        await self._keep(connection, read, ticks)

    async def _keep(
        self, connection: Connection, read: dict[UUID, tuple[Content | None, tuple[str, ...]]], ticks: float
    ) -> None:
        workspace = await workspaces.get(connection)
        declared = await fields.declared(connection)
        types = {**ATTRIBUTES, **{key: found.type for key, found in declared.items()}}
        for content_id, (content, wanted) in read.items():
            self._speeches[content_id] = _Speech(
                content, wanted, types, workspace["language"], _zone(workspace["timezone"]), ticks, ticks
            )

    def _forget(self, ticks: float) -> None:
        """Let go of the longest unused when there are many; a desk names each round what it holds."""
        if len(self._speeches) < MOST:
            return
        unused = [(s.used_at, id) for id, s in self._speeches.items() if ticks - s.used_at > FRESH]
        for _, content_id in sorted(unused)[: MOST // 4]:
            del self._speeches[content_id]


def _rendered(said: Reading) -> Rendered:
    """What is said as a provider takes it."""
    if isinstance(said, SaidText):
        return Text(said.text)
    if isinstance(said, SaidMail):
        return Mail(said.subject, said.text, said.html)
    if isinstance(said, SaidPush):
        return Push(said.title, said.body, said.url, said.data)
    return said


async def _read(connection: Connection, content_id: UUID) -> tuple[Content | None, tuple[str, ...]]:
    try:
        content = Content.model_validate(await campaigns.content(connection, content_id))
        return content, tuple(sorted(variables(content)))
    except (NotFound, Invalid, ValidationError):  # checked when it was written: by an older Clarion, perhaps
        return None, ()


def _chosen(speech: _Speech, language: str | None, kind: str, *, in_window: bool) -> Chosen:
    key = (language, kind, in_window)
    chosen = speech.choices.get(key)
    if chosen is None:
        if speech.content is None:
            raise Unsayable("no_content")
        chosen = speech.choices[key] = choose(
            speech.content,
            contact_language=language,
            workspace_language=speech.language,
            channel_kind=kind,
            in_window=in_window,
        )
    if isinstance(chosen, Refusal):
        raise Unsayable(chosen.reason)
    return chosen


def window_open(provider: Provider, channel_id: UUID, waiting: Waiting, now: datetime) -> bool:
    """Whether there is a service window and it is open: for the number that the person wrote to, and for no
    other."""
    if not provider.has_window or waiting.window_channel_id != channel_id:
        return False
    return waiting.window_at is not None and now - waiting.window_at < WINDOW


def _values(speech: _Speech, waiting: Waiting) -> Said:
    if not speech.wanted:
        return {}
    stored = {
        **waiting.fields,
        "name": waiting.name,
        "language": waiting.language,
        "country": waiting.country,
        "timezone": waiting.timezone,
        "external_id": waiting.external_id,
    }
    zone = _zone(waiting.timezone) if waiting.timezone else speech.zone
    values: Said = dict(contact_values(speech.wanted, stored, speech.types, zone))
    if speech.of_cases:
        values["case"] = case_values(speech.wanted, waiting.case or {})
    return values


def _manner(speech: _Speech, chosen: Chosen, waiting: Waiting) -> Manner | None:
    """How this person has dates and numbers written; as in a try before."""
    if not speech.in_a_manner:
        return None
    if kept := (waiting.variables or {}).get("manner"):
        return Manner(tuple(kept["languages"]), kept["zone"])
    spoken = languages(chosen.language, waiting.language, speech.language)
    return Manner(spoken, waiting.timezone or str(speech.zone))


def _unsayable(speech: _Speech, refusal: Refusal) -> Unsayable:
    patience = patience_of(speech.content.missing) if speech.content else None
    if patience is not None and path_of(refusal.reason) is not None:
        return Lacking(refusal.reason, patience)
    return Unsayable(refusal.reason)


def _snapshot(speech: _Speech, chosen: Chosen, values: Said, manner: Manner | None) -> Said | None:
    """Values of all that the content may read, whichever variant the next try needs; the language, and how
    things are written in it."""
    kept: Said = {"manner": manner._asdict()} if manner is not None else {}
    if speech.many_languages:
        kept["language"] = chosen.language
    return {**values, **kept} or None


@lru_cache(maxsize=1024)
def _zone(name: str) -> tzinfo:
    """The zone of this name, UTC where this machine knows none: one odd row must not stop a channel."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return UTC
