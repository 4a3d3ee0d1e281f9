"""What other systems post, as cases: a mapping is read, and each record becomes what it says."""

from __future__ import annotations

from typing import Any

import pytest

from clarion.domain.mapped import Record, records
from clarion.domain.source import INBOUND, Inbound, mapping_of, settings_of
from clarion.errors import Invalid

VISIT: dict[str, Any] = {
    "type": {"value": "visit"},
    "external_id": "id",
    "name": "patient.name",
    "owner": "clinic.code",
    "modified_at": "updated",
    "closed": {"path": "status", "values": {"done": True, "*": False}},
    "properties": {"phone": "patient.phones[0]", "tags": "tags[*]", "appointment_date": "date"},
}
AMINA: dict[str, Any] = {
    "id": 17, "updated": "2026-03-02T08:00:00Z", "status": "planned", "date": "2026-03-04", "tags": ["a", 2],
    "patient": {"name": "Amina", "phones": ["0712000001"]}, "clinic": {"code": None},
}  # fmt: skip


def one(mapping: dict[str, Any], body: Any) -> Record:
    (found,) = records(mapping_of(mapping), body)
    return found


def test_a_record_becomes_what_the_mapping_says() -> None:
    record = one(VISIT, AMINA)
    assert record.findings == []
    assert record.document == {
        "type": "visit", "external_id": "17", "name": "Amina", "owner": None, "closed": False,
        "modified_at": "2026-03-02T08:00:00Z",
        "properties": {"phone": "0712000001", "tags": "a, 2", "appointment_date": "2026-03-04"},
    }  # fmt: skip


def test_what_is_not_found_is_not_said_and_what_is_null_is_taken_away() -> None:
    record = one(VISIT, {"id": "V-1", "date": None})
    assert record.document == {
        "type": "visit",
        "external_id": "V-1",
        "properties": {"appointment_date": None},
    }


def test_a_list_of_records_within_a_body_is_found() -> None:
    body = {"data": {"visits": [{"id": 1}, {"id": 2}]}}
    for path in ("data.visits[*]", "data.visits"):
        found = records(mapping_of({**VISIT, "records": path}), body)
        assert [one.document and one.document["external_id"] for one in found] == ["1", "2"]
    assert len(records(mapping_of(VISIT), [{"id": 1}, {"id": 2}])) == 2
    assert records(mapping_of({**VISIT, "records": "data[*]"}), {"data": []}) == []


def test_a_body_without_the_records_says_what_it_has_instead() -> None:
    with pytest.raises(Invalid, match="no records are found at") as refused:
        records(mapping_of({**VISIT, "records": "data.items[*]"}), {"data": {"visits": []}})
    assert refused.value.where == "mapping.records"
    assert "Data has visits" in refused.value.hint


def test_a_record_that_does_not_say_which_case_it_is_is_refused() -> None:
    for body in ({"date": "2026-03-04"}, {"id": None}, {"id": ""}, {"id": " \0"}):
        record = one(VISIT, body)
        assert record.document is None
        assert [(f.field, f.severity) for f in record.findings] == [("external_id", "refused")]
        assert "id" in record.findings[0].reason
    assert one(VISIT, 7).document is None


def test_a_path_that_leads_to_an_object_or_a_list_is_told_with_what_it_has() -> None:
    record = one({**VISIT, "properties": {"phone": "patient", "tags": "tags"}}, AMINA)
    assert record.document is not None
    assert record.document["properties"] == {}
    assert [(f.field, f.reason, f.severity) for f in record.findings] == [
        (
            "properties.phone",
            "patient: an object: say which of its members is meant (name, phones)",
            "warning",
        ),
        ("properties.tags", "tags: a list: say which of it is meant, as by [0] or [*]", "warning"),
    ]
    refused = one({**VISIT, "owner": "patient"}, AMINA)
    assert refused.document is None
    assert [f.field for f in refused.findings] == ["owner"]


def test_a_value_that_the_mapping_does_not_know_is_refused_where_it_decides() -> None:
    mapping = {**VISIT, "closed": {"path": "status", "values": {"done": True}}}
    record = one(mapping, AMINA)
    assert record.document is None
    assert "does not say what 'planned' means" in record.findings[0].reason


def test_moments_may_be_numbers_since_1970() -> None:
    for unit, number in (("seconds", 1_772_438_400), ("milliseconds", 1_772_438_400_000)):
        record = one({**VISIT, "modified_at": {"path": "at", "unix": unit}}, {"id": 1, "at": number})
        assert record.document is not None
        assert record.document["modified_at"] == "2026-03-02T08:00:00+00:00"
    for wrong in ("soon", 1e300, "nan"):
        record = one({**VISIT, "modified_at": {"path": "at", "unix": "seconds"}}, {"id": 1, "at": wrong})
        assert record.document is None


def test_contacts_of_a_role_are_all_that_a_path_leads_to() -> None:
    record = one(
        {**VISIT, "contacts": {"nurse": "nurses[*].id"}}, {"id": 1, "nurses": [{"id": 4}, {"id": "E-5"}]}
    )
    assert record.document is not None
    assert record.document["contacts"] == {"nurse": ["4", "E-5"]}


@pytest.mark.parametrize(
    ("wrong", "where", "what"),
    [
        ({"external_id": "a..b"}, "mapping.external_id", "cannot be read at character 2"),
        ({"properties": {"phone": "a["}}, "mapping.properties.phone", "'a['"),
        ({"properties": {"Phone Number": "a"}}, "mapping.properties", "write phone_number"),
        ({"properties": {"owner": "a"}}, "mapping.properties", "attribute"),
        ({"closed": {"path": "a", "value": 1}}, "mapping.closed", "either a path or a value"),
        ({"closed": {}}, "mapping.closed", "either a path or a value"),
        ({"records": "a]"}, "mapping.records", "cannot be read"),
        ({"owners": "a"}, "mapping.owners", "Extra inputs"),
    ],
)
def test_a_mapping_that_is_wrong_says_which_path(wrong: dict[str, Any], where: str, what: str) -> None:
    with pytest.raises(Invalid) as refused:
        mapping_of({**VISIT, **wrong})
    (problem,) = refused.value.problems
    assert problem.where == where
    assert what in problem.what


def test_a_mapping_names_type_and_external_id() -> None:
    with pytest.raises(Invalid) as refused:
        settings_of(INBOUND, {"mapping": {"name": "a"}})
    assert sorted(one.where for one in refused.value.problems) == [
        "settings.mapping.external_id",
        "settings.mapping.type",
    ]


def test_what_is_kept_reads_back_the_same() -> None:
    settings = settings_of(INBOUND, {"mapping": VISIT, "proof": {"by": "signature", "header": "X-Signature"}})
    assert Inbound.model_validate(settings.model_dump(mode="json")) == settings
