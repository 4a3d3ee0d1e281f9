"""What is said, from the words of a command line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Annotated, Literal, TypeVar
from urllib.parse import unquote, urlsplit
from uuid import UUID

import typer
from pydantic import ValidationError

from clarion.cli import terminal
from clarion.cli.given import pairs_from
from clarion.cli.place import Place
from clarion.domain.content import (
    Content,
    FlowStartForm,
    Form,
    InteractiveForm,
    MailForm,
    MediaForm,
    PushForm,
    TemplateForm,
    TextForm,
    Variant,
)
from clarion.domain.outside import Outside
from clarion.domain.part import Attachment, Button
from clarion.domain.purpose import Purpose
from clarion.domain.saying import FREE
from clarion.errors import Invalid
from clarion.flow import catalogue, startable
from clarion.providers.contract import Provider
from clarion.store import channel as channels

Text = Annotated[
    str | None,
    typer.Option("--text", help="What is said; Liquid, as in {{ contact.name | default: 'colleague' }}."),
]
Subject = Annotated[str | None, typer.Option("--subject", help="The subject of a mail; Liquid too.")]
Title = Annotated[
    str | None, typer.Option("--title", help="The title of a push message, whose body is --text; Liquid too.")
]
Link = Annotated[str | None, typer.Option("--link", help="Where a push message leads: https://…")]
File = Annotated[
    str | None,
    typer.Option(
        "--file",
        metavar="URL",
        help="A picture, a film, a recording or a document at https://…, which the provider fetches; its "
        "ending says which. --text is its caption.",
    ),
]
Tap = Annotated[
    list[str] | None,
    typer.Option(
        "--button",
        metavar="[ID=]TITLE",
        help="A reply to tap below --text; up to three. Its title comes back, with the ID.",
    ),
]
Flow = Annotated[
    str | None, typer.Option("--flow", help="A flow to start there, by its name or identifier; with --param.")
]
Called = Annotated[
    str | None,
    typer.Option("--template", help="The provider's template; with --text, for those outside the 24 hours."),
]
Param = Annotated[
    list[str] | None,
    typer.Option(
        "--param", help="A parameter of the template, in order, or NAME=VALUE of the flow; Liquid too."
    ),
]
Header = Annotated[
    str | None,
    typer.Option(
        "--header", help="What fills the template's header: a text (Liquid), or a file's https://… address."
    ),
]
Language = Annotated[
    str, typer.Option("--language", help="The template's language, as the provider names it.")
]

OutsideWindow = Annotated[
    Outside | None,
    typer.Option(
        "--outside-window",
        help="Who wrote nothing within the 24 hours: is told the template, waited for, or skipped.",
    ),
]

_ENDINGS: dict[str, Literal["image", "video", "audio"]] = {
    **dict.fromkeys((".jpg", ".jpeg", ".png"), "image"),
    **dict.fromkeys((".mp4", ".3gp"), "video"),
    **dict.fromkeys((".mp3", ".ogg", ".oga", ".opus", ".aac", ".amr", ".m4a"), "audio"),
}
M = TypeVar("M")


@dataclass(frozen=True, slots=True)
class Words:
    """What a command line says; see the options above."""

    text: str | None = None
    subject: str | None = None
    title: str | None = None
    link: str | None = None
    file: str | None = None
    buttons: tuple[str, ...] = ()
    flow: str | None = None
    template: str | None = None
    parameters: tuple[str, ...] = ()
    header: str | None = None
    language: str = "en"

    @property
    def nothing(self) -> bool:
        """Whether it says nothing at all."""
        said = (self.text, self.subject, self.title, self.link, self.file, self.flow, self.template)
        others = self.header is not None or self.buttons or self.parameters
        return all(one is None for one in said) and not others


def content_of(words: Words) -> Content:
    """A text, a file, a text with replies to tap; a template; or both: the first within 24 hours of a
    person's message, the template otherwise. With a subject, the text is a mail; with a title, a push
    message, which may lead to a link. Or the start of a flow, whose parameters are written as NAME=VALUE.

    Raises Invalid for nothing at all, for parameters without a template or a flow, for what is no template's
    name, for a subject, a title or a link without what they belong to.
    """
    if words.flow is not None:
        return _flow(words.flow, words)
    rich = words.file is not None or bool(words.buttons) or words.header is not None
    if words.title is not None or words.link is not None:
        others = rich or words.template is not None or words.subject is not None
        return _push(words.title, words.text, words.link, others=others)
    if words.subject is not None:
        return _mail(words.subject, words.text, others=rich or words.template is not None)
    said = _free(words)
    if words.template is None:
        if words.parameters:
            what = "parameters belong to a template or a flow"
            raise Invalid(what, where="--param", hint="Give --template or --flow too.")
        if words.header is not None:
            raise Invalid("a header belongs to a template", where="--header", hint="Give --template too.")
        if said is None:
            raise Invalid("say something: --text, --template or both, or --flow", where="--text")
        return Content(variants=(Variant(content=said),))
    form = _template(words.template, words)
    if said is None:
        return Content(variants=(Variant(content=form),))
    return Content(variants=(Variant(inside=said, outside=form),))


def _free(words: Words) -> Form | None:
    """What is said within the 24 hours, or everywhere; None where there is nothing but a template."""
    if words.buttons:
        return _interactive(words)
    if words.file is not None:
        media, name = _kind_of(words.file)
        url = words.file
        return _made(
            "--file",
            lambda: MediaForm.model_validate(
                {"kind": "media", "media": media, "url": url, "caption": words.text, "filename": name}
            ),
        )
    return None if words.text is None else _text(words.text)


def _interactive(words: Words) -> Form:
    if words.text is None:
        raise Invalid("buttons stand below a text", where="--button", hint="Give --text too.")
    text, pairs = words.text, [one.rpartition("=") for one in words.buttons]
    buttons = _made("--button", lambda: tuple(Button(id=id or title, title=title) for id, _, title in pairs))
    header = None if words.file is None else _attachment(words.file, "--file")
    return _made(
        "--button", lambda: InteractiveForm(kind="interactive", text=text, header=header, buttons=buttons)
    )


def _kind_of(url: str) -> tuple[Literal["image", "video", "audio", "document"], str | None]:
    """What stands at an address, by its ending; and of a document its name."""
    path = PurePosixPath(unquote(urlsplit(url).path))
    kind = _ENDINGS.get(path.suffix.lower())
    return (kind, None) if kind is not None else ("document", path.name or None)


def _attachment(url: str, option: str) -> Attachment:
    media, name = _kind_of(url)
    if media == "audio":
        raise Invalid("a recording stands above nothing: send it by itself", where=option)
    return _made(option, lambda: Attachment(media=media, url=url, filename=name))


def _made(option: str, make: Callable[[], M]) -> M:
    """Raises Invalid with the first thing that is wrong."""
    try:
        return make()
    except ValidationError as error:
        what = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise Invalid(what[:1].lower() + what[1:], where=option) from None


def _text(text: str) -> TextForm:
    if not text.strip():
        raise Invalid("nothing is said", where="--text")
    try:
        return TextForm(kind="text", text=text)
    except ValueError:
        raise Invalid("a text has at most 10,000 characters", where="--text") from None


def _mail(subject: str, text: str | None, *, others: bool) -> Content:
    if text is None or others:
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


def _flow(flow: str, words: Words) -> Content:
    if not replace(words, flow=None, parameters=()).nothing:
        raise Invalid("the start of a flow says nothing else", where="--flow", hint="Give its --param alone.")
    try:
        form = FlowStartForm(kind="flow_start", flow=flow, params=pairs_from(words.parameters, "--param"))
    except ValueError:
        raise Invalid(
            "a flow is its identifier or a name of at most 200 characters, with at most 20 parameters of "
            "letters, digits and _, each with a value; `clarion` is ours",
            where="--flow",
        ) from None
    return Content(variants=(Variant(content=form),))


def _template(name: str, words: Words) -> Form:
    above = words.header
    file = above is not None and above.startswith(("https://", "http://"))
    header = _attachment(above, "--header") if above is not None and file else above
    try:
        return TemplateForm(
            kind="template",
            name=name,
            language=words.language,
            parameters=words.parameters,
            header=header,
        )
    except ValueError:
        raise Invalid(
            "a template has a name of small letters, digits and _, a language such as en or pt_BR, and "
            "parameters that are not empty",
            where="--template",
        ) from None


async def check_called(here: Place, channel_ids: Sequence[UUID], content: Content, purpose: Purpose) -> None:
    """Before anybody is taken in: whether the channels know the templates, for that purpose, and the flows
    that are called. Raises Invalid; what could not be found out is said."""
    await catalogue.freshen_for(here.services, here.id, channel_ids, content, purpose)
    async with here.tenant() as connection:
        rows = [await channels.get(connection, each) for each in channel_ids]
        judged = await catalogue.judge(connection, rows, content, purpose, here.now())
    if problems := (*judged.problems, *startable.unknown(rows, content)):
        raise Invalid("this cannot be said", problems=problems)
    for warning in judged.warnings:
        terminal.say(f"Note: {warning}")


def warn_of_the_window(providers: Sequence[Provider], content: Content) -> None:
    """Say that what is said does not reach everybody, where that is so."""
    no_template = all(isinstance(variant.content, FREE) for variant in content.variants)
    for name in [provider.name for provider in providers if provider.has_window and no_template]:
        terminal.say(
            f"Note: {name} takes free text only within 24 hours of a person's own message. "
            "Others are skipped; give --template too to reach them."
        )
