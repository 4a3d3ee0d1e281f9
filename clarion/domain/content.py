"""Content: what is said, per language and kind of channel.

    {"variants": [
      {"language": "en", "inside": {"kind": "text", "text": "Hello {{ contact.name }}"},
                         "outside": {"kind": "template", "name": "notice", "language": "en",
                                     "parameters": ["{{ contact.name | default: 'colleague' }}"]}},
      {"language": "sw", "content": {"kind": "text", "text": "Habari {{ contact.name }}"}}]}

A form is one of a closed union, told apart by `kind`. Those of `AVAILABLE` can be sent, each over the
providers that carry it; the others have their shape already and are refused at creation until their channels
exist. `inside` and `outside` are of the service window, the time after a person's own message in which a
provider takes free text, pictures and questions with buttons; a template it takes at any time.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from clarion.domain.language import parse_language
from clarion.domain.missing import Missing
from clarion.domain.part import (
    MOST_BUTTONS,
    Attachment,
    Button,
    ButtonParameter,
    FileUrl,
    Header,
    Key,
    Link,
    Menu,
    Model,
    Name,
    Source,
    Url,
    Word,
)


class TextForm(Model):
    """Free text, personalised with Liquid."""

    kind: Literal["text"]
    text: Source


class TemplateForm(Model):
    """A template that the provider has approved, by its name and its own code of the language
    ("en", "pt_BR"), with Liquid for each of its numbered parameters, for the one of its header (or the file
    that stands there), and for those of its buttons."""

    kind: Literal["template"]
    name: str = Field(pattern=r"^[a-z0-9_]{1,512}$")
    language: str = Field(pattern=r"^[a-z]{2,3}(_[A-Za-z0-9]{2,4})?$")
    parameters: tuple[Source, ...] = Field(default=(), max_length=50)
    header: Header | None = None
    buttons: tuple[ButtonParameter, ...] | None = Field(default=None, max_length=10)

    @field_validator("buttons")
    @classmethod
    def _filled_once(cls, value: tuple[ButtonParameter, ...] | None) -> tuple[ButtonParameter, ...] | None:
        if value and len({button.index for button in value}) < len(value):
            raise ValueError("a button is filled once")
        return value


class MediaForm(Model):
    """A picture, a film, a recording or a document at an address that the provider fetches. What is said
    beside it is its caption; a recording has none."""

    kind: Literal["media"]
    media: Literal["image", "video", "audio", "document"]
    url: FileUrl
    caption: Source | None = None
    filename: Word | None = None

    @model_validator(mode="after")
    def _fitting(self) -> MediaForm:
        if self.media == "audio" and self.caption is not None:
            raise ValueError("a recording has no caption: say it in a text")
        if self.filename is not None and self.media != "document":
            raise ValueError("only a document has a filename")
        return self


class InteractiveForm(Model):
    """A text with replies to tap: up to three buttons, or a menu. Above it a line or, over buttons, a file;
    below it a small line."""

    kind: Literal["interactive"]
    text: Source
    header: Header | None = None
    footer: Source | None = None
    buttons: tuple[Button, ...] = Field(default=(), max_length=MOST_BUTTONS)
    menu: Menu | None = None

    @model_validator(mode="after")
    def _fitting(self) -> InteractiveForm:
        if bool(self.buttons) == (self.menu is not None):
            raise ValueError("give either buttons or a menu")
        if self.menu is not None and isinstance(self.header, Attachment):
            raise ValueError("over a menu stands a line and no file")
        if min(len({b.id for b in self.buttons}), len({b.title for b in self.buttons})) < len(self.buttons):
            raise ValueError("two buttons have the same id or title: nobody could tell which was tapped")
        return self


class MailForm(Model):
    """A mail: a subject of one line, a text, and the same in HTML for whoever can show it. Values that are
    put into the HTML are escaped."""

    kind: Literal["email"]
    subject: Source
    text: Source
    html: Source | None = None


# FCM's own, by its reference ("invalid data key"), and what we put beside the data ourselves.
_TAKEN = frozenset(("from", "message_type", "notification", "collapse_key", "url", "receipt"))
_TAKEN_STEMS = ("google", "gcm")


class PushForm(Model):
    """A notification on a device: a title of one line, a text, where it leads, and what an app may read
    beside them (strings, with Liquid in the values)."""

    kind: Literal["push"]
    title: Source
    body: Source
    url: Link | None = None
    data: dict[Key, Source] = Field(default_factory=dict, max_length=20)

    @field_validator("data")
    @classmethod
    def _free_names(cls, value: dict[str, str]) -> dict[str, str]:
        if taken := [key for key in value if key in _TAKEN or key.lower().startswith(_TAKEN_STEMS)]:
            raise ValueError(f"{taken[0]!r} is a name that push services, or we, use ourselves")
        return value


REFERENCE_PARAM = "clarion"
"""The parameter of a flow that holds our reference."""


class WebCallForm(Model):
    """A request to a program that speaks for us."""

    kind: Literal["web_call"]
    url: Url
    body: Source | None = None


class FlowStartForm(Model):
    """The start of a flow that the provider keeps, for one person: by the flow's identifier there, or by a
    name that the channel gives it, with values that the flow may read (strings, with Liquid in them)."""

    kind: Literal["flow_start"]
    flow: Word
    params: dict[Name, Source] = Field(default_factory=dict, max_length=20)

    @field_validator("params")
    @classmethod
    def _free_names(cls, value: dict[str, str]) -> dict[str, str]:
        if REFERENCE_PARAM in value:
            raise ValueError(f"{REFERENCE_PARAM!r} is a name that we use ourselves")
        return value


class QuestionnaireForm(Model):
    """Questions, which the person's answers lead through."""

    kind: Literal["questionnaire"]
    questionnaire: Word


Form = Annotated[
    TextForm
    | TemplateForm
    | MediaForm
    | InteractiveForm
    | MailForm
    | PushForm
    | WebCallForm
    | FlowStartForm
    | QuestionnaireForm,
    Field(discriminator="kind"),
]

AVAILABLE: frozenset[str] = frozenset(
    ("text", "template", "email", "push", "media", "interactive", "flow_start")
)
"""The kinds that can be sent, by some provider; which of them a provider carries is its own `kinds`."""


class Variant(Model):
    """What is said in one language on one kind of channel.

    `language` (BCP 47) absent: for whoever has no better one. `channel_kind` (a provider's name, such as
    "whatsapp") absent: on every kind. Either `content`, said at any time, or `inside` and `outside` of the
    service window, of which one may be absent.
    """

    language: str | None = None
    channel_kind: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9_]{0,39}$")
    content: Form | None = None
    inside: Form | None = None
    outside: Form | None = None

    @field_validator("language")
    @classmethod
    def _known_language(cls, value: str | None) -> str | None:
        if value is None:
            return None
        tag = parse_language(value)
        if not isinstance(tag, str):
            raise ValueError(f"{tag.what}; {tag.hint}")
        return tag

    @model_validator(mode="after")
    def _says_something(self) -> Variant:
        windowed = self.inside or self.outside
        if self.content and windowed:
            raise ValueError("give either content, or inside and outside, not both")
        if not self.content and not windowed:
            raise ValueError("nothing is said: give content, or inside and outside")
        return self

    @property
    def forms(self) -> tuple[tuple[str, Form], ...]:
        """Each form with the name of its place ("content", "inside", "outside")."""
        places = (("content", self.content), ("inside", self.inside), ("outside", self.outside))
        return tuple((place, form) for place, form in places if form is not None)


class Content(Model):
    """Everything that is said at one step of a campaign, to whomever, wherever. `missing`: what becomes of
    whom a value is missing for that it would show; None as "fallback", it is left out of the text."""

    missing: Missing | None = None
    variants: tuple[Variant, ...] = Field(min_length=1, max_length=200)

    @classmethod
    def of_text(cls, text: str) -> Content:
        """The same free text for everybody."""
        return cls(variants=(Variant(content=TextForm(kind="text", text=text)),))

    @model_validator(mode="after")
    def _each_once(self) -> Content:
        seen = set()
        for variant in self.variants:
            key = (variant.language, variant.channel_kind)
            if key in seen:
                raise ValueError(f"two variants for language {key[0] or 'any'} on {key[1] or 'any channel'}")
            seen.add(key)
        return self
