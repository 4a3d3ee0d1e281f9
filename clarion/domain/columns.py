"""What the columns of a file of people mean: by their names, or as the import says.

Names are compared folded ("E-Mail Address" = "e_mail_address"). A target is one of `TARGETS`, a scheme
(`tel`, `whatsapp`, `mailto`, …), `urn`, `field:KEY` or `ignore`. Who maps a column may also say a name
that is understood as a heading ("phone").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from clarion.domain.address import SCHEMES
from clarion.domain.consent import opted_out
from clarion.domain.field import FieldType, field_key
from clarion.domain.person import Given
from clarion.domain.refusal import Refusal
from clarion.errors import Invalid, Problem

TARGETS = (
    "external_id", "name", "first_name", "last_name", "language", "country", "timezone", "groups",
    "opted_out", "consent", "channel",
)  # fmt: skip
_SPOKEN = {
    "external_id": "external_id id employee_id employee_no employee_number employee_code staff_id staff_no "
    "staff_number payroll_id payroll_number person_id personnel_number worker_id emp_id emp_no emp_code",
    "name": "name full_name fullname display_name employee_name staff_name contact_name person employee",
    "first_name": "first_name firstname given_name forename first first_names given_names",
    "last_name": "last_name lastname surname family_name last second_name",
    "language": "language lang locale preferred_language",
    "country": "country country_code nation country_of_residence",
    "timezone": "timezone time_zone tz",
    "groups": "groups group teams team group_names",
    "opted_out": "opted_out opt_out optout do_not_contact unsubscribed",
    "consent": "consent consent_status opt_in opted_in subscribed",
    "channel": "own_channel messaging_channel",
    "tel": "tel phone telephone mobile cell cellphone cell_phone mobile_phone phone_number telephone_number "
    "mobile_number mobile_no phone_no cell_number contact_number number msisdn sms handphone",
    "whatsapp": "whatsapp whatsapp_number whatsapp_no wa wa_number",
    "mailto": "mailto email e_mail mail email_address e_mail_address mail_address work_email",
    "fcm": "fcm fcm_token device_token push_token",
    "messenger": "messenger messenger_id psid",
    "webpush": "webpush web_push push_subscription",
    "urn": "urn urns address addresses",
    "ignore": "ignore",
}
_MEANING = {word: target for target, words in _SPOKEN.items() for word in words.split()}
_NUMBERED = re.compile(r"(.*?\D)_?[1-9]")  # phone_2, e_mail1
_BETWEEN_GROUPS = re.compile(r"[;|,\n]")
_BETWEEN_URNS = re.compile(r"[;|\n]")
_NAMED = 20  # columns that a refusal names


@dataclass
class Columns:
    """The meaning of each column, found out once by name.

    `mapping` (column → target) goes before what the names say. A column that means nothing becomes a text
    field when `create_fields` is set (then it is in `created` and in `fields`), else it is in `ignored`.
    """

    fields: dict[str, FieldType]
    mapping: Mapping[str, str] = field(default_factory=dict)
    create_fields: bool = False
    number_scheme: str = "tel"
    created: dict[str, str] = field(default_factory=dict)
    ignored: dict[str, str] = field(default_factory=dict)
    _targets: dict[str, str] = field(default_factory=dict)
    _written: dict[str, str] = field(default_factory=dict)  # of the mapping: folded → as it was written

    def __post_init__(self) -> None:
        self.mapping = {column: self._meant(target) for column, target in self.mapping.items()}
        wrong = [
            Problem(column, f"{target!r} is nothing that a column can mean", f"one of {_choices()}")
            for column, target in self.mapping.items()
            if not _is_target(target, self.fields)
        ]
        if self.number_scheme not in SCHEMES:
            wrong.append(Problem("scheme", "not a kind of address", f"one of {', '.join(SCHEMES)}"))
        if wrong:
            raise Invalid("the columns cannot be understood", problems=tuple(wrong))
        self._written = {_folded(column): column for column in self.mapping}
        self.mapping = {_folded(column): target for column, target in self.mapping.items()}

    def check(self, columns: Iterable[str]) -> None:
        """Raises Invalid when a mapped column is not among these, or none could tell who a person is."""
        heading = list(columns)
        known = [self.target(column) for column in heading]
        if missing := self.unmet():
            raise Invalid(
                "the file does not have every column that was given a meaning",
                problems=tuple(
                    Problem(column, "no such column", _like(column, heading)) for column in missing
                ),
            )
        if not any(target == "external_id" or target == "urn" or target in SCHEMES for target in known):
            raise Invalid(
                "no column tells who a person is",
                where="the heading",
                hint="name one column phone, email or external_id, or say which column means what",
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
        target = f"field:{where[7:]}" if where.startswith("fields.") else where
        return next((column for column, known in self._targets.items() if known == target), where)

    def given(self, values: Mapping[str, str], groups: Iterable[str] = ()) -> Given:
        """One row's values by their meaning; blank cells say nothing. `groups` are added to the row's."""
        plain: dict[str, str] = {}
        addresses: list[tuple[str, str | None, str]] = []
        more: dict[str, object] = {}
        names = list(groups)
        for column, text in values.items():
            if not text or text.isspace():
                continue
            target = self._targets.get(column) or self.target(column)
            if target in SCHEMES:
                addresses.append((column, target, text))
            elif target == "urn":
                addresses += [(column, None, part) for part in _BETWEEN_URNS.split(text)]
            elif target == "groups":
                names += _BETWEEN_GROUPS.split(text)
            elif target.startswith("field:"):
                more[target[6:]] = text
            elif target != "ignore":
                plain.setdefault(target, text)
        return Given(
            external_id=plain.get("external_id"),
            name=plain.get("name") or _joined(plain.get("first_name"), plain.get("last_name")),
            language=plain.get("language"),
            country=plain.get("country"),
            timezone=plain.get("timezone"),
            channel=plain.get("channel"),
            fields=more,
            addresses=addresses,
            groups=names,
            opted_out=plain.get("opted_out") or (opted_out(plain["consent"]) if "consent" in plain else None),
        )

    def _understood(self, column: str) -> str:
        key = _folded(column)
        if key in self.mapping:
            return self.mapping[key]
        if key in self.fields:
            return f"field:{key}"
        target = _MEANING.get(key)
        if target is None and (numbered := _NUMBERED.fullmatch(key)):
            target = _MEANING.get(numbered[1].rstrip("_"))
            target = target if target in SCHEMES or target == "urn" else None
        if target is not None:
            return self.number_scheme if target == "tel" else target
        return self._unknown(column)

    def _meant(self, target: str) -> str:
        if _is_target(target, self.fields):
            return target
        known = _MEANING.get(_folded(target), target)
        return self.number_scheme if known == "tel" else known

    def _unknown(self, column: str) -> str:
        key = field_key(column)
        if isinstance(key, Refusal):
            self.ignored[column] = key.what
        elif self.create_fields:
            self.created[key] = column
            self.fields[key] = FieldType.TEXT
            return f"field:{key}"
        else:
            self.ignored[column] = "no field of this name is declared"
        return "ignore"


def _is_target(target: str, fields: Mapping[str, FieldType]) -> bool:
    if target.startswith("field:"):
        return target[6:] in fields
    return target in TARGETS or target in SCHEMES or target in ("urn", "ignore")


def _choices() -> str:
    return ", ".join((*TARGETS, *SCHEMES, "urn", "field:KEY of a declared field", "ignore"))


def _like(column: str, heading: list[str]) -> str:
    """What may have been meant, of the columns that there are."""
    names = {_folded(name): name for name in heading if name}
    near = get_close_matches(_folded(column), names, n=1)
    more = ", …" if len(names) > _NAMED else ""
    there = f"there are {', '.join(list(names.values())[:_NAMED])}{more}"
    return f"did you mean {names[near[0]]}? {there}" if near else there


def _folded(column: str) -> str:
    return re.sub(r"\W+", "_", column.casefold()).strip("_")


def _joined(first: str | None, last: str | None) -> str | None:
    return " ".join(part for part in (first, last) if part) or None
