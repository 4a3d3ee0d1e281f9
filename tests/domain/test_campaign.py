"""An announcement's definition, and what its states allow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clarion.domain.campaign import Announcement, Caution, State, check_moment, require, similarity_text
from clarion.domain.content import Content
from clarion.errors import Conflict, Invalid

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
EVERYTHING: dict[str, Any] = {
    "audience": {
        "include": {
            "groups": ["0190c2d4-7e00-7000-8000-000000000001"],
            "filter": {"not": {"any": [{"field": "name", "op": "has_value"}, {"in_group": "x"}]}},
        },
        "exclude": {"contacts": ["0190c2d4-7e00-7000-8000-000000000002"]},
    },
    "content": {
        "variants": [
            {"language": "sw", "content": {"kind": "text", "text": "Habari"}},
            {
                "inside": {"kind": "text", "text": "Hello"},
                "outside": {
                    "kind": "template",
                    "name": "closed_day",
                    "language": "en",
                    "parameters": ["Monday"],
                },
            },
        ]
    },
    "one_per": "address",
    "frozen": True,
    "send_at": "2026-03-02T15:00:00+03:00",
    "expires_after": 3600,
}


def test_what_is_stored_is_read_back_the_same() -> None:
    written = Announcement.model_validate(EVERYTHING)
    assert Announcement.read(written.stored()) == written
    assert written.stored()["audience"]["include"]["filter"]["not"]["any"][1] == {"in_group": "x"}
    assert written.send_at == NOON


def test_what_cannot_be_read_says_so() -> None:
    with pytest.raises(Invalid, match="cannot be read"):
        Announcement.read({"audience": {"include": {}}})


@pytest.mark.parametrize(
    ("verb", "states"),
    [
        ("launch", "draft"),
        ("edit", "draft scheduled paused"),
        ("pause", "scheduled running"),
        ("resume", "paused"),
        ("cancel", "draft scheduled running paused"),
        ("retry", "running paused completed"),
    ],
)
def test_each_verb_is_allowed_in_its_states_alone(verb: str, states: str) -> None:
    for state in State:
        if state.value in states.split():
            assert require(state.value, verb) is state
        else:
            with pytest.raises(Conflict) as told:
                require(state.value, verb)
            assert told.value.extra == {"state": state.value}


def test_a_moment_is_neither_past_nor_years_away() -> None:
    check_moment(NOON, NOON)
    check_moment(NOON + timedelta(days=730), NOON)
    with pytest.raises(Invalid, match="is past") as told:
        check_moment(NOON - timedelta(seconds=1), NOON)
    assert "send now" in told.value.hint
    with pytest.raises(Invalid, match="two years"):
        check_moment(NOON + timedelta(days=732), NOON)


def test_likeness_is_judged_by_all_that_is_said() -> None:
    said = similarity_text(Announcement.model_validate(EVERYTHING).content)
    assert said.split("\n") == ["Habari", "Hello", "closed day", "Monday"]
    assert similarity_text(Content.of_text("Hello")) == "Hello"


def test_caution_follows_the_workspace_and_falls_back_to_the_default() -> None:
    assert Caution.of({}) == Caution(hours=24, likeness=0.6)
    assert Caution.of({"similar": {"hours": 2, "likeness": 0.9}}) == Caution(hours=2, likeness=0.9)
    assert Caution.of({"similar": {"likeness": 7}}) == Caution()
    assert Caution.of({"similar": "never"}) == Caution()
