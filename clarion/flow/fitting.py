"""Whether what is said could be said over a provider."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from clarion.domain.content import Content
from clarion.domain.field import FieldType
from clarion.domain.refusal import Refusal
from clarion.domain.sayable import check_content
from clarion.domain.saying import choose
from clarion.domain.template import known_variables
from clarion.errors import Problem
from clarion.kit.db import Connection
from clarion.providers import registry
from clarion.providers.contract import Provider
from clarion.store import field as fields


async def content_problems(
    connection: Connection, content: Content, provider: Provider, known: Mapping[str, FieldType] | None = None
) -> list[Problem]:
    """What in the content could not be said over this provider, at `content…` or, of plain text, `text`.
    `known` are variables beside the contact's."""
    declared = {key: field.type for key, field in (await fields.declared(connection)).items()}
    found = check_content(
        content,
        {**known_variables(declared), **(known or {})},
        text_limit=provider.text_limit,
        byte_limit=registry.byte_limit(provider),
        has_window=provider.has_window,
        channel_kind=provider.name,
        kinds=provider.kinds,
        objection=partial(registry.objection, provider),
    )
    placed = [Problem(_place(content, p.where), p.what, p.hint) for p in found]
    if not placed:
        chosen = partial(
            choose, content, contact_language=None, workspace_language=None, channel_kind=provider.name
        )
        inside, outside = chosen(in_window=True), chosen(in_window=False)
        if isinstance(inside, Refusal) and isinstance(outside, Refusal):
            placed.append(inside.at("content"))
    return placed


def _place(content: Content, where: str) -> str:
    plain = "variants[0].content.text"
    if content == Content.of_text(_only_text(content)) and where.startswith(plain):
        return "text" + where.removeprefix(plain)
    return f"content.{where}"


def _only_text(content: Content) -> str:
    """The text of content that is nothing but a text; a blank otherwise."""
    form = content.variants[0].content
    return form.text if form is not None and form.kind == "text" else " "
