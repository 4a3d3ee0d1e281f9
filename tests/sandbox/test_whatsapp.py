"""WhatsApp's files, replies to tap and templates: what is taken, what is refused by which code."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from clarion.sandbox.client import SandboxProcess, SandboxRefusal
from tests.sandbox.ends import AMINA, BEKELE, NUMBER, Caller, Receiver, text_to

ACCOUNT = "100000000000001"
FILE = "https://files.example/a"
YES, NO = ({"type": "reply", "reply": {"id": i, "title": t}} for i, t in (("yes", "Yes"), ("no", "No")))


def file(kind: str, **content: Any) -> dict[str, Any]:
    return {"type": kind, kind: content}


def buttons(*some: dict[str, Any], **more: Any) -> dict[str, Any]:
    said = {"type": "button", "body": {"text": "Come on Monday?"}, "action": {"buttons": list(some)}, **more}
    return {"type": "interactive", "interactive": said}


def rows(*ids: str) -> dict[str, Any]:
    return {"title": "Days", "rows": [{"id": each, "title": f"Day {each}"} for each in ids]}


def menu(*sections: dict[str, Any], label: str = "Choose", **more: Any) -> dict[str, Any]:
    action = {"button": label, "sections": list(sections)}
    said = {"type": "list", "body": {"text": "When?"}, "action": action, **more}
    return {"type": "interactive", "interactive": said}


def row(**more: str) -> dict[str, Any]:
    return {"rows": [{"id": "mo", "title": "Monday", **more}]}


def reply(**more: str) -> dict[str, Any]:
    return {"type": "reply", "reply": {"id": "yes", "title": "Yes", **more}}


def template(*components: dict[str, Any], name: str = "payday", language: str = "en") -> dict[str, Any]:
    said = {"name": name, "language": {"code": language}, "components": list(components)}
    return {"type": "template", "template": said}


def body(*values: str) -> dict[str, Any]:
    return {"type": "body", "parameters": [{"type": "text", "text": value} for value in values]}


def header(kind: str, value: Any) -> dict[str, Any]:
    return {"type": "header", "parameters": [{"type": kind, kind: value}]}


def button(sub_type: str, index: int, kind: str, value: str) -> dict[str, Any]:
    parameters = [{"type": kind, kind: value}]
    return {"type": "button", "sub_type": sub_type, "index": str(index), "parameters": parameters}


def to(content: dict[str, Any]) -> dict[str, Any]:
    return {"messaging_product": "whatsapp", "to": AMINA, "biz_opaque_callback_data": "m-1", **content}


TAKEN: dict[str, tuple[dict[str, Any], str, str]] = {
    "a picture": (file("image", link=FILE), "media", f"[image {FILE}]"),
    "a picture with a caption": (
        file("image", link=FILE, caption="The plan"), "media", f"[image {FILE}] The plan"),
    "a picture that was uploaded": (file("image", id="1013859600"), "media", "[image 1013859600]"),
    "a document with its name": (
        file("document", link=FILE, filename="a.pdf", caption="c"), "media", f"[document {FILE} a.pdf] c"),
    "a recording": (file("audio", link=FILE), "media", f"[audio {FILE}]"),
    "three buttons": (
        buttons(YES, NO, {"type": "reply", "reply": {"id": "x", "title": "x" * 20}}),
        "interactive", f"Come on Monday?\n[Yes]\n[No]\n[{'x' * 20}]"),
    "a button below a picture": (
        buttons(YES, header={"type": "image", "image": {"link": FILE}}, footer={"text": "Selam"}),
        "interactive", f"[image {FILE}]\nCome on Monday?\nSelam\n[Yes]"),
    "ten rows in two sections": (
        menu(rows(*"12345"), rows(*"67890"), header={"type": "text", "text": "Visit"}), "interactive",
        "Visit\nWhen?\n" + "\n".join(f"[Day {n}]" for n in "1234567890")),
    "a row with a description": (menu(row(description="x" * 72)), "interactive", "When?\n[Monday]"),
}  # fmt: skip


@pytest.mark.parametrize("label", TAKEN)
def test_the_phone_shows_what_was_taken(sandbox: SandboxProcess, caller: Caller, label: str) -> None:
    content, kind, text = TAKEN[label]
    assert caller.send(to(content)).status == 200
    (shown,) = sandbox.phone(AMINA)
    assert (shown["kind"], shown["text"]) == (kind, text)


REFUSED: dict[str, tuple[dict[str, Any], int]] = {
    "a file from nowhere": (file("image", caption="c"), 131008),
    "a file from two places": (file("image", link=FILE, id="1"), 131008),
    "a file that is nowhere": (file("image", link="files.example/a"), 131009),
    "a file that is no object": ({"type": "image", "image": FILE}, 131009),
    "a caption that is too long": (file("image", link=FILE, caption="x" * 1025), 131009),
    "a caption of a recording": (file("audio", link=FILE, caption="c"), 100),
    "a name of a picture": (file("image", link=FILE, filename="a.png"), 100),
    "no body": (
        {"type": "interactive", "interactive": {"type": "button", "action": {"buttons": [YES]}}}, 131008),
    "a body over buttons that is too long": (buttons(YES, body={"text": "x" * 1025}), 131009),
    "a body over a list that is too long": (menu(row(), body={"text": "x" * 4097}), 131009),
    "no kind": ({"type": "interactive", "interactive": {"body": {"text": "x"}}}, 131008),
    "another kind": ({"type": "interactive", "interactive": {"type": "quiz"}}, 131009),
    "no action": ({"type": "interactive", "interactive": {"type": "button", "body": {"text": "x"}}}, 131008),
    "no buttons": (buttons(), 131009),
    "four buttons": (buttons(*(reply(id=str(n), title=str(n)) for n in range(4))), 131009),
    "a title that is too long": (buttons(reply(title="x" * 21)), 131009),
    "an empty title": (buttons(reply(title="")), 131009),
    "a title twice": (buttons(YES, reply(id="other")), 131009),
    "an id twice": (buttons(YES, reply(title="Other")), 131009),
    "an id that is too long": (buttons(reply(id="x" * 257)), 131009),
    "an id with spaces around it": (buttons(reply(id=" yes")), 131009),
    "a button without an id": (buttons({"type": "reply", "reply": {"title": "Yes"}}), 131008),
    "a line above that is too long": (buttons(YES, header={"type": "text", "text": "x" * 61}), 131009),
    "a recording above": (buttons(YES, header={"type": "audio", "audio": {"link": FILE}}), 131009),
    "a line below that is too long": (buttons(YES, footer={"text": "x" * 61}), 131009),
    "a picture above a list": (menu(row(), header={"type": "image", "image": {"link": FILE}}), 131009),
    "a list without a label": (
        {"type": "interactive", "interactive": {
            "type": "list", "body": {"text": "x"}, "action": {"sections": [row()]}}}, 131008),
    "a label that is too long": (menu(row(), label="x" * 21), 131009),
    "eleven rows": (menu(rows(*"123456"), rows(*"7890a")), 131009),
    "eleven rows in one section": (menu(rows(*"1234567890a")), 131009),
    "a row's title that is too long": (menu(row(title="x" * 25)), 131009),
    "a row's id that is too long": (menu(row(id="x" * 201)), 131009),
    "a row's id twice": (menu(rows("1", "1")), 131009),
    "a description that is too long": (menu(row(description="x" * 73)), 131009),
    "two sections of which one has no title": (menu(rows("1"), row()), 131008),
    "a section's title that is too long": (menu({**rows("1"), "title": "x" * 25}), 131009),
}  # fmt: skip


@pytest.mark.parametrize("label", REFUSED)
def test_what_is_not_valid_is_refused_by_its_code(
    sandbox: SandboxProcess, caller: Caller, label: str
) -> None:
    content, code = REFUSED[label]
    answer = caller.send(to(content))
    assert (answer.status, answer.code) == (400, code), answer.json
    assert sandbox.summary()["accepted"] == 0


def test_what_was_refused_is_on_record_also_of_who_has_no_number(
    sandbox: SandboxProcess, caller: Caller
) -> None:
    refused = {**to(file("image")), "recipient": "US.13491208655302741918"}
    del refused["to"]
    assert caller.send(refused).code == 131008
    (one,) = sandbox.messages(to="US.13491208655302741918")
    assert (one["outcome"], one["reference"]) == ("invalid", "m-1")


def test_files_and_buttons_need_an_open_window_as_texts_do(sandbox: SandboxProcess, caller: Caller) -> None:
    sandbox.configure(window="enforced")
    assert caller.send(to(file("image", link=FILE))).code == 131047
    assert caller.send(to(buttons(YES))).code == 131047


# --- templates

PAYDAY: dict[str, Any] = {
    "name": "payday", "language": "en", "parameters": 1, "body": "Dear {{1}}, your pay is here.",
    "category": "UTILITY", "header": "IMAGE",
    "buttons": [
        {"type": "QUICK_REPLY", "text": "Thanks"},
        {"type": "URL", "text": "See it", "url": "https://selam.example/pay/{{1}}"},
        {"type": "PHONE_NUMBER", "text": "Call us"},
    ],
}  # fmt: skip
PICTURE = header("image", {"link": FILE})
LINK = button("url", 1, "text", "july")
CALLS: dict[str, tuple[dict[str, Any], dict[str, Any], int | None]] = {
    "all that it takes": ({}, template(PICTURE, body("Amina"), LINK), None),
    "a quick reply that is given its payload": (
        {}, template(PICTURE, body("Amina"), LINK, button("quick_reply", 0, "payload", "p")), None),
    "a parameter too few": ({}, template(PICTURE, body(), LINK), 132000),
    "a parameter too many": ({}, template(PICTURE, body("Amina", "July"), LINK), 132000),
    "no picture": ({}, template(body("Amina"), LINK), 132012),
    "a text for a picture": ({}, template(header("text", "July"), body("Amina"), LINK), 132012),
    "a film for a picture": ({}, template(header("video", {"link": FILE}), body("Amina"), LINK), 132012),
    "a picture from nowhere": ({}, template(header("image", {}), body("Amina"), LINK), 131008),
    "a picture for a line": ({"header": "Pay {{1}}"}, template(PICTURE, body("Amina"), LINK), 132012),
    "a line's parameter": (
        {"header": "Pay {{1}}"}, template(header("text", "July"), body("Amina"), LINK), None),
    "no parameter of a line": ({"header": "Pay {{1}}"}, template(body("Amina"), LINK), 132000),
    "no parameter of a button": ({}, template(PICTURE, body("Amina")), 131008),
    "a button of another kind": (
        {}, template(PICTURE, body("Amina"), LINK, button("copy_code", 0, "coupon_code", "X")), 131009),
    "a button that takes nothing": (
        {}, template(PICTURE, body("Amina"), LINK, button("url", 2, "text", "x")), 131009),
    "a button that is not there": (
        {}, template(PICTURE, body("Amina"), LINK, button("url", 5, "text", "x")), 131009),
    "another language": ({}, template(PICTURE, body("Amina"), LINK, language="am"), 132001),
    "one that waits": ({"status": "PENDING"}, template(PICTURE, body("Amina"), LINK), 132001),
    "a paused one": ({"status": "PAUSED"}, template(PICTURE, body("Amina"), LINK), 132015),
    "a disabled one": ({"status": "DISABLED"}, template(PICTURE, body("Amina"), LINK), 132016),
}  # fmt: skip


@pytest.mark.parametrize("label", CALLS)
def test_a_template_is_judged_by_what_it_takes(sandbox: SandboxProcess, caller: Caller, label: str) -> None:
    change, call, code = CALLS[label]
    sandbox.configure(templates=[PAYDAY | change])
    answer = caller.send(to(call))
    assert (answer.status == 200, None if answer.status == 200 else answer.code) == (code is None, code)


def ask(sandbox: SandboxProcess, path: str, token: str = "sandbox-token") -> tuple[int, Any]:
    request = urllib.request.Request(
        f"{sandbox.url}/v23.0/{path}", headers={"Authorization": f"Bearer {token}"}
    )
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refusal:
        return refusal.code, json.loads(refusal.read())["error"]["code"]


def test_an_accounts_templates_are_listed_in_pages(sandbox: SandboxProcess) -> None:
    sandbox.configure(templates=[{"name": f"notice_{n}", "language": "en"} for n in range(5)])
    names, after = [], "0"
    for _ in range(3):
        status, page = ask(sandbox, f"{ACCOUNT}/message_templates?fields=name,status&limit=2&after={after}")
        assert status == 200
        assert all(set(one) == {"id", "name", "status"} for one in page["data"])
        names += [one["name"] for one in page["data"]]
        after = page["paging"]["cursors"]["after"]
    assert names == [f"notice_{n}" for n in range(5)]
    assert "next" not in page["paging"]
    assert sandbox.summary()["listings"] == 3


def test_a_template_is_listed_with_its_parts(sandbox: SandboxProcess) -> None:
    sandbox.configure(templates=[PAYDAY | {"category": "MARKETING", "status": "PAUSED"}])
    _, page = ask(sandbox, f"{ACCOUNT}/message_templates")
    (one,) = page["data"]
    assert (one["name"], one["language"], one["category"], one["status"]) == (
        "payday", "en", "MARKETING", "PAUSED",
    )  # fmt: skip
    assert one["components"] == [
        {"type": "HEADER", "format": "IMAGE"},
        {"type": "BODY", "text": "Dear {{1}}, your pay is here."},
        {"type": "BUTTONS", "buttons": PAYDAY["buttons"]},
    ]


def test_the_templates_of_an_account_are_for_whoever_has_its_token(sandbox: SandboxProcess) -> None:
    own = {"777": {"business_account_id": "42", "tokens": ["only-42"], "templates": [PAYDAY]}}
    sandbox.configure(numbers=own)
    assert ask(sandbox, "42/message_templates", "only-42")[1]["data"][0]["name"] == "payday"
    assert ask(sandbox, f"{ACCOUNT}/message_templates", "only-42") == (401, 190)
    assert ask(sandbox, "43/message_templates") == (400, 100)
    assert ask(sandbox, f"{ACCOUNT}/message_templates?limit=none") == (400, 100)


# --- what people tap


def tapped(sandbox: SandboxProcess, receiver: Receiver, which: str) -> dict[str, Any]:
    sandbox.tap(AMINA, which)
    return receiver.wait_for_message()


def test_a_button_comes_back_with_its_id_below_its_message(
    sandbox: SandboxProcess, caller: Caller, receiver: Receiver
) -> None:
    sent = caller.send(to(buttons(YES, NO)))
    message = tapped(sandbox, receiver, "No")
    assert message["type"] == "interactive"
    assert message["interactive"] == {"type": "button_reply", "button_reply": {"id": "no", "title": "No"}}
    assert message["context"]["id"] == sent.wamid
    assert [(one["direction"], one["kind"], one["text"]) for one in sandbox.phone(AMINA)][1:] == [
        ("out", "button", "No")
    ]


def test_a_row_comes_back_with_its_description(
    sandbox: SandboxProcess, caller: Caller, receiver: Receiver
) -> None:
    caller.send(to(menu(row(description="From nine"))))
    assert tapped(sandbox, receiver, "mo")["interactive"] == {
        "type": "list_reply", "list_reply": {"id": "mo", "title": "Monday", "description": "From nine"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "payload"), [((), "Thanks"), ((button("quick_reply", 0, "payload", "p-7"),), "p-7")]
)
def test_a_templates_quick_reply_brings_back_what_it_was_given(
    sandbox: SandboxProcess, caller: Caller, receiver: Receiver, given: Any, payload: str
) -> None:
    sandbox.configure(templates=[PAYDAY])
    assert caller.send(to(template(PICTURE, body("Amina"), LINK, *given))).status == 200
    message = tapped(sandbox, receiver, "Thanks")
    assert (message["type"], message["button"]) == ("button", {"payload": payload, "text": "Thanks"})


def test_only_what_is_on_the_phone_can_be_tapped(sandbox: SandboxProcess, caller: Caller) -> None:
    caller.send(to(buttons(YES, NO)))
    caller.send(text_to(BEKELE))
    for person, which in ((AMINA, "Maybe"), (BEKELE, "Yes")):
        with pytest.raises(SandboxRefusal) as refusal:
            sandbox.tap(person, which)
        assert (refusal.value.status, refusal.value.problem["where"]) == (422, "tap")
    with pytest.raises(SandboxRefusal):
        sandbox.call("POST", "inbound", {"from": AMINA, "text": "Yes", "tap": "Yes"})


def test_tapping_opens_the_window_as_writing_does(sandbox: SandboxProcess, caller: Caller) -> None:
    caller.send(to(buttons(YES)))
    sandbox.configure(window="enforced")
    assert caller.text(AMINA).code == 131047
    sandbox.tap(AMINA, "Yes", NUMBER)
    assert caller.text(AMINA).status == 200
