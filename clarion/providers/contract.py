"""What a provider is to Clarion: values in, values out. One file a provider, found by the registry.

A provider never decides about the ledger. It says which of a closed set of things happened, by its
own documentation's table, and whose fault it was; `flow` draws the consequences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Protocol
from urllib.parse import parse_qsl

from clarion.domain.consent_words import Meaning
from clarion.domain.limits import Limits
from clarion.domain.said import SaidFlowStart, SaidInteractive, SaidMedia, SaidTemplate
from clarion.kit.http import Http

Pairs = list[tuple[str, str]]


class Answered(StrEnum):
    """How a call ended."""

    ACCEPTED = "accepted"
    REFUSED = "refused"  # for good: trying again unchanged fails again
    LATER = "later"  # not processed, says the provider's own table: may be tried again
    UNKNOWN = "unknown"  # nobody knows whether it was processed


class Fault(StrEnum):
    """Whose fault a call that was not accepted is: what should stop, beyond this message."""

    PERSON = "person"  # this recipient
    # This address leads to nobody, for good, and is not used any more, by whatever channel. Only of a kind of
    # address that is this provider's alone: that a number is not on WhatsApp does not take its SMS away.
    GONE = "gone"
    OPTED_OUT = "opted_out"  # the recipient told the provider to stop: goes to the consent ledger
    CONTENT = "content"  # the template or its parameters: pauses the campaign
    ACCOUNT = "account"  # credentials, permission, payment: pauses the channel
    RATE = "rate"  # too fast: the try does not count
    NETWORK = "network"  # it could not be reached: the try does not count
    PROVIDER = "provider"  # it failed


@dataclass(slots=True)
class Told:
    """The end of one call. `code` is the provider's; `retry_after` seconds when it named them."""

    answered: Answered
    provider_id: str | None = None
    fault: Fault | None = None
    code: str | None = None
    detail: str | None = None
    retry_after: float | None = None


@dataclass(slots=True)
class Text:
    """Free text, as rendered."""

    body: str


@dataclass(slots=True)
class Mail:
    """A mail, as rendered: a subject of one line, its text, and the same in HTML where there is one."""

    subject: str
    text: str
    html: str | None = None


@dataclass(slots=True)
class Push:
    """A notification on a device, as rendered: a title of one line ("" where plain text is sent), its text,
    the address that it leads to, and pairs that an app may read, in the order of their names."""

    title: str
    body: str
    url: str | None = None
    data: tuple[tuple[str, str], ...] = ()


# What has parts of its own is as it was rendered (`domain.said`).
Template = SaidTemplate
Media = SaidMedia
Interactive = SaidInteractive
FlowStart = SaidFlowStart

Content = Text | Template | Mail | Push | Media | Interactive | FlowStart
"""What a parcel may hold; `domain.content` has a form of each, whose `kind` is what providers carry."""


@dataclass(slots=True)
class Parcel:
    """One message to one address. `reference` comes back in receipts: the provider must carry it."""

    reference: str
    scheme: str
    address: str
    content: Content
    lifetime: float | None = None  # seconds after which it is worth nothing any more, where that is known


@dataclass(frozen=True, slots=True)
class Account:
    """A configured channel as its provider sees it. Times are seconds; secrets never leave here.

    `hook` is where the provider reaches us for this channel, "" where nobody has said what we are called
    from outside. Whoever takes a callback address with each message is given it with our reference.
    """

    base_url: str
    sender: str
    credentials: Mapping[str, str]
    options: Mapping[str, Any] = field(default_factory=dict)
    connect_timeout: float = 5.0
    total_timeout: float = 30.0
    hook: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """A call to our hook, as it came.

    `url` is the address that the provider called, by the name that we have outside, with its query;
    `headers` are found by lower-case names. When it is read, the address and the content type are left.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def query(self) -> Pairs:
        """What stands behind the question mark, decoded, in order."""
        return parse_qsl(self.url.partition("?")[2], keep_blank_values=True)

    @property
    def form(self) -> Pairs:
        """The fields of a form, decoded, in order; none where the body is of another type."""
        kind = self.headers.get("content-type", "").partition(";")[0]
        if kind.strip().lower() != "application/x-www-form-urlencoded":
            return []
        return parse_qsl(self.body.decode("latin-1"), keep_blank_values=True)


class Evidence(StrEnum):
    """What a receipt may say; the closed set that the ledger understands."""

    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the provider says became of a message. `reference` is ours, where it carries it.

    `at` is the provider's moment, aware; None where it tells none: then it is when the call came.
    """

    evidence: Evidence
    at: datetime | None
    reference: str | None = None
    provider_id: str | None = None
    code: str | None = None
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Inbound:
    """Something a person wrote. `address` is a value of `scheme` (E.164 with its plus); `at` as above.

    `meaning` is what the provider itself took it for, by its own list of words: it has heeded it there and
    answered the person, so that nothing of ours answers too. Of a reply that they tapped `text` is its title,
    and `payload` what we (or the template) gave it to bring back. `also` is another value of `scheme` by
    which the provider knows the same person.
    """

    provider_id: str
    scheme: str
    address: str
    text: str
    at: datetime | None
    meaning: Meaning | None = None
    payload: str = ""
    also: str = ""


@dataclass(frozen=True, slots=True)
class OptOut:
    """A person wishes to hear nothing more at this address, and said so to no person: by a link in a mail,
    say. `address` is a value of `scheme`; `at` as above."""

    scheme: str
    address: str
    at: datetime | None = None


Event = Receipt | Inbound | OptOut
"""What a call may tell."""


@dataclass(frozen=True, slots=True)
class Found:
    """A look-up's answer: whether the provider has the message, and what it says of it."""

    known: bool
    provider_id: str | None = None
    evidence: Evidence | None = None


class Sender(Protocol):
    """An account ready to send. Neither method raises for what the provider does or says."""

    async def send(self, parcel: Parcel) -> Told:
        """Make one try: one request at most."""

    async def look_up(self, reference: str) -> Found | None:
        """Ask what became of a try; None when the provider could not say now."""


class Provider(Protocol):
    """A provider's module-level class, one instance each. Nothing here does I/O but `Sender`s."""

    name: ClassVar[str]
    base_url: ClassVar[str]  # the provider's own address, where the channel names none
    schemes: ClassVar[tuple[str, ...]]  # addresses it can reach, the preferred first
    can_look_up: ClassVar[bool]
    has_window: ClassVar[bool]  # free text only within 24 hours of the person's last message
    text_limit: ClassVar[int]
    kinds: ClassVar[frozenset[str]]  # of content (`domain.content`) that it carries
    credentials: ClassVar[Mapping[str, str]]  # every secret that an account may have, by name: what it is for
    # Its one request goes through `Http.call`, which tells of the first byte, or it tells of that itself
    # (`kit.http.departing`). Where neither is, a try counts as begun before `send`.
    speaks_http: ClassVar[bool]
    # What it usually allows one sender: a new channel's rate; of the rest a channel may say otherwise.
    limits: ClassVar[Limits]
    counts_segments: ClassVar[bool]  # whether its rate and capacity count segments of SMS, not messages
    thanks: ClassVar[tuple[str, str]]  # type and body of the answer to a call that was taken; mostly none

    def sender(self, account: Account, http: Http) -> Sender:
        """Raises Misconfigured when the account lacks something."""

    def verified(self, account: Account, call: Call) -> bool:
        """Whether a call to our hook is the provider's own, as it came, in constant time."""

    def challenge(self, account: Account, call: Call) -> str | None:
        """The answer to the provider's set-up question (GET), or None when it is not one."""

    def read(self, account: Account, call: Call) -> Sequence[Event]:
        """A verified call as events; of the account there are all but its credentials. Raises ValueError
        when it cannot be read."""
