"""What a campaign's contents take: segments of SMS, and to whom nothing can be said.

Content without variables is composed once for each language, and what it takes is exact. Any other is made in
full for some of the people, as a preview does, and what it takes of all is an estimate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from clarion.domain.content import Content
from clarion.domain.rehearsal.reckoning import Lot
from clarion.domain.saying import FREE, variables
from clarion.domain.segment import segments
from clarion.flow.compose import Composer, Unsayable
from clarion.flow.services import Services
from clarion.kit.db import Connection
from clarion.providers.contract import Provider, Text
from clarion.store.queue import Waiting

_NOBODY = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Takes:
    """What one message takes on average and at most, in units of the channel: segments where these are
    counted. `unsayable`: of which share nothing can be said, by reason. `exact`, or else by a sample."""

    units: float = 1.0
    most: int = 1
    exact: bool = False
    unsayable: Mapping[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Speech:
    """The contents of a campaign. `steps` names each step's; `sample` are some of those who would be reached,
    with their channels for lanes; `moment` is when it would be said."""

    composer: Composer
    contents: Mapping[str, Content]
    steps: Mapping[int, str]
    providers: Mapping[UUID, Provider]
    sample: Sequence[Waiting]
    moment: datetime
    many_languages: bool = field(init=False)  # whether it matters which language somebody has
    known: dict[tuple[str, Lot], Takes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        variants = (content.variants for content in self.contents.values())
        self.many_languages = any(len({one.language for one in each}) > 1 for each in variants)

    @classmethod
    async def prepare(
        cls, connection: Connection, services: Services, contents: Mapping[str, Content],
        steps: Mapping[int, str], providers: Mapping[UUID, Provider], sample: Sequence[Waiting],
        moment: datetime,
    ) -> Speech:  # fmt: skip
        """Everything compiled, so that nothing more is asked of the database."""
        composer = Composer(services)
        for number, content in enumerate(contents.values()):
            await composer.rehearse(connection, _id(number), content)
        return cls(composer, contents, steps, providers, sample, moment)

    def counts_segments(self, channel_id: UUID) -> bool:
        """Whether a channel counts segments."""
        return self.providers[channel_id].counts_segments

    def takes(self, step: int, lot: Lot) -> Takes:
        """What a step's message to somebody of a lot takes."""
        name = self.steps[step]
        alike = (name, lot._replace(zone=""))
        if alike not in self.known:
            self.known[alike] = self._takes(name, lot)
        return self.known[alike]

    def _takes(self, name: str, lot: Lot) -> Takes:
        provider = self.providers[lot.channel]
        if _alike_for_all(self.contents[name], provider):
            tried = [_somebody(lot, self.moment)]
            return self._tried(name, lot, tried, exact=True)
        over = [one for one in self.sample if one.lane_id == lot.channel] or list(self.sample)
        same = [one for one in over if (one.language or "") == lot.language] if lot.language else over
        return self._tried(name, lot, same or over, exact=False)

    def _tried(self, name: str, lot: Lot, some: Sequence[Waiting], *, exact: bool) -> Takes:
        content_id = _id(list(self.contents).index(name))
        provider, counts = self.providers[lot.channel], []
        unsayable: Counter[str] = Counter()
        for one in some:
            one.content_version_id = content_id
            try:
                said = self.composer.say(provider, lot.channel, one, self.moment)[0]
            except Unsayable as error:
                unsayable[error.reason] += 1
                continue
            text = said.body if provider.counts_segments and isinstance(said, Text) else ""
            counts.append(max(1, segments(text).count))
        shares = {reason: n / len(some) for reason, n in unsayable.items()}
        if not counts:
            return Takes(exact=exact, unsayable=shares)
        return Takes(sum(counts) / len(counts), max(counts), exact, shares)


def _alike_for_all(content: Content, provider: Provider) -> bool:
    """Whether everybody of a language is told the same, whenever they wrote last."""
    if variables(content):
        return False
    forms = [form for variant in content.variants for _, form in variant.forms]
    return not provider.has_window or not any(isinstance(form, FREE) for form in forms)


def _somebody(lot: Lot, moment: datetime) -> Waiting:
    return Waiting(
        lot.channel, moment, _NOBODY, moment.astimezone(UTC).date(), _NOBODY, _NOBODY, b"", _NOBODY, moment,
        0, None, "", "", None, None, "", lot.language or None, None, None, None, {}, False, False,
    )  # fmt: skip


def _id(number: int) -> UUID:
    return UUID(int=number + 1)
