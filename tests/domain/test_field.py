"""Typed fields: what people write becomes one value, and what could mean two things is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarion.domain.field import FieldType, Value, field_key, parse_value, restored, shown, stored
from clarion.domain.refusal import Refusal

NAIROBI = ZoneInfo("Africa/Nairobi")
BERLIN = ZoneInfo("Europe/Berlin")
FIRST = datetime.fromisoformat("1850-01-02")
LAST = datetime.fromisoformat("2199-12-30")


@pytest.mark.parametrize(
    ("kind", "raw", "expected"),
    [
        ("text", " Finance ", "Finance"),
        ("text", 12.50, "12.5"),
        ("text", True, "true"),
        ("number", "1234.50", Decimal("1234.5")),
        ("number", "1,234,567", Decimal(1234567)),
        ("number", "1,234.5", Decimal("1234.5")),
        ("number", "−3", Decimal(-3)),
        ("number", "٣٤", Decimal(34)),
        ("number", 1e-05, Decimal("0.00001")),
        ("date", "2026-03-01", date(2026, 3, 1)),
        ("date", "2026/3/1", date(2026, 3, 1)),
        ("date", "1 March 2026", date(2026, 3, 1)),
        ("date", "01-Mar-2026", date(2026, 3, 1)),
        ("date", "Mar 1st, 2026", date(2026, 3, 1)),
        ("date", "1.3.2026", date(2026, 3, 1)),
        ("date", "25/03/2026", date(2026, 3, 25)),
        ("date", "03/25/2026", date(2026, 3, 25)),
        ("date", "04/04/2026", date(2026, 4, 4)),
        ("date", "2026-03-01T00:00:00", date(2026, 3, 1)),
        ("datetime", "2026-03-01T09:30", datetime(2026, 3, 1, 6, 30, tzinfo=UTC)),
        ("datetime", "2026-03-01 09:30:00Z", datetime(2026, 3, 1, 9, 30, tzinfo=UTC)),
        ("datetime", "2026-03-01T09:30+05:30", datetime(2026, 3, 1, 4, 0, tzinfo=UTC)),
        ("datetime", "2026-03-01", datetime(2026, 2, 28, 21, 0, tzinfo=UTC)),
        ("boolean", "Yes", True),
        ("boolean", 0, False),
        ("boolean", "off", False),
    ],
)
def test_what_people_write_becomes_a_value(kind: str, raw: object, expected: Value) -> None:
    assert parse_value(FieldType(kind), raw, NAIROBI) == expected


@pytest.mark.parametrize("kind", list(FieldType))
def test_blank_is_missing(kind: FieldType) -> None:
    assert parse_value(kind, "  ") is None
    assert parse_value(kind, None) is None


@pytest.mark.parametrize(
    ("kind", "raw", "why"),
    [
        ("text", "a\0b", "not_text"),
        ("text", "\ud800", "not_text"),
        ("text", ["a"], "not_text"),
        ("text", "x" * 5000, "not_text"),
        ("number", "1,234", "ambiguous_number"),
        ("number", "1,5", "ambiguous_number"),
        ("number", "1.234,5", "ambiguous_number"),
        ("number", "1e5", "not_a_number"),
        ("number", "NaN", "not_a_number"),
        ("number", float("inf"), "not_a_number"),
        ("number", True, "not_a_number"),
        ("number", "1234567890123456", "number_too_long"),
        ("number", 10**400, "number_too_long"),
        ("number", -1e300, "number_too_long"),
        ("date", "03/04/2026", "ambiguous_date"),
        ("date", "30 February 2026", "not_a_date"),
        ("date", "1 Marble 2026", "not_a_date"),
        ("date", "0206-01-01", "not_a_date"),
        ("date", "46000", "not_a_date"),
        ("date", 46000, "not_a_date"),
        ("date", "01/02/26", "not_a_date"),
        ("datetime", "soon", "not_a_moment"),
        ("datetime", "2026-03-01T25:00", "not_a_moment"),
        ("datetime", "2026-03-01T09:30+23:59", "not_a_moment"),
        ("datetime", "03/04/2026", "ambiguous_date"),
        ("boolean", "maybe", "not_a_boolean"),
    ],
)
def test_what_is_wrong_or_ambiguous_is_refused_with_its_reason(kind: str, raw: object, why: str) -> None:
    found = parse_value(FieldType(kind), raw, NAIROBI)
    assert isinstance(found, Refusal)
    assert found.reason == why


def test_a_local_time_that_the_clocks_skip_or_repeat_has_one_reading() -> None:
    skipped = parse_value(FieldType.DATETIME, "2026-03-29T02:30", BERLIN)
    assert skipped == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    repeated = parse_value(FieldType.DATETIME, "2026-10-25T02:30", BERLIN)
    assert repeated == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


values = st.one_of(
    st.text(min_size=1, max_size=20).map(str.strip).map(lambda t: parse_value(FieldType.TEXT, t)),
    st.decimals(-(10**9), 10**9, places=5).map(lambda d: d.normalize() + 0),
    st.dates(date(1850, 1, 1), date(2199, 12, 31)),
    st.datetimes(FIRST, LAST).map(lambda d: d.replace(tzinfo=timezone(timedelta(hours=3)))),
    st.booleans(),
).filter(lambda v: v is not None and not isinstance(v, Refusal))


def type_of(value: Value) -> FieldType:
    pairs = {bool: "boolean", str: "text", Decimal: "number", datetime: "datetime", date: "date"}
    return FieldType(pairs[type(value)])


@given(values)
def test_a_stored_value_comes_back_as_itself(value: Value) -> None:
    assert restored(type_of(value), stored(value)) == value


@given(values)
def test_a_shown_value_reads_as_itself(value: Value) -> None:
    assert parse_value(type_of(value), shown(value)) == value


@given(st.lists(st.datetimes(FIRST, LAST, timezones=st.just(UTC)), max_size=5))
def test_stored_moments_sort_as_text(moments: list[datetime]) -> None:
    assert sorted(str(stored(m)) for m in moments) == [str(stored(m)) for m in sorted(moments)]


def test_a_value_of_a_former_type_is_missing_rather_than_an_error() -> None:
    assert restored(FieldType.DATE, "Finance") is None


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Start Date", "start_date"),
        ("  E-mail (work) ", "e_mail_work"),
        ("القسم", "القسم"),
        ("ＩＤ２", "id2"),
    ],
)
def test_a_fields_key_is_made_from_its_name(name: str, key: str) -> None:
    assert field_key(name) == key


@pytest.mark.parametrize(("name", "why"), [("2nd", "bad_key"), ("", "bad_key"), ("Name", "reserved_key")])
def test_a_name_that_cannot_be_a_key_is_refused(name: str, why: str) -> None:
    found = field_key(name)
    assert isinstance(found, Refusal)
    assert found.reason == why
