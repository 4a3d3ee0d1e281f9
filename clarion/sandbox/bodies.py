"""What the control API is asked with, and how it says what is wrong."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, model_validator

from clarion.errors import ClarionError, Invalid, Problem
from clarion.sandbox.config import checked
from clarion.sandbox.head import response


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class FaultBody(_Body):
    """`POST /sandbox/faults`: strike the next `count` calls (null: all from now on) that fit."""

    fault: str
    parameter: float | None = None
    count: int | None = Field(default=1, ge=1)
    to: str | None = None
    reference: str | None = None


class InboundBody(_Body):
    """`POST /sandbox/inbound`: a person writes, or taps a choice of the last message that had any, by its
    title or what it brings back. Without `phone_number_id`, to who last wrote to them."""

    person: str = Field(min_length=5, max_length=130, alias="from")
    text: str | None = Field(default=None, max_length=4096)
    tap: str | None = Field(default=None, max_length=256)
    phone_number_id: str | None = None

    @model_validator(mode="after")
    def _either(self) -> InboundBody:
        if (self.text is None) == (self.tap is None):
            raise ValueError("give either text or tap")
        return self


class ReceiptBody(_Body):
    """`POST /sandbox/receipts`: tell a status of accepted messages, by id or by reference."""

    status: Literal["sent", "delivered", "read", "failed"]
    wamid: str | None = None
    reference: str | None = None
    times: int = Field(default=1, ge=1, le=100)
    code: int = 131026


class VerifyBody(_Body):
    """`POST /sandbox/verify`: ask a callback address as a provider does when it is registered."""

    phone_number_id: str
    verify_token: str | None = None
    mode: str = "subscribe"


class ResetBody(_Body):
    config: bool = False


B = TypeVar("B", bound=_Body)


def read(model: type[B], raw: bytes) -> B:
    """A request's body as this model; no body is an empty one. Raises Invalid."""
    return checked(model, decoded(raw) if raw else {})


def decoded(raw: bytes) -> object:
    """A request's JSON. Raises Invalid."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Invalid(f"the body is not JSON: {error}", where="body") from error


def refusal(error: ClarionError) -> bytes:
    return problem(error.status, error.code, error.what, error.where, error.hint, error.problems)


def problem(
    status: int, code: str, what: str, where: str = "", hint: str = "", problems: tuple[Problem, ...] = ()
) -> bytes:
    document: dict[str, Any] = {"type": "about:blank", "title": what, "status": status, "code": code}
    if where:
        document["where"] = where
    if hint:
        document["hint"] = hint
    if problems:
        document["problems"] = [dataclasses.asdict(one) for one in problems]
    return response(status, orjson.dumps(document), "application/problem+json")
