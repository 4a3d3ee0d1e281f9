"""What becomes of whom a campaign finds outside the service window: declared once, for all that it says.

Where nothing is declared, they are told what is given for outside, and skipped where that is nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from clarion.domain.content import Content, Variant
from clarion.domain.saying import FREE
from clarion.errors import Problem

REASON = "outside_window"
"""Of who is skipped, of who waits, and of who did not write before it expired."""


class Outside(StrEnum):
    """What a campaign declares."""

    TEMPLATE = "template"  # they are told what is given for outside, and there must be something
    WAIT = "wait"  # it waits until they write, or until it expires
    SKIP = "skip"  # it is not sent


def problems(
    content: Content, declared: Outside | None, windowed: str, *, templates: bool = True
) -> list[Problem]:
    """What in the content does not go with what is declared, over the kind of channel `windowed`, which has a
    service window; `templates`: it carries templates. Places are of a campaign: "content.variants[0]…".
    """
    here = [(n, v) for n, v in enumerate(content.variants) if v.channel_kind in (None, windowed)]
    if declared is Outside.TEMPLATE:
        return [_nothing(n, windowed, templates=templates) for n in _without(here)]
    if declared is None:
        return []
    return [
        Problem(
            f"content.variants[{n}].outside",
            f'with outside_window "{declared}" nothing is said outside the service window',
            'Take it out, or declare "template".',
        )
        for n, variant in here
        if variant.outside is not None
    ]


def _without(here: Iterable[tuple[int, Variant]]) -> list[int]:
    """The first variant of each language in which nothing can be said outside the window."""
    first: dict[str | None, int] = {}
    said = set()
    for n, variant in here:
        first.setdefault(variant.language, n)
        form = variant.content or variant.outside
        if form is not None and not isinstance(form, FREE):
            said.add(variant.language)
    return [n for language, n in first.items() if language not in said]


def _nothing(n: int, windowed: str, *, templates: bool) -> Problem:
    what = 'with outside_window "template" something must be said outside the service window'
    hint = (
        'Give a template there, or declare "wait" or "skip".'
        if templates
        else f'Nothing goes over {windowed} then: declare "wait" or "skip".'
    )
    return Problem(f"content.variants[{n}].outside", what, hint)
