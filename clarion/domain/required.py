"""A value that a text must show, and that is not there: whoever would write it down learns of that."""

from __future__ import annotations

from liquid.undefined import Undefined

ROOTS = ("contact", "recipient", "case")
"""What a person or a case is called in templates; whatever else has no value was made by the template."""
_NOT_THERE = " is undefined"


class NotThere(Exception):
    """A text cannot be made without the value at `path` ("case.clinic")."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class Required(Undefined):
    """It may be asked about, and `default` may stand in for it. Raises NotThere where it would be written."""

    __slots__ = ()
    force_liquid_default = True

    def __str__(self) -> str:
        if self.name in ROOTS and self.hint is not None and self.hint.endswith(_NOT_THERE):
            raise NotThere(self.hint.removesuffix(_NOT_THERE).strip("'"))
        return ""

    def __int__(self) -> int:
        return len(str(self))
