"""What the end of a call means for its message: the whole table, and nothing outside it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarion.domain.channel import ChannelConfig
from clarion.domain.message import NOT_SENT, Outcome, State
from clarion.flow.dispatch.judge import Beyond, Judgement, Try, judge, not_begun, unanswered
from clarion.providers.contract import Answered, Fault, Told

NOW = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)
ATTEMPT = UUID(int=7)
CONFIG = ChannelConfig(attempts=3, backoff_base=2, backoff_cap=10)
FAULTS: tuple[Fault | None, ...] = (None, *Fault)


def judged(told: Told, *, tries: int = 0, lasts: float = 3600, chance: float = 0.5) -> Judgement:
    return judge(told, Try(ATTEMPT, tries, NOW + timedelta(seconds=lasts)), CONFIG, NOW, chance)


@dataclass(frozen=True)
class Means:
    """A row of the table: what the attempt and the message become, and what else follows."""

    outcome: Outcome
    state: State
    reason: str | None = None
    counts: bool = True
    beyond: Beyond | None = None


AGAIN = Means(Outcome.UNSENT, State.READY)
FREE = Means(Outcome.UNSENT, State.READY, counts=False, beyond=Beyond.HOLD)
NOT_SAID = "a provider does not say so"

# DESIGN, ledger rule 5. What a fault adds to an answer that does not need it changes nothing.
TABLE: dict[tuple[Answered, Fault | None], Means] = {
    **dict.fromkeys(product([Answered.ACCEPTED], FAULTS), Means(Outcome.ACCEPTED, State.ACCEPTED)),
    **dict.fromkeys(product([Answered.UNKNOWN], FAULTS), Means(Outcome.UNKNOWN, State.UNKNOWN)),
    **dict.fromkeys(product([Answered.REFUSED], FAULTS), Means(Outcome.REFUSED, State.FAILED, "refused")),
    (Answered.REFUSED, Fault.OPTED_OUT): Means(
        Outcome.REFUSED, State.FAILED, "opted_out", beyond=Beyond.OPT_OUT
    ),
    (Answered.REFUSED, Fault.GONE): Means(
        Outcome.REFUSED, State.FAILED, "address_gone", beyond=Beyond.FORGET
    ),
    **dict.fromkeys(product([Answered.LATER], FAULTS), AGAIN),
    (Answered.LATER, Fault.RATE): FREE,
    (Answered.LATER, Fault.NETWORK): FREE,
    (Answered.LATER, Fault.ACCOUNT): Means(
        Outcome.UNSENT, State.READY, counts=False, beyond=Beyond.PAUSE_CHANNEL
    ),
    (Answered.LATER, Fault.CONTENT): Means(
        Outcome.UNSENT, State.READY, counts=False, beyond=Beyond.PAUSE_CAMPAIGN
    ),
}


@pytest.mark.parametrize(("answered", "fault"), list(product(Answered, FAULTS)))
def test_every_answer_and_fault_has_one_meaning(answered: Answered, fault: Fault | None) -> None:
    found = judged(Told(answered, fault=fault))
    verdict, means = found.verdict, TABLE[answered, fault]
    assert Means(verdict.outcome, verdict.state, verdict.reason, verdict.counts, found.beyond) == means
    assert (verdict.retry_at is not None) == (verdict.state is State.READY)


def test_the_table_is_complete() -> None:
    assert TABLE.keys() == set(product(Answered, FAULTS))


def test_what_the_provider_said_is_kept_for_people_to_read() -> None:
    for answered in Answered:
        verdict = judged(Told(answered, code="131026", detail="not on WhatsApp")).verdict
        assert (verdict.attempt_id, verdict.code, verdict.detail) == (ATTEMPT, "131026", "not on WhatsApp")


def test_the_providers_own_id_is_kept_with_what_it_took() -> None:
    assert judged(Told(Answered.ACCEPTED, provider_id="wamid.1")).verdict.provider_id == "wamid.1"


def test_the_last_allowed_try_that_had_no_effect_fails_the_message() -> None:
    told = Told(Answered.LATER, fault=Fault.PROVIDER)
    assert judged(told, tries=1).verdict.state is State.READY
    last = judged(told, tries=2).verdict
    assert (last.outcome, last.state, last.reason) == (Outcome.UNSENT, State.FAILED, "attempts_used_up")


@pytest.mark.parametrize("fault", [Fault.RATE, Fault.NETWORK, Fault.ACCOUNT, Fault.CONTENT])
def test_a_try_that_was_not_the_messages_fault_never_uses_its_tries_up(fault: Fault) -> None:
    verdict = judged(Told(Answered.LATER, fault=fault), tries=50).verdict
    assert (verdict.state, verdict.counts) == (State.READY, False)


@pytest.mark.parametrize("fault", [Fault.RATE, Fault.PROVIDER])
def test_retry_after_is_obeyed(fault: Fault) -> None:
    verdict = judged(Told(Answered.LATER, fault=fault, retry_after=90.0)).verdict
    assert verdict.retry_at == NOW + timedelta(seconds=90)


def test_a_throttled_channel_waits_as_long_as_it_was_told() -> None:
    assert judged(Told(Answered.LATER, fault=Fault.RATE, retry_after=7.5)).hold == 7.5
    assert judged(Told(Answered.LATER, fault=Fault.RATE)).hold == 0.0


@pytest.mark.parametrize("fault", [Fault.ACCOUNT, Fault.CONTENT])
def test_what_an_operator_must_mend_waits_at_its_place_in_the_queue(fault: Fault) -> None:
    assert judged(Told(Answered.LATER, fault=fault)).verdict.retry_at == NOW


@pytest.mark.parametrize("fault", [Fault.RATE, Fault.NETWORK, Fault.PROVIDER, Fault.PERSON, None])
def test_what_would_be_tried_again_after_its_expiry_expires(fault: Fault | None) -> None:
    verdict = judged(Told(Answered.LATER, fault=fault, retry_after=60.0), lasts=60).verdict
    assert (verdict.outcome, verdict.state, verdict.reason) == (Outcome.UNSENT, State.EXPIRED, "expired")
    assert judged(Told(Answered.LATER, fault=fault, retry_after=60.0), lasts=61).verdict.retry_at is not None


def test_an_intent_whose_call_never_began_goes_back_at_once_and_does_not_count() -> None:
    verdict = not_begun(ATTEMPT, NOW, "too_late_to_begin")
    assert (verdict.outcome, verdict.state) == (Outcome.UNSENT, State.READY)
    assert (verdict.retry_at, verdict.counts, verdict.code) == (NOW, False, "too_late_to_begin")


def test_a_call_without_an_answer_is_unknown() -> None:
    verdict = unanswered(ATTEMPT, "drained")
    assert (verdict.outcome, verdict.state, verdict.retry_at) == (Outcome.UNKNOWN, State.UNKNOWN, None)


TOLD = st.builds(
    Told,
    answered=st.sampled_from(Answered),
    provider_id=st.none() | st.text(max_size=5),
    fault=st.sampled_from(FAULTS),
    code=st.none() | st.text(max_size=5),
    retry_after=st.none() | st.floats(0, 86_400),
)


@given(told=TOLD, tries=st.integers(0, 60), lasts=st.floats(1, 86_400), chance=st.floats(0, 0.999))
def test_nothing_is_tried_again_that_may_have_had_an_effect(
    told: Told, tries: int, lasts: float, chance: float
) -> None:
    """Only what is proven unsent goes back, never into the past, never past its expiry; what is refused
    or unsent for good is never held for sent, and what nobody knows is never held for either."""
    verdict = judged(told, tries=tries, lasts=lasts, chance=chance).verdict
    if verdict.state is State.READY:
        assert verdict.outcome is Outcome.UNSENT
        assert verdict.retry_at is not None
        assert NOW <= verdict.retry_at < NOW + timedelta(seconds=lasts)
    assert (verdict.state is State.UNKNOWN) == (verdict.outcome is Outcome.UNKNOWN)
    assert (verdict.state is State.ACCEPTED) == (verdict.outcome is Outcome.ACCEPTED)
    assert (verdict.state in NOT_SENT) == (verdict.retry_at is None and verdict.reason is not None)
