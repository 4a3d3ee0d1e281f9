"""What cases look like in requests and replies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, JsonValue, RootModel, WithJsonSchema, model_validator
from pydantic.config import JsonDict

from clarion.api.contact_shapes import FindingAnswer
from clarion.api.model import Answer, refuse_unstorable
from clarion.errors import Problem
from clarion.flow.cases import MOST_AT_ONCE
from clarion.store.case_intake import Taken

_TEXT: JsonDict = {"type": ["string", "null"], "maxLength": 200}
_MOMENT: JsonDict = {"type": ["string", "null"], "format": "date-time"}
_SAID: JsonDict = {
    "name": {"type": ["string", "null"]},
    "closed": {"type": ["boolean", "null"]},
    "owner": {**_TEXT, "description": "external id of a contact or a group; null takes it away"},
    "modified_by": {**_TEXT, "description": "external id of a contact"},
    "modified_at": {
        **_MOMENT,
        "description": "where it was written; an older word than what is known is late",
    },
    "opened_at": _MOMENT,
    "parent": {**_TEXT, "description": "external id of a case, which may come later"},
    "host": {**_TEXT, "description": "the same"},
    "properties": {
        "type": ["object", "null"],
        "description": "text, number, true or false; null takes one away",
        "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
    },
    "contacts": {
        "type": ["object", "null"],
        "description": "role: external ids or ids of contacts; they replace those of the role",
        "additionalProperties": {
            "anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": ["string", "null"]}]
        },
    },
    "replace": {"type": ["boolean", "null"], "description": "properties that are not named are taken away"},
}
_PREGNANCY: JsonDict = {
    "type": "pregnancy",
    "external_id": "P-17",
    "name": "Amina W.",
    "owner": "CHW-4",
    "parent": "H-3",
    "modified_at": "2026-03-02T08:00:00Z",
    "properties": {"edd": "2026-09-14", "phone": "0712000001"},
}
_CASE: JsonDict = {
    "title": "CaseDocument",
    "description": "What is said of one case; what is absent stays as it is known.",
    "type": "object",
    "required": ["type"],
    "additionalProperties": False,
    "properties": {
        "type": {"type": "string", "description": "a type that was declared"},
        "external_id": {**_TEXT, "description": "absent: a new case, whose id it is"},
        **_SAID,
    },
    "examples": [_PREGNANCY],
}
_CASES: JsonDict = {
    "title": "CasesBody",
    "description": "One case, or up to 10,000.",
    "anyOf": [
        {
            "type": "object",
            "required": ["cases"],
            "additionalProperties": False,
            "properties": {
                "cases": {"type": "array", "items": _CASE, "minItems": 1, "maxItems": MOST_AT_ONCE}
            },
        },
        _CASE,
    ],
    "examples": [{"cases": [_PREGNANCY]}],
}
Document = dict[str, Any]


class CasesBody(RootModel[Annotated[Document, WithJsonSchema(_CASES)]]):
    """Cases as they are given: what is wrong with one is told in its answer, and stops no other."""

    @model_validator(mode="after")
    def _right(self) -> CasesBody:
        refuse_unstorable(self.root)
        given = self.root.get("cases")
        if "cases" in self.root and (
            len(self.root) > 1 or not isinstance(given, list) or not all(isinstance(c, dict) for c in given)
        ):
            raise ValueError('either one case, or {"cases": [one, …]}')
        if given is not None and not 1 <= len(given) <= MOST_AT_ONCE:
            raise ValueError(f"1 to {MOST_AT_ONCE:,} cases at once")
        return self

    def documents(self) -> list[Document]:
        given: list[Document] | None = self.root.get("cases")
        return [self.root] if given is None else given


_CHANGE: JsonDict = {
    "title": "CaseChange",
    "description": "What shall be different; what is absent stays.",
    "type": "object",
    "additionalProperties": False,
    "properties": _SAID,
    "examples": [{"properties": {"edd": "2026-09-21"}}],
}


class CaseChange(RootModel[Annotated[Document, WithJsonSchema(_CHANGE)]]):
    """What shall be different of one case."""

    @model_validator(mode="after")
    def _right(self) -> CaseChange:
        refuse_unstorable(self.root)
        if known := {"type", "external_id"} & self.root.keys():
            raise ValueError(f"{sorted(known)[0]} stays as it is")
        return self


class TakenAnswer(Answer):
    """What became of one case that was given."""

    case_id: UUID | None = Field(description="null where it was refused and nobody has its external id")
    external_id: str | None
    outcome: Literal["created", "updated", "unchanged", "stale", "refused"]
    problems: list[FindingAnswer]


class CasesAnswer(Answer):
    """What became of all, in the order in which they were given."""

    created: int
    updated: int
    unchanged: int
    stale: int = Field(description="older than what is known; nothing of them was changed")
    refused: int
    results: list[TakenAnswer]


def told(taken: Sequence[Taken]) -> CasesAnswer:
    """The reply to an upsert."""
    results = [
        TakenAnswer.model_construct(
            case_id=one.case_id, external_id=one.external_id, outcome=one.outcome.value,
            problems=[FindingAnswer.model_validate(finding) for finding in one.findings],
        )
        for one in taken
    ]  # fmt: skip
    counts = Counter(one.outcome.value for one in taken)
    return CasesAnswer(
        created=counts["created"], updated=counts["updated"], unchanged=counts["unchanged"],
        stale=counts["stale"], refused=counts["refused"], results=results,
    )  # fmt: skip


class LinkedAnswer(Answer):
    """A contact whom a case names."""

    id: UUID
    external_id: str | None
    name: str


class CaseAnswer(Answer):
    """A case."""

    id: UUID
    type: str
    external_id: str
    name: str
    state: Literal["open", "closed", "deleted"]
    properties: dict[str, JsonValue]
    changed: dict[str, str] = Field(
        description="properties that became something else since it was opened, and when"
    )
    owner: str | None
    modified_by: str | None
    parent: str | None
    host: str | None
    contacts: dict[str, list[LinkedAnswer]] = Field(description="by role, or the property that names them")
    opened_at: datetime
    closed_at: datetime | None
    modified_at: datetime = Field(description="where it was written")
    stored_at: datetime = Field(description="here")


class CaseChangeAnswer(Answer):
    """One change of a case."""

    id: UUID
    at: datetime = Field(description="where it was written")
    stored_at: datetime = Field(description="here")
    by: str
    how: str = Field(examples=["api", "import"])
    changes: dict[str, JsonValue] = Field(examples=[{"edd": ["2026-09-14", "2026-09-21"]}])


class CaseForwarded(TakenAnswer):
    """What became of a case that was forwarded."""

    left_out: list[str] = Field(description="what of it could not be taken, each with why")


def forwarded(taken: Taken, problems: Sequence[Problem]) -> CaseForwarded:
    """The reply to what was forwarded."""
    return CaseForwarded(
        case_id=taken.case_id, external_id=taken.external_id, outcome=taken.outcome.value,
        problems=[FindingAnswer.model_validate(finding) for finding in taken.findings],
        left_out=[f"{one.where}: {one.what}" for one in problems],
    )  # fmt: skip
