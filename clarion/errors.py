"""Every error that a person may meet. Each says what is wrong, where, and what to do about it.

The closed set of classes carries the decision that a caller makes (HTTP status, exit code); the
fields carry the words. Nothing here ever holds a phone number, a message text or a secret beyond
what the caller sent in the same request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong at one place, for lists of them (a form, a file, a tree of criteria)."""

    where: str  # a JSON path, a column, "line 3 column 7"
    what: str
    hint: str = ""


class ClarionError(Exception):
    """Base of all errors that are told to people.

    `status` is the HTTP status (RFC 9110), `exit_code` the command line's (sysexits.h where one fits).
    """

    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 70
    code: ClassVar[str] = "internal"

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        hint: str = "",
        problems: tuple[Problem, ...] = (),
        extra: dict[str, object] | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = hint
        self.problems = problems
        self.extra = extra or {}

    def __str__(self) -> str:
        parts = [f"{self.where}: {self.what}" if self.where else self.what]
        parts += [f"  {p.where}: {p.what}" + (f" ({p.hint})" if p.hint else "") for p in self.problems]
        if self.hint:
            parts.append(self.hint)
        return "\n".join(parts)


class Invalid(ClarionError):
    """The input is wrong; sending it again unchanged will fail again."""

    status, exit_code, code = 422, 65, "invalid"


class NotFound(ClarionError):
    """No such thing in this workspace (another workspace's thing answers the same)."""

    status, exit_code, code = 404, 66, "not-found"


class Conflict(ClarionError):
    """The thing's present state does not allow this."""

    status, exit_code, code = 409, 75, "conflict"


class Unauthorized(ClarionError):
    """No key, or a key that is not valid."""

    status, exit_code, code = 401, 77, "unauthorized"


class Forbidden(ClarionError):
    """The key is valid but its scopes do not cover this."""

    status, exit_code, code = 403, 77, "forbidden"


class TooLarge(ClarionError):
    """More than one request or file may hold."""

    status, exit_code, code = 413, 65, "too-large"


class Unavailable(ClarionError):
    """Something that Clarion needs is away for now (the database, a provider); try again later."""

    status, exit_code, code = 503, 69, "unavailable"


class Misconfigured(ClarionError):
    """A setting is missing or wrong; an operator must act."""

    status, exit_code, code = 500, 78, "misconfigured"
