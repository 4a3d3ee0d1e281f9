"""From content to what one person is told: chosen and rendered; `sayable` checks it when written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo

from clarion.domain.content import (
    AVAILABLE,
    Content,
    FlowStartForm,
    Form,
    MailForm,
    PushForm,
    TemplateForm,
    TextForm,
    Variant,
)
from clarion.domain.field import FieldType
from clarion.domain.language import choose_language
from clarion.domain.refusal import Refusal
from clarion.domain.said import Said, SaidFlowStart, SaidMail, SaidPush, SaidTemplate, SaidText
from clarion.domain.template import compile_template

LONGEST_PARAMETER = 1024
LONGEST_SUBJECT = 255
LONGEST_HTML = 64_000
LONGEST_TITLE = 200
LONGEST_VALUE = 1024
LONGEST_FLOW_VALUE = 640  # what is longer RapidPro cuts off and says nothing
LONGEST_FLOW_PARAMS = 9_000  # all of them with their names; RapidPro takes 10,000
TEXT_LIMITS: Mapping[str, int] = {"whatsapp": 4096, "messenger": 2000, "sms": 1600}
"""Characters of one text by kind of channel; a provider's own `text_limit` goes before these."""

NO_VARIANT = Refusal("no_content", "nothing is said on this kind of channel", "add a variant for it")
OUTSIDE_WINDOW = Refusal(
    "outside_window", "outside the service window, and nothing is said there", "add a template for outside"
)
EMPTY = Refusal("empty_text", "nothing is left of the text for this person", "give its variables a default")
EMPTY_PARAMETER = Refusal(
    "empty_parameter", "a parameter of the template is empty for this person", "give its variables a default"
)
EMPTY_SUBJECT = Refusal(
    "empty_subject", "the subject is empty for this person", "give its variables a default"
)
EMPTY_TITLE = Refusal("empty_title", "the title is empty for this person", "give its variables a default")


@dataclass(frozen=True, slots=True)
class Chosen:
    """The form for one person, and the language of its variant (None: of whoever has no better one)."""

    form: Form
    language: str | None


def choose(
    content: Content,
    *,
    contact_language: str | None,
    workspace_language: str | None,
    channel_kind: str,
    in_window: bool,
) -> Chosen | Refusal:
    """What is said to one person now.

    Of the variants that can be said on this kind of channel now, the language is the contact's, else the
    workspace's (each with its fallbacks), else that of the variant without a language, else the first.
    Within a language the variant for this kind of channel goes before the one for all. `in_window` is
    true inside the service window, and wherever a channel has none: where it is false, free text cannot
    be said. Refusals: `no_content`, `outside_window`.
    """
    here = [v for v in content.variants if v.channel_kind in (None, channel_kind)]
    if not here:
        return NO_VARIANT
    sayable = [(v, form) for v in here if (form := _form(v, in_window=in_window)) is not None]
    if not sayable:
        return OUTSIDE_WINDOW
    languages = [v.language for v, _ in sayable if v.language is not None]
    language = choose_language((contact_language, workspace_language), languages)
    same = [pair for pair in sayable if pair[0].language == language]
    if not same:  # nobody's language, and no variant is for everybody
        language = sayable[0][0].language
        same = [pair for pair in sayable if pair[0].language == language]
    variant, form = next((pair for pair in same if pair[0].channel_kind == channel_kind), same[0])
    return Chosen(form, variant.language)


def variables(content: Content) -> frozenset[str]:
    """The paths that any of the content's templates reads ("contact.name"): only these need be fetched.

    Raises Invalid for content that `check_content` would refuse as broken.
    """
    forms = (form for variant in content.variants for _, form in variant.forms)
    found = (compile_template(source).variables for form in forms for _, source, _ in sources(form))
    return frozenset().union(*found)


def contact_values(
    wanted: Iterable[str], stored: Mapping[str, object], types: Mapping[str, FieldType], zone: tzinfo
) -> dict[str, dict[str, object]]:
    """The values that templates get: {"contact": {"name": "Amina"}}.

    `wanted` are paths (`variables`), `stored` the contact's attributes and fields by key in their stored
    form, `types` the declared types. Moments are given as local time of `zone`, the contact's own. What is
    missing is left out.
    """
    values: dict[str, object] = {}
    for path in wanted:
        root, _, key = path.partition(".")
        value = stored.get(key) if root == "contact" else None
        if value is None or value == "":
            continue
        if types.get(key) is FieldType.DATETIME and isinstance(value, str):
            value = datetime.fromisoformat(value).astimezone(zone).isoformat(timespec="seconds")
        values[key] = value
    return {"contact": values}


def render(
    form: Form,
    values: Mapping[str, object],
    *,
    text_limit: int = max(TEXT_LIMITS.values()),
    byte_limit: int | None = None,
) -> Said | Refusal:
    """What one person is told. Refusals: `empty_text`, `empty_subject`, `empty_title`, `empty_parameter`,
    `too_long`, `template_failed`, `not_available`.

    Raises Invalid for a template that `check_content` would refuse as broken.
    """
    if isinstance(form, TextForm):
        return _fitting(_said_text(form, values, text_limit), byte_limit)
    if isinstance(form, PushForm):
        return _fitting(_said_push(form, values, text_limit), byte_limit)
    if isinstance(form, TemplateForm):
        return _said_template(form, values)
    if isinstance(form, MailForm):
        return _said_mail(form, values, text_limit)
    if isinstance(form, FlowStartForm):
        return _said_flow_start(form, values)
    return not_available(form)


def _said_text(form: TextForm, values: Mapping[str, object], text_limit: int) -> SaidText | Refusal:
    text = _text(form.text, values, text_limit)
    return text if isinstance(text, Refusal) else SaidText(text)


def _text(source: str, values: Mapping[str, object], limit: int, *, html: bool = False) -> str | Refusal:
    text = compile_template(source, html=html).render(values)
    if isinstance(text, Refusal):
        return text
    text = text.strip()
    if not text:
        return EMPTY
    return too_long(len(text), limit) if len(text) > limit else text


def _said_mail(form: MailForm, values: Mapping[str, object], text_limit: int) -> SaidMail | Refusal:
    # A line break would begin a header of somebody else's making.
    subject = _line(form.subject, values, LONGEST_SUBJECT, EMPTY_SUBJECT)
    if isinstance(subject, Refusal):
        return subject
    text = _text(form.text, values, text_limit)
    if isinstance(text, Refusal):
        return text
    html = None if form.html is None else _text(form.html, values, LONGEST_HTML, html=True)
    return html if isinstance(html, Refusal) else SaidMail(subject, text, html)


def _said_push(form: PushForm, values: Mapping[str, object], text_limit: int) -> SaidPush | Refusal:
    title = _line(form.title, values, LONGEST_TITLE, EMPTY_TITLE)
    if isinstance(title, Refusal):
        return title
    body = _text(form.body, values, text_limit)
    if isinstance(body, Refusal):
        return body
    data = _pairs(form.data, values, LONGEST_VALUE)
    return data if isinstance(data, Refusal) else SaidPush(title, body, form.url, data)


def _said_flow_start(form: FlowStartForm, values: Mapping[str, object]) -> SaidFlowStart | Refusal:
    params = _pairs(form.params, values, LONGEST_FLOW_VALUE)
    if isinstance(params, Refusal):
        return params
    length = sum(len(name) + len(value) for name, value in params)
    if length > LONGEST_FLOW_PARAMS:
        return too_long(length, LONGEST_FLOW_PARAMS)
    return SaidFlowStart(form.flow, params)


def _pairs(
    sources: Mapping[str, str], values: Mapping[str, object], longest: int
) -> tuple[tuple[str, str], ...] | Refusal:
    """Values for a program to read, by name. One may be empty: nothing is known of this person there."""
    pairs = []
    for name, source in sorted(sources.items()):
        value = _text(source, values, longest)
        if isinstance(value, Refusal) and value is not EMPTY:
            return value
        pairs.append((name, "" if isinstance(value, Refusal) else value))
    return tuple(pairs)


def _line(source: str, values: Mapping[str, object], longest: int, empty: Refusal) -> str | Refusal:
    """One line, whatever a person is called."""
    text = compile_template(source).render(values)
    if isinstance(text, Refusal):
        return text
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if not text:
        return empty
    return too_long(len(text), longest) if len(text) > longest else text


def _fitting(said: SaidText | SaidPush | Refusal, limit: int | None) -> Said | Refusal:
    if limit is None or isinstance(said, Refusal):
        return said
    size = _size(said)
    return said if size <= limit else _too_big(size, limit)


def _size(said: SaidText | SaidPush) -> int:
    """UTF-8 bytes of all that is said."""
    if isinstance(said, SaidText):
        return len(said.text.encode())
    parts = (said.title, said.body, said.url or "", *(part for pair in said.data for part in pair))
    return sum(len(part.encode()) for part in parts)


def _said_template(form: TemplateForm, values: Mapping[str, object]) -> SaidTemplate | Refusal:
    parameters = []
    for source in form.parameters:
        text = compile_template(source).render(values)
        if isinstance(text, Refusal):
            return text
        # WhatsApp refuses the whole call for a line break, a tab or a row of spaces in a parameter
        text = " ".join(text.split())
        if not text:
            return EMPTY_PARAMETER
        if len(text) > LONGEST_PARAMETER:
            return too_long(len(text), LONGEST_PARAMETER)
        parameters.append(text)
    return SaidTemplate(form.name, form.language, tuple(parameters))


def _form(variant: Variant, *, in_window: bool) -> Form | None:
    form = variant.content or (variant.inside if in_window else variant.outside)
    return None if isinstance(form, TextForm) and not in_window else form


def sources(form: Form) -> list[tuple[str, str, int | None]]:
    """The templates of a form: their place, their source, the longest that it may be (None: a text's)."""
    match form:
        case TextForm():
            return [("text", form.text, None)]
        case TemplateForm():
            return [
                (f"parameters[{n}]", source, LONGEST_PARAMETER) for n, source in enumerate(form.parameters)
            ]
        case MailForm():
            html = [] if form.html is None else [("html", form.html, LONGEST_HTML)]
            return [("subject", form.subject, LONGEST_SUBJECT), ("text", form.text, None), *html]
        case PushForm():
            data = [(f"data.{key}", source, LONGEST_VALUE) for key, source in sorted(form.data.items())]
            return [("title", form.title, LONGEST_TITLE), ("body", form.body, None), *data]
        case FlowStartForm():
            return [(f"params.{key}", form.params[key], LONGEST_FLOW_VALUE) for key in sorted(form.params)]
        case _:
            return []


def too_long(length: int, limit: int) -> Refusal:
    return Refusal("too_long", f"{length:,} characters; at most {limit:,} can be sent", "shorten the text")


def _too_big(size: int, limit: int) -> Refusal:
    what = f"{size:,} bytes, as UTF-8 counts; at most {limit:,} can be sent"
    return Refusal("too_long", what, "shorten it; letters outside English take two to four bytes each")


def not_available(form: Form) -> Refusal:
    hint = "use " + " or ".join(sorted(AVAILABLE, reverse=True))
    return Refusal("not_available", f"content of the kind {form.kind!r} is not available yet", hint)
