"""What the columns of a file of cases mean: attributes by their names, and properties.

Names are compared folded ("Case ID" = "case_id"). A target is an attribute (`external_id`, `owner` …),
`property:KEY`, `contact:ROLE` (several with ; between them) or `ignore`. A column that means none of the
attributes is the property of its name. In JSON, `properties.KEY` and `contacts.ROLE` are what they say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from clarion.domain.case import ATTRIBUTES, CaseType, meant, why_no_key
from clarion.errors import Invalid, Problem

TARGETS = tuple(sorted(ATTRIBUTES - {"state", "closed_at"}))
_SPOKEN = {
    "external_id": "external_id id case_id caseid case_external_id",
    "name": "name case_name",
    "type": "type case_type",
    "closed": "closed is_closed",
    "owner": "owner owner_id case_owner",
    "modified_by": "modified_by last_modified_by modified_by_user_id user_id",
    "modified_at": "modified_at modified_on last_modified date_modified last_modified_date",
    "opened_at": "opened_at opened_on date_opened opened_date",
    "parent": "parent parent_id parent_case_id",
    "host": "host host_id host_case_id",
    "ignore": "ignore state closed_at closed_on",
}
_MEANING = {word: target for target, words in _SPOKEN.items() for word in words.split()}
_BETWEEN = re.compile(r"[;|\n]")


@dataclass
class CaseColumns:
    """The meaning of each column, found out once by name; `mapping` (column → target) goes before that.

    `type` is of rows that do not say theirs. What a column cannot mean is in `ignored`, with why.
    """

    type: CaseType | None
    mapping: Mapping[str, str] = field(default_factory=dict)
    ignored: dict[str, str] = field(default_factory=dict)
    _targets: dict[str, str] = field(default_factory=dict)
    _written: dict[str, str] = field(default_factory=dict)  # of the mapping: folded → as it was written

    def __post_init__(self) -> None:
        self.mapping = {column: self._meant(target) for column, target in self.mapping.items()}
        wrong = [
            Problem(column, why, f"an attribute ({', '.join(TARGETS)}), property:KEY, contact:ROLE or ignore")
            for column, target in self.mapping.items()
            if (why := _why_no_target(target)) is not None
        ]
        if wrong:
            raise Invalid("the columns cannot be understood", problems=tuple(wrong))
        self._written = {_folded(column): column for column in self.mapping}
        self.mapping = {_folded(column): target for column, target in self.mapping.items()}

    def check(self, columns: Iterable[str]) -> None:
        """Raises Invalid when a mapped column is not among these, or none tells a row's type."""
        heading = list(columns)
        known = [self.target(column) for column in heading]
        if missing := self.unmet():
            names = {_folded(name): name for name in heading if name}
            raise Invalid(
                "the file does not have every column that was given a meaning",
                problems=tuple(
                    Problem(column, "no such column", meant(_folded(column), names)) for column in missing
                ),
            )
        if self.type is None and "type" not in known:
            raise Invalid(
                "nothing says of which type the cases are",
                where="the heading",
                hint="name the type, or one column type",
            )

    def unmet(self) -> list[str]:
        """Mapped columns that neither the heading nor a value of any row has shown so far."""
        seen = {_folded(column) for column in self._targets}
        return [column for key, column in self._written.items() if key not in seen]

    def target(self, column: str) -> str:
        """What a column means."""
        known = self._targets.get(column)
        if known is None:
            known = self._targets[column] = self._understood(column)
        return known

    def label(self, where: str) -> str:
        """The column that a finding's place stands for; the place itself where there is none."""
        target = where.replace("properties.", "property:", 1).replace("contacts.", "contact:", 1)
        return next((column for column, known in self._targets.items() if known == target), where)

    def document(self, values: Mapping[str, str]) -> dict[str, object]:
        """One row as a document of `domain.case_word`; blank cells say nothing."""
        said: dict[str, object] = {} if self.type is None else {"type": self.type.name}
        properties: dict[str, str] = {}
        contacts: dict[str, list[str]] = {}
        for column, text in values.items():
            if not text or text.isspace():
                continue
            target = self._targets.get(column) or self.target(column)
            if target.startswith("property:"):
                properties[target[9:]] = text
            elif target.startswith("contact:"):
                contacts.setdefault(target[8:], []).extend(_BETWEEN.split(text))
            elif target != "ignore":
                said[target] = text.strip()
        said["properties"] = properties
        if contacts:
            said["contacts"] = contacts
        return said

    def _understood(self, column: str) -> str:
        if not column:
            return "ignore"
        key = _folded(column)
        if key in self.mapping:
            return self.mapping[key]
        for beginning, kind in (("properties.", "property:"), ("contacts.", "contact:")):
            if column.startswith(beginning):
                return self._unless(column, kind + column.removeprefix(beginning))
        if self.type is not None and key in self.type.properties:
            return f"property:{key}"
        return _MEANING.get(key) or self._unless(column, f"property:{key}")

    def _unless(self, column: str, target: str) -> str:
        why = _why_no_target(target)
        key = target.removeprefix("property:")
        if why is None and self.type is not None and self.type.declared_only and target != key:
            declared = self.type.properties
            why = None if key in declared else f"not declared of {self.type.name}; {meant(key, declared)}"
        if why is None:
            return target
        self.ignored[column] = why
        return "ignore"

    def _meant(self, target: str) -> str:
        if _why_no_target(target) is None:
            return target
        return _MEANING.get(_folded(target), target)


def _why_no_target(target: str) -> str | None:
    kind, sign, key = target.partition(":")
    if sign and kind in ("property", "contact"):
        return why_no_key(key)
    if target in TARGETS or target == "ignore":
        return None
    near = get_close_matches(target, TARGETS, n=1)
    return f"{target!r} is nothing that a column can mean" + (f"; did you mean {near[0]}?" if near else "")


def _folded(column: str) -> str:
    return re.sub(r"\W+", "_", column.casefold()).strip("_")
