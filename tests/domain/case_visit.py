"""A visit to Amina, and what is asked of it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from clarion.domain.case_check import check_case
from clarion.domain.case_matching import case_matches, next_turn
from clarion.domain.case_view import CaseView, TypeView
from clarion.domain.contact import Contact
from clarion.domain.criteria import parse_criteria
from clarion.errors import Problem
from tests.domain.case_cast import TYPES
from tests.domain.criteria_strategies import GROUPS, KNOWN, NOW

NAIROBI = ZoneInfo("Africa/Nairobi")  # where it is already 2 March at NOW
TODAY = date(2026, 3, 2)

AMINA = Contact(name="Amina", language="sw", groups=frozenset(("finance", "managers")),
                own_groups=frozenset(("managers",)), fields={"start_date": date(2026, 3, 4)})  # fmt: skip
ROSA = Contact(name="Rosa", language="en", fields={"start_date": date(2026, 3, 10)})
HOME = CaseView(
    TYPES["home"],
    opened_at=NOW,
    modified_at=NOW,
    state="closed",
    properties={"score": "034", "due": "2026-03-01", "extra": "34"},
    numbers={"score": 34, "extra": 34},
    dates={"due": "2026-03-01"},
    changed={"extra": "2026-02-01T00:00:00.000000Z"},
)
VISIT = CaseView(
    TYPES["visit"],
    external_id="V-17",
    name="Visit",
    opened_at=datetime(2026, 2, 20, 9, 0, tzinfo=UTC),
    modified_at=datetime(2026, 2, 27, 10, 0, tzinfo=UTC),
    properties={
        "due": "2026-03-04", "at": "2026-03-01T23:30+03:00", "score": "7", "urgent": "yes",
        "note": "line\nA-17", "extra": "5", "count": 5, "day": "2026-03-04", "flag": True, "odd": "soon",
    },
    dates={"due": "2026-03-04", "at": "2026-03-01T20:30:00.000000Z", "day": "2026-03-04"},
    numbers={"score": 7, "extra": 5, "count": 5},
    changed={"note": "2026-02-25T00:00:00.000000Z"},
    owner="CHW-4",
    parent="H-3",
    parent_case=HOME,
    owned_by=ROSA,
    contacts={"spouse": (AMINA,), "helper": (AMINA, ROSA), "aaa": (ROSA,)},
)  # fmt: skip


def holds(tree: Any, case: CaseView = VISIT, now: datetime = NOW, zone: ZoneInfo = NAIROBI) -> bool:
    return case_matches(parse_criteria(tree), case, KNOWN, now=now, zone=zone)


def turns(tree: Any, case: CaseView = VISIT) -> date | None:
    return next_turn(parse_criteria(tree), case, KNOWN, now=NOW, zone=NAIROBI)


def checked(tree: Any, of: TypeView = TYPES["visit"]) -> list[Problem]:
    return check_case(
        parse_criteria(tree), of, KNOWN, others=list(TYPES.values()), groups=GROUPS, zone=NAIROBI
    )


def leaf(key: str, op: str, value: object = None, of: str = "case") -> dict[str, Any]:
    return {"property": key, "op": op, "of": of} | ({} if value is None else {"value": value})


def today(days: int = 0) -> dict[str, int]:
    return {"days_from_today": days}
