"""What of content could not be sent over a provider: told when it is written, each by its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from clarion.domain.content import AVAILABLE, Content, FlowStartForm, Form, PushForm, TextForm
from clarion.domain.field import FieldType
from clarion.domain.refusal import Refusal
from clarion.domain.rendering import not_available, render, too_long
from clarion.domain.saying import FREE, TEXT_LIMITS, sources
from clarion.domain.template import check, compile_template, samples
from clarion.errors import Problem


def check_content(
    content: Content,
    known: Mapping[str, FieldType],
    *,
    text_limit: int = max(TEXT_LIMITS.values()),
    byte_limit: int | None = None,
    has_window: bool = False,
    channel_kind: str | None = None,
    kinds: frozenset[str] = AVAILABLE,
    objection: Callable[[Form], Refusal | None] = lambda _: None,
) -> list[Problem]:
    """Everything in the content that could not be sent; empty when all of it can.

    `known` is what `template.known_variables` gives; the rest is the provider's: `channel_kind` its name,
    `kinds` what it carries, which every variant must be that could be said there, `byte_limit` (UTF-8) what
    a text or a whole push message may come to, `objection` what it does not carry of a kind that it does. A
    problem's place is a JSON path, and in a template the line and column of it: "variants[0].content.text,
    line 1 column 7".
    """
    problems: list[Problem] = []
    for number, variant in enumerate(content.variants):
        for place, form in variant.forms:
            where = f"variants[{number}].{place}"
            # without a service window, what is said outside of it is never said beside what is said inside
            unsaid = place == "outside" and not has_window and variant.inside is not None
            here = variant.channel_kind in (None, channel_kind) and not unsaid
            if form.kind in AVAILABLE and here and form.kind not in kinds:
                problems.append(_not_carried(form, channel_kind, kinds).at(where))
                continue
            if here and (refusal := objection(form)):
                problems.append(refusal.at(where))
                continue
            found = _check_form(form, where, known, text_limit)
            if not found and byte_limit is not None and here:
                found = [refusal.at(where) for refusal in _check_size(form, known, byte_limit)]
            problems += found
            if has_window and place == "outside" and isinstance(form, FREE):
                hint = "give a template: outside the service window nothing else is taken"
                what = "free text" if isinstance(form, TextForm) else f"content of the kind {form.kind!r}"
                problems.append(Problem(where, f"{what} outside the service window", hint))
    return problems


def _check_form(form: Form, where: str, known: Mapping[str, FieldType], text_limit: int) -> list[Problem]:
    if form.kind not in AVAILABLE:
        return [not_available(form).at(where)]
    problems = []
    for place, source, longest in sources(form):
        found = check(source, known)
        problems += [Problem(f"{where}.{place}, {p.where}", p.what, p.hint) for p in found]
        if not found:
            limit = text_limit if longest is None else longest
            problems += [p.at(f"{where}.{place}") for p in _check_length(source, known, limit)]
    if not problems and isinstance(form, FlowStartForm):
        problems = [refusal.at(where) for refusal in _check_size(form, known)]
    return problems


def _check_length(source: str, known: Mapping[str, FieldType], limit: int) -> list[Refusal]:
    """What is too long, or nothing at all, even with sample values in it."""
    template = compile_template(source)
    text = template.render(samples(template.variables, known))
    if isinstance(text, Refusal):
        return [text]
    if len(text.strip()) > limit:
        return [too_long(len(text.strip()), limit)]
    return [] if text.strip() or template.variables else [Refusal("empty_text", "nothing is said")]


def _check_size(form: Form, known: Mapping[str, FieldType], limit: int = 0) -> list[Refusal]:
    """Whether it is too big even with sample values in it, of a form that is right otherwise. `limit` is
    bytes, of what a provider weighs."""
    if not isinstance(form, TextForm | PushForm | FlowStartForm):
        return []
    paths = frozenset[str]().union(*(compile_template(source).variables for _, source, _ in sources(form)))
    said = render(form, samples(paths, known), text_limit=limit, byte_limit=limit)
    return [said] if isinstance(said, Refusal) and said.reason == "too_long" else []


def _not_carried(form: Form, channel_kind: str | None, kinds: frozenset[str]) -> Refusal:
    carried = " and ".join(sorted(kinds, reverse=True))
    return Refusal(
        "not_carried",
        f"a channel of {channel_kind} does not carry content of the kind {form.kind!r}",
        f"it carries {carried}; what is for other channels only names theirs as channel_kind",
    )
