"""Regular expressions that people write: what PostgreSQL could be busy with for ever is refused.

Without back-references and look-around it decides by an automaton, in time that grows with the text alone.
"""

from __future__ import annotations

import re

from clarion.domain.refusal import Refusal

LONGEST = 500
_PIECE = re.compile(r"\\.|\(\?<?[=!]|.", re.DOTALL)  # an escape is one piece: what it hides does not count
_OPTIONS = re.compile(r"\(\?([a-z]+)\)")
_PLAIN_OPTIONS = frozenset("cimnpstwx")


def refusal(pattern: str) -> Refusal | None:
    """Why this pattern is not taken, or None. Whether PostgreSQL can read it, it must be asked itself.

    Reasons: `blank`, `pattern_too_long`, `back_reference`, `look_around`, `pattern_flavour`.
    """
    if not pattern:
        return Refusal("blank", "an empty pattern", "use has_value to ask for what is there")
    if len(pattern) > LONGEST:
        return Refusal("pattern_too_long", f"longer than {LONGEST} characters", "use in, or any of several")
    options = _OPTIONS.match(pattern)
    if pattern.startswith("***") or (options and not _PLAIN_OPTIONS.issuperset(options[1])):
        return Refusal("pattern_flavour", "it asks for another kind of pattern", "leave its beginning out")
    return next(filter(None, map(_danger, _PIECE.findall(pattern))), None)


def _danger(piece: str) -> Refusal | None:
    if re.fullmatch(r"\\[1-9]", piece):
        return Refusal(
            "back_reference", "a back-reference, which may take for ever", "write out what may be repeated"
        )
    if piece.startswith("(?"):
        return Refusal(
            "look_around",
            "it looks ahead or behind, which may take for ever",
            "join conditions by all and not",
        )
    return None


def found(pattern: str, text: str) -> bool:
    """Whether the pattern is found in the text: the reference, for patterns that Python reads as PostgreSQL
    does. False for one that is not taken."""
    if refusal(pattern) is not None:
        return False
    try:
        return re.search(pattern, text, re.DOTALL) is not None
    except re.error:
        return False
