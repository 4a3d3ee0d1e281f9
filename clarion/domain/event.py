"""Events: what a workspace tells its subscriptions, and what is in each.

The name of a type is its version. Members may be added to what it tells; one that is there keeps its
name and meaning. What would break a receiver becomes another type. Nothing holds a phone number, and no
text but that of an `inbound.received`, whose point it is.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class EventType(StrEnum):
    """Everything that can be subscribed to, and the test. Those of states end in the state's own word."""

    MESSAGE_ACCEPTED = "message.accepted"
    MESSAGE_DELIVERED = "message.delivered"
    MESSAGE_READ = "message.read"
    MESSAGE_UNDELIVERED = "message.undelivered"
    MESSAGE_FAILED = "message.failed"
    MESSAGE_UNKNOWN = "message.unknown"
    MESSAGE_EXPIRED = "message.expired"
    MESSAGE_CANCELLED = "message.cancelled"
    MESSAGE_SKIPPED = "message.skipped"
    INBOUND_RECEIVED = "inbound.received"
    CONSENT_OUT = "consent.out"
    CONSENT_IN = "consent.in"
    CAMPAIGN_SCHEDULED = "campaign.scheduled"
    CAMPAIGN_RUNNING = "campaign.running"
    CAMPAIGN_PAUSED = "campaign.paused"
    CAMPAIGN_COMPLETED = "campaign.completed"
    CAMPAIGN_CANCELLED = "campaign.cancelled"
    CHANNEL_ACTIVE = "channel.active"
    CHANNEL_PAUSED = "channel.paused"
    CHANNEL_DOWN = "channel.down"
    CHANNEL_UP = "channel.up"
    SUBSCRIPTION_TEST = "subscription.test"

    @property
    def family(self) -> str:
        """What it is about: message, inbound, consent, campaign, channel or subscription."""
        return self.value.partition(".")[0]


# Which of them a settled try, a receipt, and an end without a try may mean.
OF_ATTEMPTS = frozenset(
    {
        EventType.MESSAGE_ACCEPTED, EventType.MESSAGE_FAILED, EventType.MESSAGE_UNKNOWN,
        EventType.MESSAGE_SKIPPED, EventType.MESSAGE_CANCELLED,
    }
)  # fmt: skip
OF_RECEIPTS = OF_ATTEMPTS | {
    EventType.MESSAGE_DELIVERED, EventType.MESSAGE_READ, EventType.MESSAGE_UNDELIVERED,
}  # fmt: skip
OF_ENDS = frozenset(
    {EventType.MESSAGE_EXPIRED, EventType.MESSAGE_CANCELLED, EventType.MESSAGE_SKIPPED}
)  # fmt: skip
LONGEST_TEXT = 5_000  # characters of a person's message; a request should stay small


class Facts(BaseModel):
    """What one kind of event tells."""

    model_config = ConfigDict(from_attributes=True, extra="ignore")


class MessageFacts(Facts):
    """A message reached a state. Later evidence implies the earlier: what was read was delivered."""

    message_id: UUID
    state: str = Field(examples=["delivered"])
    reason: str | None = Field(description="why, where it was not sent or did not arrive")
    code: str | None = Field(description="the provider's own word for a failure", examples=["131026"])
    campaign_id: UUID
    campaign: str = Field(description="its name", examples=["Closed on Monday"])
    kind: str = Field(examples=["announcement"])
    channel_id: UUID
    contact_id: UUID
    external_id: str | None = Field(description="what you call this person; null after they were erased")
    due_at: datetime = Field(description="when it was to be sent")


class InboundFacts(Facts):
    """A person wrote. `contact_id` is null where nobody has the address."""

    inbound_id: UUID
    channel_id: UUID
    contact_id: UUID | None
    external_id: str | None
    text: str = Field(description=f"at most {LONGEST_TEXT} characters of it")
    cut: bool = Field(description="whether the text was longer")
    payload: str = Field(description="of a reply that they tapped, what it was given to bring back; or empty")
    meaning: str = Field(
        description="what it was taken for: stop, start, help, yes (a start after an opt-out), time (it set "
        "the time that they chose), reply (it ended what an alert says of a case), or empty"
    )


class ContactFacts(Facts):
    """A contact, as another system knows it."""

    contact_id: UUID
    external_id: str | None


class ConsentFacts(Facts):
    """An address opted out, or in again: for everybody who shares it."""

    state: str = Field(description="out or in")
    how: str = Field(description="reply, provider, api, import, command …")
    contacts: list[ContactFacts] = Field(description="who has the address, at most a hundred of them")


class CampaignFacts(Facts):
    """A campaign's state changed; a scheduled one that was edited is told again."""

    campaign_id: UUID
    kind: str
    name: str
    state: str
    reason: str = Field(description="why it is paused")
    send_at: datetime | None


class ChannelFacts(Facts):
    """A channel's state or health changed."""

    channel_id: UUID
    name: str
    provider: str
    state: str
    reason: str = Field(description="why it is paused or down")


class TestFacts(Facts):
    """Somebody asked for a test of this subscription."""

    subscription_id: UUID
    name: str


About = TypeVar("About", bound=Facts)


class Event(BaseModel, Generic[About]):
    """The body of one request. `timestamp` is when it happened, not when it is told."""

    type: EventType
    timestamp: datetime
    workspace_id: UUID
    data: About


FACTS: dict[str, type[Facts]] = {
    "message": MessageFacts, "inbound": InboundFacts, "consent": ConsentFacts, "campaign": CampaignFacts,
    "channel": ChannelFacts, "subscription": TestFacts,
}  # fmt: skip
BODIES: dict[str, type[BaseModel]] = {
    "message": Event[MessageFacts], "inbound": Event[InboundFacts], "consent": Event[ConsentFacts],
    "campaign": Event[CampaignFacts], "channel": Event[ChannelFacts], "subscription": Event[TestFacts],
}  # fmt: skip
