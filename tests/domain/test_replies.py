"""Whose a time is that somebody wrote back, and what a sequence may say of replies."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from clarion.domain.replies import Replies, Spoken, answered, ended
from clarion.domain.schedule.model import Schedule
from clarion.domain.sequence import chosen_field, chosen_fields
from clarion.errors import Invalid
from clarion.kit.ids import uuid7

TAKES = {"time": {"field": "best_time"}}
AMINA, ABEBE = UUID(int=1), UUID(int=2)
WELCOME, NEWS = UUID(int=11), UUID(int=12)


def spoken(minute: int, campaign: UUID = WELCOME, contact: UUID = AMINA, **more: Any) -> Spoken:
    """What was said at this minute, to somebody who is active in a sequence that takes times."""
    attempt = uuid7(datetime(2026, 3, 2, 12, minute, tzinfo=UTC))
    one = Spoken(attempt, campaign, True, TAKES, "active", contact, UUID(int=21), b"key", None)
    return replace(one, **more)


NOTICE: dict[str, Any] = {"campaign": NEWS, "follows": False, "replies": None, "state": "active"}


@pytest.mark.parametrize(
    ("said", "whose"),
    [
        ([], None),
        ([spoken(1)], AMINA),
        ([spoken(1), spoken(0, **NOTICE)], AMINA),
        ([spoken(1), spoken(2, **NOTICE)], None),  # they answer the announcement
        ([spoken(1), spoken(2, **NOTICE, contact=ABEBE)], None),  # somebody at the same number, likewise
        ([spoken(1), spoken(2, NEWS, ABEBE)], ABEBE),
        ([spoken(1), spoken(2, contact=ABEBE)], None),  # two of one sequence at one number
        ([spoken(1), spoken(2, NEWS), spoken(3, NEWS, ABEBE)], None),
        ([spoken(1, state="paused")], None),
        ([spoken(1, state="finished")], None),
        ([spoken(1, follows=False)], None),  # it was cancelled
        ([spoken(1, replies={})], None),
        ([spoken(1, replies={"of a later version": 1})], None),
    ],
)
def test_a_time_is_of_whoever_was_last_spoken_to(said: list[Spoken], whose: UUID | None) -> None:
    found = answered(said)
    assert (None if found is None else found.contact_id) == whose
    assert answered(said[::-1]) == found


def test_languages_of_confirmations_are_read_as_everywhere() -> None:
    read = Replies.model_validate({"time": {"field": "hour", "confirm": {"swa": "Saa {time}.", "en": "OK"}}})
    assert read.time is not None
    assert read.time.texts() == {"sw": "Saa {{ time }}.", "en": "OK"}
    assert Replies.of(read.model_dump(mode="json")) == read


@pytest.mark.parametrize(
    "wrong",
    [
        {"time": {}}, {"time": {"field": ""}}, {"time": "best_time"}, {"hour": {"field": "x"}},
        {"time": {"field": "x", "confirm": {"klingonese": "OK"}}},
        {"time": {"field": "x", "confirm": {"en": "{time}"}}},
        {"time": {"field": "x", "confirm": {"en": "start"}}},
        {"time": {"field": "x", "confirm": {"en": ""}}},
    ],
)  # fmt: skip
def test_what_cannot_be_declared_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Replies.model_validate(wrong)


def test_the_only_chosen_time_goes_without_saying_and_of_several_one_is_named() -> None:
    steps = [{"number": 1}, {"number": 2, "time": {"field": "b"}}, {"number": 3, "time": "09:00"}]
    one = Schedule.model_validate({"steps": steps})
    two = Schedule.model_validate({"steps": steps, "time": {"field": "a"}})
    assert (chosen_fields(one), chosen_fields(two)) == ({"b"}, {"a", "b"})
    assert (chosen_field(one, None), chosen_field(one, "b"), chosen_field(two, "a")) == ("b", "b", "a")
    for schedule, wanted in ((two, None), (two, "c"), (Schedule.model_validate({"steps": steps[:1]}), None)):
        with pytest.raises(Invalid):
            chosen_field(schedule, wanted)


VISIT, OTHER = UUID(int=31), UUID(int=32)
STOPS = {"stop": "recipient"}


def told(minute: int, case: UUID = VISIT, contact: UUID = AMINA, **more: Any) -> Spoken:
    """What an alert that stops on replies said of a case at this minute."""
    return spoken(minute, NEWS, contact, replies=STOPS, case_id=case, **more)


@pytest.mark.parametrize(
    ("said", "over"),
    [
        ([], []),
        ([told(1)], [(VISIT, AMINA)]),
        ([told(1), told(2, OTHER)], [(OTHER, AMINA)]),  # the case that was spoken of last
        ([told(1), told(2, contact=ABEBE)], [(VISIT, AMINA), (VISIT, ABEBE)]),  # two at one number
        ([told(1), spoken(2)], []),  # they answer the sequence
        ([told(2), spoken(1)], [(VISIT, AMINA)]),
        ([told(1, follows=False)], []),
        ([replace(told(1), replies={})], []),
        ([replace(told(1), replies={"stop": "of a later version"})], []),
    ],
)
def test_a_reply_ends_the_case_that_was_spoken_of_last(
    said: list[Spoken], over: list[tuple[UUID, UUID]]
) -> None:
    assert [(one.case_id, one.contact_id) for one in ended(said)] == over
    assert {one.attempt_id for one in ended(said[::-1])} == {one.attempt_id for one in ended(said)}


def test_a_time_that_answers_an_alert_is_no_chosen_time() -> None:
    assert answered([spoken(1), told(2)]) is None
