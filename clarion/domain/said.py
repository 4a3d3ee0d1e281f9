"""What one person is told, by the form that it was written as: chosen and rendered (`saying`)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SaidText:
    """Free text as one person reads it."""

    text: str


@dataclass(frozen=True, slots=True)
class SaidTemplate:
    """A provider's template with its parameters as one person reads them."""

    name: str
    language: str
    parameters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SaidMail:
    """A mail as one person reads it; the subject is one line."""

    subject: str
    text: str
    html: str | None


@dataclass(frozen=True, slots=True)
class SaidPush:
    """A push message as one person reads it; the title is one line, `data` is in the order of its names."""

    title: str
    body: str
    url: str | None
    data: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class SaidFlowStart:
    """The start of a flow with its parameters as for one person, in the order of their names."""

    flow: str
    params: tuple[tuple[str, str], ...]


Said = SaidText | SaidTemplate | SaidMail | SaidPush | SaidFlowStart
