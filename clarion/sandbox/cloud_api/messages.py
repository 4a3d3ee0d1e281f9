"""A request to send, read as WhatsApp reads it: a submission, or what is wrong with it.

Limits follow Meta's public reference (Messages; Interactive reply buttons messages; Interactive list
messages; Image, Video, Audio and Document messages).
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from clarion.sandbox.cloud_api import templates
from clarion.sandbox.cloud_api.checks import Wrong, file, text
from clarion.sandbox.cloud_api.interactive import interactive
from clarion.sandbox.dialect import Refusal, Submission
from clarion.sandbox.record import INTERACTIVE, KINDS, MEDIA
from clarion.sandbox.world import Number

MAX_TEXT = 4096
MAX_CAPTION = 1024
MAX_REFERENCE = 512
_USER_ID = re.compile(r"[A-Z]{2}\.[A-Za-z0-9.]{1,128}")  # a business-scoped user id
_PUNCTUATION = str.maketrans("", "", "+-() ")
_FILES = frozenset(("image", "audio", "video", "document"))
_UNREAD = frozenset(("sticker", "location", "contacts", "reaction"))


def read(document: object, number: Number) -> Submission | Refusal:
    """A submission out of a decoded body, or what is wrong with it."""
    try:
        if not isinstance(document, dict):
            raise Wrong(100, "The body must be a JSON object.")
        if document.get("messaging_product") != "whatsapp":
            raise Wrong(100, "The parameter messaging_product is required and must be 'whatsapp'.")
        given, to = _recipient(document)
        reference = document.get("biz_opaque_callback_data", "")
        if not isinstance(reference, str) or len(reference) > MAX_REFERENCE:
            what = f"biz_opaque_callback_data must be a string of at most {MAX_REFERENCE} characters."
            raise Wrong(100, what)
        submission = Submission(number, to, reference, 0, "", given)
        _read_content(document, submission)
        return submission
    except Wrong as wrong:
        return wrong.refusal


def _recipient(document: dict[str, Any]) -> tuple[str, str]:
    """As it was written, and as the record has it."""
    given = document.get("to") or document.get("recipient")
    if given is None:
        raise Wrong(131008, "Parameter 'to' is missing.")
    if not isinstance(given, str):
        raise Wrong(100, "'to' must be a string.")
    to = given if given.isdigit() else given.translate(_PUNCTUATION)
    if to.isascii() and to.isdigit() and 5 <= len(to) <= 20:
        return given, to
    if not _USER_ID.fullmatch(given):
        raise Wrong(131009, "Parameter value is not valid: to")
    return given, given


def _read_content(document: dict[str, Any], submission: Submission) -> None:
    kind = document.get("type", "text")
    content = document.get(kind) if isinstance(kind, str) else None
    if kind == "text":
        body = content.get("body") if isinstance(content, dict) else None
        if not isinstance(body, str) or not body:
            raise Wrong(131008, "Parameter 'text.body' is missing.")
        if len(body) > MAX_TEXT:
            raise Wrong(100, f"Param text['body'] must be at most {MAX_TEXT} characters long.")
        submission.text = body
    elif kind == "template":
        templates.read(content, submission)
    elif kind in _FILES:
        submission.kind, submission.text = MEDIA, _file(kind, content)
    elif kind == "interactive":
        submission.kind = INTERACTIVE
        submission.text, submission.choices = interactive(content)
    elif isinstance(kind, str) and kind in _UNREAD and content is not None:
        submission.kind = KINDS.index("other")
        submission.text = f"{kind} {orjson.dumps(content).decode()}"
    else:
        raise Wrong(131051, "Message type is not supported, or its content is missing.")


def _file(kind: str, content: object) -> str:
    """What the phone shows of a file."""
    shown = file(kind, content)
    assert isinstance(content, dict)
    if kind == "audio" and "caption" in content:
        raise Wrong(100, 'Unexpected key "caption" on param "audio".')
    if content.get("caption") is None:
        return shown
    return f"{shown} {text(content['caption'], f'{kind}.caption', MAX_CAPTION)}"


def whose(document: object) -> tuple[str, str]:
    """The person and the reference of a request that is not valid, as far as it names them."""
    if not isinstance(document, dict):
        return "", ""
    to = document.get("to") or document.get("recipient")
    reference = document.get("biz_opaque_callback_data")
    return (to[:64] if isinstance(to, str) else ""), (
        reference[:MAX_REFERENCE] if isinstance(reference, str) else ""
    )
