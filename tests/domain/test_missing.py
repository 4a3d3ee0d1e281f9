"""A value that a text shows and that is not there: found wherever it would be written, and only there."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError

from clarion.domain.content import Content, Form, MailForm, PushForm, TemplateForm, TextForm
from clarion.domain.missing import needed, path_of, patience_of, reason_of
from clarion.domain.refusal import Refusal
from clarion.domain.rendering import render
from clarion.domain.said import SaidText
from clarion.domain.saying import case_values
from clarion.domain.template import compile_template
from clarion.domain.wording import why

KNOWN = {"contact": {"name": "Amina"}, "case": {"clinic": "Ruiru", "visits": 2}}
TEXT = {"variants": [{"content": {"kind": "text", "text": "At {{ case.clinic }}"}}]}


def lacks(source: str, values: dict[str, dict[str, object]] | None = None, *, html: bool = False) -> str:
    """What a text says, or the path of what it lacks."""
    said = compile_template(source, strict=True, html=html).render(KNOWN if values is None else values)
    return path_of(said.reason) or said.reason if isinstance(said, Refusal) else said


@pytest.mark.parametrize(
    "source",
    [
        "At {{ case.room }}",
        "{{ case.clinic }}: {{ case.room | upcase }}",
        "{{ case.room | date: 'long' }}",
        "{{ case.room | number }}",
        "{{ case.room | plus: 1 }}",
        "{{ case.clinic | append: case.room }}",
        "{{ case.clinic | replace: 'R', case.room }}",
        "{% if case.clinic %}{{ case.room }}{% endif %}",
        "{% assign there = case.room %}{{ there }}",
        "{% capture there %}{{ case.room }}{% endcapture %}",
        "{% echo case.room %}",
        "{{ case.nobody | default: case.room }}",
    ],
)
def test_what_would_be_written_must_be_there(source: str) -> None:
    assert lacks(source) == "case.room"
    assert lacks(source, html=True) == "case.room"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("At {{ case.clinic }}, {{ contact.name }}", "At Ruiru, Amina"),
        ("{{ case.room | default: 'the desk' }}", "the desk"),
        ("{{ case.room | default: 'desk' | upcase }}", "DESK"),
        ("{% if case.room %}{{ case.room }}{% else %}here{% endif %}", "here"),
        ("{% if case.room == 'a' %}a{% elsif case.room == nil %}none{% endif %}", "none"),
        ("{% unless case.room %}open{% endunless %}", "open"),
        ("{% case case.room %}{% when 'a' %}a{% else %}else{% endcase %}", "else"),
        ("{% for one in case.room %}{{ one }}{% endfor %}.", "."),
        ("{% assign parts = contact.name | split: 'x' %}{{ parts[7] }}.", "."),
        ("{{ case.visits | number }}", "2"),
        ("plain", "plain"),
    ],
)
def test_what_is_only_asked_about_may_be_missing(source: str, said: str) -> None:
    assert lacks(source) == said


def test_the_whole_path_is_named() -> None:
    assert lacks("{{ case.parent.owner.name }}") == "case.parent.owner.name"
    assert lacks("{{ recipient.ward }}", {}) == "recipient.ward"
    assert lacks("{{ case.parent.name }}", {"case": {"parent": "H-1"}}) == "case.parent.name"


def test_a_property_that_is_blank_is_missing() -> None:
    case = {"clinic": "", "parent": {"name": "", "phone": "1"}}
    assert case_values(["case.clinic", "case.parent.name", "case.parent.phone"], case) == {
        "parent": {"phone": "1"}
    }


@pytest.mark.parametrize(
    ("form", "path"),
    [
        (TextForm(kind="text", text="{{ case.a }}"), "case.a"),
        (MailForm(kind="email", subject="S", text="T", html="<p>{{ case.a }}</p>"), "case.a"),
        (MailForm(kind="email", subject="{{ case.b }}", text="{{ case.a }}"), "case.b"),
        (PushForm(kind="push", title="T", body="B", data={"visit": "{{ case.a }}"}), "case.a"),
        (TemplateForm(kind="template", name="n", language="en", parameters=("x", "{{ case.a }}")), "case.a"),
    ],
)
def test_every_part_of_what_is_said_counts(form: Form, path: str) -> None:
    said = render(form, {}, strict=True)
    assert isinstance(said, Refusal)
    assert said.reason == reason_of(path)


def test_where_nothing_is_declared_it_falls_back_as_ever() -> None:
    form = TextForm(kind="text", text="At {{ case.room }}.")
    assert render(form, KNOWN) == SaidText("At .")
    assert not needed(Content.model_validate(TEXT).missing)
    assert not needed(Content.model_validate({**TEXT, "missing": "fallback"}).missing)
    assert "missing" not in Content.model_validate(TEXT).model_dump(exclude_none=True)


def test_a_content_declares_what_becomes_of_it() -> None:
    skips = Content.model_validate({**TEXT, "missing": "skip"}).missing
    holds = Content.model_validate({**TEXT, "missing": {"hold_for": 3600}}).missing
    assert (needed(skips), patience_of(skips)) == (True, None)
    assert (needed(holds), patience_of(holds)) == (True, timedelta(hours=1))


@pytest.mark.parametrize("wrong", ["wait", {"hold_for": 0}, {"hold_for": 99_999_999}, {"hold": 5}, 60])
def test_what_is_no_declaration_is_refused(wrong: object) -> None:
    with pytest.raises(ValidationError) as refused:
        Content.model_validate({**TEXT, "missing": wrong})
    assert all(one["loc"][0] == "missing" for one in refused.value.errors())


def test_a_reason_names_the_value() -> None:
    assert reason_of("case.clinic") == "missing:case.clinic"
    assert why("missing:case.clinic") == "case.clinic is missing"
    assert (path_of("missed"), path_of(None)) == (None, None)
    assert len(reason_of("case." + "x" * 5_000)) < 250  # it is counted by, and an index has its limits


def test_a_word_that_is_none_is_told_with_those_that_are() -> None:
    with pytest.raises(ValidationError) as refused:
        Content.model_validate({**TEXT, "missing": "wait"})
    (one,) = refused.value.errors()
    assert one["msg"] == 'Value error, say "fallback", "skip", or {"hold_for": seconds}'
    with pytest.raises(ValidationError) as refused:
        Content.model_validate({**TEXT, "missing": {"hold_for": 0}})
    assert [one["loc"] for one in refused.value.errors()] == [("missing", "hold", "hold_for")]
