"""What a parse function gives back instead of a value: why not, and what to do about it.

Reading 200,000 rows meets thousands of wrong cells, and each is a row of a report rather than the end
of the work. So the parse functions of the domain return `Value | Refusal` and raise nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from clarion.errors import Invalid, Problem


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why one piece of input is not taken.

    `reason` is a stable word for counting and for programs; `what` and `hint` are sentences for people.
    None of them repeats the input, so a refusal may be logged.
    """

    reason: str
    what: str
    hint: str = ""

    def at(self, where: str) -> Problem:
        """This refusal as one entry of a list of problems, at `where` (a column, a JSON path)."""
        return Problem(where, self.what, self.hint)

    def error(self, where: str = "") -> Invalid:
        """This refusal as an exception, for a caller who has only one value to give."""
        return Invalid(self.what, where=where, hint=self.hint, extra={"reason": self.reason})
