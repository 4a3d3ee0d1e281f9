"""What sources look like in requests and replies."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, JsonValue
from pydantic.config import JsonDict

from clarion.api.contact_shapes import FindingAnswer
from clarion.api.model import Answer, Body
from clarion.domain.source import LONGEST_SECRET
from clarion.flow.inbound import HOME, Would
from clarion.kit.db import Row

_MAPPING: JsonDict = {
    "records": "data.visits[*]",
    "type": {"value": "visit"},
    "external_id": "id",
    "name": "patient.name",
    "modified_at": "updated",
    "closed": {"path": "status", "values": {"done": True, "*": False}},
    "properties": {"phone": "patient.phones[0]", "appointment_date": "appointment.date"},
}
_INBOUND: JsonDict = {"name": "hmis", "kind": "inbound", "settings": {"mapping": _MAPPING}}
_COMMCARE: JsonDict = {
    "name": "selam",
    "kind": "commcare",
    "settings": {"project": "selam", "username": "amina@example.org", "types": ["pregnancy"]},
    "secret": "0123456789abcdef0123456789abcdef",
}
Secret = Annotated[str, Field(min_length=1, max_length=LONGEST_SECRET)]


class SourceBody(Body):
    """A source to be made."""

    model_config = ConfigDict(json_schema_extra={"examples": [_INBOUND, _COMMCARE]})

    name: str = Field(min_length=1, max_length=63, description="stands in its address: small letters first")
    kind: Literal["commcare", "inbound"]
    settings: dict[str, JsonValue] = Field(
        description="of a commcare: `base_url`, `project`, `username`, `types`, `page`; of an inbound: "
        "`mapping`, `proof`, `make_types`"
    )
    secret: Secret | None = Field(
        default=None,
        description="the API key of CommCare's user; of an inbound what proves who posts, made where absent",
    )


class SourceChange(Body):
    """What shall be different; what is absent stays. `settings` are replaced as a whole."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"settings": {"mapping": _MAPPING}}]})

    name: str | None = Field(default=None, min_length=1, max_length=63)
    settings: dict[str, JsonValue] | None = None
    secret: Secret | None = None


class PullBody(Body):
    """How to pull."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"anew": False}]})

    anew: bool = Field(default=False, description="everything, and not only what changed since")


class TryBody(Body):
    """A body as the other system would post it; and a mapping, in place of the source's."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "mapping": {"type": {"value": "visit"}, "external_id": "id"},
                    "body": {"id": "V-17"},
                }
            ]
        }
    )

    body: JsonValue
    mapping: dict[str, JsonValue] | None = None


class PullAnswer(Answer):
    """How far cases were pulled."""

    state: Literal["never", "waiting", "running", "done", "stopped", "failed"]
    counts: dict[str, int] = Field(description="of this pull, or of the last; `left` there at its last page")
    problems: list[dict[str, str]] = Field(description="the first of them: case, where, why")
    error: str = Field(description="why it failed")
    waits_until: datetime | None = Field(description="CommCare has said: too many requests")
    asked_at: datetime | None
    started_at: datetime | None
    stored_at: datetime | None = Field(description="when the last page was")
    finished_at: datetime | None


class Source(Answer):
    """A source, without its secret."""

    id: UUID
    name: str
    kind: Literal["commcare", "inbound"]
    settings: dict[str, Any]
    address: str | None = Field(description="of an inbound: where to post to, below our own address")
    pull: PullAnswer | None = Field(description="of a commcare")
    created_at: datetime
    modified_at: datetime


class NewSource(Source):
    """A source just made, or with a new secret. One that was made here is shown this once: keep it."""

    secret: str | None


class Sources(Answer):
    """All sources, by name."""

    items: list[Source]


class WouldAnswer(Answer):
    """What one record would become."""

    document: dict[str, JsonValue] | None = Field(description="of a case, as `POST /api/v1/cases` takes it")
    taken: bool
    problems: list[FindingAnswer]


class TryAnswer(Answer):
    """What a body would become; nothing was kept."""

    records: list[WouldAnswer]


def shown(row: Row, workspace_id: UUID) -> dict[str, Any]:
    """A row of `store.source.named` as an answer."""
    inbound = row["kind"] == "inbound"
    pull = {
        **row, "state": row["state"] or "never", "counts": row["counts"] or {},
        "problems": row["problems"] or [], "error": row["error"] or "",
    }  # fmt: skip
    return {
        **row,
        "address": f"{HOME}/{workspace_id}/{row['name']}" if inbound else None,
        "pull": None if inbound else PullAnswer.model_validate(pull),
    }


def foreseen(found: list[Would]) -> TryAnswer:
    """The reply to a try."""
    return TryAnswer(
        records=[
            WouldAnswer(
                document=one.document, taken=one.taken,
                problems=[FindingAnswer.model_validate(finding) for finding in one.findings],
            )
            for one in found
        ]
    )  # fmt: skip
