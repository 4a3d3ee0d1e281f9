"""The breaker: a channel that answers nothing is asked by one call at a time, until it answers."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarion.domain.message import Outcome, State, Verdict
from clarion.flow.dispatch.breaker import FIRST_HOLD, LONGEST_HOLD, UNREACHABLE, Breaker
from clarion.providers.contract import Answered, Fault, Told

ATTEMPT = UUID(int=7)
UNKNOWN = Verdict(ATTEMPT, Outcome.UNKNOWN, State.UNKNOWN)
TAKEN = Verdict(ATTEMPT, Outcome.ACCEPTED, State.ACCEPTED)
UNSENT = Verdict(ATTEMPT, Outcome.UNSENT, State.READY)
SILENCE = Told(Answered.UNKNOWN)
YES = Told(Answered.ACCEPTED)
UNREACHED = Told(Answered.LATER, fault=Fault.NETWORK)


def opened(threshold: int = 20, ticks: float = 1000.0) -> Breaker:
    breaker = Breaker(threshold)
    for _ in range(threshold):
        breaker.began()
        breaker.heard(UNKNOWN, SILENCE, ticks)
    return breaker


def test_twenty_unknowns_in_a_row_open_it() -> None:
    breaker = Breaker(20)
    for _ in range(19):
        breaker.heard(UNKNOWN, SILENCE, 1000.0)
    assert breaker.allows(1000.0) > 1000
    breaker.heard(UNKNOWN, SILENCE, 1000.0)
    assert breaker.allows(1000.0) == 0


def test_one_answer_among_them_begins_the_count_anew() -> None:
    breaker = Breaker(20)
    for n in range(100):
        breaker.heard(*((TAKEN, YES) if n % 19 == 18 else (UNKNOWN, SILENCE)), 1000.0)
    assert not breaker.open


def test_failures_to_connect_open_it_sooner() -> None:
    breaker = Breaker(20)
    for _ in range(UNREACHABLE):
        breaker.heard(UNSENT, UNREACHED, 1000.0)
    assert breaker.open


def test_after_its_hold_one_call_may_begin_and_no_other_until_it_ends() -> None:
    breaker = opened()
    assert breaker.allows(1000.0 + FIRST_HOLD / 2) == 0
    assert breaker.allows(1000.0 + FIRST_HOLD) == 1
    breaker.began()
    assert breaker.allows(1000.0 + 60) == 0


def test_an_answer_to_the_probe_closes_it() -> None:
    breaker = opened()
    breaker.began()
    breaker.heard(TAKEN, YES, 1002.0)
    assert breaker.allows(1002.0) > 1000


@pytest.mark.parametrize(("verdict", "told"), [(UNKNOWN, SILENCE), (UNSENT, UNREACHED)])
def test_a_probe_without_an_answer_opens_it_for_longer(verdict: Verdict, told: Told) -> None:
    breaker = opened()
    breaker.began()
    breaker.heard(verdict, told, 1002.0)
    assert breaker.allows(1002.0 + FIRST_HOLD * 1.9) == 0
    assert breaker.allows(1002.0 + FIRST_HOLD * 2) == 1


def test_a_probe_that_was_allowed_and_never_made_is_allowed_again() -> None:
    """Nothing was waiting just then, or the channel's rate was used up: that must not stop it for ever."""
    breaker = opened()
    assert [breaker.allows(1000.0 + n) for n in (1, 2, 3, 1000)] == [1, 1, 1, 1]


def test_a_probe_that_never_began_is_allowed_again() -> None:
    breaker = opened()
    breaker.began()
    breaker.heard(UNSENT, None, 1002.0)
    assert breaker.allows(1002.0) == 1


def test_who_stood_in_line_when_it_opened_stays_and_the_probe_goes() -> None:
    breaker = Breaker(2)
    in_line = [breaker.began() for _ in range(4)]
    for _ in range(2):
        breaker.heard(UNKNOWN, SILENCE, 1000.0)
    probe = breaker.began()
    assert ([breaker.stays(one) for one in in_line], breaker.stays(probe)) == ([True] * 4, False)
    breaker.heard(TAKEN, YES, 1002.0)
    assert not any(breaker.stays(one) for one in in_line), "it is closed again"


@given(st.lists(st.sampled_from(["unknown", "unreached", "taken", "never began", "waits"]), max_size=60))
def test_it_never_stays_closed_for_longer_than_its_longest_hold(history: list[str]) -> None:
    breaker, ticks, under_way = opened(3), 1000.0, 0
    for event in history:
        ticks += 0.5
        if event != "waits" and breaker.allows(ticks):
            breaker.began()
            under_way += 1
        if under_way and event != "waits":
            under_way -= 1
            ends = {
                "unknown": (UNKNOWN, SILENCE), "unreached": (UNSENT, UNREACHED), "taken": (TAKEN, YES),
                "never began": (UNSENT, None),
            }  # fmt: skip
            breaker.heard(*ends[event], ticks)
    assert under_way or breaker.allows(ticks + LONGEST_HOLD) >= 1


def test_somebody_must_answer_a_knock_before_a_message_is_risked() -> None:
    breaker = opened()
    breaker.knocks = True
    assert not breaker.wants_knock(1000.0 + FIRST_HOLD / 2)
    assert breaker.wants_knock(1000.0 + FIRST_HOLD)
    assert breaker.allows(1000.0 + FIRST_HOLD) == 0
    breaker.knocked(False, 1001.0)
    assert breaker.hold == 2 * FIRST_HOLD, "nobody was there: it is asked more seldom"
    breaker.knocked(True, 1003.0)
    assert not breaker.wants_knock(1003.0)
    assert breaker.allows(1003.0) == 1


def test_who_answers_a_knock_and_no_call_is_asked_anew() -> None:
    breaker = opened()
    breaker.knocks = True
    breaker.knocked(True, 1001.0)
    breaker.began()
    breaker.heard(UNKNOWN, SILENCE, 1002.0)
    assert breaker.allows(1002.0 + LONGEST_HOLD) == 0
    assert breaker.wants_knock(1002.0 + LONGEST_HOLD)
