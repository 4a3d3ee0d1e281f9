"""Push messages as content: what is sent, what is refused when it is written, and what it may weigh."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from clarion.domain.content import Content
from clarion.domain.field import FieldType
from clarion.domain.refusal import Refusal
from clarion.domain.rendering import render
from clarion.domain.said import SaidPush, SaidText
from clarion.domain.sayable import check_content
from clarion.domain.saying import variables
from clarion.domain.template import known_variables

KNOWN = known_variables({"appointment": FieldType.TEXT})
AMINA = {"contact": {"name": "Amina", "appointment": "A-7"}}
PUSH = frozenset(("text", "push"))


def push(title: str = "Reminder", body: str = "Come at nine", **more: Any) -> Content:
    form = {"kind": "push", "title": title, "body": body, **more}
    return Content.model_validate({"variants": [{"content": form}]})


def told(content: Content, contact: dict[str, Any] = AMINA, **limits: Any) -> object:
    form = content.variants[0].content
    assert form is not None
    return render(form, contact, **limits)


def test_a_push_message_is_made_for_each_person() -> None:
    some = push(
        "{{ contact.name }},\n today", "Come at nine, {{ contact.name }}", url="http://clinic.example/a?b=1",
        data={"visit": "{{ contact.appointment }}", "app": "clinic"},
    )  # fmt: skip
    assert check_content(some, KNOWN, channel_kind="fcm", kinds=PUSH, byte_limit=4000) == []
    assert variables(some) == {"contact.name", "contact.appointment"}
    assert told(some) == SaidPush(
        "Amina, today", "Come at nine, Amina", "http://clinic.example/a?b=1",
        (("app", "clinic"), ("visit", "A-7")),
    )  # fmt: skip


def test_what_is_not_known_of_a_person_is_empty_in_what_an_app_reads() -> None:
    said = told(push(data={"visit": "{{ contact.appointment }}"}), {"contact": {}})
    assert isinstance(said, SaidPush)
    assert said.data == (("visit", ""),)


@pytest.mark.parametrize(
    ("part", "reason"),
    [({"title": "{{ contact.name }}"}, "empty_title"), ({"body": "{{ contact.name }}"}, "empty_text")],
)
def test_a_notification_without_its_title_or_body_is_not_sent(part: dict[str, str], reason: str) -> None:
    said = told(push(**part), {"contact": {}})
    assert isinstance(said, Refusal)
    assert said.reason == reason


@pytest.mark.parametrize(
    "url",
    ["clinic.example", "ftp://clinic.example", "https://", "https:// clinic.example", "javascript:alert(1)",
     "https://clinic.example/{{ contact.name }}", "https://clinic.example/a\nb"],
)  # fmt: skip
def test_a_link_is_an_address_of_the_web_and_the_same_for_everybody(url: str) -> None:
    with pytest.raises(ValidationError, match="url"):
        push(url=url)


@pytest.mark.parametrize(
    "key", ["from", "message_type", "google.sent", "GCM.x", "url", "receipt", "", "1st", "a b", "é"]
)
def test_names_that_push_services_use_are_refused_in_the_data(key: str) -> None:
    with pytest.raises(ValidationError, match="data"):
        push(data={key: "x"})


@pytest.mark.parametrize(
    ("content", "where", "what"),
    [
        (push("{{ contact.nme }}"), ".title, line 1 column 4", "unknown variable"),
        (push(body="{{ contact.name"), ".body, line 1 column 1", "broken template"),
        (push(data={"a": "{{ x }}"}), ".data.a, line 1 column 4", "unknown variable"),
        (push("x" * 201), ".title", "201 characters; at most 200"),
        (push(body="ሰ" * 1400), "", "4,208 bytes, as UTF-8 counts; at most 4,000"),
    ],
    ids=["an unknown name", "a broken template", "an unknown name in the data", "a long title", "many bytes"],
)
def test_what_could_not_be_sent_is_told_by_its_place(content: Content, where: str, what: str) -> None:
    (problem,) = check_content(
        content, KNOWN, channel_kind="fcm", kinds=PUSH, text_limit=4000, byte_limit=4000
    )
    assert problem.where == f"variants[0].content{where}"
    assert what in problem.what


def test_bytes_count_where_a_provider_counts_them_and_nowhere_else() -> None:
    amharic = Content.of_text("ሰ" * 1400)
    assert check_content(amharic, KNOWN, text_limit=4000) == []
    (problem,) = check_content(amharic, KNOWN, text_limit=4000, byte_limit=4000)
    assert "4,200 bytes" in problem.what
    assert isinstance(told(amharic, text_limit=4000), SaidText)


def test_the_bytes_of_all_parts_count_for_each_person() -> None:
    some = push("Hello", "{{ contact.name }}", url="https://clinic.example", data={"ab": "cd"})
    exactly = len("Hello" + "Amina" + "https://clinic.example" + "ab" + "cd")
    assert isinstance(told(some, byte_limit=exactly), SaidPush)
    over = told(some, byte_limit=exactly - 1)
    assert isinstance(over, Refusal)
    assert over.reason == "too_long"
