"""The record of the truth: what is counted, what is told, and what outlives the process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clarion.errors import Invalid
from clarion.sandbox.client import SandboxProcess, SandboxRefusal
from clarion.sandbox.journal import Journal
from clarion.sandbox.record import FAILED, REFUSED, WAITING, Record
from tests.sandbox.ends import AMINA, BEKELE, CHALTU, NUMBER, Caller


def test_whoever_got_two_messages_is_counted(sandbox: SandboxProcess, caller: Caller) -> None:
    caller.text(AMINA, "Closed on Monday.", "m-1")
    caller.text(AMINA, "Closed on Monday.", "m-1")
    caller.text(BEKELE, "Closed on Monday.", "m-2")
    caller.text(BEKELE, "Closed on Friday.", "m-3")
    caller.text(CHALTU, "Closed on Monday.", "m-4")
    summary = sandbox.summary()
    assert summary["requests"] == summary["accepted"] == summary["shown"] == 5
    assert summary["people"] == 3
    assert summary["people_with_two"] == 2
    assert summary["people_with_same_text_twice"] == 1
    assert summary["references_with_two"] == 1
    assert sandbox.people(more_than=1) == {AMINA: 2, BEKELE: 2}


def test_what_was_refused_or_failed_is_no_second_message() -> None:
    record = Record()
    for outcome in (REFUSED, WAITING, 0, 0):
        record.append(1.0, 1.0, AMINA, "m-1", "hi", outcome=outcome)
    assert record.summary()["people_with_two"] == 1
    record.tell(3, FAILED)
    summary = record.summary()
    assert (summary["accepted"], summary["shown"]) == (2, 1)
    assert (summary["people_with_two"], summary["references_with_two"]) == (0, 0)
    record.accept(1, 2.0)
    assert record.summary()["people_with_two"] == 1


def test_statuses_never_fall() -> None:
    record = Record()
    row = record.append(1.0, 1.0, AMINA, "m-1", "hi")
    record.tell(row, 3)
    record.tell(row, 1)
    assert record.entry(row).status == "read"


def test_every_request_for_a_person_is_found_in_its_order() -> None:
    record = Record()
    people = [AMINA, BEKELE, AMINA, CHALTU, AMINA]
    for n, person in enumerate(people):
        record.append(float(n), 1.0, person, f"m-{n}", f"text {n}")
    assert [e.reference for e in record.to_person(AMINA)] == ["m-0", "m-2", "m-4"]
    assert record.to_person("251911999999") == []


def test_a_reference_found_once_is_found_again_when_it_calls_again() -> None:
    record = Record()
    record.append(1.0, 1.0, AMINA, "m-1", "hi")
    assert [e.row for e in record.with_reference("m-1")] == [0]
    for _ in range(2):
        record.append(2.0, 1.0, AMINA, "m-1", "hi")
    assert [e.row for e in record.with_reference("m-1")] == [0, 1, 2]


def test_texts_in_any_script_and_many_of_them_are_kept_whole() -> None:
    record = Record()
    texts = [f"ሰላም {n} مرحبا" for n in range(600)]
    for text in texts:
        record.append(1.0, 1.0, AMINA, "m", text)
    assert [e.text for e in record.entries()] == texts


def test_an_id_of_another_record_is_not_taken_for_ones_own() -> None:
    record, other = Record(), Record()
    row = record.append(1.0, 1.0, AMINA, "m-1", "hi")
    other.append(1.0, 1.0, AMINA, "m-1", "hi")
    assert record.row_of(record.wamid(row)) == row
    assert other.row_of(record.wamid(row)) is None
    assert record.row_of("wamid.nonsense") is None


def test_the_dump_holds_every_accepted_message_and_on_request_every_other(
    sandbox: SandboxProcess, caller: Caller
) -> None:
    sandbox.fault("drop_after_accept", reference="m-1")
    sandbox.fault("refuse_500", reference="m-2")
    sandbox.configure(keep_alive=5)
    with pytest.raises(ConnectionError):
        caller.text(AMINA, "one", "m-1")
    caller.text(BEKELE, "two", "m-2")
    wamid = caller.text(CHALTU, "three", "m-3").wamid
    lines = sandbox.accepted()
    assert [(m["reference"], m["to"], m["text"]) for m in lines] == [
        ("m-1", AMINA, "one"),
        ("m-3", CHALTU, "three"),
    ]
    assert lines[1]["wamid"] == wamid
    assert lines[1]["from"] == NUMBER
    assert [m["outcome"] for m in sandbox.requests()] == ["accepted", "refused", "accepted"]


def test_a_request_to_no_known_number_is_in_the_record_too(sandbox: SandboxProcess) -> None:
    sandbox.configure(only_listed_numbers=True)
    with Caller(sandbox.url) as caller:
        caller.text(AMINA)
    assert [(m["from"], m["outcome"], m["code"]) for m in sandbox.requests()] == [("", "invalid", 100)]


def test_a_long_dump_is_whole(sandbox: SandboxProcess, caller: Caller) -> None:
    for n in range(1203):
        caller.text(AMINA, "x" * 300, f"m-{n}")
    assert [m["reference"] for m in sandbox.accepted()] == [f"m-{n}" for n in range(1203)]


def test_messages_are_asked_for_by_person_or_by_reference(sandbox: SandboxProcess, caller: Caller) -> None:
    caller.text(AMINA, reference="m-1")
    assert sandbox.messages(to=f"+{AMINA}") == sandbox.messages(reference="m-1")
    with pytest.raises(SandboxRefusal):
        sandbox.call("GET", "record/messages")


def test_a_reset_forgets_everything_but_the_settings(sandbox: SandboxProcess, caller: Caller) -> None:
    before = caller.text(AMINA, reference="m-1").wamid
    sandbox.fault("refuse_500")
    sandbox.inbound(AMINA, "hello")
    sandbox.reset()
    summary = sandbox.summary()
    assert (summary["requests"], summary["people"], summary["inbound"]) == (0, 0, 0)
    assert sandbox.phone(AMINA) == []
    assert caller.text(AMINA, reference="m-1").wamid != before
    assert len(sandbox.messages(reference="m-1")) == 1


def test_the_record_outlives_a_sandbox_that_is_killed(folder: Path) -> None:
    file = folder / "record.jsonl"
    first = SandboxProcess.start(folder, record=file, record_sync="each")
    first.inbound(AMINA, "hello", NUMBER)
    with Caller(first.url) as caller:
        wamid = caller.text(AMINA, "one", "m-1").wamid
    first.fault("accept_late", 60)
    with Caller(first.url, timeout=0.2) as hasty, pytest.raises(TimeoutError):
        hasty.text(AMINA, "two", "m-2")
    first.kill()
    with SandboxProcess.start(folder, record=file) as second, Caller(second.url) as caller:
        assert [m["wamid"] for m in second.accepted()] == [wamid]
        assert [m["outcome"] for m in second.requests()] == ["accepted", "refused"]
        assert [m["text"] for m in second.phone(AMINA)] == ["hello", "one"]
        assert caller.text(AMINA, "three", "m-3").status == 200, "the window is still open"
        assert second.people() == {AMINA: 2}
        second.stop()
    assert [json.loads(line).get("reference") for line in file.read_bytes().splitlines()][-1] == "m-3"


def test_changes_after_a_line_was_written_are_read_back(tmp_path: Path) -> None:
    record = Record()
    journal = Journal(tmp_path / "record.jsonl", record)
    sender = record.sender(NUMBER)
    for outcome in (0, WAITING, WAITING):
        record.append(1.0, 1.0, AMINA, "m-1", "hi", outcome=outcome, sender=sender)
    journal.flush()
    record.tell(0, FAILED)
    record.accept(1, 5.0)
    journal.close()
    again = Record()
    Journal(tmp_path / "record.jsonl", again).close()
    assert [e.outcome for e in again.entries()] == ["accepted", "accepted", "refused"]
    assert again.entry(1).accepted_at == 5.0
    assert [again.wamid(row) for row in range(3)] == [record.wamid(row) for row in range(3)]
    assert again.summary()["shown"] == 1


def test_a_line_cut_off_by_a_kill_is_dropped(tmp_path: Path) -> None:
    file = tmp_path / "record.jsonl"
    record = Record()
    journal = Journal(file, record)
    record.append(1.0, 1.0, AMINA, "m-1", "hi", sender=record.sender(NUMBER))
    journal.close()
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"n":1,"at"')
    again = Record()
    Journal(file, again).close()
    assert len(again) == 1
    assert file.read_bytes() == whole


def test_a_file_that_is_no_record_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("buy milk\n")
    with pytest.raises(Invalid, match=r"notes\.txt line 1"):
        Journal(file, Record())
    assert file.read_text() == "buy milk\n"
