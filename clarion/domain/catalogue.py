"""The templates that a provider keeps for an account, and whether a form calls one of them rightly.

Shapes follow WhatsApp's (Message templates: components, parameter formats, status), which alone has them so
far. A template is known by its name and language. Pure.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from clarion.domain.content import Content, TemplateForm
from clarion.domain.part import Attachment
from clarion.domain.purpose import Purpose
from clarion.errors import Problem

APPROVED = "APPROVED"
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Shape:
    """What a template takes. `parameters` are those of its body, `named` where they have names in place of
    numbers. `header` is what stands above: nothing (""), text, image, video, document, or something else;
    `header_parameters` those of a text. `buttons` by their index: what each is filled with (a kind of
    `part.ButtonParameter`; a quick reply may be left), "" for nothing. `beyond` names a part that nothing of
    ours fills, such as a carousel."""

    parameters: int = 0
    named: bool = False
    header: str = ""
    header_parameters: int = 0
    buttons: tuple[str, ...] = ()
    beyond: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """A template as its provider keeps it; `category` and `status` are the provider's words, in capitals
    (MARKETING, UTILITY, AUTHENTICATION; APPROVED, PENDING, REJECTED, PAUSED, DISABLED …)."""

    name: str
    language: str
    category: str
    status: str
    shape: Shape = Shape()


def called(content: Content, channel_kind: str) -> list[tuple[str, TemplateForm]]:
    """The templates that content calls on this kind of channel, each by its place."""
    return [
        (f"variants[{number}].{place}", form)
        for number, variant in enumerate(content.variants)
        if variant.channel_kind in (None, channel_kind)
        for place, form in variant.forms
        if isinstance(form, TemplateForm)
    ]


def check(form: TemplateForm, where: str, kept: Sequence[Kept], purpose: Purpose) -> list[Problem]:
    """What keeps the provider from taking this for that purpose, by the templates that it keeps; empty when
    nothing does."""
    found = next((one for one in kept if (one.name, one.language) == (form.name, form.language)), None)
    if found is None:
        return [_not_there(form, where, kept)]
    if found.status != APPROVED:
        what = f"the template {form.name!r} in {form.language} is {found.status.lower()}, not approved"
        return [Problem(f"{where}.name", what, "The provider takes it once it has approved it.")]
    return [*_meant(found, where, purpose), *_filled(form, where, found.shape)]


def _meant(found: Kept, where: str, purpose: Purpose) -> list[Problem]:
    """A template is registered for a purpose (WhatsApp: template categories), and reviewed and paid as that.
    A survey may be either."""
    category, marketing = found.category.lower(), purpose is Purpose.MARKETING
    if category not in _WRONG or (purpose is Purpose.SURVEY and category != "authentication"):
        return []
    if category != "authentication" and (category == "marketing") == marketing:
        return []
    what = f"the template {found.name!r} is registered as {category}, and this is {purpose}"
    return [Problem(f"{where}.name", what, _WRONG[category])]


_WRONG = {
    "marketing": "Say purpose: marketing, or call a template that is registered as utility.",
    "utility": "Call a template that is registered as marketing, or say purpose: utility if it is none.",
    "authentication": "Such a template carries codes to log in with, and nothing else.",
}


def _not_there(form: TemplateForm, where: str, kept: Sequence[Kept]) -> Problem:
    languages = sorted(one.language for one in kept if one.name == form.name)
    if languages:
        what = f"the template {form.name!r} is not there in {form.language}"
        return Problem(f"{where}.language", what, f"It is there in {', '.join(languages)}.")
    names = sorted({one.name for one in kept})
    near = difflib.get_close_matches(form.name, names, n=3)
    hint = f"Did you mean {' or '.join(near)}?" if near else "The account has no templates."
    if names and not near:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        hint = f"There are: {', '.join(names[:_SHOWN])}{more}."
    return Problem(f"{where}.name", f"there is no template {form.name!r}", hint)


def _filled(form: TemplateForm, where: str, shape: Shape) -> list[Problem]:
    if shape.beyond:
        what = f"the template {form.name!r} has a part that is not filled from here: {shape.beyond}"
        return [Problem(f"{where}.name", what, "Take a template without it.")]
    problems = []
    if shape.named:
        what = f"the template {form.name!r} has parameters with names; only numbered ones are filled"
        problems.append(Problem(f"{where}.parameters", what, "Take one that says {{1}}, {{2}} …"))
    elif len(form.parameters) != shape.parameters:
        what = f"the template {form.name!r} takes {_count(shape.parameters)}; {len(form.parameters)} given"
        problems.append(
            Problem(f"{where}.parameters", what, "Give one for each place in its text, in order.")
        )
    return [*problems, *_header(form, where, shape), *_buttons(form, where, shape)]


def _header(form: TemplateForm, where: str, shape: Shape) -> list[Problem]:
    given = form.header.media if isinstance(form.header, Attachment) else "text" if form.header else ""
    needed = "" if shape.header == "text" and not shape.header_parameters else shape.header
    if given == needed:
        return []
    if not needed:
        what, hint = f"the template {form.name!r} takes nothing in its header", "Leave the header out."
    else:
        filling = "a text" if needed == "text" else f"{'an' if needed[0] in 'aeiou' else 'a'} {needed}"
        what = f"the template {form.name!r} has {filling} in its header; given: {given or 'nothing'}"
        hint = (
            "Give header: a text." if needed == "text" else 'Give header: {"media": …, "url": "https://…"}.'
        )
    return [Problem(f"{where}.header", what, hint)]


def _buttons(form: TemplateForm, where: str, shape: Shape) -> list[Problem]:
    problems = []
    for number, button in enumerate(form.buttons or ()):
        takes = shape.buttons[button.index] if button.index < len(shape.buttons) else None
        if takes != button.kind:
            what = f"button {button.index} of the template {form.name!r} " + (
                "is not there" if takes is None else f"takes {takes or 'nothing'}, not {button.kind}"
            )
            problems.append(Problem(f"{where}.buttons[{number}]", what, "Buttons are counted from 0."))
    given = {button.index for button in form.buttons or ()}
    for index, takes in enumerate(shape.buttons):
        if takes in ("url", "copy_code") and index not in given:
            what = f"button {index} of the template {form.name!r} takes a parameter, and none is given"
            hint = f'Give buttons: [{{"index": {index}, "kind": "{takes}", "value": …}}].'
            problems.append(Problem(f"{where}.buttons", what, hint))
    return problems


def _count(parameters: int) -> str:
    return {0: "no parameters", 1: "one parameter"}.get(parameters, f"{parameters} parameters")
