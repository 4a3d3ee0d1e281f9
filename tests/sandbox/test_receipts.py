"""What a provider posts: statuses in their shape and order, their faults, people's messages, verification."""

from __future__ import annotations

import pytest

from clarion.sandbox.client import SandboxProcess, SandboxRefusal
from tests.sandbox.ends import AMINA, BEKELE, NUMBER, Caller, Receiver, template_to


def test_a_message_is_told_as_sent_delivered_and_read_under_its_reference(
    sandbox: SandboxProcess, caller: Caller, receiver: Receiver
) -> None:
    wamid = caller.text(AMINA, reference="m-1").wamid
    statuses = receiver.wait_for_statuses(3)
    assert [s["status"] for s in statuses] == ["sent", "delivered", "read"]
    assert {s["id"] for s in statuses} == {wamid}
    assert {s["recipient_id"] for s in statuses} == {AMINA}
    assert {s["biz_opaque_callback_data"] for s in statuses} == {"m-1"}
    assert all(s["timestamp"].isdecimal() for s in statuses)
    assert sandbox.messages(reference="m-1")[0]["status"] == "read"


def test_a_webhook_has_the_providers_envelope_and_is_signed(
    sandbox: SandboxProcess, caller: Caller, receiver: Receiver
) -> None:
    sandbox.configure(display_phone_number="15550199999", business_account_id="4711")
    caller.text(AMINA)
    receiver.wait_for_statuses(1)
    webhook = receiver.inbox.webhooks[0]
    assert webhook.genuine
    assert webhook.body["object"] == "whatsapp_business_account"
    assert webhook.body["entry"][0]["id"] == "4711"
    assert webhook.body["entry"][0]["changes"][0]["field"] == "messages"
    assert webhook.value["messaging_product"] == "whatsapp"
    assert webhook.value["metadata"] == {"display_phone_number": "15550199999", "phone_number_id": NUMBER}


def test_statuses_are_priced_by_what_was_sent(caller: Caller, receiver: Receiver) -> None:
    caller.send(template_to(AMINA, "closed", reference="m-1"))
    caller.text(AMINA, reference="m-2")
    priced = {s["biz_opaque_callback_data"]: s["pricing"] for s in receiver.wait_for_statuses(6)}
    assert priced["m-1"] == {"billable": True, "pricing_model": "PMP", "category": "utility"}
    assert priced["m-2"]["billable"] is False


def test_many_statuses_come_in_one_request_but_no_more_than_a_batch(
    sandbox: SandboxProcess, caller: Caller, receiver: Receiver
) -> None:
    sandbox.configure(receipts={"batch_size": 4, "batch_within": 0.3, "read_share": 0.0})
    for n in range(10):
        caller.text(AMINA, reference=f"m-{n}")
    receiver.wait_for_statuses(20)
    sizes = [len(w.value["statuses"]) for w in receiver.inbox.webhooks]
    assert max(sizes) == 4
    assert sum(sizes) == 20


def test_only_a_share_of_the_people_reads(
    sandbox: SandboxProcess, caller: Caller, receiver: Receiver
) -> None:
    sandbox.configure(receipts={"read_share": 0.5})
    for n in range(100):
        caller.text(AMINA, reference=f"m-{n}")
    sandbox.wait_for_webhooks()
    read = [s for s in receiver.statuses() if s["status"] == "read"]
    assert 30 <= len(read) <= 70


def test_a_receiver_that_refuses_is_tried_again_until_it_takes_the_webhook(
    sandbox: SandboxProcess, caller: Caller, receiver: Receiver
) -> None:
    receiver.inbox.refuse = 3
    sandbox.configure(receipts={"read_share": 0.0, "delivered_after": 0.0})
    caller.text(AMINA, reference="m-1")
    assert sandbox.wait_for_webhooks()["refused_posts"] == 3
    assert receiver.names("m-1") == ["sent", "delivered"]


def test_a_receiver_that_never_answers_2xx_is_given_up(
    sandbox: SandboxProcess, caller: Caller, receiver: Receiver
) -> None:
    receiver.inbox.refuse = 1000
    sandbox.configure(receipts={"retries": 2, "read_share": 0.0, "delivered_after": 0.0})
    caller.text(AMINA)
    webhooks = sandbox.wait_for_webhooks()
    assert (webhooks["posts"], webhooks["given_up"], webhooks["statuses"]) == (3, 2, 0)


@pytest.mark.parametrize("by", ["mode", "fault"])
def test_early_receipts_arrive_before_the_caller_is_answered(
    sandbox: SandboxProcess, caller: Caller, receiver: Receiver, by: str
) -> None:
    if by == "mode":
        sandbox.configure(receipts={"mode": "early"})
    else:
        sandbox.fault("receipts_early")
    caller.text(AMINA, reference="m-1")
    assert receiver.names("m-1")[:2] == ["sent", "delivered"]


def test_early_receipts_that_are_refused_come_later_and_the_caller_is_answered(
    sandbox: SandboxProcess, caller: Caller, receiver: Receiver
) -> None:
    receiver.inbox.refuse = 1
    sandbox.fault("receipts_early")
    assert caller.text(AMINA, reference="m-1").status == 200
    sandbox.wait_for_webhooks()
    assert sorted(receiver.names("m-1")) == ["delivered", "read", "sent"]


def test_early_receipts_may_come_for_a_call_that_is_never_answered(
    sandbox: SandboxProcess, caller: Caller, receiver: Receiver
) -> None:
    sandbox.fault("receipts_early")
    sandbox.fault("error_after_accept")
    assert caller.text(AMINA, reference="m-1").status == 500
    assert receiver.names("m-1")[:2] == ["sent", "delivered"]


def test_late_receipts_tell_of_the_moment_that_was(
    sandbox: SandboxProcess, caller: Caller, receiver: Receiver
) -> None:
    sandbox.fault("receipts_late", 2)
    caller.text(AMINA, reference="m-1")
    accepted_at = sandbox.messages(reference="m-1")[0]["accepted_at"]
    assert sandbox.call("GET", "webhooks")["pending"] == 3
    sent = receiver.wait_for_statuses(1)[0]
    assert int(sent["timestamp"]) <= accepted_at + 1


def test_receipts_may_come_five_times(sandbox: SandboxProcess, caller: Caller, receiver: Receiver) -> None:
    sandbox.fault("receipts_five_times")
    caller.text(AMINA, reference="m-1")
    sandbox.wait_for_webhooks()
    names = receiver.names("m-1")
    assert {name: names.count(name) for name in names} == {"sent": 5, "delivered": 5, "read": 5}


@pytest.mark.parametrize("apart", [0.0, 0.1])
def test_receipts_may_come_in_reversed_order(
    sandbox: SandboxProcess, caller: Caller, receiver: Receiver, apart: float
) -> None:
    sandbox.configure(receipts={"sent_after": 0.0, "delivered_after": apart, "read_after": 2 * apart})
    sandbox.fault("receipts_reversed")
    caller.text(AMINA, reference="m-1")
    receiver.wait_for_statuses(3)
    assert receiver.names("m-1") == ["read", "delivered", "sent"]


def test_receipts_may_be_missing_for_one_message_or_for_all(
    sandbox: SandboxProcess, caller: Caller, receiver: Receiver
) -> None:
    sandbox.fault("receipts_missing")
    caller.text(AMINA, reference="m-1")
    caller.text(AMINA, reference="m-2")
    sandbox.configure(receipts={"mode": "none"})
    caller.text(AMINA, reference="m-3")
    sandbox.wait_for_webhooks()
    assert receiver.names("m-1") == []
    assert len(receiver.names("m-2")) == 3
    assert receiver.names("m-3") == []
    assert sandbox.people() == {AMINA: 3}


def test_receipts_may_be_missing_for_a_share(
    sandbox: SandboxProcess, caller: Caller, receiver: Receiver
) -> None:
    sandbox.configure(receipts={"mode": "missing", "missing_share": 0.5})
    for n in range(60):
        caller.text(AMINA, reference=f"m-{n}")
    sandbox.wait_for_webhooks()
    assert 15 <= len({s["biz_opaque_callback_data"] for s in receiver.statuses()}) <= 45


def test_an_accepted_message_may_fail_and_then_no_phone_shows_it(
    sandbox: SandboxProcess, caller: Caller, receiver: Receiver
) -> None:
    sandbox.configure(roster=[{"number": BEKELE, "behaviour": "receipts_failed", "parameter": 131026}])
    assert caller.text(BEKELE, reference="m-1").status == 200
    (status,) = receiver.wait_for_statuses(1)
    assert status["status"] == "failed"
    assert status["errors"] == [
        {
            "code": 131026,
            "title": "Message undeliverable",
            "message": "Message undeliverable",
            "error_data": {"details": "Unable to deliver message."},
        }
    ]
    summary = sandbox.summary()
    assert (summary["accepted"], summary["shown"]) == (1, 0)
    assert sandbox.phone(BEKELE) == []


def test_a_status_can_be_told_at_will_and_often(
    sandbox: SandboxProcess, caller: Caller, receiver: Receiver
) -> None:
    sandbox.configure(receipts={"mode": "none"})
    wamid = caller.text(AMINA, reference="m-1").wamid
    sandbox.receipt("delivered", reference="m-1", times=3)
    sandbox.receipt("read", wamid=wamid)
    sandbox.wait_for_webhooks()
    assert sorted(receiver.names("m-1")) == ["delivered"] * 3 + ["read"]
    with pytest.raises(SandboxRefusal) as refusal:
        sandbox.receipt("read", reference="m-2")
    assert refusal.value.status == 404


def test_a_person_who_writes_is_heard_and_seen(
    sandbox: SandboxProcess, caller: Caller, receiver: Receiver
) -> None:
    caller.text(AMINA, "Are you well?")
    told = sandbox.inbound(f"+{AMINA}", "STOP")
    message = receiver.wait_for_message()
    assert message["from"] == AMINA
    assert message["id"] == told["id"]
    assert message["type"] == "text"
    assert message["text"] == {"body": "STOP"}
    webhook = next(w for w in receiver.inbox.webhooks if "messages" in w.value)
    assert webhook.genuine
    assert webhook.value["contacts"][0]["wa_id"] == AMINA
    assert [(m["direction"], m["text"]) for m in sandbox.phone(AMINA)] == [
        ("in", "Are you well?"),
        ("out", "STOP"),
    ]


def test_a_person_without_a_number_writes_under_their_user_id(
    sandbox: SandboxProcess, receiver: Receiver
) -> None:
    sandbox.inbound("US.13491208655302741918", "hello", NUMBER)
    message = receiver.wait_for_message()
    assert message["from_user_id"] == "US.13491208655302741918"
    assert "from" not in message


def test_a_person_cannot_write_to_nobody(sandbox: SandboxProcess) -> None:
    with pytest.raises(SandboxRefusal) as refusal:
        sandbox.inbound(AMINA, "hello")
    assert refusal.value.problem["where"] == "phone_number_id"


def test_each_numbers_webhooks_go_to_its_own_address(sandbox: SandboxProcess, receiver: Receiver) -> None:
    with Receiver() as other, Caller(sandbox.url, number="777") as caller, Caller(sandbox.url) as usual:
        sandbox.configure(numbers={"777": {"callback_url": other.url}})
        caller.text(AMINA, reference="m-1")
        usual.text(AMINA, reference="m-2")
        sandbox.wait_for_webhooks()
        assert {s["biz_opaque_callback_data"] for s in other.statuses()} == {"m-1"}
        assert {s["biz_opaque_callback_data"] for s in receiver.statuses()} == {"m-2"}


def test_the_callback_address_is_verified_by_its_challenge(
    sandbox: SandboxProcess, receiver: Receiver
) -> None:
    assert sandbox.verify(NUMBER)["verified"] is True
    refused = sandbox.verify(NUMBER, verify_token="wrong")
    assert (refused["verified"], refused["status"]) == (False, 403)


def test_an_address_where_nobody_listens_is_not_verified(sandbox: SandboxProcess) -> None:
    sandbox.configure(callback_url="http://127.0.0.1:9/")
    assert sandbox.verify(NUMBER)["verified"] is False
