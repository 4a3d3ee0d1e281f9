"""Personalisation: what Amina reads, and what an author is told before anybody reads it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.domain.field import FieldType
from clarion.domain.refusal import Refusal
from clarion.domain.template import check, compile_template, known_variables, samples
from clarion.errors import Invalid

KNOWN = known_variables(
    {
        "department": FieldType.TEXT,
        "age": FieldType.NUMBER,
        "start_date": FieldType.DATE,
        "active": FieldType.BOOLEAN,
    }
)
AMINA = {"contact": {"name": "Amina", "age": 34, "start_date": "2024-02-29", "active": True}}
NOBODY: dict[str, dict[str, object]] = {"contact": {}}


def say(source: str, values: dict[str, dict[str, object]] = AMINA) -> str | Refusal:
    return compile_template(source).render(values)


@pytest.mark.parametrize(
    ("source", "for_amina", "for_nobody"),
    [
        ("Hello!", "Hello!", "Hello!"),
        ('Hello {{ contact.name | default: "colleague" }}!', "Hello Amina!", "Hello colleague!"),
        ("Hello {{ contact.name }}.", "Hello Amina.", "Hello ."),
        ("{{contact['name']|upcase}}", "AMINA", ""),
        ("{% if contact.age > 18 %}adult{% else %}-{% endif %}", "adult", "-"),
        ("{{ contact.age | plus: 1 }}", "35", "1"),
        ("{{ contact.start_date | date: '%d.%m.%Y' }}", "29.02.2024", ""),
        ("{{ contact.active }}", "true", ""),
        ("{%- assign n = contact.name | split: 'm' -%} {{ n | join: '/' }}", "A/ina", ""),
        ("{% for i in (1..3) %}{{ i }}{% endfor %}", "123", "123"),
        ("{{ contact.name | replace: 'm', 'mm' | replace_first: 'A', 'E' }}", "Emmina", ""),
        (
            "{% raw %}{{ as it is }}{% endraw %}{% comment %}unseen{% endcomment %}",
            "{{ as it is }}",
            "{{ as it is }}",
        ),
    ],
)
def test_a_template_says_it_to_whoever_is_known_and_to_whoever_is_not(
    source: str, for_amina: str, for_nobody: str
) -> None:
    assert check(source, KNOWN) == []
    assert say(source) == for_amina
    assert say(source, NOBODY) == for_nobody
    assert say(source, {}) == for_nobody


@pytest.mark.parametrize(
    ("source", "where", "what"),
    [
        ("Hello {{ contact.nme }}", "line 1 column 10", "unknown variable contact.nme"),
        ("a\nb {{ contact.name }} {{ customer }}", "line 2 column 25", "unknown variable customer"),
        ("{{ contact }}", "line 1 column 4", "unknown variable contact"),
        ("{{ contact.name.size }}", "line 1 column 4", "unknown variable contact.name.size"),
        ("{{ contact[contact.name] }}", "line 1 column 4", "unknown variable"),
        ("{{ now }}", "line 1 column 4", "unknown variable now"),
        ("{{ contact.age | plus: contact.bonus }}", "line 1 column 24", "unknown variable contact.bonus"),
        ("{{ contact.name | upcse }}", "line 1 column 19", "unknown filter upcse"),
        ("{{ contact.name | base64_encode }}", "line 1 column 19", "unknown filter base64_encode"),
        ("x\n  {{ contact.name", "line 2 column 3", "{{ is never closed"),
        ("}} {% if", "line 1 column 4", "{% is never closed"),
        ("{{ contact.name | }}", "line 1 column 4", "broken template"),
        ("{{ contact.name name }}", "line 1 column 17", "broken template"),
        ("{{ }}", "line 1 column 3", "broken template"),
        ("ok\n{% if contact.name %}\nnever closed", "line 2 column 4", "expected tag endif"),
        ("{% endif %}", "line 1 column 4", "unexpected tag 'endif'"),
        ("{% for i in %}{% endfor %}", "line 1 column 8", "broken template"),
        ("{% include 'secrets' %}", "line 1 column 4", "unexpected tag 'include'"),
        ("{% render 'secrets' %}", "line 1 column 4", "unexpected tag 'render'"),
        ("{% if true %}" * 25 + "{% endif %}" * 25, "line 1 column 277", "nesting"),
        ("{{ a" + "[" * 4000 + "}}", "line 1 column 1", "nested too deeply"),
        ("{{" + " " * 5000 + "contact.name }}", "line 1 column 3", "too many spaces"),
        ("{% for i in (1..1000000) %}x{% endfor %}", "line 1 column 4", "loop iteration limit"),
        ("{% for i in (1..50) %}{% for j in (1..50) %}x{% endfor %}{% endfor %}", "line 1 column 4", "loop"),
        ("{% for i in (1..9) %}{% endfor %}" * 11, "line 1 column 334", "more than 10 loops"),
        (
            "{% assign a = 'x' %}{% for i in (1..99) %}{% assign a = a | append: a %}{% endfor %}",
            "line 1 column 61",
            "too long",
        ),
        ("{{ '" + "a" * 3000 + "' | replace: 'a', '" + "b" * 3000 + "' }}", "line 1 column 3009", "too long"),
        ("{{ 'a,a,a,a' | split: ',' | join: '" + "b" * 9000 + "' | append: 'x' }}", "", ""),
        ("{{ 9 | times: 999999999 | times: 999999999 | times: 9 }}", "line 1 column 27", "too large"),
        ("{{ 1 | divided_by: contact.age }}", "line 1 column 8", "divide by 0"),
        ("{{ contact.start_date | date: '%Q' }}", "line 1 column 25", "directive"),
        ("{{ 'a' | append }}", "line 1 column 10", "append"),
    ],
)
def test_what_is_wrong_is_told_by_line_and_column(source: str, where: str, what: str) -> None:
    problems = check(source, KNOWN)
    if not what:
        assert problems == []
        return
    assert problems[0].where == where
    assert what in problems[0].what


def test_a_slip_of_the_pen_is_answered_with_what_was_meant() -> None:
    (problem,) = check("{{ contact.departmnt }}", KNOWN)
    assert problem.hint == "did you mean contact.department?"


def test_every_unknown_name_is_told_at_once() -> None:
    assert len(check("{{ contact.a }} {{ contact.b }} {{ contact.name | c }}", KNOWN)) == 3


def test_a_broken_template_does_not_compile() -> None:
    with pytest.raises(Invalid) as caught:
        compile_template("Hello {{ contact.name | }}")
    assert caught.value.problems[0].where == "line 1 column 10"
    with pytest.raises(Invalid, match="more than 10,000 characters"):
        compile_template("{{ contact.name }}" + "x" * 10_000)


def test_only_what_a_template_reads_need_be_fetched() -> None:
    source = "{% assign n = contact.name %}{{ n }} {% if contact.active %}{{ contact.department }}{% endif %}"
    assert compile_template(source).variables == {"contact.name", "contact.active", "contact.department"}
    assert compile_template("Hello!").variables == frozenset()


def test_the_clock_is_out_of_reach() -> None:
    assert say("{{ 'now' | date: '%Y' }}{{ 'today' | date: '%Y' }}") == "nowtoday"


def test_a_template_that_fails_for_one_person_says_so() -> None:
    source = "{{ 10 | divided_by: contact.age }}"
    assert say(source) == "0"
    failed = say(source, {"contact": {"age": 0}})
    assert isinstance(failed, Refusal)
    assert failed.reason == "template_failed"


def test_what_people_are_called_is_never_read_as_a_template() -> None:
    assert say("Hello {{ contact.name }}", {"contact": {"name": "{{ contact.age }}{% if"}}) == (
        "Hello {{ contact.age }}{% if"
    )


@settings(max_examples=300, deadline=None)
@given(st.text("{}%|'\"-. \nabcontact.name:if", max_size=60))
def test_any_source_that_passes_the_check_can_be_said(source: str) -> None:
    if check(source, KNOWN) == []:
        template = compile_template(source)
        assert isinstance(template.render({}), str)
        assert isinstance(template.render(samples(template.variables, KNOWN)), str)


NO_TAG = 'Hello {{ contact.name | default: "colleague" }}, {{ contact.age | plus: 1 }} {{ contact.active }}'


@settings(max_examples=300, deadline=None)
@given(st.just(NO_TAG) | st.text("{}|'\"-. \nabcontact.name:", max_size=60))
def test_what_holds_no_tag_says_the_same_as_with_one(source: str) -> None:
    """Such a template is rendered by a shorter way."""
    if check(source, KNOWN) == []:
        short, long = compile_template(source), compile_template(source + ".{% if true %}{% endif %}")
        assert [f"{short.render(v)}." for v in (AMINA, NOBODY, {})] == [
            long.render(v) for v in (AMINA, NOBODY, {})
        ]


@given(st.text(max_size=60).filter(lambda t: "{{" not in t and "{%" not in t))
def test_plain_text_is_said_as_it_is(text: str) -> None:
    assert check(text, KNOWN) == []
    assert say(text) == text
