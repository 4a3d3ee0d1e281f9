"""Each fault: what the caller sees, and what is true all the same."""

from __future__ import annotations

import http.client
import json
import time

import pytest

from clarion.sandbox.client import SandboxProcess, SandboxRefusal
from tests.sandbox.ends import AMINA, BEKELE, CHALTU, Caller, text_to


def truth(sandbox: SandboxProcess, reference: str = "m-1") -> tuple[str, str]:
    """What became of the one request with this reference, and by which fault."""
    (message,) = sandbox.messages(reference=reference)
    return message["outcome"], message.get("fault", "")


def test_slow_answers_after_a_while_and_the_message_is_accepted(
    sandbox: SandboxProcess, caller: Caller
) -> None:
    sandbox.fault("slow", 0.2)
    begun = time.monotonic()
    answer = caller.text(AMINA, reference="m-1")
    assert answer.status == 200
    assert time.monotonic() - begun >= 0.19
    assert truth(sandbox) == ("accepted", "slow")
    assert sandbox.messages(reference="m-1")[0]["wamid"] == answer.wamid


def test_answer_late_has_accepted_the_message_while_the_caller_still_waits(sandbox: SandboxProcess) -> None:
    sandbox.fault("answer_late", 30)
    with Caller(sandbox.url, timeout=0.2) as hasty, pytest.raises(TimeoutError):
        hasty.text(AMINA, reference="m-1")
    assert truth(sandbox) == ("accepted", "answer_late")
    assert sandbox.people() == {AMINA: 1}


def test_accept_late_accepts_only_after_the_caller_has_gone(sandbox: SandboxProcess, caller: Caller) -> None:
    sandbox.fault("accept_late", 0.5)
    with Caller(sandbox.url, timeout=0.1) as hasty, pytest.raises(TimeoutError):
        hasty.text(AMINA, reference="m-1")
    assert truth(sandbox) == ("waiting", "accept_late")
    assert caller.look_up("m-1").json == {"data": []}
    assert sandbox.people() == {}
    end = time.monotonic() + 10
    while truth(sandbox)[0] == "waiting" and time.monotonic() < end:
        time.sleep(0.02)
    assert truth(sandbox) == ("accepted", "accept_late")
    assert len(caller.look_up("m-1").json["data"]) == 1
    assert sandbox.people() == {AMINA: 1}


def test_accept_late_answers_a_caller_who_waits(sandbox: SandboxProcess, caller: Caller) -> None:
    sandbox.fault("accept_late", 0.1)
    answer = caller.text(AMINA, reference="m-1")
    assert answer.status == 200
    assert sandbox.messages(reference="m-1")[0]["accepted_at"] > sandbox.messages(reference="m-1")[0]["at"]


@pytest.mark.parametrize(
    ("fault", "outcome", "people"),
    [("drop_after_accept", "accepted", {AMINA: 1}), ("drop_before_accept", "dropped", {})],
)
def test_a_dropped_connection_looks_the_same_whether_the_message_was_accepted_or_not(
    sandbox: SandboxProcess, caller: Caller, fault: str, outcome: str, people: dict[str, int]
) -> None:
    sandbox.fault(fault)
    with pytest.raises(http.client.RemoteDisconnected):
        caller.text(AMINA, reference="m-1")
    assert truth(sandbox) == (outcome, fault)
    assert sandbox.people() == people


@pytest.mark.parametrize(
    ("fault", "outcome", "people"),
    [("error_after_accept", "accepted", {AMINA: 1}), ("refuse_500", "refused", {})],
)
def test_a_bare_500_looks_the_same_whether_the_message_was_accepted_or_not(
    sandbox: SandboxProcess, caller: Caller, fault: str, outcome: str, people: dict[str, int]
) -> None:
    sandbox.fault(fault)
    answer = caller.text(AMINA, reference="m-1")
    assert answer.status == 500
    with pytest.raises(json.JSONDecodeError):
        _ = answer.json
    assert truth(sandbox) == (outcome, fault)
    assert sandbox.people() == people


def test_malformed_json_answers_rubbish_with_200_for_an_accepted_message(
    sandbox: SandboxProcess, caller: Caller
) -> None:
    sandbox.fault("malformed_json")
    answer = caller.text(AMINA, reference="m-1")
    assert answer.status == 200
    with pytest.raises(json.JSONDecodeError):
        _ = answer.json
    assert truth(sandbox) == ("accepted", "malformed_json")


def test_reset_answers_an_accepted_message_with_a_reset(sandbox: SandboxProcess, caller: Caller) -> None:
    sandbox.fault("reset")
    with caller.socket() as sock:
        sock.sendall(caller.raw(text_to(AMINA, reference="m-1")))
        with pytest.raises(ConnectionResetError):
            sock.recv(1000)
    assert truth(sandbox) == ("accepted", "reset")


def test_half_close_ends_the_answers_side_but_still_reads(sandbox: SandboxProcess, caller: Caller) -> None:
    sandbox.fault("half_close")
    with caller.socket() as sock:
        sock.sendall(caller.raw(text_to(AMINA, reference="m-1")))
        assert sock.recv(1000) == b""
        sock.sendall(b"anyone there?")  # refused with a reset if the other side had closed wholly
        time.sleep(0.05)
        sock.sendall(b"still?")
    assert truth(sandbox) == ("accepted", "half_close")


def test_throttle_says_when_to_come_again_and_throttle_bare_does_not(
    sandbox: SandboxProcess, caller: Caller
) -> None:
    sandbox.fault("throttle", 7)
    sandbox.fault("throttle_bare")
    told, bare = caller.text(AMINA, reference="m-1"), caller.text(AMINA, reference="m-2")
    assert (told.status, told.code, told.headers["retry-after"]) == (429, 130429, "7")
    assert (bare.status, bare.code, "retry-after" in bare.headers) == (429, 130429, False)
    assert truth(sandbox) == ("refused", "throttle")
    assert truth(sandbox, "m-2") == ("refused", "throttle_bare")
    assert sandbox.people() == {}


@pytest.mark.parametrize(("parameter", "code"), [(None, 133016), (131016, 131016)])
def test_not_processed_503_names_its_code_and_accepts_nothing(
    sandbox: SandboxProcess, caller: Caller, parameter: float | None, code: int
) -> None:
    sandbox.fault("not_processed_503", parameter)
    answer = caller.text(AMINA, reference="m-1")
    assert (answer.status, answer.code) == (503, code)
    assert truth(sandbox) == ("refused", "not_processed_503")


@pytest.mark.parametrize(("parameter", "status", "code"), [(None, 400, 131026), (131031, 403, 131031)])
def test_refuse_permanent_names_its_code_with_the_providers_status(
    sandbox: SandboxProcess, caller: Caller, parameter: float | None, status: int, code: int
) -> None:
    sandbox.fault("refuse_permanent", parameter)
    answer = caller.text(AMINA, reference="m-1")
    assert (answer.status, answer.code) == (status, code)
    assert truth(sandbox) == ("refused", "refuse_permanent")


def test_a_fault_strikes_as_many_calls_as_were_queued_and_then_all_is_well(
    sandbox: SandboxProcess, caller: Caller
) -> None:
    sandbox.fault("refuse_500", count=2)
    assert [caller.text(AMINA).status for _ in range(4)] == [500, 500, 200, 200]
    assert sandbox.summary()["faults"] == {"refuse_500": 2}


def test_a_fault_for_one_person_or_reference_leaves_the_others_alone(
    sandbox: SandboxProcess, caller: Caller
) -> None:
    sandbox.fault("refuse_500", to=f"+{BEKELE}")
    sandbox.fault("throttle_bare", reference="urgent-")
    assert caller.text(AMINA, reference="m-1").status == 200
    assert caller.text(AMINA, reference="urgent-1").status == 429
    assert caller.text(BEKELE, reference="m-2").status == 500
    assert caller.text(BEKELE, reference="urgent-2").status == 200


def test_a_fault_without_a_count_strikes_until_it_is_cleared(sandbox: SandboxProcess, caller: Caller) -> None:
    sandbox.fault("refuse_500", count=None)
    assert [caller.text(AMINA).status for _ in range(3)] == [500, 500, 500]
    sandbox.clear_faults()
    assert caller.text(AMINA).status == 200


def test_the_roster_makes_one_persons_calls_fail_for_ever_or_a_few_times(
    sandbox: SandboxProcess, caller: Caller
) -> None:
    sandbox.configure(
        roster=[
            {"number": AMINA, "behaviour": "refuse_permanent", "parameter": 131050},
            {"number": f"+{BEKELE}", "behaviour": "refuse_500", "times": 2},
        ]
    )
    assert [caller.text(AMINA).code for _ in range(3)] == [131050] * 3
    assert [caller.text(BEKELE).status for _ in range(3)] == [500, 500, 200]
    assert caller.text(CHALTU).status == 200


def test_the_queue_goes_before_the_roster(sandbox: SandboxProcess, caller: Caller) -> None:
    sandbox.configure(roster=[{"number": AMINA, "behaviour": "refuse_permanent"}])
    sandbox.fault("throttle_bare")
    assert [caller.text(AMINA).status for _ in range(2)] == [429, 400]


def test_a_refusal_of_the_provider_itself_comes_before_an_accepting_fault(
    sandbox: SandboxProcess, caller: Caller
) -> None:
    sandbox.configure(window="enforced")
    sandbox.fault("drop_after_accept")
    assert caller.text(AMINA, reference="m-1").code == 131047
    assert truth(sandbox) == ("refused", "")


CHANCES = {"refuse_500": 0.3, "throttle_bare": 0.3}


def outcomes(
    sandbox: SandboxProcess, caller: Caller, references: list[str], **seeded: object
) -> dict[str, int]:
    sandbox.reset()
    sandbox.configure(faults={"probabilities": CHANCES, **seeded})
    return {reference: caller.text(AMINA, reference=reference).status for reference in references}


def test_chance_is_the_same_for_a_seed_whatever_the_order_of_calls(
    sandbox: SandboxProcess, caller: Caller
) -> None:
    references = [f"m-{n}" for n in range(60)]
    forwards = outcomes(sandbox, caller, references, seed=7)
    assert outcomes(sandbox, caller, references[::-1], seed=7) == forwards
    assert outcomes(sandbox, caller, references, seed=8) != forwards
    assert set(forwards.values()) == {200, 429, 500}


def test_a_reference_that_calls_again_draws_a_new_lot(sandbox: SandboxProcess, caller: Caller) -> None:
    sandbox.configure(faults={"seed": 7, "probabilities": CHANCES})
    assert 200 in {caller.text(AMINA, reference="m-1").status for _ in range(30)}
    assert sandbox.summary()["faults"]


def test_chance_by_ordinal_does_not_look_at_references(sandbox: SandboxProcess, caller: Caller) -> None:
    first = outcomes(sandbox, caller, [f"a-{n}" for n in range(30)], seed=7, by="ordinal")
    second = outcomes(sandbox, caller, [f"b-{n}" for n in range(30)], seed=7, by="ordinal")
    assert list(first.values()) == list(second.values())


def test_a_fault_that_does_not_exist_is_refused_with_the_names_that_do(sandbox: SandboxProcess) -> None:
    with pytest.raises(SandboxRefusal) as refusal:
        sandbox.fault("explode")
    assert refusal.value.status == 422
    assert "drop_after_accept" in refusal.value.problem["title"]
    with pytest.raises(SandboxRefusal):
        sandbox.fault("refuse_500", 3)
    with pytest.raises(SandboxRefusal):
        sandbox.fault("slow", -1)
