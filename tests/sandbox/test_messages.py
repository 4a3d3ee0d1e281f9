"""What a sender meets: acceptance, refusals in the provider's words, windows, templates, rates, look-ups."""

from __future__ import annotations

import pytest

from clarion.sandbox.client import SandboxProcess
from tests.sandbox.ends import AMINA, BEKELE, NUMBER, Caller, template_to, text_to

COMPONENTS_ARE_NO_LIST = {"name": "welcome", "language": {"code": "en"}, "components": 3}


def test_an_accepted_message_is_answered_with_its_id_and_the_persons(caller: Caller) -> None:
    answer = caller.text("+251 911-000001")
    assert answer.status == 200
    assert answer.json == {
        "messaging_product": "whatsapp",
        "contacts": [{"input": "+251 911-000001", "wa_id": AMINA}],
        "messages": [{"id": answer.wamid, "message_status": "accepted"}],
    }
    assert answer.wamid.startswith("wamid.")


def test_a_person_without_a_number_is_reached_by_their_user_id(
    sandbox: SandboxProcess, caller: Caller
) -> None:
    body = text_to("") | {"recipient": "US.13491208655302741918"}
    del body["to"]
    assert caller.send(body).json["contacts"] == [
        {"input": "US.13491208655302741918", "user_id": "US.13491208655302741918"}
    ]
    assert sandbox.people() == {"US.13491208655302741918": 1}


def test_every_accepted_message_has_an_id_of_its_own(caller: Caller) -> None:
    assert len({caller.text(AMINA).wamid for _ in range(20)}) == 20


def test_a_wrong_token_is_refused_with_190_and_recorded(sandbox: SandboxProcess) -> None:
    with Caller(sandbox.url, token="stolen") as stranger:
        answer = stranger.text(AMINA)
    assert (answer.status, answer.code) == (401, 190)
    assert answer.json["error"]["type"] == "OAuthException"
    assert sandbox.summary()["outcomes"] == {"invalid": 1}


def test_each_number_may_have_its_own_token_and_the_others_keep_theirs(sandbox: SandboxProcess) -> None:
    sandbox.configure(numbers={"777": {"tokens": ["only-777"]}})
    with Caller(sandbox.url, "only-777", "777") as own, Caller(sandbox.url, number="777") as other:
        assert own.text(AMINA).status == 200
        assert other.text(AMINA).status == 401
    with Caller(sandbox.url, number="888") as usual:
        assert usual.text(AMINA).status == 200


def test_a_number_that_is_not_listed_does_not_exist_when_only_listed_ones_do(sandbox: SandboxProcess) -> None:
    sandbox.configure(numbers={"777": {}}, only_listed_numbers=True)
    with Caller(sandbox.url, number="777") as listed, Caller(sandbox.url, number="778") as unlisted:
        assert listed.text(AMINA).status == 200
        answer = unlisted.text(AMINA)
    assert (answer.status, answer.code, answer.json["error"]["error_subcode"]) == (400, 100, 33)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{not json", 100),
        ([], 100),
        (text_to(AMINA) | {"messaging_product": "sms"}, 100),
        ({"messaging_product": "whatsapp", "type": "text", "text": {"body": "hi"}}, 131008),
        (text_to("not a number"), 131009),
        (text_to("١٢٣٤٥٦٧٨"), 131009),
        (text_to(AMINA) | {"to": 251911000001}, 100),
        (text_to(AMINA, ""), 131008),
        (text_to(AMINA) | {"text": "hi"}, 131008),
        (text_to(AMINA, "x" * 4097), 100),
        (text_to(AMINA, reference="r" * 513), 100),
        (text_to(AMINA) | {"type": "fax"}, 131051),
        (text_to(AMINA) | {"type": "image"}, 131008),
        (text_to(AMINA) | {"type": "template"}, 131008),
        (text_to(AMINA) | {"type": "template", "template": {"name": "welcome"}}, 131008),
        (text_to(AMINA) | {"type": "template", "template": COMPONENTS_ARE_NO_LIST}, 132012),
    ],
)  # fmt: skip
def test_a_request_that_is_not_valid_is_refused_and_nothing_is_accepted(
    sandbox: SandboxProcess, caller: Caller, body: object, code: int
) -> None:
    answer = caller.send(body)
    assert (answer.status, answer.code) == (400, code)
    error = answer.json["error"]
    assert set(error) == {"message", "type", "code", "error_data", "fbtrace_id"}
    assert error["error_data"]["messaging_product"] == "whatsapp"
    summary = sandbox.summary()
    assert (summary["accepted"], summary["outcomes"], summary["codes"]) == (0, {"invalid": 1}, {str(code): 1})


def test_a_text_of_4096_characters_in_any_script_is_accepted(sandbox: SandboxProcess, caller: Caller) -> None:
    text = "ሰ" * 4096
    assert caller.text(AMINA, text).status == 200
    assert sandbox.phone(AMINA)[0]["text"] == text


def test_free_text_is_refused_until_the_person_writes_and_again_24_hours_later(
    sandbox: SandboxProcess, caller: Caller
) -> None:
    sandbox.configure(window="enforced")
    refused = caller.text(AMINA)
    assert (refused.status, refused.code) == (400, 131047)
    sandbox.inbound(AMINA, "hello", NUMBER)
    assert caller.text(AMINA).status == 200
    assert caller.text(BEKELE).code == 131047
    sandbox.configure(clock_offset=24 * 3600 - 60)
    assert caller.text(AMINA).status == 200
    sandbox.configure(clock_offset=24 * 3600)
    assert caller.text(AMINA).code == 131047
    assert sandbox.people() == {AMINA: 2}


def test_the_window_is_between_one_number_and_one_person(sandbox: SandboxProcess, caller: Caller) -> None:
    sandbox.configure(window="enforced")
    sandbox.inbound(AMINA, "hello", "777")
    assert caller.text(AMINA).code == 131047


def test_a_template_needs_no_window(sandbox: SandboxProcess, caller: Caller) -> None:
    sandbox.configure(window="enforced")
    assert caller.send(template_to(AMINA, "closed_on_monday", "Amina", "9")).status == 200
    assert sandbox.phone(AMINA)[0]["text"] == "closed_on_monday (en) | Amina | 9"


def test_with_a_catalogue_only_its_templates_are_known(sandbox: SandboxProcess, caller: Caller) -> None:
    body = "Dear {{1}}, closed on {{2}}. {{3}}"
    sandbox.configure(templates=[{"name": "closed", "language": "en", "parameters": 2, "body": body}])
    unknown = caller.send(template_to(AMINA, "closed", "Amina", "Monday", language="am"))
    assert (unknown.status, unknown.code) == (404, 132001)
    short = caller.send(template_to(AMINA, "closed", "Amina"))
    assert (short.status, short.code) == (400, 132000)
    assert caller.send(template_to(AMINA, "closed", "Amina", "Monday")).status == 200
    assert [m["text"] for m in sandbox.phone(AMINA)] == ["Dear Amina, closed on Monday. {{3}}"]


def test_a_number_takes_no_more_than_its_rate(sandbox: SandboxProcess, caller: Caller) -> None:
    sandbox.configure(rate=0.001)
    assert caller.text(AMINA).status == 200
    refused = caller.text(BEKELE)
    assert (refused.status, refused.code) == (400, 130429)
    assert sandbox.people() == {AMINA: 1}


def test_one_person_takes_no_more_than_the_pairs_rate(sandbox: SandboxProcess, caller: Caller) -> None:
    sandbox.configure(pair_rate={"every": 3600, "burst": 3})
    answers = [caller.text(AMINA) for _ in range(4)]
    assert [a.status for a in answers] == [200, 200, 200, 400]
    assert answers[-1].code == 131056
    assert caller.text(BEKELE).status == 200


def test_a_reference_can_be_looked_up(caller: Caller) -> None:
    first, second = caller.text(AMINA, reference="m-1"), caller.text(BEKELE, reference="m-2")
    found = caller.look_up("m-1").json["data"]
    assert [(m["id"], m["to"], m["status"]) for m in found] == [(first.wamid, AMINA, "accepted")]
    assert caller.look_up("m-2").json["data"][0]["id"] == second.wamid
    assert caller.look_up("m-3").json == {"data": []}


def test_a_lagging_look_up_shows_a_message_only_later(sandbox: SandboxProcess, caller: Caller) -> None:
    sandbox.configure(lookup={"lag": 60})
    caller.text(AMINA, reference="m-1")
    assert caller.look_up("m-1").json == {"data": []}
    sandbox.configure(clock_offset=61)
    assert len(caller.look_up("m-1").json["data"]) == 1


def test_a_provider_without_look_up_says_that_it_has_none(sandbox: SandboxProcess, caller: Caller) -> None:
    sandbox.configure(lookup={"mode": "off"})
    caller.text(AMINA, reference="m-1")
    answer = caller.look_up("m-1")
    assert (answer.status, answer.code) == (400, 100)


def test_a_look_up_needs_the_token_too(sandbox: SandboxProcess) -> None:
    with Caller(sandbox.url, token="stolen") as stranger:
        assert stranger.look_up("m-1").status == 401
