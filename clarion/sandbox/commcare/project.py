"""The cases of one project of CommCare's, in every version that they had.

Moments are microseconds since 1970, by the sandbox's clock where the server says them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from clarion.errors import Invalid, NotFound
from clarion.sandbox.rapidpro.shelf import Shelf
from clarion.sandbox.rapidpro.workspace import moment, new_uuid


class Index(BaseModel):
    """A link to another case; without a `case_id` it is taken away."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    case_id: str = ""
    case_type: str = ""
    relationship: Literal["child", "extension"] = "child"


class Save(BaseModel):
    """What one form does to a case: opens it, where its `case_id` is not known (or none is given), else
    changes what is named. `modified` and `opened` are by the phone's clock, which may be any."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    case_id: str | None = Field(default=None, min_length=1, max_length=255)
    case_type: str | None = Field(default=None, min_length=1)
    case_name: str | None = None
    external_id: str | None = None
    owner_id: str | None = None
    user_id: str = "worker-1"
    properties: dict[str, str] = Field(default_factory=dict)
    indices: dict[str, Index] = Field(default_factory=dict)
    close: bool | None = None
    modified: str | None = None
    opened: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One version. `forms` are the ids of those that made it so; `version` counts from 1."""

    case_id: str
    case_type: str
    user_id: str
    opened_on: int
    modified_on: int
    server_modified_on: int
    version: int = 1
    name: str = ""
    external_id: str | None = None
    owner_id: str = ""
    closed_on: int | None = None
    properties: dict[str, str] = field(default_factory=dict)
    indices: dict[str, Index] = field(default_factory=dict)
    forms: tuple[str, ...] = ()
    deleted: bool = False


class Indexed(NamedTuple):
    """A version as it is found in the list, and when it came there."""

    case: Case
    on: int


class Project:
    """Everything there is. `clock` tells seconds since 1970."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last = 0
        self.versions: dict[str, list[Case]] = {}
        self._index: Shelf[Indexed] = Shelf()

    def now(self) -> int:
        return round(self._clock() * 1_000_000)

    def case(self, case_id: str, version: int | None = None) -> Case:
        """As it is, or was in that version. Raises NotFound."""
        versions = self.versions.get(case_id, [])
        at = len(versions) if version is None else version
        if not 1 <= at <= len(versions):
            raise NotFound("there is no such case, or no such version of it", where="case_id")
        return versions[at - 1]

    def save(self, save: Save, lag: int) -> Case:
        """What this makes of the case, found in the list after `lag` microseconds. Raises Invalid."""
        at = self._next()
        known = self.versions.get(save.case_id or "")
        return self._keep(_changed(known[-1] if known else _opened(save, at), save, at), lag)

    def delete(self, case_id: str, lag: int) -> Case:
        """It is in no list from then on. Raises NotFound."""
        found = self.case(case_id)
        at = self._next()
        gone = replace(found, version=found.version + 1, server_modified_on=at, deleted=True)
        return self._keep(gone, lag)

    def listed(self) -> Iterator[Indexed]:
        """What the list finds now, in no order."""
        return (one for one in self._index.all(self.now()) if not one.case.deleted)

    def indexed_again(self) -> int:
        """Index everything anew at one moment, as maintenance does; how many cases."""
        at, found = self._next(), list(self.listed())
        for one in found:
            self._index.put(one.case.case_id, Indexed(one.case, at), at)
        return len(found)

    def _next(self) -> int:
        """Now, and no moment twice."""
        self._last = max(self.now(), self._last + 1)
        return self._last

    def _keep(self, case: Case, lag: int) -> Case:
        self.versions.setdefault(case.case_id, []).append(case)
        on = case.server_modified_on + lag
        self._index.put(case.case_id, Indexed(case, on), on)
        return case


def _opened(save: Save, at: int) -> Case:
    if not save.case_type:
        raise Invalid("a case that is opened has a type", where="case_type")
    opened = _by_phone(save.opened or save.modified, at)
    return Case(save.case_id or new_uuid(), save.case_type, save.user_id, opened, at, at, version=0)


def _changed(case: Case, save: Save, at: int) -> Case:
    closed_on = case.closed_on
    if save.close is not None:
        closed_on = (closed_on or _by_phone(save.modified, at)) if save.close else None
    indices = {**case.indices, **save.indices}
    return replace(
        case, version=case.version + 1, deleted=False,
        case_type=save.case_type or case.case_type,
        name=case.name if save.case_name is None else save.case_name,
        external_id=case.external_id if save.external_id is None else save.external_id,
        owner_id=case.owner_id if save.owner_id is None else save.owner_id,
        user_id=save.user_id, modified_on=_by_phone(save.modified, at), server_modified_on=at,
        closed_on=closed_on, properties={**case.properties, **save.properties},
        indices={name: index for name, index in indices.items() if index.case_id},
        forms=(*case.forms, new_uuid()),
    )  # fmt: skip


def _by_phone(told: str | None, at: int) -> int:
    try:
        return at if told is None else moment(told)
    except ValueError as error:
        raise Invalid(f"{told!r} is no moment", where="modified", hint="2026-03-01T09:00:00Z") from error
