"""What is said, from the words of a command line."""

from __future__ import annotations

from collections.abc import Sequence

from clarion.cli import terminal
from clarion.cli.given import pairs_from
from clarion.domain.content import (
    Content,
    FlowStartForm,
    Form,
    MailForm,
    PushForm,
    TemplateForm,
    TextForm,
    Variant,
)
from clarion.errors import Invalid
from clarion.providers.contract import Provider


def content_of(
    text: str | None,
    template: str | None,
    parameters: tuple[str, ...],
    language: str,
    subject: str | None = None,
    title: str | None = None,
    link: str | None = None,
    flow: str | None = None,
) -> Content:
    """A text, a template, or both: the text within 24 hours of a person's message, the template otherwise.
    With a subject, the text is a mail; with a title, a push message, which may lead to a link. Or the start
    of a flow, whose parameters are written as NAME=VALUE.

    Raises Invalid for nothing at all, for parameters without a template or a flow, for what is no template's
    name, for a subject, a title or a link without what they belong to.
    """
    if flow is not None:
        return _flow(flow, parameters, others=any((text, template, subject, title, link)))
    if title is not None or link is not None:
        return _push(title, text, link, others=template is not None or subject is not None)
    if subject is not None:
        return _mail(subject, text, template)
    said = None if text is None else _text(text)
    if template is None:
        if said is None:
            raise Invalid("say something: --text, --template or both, or --flow", where="--text")
        if parameters:
            raise Invalid("parameters belong to a template", where="--param", hint="Give --template too.")
        return Content(variants=(Variant(content=said),))
    form = _template(template, parameters, language)
    if said is None:
        return Content(variants=(Variant(content=form),))
    return Content(variants=(Variant(inside=said, outside=form),))


def _text(text: str) -> TextForm:
    if not text.strip():
        raise Invalid("nothing is said", where="--text")
    try:
        return TextForm(kind="text", text=text)
    except ValueError:
        raise Invalid("a text has at most 10,000 characters", where="--text") from None


def _mail(subject: str, text: str | None, template: str | None) -> Content:
    if text is None or template is not None:
        raise Invalid("a mail is a subject and a text", where="--subject", hint="Give --text too.")
    try:
        return Content(variants=(Variant(content=MailForm(kind="email", subject=subject, text=text)),))
    except ValueError:
        raise Invalid("a subject and a text have 1 to 10,000 characters each", where="--subject") from None


def _push(title: str | None, text: str | None, link: str | None, *, others: bool) -> Content:
    if title is None:
        raise Invalid("a link belongs to a push message", where="--link", hint="Give --title too.")
    if text is None or others:
        raise Invalid("a push message is a title and a text", where="--title", hint="Give --text too.")
    try:
        form = PushForm(kind="push", title=title, body=text, url=link)
    except ValueError as error:
        if "url" in str(error):
            what = "a link begins with https:// or http:// and is the same for everybody"
            raise Invalid(what, where="--link") from None
        raise Invalid("a title and a text have 1 to 10,000 characters each", where="--title") from None
    return Content(variants=(Variant(content=form),))


def _flow(flow: str, parameters: Sequence[str], *, others: bool) -> Content:
    if others:
        raise Invalid("the start of a flow says nothing else", where="--flow", hint="Give its --param alone.")
    try:
        form = FlowStartForm(kind="flow_start", flow=flow, params=pairs_from(parameters, "--param"))
    except ValueError:
        raise Invalid(
            "a flow is its identifier or a name of at most 200 characters, with at most 20 parameters of "
            "letters, digits and _, each with a value; `clarion` is ours",
            where="--flow",
        ) from None
    return Content(variants=(Variant(content=form),))


def _template(name: str, parameters: tuple[str, ...], language: str) -> Form:
    try:
        return TemplateForm(kind="template", name=name, language=language, parameters=parameters)
    except ValueError:
        raise Invalid(
            "a template has a name of small letters, digits and _, a language such as en or pt_BR, and "
            "parameters that are not empty",
            where="--template",
        ) from None


def warn_of_the_window(providers: Sequence[Provider], content: Content) -> None:
    """Say that free text alone does not reach everybody, where that is so."""
    only_text = all(isinstance(variant.content, TextForm) for variant in content.variants)
    for name in [provider.name for provider in providers if provider.has_window and only_text]:
        terminal.say(
            f"Note: {name} takes free text only within 24 hours of a person's own message. "
            "Others are skipped; give --template too to reach them."
        )
