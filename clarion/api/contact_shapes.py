"""What contacts look like in requests and replies."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import ConfigDict, Field, FiniteFloat, JsonValue, StrictBool, StrictInt, StrictStr
from pydantic.config import JsonDict

from clarion.api.announcement_answers import MessageAnswer
from clarion.api.model import Answer, Body
from clarion.domain.person import MOST_ADDRESSES, MOST_GROUPS, Given
from clarion.flow.ingest import MOST_AT_ONCE, Told

LONGEST = 4096
CHANNEL = "name or id of their own channel: over it pools speak to them"
FieldValue = StrictStr | StrictBool | StrictInt | FiniteFloat | None
_ABEBA: JsonDict = {
    "external_id": "E-1001",
    "name": "Abeba Tesfaye",
    "language": "am",
    "country": "KE",
    "addresses": ["whatsapp:+254712000001", "0712000001"],
    "fields": {"department": "Finance", "start_date": "2026-03-01"},
    "groups": ["Nurses"],
}


def _text(description: str) -> str | None:
    field: str | None = Field(default=None, max_length=LONGEST, description=description)
    return field


class ContactBody(Body):
    """One person. What is absent or null stays as it is known; "" clears it (null clears a field)."""

    external_id: str | None = _text("your own number of the person: it decides who is who")
    name: str | None = _text("as it is shown to people")
    language: str | None = _text("a code such as en, sw or pt-BR, or its name")
    country: str | None = _text("alpha-2: how national numbers are read")
    timezone: str | None = _text("as Africa/Nairobi")
    addresses: list[str] | None = Field(
        default=None,
        max_length=MOST_ADDRESSES,
        description="best first: `tel:+254…`, `whatsapp:…`, `mailto:…`, `fcm:…` (a device's token), "
        "`webpush:…` (what a browser's PushSubscription gives as JSON), or a plain number or mail address. "
        "They replace the person's others of the same schemes",
    )
    channel: str | None = _text(CHANNEL)
    fields: dict[str, FieldValue] | None = Field(default=None, max_length=500)
    groups: list[str] | None = Field(
        default=None, max_length=MOST_GROUPS, description="names of groups to join; made where they are new"
    )
    opted_out: bool | None = Field(default=None, description="true: nothing more goes to these addresses")

    def given(self) -> Given:
        """As the domain reads it; findings point to `addresses[0]` and the like."""
        return Given(
            external_id=self.external_id, name=self.name, language=self.language, country=self.country,
            timezone=self.timezone, fields=self.fields or {},
            addresses=[(f"addresses[{n}]", None, text) for n, text in enumerate(self.addresses or ())],
            groups=self.groups or (), opted_out=self.opted_out, channel=self.channel,
        )  # fmt: skip


class ContactsBody(Body):
    """Up to 10,000 people; more come by `/imports`."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"contacts": [_ABEBA]}]})

    contacts: list[ContactBody] = Field(min_length=1, max_length=MOST_AT_ONCE)


class ContactChange(Body):
    """What shall be different; what is absent or null stays. "" clears it (null clears a field)."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Abeba Bekele", "addresses": ["+254712000009"]}]}
    )

    external_id: str | None = Field(default=None, min_length=1, max_length=LONGEST)
    name: str | None = _text("as it is shown to people")
    language: str | None = _text("a code such as en, sw or pt-BR, or its name")
    country: str | None = _text("alpha-2: how national numbers are read")
    timezone: str | None = _text("as Africa/Nairobi")
    addresses: list[str] | None = Field(
        default=None, max_length=MOST_ADDRESSES, description="all of them, best first; others are retired"
    )
    channel: str | None = _text(CHANNEL)
    fields: dict[str, FieldValue] | None = Field(default=None, max_length=500)

    def given(self) -> Given:
        """As the domain reads it."""
        return ContactBody.model_validate(self.model_dump(exclude_unset=True)).given()


class FindingAnswer(Answer):
    """Something that could not be read. `refused`: nobody was stored; `warning`: that part was not."""

    field: str = Field(examples=["addresses[0]"])
    reason: str
    severity: Literal["refused", "warning"]


class ToldAnswer(Answer):
    """What became of one person that was given."""

    contact_id: UUID | None = Field(description="null where it was refused")
    outcome: Literal["created", "updated", "unchanged", "refused"]
    problems: list[FindingAnswer]


class UpsertAnswer(Answer):
    """What became of everybody, in the order in which they were given."""

    created: int
    updated: int
    unchanged: int
    refused: int
    results: list[ToldAnswer]


class AddressAnswer(Answer):
    """Where a person is reached, or was."""

    urn: str = Field(examples=["whatsapp:+254712000001"])
    status: Literal["active", "invalid", "retired"]
    reason: str = Field(description="of an invalid one: what its provider said")
    status_at: datetime | None = Field(description="since when it is invalid")
    opted_out: bool
    last_inbound_at: datetime | None = Field(description="when something last came from it")
    last_channel_id: UUID | None = Field(description="over which channel that was")


class UnreadableAnswer(Answer):
    """An address as it was given, and why it could not be read."""

    raw: str
    reason: str


class GroupName(Answer):
    """A group by id and name."""

    id: UUID
    name: str


class ContactAnswer(Answer):
    """A person. Of one who was erased there is nothing but the id."""

    id: UUID
    external_id: str | None
    name: str
    language: str | None
    country: str | None
    timezone: str | None
    fields: dict[str, JsonValue]
    status: Literal["active", "merged", "erased"]
    merged_into: UUID | None
    channel_id: UUID | None = Field(description="their own: over it pools speak to them")
    addresses: list[AddressAnswer]
    unreadable: list[UnreadableAnswer]
    groups: list[GroupName]
    created_at: datetime
    modified_at: datetime


class FoundAnswer(Answer):
    """Whom a search may mean, the surest first."""

    items: list[ContactAnswer]


class MergeBody(Body):
    """Who is the same person."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"contact_id": "0190c2d4-7e00-7000-8000-000000000004"}]}
    )

    contact_id: UUID = Field(description="becomes the one in the address, whose own data goes before")


class ErasedAnswer(Answer):
    """What forgetting came to."""

    skipped: int = Field(description="messages that waited for the person")


class ConsentBody(Body):
    """Why, for whoever reads the consent ledger."""

    note: str = Field(default="", max_length=500, examples=["asked by telephone on 3 July"])


class AddressConsentBody(ConsentBody):
    """Somebody who is known by an address only."""

    address: str = Field(min_length=1, max_length=500, examples=["+254712000001"])


class ConsentAnswer(Answer):
    """Whether it was different before."""

    changed: bool


class SaidAnswer(Answer):
    """One entry of the consent ledger."""

    state: Literal["in", "out"]
    at: datetime
    how: str = Field(examples=["reply", "api", "import"])
    by: str
    note: str
    addresses: list[str] = Field(description="the person's addresses that it is about")


class HistoryAnswer(Answer):
    """What was said for a person's addresses, newest first; at most the last 500."""

    items: list[SaidAnswer]


class ContactMessage(MessageAnswer):
    """A message, and whose announcement it was."""

    announcement_id: UUID
    announcement: str = Field(description="its name")


class StoryAnswer(Answer):
    """A person's last messages, newest first, and sentences that tell how they can be reached and why."""

    items: list[ContactMessage]
    story: list[str]


def told(results: list[Told]) -> UpsertAnswer:
    """What became of everybody, counted."""
    counts = dict.fromkeys(("created", "updated", "unchanged", "refused"), 0)
    for one in results:
        counts[one.outcome] += 1
    shown = [
        {"contact_id": one.contact_id, "outcome": one.outcome, "problems": one.findings} for one in results
    ]
    return UpsertAnswer.model_validate({**counts, "results": shown})
