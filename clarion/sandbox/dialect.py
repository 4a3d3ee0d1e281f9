"""What a provider's twin must be able to do. A new provider is one module in twins/ with such a class."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol, runtime_checkable

from clarion.sandbox.head import Handler, Head
from clarion.sandbox.world import Inbound, Number, World

if TYPE_CHECKING:
    from clarion.sandbox.calls import Calls


class Choice(NamedTuple):
    """Something that a person may tap below a message: a button, a row of a list, or a template's quick
    reply. `payload` is what it brings back."""

    kind: str  # "button", "list" or "template"
    payload: str
    title: str
    description: str = ""


@dataclass(slots=True)
class Filled:
    """A template as a message calls it: how many parameters its body was given, of what type its header's
    was ("": none), and its buttons' by index: (sub_type, value)."""

    name: str
    language: str
    body: int = 0
    header: str = ""
    buttons: dict[int, tuple[str, str]] = field(default_factory=dict)


@dataclass(slots=True)
class Submission:
    """A well-formed request to send one message. `kind` is an index of record.KINDS."""

    number: Number
    to: str
    reference: str
    kind: int
    text: str
    given: str  # the recipient as the caller wrote it
    template: Filled | None = None
    callback: str = ""  # where this message's statuses go, of providers that are told so with each
    choices: tuple[Choice, ...] = ()  # what the person may tap below it


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a provider does not take a message: its code, and what it says beyond the code's usual words."""

    code: int
    details: str = ""
    status: int | None = None
    retry_after: float | None = None
    subcode: int = 0


class Told(NamedTuple):
    """One status of one message, by its row in the record and its index in record.STATUSES.

    `at` is the moment that it tells of (Unix seconds of the sandbox's clock), `code` the error of a failure.
    """

    row: int
    status: int
    at: float
    code: int = 0


@dataclass(frozen=True, slots=True)
class Webhook:
    """One request of the provider's to whoever listens."""

    url: str
    headers: Mapping[str, str]
    body: bytes = b""
    method: str = "POST"


class Caller(Protocol):
    """Who made a request, and waits for its answer: a connection, of whatever protocol."""

    def answer(self, raw: bytes) -> None:
        """Write an answer that was put off; nothing happens if the caller has gone."""

    def hang_up(self) -> None:
        """Close in the orderly way without an answer."""

    def reset(self) -> None:
        """Close by a reset."""

    def half_close(self) -> None:
        """Close only our sending side."""


class Dialect(Protocol):
    """How one provider speaks: its answers, and the webhooks that it posts."""

    batches: ClassVar[bool]  # whether one webhook holds many statuses, or many messages

    def objection(self, submission: Submission, now: float, mono: float) -> Refusal | None:
        """Why the provider itself would not take this now (rates, windows, templates); None when it does."""

    def throttled(self, retry_after: float | None) -> Refusal:
        """Too many requests: not processed."""

    def not_processed(self, code: int) -> Refusal:
        """A 5xx that the provider documents as not processed."""

    def accepted(self, submission: Submission, wamid: str) -> bytes:
        """The whole answer to an accepted message, an HTTP response mostly."""

    def refused(self, refusal: Refusal) -> bytes:
        """The whole answer to a refusal."""

    def broken(self) -> bytes:
        """A 500 that says nothing of whether the message was processed."""

    def malformed(self) -> bytes:
        """A 200 whose body is cut off."""

    def statuses(self, number: Number, told: Sequence[Told]) -> Webhook | None:
        """A webhook with these statuses, signed; None when nobody asked to be told. One status where the
        dialect does not batch."""

    def inbound(self, number: Number, messages: Sequence[Inbound]) -> Webhook | None:
        """The same with these messages of people."""


@dataclass(frozen=True, slots=True)
class Example:
    """What a channel needs to send over a sandbox of default settings, beside its address.

    `never`: the faults that this provider's protocol has no words for; `write`, where people cannot write
    back; `call`, where nothing comes by our hook; `receipts`, where nothing comes back at all; `reference`,
    where some receipts name a message by the provider's identifier only; `settle`, where all do; `repeat`,
    where a status is seen and cannot be told twice; `spaces`, where a text loses those at its end.
    `protocol`: at which of the sandbox's addresses it is found.
    """

    sender: str
    credentials: Mapping[str, str]
    options: Mapping[str, object] = field(default_factory=dict)
    never: frozenset[str] = frozenset()
    protocol: str = "http"


class Twin(Dialect, Protocol):
    """A provider in a sandbox: its addresses, and its dialect."""

    example: ClassVar[Example]

    def __init__(self, world: World) -> None: ...

    def serve(self, calls: Calls) -> None:
        """Submit what comes to these calls from now on."""

    def route(self, head: Head) -> Handler | None:
        """The handler of this head, when the address is this provider's.

        It is kept for all requests with the same head, until the settings change.
        """


@runtime_checkable
class Pushing(Protocol):
    """A dialect that tells over the connections that its callers hold, and calls no callback address."""

    async def push(self, number: Number, webhook: Webhook) -> bool:
        """Tell this; whether it was acknowledged."""


@runtime_checkable
class Listening(Protocol):
    """A twin that is called by another protocol than HTTP, at an address of its own."""

    protocol: ClassVar[str]  # what its address begins with

    def connection(self) -> asyncio.Protocol:
        """For one more connection."""
