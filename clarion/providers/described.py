"""How an aggregator's HTTP interface is described in a channel's `options`, and what that means.

A description holds no code and no regular expressions: values go into declared places, each escaped by the
kind of place it is, and come out of answers and calls by paths (`messages.0.id`). docs/generic-http.md
tells it to people.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Literal
from urllib.parse import quote
from xml.sax.saxutils import escape

import orjson
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from clarion.errors import Invalid, Problem
from clarion.providers.calling import encoded
from clarion.providers.contract import Answered, Evidence, Fault

SECRETS = ("token", "username", "password", "key")
OF_A_MESSAGE = ("to", "digits", "text", "hook")
EVERYWHERE = ("reference", "sender", "basic", *SECRETS)
_PLACE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_NO_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")

End = Literal["person", "opted_out", "content", "account", "too_fast", "not_processed", "refused", "unknown"]
ENDS: Mapping[str, tuple[Answered, Fault]] = {
    "person": (Answered.REFUSED, Fault.PERSON),
    "opted_out": (Answered.REFUSED, Fault.OPTED_OUT),
    "content": (Answered.LATER, Fault.CONTENT),
    "account": (Answered.LATER, Fault.ACCOUNT),
    "too_fast": (Answered.LATER, Fault.RATE),
    "not_processed": (Answered.LATER, Fault.PROVIDER),
    "refused": (Answered.REFUSED, Fault.PROVIDER),
    "unknown": (Answered.UNKNOWN, Fault.PROVIDER),
}
Path = str


class _Strict(BaseModel):
    """A misspelt name is an error, never silently nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Request(_Strict):
    """The one request that sends a message. At most one of `json`, `form` and `xml` is its body."""

    method: Literal["POST", "PUT", "GET"] = "POST"
    path: str = Field(default="", max_length=500, pattern=r"^(/[^\s?#]*)?$")
    query: dict[str, str] = Field(default_factory=dict)
    headers: dict[str, str] = Field(default_factory=dict)
    json_body: JsonValue = Field(default=None, alias="json")
    form: dict[str, str] | None = None
    xml: str | None = Field(default=None, max_length=10_000)
    # For how many seconds {reference} is known again, so that the same request is not processed twice.
    replays_for: float = Field(default=0.0, ge=0, le=30 * 86_400)

    @model_validator(mode="after")
    def _one_body(self) -> Request:
        bodies = [body for body in (self.json_body, self.form, self.xml) if body is not None]
        if len(bodies) > 1:
            raise ValueError("a request has one body: json, form or xml")
        if bodies and self.method == "GET":
            raise ValueError("a GET has no body: give its values as query")
        return self


class Rule(_Strict):
    """That the value at a path is one of these."""

    at: Path
    one_of: list[JsonValue] = Field(alias="is", min_length=1)


class Reply(_Strict):
    """How an answer says that the message was taken, and what it calls it."""

    status: list[int] = Field(default=[200, 201, 202], min_length=1)
    accepted: Rule | None = None
    id: Path | None = None
    code: Path | None = None


class Report(_Strict):
    """Where a receipt says what. Without `reference` it is the one in our own address (`{hook}`)."""

    each: Path | None = None
    reference: Path | None = None
    status: Path
    values: dict[str, Evidence] = Field(min_length=1)
    id: Path | None = None
    code: Path | None = None
    at: Path | None = None


class Message(_Strict):
    """Where a call says what a person wrote."""

    each: Path | None = None
    sender: Path = Field(alias="from")
    text: Path
    id: Path | None = None
    at: Path | None = None


class Proof(_Strict):
    """How a call to our hook is known: by the `key` in its address, by a header, or by a signature."""

    by: Literal["key", "header", "hmac"] = "key"
    name: str = Field(default="", max_length=100, pattern=r"^[A-Za-z0-9_-]*$")
    digest: Literal["sha1", "sha256", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = Field(default="", max_length=50)

    @model_validator(mode="after")
    def _named(self) -> Proof:
        if self.by != "key" and not self.name:
            raise ValueError("the header's name is needed")
        return self


class Description(_Strict):
    """A whole interface. `errors`: a code of the provider's, or `http_` and a status, → how it ends."""

    request: Request
    answer: Reply = Reply()
    errors: dict[str, End] = Field(default_factory=dict)
    receipt: Report | None = None
    reply: Message | None = None
    hook: Proof = Proof()


def described(options: Mapping[str, Any], where: str = "config.options") -> Description:
    """The description in a channel's options. Raises Invalid with every problem, and its place."""
    try:
        return _described(orjson.dumps(dict(options)))
    except ValidationError as error:
        problems = [Problem(_spelled(where, one["loc"]), one["msg"].removeprefix("Value error, "))
                    for one in error.errors(include_url=False, include_context=False)]  # fmt: skip
        raise Invalid(
            "the interface is not described", where=where, problems=tuple(problems),
            hint="docs/generic-http.md shows what stands where.",
        ) from None  # fmt: skip


@lru_cache(maxsize=1024)
def _described(options: bytes) -> Description:
    return Description.model_validate_json(options)


def check(options: Mapping[str, Any], where: str = "config.options") -> None:
    """What the shape alone does not say. Raises Invalid with every problem, and its place."""
    description = described(options, where)
    problems = [one for place, text, allowed in _texts(description.request, where)
                for one in _wrong_places(place, text, allowed)]  # fmt: skip
    used = placeholders(description.request)
    if description.receipt is not None and not used & {"reference", "hook"}:
        place = f"{where}.receipt"
        problems.append(Problem(place, "no receipt could be told from another: put {reference} or {hook} "
                                "into the request"))  # fmt: skip
    if description.receipt is not None and description.receipt.reference is None and "hook" not in used:
        place = f"{where}.receipt.reference"
        problems.append(Problem(place, "say where our reference is, or put {hook} into the request"))
    if description.request.replays_for and "reference" not in used:
        place = f"{where}.request.replays_for"
        problems.append(Problem(place, "what is known again must be given: put {reference} into the request"))
    if not used & {"to", "digits"} or "text" not in used:
        problems.append(Problem(f"{where}.request", "it needs {text}, and {to} or {digits}"))
    if problems:
        raise Invalid("the interface is not described", where=where, problems=tuple(problems))


# --- what goes in


def placeholders(request: Request) -> set[str]:
    """The names of all placeholders in a request."""
    found = (_PLACE.finditer(text) for _, text, _ in _texts(request, ""))
    return {match[1] for matches in found for match in matches if match[1] is not None}


def filled(text: str, values: Mapping[str, str], safe: Callable[[str], str] = str) -> str:
    """A text with its placeholders replaced, each value made safe for where the text stands."""

    def value(match: re.Match[str]) -> str:
        return safe(values[match[1]]) if match[1] is not None else match[0][0]

    return _PLACE.sub(value, text)


def in_path(text: str, values: Mapping[str, str]) -> str:
    return filled(quote(text, safe="/{}"), values, lambda value: quote(value, safe=""))


def in_pairs(pairs: Mapping[str, str], values: Mapping[str, str]) -> str:
    """A query or a form."""
    return encoded((name, filled(text, values)) for name, text in pairs.items())


def in_json(shape: JsonValue, values: Mapping[str, str]) -> JsonValue:
    """The same shape; only texts in it are filled, so no value can become another."""
    if isinstance(shape, str):
        return filled(shape, values)
    if isinstance(shape, list):
        return [in_json(one, values) for one in shape]
    if isinstance(shape, dict):
        return {name: in_json(one, values) for name, one in shape.items()}
    return shape


def in_xml(text: str, values: Mapping[str, str]) -> str:
    """Values are text or attributes; characters that XML cannot hold are left out."""
    return filled(text, values, lambda value: escape(_NO_XML.sub("", value), {'"': "&quot;", "'": "&apos;"}))


# --- what comes out


def at(document: object, path: Path | None) -> Any:
    """The value at a path of names and numbers with dots between; None when there is none."""
    for step in path.split(".") if path else ():
        if isinstance(document, Mapping):
            document = document.get(step)
        elif isinstance(document, list) and step.isdigit() and int(step) < len(document):
            document = document[int(step)]
        else:
            return None
    return document if path else None


def text_at(document: object, path: Path | None) -> str | None:
    """The same as text; None for what is no text, number or truth."""
    value = at(document, path)
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, (str, int, float)) else None


def document_of(body: bytes) -> object:
    """A body that is JSON as it is; any other as its `text`, and its `words` one by one."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        text = body.decode(errors="replace").strip()
        return {"text": text, "words": text.split()}


# --- checking


def _texts(request: Request, where: str) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Every text of a request that may hold placeholders: its place, itself, which ones."""
    place, anything = f"{where}.request", (*OF_A_MESSAGE, *EVERYWHERE)
    yield f"{place}.path", request.path, anything
    yield from ((f"{place}.headers.{name}", text, EVERYWHERE) for name, text in request.headers.items())
    yield from ((f"{place}.query.{name}", text, anything) for name, text in request.query.items())
    yield from ((f"{place}.form.{name}", text, anything) for name, text in (request.form or {}).items())
    yield from ((spot, text, anything) for spot, text in _leaves(f"{place}.json", request.json_body))
    if request.xml is not None:
        yield f"{place}.xml", request.xml, anything


def _leaves(place: str, shape: JsonValue) -> Iterator[tuple[str, str]]:
    if isinstance(shape, str):
        yield place, shape
    for name, one in shape.items() if isinstance(shape, dict) else ():
        yield from _leaves(f"{place}.{name}", one)
    for number, one in enumerate(shape if isinstance(shape, list) else ()):
        yield from _leaves(f"{place}[{number}]", one)


def _wrong_places(place: str, text: str, allowed: tuple[str, ...]) -> Iterator[Problem]:
    for match in _PLACE.finditer(text):
        if match[1] is None and len(match[0]) == 1:
            yield Problem(place, f"a single {match[0]}", "Write it twice where it is meant as it is.")
        elif match[1] is not None and match[1] not in allowed:
            known = ", ".join(f"{{{name}}}" for name in allowed)
            yield Problem(place, f"there is no {{{match[1][:40]}}} here", f"There are: {known}.")
    if ".headers." in place and re.search(r"[\x00-\x1f\x7f]", text):
        yield Problem(place, "a header is one line")


def _spelled(where: str, path: tuple[int | str, ...]) -> str:
    return where + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
