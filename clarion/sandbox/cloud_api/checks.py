"""Checks that the parts of a message share."""

from __future__ import annotations

from urllib.parse import urlsplit

from clarion.sandbox.dialect import Refusal

MAX_FILENAME = 240


class Wrong(Exception):
    """This request is refused."""

    def __init__(self, code: int, details: str) -> None:
        super().__init__(details)
        self.refusal = Refusal(code, details)


def text(value: object, where: str, longest: int) -> str:
    """A text of 1 to so many characters."""
    if value is None:
        raise Wrong(131008, f"Parameter '{where}' is missing.")
    if not isinstance(value, str) or not 1 <= len(value) <= longest:
        raise Wrong(131009, f"{where}: length invalid. Min length: 1, Max length: {longest}")
    return value


def member(document: object, name: str, where: str) -> object:
    """What an object holds under a name; None where it holds nothing there."""
    if document is None:
        raise Wrong(131008, f"Parameter '{where}' is missing.")
    if not isinstance(document, dict):
        raise Wrong(131009, f"Parameter value is not valid: {where}")
    return document.get(name)


def items(value: object, where: str, most: int) -> list[object]:
    """A list of 1 to so many."""
    if value is None:
        raise Wrong(131008, f"Parameter '{where}' is missing.")
    if not isinstance(value, list) or not 1 <= len(value) <= most:
        raise Wrong(131009, f"{where}: invalid count. Min: 1, Max: {most}")
    return value


def file(kind: str, content: object) -> str:
    """A file by its address or its identifier: what a phone shows of it."""
    link, identifier = member(content, "link", kind), member(content, "id", kind)
    if (link is None) == (identifier is None):
        raise Wrong(131008, f"Parameter '{kind}' requires either 'link' or 'id'.")
    if link is not None and not _fetchable(link):
        raise Wrong(131009, f"{kind}.link: the media must be at an address of http or https")
    name = member(content, "filename", kind)
    if name is not None and kind != "document":
        raise Wrong(100, f'Unexpected key "filename" on param "{kind}".')
    named = f" {text(name, 'document.filename', MAX_FILENAME)}" if name is not None else ""
    return f"[{kind} {link or identifier}{named}]"


def _fetchable(link: object) -> bool:
    if not isinstance(link, str):
        return False
    parts = urlsplit(link)
    return parts.scheme in ("http", "https") and bool(parts.hostname)
