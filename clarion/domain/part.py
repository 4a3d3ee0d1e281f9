"""Parts of which forms of content are made: texts with Liquid in them, addresses, files, and choices.

How long a choice may be is what WhatsApp takes (Cloud API: Interactive reply buttons messages, Interactive
list messages); nobody else that we know takes more.
"""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from clarion.domain.channel import not_public

MOST_BUTTONS, MOST_ROWS = 3, 10


def _proper(text: str) -> str:
    if any(c == "\0" or "\ud800" <= c <= "\udfff" for c in text):
        raise ValueError("holds a character that is not text (NUL or half of a pair)")
    return text


def _label(text: str) -> str:
    if "{{" in text or "{%" in text:
        raise ValueError("is the same for everybody: there is no Liquid in it")
    if text != text.strip() or not text.isprintable():
        raise ValueError("is one line, without spaces around it")
    return _proper(text)


def _public(url: str) -> str:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError("not an address") from None
    if parts.username is not None or parts.password is not None:
        raise ValueError("the provider fetches it without credentials: leave them out of the address")
    if problem := not_public(url):
        raise ValueError(f"{problem}; the provider fetches it from outside")
    return url


Source = Annotated[str, Field(min_length=1, max_length=10_000), AfterValidator(_proper)]
"""Text with Liquid in it."""
Url = Annotated[str, Field(max_length=2000, pattern=r"^https://[!-~]+$")]
FileUrl = Annotated[
    str, Field(max_length=2000, pattern=r"^https://[^\s/?#{}\\][!-z|~]*$"), AfterValidator(_public)
]
"""Where a provider fetches a file: everybody may reach it, and it is the same for everybody."""
Link = Annotated[str, Field(max_length=1000, pattern=r"^https?://[^\s/?#{}\\][!-z|~]*$")]
"""Where a person is led. The same for everybody: there is no Liquid in it."""
Word = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_proper)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")]
Key = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$")]
Title = Annotated[str, Field(min_length=1, max_length=24), AfterValidator(_label)]
ButtonTitle = Annotated[str, Field(min_length=1, max_length=20), AfterValidator(_label)]


class Model(BaseModel):
    """What is written down for good: unknown members are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Attachment(Model):
    """A file above a text, at an address that the provider fetches. A document's `filename` is what it is
    called on the phone."""

    media: Literal["image", "video", "document"]
    url: FileUrl
    filename: Word | None = None

    @model_validator(mode="after")
    def _named_documents_only(self) -> Attachment:
        if self.filename is not None and self.media != "document":
            raise ValueError("only a document has a filename")
        return self


def _which(header: object) -> str:
    return "line" if isinstance(header, str) else "file"


Header = Annotated[Annotated[Source, Tag("line")] | Annotated[Attachment, Tag("file")], Discriminator(_which)]
"""What stands above a text: a line with Liquid in it, or a file."""


class Button(Model):
    """A reply that a person may tap. Its title comes back as their text, `id` as the reply's payload."""

    id: Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_label)]
    title: ButtonTitle


class Row(Model):
    """A choice of a menu; it comes back as a button does."""

    id: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_label)]
    title: Title
    description: Annotated[str, Field(min_length=1, max_length=72), AfterValidator(_label)] | None = None


class Section(Model):
    """Rows of a menu under one heading, which a menu of one section may lack."""

    title: Title | None = None
    rows: tuple[Row, ...] = Field(min_length=1, max_length=MOST_ROWS)


class Menu(Model):
    """A list of choices behind a button, whose label this is."""

    label: ButtonTitle
    sections: tuple[Section, ...] = Field(min_length=1, max_length=10)

    @property
    def rows(self) -> tuple[Row, ...]:
        """Of all sections, in order."""
        return tuple(row for section in self.sections for row in section.rows)

    @model_validator(mode="after")
    def _fitting(self) -> Menu:
        if len(self.rows) > MOST_ROWS:
            raise ValueError(
                f"a menu has at most {MOST_ROWS} rows in all its sections; this has {len(self.rows)}"
            )
        if len(self.sections) > 1 and any(section.title is None for section in self.sections):
            raise ValueError("of several sections each has a title")
        if len({row.id for row in self.rows}) < len(self.rows):
            raise ValueError("two rows have the same id: nobody could tell which was chosen")
        return self


class ButtonParameter(Model):
    """What a template's button is filled with: the end of an address, what comes back when it is tapped, or
    a code to be copied. `index` counts the template's buttons from 0."""

    index: int = Field(ge=0, le=9)
    kind: Literal["url", "quick_reply", "copy_code"]
    value: Source
