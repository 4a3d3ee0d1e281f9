"""What is to be done so that a campaign of RapidPro's is as it is wanted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clarion.connectors.rapidpro.plan import (
    CampaignThere,
    Event,
    Plan,
    There,
    Wanted,
    event_there,
    plan,
    said,
)
from clarion.domain.field import Field, FieldType
from clarion.errors import Conflict, Invalid

HELLO = Event("joined", 1, "days", 9, said({"eng": "Hello"}))
AGAIN = replace(HELLO, offset=2)
JOINED = Field("joined", "Joined", FieldType.DATE)
WANTED = Wanted("Welcome", "Nurses", (HELLO, AGAIN), (JOINED,))
THERE = There(
    {"joined": "datetime"}, {"nurses": "g-1"}, (CampaignThere("c-1", "Welcome", "g-1"),),
    {"e-1": HELLO, "e-2": AGAIN},
)  # fmt: skip


def test_where_nothing_is_everything_is_made() -> None:
    assert plan(WANTED, There()) == Plan((JOINED,), True, None, False, (HELLO, AGAIN))


def test_where_all_is_as_it_should_be_nothing_is_done() -> None:
    assert plan(WANTED, THERE).empty


def test_what_is_said_at_the_same_moment_is_changed_and_the_rest_is_made_and_taken_away() -> None:
    late, other = replace(HELLO, offset=30), replace(AGAIN, message=said({"eng": "Hello again"}))
    todo = plan(replace(WANTED, events=(other, late)), THERE)
    assert (todo.create, todo.update, todo.delete) == ((late,), (("e-2", other),), ("e-1",))


def test_what_is_there_twice_is_taken_away_once() -> None:
    todo = plan(WANTED, replace(THERE, events={**THERE.events, "e-3": HELLO}))
    assert (todo.create, todo.update, todo.delete) == ((), (), ("e-3",))


def test_a_campaign_for_another_group_is_changed() -> None:
    elsewhere = replace(THERE, campaigns=(CampaignThere("c-1", "Welcome", "g-2"),))
    assert (plan(WANTED, elsewhere).regroup, plan(WANTED, elsewhere).campaign) == (True, "c-1")


def test_two_campaigns_of_a_name_and_a_field_of_another_type_are_conflicts() -> None:
    both = (*THERE.campaigns, CampaignThere("c-2", "WELCOME", "g-1"))
    with pytest.raises(Conflict, match="2 campaigns"):
        plan(WANTED, replace(THERE, campaigns=both))
    with pytest.raises(Conflict, match="joined is text"):
        plan(WANTED, replace(THERE, fields={"joined": "text"}))


@pytest.mark.parametrize(
    "wrong",
    [
        replace(HELLO, unit="months"),
        replace(HELLO, delivery_hour=24),
        replace(HELLO, flow="f-1"),
        replace(HELLO, message=()),
        replace(HELLO, message=said({"eng": "x" * 4097})),
    ],
)
def test_what_rapidpro_would_not_take_is_told_before(wrong: Event) -> None:
    with pytest.raises(Invalid) as told:
        replace(WANTED, events=(HELLO, wrong)).check()
    assert [one.where for one in told.value.problems] == ["events.1"]


def test_an_event_is_read_as_it_is_told() -> None:
    row = {
        "uuid": "e-1", "relative_to": {"key": "joined", "name": "Joined"}, "offset": 1, "unit": "days",
        "delivery_hour": 9, "flow": None, "message": {"eng": "Hello "},
    }  # fmt: skip
    assert event_there(row) == ("e-1", HELLO)
    flow = {**row, "message": None, "flow": {"uuid": "f-1", "name": "Welcome"}}
    assert event_there(flow) == ("e-1", replace(HELLO, message=(), flow="f-1"))
