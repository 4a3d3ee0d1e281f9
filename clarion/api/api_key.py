"""Keys to the API."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, ConfigDict, Field

from clarion.api.auth import needs
from clarion.api.edge import Edge
from clarion.api.model import Answer, Body
from clarion.api.pages import Ask, Page, asked
from clarion.api.problems import responses
from clarion.api.routers import new_router
from clarion.domain.scope import Scope
from clarion.flow import access
from clarion.store import api_key as keys

router = new_router("keys", "Keys to this API, with what they may do.")


class KeyBody(Body):
    """A key to be made."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "employer portal", "scopes": ["announcements:write"]}]}
    )

    name: str = Field(min_length=1, max_length=100)
    scopes: set[Scope] = Field(min_length=1, description="writing includes reading; admin includes all")
    expires_at: AwareDatetime | None = None


class Key(Answer):
    """A key, without its secret."""

    id: UUID
    name: str
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None = Field(description="to the minute")


class NewKey(Key):
    """A key just made. `key` is shown this once and stored nowhere: keep it."""

    key: str = Field(examples=["clarion_0192…_mZ4…"])


@router.post("", status_code=201, summary="Make a key")
async def create(body: KeyBody, edge: Annotated[Edge, needs(Scope.ADMIN)]) -> NewKey:
    async with edge.transaction() as connection:
        key = await access.create_key(
            connection,
            edge.workspace_id,
            name=body.name,
            scopes=body.scopes,
            expires_at=body.expires_at,
            now=edge.now(),
        )
        return NewKey.model_validate({**await keys.get(connection, key.key_id), "key": key.shown()})


@router.get("", summary="List keys")
async def listed(edge: Annotated[Edge, needs(Scope.ADMIN)], ask: Annotated[Ask, asked()]) -> Page[Key]:
    async with edge.transaction() as connection:
        return ask.page(Key, await keys.page(connection, ask.after, ask.fetch))


@router.get("/{key_id}", summary="Show a key", responses=responses(404))
async def show(key_id: UUID, edge: Annotated[Edge, needs(Scope.ADMIN)]) -> Key:
    async with edge.transaction() as connection:
        return Key.model_validate(await keys.get(connection, key_id))


@router.delete("/{key_id}", status_code=204, summary="Revoke a key", responses=responses(404))
async def revoke(key_id: UUID, edge: Annotated[Edge, needs(Scope.ADMIN)]) -> None:
    """The key is refused from now on. It stays in the list, so that what it did can be told."""
    async with edge.transaction() as connection:
        await access.revoke_key(connection, key_id, edge.now())
