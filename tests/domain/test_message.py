"""Messages: states that only rise, words that people read, references that come back."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarion.domain.message import (
    NOT_SENT,
    ORDER,
    TAKEN,
    State,
    cohort_of,
    parse_reference,
    raised,
    reference,
    shown,
)
from clarion.errors import Invalid

NOW = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)
STATES = st.sampled_from(State)
EVIDENCE = st.sampled_from(sorted(TAKEN))


@given(STATES, st.lists(EVIDENCE, max_size=4))
def test_evidence_in_any_order_and_number_comes_to_the_same(state: State, told: list[State]) -> None:
    ends = set()
    for order in permutations(told + told[:1]):
        end = state
        for evidence in order:
            end = raised(end, evidence)
        ends.add(end)
    assert len(ends) == 1


@given(STATES, EVIDENCE)
def test_evidence_only_raises_and_is_never_ignored(state: State, evidence: State) -> None:
    after = raised(state, evidence)
    assert ORDER.index(after) >= max(ORDER.index(state), ORDER.index(evidence))
    assert after in TAKEN
    assert raised(after, evidence) is after


def test_every_state_is_waiting_unknown_taken_or_not_sent() -> None:
    assert {State.READY, State.UNKNOWN} | TAKEN | NOT_SENT == set(State)
    assert not TAKEN & NOT_SENT


def test_what_the_provider_took_is_above_everything_that_it_did_not() -> None:
    assert min(map(ORDER.index, TAKEN)) > max(ORDER.index(s) for s in State if s not in TAKEN)


@pytest.mark.parametrize(
    ("due", "in_flight", "word"),
    [
        (NOW + timedelta(seconds=1), False, "scheduled"),
        (NOW, False, "ready"),
        (NOW - timedelta(days=1), False, "ready"),
        (NOW, True, "sending"),
        (NOW + timedelta(seconds=1), True, "sending"),
    ],
)
def test_a_waiting_message_is_scheduled_ready_or_sending(due: datetime, in_flight: bool, word: str) -> None:
    assert shown(State.READY, due, NOW, in_flight=in_flight) == word


@given(STATES.filter(lambda state: state is not State.READY), st.booleans())
def test_every_other_state_is_shown_as_it_is(state: State, in_flight: bool) -> None:
    assert shown(state, NOW, NOW, in_flight=in_flight) == state.value


@given(st.dates(date(2000, 1, 1), date(9999, 12, 31)), st.uuids())
def test_a_reference_comes_back_as_it_was_given(day: date, attempt: UUID) -> None:
    given_out = reference(day.replace(day=1), attempt)
    assert parse_reference(given_out) == (day.replace(day=1), attempt)
    assert given_out.isascii()
    assert len(given_out) <= 40


@pytest.mark.parametrize(
    "text",
    [
        "", ".", "202603", "202603.", "wamid.HBgMMjU0NzEyMDAwMDAxFQIAERgS",
        "202613.0198f2f4c0a07000800000000000abcd", "000003.0198f2f4c0a07000800000000000abcd",
        "202603.0198f2f4c0a07000800000000000abcg", "2026-3.0198f2f4c0a07000800000000000abcd",
        "202603.0198f2f4-c0a0-7000-8000-00000000ab", "202603:0198f2f4c0a07000800000000000abcd",
        "202603.0198f2f4c0a07000800000000000abcd0", " 202603.0198f2f4c0a07000800000000000abcd",
        "+20201.0198f2f4c0a07000800000000000abcd", " 20203.0198f2f4c0a07000800000000000abcd",
        "２０２６03.0198f2f4c0a07000800000000000abcd", "202603.0x98f2f4c0a07000800000000000abcd",
        "202603.{198f2f4c0a07000800000000000abcd}", "202603.urn:uuid:0198f2f4c0a0700080000000",
    ],
)  # fmt: skip
def test_what_is_none_of_our_references_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="not one that Clarion gave"):
        parse_reference(text)


ALMOST = st.from_regex(r"[0-9+_ ]{4}(0[1-9]|1[0-9])[.:][0-9a-fA-Fx{}_-]{32}", fullmatch=True)


@given(st.text(max_size=45) | ALMOST)
def test_no_text_makes_reading_a_reference_fall_over(text: str) -> None:
    try:
        cohort, attempt = parse_reference(text)
    except Invalid:
        return
    assert reference(cohort, attempt) == text.lower()


def test_a_cohort_is_the_month_in_which_something_began() -> None:
    assert cohort_of(datetime(2026, 12, 31, 23, 59, tzinfo=UTC)) == date(2026, 12, 1)
    assert cohort_of(datetime(2027, 1, 1, tzinfo=UTC)) == date(2027, 1, 1)
