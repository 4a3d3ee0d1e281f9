"""A sequence of ours becomes a campaign of RapidPro's, or is refused with what stands in the way."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from clarion.connectors.rapidpro.plan import Event, Wanted, said
from clarion.connectors.rapidpro.translate import translate
from clarion.connectors.rapidpro.wording import Names
from clarion.domain.field import Field, FieldType
from clarion.domain.schedule.plan import Plan
from clarion.domain.schedule.subject import Subject
from clarion.domain.sequence import Sequence
from clarion.errors import Invalid
from clarion.sandbox.rapidpro.firing import fire_at
from clarion.sandbox.twins.rapidpro import WELCOME
from tests.domain.schedule.computed import NAIROBI, NEW_YORK, moment

KARMA = json.loads((Path(__file__).parents[2] / "examples" / "karma.json").read_text())
JOINED = Field("joined_on", "Joined on", FieldType.DATE)
FIELDS = (
    JOINED, Field("visit", "Visit", FieldType.DATETIME), Field("ward", "Ward", FieldType.TEXT),
    Field("registration_date", "Registered", FieldType.DATE), Field("größe", "Größe", FieldType.NUMBER),
    Field("rapidpro_state", "State", FieldType.TEXT),
)  # fmt: skip
NAMES = Names("Welcome", "Nurses", {one.key: one for one in FIELDS}, {"Hello": WELCOME})
VISIT: dict[str, Any] = {"from": "field", "key": "visit"}
VISIT_AND_A_DAY = {**VISIT, "days": 1}
START: dict[str, Any] = {"from": "field", "key": "joined_on"}
ONE = [{"number": 1}]


def text(words: str, **more: Any) -> dict[str, Any]:
    return {**more, "content": {"kind": "text", "text": words}}


def flow(named: str, **more: Any) -> dict[str, Any]:
    return {"content": {"kind": "flow_start", "flow": named, **more}}


def sequence(*variants: dict[str, Any], **schedule: Any) -> Sequence:
    """What says one thing, by a schedule that counts from `joined_on` at 09:00 unless it says otherwise."""
    return Sequence.model_validate(
        {
            "audience": {"include": {"everyone": True}},
            "schedule": {"start": START, "time": "09:00", "steps": ONE, **schedule},
            "contents": {"hello": {"variants": variants or [text("Hello")]}},
        }
    )


def moments(**schedule: Any) -> list[tuple[int, str, int]]:
    return [
        (one.offset, one.unit, one.delivery_hour)
        for one in translate(sequence(**schedule), NAMES).events
    ]  # fmt: skip


def message(*variants: dict[str, Any]) -> dict[str, str]:
    (event,) = translate(sequence(*variants), NAMES).events
    return dict(event.message)


def refused(wanted: Sequence) -> dict[str, str]:
    with pytest.raises(Invalid) as told:
        translate(wanted, NAMES)
    assert all(one.what for one in told.value.problems)
    found: dict[str, str] = {}
    for one in told.value.problems:
        found[one.where] = f"{found.get(one.where, '')} {one.what} {one.hint}"
    return found


def test_a_campaign_is_named_for_its_group_with_the_fields_that_it_needs() -> None:
    wanted = translate(sequence(text("Hello {{ contact.name }} of {{contact.ward}}")), NAMES)
    event = Event("joined_on", 0, "days", 9, said({"eng": "Hello @contact.name of @fields.ward"}))
    ward = Field("ward", "Ward", FieldType.TEXT)
    assert wanted == Wanted("Welcome", "Nurses", (event,), (JOINED,), (ward,))


@pytest.mark.parametrize(
    ("schedule", "when"),
    [
        ({}, (0, "days", 9)),
        ({"steps": [{"number": 1, "days": 3}]}, (3, "days", 9)),
        ({"steps": [{"number": 1, "days": -2, "time": "17:00"}]}, (-2, "days", 17)),
        ({"steps": [{"number": 1, "days": 1, "hours": 2}]}, (1, "days", 11)),
        ({"steps": [{"number": 1, "hours": 20}]}, (1, "days", 5)),
        ({"steps": [{"number": 1, "hours": -10}]}, (-1, "days", 23)),
        ({"time": "09:30", "steps": [{"number": 1, "minutes": 30}]}, (0, "days", 10)),
        ({"start": {**START, "days": 2}}, (2, "days", 9)),
        ({"time": None}, (0, "days", -1)),
        ({"time": None, "steps": [{"number": 1, "days": 7}]}, (7, "days", -1)),
        ({"time": None, "steps": [{"number": 1, "hours": 5}]}, (5, "hours", -1)),
        ({"time": None, "steps": [{"number": 1, "hours": -5, "minutes": 10}]}, (-290, "minutes", -1)),
        ({"time": None, "steps": [{"number": 1, "days": 1, "hours": 1}]}, (25, "hours", -1)),
        ({"time": None, "start": {**START, "hours": 1, "minutes": 30}}, (90, "minutes", -1)),
    ],
)
def test_a_step_is_so_far_from_the_date(schedule: dict[str, Any], when: tuple[int, str, int]) -> None:
    assert moments(**schedule) == [when]


@pytest.mark.parametrize("where", [NAIROBI, NEW_YORK])
@pytest.mark.parametrize(
    "schedule",
    [
        {
            "steps": [{"number": 1}, {"number": 2, "days": 5, "time": "17:00"}],
            "repeat": {"every": 10, "count": 9},
        },
        {"steps": [{"number": 1, "hours": 20}], "repeat": {"every": 3, "unit": "week", "count": 6}},
        {"time": None, "steps": [{"number": 1, "days": 2}], "repeat": {"every": 30, "count": 4}},
        {"time": None, "steps": [{"number": 1, "hours": 5, "minutes": 20}]},
        {"start": VISIT_AND_A_DAY, "steps": [{"number": 1, "days": 40}]},
    ],
)
def test_an_event_comes_when_our_own_engine_would_say_it(schedule: dict[str, Any], where: str) -> None:
    whole: dict[str, Any] = {"start": VISIT, **schedule}
    wanted = sequence(**whole)
    visit = moment("2026-02-20 06:40")
    person = Subject("amina", visit - timedelta(days=1), zone=where, fields={"visit": visit})
    ours = [one.due_at for one in Plan(wanted.schedule).occurrences(person)]
    theirs = [
        fire_at(visit, one.offset, one.unit, one.delivery_hour, ZoneInfo(where), person.enrolled_at)
        for one in translate(wanted, NAMES).events
    ]
    assert ours == sorted(one for one in theirs if one is not None)


def test_repetitions_are_events_of_their_own() -> None:
    steps = [{"number": 1}, {"number": 2, "days": 1}]
    found = moments(steps=steps, repeat={"every": 2, "unit": "week", "count": 3})
    assert [offset for offset, _, _ in found] == [0, 1, 14, 15, 28, 29]


def test_karma_with_one_hour_for_everybody_has_sixteen_events() -> None:
    contents = {name: {"variants": [text(name)]} for name in ("bot 1", "bot 2")}
    document = {"audience": {"include": {"everyone": True}}, "contents": contents}
    karma = Sequence.model_validate({**document, "schedule": {**KARMA, "time": "18:00"}})
    wanted = translate(karma, NAMES)
    assert [one.offset for one in wanted.events] == [
        12 * turn + day for turn in range(4) for day in (0, 3, 6, 9)
    ]
    assert {(one.relative_to, one.unit, one.delivery_hour) for one in wanted.events} == {
        ("registration_date", "days", 18)
    }
    assert [dict(one.message)["eng"] for one in wanted.events] == ["bot 1", "bot 1", "bot 1", "bot 2"] * 4
    told = refused(Sequence.model_validate({**document, "schedule": KARMA}))
    assert list(told) == ["schedule.time"]
    assert "not a random one" in told["schedule.time"]


@pytest.mark.parametrize("key", ["created_at", "created_on"])
def test_the_day_that_somebody_came_is_rapidpros_own(key: str) -> None:
    wanted = translate(sequence(start={"from": "field", "key": key}), NAMES)
    assert (wanted.events[0].relative_to, wanted.fields) == ("created_on", ())


@pytest.mark.parametrize(
    ("schedule", "where", "why"),
    [
        ({"start": {"from": "enrollment"}}, "schedule.start", "counts from a date of the contact"),
        ({"start": {"from": "moment", "moment": "2026-03-01"}}, "schedule.start", "counts from a date"),
        ({"start": {"from": "field", "key": "due"}}, "schedule.start.key", "there is no field 'due'"),
        ({"start": {"from": "field", "key": "ward"}}, "schedule.start.key", "ward is text here"),
        ({"start": {**START, "weekday": "mon"}}, "schedule.start.weekday", "no weekdays"),
        ({"start": {**START, "month_start": True}}, "schedule.start.month_start", "no months"),
        ({"start": {**START, "hours": 1}}, "schedule.start", "either hours from the date, or days"),
        ({"past": "next"}, "schedule.past", "fast_forward"),
        ({"until": {"moment": "2026-03-01"}}, "schedule.until", "no end"),
        ({"hours": {"quiet": [{"from": "21:00", "to": "08:00"}]}}, "schedule.hours", "whatever the hour"),
        ({"holidays": {"country": "KE"}}, "schedule.holidays", "no holidays"),
        ({"clock_changes": {"gap": "skip"}}, "schedule.clock_changes", "leave out or repeat"),
        ({"steps": [{"number": 4, "weekday": "mon"}]}, "schedule.steps[0].weekday", "step 4"),
        (
            {"steps": [{"number": 4, "month_day": 1}], "repeat": {"unit": "month", "count": 2}},
            "schedule.steps[0].month_day", "step 4",
        ),
        ({"time": "09:30"}, "schedule.steps[0].time", "step 1 is at 09:30"),
        ({"time": "23:15"}, "schedule.steps[0].time", "Say 23:00 or 00:00."),
        ({"steps": [{"number": 1, "minutes": 5}]}, "schedule.steps[0].time", "step 1 is at 09:05"),
        ({"time": {"from": "09:00", "to": "21:00"}}, "schedule.time", "not a random one"),
        ({"steps": [{"number": 1, "time": {"field": "ward"}}]}, "schedule.steps[0].time", "not a chosen one"),
        ({"repeat": {"every": 2}}, "schedule.repeat.count", "for ever"),
        ({"repeat": {"every": 2, "count": 1001}}, "schedule.repeat.count", "1,001 events"),
        ({"repeat": {"every": [2, 5], "count": 2}}, "schedule.repeat.every", "no random days"),
        ({"repeat": {"unit": "month", "count": 2}}, "schedule.repeat.unit", "a month has not always as many"),
        ({"repeat": {"rrule": "FREQ=DAILY", "count": 2}}, "schedule.repeat.rrule", "no recurrence rules"),
        (
            {"steps": [], "random_days": {"days": 7, "tracks": [{"numbers": [1]}]}},
            "schedule.random_days", "no random days",
        ),
    ],
)  # fmt: skip
def test_what_a_campaign_cannot_do_is_refused(schedule: dict[str, Any], where: str, why: str) -> None:
    told = refused(sequence(**schedule))
    assert why in told[where]


def test_everything_is_told_at_once_and_each_only_once() -> None:
    steps = [{"number": 1}, {"number": 2, "days": 1}]
    told = refused(
        sequence(text("{{ contact.age }}"), time={"from": "09:00", "to": "21:00"}, steps=steps, past="skip")
    )
    assert sorted(told) == ["contents.hello.variants[0].content.text", "schedule.past", "schedule.time"]


def test_who_comes_back_can_only_go_on() -> None:
    again = sequence().model_copy(update={"reentry": "restart"})
    assert list(refused(again)) == ["reentry"]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("Write to help@selam.example", "Write to help@@selam.example"),
        ("Dear {{ contact.name }},", "Dear @contact.name,"),
        ("{{ contact.name }}.", "@(contact.name)."),
        ("{{contact.ward}}s", "@(fields.ward)s"),
        ("@{{ contact.name }}", "@@@contact.name"),
        ("You live in {{ contact.rapidpro_state }} ", "You live in @fields.state"),
    ],
)
def test_variables_are_said_as_rapidpro_says_them(ours: str, theirs: str) -> None:
    assert message(text(ours)) == {"eng": theirs}


@pytest.mark.parametrize(
    ("ours", "why"),
    [
        ("Dear {{ contact.name | upcase }}", "line 1 column 6: {{ contact.name | upcase }}"),
        ("Hello\n{% if contact.ward %}you{% endif %}", "line 2 column 1: {% if contact.ward %}"),
        ("{{ contact.language }}", "without filters"),
        ("{{ contact.nothing }}", "{{ contact.nothing }} cannot be said"),
        ("{{ contact.joined_on }}", "dates in a form of its own"),
        ("{{ contact.größe }}", "small letters"),
        ("@" * 2049, "has 4,098"),
    ],
)
def test_what_rapidpro_would_say_otherwise_is_refused_with_its_place(ours: str, why: str) -> None:
    told = refused(sequence(text(ours)))
    assert why in told["contents.hello.variants[0].content.text"]


def test_each_language_has_its_text_and_what_is_for_everybody_stands_under_the_channels() -> None:
    said = message(text("Habari", language="sw"), text("Hello"), text("Bonjour", language="fr"))
    assert said == {"eng": "Hello", "fra": "Bonjour", "swa": "Habari"}


def test_what_is_for_rapidpro_goes_before_what_is_for_all_and_what_is_for_others_is_left_out() -> None:
    variants = [text("For all"), text("Here", channel_kind="rapidpro"), text("There", channel_kind="kannel")]
    assert message(*variants) == {"eng": "Here"}
    assert message({"inside": text("In")["content"], "outside": text("Out")["content"]}) == {"eng": "In"}


def test_two_languages_that_are_one_there_must_say_the_same() -> None:
    both = text("Olá", language="pt"), text("Oi", language="pt-BR")
    told = refused(sequence(*both))
    assert "one text for pt and pt-BR: that of por" in told["contents.hello.variants[1].content"]
    assert message(text("Olá", language="pt"), text("Olá", language="pt-BR")) == {"por": "Olá"}


@pytest.mark.parametrize("named", ["Hello", WELCOME, WELCOME.upper()])
def test_a_flow_start_begins_the_flow(named: str) -> None:
    (event,) = translate(sequence(flow(named)), NAMES).events
    assert (event.flow, event.message) == (WELCOME, ())


@pytest.mark.parametrize(
    ("variants", "where", "why"),
    [
        ([flow("Bye")], ".variants[0].content.flow", "has no 'Bye'"),
        ([flow("Hello", params={"a": "b"})], ".variants[0].content.params", "without values"),
        ([flow("Hello"), text("Habari", language="sw")], "", "one flow for everybody, or a text"),
        ([text("Hello", channel_kind="kannel")], "", "says nothing on a channel of RapidPro"),
        (
            [{"content": {"kind": "template", "name": "hello", "language": "en"}}],
            ".variants[0].content", "'template'",
        ),
    ],
)  # fmt: skip
def test_contents_that_an_event_cannot_have_are_refused(
    variants: list[dict[str, Any]], where: str, why: str
) -> None:
    assert why in refused(sequence(*variants))[f"contents.hello{where}"]
