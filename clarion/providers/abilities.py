"""What a provider may be able to do beyond the contract; each says so by having the member."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar, Protocol, runtime_checkable

from clarion.domain.catalogue import Kept
from clarion.domain.content import Form
from clarion.domain.purpose import Purpose
from clarion.domain.refusal import Refusal
from clarion.kit.http import Http
from clarion.providers.contract import Account, Call

Hear = Callable[[Call], Awaitable[None]]  # it is durable then; raises Unavailable: it must be told again


@runtime_checkable
class Choosy(Protocol):
    """A provider that understands its channels' `options`, and says what is wrong with them at once."""

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Raises Invalid with every problem, its place below config.options."""


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


@runtime_checkable
class Facing(Protocol):
    """A provider whose messages hold addresses of our hook, which people follow with a browser."""

    def page(self, account: Account, call: Call) -> str | None:
        """The HTML that answers a person's call, or None when it is none. A GET changes nothing: it is
        answered and not stored; anything else is verified, stored and read first."""
