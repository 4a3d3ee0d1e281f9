"""RapidPro's campaigns in the sandbox, and the moments at which their events speak."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from clarion.sandbox.client import SandboxProcess
from clarion.sandbox.rapidpro.events import BUSY
from clarion.sandbox.rapidpro.firing import fire_at
from clarion.sandbox.twins.rapidpro import WELCOME
from tests.sandbox.rapidpro import NUMBERS, There

EASTERN = ZoneInfo("US/Eastern")
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
AFTER_A_WEEK = {"relative_to": "joined", "offset": 1, "unit": "weeks", "delivery_hour": 9, "message": "Hello"}


@pytest.mark.parametrize(
    ("start", "offset", "unit", "hour", "expected"),
    [
        ("2029-11-03 00:30", 2, "days", -1, "2029-11-05 00:30"),  # 49 hours
        ("2029-03-10 02:30", 2, "days", -1, "2029-03-12 02:30"),  # 47 hours
        ("2029-01-02 02:58:00", 2, "minutes", -1, "2029-01-02 03:00"),
        ("2029-01-02 02:57:32", 2, "minutes", -1, "2029-01-02 03:00"),
        ("2029-01-02 01:58", -2, "hours", -1, "2029-01-01 23:58"),
        ("2029-01-20 01:58", 2, "weeks", -1, "2029-02-03 01:58"),
        ("2029-01-20 01:58", 2, "weeks", 14, "2029-02-03 14:00"),
        ("2029-01-20 23:59:30", 0, "days", 9, "2029-01-21 09:00"),
        ("2029-11-04 00:30", 2, "hours", -1, "2029-11-04 01:30"),  # the hour that comes twice
    ],
)
def test_an_event_speaks_so_long_after_its_date(
    start: str, offset: int, unit: str, hour: int, expected: str
) -> None:
    began = datetime.fromisoformat(start).replace(tzinfo=EASTERN)
    at = fire_at(began.astimezone(UTC), offset, unit, hour, EASTERN, LONG_AGO)
    assert at is not None
    assert f"{at.astimezone(EASTERN):%Y-%m-%d %H:%M}" == expected


def test_what_has_passed_is_none_and_this_very_moment_is() -> None:
    start, due = datetime(2029, 1, 2, 2, 58, tzinfo=UTC), datetime(2029, 1, 2, 3, 0, tzinfo=UTC)
    assert fire_at(start, 2, "minutes", -1, EASTERN, due) == due
    assert fire_at(start, 2, "minutes", -1, EASTERN, due.replace(microsecond=1)) is None


@pytest.fixture
def there(sandbox: SandboxProcess) -> There:
    sandbox.configure(numbers=NUMBERS)
    there = There(sandbox)
    there.made("groups", name="Nurses")
    there.made("fields", name="Joined", type="datetime")
    there.made("fields", name="Age", type="number")
    return there


@pytest.fixture
def campaign(there: There) -> str:
    return str(there.made("campaigns", name="Welcome", group="Nurses")["uuid"])


def test_a_campaign_is_a_name_and_a_group_and_is_told_both_each_time(there: There, campaign: str) -> None:
    (shown,) = there.listed("campaigns")
    assert (shown["uuid"], shown["name"], shown["archived"]) == (campaign, "Welcome", False)
    assert shown["group"]["name"] == "Nurses"
    half = there.post("campaigns", {"name": "Greeting"}, uuid=campaign)
    assert (half.status, half.body) == (400, {"group": ["This field is required."]})
    assert there.changed("campaigns", campaign, name="Greeting", group="Nurses")["name"] == "Greeting"


def test_an_event_says_a_message_or_starts_a_flow(there: There, campaign: str) -> None:
    said = there.made("campaign_events", campaign=campaign, **AFTER_A_WEEK)
    assert (said["message"], said["flow"]) == ({"eng": "Hello"}, None)
    assert said["relative_to"] == {"key": "joined", "name": "Joined"}
    begun = {**AFTER_A_WEEK, "message": None, "flow": WELCOME, "relative_to": "created_on"}
    started = there.changed("campaign_events", said["uuid"], **begun)
    assert (started["message"], started["flow"]) == (None, {"uuid": WELCOME, "name": "Welcome"})
    assert there.listed("campaign_events", campaign=campaign) == [started]
    assert there.delete("campaign_events", uuid=said["uuid"]).status == 204
    assert there.listed("campaign_events") == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"relative_to": "age"}, {"relative_to": ["No such object: age"]}),
        ({"unit": "months"}, {"unit": ['"months" is not a valid choice.']}),
        ({"delivery_hour": 24}, {"delivery_hour": ["Ensure this value is less than or equal to 23."]}),
        ({"offset": "1"}, {"offset": ["A valid integer is required."]}),
        ({"message": None}, {"non_field_errors": ["Flow or a message text required."]}),
        ({"flow": WELCOME}, {"non_field_errors": ["Flow and message cannot both be set."]}),
        ({"message": "x" * 4097}, {"message": ["Ensure this field has no more than 4096 characters."]}),
        ({"message": None, "flow": "Farewell"}, {"flow": ["No such object: Farewell"]}),
    ],
)
def test_an_event_that_is_not_right_is_told_by_field(
    there: There, campaign: str, change: dict[str, Any], told: object
) -> None:
    answered = there.post("campaign_events", {"campaign": campaign, **AFTER_A_WEEK, **change})
    assert (answered.status, answered.body) == (400, told)


def test_an_event_that_is_being_scheduled_is_not_changed_until_it_is(there: There, campaign: str) -> None:
    there.sandbox.configure(rapidpro={"scheduling_for": 30})
    event = there.made("campaign_events", campaign=campaign, **AFTER_A_WEEK)["uuid"]
    for busy in (
        there.post("campaign_events", AFTER_A_WEEK, uuid=event), there.delete("campaign_events", uuid=event),
    ):  # fmt: skip
        assert (busy.status, busy.body) == (400, {"non_field_errors": [BUSY]})
    there.sandbox.configure(rapidpro={"scheduling_for": 0})
    assert there.delete("campaign_events", uuid=event).status == 204


def test_what_the_campaigns_say_is_told_of_the_groups_members_whose_date_is_to_come(there: There) -> None:
    campaign = there.made("campaigns", name="Welcome", group="Nurses")["uuid"]
    soon = {"relative_to": "joined", "offset": 0, "unit": "minutes", "delivery_hour": -1}
    event = there.made("campaign_events", campaign=campaign, message="Hello", **soon)["uuid"]
    cast = {
        "Amina": (["Nurses"], "2040-01-01T09:00:20Z"), "Abebe": ([], "2040-01-01T09:00:00Z"),
        "Rosa": (["Nurses"], "2020-01-01T09:00:00Z"), "John": (["Nurses"], None),
    }  # fmt: skip
    ids = {
        name: there.made("contacts", name=name, groups=groups, fields={"joined": date})["uuid"]
        for name, (groups, date) in cast.items()
    }
    fires = f"{there.sandbox.url}/rapidpro/fires"
    (one,) = there.ask("GET", fires).body
    assert (one["contact"], one["event"]) == (ids["Amina"], event)
    assert one["at"] == "2040-01-01T09:01:00.000000Z"
    earlier = there.ask("GET", f"{fires}?after=2019-01-01T00:00:00Z").body
    assert [each["contact"] for each in earlier] == [ids["Rosa"], ids["Amina"]]
    assert there.ask("GET", f"{fires}?after=2050-01-01T00:00:00Z").body == []
    assert there.ask("GET", f"{fires}?after=soon").status == 400
