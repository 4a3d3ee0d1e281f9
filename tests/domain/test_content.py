"""Content: the right words in the right language, inside and outside the service window."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import TypeAdapter, ValidationError

from clarion.domain.content import AVAILABLE, Content, Form, TextForm
from clarion.domain.field import FieldType
from clarion.domain.refusal import Refusal
from clarion.domain.rendering import render
from clarion.domain.said import SaidMail, SaidTemplate, SaidText
from clarion.domain.sayable import check_content
from clarion.domain.saying import Chosen, choose, contact_values, variables
from clarion.domain.template import known_variables

KNOWN = known_variables({"department": FieldType.TEXT, "appointment": FieldType.DATETIME})
AMINA = {"contact": {"name": "Amina"}}


def text(words: str) -> dict[str, Any]:
    return {"kind": "text", "text": words}


def notice(*parameters: str, language: str = "en") -> dict[str, Any]:
    return {"kind": "template", "name": "notice", "language": language, "parameters": list(parameters)}


def content(*variants: dict[str, Any]) -> Content:
    return Content.model_validate({"variants": list(variants)})


def said(
    some: Content,
    contact: str | None,
    *,
    workspace: str | None = "en",
    kind: str = "whatsapp",
    open: bool = True,
) -> str:
    """The text or the template's language that a person with this language gets, or the reason."""
    found = choose(
        some, contact_language=contact, workspace_language=workspace, channel_kind=kind, in_window=open
    )
    if isinstance(found, Refusal):
        return found.reason
    return (
        found.form.text
        if isinstance(found.form, TextForm)
        else f"template:{getattr(found.form, 'language', '')}"
    )


MANY = content(
    {"language": "en", "content": text("Hello")},
    {"language": "pt", "content": text("Olá")},
    {"language": "sw", "channel_kind": "sms", "content": text("Habari (SMS)")},
    {"language": "sw", "content": text("Habari")},
    {"content": text("👋")},
)


@pytest.mark.parametrize(
    ("contact", "workspace", "words"),
    [
        ("sw", "en", "Habari"),
        ("pt-BR", "en", "Olá"),
        ("am", "en", "Hello"),
        (None, "en", "Hello"),
        ("am", "fr", "👋"),
        (None, None, "👋"),
    ],
)
def test_the_language_is_the_persons_then_the_workspaces_then_the_default(
    contact: str | None, workspace: str | None, words: str
) -> None:
    assert said(MANY, contact, workspace=workspace) == words


def test_a_variant_for_the_channel_goes_before_the_one_for_all_but_not_before_the_language() -> None:
    assert said(MANY, "sw", kind="sms") == "Habari (SMS)"
    assert said(MANY, "pt", kind="sms") == "Olá"


def test_without_a_default_the_first_variant_is_for_everybody_else() -> None:
    assert said(content({"language": "sw", "content": text("Habari")}), "fr", workspace="en") == "Habari"


WINDOWED = content(
    {"language": "en", "inside": text("Hello"), "outside": notice()},
    {"language": "sw", "inside": text("Habari")},
)


def test_inside_the_window_text_is_said_and_outside_a_template() -> None:
    assert said(WINDOWED, "en") == "Hello"
    assert said(WINDOWED, "en", open=False) == "template:en"


def test_whoever_has_no_template_in_their_language_hears_it_in_another_rather_than_not() -> None:
    assert said(WINDOWED, "sw") == "Habari"
    assert said(WINDOWED, "sw", open=False) == "template:en"


def test_text_alone_is_not_said_outside_the_window_and_a_template_alone_is_always() -> None:
    assert said(Content.of_text("Hello"), "en", open=False) == "outside_window"
    assert said(content({"content": notice(language="en_US")}), "en", open=False) == "template:en_US"
    assert said(content({"content": notice()}), "en", open=True) == "template:en"


def test_a_kind_of_channel_for_which_nothing_is_written_has_a_reason_of_its_own() -> None:
    assert said(content({"channel_kind": "sms", "content": text("Hi")}), "en") == "no_content"


@pytest.mark.parametrize(
    ("variants", "what"),
    [
        ([], "at least 1 item"),
        ([{}], "nothing is said"),
        ([{"content": text("a"), "inside": text("b")}], "not both"),
        ([{"content": text("a")}, {"content": text("b")}], "two variants for language any"),
        ([{"language": "xx", "content": text("a")}], "not a language that we know"),
        ([{"content": {"kind": "song", "text": "la"}}], "song"),
        ([{"content": {"kind": "text", "text": "a", "colour": "red"}}], "not permitted"),
        ([{"content": text("")}], "at least 1 character"),
        ([{"content": text("a\0")}], "not text"),
        ([{"content": notice(language="english")}], "pattern"),
    ],
)
def test_content_of_a_wrong_shape_is_refused(variants: list[dict[str, Any]], what: str) -> None:
    with pytest.raises(ValidationError, match=what):
        content(*variants)


def test_content_is_kept_as_it_was_given() -> None:
    kept = WINDOWED.model_dump(mode="json", exclude_none=True)
    assert Content.model_validate(kept) == WINDOWED
    assert content({"language": "PT_br", "content": text("Olá")}).variants[0].language == "pt-BR"


OTHERS: list[dict[str, Any]] = [
    {"kind": "web_call", "url": "https://example.org/hook"},
    {"kind": "questionnaire", "questionnaire": "household"},
]


@pytest.mark.parametrize("form", OTHERS, ids=lambda form: str(form["kind"]))
def test_a_form_that_is_shaped_but_not_built_is_refused_at_creation(form: dict[str, Any]) -> None:
    (problem,) = check_content(content({"content": form}), KNOWN)
    assert problem.where == "variants[0].content"
    assert problem.what == f"content of the kind '{form['kind']}' is not available yet"
    not_said = render(TypeAdapter[Form](Form).validate_python(form), AMINA)
    assert isinstance(not_said, Refusal)


def test_every_form_is_either_built_or_refused() -> None:
    kinds = {form["kind"] for form in OTHERS} | AVAILABLE
    mapping = TypeAdapter[Form](Form).json_schema()["discriminator"]["mapping"]
    assert kinds == set(mapping)


def test_good_content_has_no_problems() -> None:
    assert check_content(WINDOWED, KNOWN, text_limit=4096, has_window=True) == []
    assert check_content(MANY, KNOWN) == []


@pytest.mark.parametrize(
    ("variant", "where", "what"),
    [
        ({"content": text("Hi {{ contact.nme }}")}, "content.text, line 1 column 7", "unknown variable"),
        ({"outside": notice("ok", "{{ x }}")}, "outside.parameters[1], line 1 column 4", "unknown variable"),
        ({"inside": text("x" * 4097)}, "inside.text", "4,097 characters; at most 4,096"),
        ({"content": text("{{ contact.name }}" + "x" * 4092)}, "content.text", "4,098 characters"),
        ({"content": text("  ")}, "content.text", "nothing is said"),
        ({"content": text("{% if false %}x{% endif %}")}, "content.text", "nothing is said"),
        ({"outside": notice("x" * 1025)}, "outside.parameters[0]", "1,025 characters"),
        ({"outside": text("Hi")}, "outside", "free text outside the service window"),
    ],
)
def test_what_could_not_be_sent_is_told_by_its_place(variant: dict[str, Any], where: str, what: str) -> None:
    some = content({"language": "en", "content": text("fine")}, {"language": "sw", **variant})
    (problem,) = check_content(some, KNOWN, text_limit=4096, has_window=True)
    assert problem.where == f"variants[1].{where}"
    assert what in problem.what


def mail(subject: str = "News", words: str = "Hello", html: str | None = None) -> dict[str, Any]:
    return {"kind": "email", "subject": subject, "text": words} | ({} if html is None else {"html": html})


@pytest.mark.parametrize(
    ("form", "where", "what"),
    [
        (mail("{{ contact.nme }}"), "subject, line 1 column 4", "unknown variable"),
        (mail(words="{{ contact.name"), "text, line 1 column 1", "broken template"),
        (mail(html="<p>{{ x }}</p>"), "html, line 1 column 7", "unknown variable"),
        (mail("x" * 256), "subject", "256 characters; at most 255"),
        (mail(" "), "subject", "nothing is said"),
    ],
)
def test_a_mails_parts_are_each_told_by_their_place(form: dict[str, Any], where: str, what: str) -> None:
    (problem,) = check_content(content({"content": form}), KNOWN)
    assert problem.where == f"variants[0].content.{where}"
    assert what in problem.what


def test_a_channel_is_given_only_what_it_carries_and_says_which_kind_it_does_not() -> None:
    some = content(
        {"content": text("Hi")},
        {"channel_kind": "smtp", "content": mail()},
        {"channel_kind": "whatsapp", "language": "sw", "content": notice()},
    )
    (problem,) = check_content(some, KNOWN, channel_kind="smtp", kinds=frozenset({"email"}))
    assert (problem.where, problem.what) == (
        "variants[0].content",
        "a channel of smtp does not carry content of the kind 'text'",
    )
    (problem,) = check_content(
        content({"content": mail()}), KNOWN, channel_kind="whatsapp", kinds=frozenset({"text", "template"})
    )
    assert problem.what == "a channel of whatsapp does not carry content of the kind 'email'"
    assert problem.hint.startswith("it carries text and template")
    assert check_content(some, KNOWN, channel_kind="twilio", kinds=frozenset({"text"})) == []


def test_a_mail_is_rendered_with_its_values_escaped_in_html_only() -> None:
    form = first(
        {"content": mail("Hi {{ contact.name }}", "Dear {{ contact.name }}", "<b>{{ contact.name }}</b>")}
    )
    assert render(form, {"contact": {"name": "A <i> & B"}}) == SaidMail(
        "Hi A <i> & B", "Dear A <i> & B", "<b>A &lt;i&gt; &amp; B</b>"
    )


@pytest.mark.parametrize(
    "source",
    [
        "{{ contact.name | append: '<br>' }}",
        "{{ '<br>' | append: contact.name }}",
        "{{ contact.name | replace: 'a', '<b>' }}",
        "{{ '<b>x</b>' | replace: 'x', contact.name }}",
        "{{ contact.name | split: ',' | join: '<br>' }}",
        "{% assign x = contact.name %}{{ x }}",
        "{% capture x %}<i>{{ contact.name }}</i>{% endcapture %}{{ x | replace: 'y', contact.name }}",
        "{{ contact.name | default: '<b>colleague</b>' | upcase }}",
        "{{ contact.name | truncate: 20 }}",
    ],
)
def test_no_filter_lets_a_persons_value_into_the_html(source: str) -> None:
    said = render(first({"content": mail(html=source)}), {"contact": {"name": "y,<script>alert(1)</script>"}})
    assert isinstance(said, SaidMail)
    assert "<script" not in str(said.html).lower()


@pytest.mark.parametrize("name", ["Amina\r\nBcc: rosa@example.org", "Amina\x0b\x85\u2028 \x00"])
def test_a_subject_is_one_line_whatever_a_person_is_called(name: str) -> None:
    said = render(first({"content": mail("Hi {{ contact.name }}")}), {"contact": {"name": name}})
    assert isinstance(said, SaidMail)
    assert said.subject.isprintable()
    assert said.subject.startswith("Hi Amina")


def test_a_mail_without_its_subject_is_not_sent() -> None:
    nameless = render(first({"content": mail("{{ contact.name }}")}), {"contact": {}})
    assert isinstance(nameless, Refusal)
    assert nameless.reason == "empty_subject"


def test_only_the_variables_of_all_variants_are_fetched() -> None:
    some = content(
        {
            "language": "en",
            "inside": text("{{ contact.name }}"),
            "outside": notice("{{ contact.department }}"),
        },
        {"language": "sw", "content": text("Habari")},
    )
    assert variables(some) == {"contact.name", "contact.department"}


def test_values_are_those_that_are_known_with_moments_in_the_persons_own_time() -> None:
    stored = {"name": "Amina", "department": "", "appointment": "2026-03-01T06:30:00.000000Z", "salary": 5}
    wanted = {"contact.name", "contact.department", "contact.appointment"}
    values = contact_values(wanted, stored, {"appointment": FieldType.DATETIME}, ZoneInfo("Africa/Nairobi"))
    assert values == {"contact": {"name": "Amina", "appointment": "2026-03-01T09:30:00+03:00"}}
    form = Content.of_text("{{ contact.appointment | date: '%H:%M' }}").variants[0].content
    assert form is not None
    assert render(form, values) == SaidText("09:30")


def first(*variants: dict[str, Any]) -> Any:
    return content(*variants).variants[0].content


def test_text_is_said_trimmed_and_within_the_limit() -> None:
    assert render(first({"content": text(" Hi {{ contact.name }} \n")}), AMINA) == SaidText("Hi Amina")
    long = render(first({"content": text("Hi {{ contact.name }}")}), AMINA, text_limit=7)
    assert isinstance(long, Refusal)
    assert long.reason == "too_long"
    empty = render(first({"content": text("{{ contact.department }} ")}), AMINA)
    assert isinstance(empty, Refusal)
    assert empty.reason == "empty_text"


def test_a_templates_parameters_are_on_one_line_and_never_empty() -> None:
    form = first({"content": notice("{{ contact.name }}", "a\n b\t  c")})
    assert render(form, AMINA) == SaidTemplate("notice", "en", ("Amina", "a b c"))
    nameless = render(form, {"contact": {}})
    assert isinstance(nameless, Refusal)
    assert nameless.reason == "empty_parameter"
    long = render(form, {"contact": {"name": "x" * 2000}})
    assert isinstance(long, Refusal)
    assert long.reason == "too_long"


def test_a_choice_says_which_language_it_is_in() -> None:
    found = choose(
        MANY, contact_language="pt-PT", workspace_language="en", channel_kind="sms", in_window=True
    )
    assert isinstance(found, Chosen)
    assert found.language == "pt"
