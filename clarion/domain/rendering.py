"""Rendering: a form and a person's values become what that person reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from clarion.domain.content import (
    AVAILABLE,
    FlowStartForm,
    Form,
    InteractiveForm,
    MailForm,
    MediaForm,
    PushForm,
    TemplateForm,
    TextForm,
)
from clarion.domain.manner import Manner
from clarion.domain.refusal import Refusal
from clarion.domain.said import (
    Said,
    SaidButton,
    SaidFlowStart,
    SaidInteractive,
    SaidMail,
    SaidMedia,
    SaidPush,
    SaidTemplate,
    SaidText,
)
from clarion.domain.saying import (
    LONGEST_CAPTION,
    LONGEST_FLOW_PARAMS,
    LONGEST_FLOW_VALUE,
    LONGEST_HTML,
    LONGEST_IN_BUTTON,
    LONGEST_LINE,
    LONGEST_OVER_BUTTONS,
    LONGEST_OVER_MENU,
    LONGEST_PARAMETER,
    LONGEST_SUBJECT,
    LONGEST_TITLE,
    LONGEST_VALUE,
    TEXT_LIMITS,
)
from clarion.domain.template import compile_template

EMPTY = Refusal("empty_text", "nothing is left of the text for this person", "give its variables a default")
EMPTY_PARAMETER = Refusal(
    "empty_parameter", "a parameter of the template is empty for this person", "give its variables a default"
)
EMPTY_SUBJECT = Refusal(
    "empty_subject", "the subject is empty for this person", "give its variables a default"
)
EMPTY_TITLE = Refusal("empty_title", "the title is empty for this person", "give its variables a default")


class Given(NamedTuple):
    """Of whom it is made: what is known of them, and how it is written for them."""

    values: Mapping[str, object]
    manner: Manner | None
    strict: bool

    def fill(self, source: str, *, html: bool = False) -> str | Refusal:
        """A template with that in it."""
        return compile_template(source, html=html, strict=self.strict).render(self.values, self.manner)


def render(
    form: Form,
    values: Mapping[str, object],
    *,
    text_limit: int = max(TEXT_LIMITS.values()),
    byte_limit: int | None = None,
    manner: Manner | None = None,
    strict: bool = False,
) -> Said | Refusal:
    """What one person is told, with dates, times and numbers in their `manner`. Refusals: `empty_text`,
    `empty_subject`, `empty_title`, `empty_parameter`, `too_long`, `template_failed`, `not_available`; where
    it is `strict`, `missing:` and the path of a value that would be shown and is not there.

    Raises Invalid for a template that `check_content` would refuse as broken.
    """
    given = Given(values, manner, strict)
    if isinstance(form, TextForm):
        return _fitting(_said_text(form, given, text_limit), byte_limit)
    if isinstance(form, PushForm):
        return _fitting(_said_push(form, given, text_limit), byte_limit)
    if isinstance(form, TemplateForm):
        return _said_template(form, given)
    if isinstance(form, MailForm):
        return _said_mail(form, given, text_limit)
    if isinstance(form, MediaForm):
        return _said_media(form, given, text_limit)
    if isinstance(form, InteractiveForm):
        return _said_interactive(form, given, text_limit)
    if isinstance(form, FlowStartForm):
        return _said_flow_start(form, given)
    return not_available(form)


def _said_text(form: TextForm, given: Given, text_limit: int) -> SaidText | Refusal:
    text = _text(form.text, given, text_limit)
    return text if isinstance(text, Refusal) else SaidText(text)


def _text(source: str, given: Given, limit: int, *, html: bool = False) -> str | Refusal:
    text = given.fill(source, html=html)
    if isinstance(text, Refusal):
        return text
    text = text.strip()
    if not text:
        return EMPTY
    return too_long(len(text), limit) if len(text) > limit else text


def _said_mail(form: MailForm, given: Given, text_limit: int) -> SaidMail | Refusal:
    # A line break would begin a header of somebody else's making.
    subject = _line(form.subject, given, LONGEST_SUBJECT, EMPTY_SUBJECT)
    if isinstance(subject, Refusal):
        return subject
    text = _text(form.text, given, text_limit)
    if isinstance(text, Refusal):
        return text
    html = None if form.html is None else _text(form.html, given, LONGEST_HTML, html=True)
    return html if isinstance(html, Refusal) else SaidMail(subject, text, html)


def _said_push(form: PushForm, given: Given, text_limit: int) -> SaidPush | Refusal:
    title = _line(form.title, given, LONGEST_TITLE, EMPTY_TITLE)
    if isinstance(title, Refusal):
        return title
    body = _text(form.body, given, text_limit)
    if isinstance(body, Refusal):
        return body
    data = _pairs(form.data, given, LONGEST_VALUE)
    return data if isinstance(data, Refusal) else SaidPush(title, body, form.url, data)


def _said_flow_start(form: FlowStartForm, given: Given) -> SaidFlowStart | Refusal:
    params = _pairs(form.params, given, LONGEST_FLOW_VALUE)
    if isinstance(params, Refusal):
        return params
    length = sum(len(name) + len(value) for name, value in params)
    if length > LONGEST_FLOW_PARAMS:
        return too_long(length, LONGEST_FLOW_PARAMS)
    return SaidFlowStart(form.flow, params)


def _pairs(sources: Mapping[str, str], given: Given, longest: int) -> tuple[tuple[str, str], ...] | Refusal:
    """Values for a program to read, by name. One may be empty: nothing is known of this person there."""
    pairs = []
    for name, source in sorted(sources.items()):
        value = _text(source, given, longest)
        if isinstance(value, Refusal) and value is not EMPTY:
            return value
        pairs.append((name, "" if isinstance(value, Refusal) else value))
    return tuple(pairs)


def _line(source: str, given: Given, longest: int, empty: Refusal) -> str | Refusal:
    """One line, whatever a person is called."""
    text = given.fill(source)
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


def _said_media(form: MediaForm, given: Given, text_limit: int) -> SaidMedia | Refusal:
    caption = None if form.caption is None else _text(form.caption, given, min(LONGEST_CAPTION, text_limit))
    if caption is EMPTY:  # the picture speaks for itself
        caption = None
    if isinstance(caption, Refusal):
        return caption
    return SaidMedia(form.media, form.url, caption, form.filename)


def _said_interactive(form: InteractiveForm, given: Given, text_limit: int) -> SaidInteractive | Refusal:
    longest = LONGEST_OVER_BUTTONS if form.buttons else LONGEST_OVER_MENU
    text = _text(form.text, given, min(longest, text_limit))
    if isinstance(text, Refusal):
        return text
    header = form.header
    if isinstance(header, str):
        said = _small_line(header, given)
        if isinstance(said, Refusal):
            return said
        header = said
    footer = None if form.footer is None else _small_line(form.footer, given)
    if isinstance(footer, Refusal):
        return footer
    return SaidInteractive(text, header, footer, form.buttons, form.menu)


def _small_line(source: str, given: Given) -> str | Refusal | None:
    """What stands above or below a text; nothing where nothing is left of it for this person."""
    line = _line(source, given, LONGEST_LINE, EMPTY)
    return None if line is EMPTY else line


def _said_template(form: TemplateForm, given: Given) -> SaidTemplate | Refusal:
    parameters = []
    for source in form.parameters:
        text = _parameter(source, given, LONGEST_PARAMETER)
        if isinstance(text, Refusal):
            return text
        parameters.append(text)
    header = form.header
    if isinstance(header, str):
        filled = _parameter(header, given, LONGEST_LINE)
        if isinstance(filled, Refusal):
            return filled
        header = filled
    buttons = []
    for button in form.buttons or ():
        value = _parameter(button.value, given, LONGEST_IN_BUTTON[button.kind])
        if isinstance(value, Refusal):
            return value
        buttons.append(SaidButton(button.index, button.kind, value))
    return SaidTemplate(form.name, form.language, tuple(parameters), header, tuple(buttons))


def _parameter(source: str, given: Given, longest: int) -> str | Refusal:
    text = given.fill(source)
    if isinstance(text, Refusal):
        return text
    # WhatsApp refuses the whole call for a line break, a tab or a row of spaces in a parameter
    text = " ".join(text.split())
    if not text:
        return EMPTY_PARAMETER
    return too_long(len(text), longest) if len(text) > longest else text


def too_long(length: int, limit: int) -> Refusal:
    return Refusal("too_long", f"{length:,} characters; at most {limit:,} can be sent", "shorten the text")


def _too_big(size: int, limit: int) -> Refusal:
    what = f"{size:,} bytes, as UTF-8 counts; at most {limit:,} can be sent"
    return Refusal("too_long", what, "shorten it; letters outside English take two to four bytes each")


def not_available(form: Form) -> Refusal:
    hint = "use " + " or ".join(sorted(AVAILABLE, reverse=True))
    return Refusal("not_available", f"content of the kind {form.kind!r} is not available yet", hint)
