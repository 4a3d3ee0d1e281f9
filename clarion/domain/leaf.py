"""The leaves of criteria: one thing that is asked of a contact, or of a case.

What a leaf means is `matching`'s to say for contacts and `case_matching`'s for cases.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AllowInfNan,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    model_validator,
)

MOST_VALUES = 1000


class Op(StrEnum):
    """How a value is compared."""

    EQUAL = "equal"
    NOT_EQUAL = "not_equal"
    IN = "in"
    HAS_VALUE = "has_value"
    NO_VALUE = "no_value"
    CONTAINS = "contains"
    STARTS_WITH = "starts_with"
    MATCHES = "matches"
    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"
    BETWEEN = "between"


WITHOUT_VALUE = frozenset((Op.HAS_VALUE, Op.NO_VALUE))


class Shape(BaseModel):
    """What every node of criteria is: closed, and not to be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Day(Shape):
    """A day counted from the present one of the workspace: -30 is thirty days ago, 0 today."""

    days_from_today: int = Field(ge=-100_000, le=100_000)


def _proper(text: str) -> str:
    if any(c == "\0" or "\ud800" <= c <= "\udfff" for c in text):
        raise ValueError("holds a character that is not text (NUL or half of a pair)")
    return text


_ROLE = re.compile(r"role:[a-z][a-z0-9_.\-]{0,99}")


def _whose(text: str) -> str:
    if text not in ("contact", "owner", "modified_by") and not _ROLE.fullmatch(text):
        raise ValueError("of is contact, owner, modified_by or role:<role>")
    return text


Words = Annotated[StrictStr, Field(max_length=1000), AfterValidator(_proper)]
Number = Annotated[StrictInt, Field(ge=-(10**15), le=10**15)] | Annotated[StrictFloat, AllowInfNan(False)]
Scalar = StrictBool | Number | Words | Day
Whose = Annotated[StrictStr, AfterValidator(_whose)]
"""Which contact of a case is asked; in criteria of contacts it is not said."""
Of = Literal["case", "parent", "host"]
"""Which case is asked."""


class Comparison(Shape):
    """One attribute or field of the contact, compared. `has_value` and `no_value` take no value, `in` takes
    a list, `between` a list of two, the others one value."""

    field: Words = Field(min_length=1)
    of: Whose | None = None
    op: Op
    value: Scalar | tuple[Scalar, ...] | None = None

    @model_validator(mode="after")
    def _right_number(self) -> Comparison:
        _refuse_wrong_number(self.op, self.value)
        return self

    @property
    def values(self) -> tuple[Scalar, ...]:
        """What is compared with, however many."""
        return _all(self.value)


class InGroup(Shape):
    """Membership of a group, by its id, or of a group below it (unless not `nested`)."""

    in_group: Words = Field(min_length=1)
    of: Whose | None = None
    nested: StrictBool | None = None

    @property
    def deep(self) -> bool:
        """Whether the groups below count too."""
        return self.nested is not False


class Property(Shape):
    """One attribute or property of a case, or of its parent or host, compared as a contact's field is; and
    `matches` takes a regular expression."""

    key: Words = Field(min_length=1, alias="property")
    of: Of = "case"
    op: Op
    value: Scalar | tuple[Scalar, ...] | None = None

    @model_validator(mode="after")
    def _right_number(self) -> Property:
        _refuse_wrong_number(self.op, self.value)
        return self

    @property
    def values(self) -> tuple[Scalar, ...]:
        """What is compared with, however many."""
        return _all(self.value)


class ChangedTo(Shape):
    """A property of a case that has this value now, and has changed since the case was opened."""

    key: Words = Field(min_length=1, alias="property")
    of: Of = "case"
    changed_to: Scalar

    def now(self) -> Property:
        """What it asks of the present value."""
        return Property(key=self.key, of=self.of, op=Op.EQUAL, value=self.changed_to)


def _all(value: Scalar | tuple[Scalar, ...] | None) -> tuple[Scalar, ...]:
    if value is None:
        return ()
    return value if isinstance(value, tuple) else (value,)


def _refuse_wrong_number(op: Op, value: Scalar | tuple[Scalar, ...] | None) -> None:
    many, number = isinstance(value, tuple), len(_all(value))
    if op in WITHOUT_VALUE and value is not None:
        raise ValueError(f"{op} takes no value")
    if op in (Op.IN, Op.BETWEEN) and not many:
        raise ValueError(f"{op} takes a list of values")
    if op is Op.BETWEEN and number != 2:
        raise ValueError("between takes two values, the least first")
    if op is Op.IN and not 1 <= number <= MOST_VALUES:
        raise ValueError(f"in takes 1 to {MOST_VALUES} values")
    if op not in (Op.IN, Op.BETWEEN, *WITHOUT_VALUE) and (many or value is None):
        raise ValueError(f"{op} takes one value")
