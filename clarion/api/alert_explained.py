"""Why somebody hears of a case in an alert, or does not."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import Query
from pydantic import Field

from clarion.api.auth import needs
from clarion.api.edge import Edge
from clarion.api.model import Answer, unstorable
from clarion.api.problems import responses
from clarion.api.routers import new_router
from clarion.domain.campaign import State
from clarion.domain.enrollment import Status
from clarion.domain.episode import Phase
from clarion.domain.scope import Scope
from clarion.errors import Invalid
from clarion.flow import explain_alert, explain_told
from clarion.flow.explain_alert import Explained
from clarion.flow.explain_people import Hears
from clarion.store import workspace as workspaces

router = new_router("explanations", "Why somebody hears of a case, or does not.", "/alerts")

Reader = Annotated[Edge, needs(Scope.ANNOUNCEMENTS_READ)]
Case = Annotated[str, Query(min_length=1, max_length=200, description="its external id, or its id")]
_TURNS = "the local day on which the calendar alone may change that; null where it cannot"


class LookedAnswer(Answer):
    """What a condition looked at."""

    kind: Literal["case", "contact"]
    id: UUID
    external_id: str | None
    name: str
    value: Any = Field(description="as it is kept; of a group the names of theirs; null: it has none")
    compared_as: str | None = Field(description="of a case: text, number, boolean, date or datetime")
    read_as: str | None = Field(description="the date or number that it reads as; null: none")
    changed_at: datetime | None = Field(description="when the property last became something else")
    holds: bool | None = Field(description="of a contact: whether the condition is true of this one")


class JudgedAnswer(Answer):
    """A node of the criteria: `all`, `any` and `not` are of others, a `condition` has what it saw."""

    kind: Literal["all", "any", "not", "condition"]
    holds: bool
    turns_on: date | None = Field(description=_TURNS)
    of: list[JudgedAnswer]
    condition: dict[str, Any] | None = Field(description="as it was written")
    saw: list[LookedAnswer]


class StandsAnswer(Answer):
    """Where the case is. `on`: its recipients hear; `out`: it meets the criteria and nobody hears; `off`: it
    does not meet them."""

    phase: Phase
    reason: str
    since: datetime
    times: int = Field(description="how often it has begun")
    began_at: datetime | None = Field(description="when it last did")


class PersonAnswer(Answer):
    """Somebody whom the case names."""

    contact_id: UUID
    external_id: str | None
    name: str
    address: str | None = Field(description="over which they hear", examples=["whatsapp:+254712123001"])
    reason: str = Field(description="why they do not: opted_out, no_address, filtered …; empty: they do")
    unmet: list[str] = Field(description="where they are filtered: the fields that say something else")


class NamedAnswer(Answer):
    """One of the alert's recipients."""

    recipient: dict[str, Any]
    people: list[PersonAnswer]
    nobody: str = Field(description="why it names nobody, in words")


class OccurredAnswer(Answer):
    """What became of an occurrence."""

    message_id: UUID
    due_at: datetime
    local: datetime = Field(description="by the clock of whoever hears it")
    generation: int = Field(description="which time round")
    iteration: int
    step: int
    content: str | None
    state: str
    reason: str = Field(description="in words")
    address: str | None


class ComesAnswer(Answer):
    """What comes."""

    due_at: datetime
    local: datetime = Field(description="by the clock of whoever hears it")
    iteration: int
    step: int
    content: str | None
    moved: list[str] = Field(description="what moved it")
    skip: str = Field(description="why it will not be sent, in words")


class HearsAnswer(PersonAnswer):
    """Somebody whom the case names, or named, with what was and what comes."""

    status: Status | None = Field(description="null: they are not enrolled")
    status_reason: str
    generation: int
    began_at: datetime | None
    past: list[OccurredAnswer] = Field(description="the last 50, oldest first")
    next: list[ComesAnswer] = Field(description="at most 10")
    silent: str = Field(description="why nothing comes, in words")


class AboutAnswer(Answer):
    """Which case."""

    id: UUID
    external_id: str
    name: str
    type: str
    state: str


class ExplainedAnswer(Answer):
    """An alert and one case."""

    alert_id: UUID
    state: State
    case: AboutAnswer
    meets: bool = Field(description="as the run sees it: a case that is closed meets no criteria")
    turns_on: date | None = Field(description=_TURNS)
    criteria: JudgedAnswer
    stands: StandsAnswer | None = Field(description="null: it has never met them")
    in_step: bool = Field(description="false: a worker has not seen yet what changed")
    recipients: list[NamedAnswer]
    people: list[HearsAnswer]
    story: list[str] = Field(description="the same in sentences, set in by what they are below")


@router.get("/{alert_id}/explain", summary="Why a case is told of, or is not", responses=responses(404))
async def show(alert_id: UUID, edge: Reader, case: Case) -> ExplainedAnswer:
    """Each condition with what it saw, each recipient with the address or the reason for none, and what was
    said and will be."""
    if unstorable(case):
        raise Invalid("holds a character that cannot be stored", where="case")
    async with edge.transaction() as connection:
        found = await explain_alert.explain(connection, edge.services, alert_id, case)
        home = ZoneInfo((await workspaces.get(connection))["timezone"])
    return answer(found, explain_told.sentences(found, home))


def answer(found: Explained, story: list[str]) -> ExplainedAnswer:
    """It, with its sentences."""
    plain = {key: getattr(found, key) for key in ("case", "meets", "turns_on", "in_step", "recipients")}
    return ExplainedAnswer.model_validate(
        {
            **plain, "alert_id": found.alert["id"], "state": found.alert["state"],
            "criteria": JudgedAnswer.model_validate(found.criteria),
            "stands": found.stands and StandsAnswer.model_validate(found.stands),
            "people": [_hears(one) for one in found.people], "story": story,
        }
    )  # fmt: skip


def _hears(one: Hears) -> dict[str, Any]:
    own = ("status", "generation", "began_at", "past", "next", "silent")
    person = {key: getattr(one.person, key) for key in PersonAnswer.model_fields}
    return {**person, **{key: getattr(one, key) for key in own}, "status_reason": one.reason}
