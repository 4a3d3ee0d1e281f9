"""What a push would do, as people read it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clarion.connectors.rapidpro.plan import CampaignThere, Event, There, Wanted, plan, said
from clarion.connectors.rapidpro.shown import Change, changes, when
from clarion.domain.field import Field, FieldType

HELLO = Event("joined", 1, "days", 9, said({"eng": "Hello", "swa": "Habari"}))
FLOW = Event("joined", -30, "minutes", flow="f-1")
WARD = Field("ward", "Ward", FieldType.TEXT)
WANTED = Wanted("Welcome", "Nurses", (HELLO,), (Field("joined", "Joined", FieldType.DATE),), (WARD,))


def test_what_is_made_is_told_in_its_order() -> None:
    assert changes(WANTED, There(), plan(WANTED, There())) == [
        Change("create", "field", "joined", after="datetime"),
        Change("create", "field", "ward", after="text"),
        Change("create", "group", "Nurses"),
        Change("create", "campaign", "Welcome", after="for Nurses"),
        Change("create", "event", "1 day after joined at 09:00", after="eng: Hello; swa: Habari"),
    ]


def test_what_is_changed_and_taken_away_is_told_with_what_it_said() -> None:
    there = There(
        {"joined": "datetime", "ward": "state"}, {"nurses": "g-1"}, (CampaignThere("c-1", "Welcome", "g-2"),),
        {"e-1": replace(HELLO, message=said({"eng": "Hi"})), "e-2": FLOW},
    )  # fmt: skip
    assert changes(WANTED, there, plan(WANTED, there)) == [
        Change("change", "campaign", "Welcome", after="for Nurses"),
        Change("change", "event", "1 day after joined at 09:00", "eng: Hi", "eng: Hello; swa: Habari"),
        Change("delete", "event", "30 minutes before joined", "flow f-1"),
    ]


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (replace(HELLO, offset=0), "on joined at 09:00"),
        (replace(HELLO, offset=1_000, delivery_hour=-1), "1,000 days after joined"),
        (replace(FLOW, offset=-1, unit="hours"), "1 hour before joined"),
    ],
)
def test_a_moment_is_told_in_words(event: Event, words: str) -> None:
    assert when(event) == words
