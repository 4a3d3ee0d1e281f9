"""What stands in the body of a request, checked as RapidPro checks it. All raise Complaint."""

from __future__ import annotations

from typing import Any

import orjson

from clarion.sandbox.rapidpro.complaints import Complaint, wrong, wrong_together

MOST_LISTED = 100
Body = dict[str, Any]


def read(raw: bytes) -> Body:
    try:
        body = orjson.loads(raw or b"{}")
    except ValueError as error:
        raise Complaint(400, {"detail": f"JSON parse error - {error}"}) from error
    if not isinstance(body, dict):
        raise wrong_together("Request body should be a single JSON object")
    return body


def text(body: Body, name: str, longest: int) -> str:
    """A text that must be there."""
    given = body.get(name)
    if given is None:
        raise wrong(name, "This field is required." if name not in body else "This field may not be null.")
    if not isinstance(given, str):
        raise wrong(name, "Not a valid string.")
    if not given.strip():
        raise wrong(name, "This field may not be blank.")
    if len(given) > longest:
        raise wrong(name, f"Ensure this field has no more than {longest} characters.")
    return given.strip()


def optional(body: Body, name: str, longest: int, before: str | None) -> str | None:
    """A text that may be left out (then it stays) or be null."""
    if name not in body:
        return before
    return None if body[name] is None or body[name] == "" else text(body, name, longest)


def choice(body: Body, name: str, choices: tuple[str, ...]) -> str:
    given = text(body, name, 100)
    if given not in choices:
        raise wrong(name, f'"{given}" is not a valid choice.')
    return given


def number(body: Body, name: str, least: int, most: int) -> int:
    given = body.get(name)
    if given is None:
        raise wrong(name, "This field is required.")
    if isinstance(given, bool) or not isinstance(given, int):
        raise wrong(name, "A valid integer is required.")
    if given < least:
        raise wrong(name, f"Ensure this value is greater than or equal to {least}.")
    if given > most:
        raise wrong(name, f"Ensure this value is less than or equal to {most}.")
    return given


def listed(body: Body, name: str) -> list[str]:
    """Texts, at most 100."""
    given = body.get(name)
    if not isinstance(given, list):
        raise wrong(name, "This field is required." if given is None else "Expected a list of items.")
    if len(given) > MOST_LISTED:
        raise wrong(name, f"Ensure this field has no more than {MOST_LISTED} elements.")
    if not all(isinstance(one, str) for one in given):
        raise wrong(name, "Not a valid string.")
    return given
