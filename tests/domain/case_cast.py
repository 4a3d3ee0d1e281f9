"""Cases and what may be asked of them, for every test that compares two readings of the criteria of cases.

A fixed cast of cases, drawn once: some with parents, hosts and contacts, many with values that are missing,
of another kind, or such as no code of ours has written. The criteria are drawn anew for each example.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from clarion.domain.case_view import ATTRIBUTES, CaseView, TypeView
from clarion.domain.contact import Contact
from clarion.domain.field import FieldType, parse_value, stored
from clarion.domain.leaf import Op
from clarion.domain.refusal import Refusal
from tests.domain import criteria_strategies as drawn

ZONE = ZoneInfo("America/Havana")  # on 8 March its midnight is left out; in November 00:30 comes twice
NOW = drawn.NOW
ABOVE = {"managers": "finance"}

TYPES = {
    "visit": TypeView(
        "visit",
        {
            "due": FieldType.DATE, "at": FieldType.DATETIME, "score": FieldType.NUMBER,
            "urgent": FieldType.BOOLEAN, "note": FieldType.TEXT, "phone": FieldType.TEXT,
            "spouse": FieldType.TEXT,
        },
        ("phone", "spouse"),
    ),
    "home": TypeView(
        "home", {"due": FieldType.TEXT, "score": FieldType.TEXT, "phone": FieldType.TEXT}, ("phone",)
    ),
    "free": TypeView("free"),
}  # fmt: skip
KEYS = ("due", "at", "score", "urgent", "note", "extra")

_DAYS = [(date(2026, 3, 1) + timedelta(days=n)).isoformat() for n in (-2, -1, 0, 1, 2, 7, 30)]
_MOMENTS = [
    "2026-03-01T05:00:00Z", "2026-03-01T05:00:00.000001Z", "2026-03-01T04:59:59.999999Z",
    "2026-03-02T12:00:00Z", "2026-03-08T05:00:00Z", "2026-03-08T04:59:59Z", "2026-11-01T05:00:00Z",
    "2026-11-01T04:00:00Z", "1900-02-28T09:00:00Z", "2199-12-31T23:59:59Z",
]  # fmt: skip
VALUES: list[Any] = [
    *_DAYS, *_DAYS, *_MOMENTS, "yes", "NO", " true ", "1", "0", "5", 5, 1.5, 34, "34", -1, 0, 1e-5, True,
    False, "Finance", "finance", "አበበ", "%", "a\nb", "2026-02-30", "03/04/2026", "soon", "ſ", 1500.0,
]  # fmt: skip
_DATED: list[Any] = [*_DAYS, *_MOMENTS]
_USUAL: dict[str, list[Any]] = {
    "due": _DATED,
    "at": _DATED,
    "extra": _DATED,
    "note": ["Finance", "finance", "Fin"],
    "urgent": ["yes", "NO", " true ", True, False],
}
# What no code of ours has written.
_STRAY_DATES: list[Any] = [
    "2026-02-30", "2026-02-30T00:00:00.000000Z", "2026-03-01T24:00:00.000000Z", "2026-3-1", "now", "infinity",
    7, None, {"a": 1}, [], "2026-03-01 ", "2200-01-01T01:00:00.000000Z", "1849-12-31T23:00:00.000000Z",
    "9999-12-31", "2026-03-01\n", "٢٠٢٦-03-01", True,
]  # fmt: skip
_STRAY: list[Any] = ["", None, [1], {"a": "b"}, "  "]

CONTACTS: dict[str, Contact] = {
    one.external_id or "": one
    for one in (
        Contact(name="Amina", external_id="E-1", language="sw", fields={
            "department": "Finance", "age": Decimal(34), "start_date": date(2026, 3, 2), "active": True}),
        Contact(name="Rosa", external_id="e-1", language="en", fields={
            "start_date": date(2026, 2, 27), "appointment": datetime(2026, 3, 2, 5, 0, tzinfo=UTC)}),
        Contact(name="Abebe", external_id="007", country="KE", fields={
            "appointment": datetime(2026, 3, 4, 12, 0, tzinfo=UTC), "age": Decimal("1.5"), "active": False}),
        Contact(name="አበበ", external_id="E-2", language="pt-BR", fields={
            "start_date": date(2026, 3, 8), "appointment": datetime(2026, 2, 27, 3, 0, tzinfo=UTC)}),
    )
}  # fmt: skip
MEMBERS = {"E-1": ["finance"], "e-1": ["managers"], "007": ["night", "managers"], "E-2": []}
GONE = "E-3"  # the external id of a contact who is not active
OWNERS = {"finance": "G-finance", "managers": "G-managers", "night": "E-1"}
"""The groups' external ids; the last is also a contact's, who is meant first."""


@dataclass
class Drawn:
    """A case as it is stored. `people`: external ids of contacts by role."""

    external_id: str
    type: str
    state: str
    name: str
    opened_at: datetime
    modified_at: datetime
    closed_at: datetime | None
    owner: str | None
    modified_by: str | None
    parent: str | None
    host: str | None
    properties: dict[str, Any] = field(default_factory=dict)
    dates: dict[str, Any] = field(default_factory=dict)
    numbers: dict[str, Any] = field(default_factory=dict)
    changed: dict[str, Any] = field(default_factory=dict)
    people: dict[str, list[str]] = field(default_factory=dict)


def cast(seed: int = 7, number: int = 60) -> list[Drawn]:
    """Cases by a seed: C-0, C-1 …"""
    chance = random.Random(seed)
    names = [*(f"C-{n}" for n in range(number)), "C-nobody"]
    return [_case(chance, f"C-{n}", names) for n in range(number)]


def _case(chance: random.Random, external_id: str, names: Sequence[str]) -> Drawn:
    def somebody(*more: str) -> str | None:
        return chance.choice([None, *CONTACTS, GONE, "nobody", *more])

    def moment() -> datetime:
        return datetime.fromisoformat(chance.choice(_MOMENTS[:6]))

    one = Drawn(
        external_id, chance.choice([*TYPES, "visit"]), chance.choice(["open"] * 8 + ["closed", "deleted"]),
        chance.choice(["", "Finance", "Amina"]), moment(), moment(), chance.choice([None, moment()]),
        somebody(*OWNERS.values(), *OWNERS.values()), somebody(), chance.choice([None, *names]),
        chance.choice([None, None, *names]),
    )  # fmt: skip
    for key in KEYS:
        if chance.random() < 0.75:
            usual = _USUAL.get(key, VALUES) if chance.random() < 0.7 else VALUES
            _put(one, key, chance.choice(usual))
        if chance.random() < 0.1:
            _stray(one, key, chance)
        if chance.random() < 0.4:
            one.changed[key] = "2026-03-01T00:00:00.000000Z"
    for role in ("phone", "spouse", "helper"):
        one.people[role] = chance.sample([*CONTACTS, GONE], chance.choice([0, 0, 1, 1, 2]))
    return one


def _put(one: Drawn, key: str, value: Any) -> None:
    """A property with its readings, as they are written: a date first, then a moment."""
    one.properties[key] = value
    readings = (one.dates, FieldType.DATETIME), (one.dates, FieldType.DATE), (one.numbers, FieldType.NUMBER)
    for kept, kind in readings:
        read = parse_value(kind, value, ZONE) if not isinstance(value, bool) else None
        if read is not None and not isinstance(read, Refusal):
            kept[key] = stored(read)


def _stray(one: Drawn, key: str, chance: random.Random) -> None:
    one.properties[key] = chance.choice(_STRAY)
    one.dates[key] = chance.choice(_STRAY_DATES)
    one.numbers[key] = chance.choice(["5", None, True, 5, {}])


def contacts(groups: Mapping[str, str] | None = None) -> dict[str, Contact]:
    """The contacts by external id; `groups`: the ids that the groups have."""
    names = groups or {name: name for name in drawn.GROUPS}
    found = {}
    for external_id, one in CONTACTS.items():
        own = MEMBERS[external_id]
        wide = {*own, *(ABOVE[name] for name in own if name in ABOVE)}
        found[external_id] = replace(
            one,
            groups=frozenset(names[name] for name in wide),
            own_groups=frozenset(names[name] for name in own),
        )
    return found


def views(
    cases: Sequence[Drawn], people: Mapping[str, Contact], groups: Mapping[str, str] | None = None
) -> dict[str, CaseView]:
    """The cases as criteria see them, by external id; `groups`: the ids that the groups have."""
    ids = groups or {name: name for name in drawn.GROUPS}
    alone = {one.external_id: _view(one, people, ids) for one in cases}
    return {
        name: replace(
            view, parent_case=alone.get(view.parent or ""), host_case=alone.get(view.host or "")
        )
        for name, view in alone.items()
    }  # fmt: skip


def _view(one: Drawn, people: Mapping[str, Contact], groups: Mapping[str, str]) -> CaseView:
    plain = {key: value for key, value in vars(one).items() if key not in ("type", "people")}
    return CaseView(
        **plain,
        type=TYPES[one.type],
        owned_by=people.get(one.owner or ""),
        **_owning(one.owner, people, groups),
        modifier=people.get(one.modified_by or ""),
        contacts={
            role: tuple(people[name] for name in names if name in people)
            for role, names in one.people.items()
        },
    )


def _owning(owner: str | None, people: Mapping[str, Contact], groups: Mapping[str, str]) -> dict[str, Any]:
    """The group that owns a case, where no contact does."""
    name = next((name for name, known_as in OWNERS.items() if known_as == owner), None)
    if name is None or owner in people or owner == GONE:
        return {}
    above = {groups[ABOVE[name]]} if name in ABOVE else set()
    return {"owning_group": groups[name], "owning_groups": frozenset({groups[name], *above})}


_TODAY = st.integers(-5, 4).map(lambda n: {"days_from_today": n})
_LITERALS = st.sampled_from([*_DAYS, *_MOMENTS, "2026-03-08T00:00", "2026-11-01T00:30", "2026-03-01T12:30"])
_ANYTHING = st.sampled_from([value for value in VALUES if value != "03/04/2026"])
_PATTERNS = st.sampled_from(["^F", "nan", "[0-9]+", "^(yes|no)$", "a.b", "(a)\\1", "^.?$", "2026-03"])
_OF = st.sampled_from([None, "contact", "owner", "modified_by", "role:helper", "role:phone", "role:none"])


@st.composite
def properties(draw: st.DrawFn) -> dict[str, Any]:
    """A comparison of a property or an attribute, often a right one."""
    key = draw(st.sampled_from([*KEYS, *KEYS, *KEYS, *ATTRIBUTES, "opened_at", "modified_at", "unknown"]))
    leaf: dict[str, Any] = {"property": key, "op": draw(st.sampled_from(sorted(Op)))}
    if draw(st.booleans()):
        leaf["of"] = draw(st.sampled_from(["case", "parent", "host"]))
    value = _TODAY | _TODAY | _LITERALS | _ANYTHING
    if key in ("type", "state"):
        value = st.sampled_from(["visit", "home", "open", "closed", "deleted"])
    match leaf["op"]:
        case Op.HAS_VALUE | Op.NO_VALUE:
            return leaf
        case Op.IN:
            return leaf | {"value": draw(st.lists(value, min_size=1, max_size=4))}
        case Op.BETWEEN:
            return leaf | {"value": [draw(value), draw(value)]}
        case Op.MATCHES:
            return leaf | {"value": draw(_PATTERNS)}
    return leaf | {"value": draw(value)}


_COUNTING = [Op.EQUAL, Op.NOT_EQUAL, Op.IN, Op.GT, Op.GTE, Op.LT, Op.LTE, Op.BETWEEN, Op.BETWEEN]


@st.composite
def counted(draw: st.DrawFn) -> dict[str, Any]:
    """A comparison with days from the present one, of what mostly is a date."""
    op = draw(st.sampled_from(_COUNTING))
    if draw(st.integers(0, 3)) == 0:
        leaf = {"field": draw(st.sampled_from(["start_date", "appointment"])), "of": draw(_OF)}
    else:
        leaf = {"property": draw(st.sampled_from(["due", "at", "extra", "opened_at", "modified_at"]))}
        leaf["of"] = draw(st.sampled_from(["case", "case", "parent"]))
    if op is Op.IN:
        value: Any = draw(st.lists(_TODAY | _TODAY | _LITERALS, min_size=1, max_size=3))
    elif op is Op.BETWEEN:
        value = [draw(_TODAY | _LITERALS), draw(_TODAY)]
    else:
        value = draw(_TODAY)
    return leaf | {"op": op, "value": value}


@st.composite
def changes(draw: st.DrawFn) -> dict[str, Any]:
    leaf = {"property": draw(st.sampled_from(KEYS)), "changed_to": draw(_TODAY | _LITERALS | _ANYTHING)}
    return leaf | {"of": draw(st.sampled_from(["case", "parent"]))}


@st.composite
def of_people(draw: st.DrawFn) -> dict[str, Any]:
    """A comparison of a contact's field, or a group."""
    leaf = draw(drawn.comparisons() | st.sampled_from(drawn.GROUPS).map(lambda group: {"in_group": group}))
    if "in_group" in leaf:
        leaf = leaf | {"nested": draw(st.sampled_from([None, True, False]))}
    return leaf | {"of": draw(_OF)}


def criteria() -> st.SearchStrategy[dict[str, Any]]:
    """Any tree over cases; some of its leaves `check_case` would refuse, and these are false."""
    return st.recursive(
        st.one_of(counted(), counted(), counted(), properties(), changes(), of_people()),
        lambda inner: st.one_of(
            inner.map(lambda child: {"not": child}),
            st.lists(inner, min_size=1, max_size=3).map(lambda some: {"all": some}),
            st.lists(inner, min_size=1, max_size=3).map(lambda some: {"any": some}),
        ),
        max_leaves=6,
    )
