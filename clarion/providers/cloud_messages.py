"""WhatsApp Cloud API: the body of a request for each kind of content.

Shapes follow Meta's public reference (Messages; Interactive reply buttons messages; Interactive list
messages; Image, Video, Audio and Document messages; Template messages).
"""

from __future__ import annotations

from typing import Any

from clarion.domain.part import Attachment
from clarion.domain.said import SaidButton
from clarion.providers.contract import Interactive, Media, Parcel, Template, Text

Carried = Text | Template | Media | Interactive


def payload(parcel: Parcel, content: Carried) -> dict[str, Any]:
    """The request's body for one message."""
    body: dict[str, Any] = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "biz_opaque_callback_data": parcel.reference,
    }
    # A business-scoped user id (since 2026-04) is addressed by `recipient`; a number by `to`.
    if parcel.address.startswith("+"):
        body["to"] = parcel.address[1:]
    else:
        body["recipient"] = parcel.address
    return body | _said(content)


def _said(content: Carried) -> dict[str, Any]:
    if isinstance(content, Text):
        return {"type": "text", "text": {"body": content.body, "preview_url": False}}
    if isinstance(content, Media):
        file = _file(content.url, content.filename)
        file |= {"caption": content.caption} if content.caption else {}
        return {"type": content.media, content.media: file}
    if isinstance(content, Interactive):
        return {"type": "interactive", "interactive": _interactive(content)}
    return {"type": "template", "template": _template(content)}


def _file(url: str, filename: str | None) -> dict[str, str]:
    return {"link": url} | ({"filename": filename} if filename else {})


def _head(header: str | Attachment) -> dict[str, Any]:
    """What stands above a text: as a header of its own, and as the parameter of a template's."""
    if isinstance(header, str):
        return {"type": "text", "text": header}
    return {"type": header.media, header.media: _file(header.url, header.filename)}


def _interactive(content: Interactive) -> dict[str, Any]:
    said: dict[str, Any] = {"type": "list" if content.menu else "button", "body": {"text": content.text}}
    if content.header:
        said["header"] = _head(content.header)
    if content.footer:
        said["footer"] = {"text": content.footer}
    if content.menu is None:
        replies = [{"id": button.id, "title": button.title} for button in content.buttons]
        said["action"] = {"buttons": [{"type": "reply", "reply": reply} for reply in replies]}
    else:
        sections = [section.model_dump(exclude_none=True) for section in content.menu.sections]
        said["action"] = {"button": content.menu.label, "sections": sections}
    return said


def _template(content: Template) -> dict[str, Any]:
    components: list[dict[str, Any]] = []
    if content.header:
        components.append({"type": "header", "parameters": [_head(content.header)]})
    if content.parameters:
        parameters = [{"type": "text", "text": value} for value in content.parameters]
        components.append({"type": "body", "parameters": parameters})
    components += [_button(button) for button in content.buttons]
    template: dict[str, Any] = {"name": content.name, "language": {"code": content.language}}
    return template | ({"components": components} if components else {})


# A button's kind → the type of its parameter, which is also the member that holds it.
_FILLED_WITH = {"url": "text", "quick_reply": "payload", "copy_code": "coupon_code"}


def _button(button: SaidButton) -> dict[str, Any]:
    filled = _FILLED_WITH[button.kind]
    parameters = [{"type": filled, filled: button.value}]
    index = str(button.index)
    return {"type": "button", "sub_type": button.kind, "index": index, "parameters": parameters}
