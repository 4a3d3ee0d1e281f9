"""An audience: whom a campaign means, as its author wrote it down. Resolved at the moment of sending."""

from __future__ import annotations

from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from clarion.domain.criteria import Criteria


class Selection(BaseModel):
    """Some people: those of any of these groups (with the groups below them), any of these contacts, and
    those whom the filter matches; or everyone. Nothing given means nobody."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    everyone: bool = False
    groups: tuple[UUID, ...] = Field(default=(), max_length=1_000)
    contacts: tuple[UUID, ...] = Field(default=(), max_length=100_000)
    filter: Criteria | None = None

    @property
    def is_nobody(self) -> bool:
        return not (self.everyone or self.groups or self.contacts or self.filter is not None)


class Audience(BaseModel):
    """Everybody included, less everybody excluded. Whoever is named more than once is meant once."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    include: Selection
    exclude: Selection = Selection()
