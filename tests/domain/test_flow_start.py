"""The start of a flow as content: what is started, with which values, what is refused when it is written."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from clarion.cli.saying import Words, content_of
from clarion.domain.campaign import similarity_text
from clarion.domain.content import Content
from clarion.domain.field import FieldType
from clarion.domain.refusal import Refusal
from clarion.domain.rendering import render
from clarion.domain.said import SaidFlowStart
from clarion.domain.sayable import check_content
from clarion.domain.saying import variables
from clarion.domain.template import known_variables
from clarion.errors import Invalid

KNOWN = known_variables({"appointment": FieldType.TEXT})
AMINA = {"contact": {"name": "Amina", "appointment": "A-7"}}
FLOWS = frozenset(("text", "flow_start"))
WELCOME = "f5901b62-ba76-4003-9c62-72fdacc1b7b7"


def start(flow: str = WELCOME, **params: str) -> Content:
    form = {"kind": "flow_start", "flow": flow, "params": params}
    return Content.model_validate({"variants": [{"content": form}]})


def told(content: Content, contact: dict[str, Any] = AMINA) -> object:
    form = content.variants[0].content
    assert form is not None
    return render(form, contact)


def test_a_flow_is_started_with_the_values_of_each_person() -> None:
    some = start(visit="{{ contact.appointment }}", first_name="{{ contact.name }}")
    assert check_content(some, KNOWN, channel_kind="rapidpro", kinds=FLOWS) == []
    assert variables(some) == {"contact.name", "contact.appointment"}
    assert told(some) == SaidFlowStart(WELCOME, (("first_name", "Amina"), ("visit", "A-7")))
    assert told(start("Welcome")) == SaidFlowStart("Welcome", ())


def test_what_is_not_known_of_a_person_is_empty_for_the_flow() -> None:
    assert told(start(visit="{{ contact.appointment }}"), {"contact": {}}) == SaidFlowStart(
        WELCOME, (("visit", ""),)
    )


@pytest.mark.parametrize(
    "form",
    [
        {"flow": ""},
        {"flow": "x" * 201},
        {"flow": WELCOME, "params": {"first name": "a"}},
        {"flow": WELCOME, "params": {"7": "a"}},
        {"flow": WELCOME, "params": {"clarion": "ours"}},
        {"flow": WELCOME, "params": {"name": ""}},
        {"flow": WELCOME, "params": {f"p{n}": "x" for n in range(21)}},
        {"flow": WELCOME, "parameters": {}},
    ],
)
def test_a_start_of_a_wrong_shape_is_refused(form: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Content.model_validate({"variants": [{"content": {"kind": "flow_start", **form}}]})


@pytest.mark.parametrize(
    ("params", "where", "what"),
    [
        ({"name": "{{ contact.nme }}"}, "variants[0].content.params.name, line 1 column 4", "unknown"),
        ({"name": "x" * 641}, "variants[0].content.params.name", "641 characters; at most 640"),
        (
            {f"p{n:02}": "x" * 600 for n in range(15)},
            "variants[0].content",
            "9,045 characters; at most 9,000",
        ),
    ],
)
def test_what_could_not_be_started_is_told_by_its_place(
    params: dict[str, str], where: str, what: str
) -> None:
    (problem,) = check_content(start(**params), KNOWN, channel_kind="rapidpro", kinds=FLOWS)
    assert (problem.where, what in problem.what) == (where, True)


def test_what_is_too_long_for_one_person_is_not_started() -> None:
    long = {"contact": {"name": "x" * 641}}
    said = told(start(name="{{ contact.name }}"), long)
    assert isinstance(said, Refusal)
    assert said.reason == "too_long"


def test_a_provider_that_starts_no_flows_is_named_when_it_is_written() -> None:
    (problem,) = check_content(start(), KNOWN, channel_kind="twilio", kinds=frozenset(("text",)))
    assert problem.what == "a channel of twilio does not carry content of the kind 'flow_start'"


def test_starts_are_compared_by_their_flow_and_values() -> None:
    assert similarity_text(start("Welcome", name="Selam")) == "Welcome\nSelam"


def test_a_command_line_names_a_flow_and_its_parameters() -> None:
    said = content_of(Words(flow="Welcome", parameters=("visit={{ contact.appointment }}",)))
    assert said == start("Welcome", visit="{{ contact.appointment }}")


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (Words(flow="Welcome", text="Hello"), "says nothing else"),
        (Words(flow="Welcome", buttons=("yes=Yes",)), "says nothing else"),
        (Words(flow="Welcome", header="July"), "says nothing else"),
        (Words(flow="Welcome", template="payday"), "says nothing else"),
        (Words(flow="Welcome", parameters=("visit",)), "KEY=VALUE"),
        (Words(flow="Welcome", parameters=("clarion=x",)), "`clarion` is ours"),
    ],
)
def test_what_a_command_line_cannot_say_of_a_flow_is_refused(words: Words, what: str) -> None:
    with pytest.raises(Invalid) as refused:
        content_of(words)
    assert what in refused.value.what


def test_a_command_line_that_names_a_flow_says_something() -> None:
    assert Words().nothing
    assert not Words(flow="Welcome").nothing
