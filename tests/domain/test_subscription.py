"""Where events may be told, when they are told again, and what an answer means."""

from __future__ import annotations

import pytest

from clarion.domain import event
from clarion.domain.event import EventType
from clarion.domain.subscription import (
    LONGEST_WAIT,
    WAITS,
    Reaction,
    check_types,
    check_url,
    reaction,
    retry_after,
    wait,
)
from clarion.errors import Invalid

PUBLIC = "https://portal.example.org/clarion?key=1"


def test_an_https_address_with_a_query_may_be_told() -> None:
    assert check_url(f" {PUBLIC} ", allow_private=False) == PUBLIC


@pytest.mark.parametrize(
    "url",
    [
        "",
        "portal.example.org",
        "ftp://portal.example.org/",
        "http://portal.example.org/",
        "https://portal/",
        "https://localhost/",
        "https://portal.internal/",
        "https://127.0.0.1/",
        "https://10.1.2.3/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://user:secret@portal.example.org/",
        "https://portal.example.org/#part",
        "https://portal.example.org/a b",
        "https://portal.example.org/a\nb",
        "https://portal.example.org:99999/",
        "https://portal.example.org/" + "a" * 2000,
    ],
)
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_url(url, allow_private=False)
    assert refused.value.where == "url"


def test_where_private_addresses_are_allowed_loopback_is_one() -> None:
    assert check_url("http://127.0.0.1:8000/", allow_private=True) == "http://127.0.0.1:8000/"
    with pytest.raises(Invalid):
        check_url("http://user@127.0.0.1/", allow_private=True)


def test_types_come_once_and_in_order() -> None:
    given = ["message.read", "message.accepted", "message.read"]
    assert check_types(given) == [EventType.MESSAGE_ACCEPTED, EventType.MESSAGE_READ]


@pytest.mark.parametrize("types", [[], ["message.lost"], ["subscription.test"], ["message.*"]])
def test_types_that_there_are_not_are_refused(types: list[str]) -> None:
    with pytest.raises(Invalid):
        check_types(types)


def test_there_are_ten_tries_in_about_three_days_the_first_soon() -> None:
    waits = [wait(tries, 0.0) for tries in range(1, 11)]
    assert waits[:2] == [5, 300]
    assert waits[-1] is None
    assert len(waits) == 10
    assert 75 * 3600 < sum(WAITS) < 76 * 3600


def test_a_little_is_added_to_a_wait_at_random() -> None:
    assert wait(2, 0.0) == 300
    assert wait(2, 0.5) == pytest.approx(315)


@pytest.mark.parametrize(
    ("asked", "seconds"), [(None, 300), (1.0, 300), (1000.0, 1000), (10**8, LONGEST_WAIT)]
)
def test_a_subscriber_may_ask_for_more_time_within_a_day(asked: float | None, seconds: float) -> None:
    assert wait(2, 0.0, asked) == seconds


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("120", 120.0), (" 7 ", 7.0), (None, None), ("", None), ("-1", None), ("soon", None), ("٣", None)],
)
def test_a_retry_after_is_read_where_it_is_a_number(given: str | None, seconds: float | None) -> None:
    assert retry_after(given) == seconds


@pytest.mark.parametrize(
    ("status", "meant"),
    [
        (200, Reaction.TOLD), (204, Reaction.TOLD), (299, Reaction.TOLD), (301, Reaction.AGAIN),
        (307, Reaction.AGAIN), (400, Reaction.AGAIN), (404, Reaction.AGAIN), (410, Reaction.GONE),
        (429, Reaction.AGAIN), (500, Reaction.AGAIN), (503, Reaction.AGAIN),
    ],
)  # fmt: skip
def test_what_an_answer_means(status: int, meant: Reaction) -> None:
    assert reaction(status) is meant


def test_every_type_has_facts_and_a_body() -> None:
    families = {kind.family for kind in EventType}
    assert families == set(event.FACTS) == set(event.BODIES)
