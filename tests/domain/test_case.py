"""Words about cases as they are read: what is kept, what is told, what is refused."""

from __future__ import annotations

import math
import unicodedata
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clarion.domain.case import CaseType, declared, type_name, why_no_key
from clarion.domain.case_values import Case, CaseCustoms
from clarion.domain.case_word import read_case
from clarion.domain.contact import clean_external_id, clean_name
from clarion.domain.field import FieldType, parse_value, stored
from clarion.domain.refusal import Refusal
from clarion.errors import Invalid

NOW = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)
PROPERTIES = declared(
    [
        ("edd", "date", None, ""),
        ("seen", "datetime", None, ""),
        ("weight", "number", None, ""),
        ("consented", "boolean", None, ""),
        ("phone", "address", "tel", ""),
        ("midwife", "contact", None, ""),
    ]
)
PREGNANCY = CaseType(UUID(int=1), "pregnancy", properties={one.key: one for one in PROPERTIES})
STRICT = CaseType(UUID(int=2), "strict", declared_only=True, properties=PREGNANCY.properties)
NAIROBI = ZoneInfo("Africa/Nairobi")
CUSTOMS = CaseCustoms({"pregnancy": PREGNANCY, "strict": STRICT}, NOW, "KE", NAIROBI)


def read(**said: Any) -> Case:
    case, findings = read_case({"type": "pregnancy", **said}, CUSTOMS)
    assert case is not None, findings
    return case


def refused(**said: Any) -> dict[str, str]:
    case, findings = read_case({"type": "pregnancy", **said}, CUSTOMS)
    assert case is None
    return {one.field: one.reason for one in findings if one.severity == "refused"}


@pytest.mark.parametrize(
    ("given", "number", "date"),
    [
        ("2026-03-01", None, "2026-03-01"),
        ("1 March 2026", None, "2026-03-01"),
        ("2026-03-01T00:00:00", None, "2026-03-01"),
        ("2026-03-01T09:30", None, "2026-03-01T06:30:00.000000Z"),
        ("2026-03-01T09:30:00Z", None, "2026-03-01T09:30:00.000000Z"),
        ("03/04/2026", None, None),
        ("61.50", 61.5, None),
        ("1,234.5", 1234.5, None),
        ("1,5", None, None),
        (61, 61, None),
        (0.5, 0.5, None),
        (10**18, None, None),
        (True, None, None),
        ("yes", None, None),
    ],
)
def test_whatever_is_declared_a_value_is_read_as_a_number_and_as_a_date(
    given: object, number: object, date: object
) -> None:
    case = read(properties={"x": given})
    assert case.numbers.get("x") == number
    assert case.dates.get("x") == date


def test_a_value_is_kept_as_it_was_given() -> None:
    given = {"a": " 61.50 ", "b": 1.0, "c": False, "d": "ʼn", "e": 10**18, "f": None, "g": "  "}
    said = read(properties=given).properties
    assert said == {**given, "e": str(10**18), "f": None, "g": None}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("edd", "soon"), ("edd", 7), ("seen", "at night"), ("weight", "heavy"), ("consented", "perhaps"),
        ("phone", "call the shop"),
    ],
)  # fmt: skip
def test_what_does_not_read_as_its_kind_is_kept_and_told(key: str, value: object) -> None:
    case, findings = read_case({"type": "pregnancy", "properties": {key: value}}, CUSTOMS)
    assert case is not None
    assert case.properties == {key: value}
    assert [(one.field, one.severity) for one in findings] == [(f"properties.{key}", "warning")]
    assert "kept as it was written" in findings[0].reason


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("edd", "2026-03-01"), ("edd", "2026-03-01T09:30"), ("seen", "2026-03-01"), ("weight", "61.5"),
        ("consented", "no"), ("consented", True), ("phone", "0712000001"), ("midwife", 17), ("edd", None),
    ],
)  # fmt: skip
def test_what_reads_as_its_kind_is_nothing_to_tell(key: str, value: object) -> None:
    assert read_case({"type": "pregnancy", "properties": {key: value}}, CUSTOMS)[1] == []


def test_whom_properties_name_is_read() -> None:
    case = read(properties={"phone": "0712 000 001", "midwife": 17}, contacts={"a": "E-1", "b": ["E-2", 3]})
    assert {key: str(one) for key, one in case.addresses.items()} == {"phone": "tel:+254712000001"}
    assert case.people == {"midwife": "17"}
    assert case.contacts == {"a": ("E-1",), "b": ("E-2", "3")}
    gone = read(properties={"phone": "", "midwife": None})
    assert (gone.addresses, gone.people) == ({"phone": None}, {"midwife": None})


def test_what_is_absent_is_not_said_and_null_takes_a_link_away() -> None:
    case = read(owner=None, parent="H-1", name="", external_id="  P-1 ")
    assert (case.owner, case.parent, case.host, case.name, case.external_id) == ("", "H-1", None, "", "P-1")
    assert (case.state, read(closed=True).state, read(closed="no").state) == (None, "closed", "open")


def test_moments_are_read_in_the_workspaces_zone_and_none_from_tomorrow() -> None:
    assert read(modified_at="2026-03-01T09:30").modified_at == datetime(2026, 3, 1, 6, 30, tzinfo=UTC)
    case, findings = read_case({"type": "pregnancy", "modified_at": "2026-03-04T00:00Z"}, CUSTOMS)
    assert case is not None
    assert case.modified_at is None
    assert findings[0].field == "modified_at"


@pytest.mark.parametrize(
    ("said", "where", "word"),
    [
        ({"type": None}, "type", "a case has a type; there are pregnancy, strict"),
        ({"type": "pregnacy"}, "type", "did you mean pregnancy?"),
        ({"owners": "x"}, "owners", "did you mean owner?"),
        ({"state": "closed"}, "state", '"closed": true'),
        ({"external_id": "x" * 201}, "external_id", "200 characters"),
        ({"external_id": ["x"]}, "external_id", "not an external id"),
        ({"closed": "perhaps"}, "closed", "true or false"),
        ({"modified_at": "yesterday"}, "modified_at", "not a date and time"),
        ({"modified_at": 5}, "modified_at", "not a date and time"),
        ({"external_id": "P-1", "parent": "P-1"}, "parent", "comes round"),
        ({"external_id": "P-1", "host": "P-1"}, "host", "comes round"),
        ({"properties": [1]}, "properties", "not an object"),
        ({"properties": {"Risk": 1}}, "properties.Risk", "write risk"),
        ({"properties": {"owner": 1}}, "properties.owner", "attribute of the case"),
        ({"properties": {"a": {"b": 1}}}, "properties.a", "neither a text"),
        ({"properties": {"a": "x" * 10_001}}, "properties.a", "10,000 characters"),
        ({"properties": {"a": "x" * 1_000_000}}, "properties.a", "10,000 characters"),
        ({"properties": {"a": float("inf")}}, "properties.a", "no number"),
        ({"properties": {"a": "\0"}}, "properties", "NUL"),
        ({"properties": {"a": "\ud800"}}, "properties", "not text"),
        ({"properties": {f"k{n}": 1 for n in range(1_001)}}, "properties", "1,000 properties"),
        ({"properties": {f"k{n}": "x" * 9_999 for n in range(27)}}, "properties", "256 KiB"),
        ({"contacts": {"phone": "E-1"}}, "contacts.phone", "says who that is"),
        ({"contacts": ["E-1"]}, "contacts", "not an object"),
        ({"replace": "yes"}, "replace", "neither true nor false"),
        ({"replace": 1}, "replace", "neither true nor false"),
        ({"name": ["Amina"]}, "name", "not text"),
        ({"type": "strict", "properties": {"eddd": 1}}, "properties.eddd", "did you mean edd?"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_its_place(said: dict[str, Any], where: str, word: str) -> None:
    assert word in refused(**said)[where]


def test_text_that_only_looks_like_a_null_character_is_kept() -> None:
    assert read(properties={"a": "\\u0000"}).properties == {"a": "\\u0000"}


@pytest.mark.parametrize("key", ["edd", "a", "a.b-c_9", "x" * 100])
def test_a_key_is_small_letters_digits_and_three_signs(key: str) -> None:
    assert why_no_key(key) is None


@pytest.mark.parametrize("key", ["", "Edd", "9a", "_a", "a b", "é", "x" * 101, "type", "state"])
def test_what_is_no_key_is_told(key: str) -> None:
    assert why_no_key(key)


def test_a_types_name_and_its_properties_are_checked() -> None:
    assert type_name(" CCC_mother ") == "CCC_mother"
    with pytest.raises(Invalid):
        type_name("a mother")
    with pytest.raises(Invalid) as wrong:
        declared(
            [
                ("a", "numbr", None, ""),
                ("b", "text", "tel", ""),
                ("c", "text", None, ""),
                ("c", "date", None, ""),
            ]
        )
    told = {one.where: one for one in wrong.value.problems}
    assert set(told) == {"properties[0].kind", "properties[1].scheme", "properties[3].key"}
    assert "did you mean number?" in told["properties[0].kind"].hint
    (phone,) = declared([("phone", "address", None, "")])
    assert phone.scheme == "tel"


PLAIN = st.text(st.sampled_from('aé 0159.-:T\tZ+,\\"\u00a0'), max_size=12)
SHORT = PLAIN | st.text(max_size=8) | st.dates(max_value=date(2300, 1, 1)).map(str) | st.datetimes().map(str)
ANYTHING = st.one_of(
    SHORT, st.text(min_size=60, max_size=70), st.integers(), st.floats(), st.booleans(), st.none(),
    st.lists(st.integers(), max_size=1),
)  # fmt: skip
KEYS = st.sampled_from(["a", "b", "null", "edd", "seen", "weight", "phone"])


def as_it_is_kept(value: Any) -> Any:
    """The reference: by the readers of fields alone, value by value."""
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value) if value and not value.isspace() else None
    if isinstance(value, bool | None):
        return value
    return value if readable(FieldType.NUMBER, value) is not None else str(value)


def readable(kind: FieldType, value: Any) -> Any:
    found = parse_value(kind, value, NAIROBI)
    return None if found is None or isinstance(found, Refusal) else stored(found)


def numbers_and_dates(said: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    numbers: dict[str, Any] = {}
    dates: dict[str, Any] = {}
    for key, value in said.items():
        if isinstance(value, bool | None) or (isinstance(value, str) and len(value) > 64):
            continue
        if (number := readable(FieldType.NUMBER, value)) is not None:
            numbers[key] = number
        if isinstance(value, str):
            day = readable(FieldType.DATE, value)
            day = readable(FieldType.DATETIME, value) if day is None else day
            if day is not None:
                dates[key] = day
    return numbers, dates


def sound(value: Any) -> bool:
    if isinstance(value, str):
        return not any(c == "\0" or "\ud800" <= c <= "\udfff" for c in value)
    return not isinstance(value, list) and (not isinstance(value, float) or math.isfinite(value))


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(values=st.dictionaries(KEYS, ANYTHING, max_size=5))
def test_properties_are_read_as_each_value_is_alone(values: dict[str, Any]) -> None:
    before = dict(values)
    case, findings = read_case({"type": "pregnancy", "properties": values}, CUSTOMS)
    assert repr(values) == repr(before)  # what was given is nobody's to change
    if case is None:
        refused = {one.field for one in findings if one.severity == "refused"}
        bad = {f"properties.{key}" for key, value in values.items() if not sound(value)}
        assert bad
        assert refused <= bad | {"properties"}
        return
    expected = {key: as_it_is_kept(value) for key, value in values.items()}
    assert list(case.properties.items()) == list(expected.items())
    assert (case.numbers, case.dates) == numbers_and_dates(expected if values else {})
    assert list(case.gone) == [key for key, value in expected.items() if value is None]
    document = {key: value for key, value in expected.items() if value is not None}
    assert case.document == orjson.dumps(document).decode()


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=SHORT | st.text(max_size=220))
def test_names_and_ids_that_need_no_cleaning_are_as_cleaned_ones(text: str) -> None:
    if "\0" in text:
        return
    assert read(name=text).name == (clean_name(text) or "")
    if sound(text):
        assert read(external_id=text).external_id == clean_external_id(text)
        assert read(owner=text).owner == (clean_external_id(text) or "")


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(moment=st.datetimes(datetime(1850, 1, 2), datetime(2026, 3, 1)), offset=st.integers(-12, 12))  # noqa: DTZ001
def test_a_moment_is_the_same_whatever_its_offset(moment: datetime, offset: int) -> None:
    there = moment.replace(tzinfo=timezone(timedelta(hours=offset)))
    for written in (there.isoformat(), there.astimezone(UTC).isoformat().replace("+00:00", "Z")):
        found = read(modified_at=written).modified_at
        assert (found, found and found.tzinfo) == (there, UTC)
