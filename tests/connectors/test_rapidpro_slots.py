"""A sequence as a campaign by slots, and what is to be written of each person's moments."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from clarion.connectors.rapidpro.held import difference, held
from clarion.connectors.rapidpro.people import SLOT, field_there
from clarion.connectors.rapidpro.plan import CampaignThere, There
from clarion.connectors.rapidpro.slots import (
    Slot,
    campaign,
    check_names,
    check_room,
    contents,
    mark,
    minute_up,
    slot_key,
)
from clarion.connectors.rapidpro.wording import Names
from clarion.domain.field import Field, FieldType
from clarion.domain.sequence import Sequence
from clarion.errors import Conflict, Invalid

WELCOME = UUID("0192f0c1-2ab3-7c4d-8e5f-60718293a4b5")
NAMES = Names("Welcome", "Nurses", {"ward": Field("ward", "Ward", FieldType.TEXT)})
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
SLOTS = [Slot(2, 1), Slot(1, 1), Slot(1, 1)]


def sequence(text: str = "Hello {{ contact.ward }}", **more: Any) -> Sequence:
    schedule = {"time": {"from": "09:00", "to": "21:00"}, "steps": [{"number": 1}], **more}
    hello = {"variants": [{"content": {"kind": "text", "text": text}}]}
    return Sequence.model_validate(
        {"audience": {"include": {"everyone": True}}, "schedule": schedule, "contents": {"hello": hello}}
    )


def test_each_slot_is_a_date_and_an_event_at_it() -> None:
    wanted = campaign(WELCOME, NAMES, contents(sequence(), NAMES), SLOTS)
    first, second = slot_key(WELCOME, Slot(1, 1)), slot_key(WELCOME, Slot(2, 1))
    assert [one.moment for one in wanted.events] == [(first, 0, "minutes", -1), (second, 0, "minutes", -1)]
    assert {one.message for one in wanted.events} == {(("eng", "Hello @fields.ward"),)}
    assert [(one.key, one.type) for one in wanted.fields] == [
        (first, FieldType.DATETIME), (second, FieldType.DATETIME),
    ]  # fmt: skip
    assert [one.key for one in wanted.mentioned] == ["ward"]
    wanted.check()


def test_a_key_is_always_the_same_and_fits_and_is_no_field_of_ours() -> None:
    key = slot_key(WELCOME, Slot(10_000, 32_767))
    assert key == slot_key(WELCOME, Slot(10_000, 32_767))
    assert key.startswith(mark(WELCOME))
    assert len(key) <= 36
    assert SLOT.fullmatch(key)
    assert field_there({"key": key, "name": key, "type": "datetime"}) is None
    assert mark(WELCOME) != mark(UUID(int=WELCOME.int + 1))


@pytest.mark.parametrize(
    ("seconds", "minutes"), [(0, 0), (1, 1), (59, 1), (60, 1), (60.5, 2)], ids=lambda one: f"{one:g}"
)
def test_a_begun_minute_counts_as_a_whole_one(seconds: float, minutes: int) -> None:
    assert minute_up(NOON + timedelta(seconds=seconds)) == NOON + timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("more", "ends"),
    [
        ({}, True),
        ({"repeat": {"every": 1}}, False),
        ({"repeat": {"every": 1, "count": 3}}, True),
        ({"repeat": {"every": 1}, "until": {"moment": "2030-01-01"}}, True),
        ({"repeat": {"every": 1}, "until": {"field": "ward"}}, False),
        ({"repeat": {"rrule": "FREQ=WEEKLY;BYDAY=MO"}}, False),
        ({"repeat": {"rrule": "FREQ=WEEKLY;BYDAY=MO;COUNT=3"}}, True),
        ({"repeat": {"rrule": "FREQ=WEEKLY;BYDAY=MO;UNTIL=20300101"}}, True),
    ],
)
def test_what_has_no_end_is_refused_unless_one_is_said(more: dict[str, Any], ends: bool) -> None:
    assert contents(sequence(**more), NAMES, NOON)
    if ends:
        assert contents(sequence(**more), NAMES)
        return
    with pytest.raises(Invalid) as told:
        contents(sequence(**more), NAMES)
    assert [one.where for one in told.value.problems] == ["schedule.repeat"]


def test_what_cannot_be_said_there_is_told_with_its_place() -> None:
    with pytest.raises(Invalid) as told:
        contents(sequence("Hello {{ contact.name | upcase }}", repeat={"every": 1}), NAMES)
    assert [one.where for one in told.value.problems] == [
        "schedule.repeat", "contents.hello.variants[0].content.text",
    ]  # fmt: skip


def test_fields_that_are_there_already_need_no_room() -> None:
    wanted = campaign(WELCOME, NAMES, contents(sequence(), NAMES), SLOTS)
    there = There(fields={one.key: "datetime" for one in wanted.fields} | {"ward": "text"})
    check_room(wanted, there, 3)
    with pytest.raises(Invalid, match="needs 3 fields, beside the 1"):
        check_room(wanted, There(fields={"age": "number"}), 3)
    with pytest.raises(Invalid, match="needs 2 fields, and"):
        campaign(WELCOME, NAMES, contents(sequence(), NAMES), SLOTS, 1)


def test_a_campaign_of_another_name_that_says_it_stands_in_the_way() -> None:
    wanted = campaign(WELCOME, NAMES, contents(sequence(), NAMES), SLOTS)
    there = There(campaigns=[CampaignThere("c-1", "Hello", "g-1"), CampaignThere("c-2", "welcome", "g-1")])
    key = slot_key(WELCOME, SLOTS[0])
    rows = [{"campaign": {"uuid": uuid}, "relative_to": {"key": key}} for uuid in ("c-2", "archived")]
    check_names(wanted, there, rows, mark(WELCOME))
    rows.append({"campaign": {"uuid": "c-1"}, "relative_to": {"key": key}})
    with pytest.raises(Conflict, match="'Hello' says this sequence"):
        check_names(wanted, there, rows, mark(WELCOME))


def test_what_somebody_holds_is_read_of_this_campaign_alone() -> None:
    own, other = slot_key(WELCOME, SLOTS[0]), slot_key(UUID(int=1), SLOTS[0])
    row = {
        "uuid": "p-1", "name": "Amina", "status": "active", "modified_on": "2026-03-01T00:00:00Z",
        "groups": [{"uuid": "g-1", "name": "nurses"}],
        "fields": {own: "2026-03-02T15:00:00.000000+03:00", other: "2026-03-02T15:00:00Z", "ward": "A"},
    }  # fmt: skip
    found = held(row, mark(WELCOME), "Nurses")
    assert (found.uuid, found.name, found.active, found.inside) == ("p-1", "Amina", True, True)
    assert found.values == {own: NOON}


def test_only_what_differs_is_written_and_what_is_not_meant_is_cleared() -> None:
    began = NOON - HOUR
    there = {"a": NOON + HOUR, "b": NOON + HOUR, "c": NOON + HOUR}
    wanted = {"a": NOON + HOUR, "b": NOON + 2 * HOUR, "d": NOON + 3 * HOUR}
    assert difference(wanted, there, began, NOON) == {
        "b": NOON + 2 * HOUR, "c": None, "d": NOON + 3 * HOUR,
    }  # fmt: skip


def test_what_was_said_in_this_time_round_stays_and_what_was_before_it_does_not() -> None:
    there = {"a": NOON - HOUR}
    wanted = {"a": NOON + HOUR}
    assert difference(wanted, there, NOON - 2 * HOUR, NOON) == {}
    assert difference(wanted, there, NOON - HOUR / 2, NOON) == wanted
    assert difference({}, there, NOON - 2 * HOUR, NOON) == {"a": None}
