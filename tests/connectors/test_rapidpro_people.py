"""What RapidPro tells of people, as ours."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from clarion.connectors.rapidpro.people import (
    STATUS_FIELD,
    deleted_there,
    field_there,
    group_there,
    person_there,
)
from clarion.domain.field import Field, FieldType

UUID = "09d23a05-47fe-11e4-bfe9-b8f6b119e9ab"
MOMENT = "2026-03-01T06:30:00.123456Z"


def row(**more: Any) -> dict[str, Any]:
    usual = {
        "uuid": UUID, "name": "Amina", "status": "active", "language": "swa", "urns": ["tel:+254712000001"],
        "groups": [{"uuid": "g-1", "name": "Nurses"}], "fields": {"age": "31", "ward": None},
        "modified_on": MOMENT,
    }  # fmt: skip
    return usual | more


def test_a_contact_is_told_with_all_that_we_know_a_place_for() -> None:
    one = person_there(row(), {"age": "age", "ward": "ward"})
    assert (one.uuid, one.status, one.changed_at) == (
        UUID, "active", datetime(2026, 3, 1, 6, 30, 0, 123456, tzinfo=UTC),
    )  # fmt: skip
    assert one.given.external_id == f"rapidpro:{UUID}"
    assert one.given.fields == {"age": "31", "ward": None, STATUS_FIELD.key: None}
    assert (one.given.name, one.given.language, one.given.opted_out) == ("Amina", "swa", None)
    assert [group.source for group in one.groups] == ["rapidpro:g-1"]


def test_each_address_has_our_scheme_and_others_are_named() -> None:
    urns = [
        "tel:+254712000001", "whatsapp:254712000001?channel=1#0712", "mailto:amina@example.org",
        "facebook:24581234", "telegram:123456", "tel:********",
    ]  # fmt: skip
    one = person_there(row(urns=urns), {})
    assert [address[1:] for address in one.given.addresses] == [
        ("tel", "+254712000001"), ("whatsapp", "+254712000001"), ("mailto", "amina@example.org"),
        ("messenger", "24581234"),
    ]  # fmt: skip
    assert one.schemes == {"tel", "whatsapp", "mailto", "messenger"}
    assert (one.others, one.hidden) == (("telegram",), 1)


@pytest.mark.parametrize(("status", "out"), [("stopped", True), ("blocked", None), ("archived", None)])
def test_who_has_stopped_is_opted_out_and_others_are_marked(status: str, out: bool | None) -> None:
    given = person_there(row(status=status), {}).given
    assert (given.opted_out, given.fields[STATUS_FIELD.key]) == (out, status)


def test_of_who_was_deleted_nothing_is_said_but_that() -> None:
    one = deleted_there(row(name=None, urns=[], fields={}))
    assert (one.status, one.given.name, one.given.addresses) == ("deleted", None, ())


@pytest.mark.parametrize("broken", [{"uuid": None}, {"modified_on": "soon"}, {"modified_on": None}])
def test_a_contact_that_cannot_be_told_apart_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        person_there(row(**broken), {})


@pytest.mark.parametrize(
    ("told", "field"),
    [
        ({"key": "age", "name": "Age", "type": "number"}, Field("age", "Age", FieldType.NUMBER)),
        ({"key": "ward", "name": "Ward", "type": "ward"}, Field("ward", "Ward", FieldType.TEXT)),
        (
            {"key": "joined", "label": "Joined", "value_type": "datetime"},
            Field("joined", "Joined", FieldType.DATETIME),
        ),
        (
            {"key": "state", "name": "State", "type": "state"},
            Field("rapidpro_state", "State", FieldType.TEXT),
        ),
    ],
)  # fmt: skip
def test_a_field_has_its_type_and_a_key_that_is_free_here(told: dict[str, Any], field: Field) -> None:
    assert field_there(told) == (told["key"], field)


def test_groups_of_the_systems_own_are_none_of_ours() -> None:
    assert group_there({"uuid": "g-1", "name": "Open Tickets", "system": True}) is None
