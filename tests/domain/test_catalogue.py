"""Templates that a provider keeps, and whether a form calls one of them rightly."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from clarion.domain.catalogue import Kept, Shape, called, check
from clarion.domain.content import Content, TemplateForm
from clarion.domain.purpose import Purpose

PAYDAY = Kept("payday", "en", "UTILITY", "APPROVED", Shape(parameters=2))
KEPT = [
    PAYDAY,
    Kept("payday", "sw", "UTILITY", "PENDING", Shape(parameters=2)),
    Kept("office_closed", "en_US", "UTILITY", "APPROVED", Shape(parameters=1)),
    Kept("offer", "en", "MARKETING", "PAUSED"),
]
WHERE = "content.variants[0].content"


def form(name: str = "payday", language: str = "en", **more: Any) -> TemplateForm:
    return TemplateForm.model_validate(
        {"kind": "template", "name": name, "language": language, "parameters": ["a", "b"], **more}
    )


def told(one: TemplateForm, *kept: Kept) -> list[tuple[str, str, str]]:
    found = check(one, WHERE, kept or KEPT, Purpose.UTILITY)
    return [(problem.where.removeprefix(WHERE), problem.what, problem.hint) for problem in found]


def shaped(**shape: Any) -> Kept:
    return replace(PAYDAY, shape=Shape(**{"parameters": 2, **shape}))


def test_what_is_there_and_approved_and_filled_is_right() -> None:
    assert told(form()) == []


NOT_THERE: dict[str, tuple[TemplateForm, tuple[str, str, str]]] = {
    "misspelt": (
        form("pay_day"), (".name", "there is no template 'pay_day'", "Did you mean payday?")),
    "like nothing": (
        form("xyz"),
        (".name", "there is no template 'xyz'", "There are: offer, office_closed, payday.")),
    "in another language": (
        form("office_closed", "en"),
        (".language", "the template 'office_closed' is not there in en", "It is there in en_US.")),
    "not yet approved": (
        form(language="sw"),
        (".name", "the template 'payday' in sw is pending, not approved",
         "The provider takes it once it has approved it.")),
    "paused": (
        form("offer"),
        (".name", "the template 'offer' in en is paused, not approved",
         "The provider takes it once it has approved it.")),
}  # fmt: skip


@pytest.mark.parametrize("label", NOT_THERE)
def test_what_cannot_be_called_is_told_with_what_is_near(label: str) -> None:
    one, problem = NOT_THERE[label]
    assert told(one) == [problem]


def test_an_account_without_templates_is_told_as_that() -> None:
    (problem,) = check(form(), WHERE, [], Purpose.UTILITY)
    assert problem.hint == "The account has no templates."


UTILITY, MARKETING, SURVEY = Purpose.UTILITY, Purpose.MARKETING, Purpose.SURVEY


@pytest.mark.parametrize(
    ("category", "purpose", "right"),
    [
        ("UTILITY", UTILITY, True), ("UTILITY", MARKETING, False), ("UTILITY", SURVEY, True),
        ("UTILITY", Purpose.REPLY, True), ("MARKETING", UTILITY, False), ("MARKETING", MARKETING, True),
        ("MARKETING", SURVEY, True), ("MARKETING", Purpose.REPLY, False), ("AUTHENTICATION", UTILITY, False),
        ("AUTHENTICATION", SURVEY, False), ("AUTHENTICATION", MARKETING, False),
        ("SOMETHING_NEW", UTILITY, True),
    ],
)  # fmt: skip
def test_a_template_is_called_for_what_it_is_registered_for(
    category: str, purpose: Purpose, right: bool
) -> None:
    found = check(form(), WHERE, [replace(PAYDAY, category=category)], purpose)
    assert [(one.where, bool(one.hint)) for one in found] == ([] if right else [(f"{WHERE}.name", True)])


URL = {"index": 0, "kind": "url", "value": "july"}
PICTURE = {"media": "image", "url": "https://files.example/a.png"}
FILLED: dict[str, tuple[Kept, TemplateForm, list[tuple[str, str]]]] = {
    "a parameter too few": (
        PAYDAY, form(parameters=["a"]),
        [(".parameters", "the template 'payday' takes 2 parameters; 1 given")]),
    "parameters where there are none": (
        shaped(parameters=0), form(),
        [(".parameters", "the template 'payday' takes no parameters; 2 given")]),
    "parameters with names": (
        shaped(named=True), form(),
        [(".parameters", "the template 'payday' has parameters with names; only numbered ones are filled")]),
    "a picture as it is": (shaped(header="image"), form(header=PICTURE), []),
    "no picture": (
        shaped(header="image"), form(),
        [(".header", "the template 'payday' has an image in its header; given: nothing")]),
    "a text for a document": (
        shaped(header="document"), form(header="July"),
        [(".header", "the template 'payday' has a document in its header; given: text")]),
    "a header of its own words": (shaped(header="text"), form(), []),
    "a header of its own words, filled": (
        shaped(header="text"), form(header="July"),
        [(".header", "the template 'payday' takes nothing in its header")]),
    "a header's parameter": (shaped(header="text", header_parameters=1), form(header="July"), []),
    "no parameter of a header": (
        shaped(header="text", header_parameters=1), form(),
        [(".header", "the template 'payday' has a text in its header; given: nothing")]),
    "a header that is not filled from here": (
        shaped(header="location"), form(),
        [(".header", "the template 'payday' has a location in its header; given: nothing")]),
    "an address's end": (shaped(buttons=("url",)), form(buttons=[URL]), []),
    "no end of an address": (
        shaped(buttons=("url", "")), form(),
        [(".buttons", "button 0 of the template 'payday' takes a parameter, and none is given")]),
    "a quick reply without a payload": (shaped(buttons=("quick_reply",)), form(), []),
    "a quick reply with one": (
        shaped(buttons=("quick_reply",)),
        form(buttons=[{"index": 0, "kind": "quick_reply", "value": "p"}]), []),
    "a button of another kind": (
        shaped(buttons=("quick_reply",)), form(buttons=[URL]),
        [(".buttons[0]", "button 0 of the template 'payday' takes quick_reply, not url")]),
    "a button that takes nothing": (
        shaped(buttons=("",)), form(buttons=[URL]),
        [(".buttons[0]", "button 0 of the template 'payday' takes nothing, not url")]),
    "a button that is not there": (
        PAYDAY, form(buttons=[URL]), [(".buttons[0]", "button 0 of the template 'payday' is not there")]),
    "a carousel": (
        shaped(beyond="carousel"), form(),
        [(".name", "the template 'payday' has a part that is not filled from here: carousel")]),
}  # fmt: skip


@pytest.mark.parametrize("label", FILLED)
def test_a_template_is_filled_with_what_it_takes(label: str) -> None:
    kept, one, problems = FILLED[label]
    assert [(where, what) for where, what, _ in told(one, kept)] == problems


def test_only_what_is_said_on_this_kind_of_channel_is_checked() -> None:
    other = form("another").model_dump(exclude_none=True)
    content = Content.model_validate({
        "variants": [
            {"inside": {"kind": "text", "text": "hi"}, "outside": form().model_dump(exclude_none=True)},
            {"channel_kind": "twilio", "content": {"kind": "text", "text": "hi"}},
            {"channel_kind": "rapidpro", "content": other},
        ]
    })  # fmt: skip
    assert [where for where, _ in called(content, "whatsapp")] == ["variants[0].outside"]
