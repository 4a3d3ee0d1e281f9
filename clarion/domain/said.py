"""What one person reads, of each form of content: everything rendered. Values."""

from __future__ import annotations

from dataclasses import dataclass

from clarion.domain.part import Attachment, Button, Menu


@dataclass(frozen=True, slots=True)
class SaidText:
    """Free text."""

    text: str


@dataclass(frozen=True, slots=True)
class SaidButton:
    """What a template's button is filled with; `kind` and `index` as `part.ButtonParameter` has them."""

    index: int
    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class SaidTemplate:
    """A provider's template by name, with its parameters in order. `header` fills the one of its header, or
    is the file that stands there."""

    name: str
    language: str
    parameters: tuple[str, ...] = ()
    header: str | Attachment | None = None
    buttons: tuple[SaidButton, ...] = ()


@dataclass(frozen=True, slots=True)
class SaidMail:
    """A mail; the subject is one line."""

    subject: str
    text: str
    html: str | None


@dataclass(frozen=True, slots=True)
class SaidPush:
    """A push message; the title is one line, `data` is in the order of its names."""

    title: str
    body: str
    url: str | None
    data: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class SaidMedia:
    """A file at an address that the provider fetches: `media` is image, video, audio or document."""

    media: str
    url: str
    caption: str | None = None
    filename: str | None = None


@dataclass(frozen=True, slots=True)
class SaidInteractive:
    """A text with replies to tap: either buttons or a menu. `header` and `footer` are lines; over buttons a
    file may stand instead."""

    text: str
    header: str | Attachment | None = None
    footer: str | None = None
    buttons: tuple[Button, ...] = ()
    menu: Menu | None = None

    @property
    def plain(self) -> str:
        """All that is read of it, one thing a line."""
        lines = [self.header if isinstance(self.header, str) else None, self.text, self.footer]
        titles = [button.title for button in self.buttons]
        titles += [row.title for row in self.menu.rows] if self.menu else []
        return "\n".join([*(line for line in lines if line), *(f"[{title}]" for title in titles)])


@dataclass(frozen=True, slots=True)
class SaidFlowStart:
    """The start of a flow that the provider keeps, by its identifier or by a name that the channel gives it,
    with its parameters in the order of their names."""

    flow: str
    params: tuple[tuple[str, str], ...] = ()


Said = SaidText | SaidTemplate | SaidMail | SaidPush | SaidMedia | SaidInteractive | SaidFlowStart
