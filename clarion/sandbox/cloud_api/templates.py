"""Templates: as a message calls them, as they are judged, and as they are listed.

Shapes and codes follow Meta's public reference (Template messages; Template management; Error codes).
"""

from __future__ import annotations

import re
from typing import Any

from clarion.sandbox.cloud_api.checks import Wrong, file
from clarion.sandbox.config import Config, Template
from clarion.sandbox.dialect import Choice, Filled, Refusal, Submission
from clarion.sandbox.head import Head
from clarion.sandbox.record import KINDS
from clarion.sandbox.world import Number

_PLACE = re.compile(r"\{\{(\d{1,4})\}\}")
_STATUS_CODES = {"PAUSED": 132015, "DISABLED": 132016}
_COMPONENTS = Wrong(132012, "components must be a list of {type, parameters}.").refusal
_FIELDS = "id,name,language,status,category,components"


def read(content: object, submission: Submission) -> None:
    """A message that calls a template. Raises Wrong."""
    if not isinstance(content, dict) or not isinstance(content.get("name"), str) or not content["name"]:
        raise Wrong(131008, "Parameter 'template.name' is missing.")
    language = content.get("language")
    code = language.get("code") if isinstance(language, dict) else None
    if not isinstance(code, str) or not code:
        raise Wrong(131008, "Parameter 'template.language.code' is missing.")
    filled = Filled(content["name"], code)
    values = [one for component in _listed(content) for one in _parameters(component, filled)]
    known = (submission.number.templates or {}).get((filled.name, code))
    submission.kind, submission.template = KINDS.index("template"), filled
    submission.text = _shown(filled, values, known)
    submission.choices = _choices(filled, known)


def _listed(content: dict[str, Any]) -> list[dict[str, Any]]:
    components = content.get("components", [])
    if not isinstance(components, list) or not all(isinstance(one, dict) for one in components):
        raise Wrong(_COMPONENTS.code, _COMPONENTS.details)
    return components


def _parameters(component: dict[str, Any], filled: Filled) -> list[tuple[str, str]]:
    """A component's parameters in order, as (component, what the phone shows); noted in `filled`."""
    parameters, part = component.get("parameters", []), str(component.get("type", "")).lower()
    if not isinstance(parameters, list):
        raise Wrong(_COMPONENTS.code, _COMPONENTS.details)
    values: list[tuple[str, str]] = []
    for parameter in parameters:
        if not isinstance(parameter, dict) or not isinstance(parameter.get("type"), str):
            raise Wrong(_COMPONENTS.code, _COMPONENTS.details)
        kind = parameter["type"].lower()
        shown = parameter.get(kind)
        if shown is None:
            raise Wrong(131008, f"A parameter of the template lacks its {kind!r}.")
        if part == "header":
            filled.header = kind
        values.append((part, file(kind, shown) if isinstance(shown, dict) and kind in _FILES else str(shown)))
    if part == "body":
        filled.body = len(values)
    elif part == "button":
        index, kind = str(component.get("index", "")), str(component.get("sub_type", "")).lower()
        if not index.isdigit() or not values:
            raise Wrong(131008, "A button component needs an index and a parameter.")
        filled.buttons[int(index)] = (kind, values[0][1])
    return values


_FILES = frozenset(("image", "video", "document"))


def _shown(filled: Filled, values: list[tuple[str, str]], known: Template | None) -> str:
    body = [value for part, value in values if part == "body"]
    if known is None or known.body is None:
        return " | ".join([f"{filled.name} ({filled.language})", *(value for _, value in values)])
    above = [value for part, value in values if part == "header"]
    told = _PLACE.sub(lambda place: _fill(place, body), known.body)
    return "\n".join([*above, told])


def _fill(place: re.Match[str], values: list[str]) -> str:
    which = int(place[1])
    return values[which - 1] if 1 <= which <= len(values) else place[0]


def _choices(filled: Filled, known: Template | None) -> tuple[Choice, ...]:
    """Its quick replies: what they bring back is their text where the message gave them nothing else."""
    given = {index: value for index, (kind, value) in filled.buttons.items() if kind == "quick_reply"}
    if known is None:
        return tuple(Choice("template", value, value) for _, value in sorted(given.items()))
    return tuple(
        Choice("template", given.get(index, button.text), button.text)
        for index, button in enumerate(known.buttons)
        if button.type == "QUICK_REPLY"
    )


# --- judged


def objection(number: Number, filled: Filled) -> Refusal | None:
    """Why the service would not send this template so; None where it would, or where any is known."""
    if number.templates is None:
        return None
    known = number.templates.get((filled.name, filled.language))
    if known is None:
        return Refusal(132001, f"template name ({filled.name}) does not exist in {filled.language}")
    if known.status != "APPROVED":
        code = _STATUS_CODES.get(known.status, 132001)
        return Refusal(code, f"template name ({filled.name}) is {known.status.lower()}")
    if known.parameters is not None and known.parameters != filled.body:
        return Refusal(132000, _counted("body", filled.body, known.parameters))
    return _header_objection(known, filled) or _button_objection(known, filled)


def _header_objection(known: Template, filled: Filled) -> Refusal | None:
    if known.header in ("IMAGE", "VIDEO", "DOCUMENT"):
        if filled.header.upper() == known.header:
            return None
        received = filled.header.upper() or "UNKNOWN"
        return Refusal(132012, f"header: Format mismatch, expected {known.header}, received {received}")
    places = len(set(_PLACE.findall(known.header or "")))
    given = 1 if filled.header else 0
    if filled.header not in ("", "text"):
        return Refusal(132012, f"header: Format mismatch, expected TEXT, received {filled.header.upper()}")
    return None if places == given else Refusal(132000, _counted("header", given, places))


def _button_objection(known: Template, filled: Filled) -> Refusal | None:
    for index, button in enumerate(known.buttons):
        if index not in filled.buttons and button.needs:
            what = f"buttons: Button at index {index} of type {button.type.title()} requires a parameter"
            return Refusal(131008, what)
    for index, (kind, _) in filled.buttons.items():
        fitting = known.buttons[index].takes if index < len(known.buttons) else ""
        if kind != fitting:
            return Refusal(
                131009, f"buttons: Button at index {index} takes {fitting or 'nothing'}, not {kind}"
            )
    return None


def _counted(part: str, given: int, expected: int) -> str:
    return (
        f"{part}: number of localizable_params ({given}) does not match the expected"
        f" number of params ({expected})"
    )


# --- listed


def listed(head: Head, account: str, config: Config) -> dict[str, Any] | Refusal:
    """A page of an account's templates, as `GET /{account}/message_templates` answers it."""
    own = [one.tokens or () for one in config.numbers.values() if one.business_account_id == account]
    tokens = {*config.tokens, *(token for some in own for token in some)}
    if head.headers.get("authorization", "").removeprefix("Bearer ") not in tokens:
        return Refusal(190)
    if head.method != "GET":
        return Refusal(100, f"Unsupported {head.method.lower()} request.")
    found = _of_account(account, config)
    if found is None:
        return Refusal(100, f"Object with ID '{account}' does not exist.", subcode=33)
    after, limit = head.first("after") or "0", head.first("limit") or "25"
    if not after.isdigit() or not limit.isdigit() or not 1 <= int(limit) <= 1000:
        return Refusal(100, "Invalid parameter: limit or after.")
    start, end = int(after), int(after) + int(limit)
    wanted = {"id", *(head.first("fields") or _FIELDS).split(",")}
    page = [_described(n, one, wanted) for n, one in enumerate(found[start:end], start)]
    paging: dict[str, Any] = {"cursors": {"before": str(start), "after": str(min(end, len(found)))}}
    if end < len(found):
        paging["next"] = f"https://graph.sandbox.example/{account}/message_templates?after={end}"
    return {"data": page, "paging": paging} if page else {"data": []}


def _of_account(account: str, config: Config) -> list[Template] | None:
    lists = [
        own.templates if own.templates is not None else config.templates
        for own in config.numbers.values()
        if (own.business_account_id or config.business_account_id) == account
    ]
    if account == config.business_account_id:
        lists.append(config.templates)
    if not lists:
        return None
    return list({(one.name, one.language): one for some in lists for one in some or ()}.values())


def _described(number: int, one: Template, wanted: set[str]) -> dict[str, Any]:
    places = " ".join(f"{{{{{n + 1}}}}}" for n in range(one.parameters or 0))
    components: list[dict[str, Any]] = []
    if one.header in ("IMAGE", "VIDEO", "DOCUMENT"):
        components.append({"type": "HEADER", "format": one.header})
    elif one.header:
        components.append({"type": "HEADER", "format": "TEXT", "text": one.header})
    components.append({"type": "BODY", "text": one.body or f"{one.name} {places}".rstrip()})
    if one.buttons:
        buttons = [button.model_dump(exclude_none=True) for button in one.buttons]
        components.append({"type": "BUTTONS", "buttons": buttons})
    whole = {
        "id": str(590000000000000 + number), "name": one.name, "language": one.language,
        "status": one.status, "category": one.category, "parameter_format": one.parameter_format,
        "components": components,
    }  # fmt: skip
    return {name: value for name, value in whole.items() if name in wanted}
