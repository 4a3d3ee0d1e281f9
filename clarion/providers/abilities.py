"""What a provider may be able to do beyond the contract; each says so by having the member."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

from clarion.domain.catalogue import Kept
from clarion.domain.content import Form
from clarion.domain.purpose import Purpose
from clarion.domain.refusal import Refusal
from clarion.kit.http import Http
from clarion.providers.contract import Account, Call, Provider

Hear = Callable[[Call], Awaitable[None]]  # it is durable then; raises Unavailable: it must be told again


@runtime_checkable
class Choosy(Protocol):
    """A provider that understands its channels' `options`, and says what is wrong with them at once."""

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Raises Invalid with every problem, its place below config.options."""


@runtime_checkable
class Starting(Protocol):
    """A provider that starts flows, which its channels may give names."""

    def knows_flow(self, options: Mapping[str, Any], flow: str) -> bool:
        """Whether a channel with these options can say which flow is meant."""


@runtime_checkable
class Particular(Protocol):
    """A provider that carries some contents of a kind and not others."""

    def objection(self, form: Form) -> Refusal | None:
        """What keeps this from being carried, of a form whose kind is among the provider's; None: nothing."""


@runtime_checkable
class Purposeful(Protocol):
    """A provider that ties to a purpose what its channels' options say."""

    def unfit(self, options: Mapping[str, Any], purpose: Purpose) -> Refusal | None:
        """What keeps a channel with these options from carrying something of this purpose; None: nothing."""


@runtime_checkable
class Optioned(Protocol):
    """A provider that is another one by what a channel's options say."""

    def by_options(self, options: Mapping[str, Any]) -> Provider:
        """It, as channels with these options use it."""


@runtime_checkable
class Cataloguing(Protocol):
    """A provider that keeps templates, and tells which."""

    def catalogue(self, options: Mapping[str, Any]) -> str | None:
        """Whose templates a channel with these options calls; None where they do not say."""

    async def templates(self, account: Account, http: Http) -> Sequence[Kept]:
        """All of them, as they are now, where the options say whose. Raises Unavailable (try again later) and
        Misconfigured (an operator must act)."""


@runtime_checkable
class Weighed(Protocol):
    """A provider that takes so many bytes, whatever the characters are."""

    byte_limit: ClassVar[int]  # UTF-8, of a text, or of a push message's title, body, link and data together


@runtime_checkable
class BothWays(Protocol):
    """A provider whose rate is of messages out and in together."""

    counts_inbound: ClassVar[bool]


@runtime_checkable
class Replayable(Protocol):
    """A provider that keeps our reference as its idempotency key: a try that is repeated under it is answered
    as the first time, and not processed twice."""

    def replays_for(self, options: Mapping[str, Any]) -> float:
        """For how many seconds from its beginning a try may be repeated; 0: never."""


@runtime_checkable
class Elsewhere(Protocol):
    """A provider that is reached by another protocol than HTTP."""

    protocols: ClassVar[tuple[str, ...]]  # what its `base_url` begins with, the encrypted first


@runtime_checkable
class Naming(Protocol):
    """A provider of whose receipts some name a message by the provider's own identifier alone."""

    by_its_own_names: ClassVar[bool]


@runtime_checkable
class Heard(Protocol):
    """A provider whose senders are `Hearing`: its channels have an owner also with nothing to send."""

    heard_on_its_connection: ClassVar[bool]


@runtime_checkable
class Hearing(Protocol):
    """A sender whose provider tells over the sender's own connection what others post to our hook."""

    async def listen(self, hear: Hear) -> None:
        """Stay connected until cancelled, whatever breaks; acknowledge nothing before `hear` returned."""


@dataclass(frozen=True, slots=True)
class Reread:
    """What a provider told when it was asked: `calls` as those to our hook are, for `read` to read later.

    `cursor` is where the next question goes on; it is kept together with the calls, or neither is. `wait` is
    in seconds until then, 0 where there is more at once, None where it failed and names no time; `problem` is
    a word for why not everything was told.
    """

    calls: tuple[Call, ...]
    cursor: str
    wait: float | None
    problem: str | None = None


@runtime_checkable
class Polled(Protocol):
    """A provider that calls nobody: its senders are `Polling`, and are asked for as long as there is the
    channel, by one worker at a time."""

    is_polled: ClassVar[bool]


@runtime_checkable
class Polling(Protocol):
    """A sender that can be asked what happened."""

    async def poll(self, cursor: str) -> Reread:
        """What happened since `cursor` ("": from now on), a bounded part of it; what was told before may be
        told again. Changes nothing there. Does not raise for what the provider does or says."""


@runtime_checkable
class Facing(Protocol):
    """A provider whose messages hold addresses of our hook, which people follow with a browser."""

    def page(self, account: Account, call: Call) -> str | None:
        """The HTML that answers a person's call, or None when it is none. A GET changes nothing: it is
        answered and not stored; anything else is verified, stored and read first."""
