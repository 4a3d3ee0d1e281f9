"""Messages with replies to tap: buttons and lists; other kinds are taken with their content unread."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from clarion.sandbox.cloud_api.checks import Wrong, file, items, member, text
from clarion.sandbox.dialect import Choice

MAX_OVER_BUTTONS, MAX_OVER_LIST, MAX_LINE = 1024, 4096, 60
MAX_BUTTONS, MAX_SECTIONS, MAX_ROWS = 3, 10, 10
_UNREAD = frozenset(("cta_url", "flow", "location_request_message", "address_message", "product"))


def interactive(content: object) -> tuple[str, tuple[Choice, ...]]:
    """What the phone shows, and what may be tapped there. Raises Wrong."""
    kind = member(content, "type", "interactive")
    if kind in _UNREAD:
        return f"interactive {orjson.dumps(content).decode()}", ()
    if kind not in ("button", "list"):
        raise Wrong(131008 if kind is None else 131009, "interactive.type must be 'button' or 'list'.")
    longest = MAX_OVER_BUTTONS if kind == "button" else MAX_OVER_LIST
    body = text(
        member(member(content, "body", "interactive"), "text", "interactive.body"), "body.text", longest
    )
    header = _header(member(content, "header", "interactive"), only_text=kind == "list")
    footer = member(content, "footer", "interactive")
    below = "" if footer is None else text(member(footer, "text", "footer"), "footer.text", MAX_LINE)
    action = member(content, "action", "interactive")
    choices = _buttons(action) if kind == "button" else _rows(action)
    lines = [header, body, below, *(f"[{choice.title}]" for choice in choices)]
    return "\n".join(line for line in lines if line), choices


def _header(header: object, *, only_text: bool) -> str:
    if header is None:
        return ""
    kind = member(header, "type", "header")
    if kind == "text":
        return text(member(header, "text", "header"), "header.text", MAX_LINE)
    if only_text or kind not in ("image", "video", "document"):
        raise Wrong(131009, f"Parameter value is not valid: header.type {kind}")
    return file(str(kind), member(header, str(kind), "header"))


def _buttons(action: object) -> tuple[Choice, ...]:
    choices = []
    for button in items(member(action, "buttons", "action"), "action.buttons", MAX_BUTTONS):
        if member(button, "type", "buttons") != "reply":
            raise Wrong(131009, "Parameter value is not valid: buttons.type")
        reply = member(button, "reply", "buttons")
        title = text(member(reply, "title", "buttons.reply"), "buttons.reply.title", 20)
        choices.append(Choice("button", _id(reply, "buttons.reply", 256), title))
    _each_once("buttons.reply.title", [choice.title for choice in choices])
    _each_once("buttons.reply.id", [choice.payload for choice in choices])
    return tuple(choices)


def _rows(action: object) -> tuple[Choice, ...]:
    text(member(action, "button", "action"), "action.button", 20)
    sections = items(member(action, "sections", "action"), "action.sections", MAX_SECTIONS)
    choices = []
    for section in sections:
        title = member(section, "title", "sections")
        if title is not None or len(sections) > 1:
            text(title, "sections.title", 24)
        for row in items(member(section, "rows", "sections"), "sections.rows", MAX_ROWS):
            said = text(member(row, "title", "rows"), "rows.title", 24)
            more = member(row, "description", "rows")
            described = "" if more is None else text(more, "rows.description", 72)
            choices.append(Choice("list", _id(row, "rows", 200), said, described))
    if len(choices) > MAX_ROWS:
        raise Wrong(131009, f"action.sections: invalid count of rows. Min: 1, Max: {MAX_ROWS}")
    _each_once("rows.id", [choice.payload for choice in choices])
    return tuple(choices)


def _id(holder: object, where: str, longest: int) -> str:
    found = text(member(holder, "id", where), f"{where}.id", longest)
    if found != found.strip():
        raise Wrong(131009, f"{where}.id: no spaces may stand around it")
    return found


def _each_once(where: str, values: Sequence[str]) -> None:
    if len(set(values)) < len(values):
        raise Wrong(131009, f"Parameter value is not valid: {where} is there twice")
