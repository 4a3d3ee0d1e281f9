"""Hours as people write them."""

from __future__ import annotations

import pytest

from clarion.domain.refusal import Refusal
from clarion.domain.schedule.hours import Hours
from clarion.domain.schedule.written_hours import hours_text, read_hours

WEEKDAYS = ["mon", "tue", "wed", "thu", "fri"]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("08:00-20:00", {"allowed": [{"from": "08:00", "to": "20:00"}]}),
        (" 8:00 – 20:00 ", {"allowed": [{"from": "08:00", "to": "20:00"}]}),
        ("mon-fri 17:00-21:00", {"allowed": [{"from": "17:00", "to": "21:00", "weekdays": WEEKDAYS}]}),
        (
            "Mon-Fri 17:00-21:00; Sat, Sun 10:00-12:00",
            {
                "allowed": [
                    {"from": "17:00", "to": "21:00", "weekdays": WEEKDAYS},
                    {"from": "10:00", "to": "12:00", "weekdays": ["sat", "sun"]},
                ]
            },
        ),
        (
            "sat-mon 09:00-10:00",
            {"allowed": [{"from": "09:00", "to": "10:00", "weekdays": ["sat", "sun", "mon"]}]},
        ),
        ("wednesday 09:00-10:00", {"allowed": [{"from": "09:00", "to": "10:00", "weekdays": ["wed"]}]}),
        ("not 12:00-14:00", {"quiet": [{"from": "12:00", "to": "14:00"}]}),
        (
            "08:00-20:00; not sun 00:00-24:00",
            {
                "allowed": [{"from": "08:00", "to": "20:00"}],
                "quiet": [{"from": "00:00", "to": "00:00", "weekdays": ["sun"]}],
            },
        ),
        ("22:00-02:00", {"allowed": [{"from": "22:00", "to": "02:00"}]}),
    ],
)  # fmt: skip
def test_what_people_write_is_read(text: str, meant: dict[str, object]) -> None:
    assert read_hours(text) == Hours.model_validate(meant)


@pytest.mark.parametrize(
    "text",
    ["", "9 to 5", "25:00-26:00", "08:00", "08:00-", "month 08:00-20:00", "mon-wed-fri 08:00-20:00",
     "08:00-20:00;", "08:00-20:00, 21:00-22:00", "mondays 08:00-20:00", "x" * 600],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_how_to_write_it(text: str) -> None:
    found = read_hours(text)
    assert isinstance(found, Refusal)
    assert (found.reason, "write 08:00-20:00" in found.hint) == ("no_hours", True)
    assert hours_text(text) == ()


def test_hours_at_which_nothing_is_allowed_are_refused() -> None:
    found = read_hours("not 00:00-24:00")
    assert isinstance(found, Refusal)
    assert found.reason == "never_open"


def test_what_is_read_is_the_same_as_a_document() -> None:
    (text,) = hours_text("08:00-20:00")
    assert Hours.model_validate_json(text) == read_hours("08:00-20:00")
