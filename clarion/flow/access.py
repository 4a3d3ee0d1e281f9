"""Who calls: keys to the API are made, shown once, checked and revoked here."""

from __future__ import annotations

from collections.abc import Collection, Sized
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

from clarion.domain.scope import Scope, covers
from clarion.errors import Forbidden, Invalid, Unauthorized
from clarion.flow.services import Services
from clarion.kit.db import Connection, Row
from clarion.kit.ids import uuid7
from clarion.kit.secrets import ApiKey, new_api_key, parse_api_key, same
from clarion.store import api_key as keys

_KNOWN = {scope.value: scope for scope in Scope}
_REFUSED = "this key is not valid"
_HINT = "Send `Authorization: Bearer clarion_…` with a key that is neither revoked nor expired."


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a request is from: a key of one workspace, and what it may do."""

    workspace_id: UUID
    key_id: UUID
    name: str
    scopes: frozenset[Scope]

    def require(self, any_of: Collection[Scope]) -> None:
        """Raises Forbidden unless one of these is covered. No scope asked for: any key will do."""
        if any_of and not covers(self.scopes, any_of):
            raise Forbidden(
                f"this key may not do that: it needs {' or '.join(any_of)}",
                hint="Make a key with that scope, or use another one.",
                extra={"scopes_needed": list(any_of)},
            )


async def authenticate(services: Services, token: str | None) -> Caller:
    """The caller that a bearer token belongs to. Raises Unauthorized, which never says what was wrong.

    The key names its workspace, so the look-up runs inside that workspace and sees no other. Calls with one
    key that come at the same time share a look-up, which begins after they came: a key that was revoked
    before is refused.
    """
    key = parse_api_key(token) if token else None
    if key is None:
        raise Unauthorized("a key is needed" if not token else _REFUSED, hint=_HINT)
    found = await services.logins.ask(
        (key.workspace_id, key.key_id), None, partial(_look, services, key.workspace_id, key.key_id)
    )
    now = services.clock.now()
    # the comparison runs also when there is nothing to compare with
    fits = same(key.digest(), bytes(found["secret_hash"]) if found else bytes(32))
    if found is None or not fits or not _valid(found["expires_at"], found["revoked_at"], now):
        raise Unauthorized(_REFUSED, hint=_HINT)
    if keys.unused(found["last_used_at"], now):
        async with services.db.tenant(key.workspace_id) as connection:
            await keys.used(connection, key.key_id, now)
    scopes = frozenset(_KNOWN[name] for name in found["scopes"] if name in _KNOWN)
    return Caller(key.workspace_id, key.key_id, found["name"], scopes)


async def _look(services: Services, workspace_id: UUID, key_id: UUID, asked: Sized) -> list[Row | None]:
    """The key as it is kept, for everybody who asks for it."""
    return [await keys.for_login(services.db, workspace_id, key_id)] * len(asked)


async def create_key(
    connection: Connection,
    workspace_id: UUID,
    *,
    name: str,
    scopes: Collection[Scope],
    now: datetime,
    expires_at: datetime | None = None,
) -> ApiKey:
    """A new key; `shown()` of what comes back is the only time that the secret is seen.

    Raises Invalid without a name or scopes, or when it would have expired already.
    """
    if not name.strip():
        raise Invalid("a key needs a name, so that it can be told from others", where="name")
    if not scopes:
        raise Invalid("a key needs at least one scope", where="scopes", hint=f"One of {', '.join(Scope)}.")
    if expires_at is not None and expires_at <= now:
        raise Invalid("the key would have expired already", where="expires_at")
    key = new_api_key(workspace_id, uuid7(now))
    await keys.create(
        connection,
        key.key_id,
        workspace_id,
        name=name.strip(),
        secret_hash=key.digest(),
        scopes=sorted(scopes),
        now=now,
        expires_at=expires_at,
    )
    return key


async def revoke_key(connection: Connection, key_id: UUID, now: datetime) -> None:
    """End a key at once and for good. Raises NotFound."""
    await keys.revoke(connection, key_id, now)


def _valid(expires_at: datetime | None, revoked_at: datetime | None, now: datetime) -> bool:
    return revoked_at is None and (expires_at is None or now < expires_at)
