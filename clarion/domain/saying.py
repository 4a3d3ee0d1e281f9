"""From content to what one person is told: the form that is theirs, and the values that it reads.

`rendering` renders it; `sayable` checks it when it is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo

from clarion.domain.content import (
    Content,
    FlowStartForm,
    Form,
    InteractiveForm,
    MailForm,
    MediaForm,
    PushForm,
    TemplateForm,
    TextForm,
    Variant,
)
from clarion.domain.field import FieldType
from clarion.domain.language import choose_language
from clarion.domain.refusal import Refusal
from clarion.domain.required import ROOTS
from clarion.domain.template import compile_template

LONGEST_PARAMETER = 1024
LONGEST_SUBJECT = 255
LONGEST_HTML = 64_000
LONGEST_TITLE = 200
LONGEST_VALUE = 1024
LONGEST_FLOW_VALUE = 640  # what is longer RapidPro cuts off and says nothing
LONGEST_FLOW_PARAMS = 9_000  # all of them with their names; RapidPro takes 10,000
# WhatsApp's: of captions, of what stands above and below a text, of texts over buttons and over a menu, and
# of what a template's button takes, by its kind.
LONGEST_CAPTION = 1024
LONGEST_LINE = 60
LONGEST_OVER_BUTTONS, LONGEST_OVER_MENU = 1024, 4096
LONGEST_IN_BUTTON = {"url": 2000, "quick_reply": 256, "copy_code": 15}
TEXT_LIMITS: Mapping[str, int] = {"whatsapp": 4096, "messenger": 2000, "sms": 1600}
"""Characters of one text by kind of channel; a provider's own `text_limit` goes before these."""

PERSON = ROOTS[:2]
"""What templates call the person who is spoken to."""
Sources = list[tuple[str, str, int | None]]
FREE = (TextForm, MediaForm, InteractiveForm)
"""What a provider takes within the service window only."""

NO_VARIANT = Refusal("no_content", "nothing is said on this kind of channel", "add a variant for it")
OUTSIDE_WINDOW = Refusal(
    "outside_window", "outside the service window, and nothing is said there", "add a template for outside"
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The form for one person, and the language of its variant (None: of whoever has no better one)."""

    form: Form
    language: str | None


def choose(
    content: Content,
    *,
    contact_language: str | None,
    workspace_language: str | None,
    channel_kind: str,
    in_window: bool,
) -> Chosen | Refusal:
    """What is said to one person now.

    Of the variants that can be said on this kind of channel now, the language is the contact's, else the
    workspace's (each with its fallbacks), else that of the variant without a language, else the first.
    Within a language the variant for this kind of channel goes before the one for all. `in_window` is
    true inside the service window, and wherever a channel has none: where it is false, free text cannot
    be said. Refusals: `no_content`, `outside_window`.
    """
    here = [v for v in content.variants if v.channel_kind in (None, channel_kind)]
    if not here:
        return NO_VARIANT
    sayable = [(v, form) for v in here if (form := _form(v, in_window=in_window)) is not None]
    if not sayable:
        return OUTSIDE_WINDOW
    languages = [v.language for v, _ in sayable if v.language is not None]
    language = choose_language((contact_language, workspace_language), languages)
    same = [pair for pair in sayable if pair[0].language == language]
    if not same:  # nobody's language, and no variant is for everybody
        language = sayable[0][0].language
        same = [pair for pair in sayable if pair[0].language == language]
    variant, form = next((pair for pair in same if pair[0].channel_kind == channel_kind), same[0])
    return Chosen(form, variant.language)


def variables(content: Content) -> frozenset[str]:
    """The paths that any of the content's templates reads ("contact.name"): only these need be fetched.

    Raises Invalid for content that `check_content` would refuse as broken.
    """
    forms = (form for variant in content.variants for _, form in variant.forms)
    found = (compile_template(source).variables for form in forms for _, source, _ in sources(form))
    return frozenset().union(*found)


def in_a_manner(content: Content) -> bool:
    """Whether any of its templates writes dates, times or numbers as a person's language does.

    Raises Invalid as `variables` does.
    """
    forms = (form for variant in content.variants for _, form in variant.forms)
    return any(compile_template(source).written for form in forms for _, source, _ in sources(form))


def contact_values(
    wanted: Iterable[str], stored: Mapping[str, object], types: Mapping[str, FieldType], zone: tzinfo
) -> dict[str, dict[str, object]]:
    """The values that templates get: {"contact": {"name": "Amina"}}; what an alert's call the `recipient` is
    the same.

    `wanted` are paths (`variables`), `stored` the contact's attributes and fields by key in their stored
    form, `types` the declared types. Moments are given as local time of `zone`, the contact's own. What is
    missing is left out.
    """
    found: dict[str, dict[str, object]] = {"contact": {}}
    for path in wanted:
        root, _, key = path.partition(".")
        value = stored.get(key) if root in PERSON else None
        if value is None or value == "":
            continue
        if types.get(key) is FieldType.DATETIME and isinstance(value, str):
            value = datetime.fromisoformat(value).astimezone(zone).isoformat(timespec="seconds")
        found.setdefault(root, {})[key] = value
    return found


def case_values(wanted: Iterable[str], case: Mapping[str, object]) -> dict[str, object]:
    """Of what is known of a case, with what it is linked to, what the `wanted` paths read: {"name": …,
    "parent": {"name": …}} for "case.name" and "case.parent.name". What is missing is left out."""
    found: dict[str, object] = {}
    for path in wanted:
        root, *keys = path.split(".")
        if root == "case" and keys:
            _copy(keys, case, found)
    return found


def _copy(keys: list[str], source: Mapping[str, object], target: dict[str, object]) -> None:
    key, *rest = keys
    value = source.get(key)
    if value is None or value == "":
        return
    if not rest:
        target[key] = value
    elif isinstance(value, Mapping):
        inner = target.setdefault(key, {})
        if isinstance(inner, dict):
            _copy(rest, value, inner)


def _form(variant: Variant, *, in_window: bool) -> Form | None:
    form = variant.content or (variant.inside if in_window else variant.outside)
    return None if isinstance(form, FREE) and not in_window else form


def sources(form: Form) -> Sources:
    """The templates of a form: their place, their source, the longest that it may be (None: a text's)."""
    match form:
        case TextForm():
            return [("text", form.text, None)]
        case TemplateForm():
            return _of_template(form)
        case MediaForm():
            return [] if form.caption is None else [("caption", form.caption, LONGEST_CAPTION)]
        case InteractiveForm():
            return _of_interactive(form)
        case MailForm():
            html = [] if form.html is None else [("html", form.html, LONGEST_HTML)]
            return [("subject", form.subject, LONGEST_SUBJECT), ("text", form.text, None), *html]
        case PushForm():
            data = [(f"data.{key}", source, LONGEST_VALUE) for key, source in sorted(form.data.items())]
            return [("title", form.title, LONGEST_TITLE), ("body", form.body, None), *data]
        case FlowStartForm():
            return [(f"params.{key}", form.params[key], LONGEST_FLOW_VALUE) for key in sorted(form.params)]
        case _:
            return []


def _of_template(form: TemplateForm) -> Sources:
    found: Sources = [(f"parameters[{n}]", one, LONGEST_PARAMETER) for n, one in enumerate(form.parameters)]
    if isinstance(form.header, str):
        found.append(("header", form.header, LONGEST_LINE))
    return found + [
        (f"buttons[{n}].value", button.value, LONGEST_IN_BUTTON[button.kind])
        for n, button in enumerate(form.buttons or ())
    ]


def _of_interactive(form: InteractiveForm) -> Sources:
    found: Sources = [("text", form.text, LONGEST_OVER_BUTTONS if form.buttons else LONGEST_OVER_MENU)]
    lines = (("header", form.header), ("footer", form.footer))
    return found + [(place, line, LONGEST_LINE) for place, line in lines if isinstance(line, str)]
