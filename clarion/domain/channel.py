"""A channel's configuration: where its provider is, who sends, what it carries, and how patient we are.

Pure: reading, checking, and the back-off. Credentials are no part of it (they are sealed and
write-only), nor is the rate (a column of the channel, which the broker reads).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    field_validator,
    model_validator,
)

from clarion.domain.limits import Limits
from clarion.domain.price import Prices
from clarion.errors import Invalid, Problem

Seconds = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]
# Strict: a limit that is written as text is told, and never taken for none.
_NO_RATE = 1e9
Count = Annotated[int, Field(strict=True, ge=1, le=100_000_000)]


HTTP, SMTP, SMPP = ("https", "http"), ("smtps", "smtp"), ("ssmpp", "smpp+tls", "smpp")
"""What a `base_url` may begin with, by protocol, the encrypted one first."""


class AccountLimits(BaseModel):
    """What all channels of an account may carry together. What is absent is not limited."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rate: float | None = Field(
        default=None, gt=0, le=100_000, description="messages (SMS: segments) a second"
    )
    capacity: Count | None = Field(default=None, description="how much may be outstanding at once")
    pair_interval: Seconds | None = Field(
        default=None, description="seconds between two messages to one address"
    )
    pair_burst: Count = Field(default=1, description="how many may go to one address at once")
    uniques: Count | None = Field(default=None, description="different addresses in any 24 hours")
    daily: Count | None = Field(default=None, description="messages (SMS: segments) in one day")

    @property
    def limits(self) -> Limits:
        """As the limiter takes them."""
        return Limits(
            self.rate or _NO_RATE, self.capacity, self.pair_interval or None, self.pair_burst, self.uniques,
            self.daily,
        )  # fmt: skip


class ChannelConfig(BaseModel):
    """What a channel may be told. What is not set follows the default, also when that changes."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    base_url: str | None = Field(
        default=None,
        max_length=500,
        description="the provider's address; absent: the provider's own. Another speaker of the same "
        "protocol (the sandbox, a simulator) may stand there",
        examples=["https://graph.facebook.com"],
    )
    sender: str = Field(
        default="",
        max_length=128,
        pattern=r"^[^\s/?#%\x00-\x1f]*$",
        description="who sends, in the provider's terms: WhatsApp's phone_number_id, a short code, a page",
        examples=["106540352242922"],
    )
    api_version: str | None = Field(
        default=None,
        max_length=20,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="version of the provider's protocol; absent: the one that this Clarion was tested with",
        examples=["v23.0"],
    )
    connect_timeout: Seconds = Field(default=5, gt=0, description="seconds to be connected in")
    total_timeout: Seconds = Field(
        default=30, gt=0, description="seconds for a whole call; after that its effect is unknown"
    )
    attempts: int = Field(
        default=5, ge=1, le=50, description="tries of one message, where each before had no effect"
    )
    backoff_base: Seconds = Field(
        default=2, gt=0, description="seconds; before try n + 1 it waits up to base × 2^(n-1)"
    )
    backoff_cap: Seconds = Field(default=300, gt=0, description="seconds; the longest wait between tries")
    lookup_lag: Seconds = Field(
        default=60,
        description="seconds until the provider's lookup shows what it took: before, a lookup that finds "
        "nothing says nothing",
    )
    max_in_flight: int = Field(default=128, ge=1, le=10_000, description="calls under way at once")
    capacity: Count | None = Field(
        default=None,
        description="how much may be outstanding at once: sent, and not yet told to be delivered or failed. "
        "A call counts one, an SMS its segments; absent: no such limit",
    )
    collect_after: Seconds = Field(
        default=300,
        gt=0,
        description="seconds without a word after which the provider is asked about what is outstanding; "
        "where it cannot be asked, it is outstanding no longer",
    )
    pair_interval: Seconds | None = Field(
        default=None,
        description="seconds between two messages to one address; 0: none needed; absent: the provider's own",
    )
    pair_burst: Count | None = Field(
        default=None,
        description="how many may go to one address at once, borrowed from the time to come; absent: the "
        "provider's own",
    )
    uniques: Count | None = Field(
        default=None, description="different addresses in any 24 hours; absent: no such limit"
    )
    daily: Count | None = Field(
        default=None,
        description="messages (SMS: segments) in one day of the workspace; absent: no such limit",
    )
    account: AccountLimits | None = Field(
        default=None,
        description="what all channels of the account may carry together; told by the channel that leads it",
    )
    breaker: int = Field(
        default=20, ge=1, le=10_000, description="unknown outcomes in a row that pause the channel"
    )
    prices: Prices | None = Field(
        default=None, description="what a message (SMS: segment) costs, for previews"
    )
    options: dict[str, JsonValue] = Field(
        default_factory=dict, max_length=50, description="what only this provider understands"
    )

    @field_validator("base_url")
    @classmethod
    def _an_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if problem := _wrong_address(value):
            raise ValueError(problem)
        return value.rstrip("/")

    @model_validator(mode="after")
    def _in_order(self) -> ChannelConfig:
        if self.total_timeout < self.connect_timeout:
            raise ValueError("total_timeout is shorter than connect_timeout")
        if self.backoff_cap < self.backoff_base:
            raise ValueError("backoff_cap is shorter than backoff_base")
        return self


def limits(config: ChannelConfig, rate: float, usual: Limits) -> Limits:
    """What a channel may carry; `rate` in units a second, `usual` what its provider usually allows."""
    interval = usual.pair_interval if config.pair_interval is None else config.pair_interval
    return Limits(
        rate=rate,
        capacity=config.capacity or usual.capacity,
        pair_interval=interval or None,
        pair_burst=config.pair_burst or usual.pair_burst,
        uniques=config.uniques or usual.uniques,
        daily=config.daily or usual.daily,
    )


# What may change while a channel is at work, without opening it anew.
LIMITS = ("capacity", "pair_interval", "pair_burst", "uniques", "daily", "collect_after", "prices")


def read_config(
    given: Mapping[str, object],
    *,
    allow_private: bool,
    where: str = "config",
    protocols: tuple[str, ...] = HTTP,
) -> ChannelConfig:
    """A checked configuration. Raises Invalid with every problem in it.

    `protocols` are what `base_url` may begin with, the encrypted one first. `allow_private` (a setting)
    lets it name a loopback or private address, and plain http.
    Names are judged here by their spelling only; what they resolve to is checked at each connection.
    """
    try:
        config = ChannelConfig.model_validate(dict(given))
    except ValidationError as error:
        raise Invalid(
            "the channel's configuration is not right",
            where=where,
            problems=tuple(_problem(found["loc"], found["msg"], where) for found in error.errors()),
        ) from None
    if config.base_url is not None and urlsplit(config.base_url).scheme not in protocols:
        raise Invalid(
            "this provider speaks another protocol",
            where=f"{where}.base_url",
            hint=f"Write an address that begins with {protocols[0]}://",
        )
    if config.base_url is not None and not allow_private and (problem := not_public(config.base_url)):
        raise Invalid(
            problem,
            where=f"{where}.base_url",
            hint="Where this is meant (a sandbox, a test), set CLARION_ALLOW_PRIVATE_ADDRESSES=true.",
        )
    return config


def backoff(attempt: int, config: ChannelConfig, rng: float) -> float:
    """Seconds to wait after try number `attempt` (from 1) had no effect; `rng` is in [0, 1).

    Full jitter (Brooker, "Exponential Backoff and Jitter", 2015): the wait is anywhere up to the
    ceiling, so that those refused together do not come back together.
    """
    ceiling = config.backoff_base * 2.0 ** min(max(attempt, 1) - 1, 64)
    return rng * min(config.backoff_cap, ceiling)


def _problem(path: tuple[int | str, ...], message: str, where: str) -> Problem:
    steps = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return Problem(where + steps, message.removeprefix("Value error, "))


def _wrong_address(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "not an address"
    if parts.scheme not in (*HTTP, *SMTP, *SMPP):
        return "write an address that begins with https://"
    if not parts.hostname or re.search(r"[\s\x00-\x20\\]", url):
        return "the address names no host"
    if parts.username is not None or parts.password is not None:
        return "credentials do not belong into an address: give them as credentials"
    if parts.query or parts.fragment:
        return "an address without ? and # is needed"
    return None


# Names that never leave the machine or its network (RFC 6761, RFC 6762, RFC 8375).
_LOCAL_NAMES = ("localhost", "local", "internal", "home.arpa", "localdomain", "lan")


def not_public(url: str) -> str | None:
    """What keeps an address from being one that everybody may reach, by its spelling; None: nothing."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    literal = _literal(host)
    if literal == "odd":
        return "write an IP address in its usual form"
    if isinstance(literal, (ipaddress.IPv4Address, ipaddress.IPv6Address)):
        inner = getattr(literal, "ipv4_mapped", None) or literal
        if not inner.is_global or inner.is_multicast:
            return "this address is loopback or private"
    elif "." not in host or any(host == name or host.endswith("." + name) for name in _LOCAL_NAMES):
        return "this name is of this machine or of its own network"
    return _not_encrypted(parts)


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | str | None:
    """The IP address that a host spells; "odd" for 0x7f.1 or 2130706433, which resolvers read as one too.

    A host whose last label is a number is an IPv4 address (WHATWG URL, "ends in a number").
    """
    try:
        return ipaddress.ip_address(host.split("%", 1)[0])
    except ValueError:
        last = host.rpartition(".")[2]
        return "odd" if re.fullmatch(r"\d+|0[xX][0-9a-fA-F]*", last) else None


def _not_encrypted(parts: SplitResult) -> str | None:
    # smtp:// is encrypted once it is connected: the provider refuses to go on where it cannot be. Plain
    # smpp:// is refused by its provider too, unless the channel's options say that it is meant.
    if parts.scheme not in ("https", *SMTP, *SMPP):
        return "credentials would travel unencrypted: use https"
    return None
