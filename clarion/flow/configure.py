"""Setting up: a workspace with its first key, and channels with their credentials."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from clarion.domain.channel import HTTP, read_config
from clarion.domain.country import parse_country
from clarion.domain.language import parse_language
from clarion.domain.refusal import Refusal
from clarion.domain.scope import Scope
from clarion.domain.timezone import parse_timezone
from clarion.errors import Invalid
from clarion.flow import access
from clarion.flow.services import Services
from clarion.kit.db import Connection
from clarion.kit.ids import uuid7
from clarion.kit.secrets import ApiKey, binding
from clarion.providers import registry
from clarion.providers.abilities import Choosy, Elsewhere, Polled
from clarion.store import channel as channels
from clarion.store import notice as notices
from clarion.store import polling
from clarion.store import workspace as workspaces

Credentials = Mapping[str, object]
_LONGEST_CREDENTIALS = 64 * 1024


@dataclass(frozen=True, slots=True)
class NewWorkspace:
    """A workspace just made, and its first key (`key.shown()` is seen once)."""

    workspace_id: UUID
    key: ApiKey


async def create_workspace(
    services: Services,
    *,
    name: str,
    country: str = "US",
    language: str = "en",
    timezone: str = "UTC",
    operator_address: str | None = None,
) -> NewWorkspace:
    """A workspace and a key with every right. Raises Invalid."""
    if not name.strip():
        raise Invalid("a workspace needs a name", where="name")
    country = _taken(parse_country(country), "country")
    language = _taken(parse_language(language), "language")
    timezone = _taken(parse_timezone(timezone), "timezone")
    check_operator_address(operator_address)
    now = services.clock.now()
    workspace_id = uuid7(now)
    async with services.db.tenant(workspace_id) as connection:
        await workspaces.create(
            connection,
            workspace_id,
            name=name.strip(),
            now=now,
            country=country,
            language=language,
            timezone=timezone,
            operator_address=operator_address,
        )
        key = await access.create_key(
            connection, workspace_id, name="first key", scopes=[Scope.ADMIN], now=now
        )
    return NewWorkspace(workspace_id, key)


async def change_workspace(
    connection: Connection,
    *,
    name: str | None = None,
    country: str | None = None,
    language: str | None = None,
    timezone: str | None = None,
    operator_address: str | None = None,
) -> None:
    """Other settings of the transaction's workspace; None leaves one. Raises Invalid.

    An empty `operator_address` takes it away.
    """
    if name is not None and not name.strip():
        raise Invalid("a workspace needs a name", where="name")
    if operator_address:
        check_operator_address(operator_address)
    await workspaces.change(
        connection,
        name=None if name is None else name.strip(),
        country=None if country is None else _taken(parse_country(country), "country"),
        language=None if language is None else _taken(parse_language(language), "language"),
        timezone=None if timezone is None else _taken(parse_timezone(timezone), "timezone"),
        operator_address=operator_address,
    )


async def create_channel(
    connection: Connection,
    services: Services,
    workspace_id: UUID,
    *,
    name: str,
    provider: str,
    config: Mapping[str, object],
    credentials: Credentials | None = None,
    rate: Decimal | float | None = None,
    account_id: UUID | None = None,
) -> UUID:
    """A channel, active at once; its identifier. Raises Invalid, Conflict, NotFound.

    `rate` is messages a second; without one it is what the provider usually allows. `account_id` is the
    channel that leads the account to which this one belongs too; for good.
    """
    now = services.clock.now()
    channel_id = uuid7(now)
    check_credentials(provider, credentials)
    check_config(services, provider, config)
    if account_id is not None:
        leader = await channels.get(connection, account_id)
        if leader["account_id"] is not None or leader["provider"] != provider:
            raise Invalid(
                "this channel leads no account of the same provider",
                where="account_id",
                hint="Name the account's first channel.",
            )
        _check_follower(config)
    await channels.create(
        connection, channel_id, workspace_id, name=_channel_name(name), provider=provider, config=config,
        credentials=seal_credentials(services, workspace_id, channel_id, credentials),
        rate=_rate(registry.get(provider).limits.rate if rate is None else rate), now=now,
        account_id=account_id,
    )  # fmt: skip
    if isinstance(registry.get(provider), Polled):
        await polling.begin(connection, channel_id, now)
    return channel_id


async def change_channel(
    connection: Connection,
    services: Services,
    channel_id: UUID,
    *,
    name: str | None = None,
    config: Mapping[str, object] | None = None,
    rate: Decimal | float | None = None,
) -> None:
    """Another name, configuration or rate. Of `config`, what is given changes and null goes back to
    the default; the rest stays. Raises Invalid, NotFound, Conflict."""
    merged: dict[str, object] | None = None
    if config is not None:
        present = await channels.get(connection, channel_id)
        merged = {key: value for key, value in {**present["config"], **config}.items() if value is not None}
        check_config(services, present["provider"], merged)
        if present["account_id"] is not None:
            _check_follower(merged)
    await channels.change(
        connection,
        channel_id,
        name=None if name is None else _channel_name(name),
        config=merged,
        rate=None if rate is None else _rate(rate),
        now=services.clock.now(),
    )


async def set_credentials(
    connection: Connection,
    services: Services,
    workspace_id: UUID,
    channel_id: UUID,
    credentials: Credentials | None,
) -> None:
    """Other credentials, whole; None takes them away. They are never shown. Raises NotFound, Invalid."""
    check_credentials((await channels.get(connection, channel_id))["provider"], credentials)
    sealed = seal_credentials(services, workspace_id, channel_id, credentials)
    await channels.set_credentials(connection, channel_id, sealed, services.clock.now())


async def pause_channel(connection: Connection, channel_id: UUID, reason: str, now: datetime) -> bool:
    """Stop sending over a channel; False when it was paused already. Raises NotFound."""
    return await channels.pause(connection, channel_id, reason or "paused by a person", now)


async def resume_channel(connection: Connection, channel_id: UUID, now: datetime) -> bool:
    """Send over a channel again, and close its notices; False when it was not paused. Raises NotFound."""
    resumed = await channels.resume(connection, channel_id, now)
    await notices.clear(connection, f"channel:{channel_id}", now)
    return resumed


async def rotate_credentials(services: Services, workspace_id: UUID) -> int:
    """Seal again with the present key what a key of before sealed; how many channels changed."""
    changed = 0
    async with services.db.tenant(workspace_id) as connection:
        for found in await channels.sealed(connection):
            sealed = bytes(found["credentials"])
            if services.box.stale(sealed):
                again = services.box.rotate(sealed, bound_to=_bound(workspace_id, found["id"]))
                await channels.set_credentials(connection, found["id"], again, services.clock.now())
                changed += 1
    return changed


def check_credentials(provider: str, credentials: Credentials | None) -> None:
    """Raises Invalid for a provider that is none, and for a secret that it would never ask for: one that is
    misspelt would be missed when the first message is sent."""
    known = registry.get(provider).credentials
    for name in credentials or ():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise Invalid(
                f"{provider} has no credential {name[:80]!r}",
                where=f"credentials.{name[:80]}",
                hint=f"Did you mean {near[0]}?" if near else "It has: " + ", ".join(known),
            )


def seal_credentials(
    services: Services, workspace_id: UUID, channel_id: UUID, credentials: Credentials | None
) -> bytes | None:
    """Credentials as they are stored. Raises Invalid when they are too long."""
    if credentials is None:
        return None
    plain = json.dumps(dict(credentials), ensure_ascii=False).encode()
    if len(plain) > _LONGEST_CREDENTIALS:
        raise Invalid(f"credentials have at most {_LONGEST_CREDENTIALS} bytes", where="credentials")
    return services.box.seal(plain, bound_to=_bound(workspace_id, channel_id))


def open_credentials(
    services: Services, workspace_id: UUID, channel_id: UUID, sealed: bytes | None
) -> dict[str, object]:
    """Credentials for the provider; empty where there are none. Raises Misconfigured."""
    if sealed is None:
        return {}
    plain = services.box.open(bytes(sealed), bound_to=_bound(workspace_id, channel_id))
    return dict(json.loads(plain))


def check_operator_address(address: str | None) -> None:
    """Raises Invalid unless it is absent, a mail address or an https address."""
    if address is not None and not address.startswith(("mailto:", "https://")):
        raise Invalid(
            "an operator is told by mail or by a web call",
            where="operator_address",
            hint="Write mailto:someone@example.org or https://….",
        )


def _bound(workspace_id: UUID, channel_id: UUID) -> bytes:
    return binding("channel credentials", workspace_id, channel_id)


def check_config(services: Services, provider: str, config: Mapping[str, object]) -> None:
    """Raises Invalid for a configuration that a channel of this provider cannot have."""
    known, private = registry.get(provider), services.settings.allow_private_addresses
    spoken = known.protocols if isinstance(known, Elsewhere) else HTTP
    read = read_config(config, allow_private=private, protocols=spoken)
    if isinstance(known, Choosy):
        known.check_options(read.options)


def _check_follower(config: Mapping[str, object]) -> None:
    if config.get("account") is not None:
        what = "what an account may carry is told by the channel that leads it"
        raise Invalid(what, where="config.account", hint="Set it there.")


def _channel_name(name: str) -> str:
    name = name.strip()
    if not name or len(name) > 100:
        raise Invalid("a channel needs a name of at most 100 characters", where="name")
    return name


def _rate(rate: Decimal | float) -> Decimal:
    value = Decimal(str(rate))
    if not value.is_finite() or not Decimal("0.001") <= value <= 100_000:
        raise Invalid("a rate is between 0.001 and 100,000 messages a second", where="rate")
    return value


def _taken(parsed: str | Refusal, where: str) -> str:
    if isinstance(parsed, Refusal):
        raise parsed.error(where)
    return parsed
