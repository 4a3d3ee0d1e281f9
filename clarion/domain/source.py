"""A source: another system that cases come from. What it is asked, or how what it posts is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    AllowInfNan,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from clarion.domain.case import why_no_key
from clarion.domain.json_path import JsonPath, read_path
from clarion.domain.refusal import Refusal
from clarion.errors import Invalid, Problem

COMMCARE, INBOUND = "commcare", "inbound"
SHORTEST_SECRET, LONGEST_SECRET = 16, 1_000
NAME = "[a-z][a-z0-9_-]{0,62}"
Word = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
Scalar = str | int | Annotated[float, AllowInfNan(False)] | bool


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


M = TypeVar("M", bound=_Model)


def source_name(given: str) -> str:
    """A source's name, which stands in its address. Raises Invalid."""
    if not re.fullmatch(NAME, given):
        hint = "Small letters, digits, _ and -, beginning with a letter; at most 63."
        raise Invalid("this cannot be a source's name", where="name", hint=hint)
    return given


# --- CommCare


def _address(url: str) -> str:
    parts = urlsplit(url)
    wrong = not parts.hostname or parts.port == 0 or parts.username or parts.query or parts.fragment
    if parts.scheme not in ("http", "https") or wrong:
        raise ValueError("an address is as https://www.commcarehq.org, without a user or a question")
    return url.rstrip("/")


class CommCare(_Model):
    """A project of CommCare's whose cases are pulled: of these `types`, or of all where none is named;
    `page` of them a request. The user's API key is the source's secret."""

    base_url: Annotated[str, StringConstraints(max_length=500), AfterValidator(_address)] = (
        "https://www.commcarehq.org"
    )
    project: Word
    username: Word
    types: tuple[Word, ...] = Field(default=(), max_length=100)
    page: int = Field(default=500, ge=1, le=5_000)


# --- what posts here


class Take(_Model):
    """Where one value of a case comes from: a `path` into a record, or a `value` that is always the same.

    `values` says what each of them means here ("*": every other); null is no value. `unix`: a moment that is
    told as a number since 1970.
    """

    path: str | None = None
    value: Scalar | None = None
    values: dict[str, Scalar | None] | None = Field(default=None, max_length=1_000)
    unix: Literal["seconds", "milliseconds"] | None = None

    @model_validator(mode="after")
    def _one(self) -> Take:
        if (self.path is None) is (self.value is None):
            raise ValueError("say either a path or a value")
        if self.path is not None and isinstance(read := read_path(self.path), Refusal):
            raise ValueError(f"the path {self.path!r} {read.what}. {read.hint}".rstrip())
        return self

    @property
    def read(self) -> JsonPath | None:
        """The path, read; None where a value is given."""
        path = None if self.path is None else read_path(self.path)
        assert not isinstance(path, Refusal), "it was read before"
        return path


def _written(given: object) -> object:
    """A text alone is a path."""
    return {"path": given} if isinstance(given, str) else given


def _keys(given: dict[str, Take]) -> dict[str, Take]:
    for key in given:
        if (why := why_no_key(key)) is not None:
            raise ValueError(f"{key[:100]!r}: {why}")
    return given


def _records(text: str) -> str:
    if isinstance(read := read_path(text), Refusal):
        raise ValueError(f"the path {text!r} {read.what}. {read.hint}".rstrip())
    return text


From = Annotated[Take, BeforeValidator(_written)]
Many = Annotated[dict[str, From], Field(max_length=1_000), AfterValidator(_keys)]


class Mapped(_Model):
    """How a posted body becomes cases. `records` leads to each of them, absent: the body is one (or a list of
    them). What is not named is not said of a case, and stays as it is known. With `replace`, properties that
    are not found are taken away."""

    records: Annotated[str, AfterValidator(_records)] | None = None
    type: From
    external_id: From
    name: From | None = None
    owner: From | None = None
    modified_by: From | None = None
    parent: From | None = None
    host: From | None = None
    closed: From | None = None
    opened_at: From | None = None
    modified_at: From | None = None
    properties: Many = Field(default_factory=dict)
    contacts: Many = Field(default_factory=dict)
    replace: bool = False


class Signed(_Model):
    """Who posts proves it by a token (`Authorization: Bearer`, or whatever `header` is named), or by a
    signature of the body: HMAC-SHA256 with the secret, in hexadecimal, also with `sha256=` before it."""

    by: Literal["token", "signature"] = "token"
    header: Annotated[str, StringConstraints(pattern="^[A-Za-z][A-Za-z0-9-]{0,60}$")] | None = None

    @model_validator(mode="after")
    def _named(self) -> Signed:
        if self.by == "signature" and self.header is None:
            raise ValueError("say in which header the signature comes, as X-Hub-Signature-256")
        return self


class Inbound(_Model):
    """A system that posts: its mapping, and how it proves who it is. `make_types`: a type that is not known
    is made, with nothing declared."""

    mapping: Mapped
    proof: Signed = Signed()
    make_types: bool = True


def settings_of(kind: str, given: Mapping[str, Any]) -> CommCare | Inbound:
    """The settings of a source of this kind. Raises Invalid with everything that is wrong, each with its
    place."""
    if kind == COMMCARE:
        return _validated(CommCare, given, "settings")
    return _validated(Inbound, given, "settings")


def mapping_of(given: Mapping[str, Any]) -> Mapped:
    """A mapping alone. Raises Invalid."""
    return _validated(Mapped, given, "mapping")


def checked_secret(given: str, kind: str) -> str:
    """Raises Invalid for one that stands in no header, or that is ours to prove by and can be guessed."""
    shortest = SHORTEST_SECRET if kind == INBOUND else 1
    if not shortest <= len(given) <= LONGEST_SECRET or not given.isascii() or not given.isprintable():
        hint = f"It has {shortest} to {LONGEST_SECRET} characters of ASCII."
        raise Invalid("this secret is too short, or cannot be sent", where="secret", hint=hint)
    return given


def _validated(model: type[M], given: Mapping[str, Any], where: str) -> M:
    try:
        return model.model_validate(dict(given))
    except ValidationError as error:
        problems = tuple(
            Problem(_place(where, one["loc"]), one["msg"].removeprefix("Value error, "))
            for one in error.errors(include_url=False, include_input=False)
        )
        raise Invalid(f"the {where} cannot be taken so", problems=problems) from None


def _place(where: str, path: tuple[int | str, ...]) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return where + "".join(steps)
