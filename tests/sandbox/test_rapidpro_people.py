"""RapidPro's contacts, fields and groups in the sandbox: what they take and refuse, how they are listed."""

from __future__ import annotations

import time
from typing import Any

import pytest

from clarion.sandbox.client import SandboxProcess
from tests.sandbox.rapidpro import NUMBERS, There

AMINA, ABEBE = "tel:+254712000001", "tel:+251911000002"
NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def there(sandbox: SandboxProcess) -> There:
    sandbox.configure(numbers=NUMBERS)
    return There(sandbox)


def names(rows: list[dict[str, Any]]) -> list[str]:
    return [row["name"] for row in rows]


def test_a_contact_is_made_read_changed_and_deleted(there: There) -> None:
    there.made("fields", name="Registration date", type="datetime")
    nurses = there.made("groups", name="Nurses")
    amina = there.made(
        "contacts", name="Amina", language="eng", urns=[AMINA, "whatsapp:254712000001"],
        groups=[nurses["uuid"]], fields={"registration_date": "2026-03-01T09:00:00+03:00"},
    )  # fmt: skip
    assert amina["groups"] == [{"uuid": nurses["uuid"], "name": "Nurses"}]
    assert amina["fields"] == {"registration_date": "2026-03-01T06:00:00.000000Z"}
    assert there.listed("contacts", urn=AMINA) == [amina]
    changed = there.changed(
        "contacts", amina["uuid"], name="Amina Wanjiru", fields={"registration_date": None}
    )
    assert (changed["name"], changed["fields"], changed["language"]) == (
        "Amina Wanjiru", {"registration_date": None}, "eng",
    )  # fmt: skip
    assert changed["modified_on"] > amina["modified_on"]
    assert there.delete("contacts", uuid=amina["uuid"]).status == 204
    assert there.listed("contacts") == []
    (gone,) = there.listed("contacts", deleted="true")
    assert (gone["uuid"], gone["name"], gone["urns"]) == (amina["uuid"], None, [])


def test_by_its_urn_a_contact_is_made_once_and_then_changed(there: There) -> None:
    first = there.post("contacts", {"name": "Amina"}, urn=AMINA)
    second = there.post("contacts", {"name": "Amina W."}, urn=AMINA)
    assert (first.status, second.status) == (201, 200)
    assert second.body["uuid"] == first.body["uuid"]
    refused = there.post("contacts", {"urns": [ABEBE]}, urn=AMINA)
    assert (refused.status, refused.body) == (400, {"urns": ["Field not allowed when using URN in URL"]})


REFUSED: dict[str, tuple[str, Any, dict[str, list[str]]]] = {
    "a long name": (
        "contacts", {"name": "x" * 65}, {"name": ["Ensure this field has no more than 64 characters."]},
    ),
    "no language": ("contacts", {"language": "Eng"}, {"language": ["Not a valid ISO639-3 language code."]}),
    "an unknown field": ("contacts", {"fields": {"age": 3}}, {"fields": ["Unknown contact field: age"]}),
    "an unknown group": ("contacts", {"groups": [NOBODY]}, {"groups": [f"No such object: {NOBODY}"]}),
    "101 groups": (
        "contacts", {"groups": ["x"] * 101}, {"groups": ["Ensure this field has no more than 100 elements."]},
    ),
    "no object": (
        "contacts", [1], {"non_field_errors": ["Request body should be a single JSON object"]},
    ),
    "no type": ("fields", {"name": "Age"}, {"type": ["This field is required."]}),
    "another type": (
        "fields", {"name": "Age", "type": "colour"}, {"type": ['"colour" is not a valid choice.']},
    ),
    "a taken key": (
        "fields", {"name": "UUID", "type": "text"}, {"name": ['Generated key "uuid" is invalid.']},
    ),
    "an empty name": ("groups", {"name": " "}, {"name": ["This field may not be blank."]}),
    "101 contacts": (
        "contact_actions", {"contacts": [NOBODY] * 101, "action": "block"},
        {"contacts": ["Ensure this field has no more than 100 elements."]},
    ),
    "nobody": (
        "contact_actions", {"contacts": [NOBODY], "action": "block"},
        {"contacts": [f"No such object: {NOBODY}"]},
    ),
    "no group": (
        "contact_actions", {"contacts": [], "action": "add"},
        {"non_field_errors": ['For action "add" you should also specify a group']},
    ),
}  # fmt: skip


@pytest.mark.parametrize("label", REFUSED)
def test_what_is_not_right_is_told_by_field(there: There, label: str) -> None:
    name, body, told = REFUSED[label]
    answered = there.post(name, body)
    assert (answered.status, answered.body) == (400, told)


def test_an_address_that_is_none_and_one_that_is_taken_are_refused(there: There) -> None:
    amina = there.made("contacts", urns=[AMINA])
    wrong = there.post("contacts", {"urns": ["tel:0712"]})
    taken = there.post("contacts", {"urns": [AMINA]})
    assert (wrong.status, list(wrong.body["urns"])) == (400, ["0"])
    assert taken.body == {"urns": [f"URN belongs to another contact: {amina['uuid']}"]}


def test_who_has_no_token_hears_403_and_what_is_not_there_404(there: There) -> None:
    stranger = There(there.sandbox, "stolen").get("contacts")
    assert (stranger.status, stranger.body) == (403, {"detail": "Invalid token"})
    assert there.post("contacts", {}, uuid=NOBODY).status == 404
    assert there.delete("groups", uuid=NOBODY).status == 404
    assert there.get("contacts", cursor="xyz").status == 404
    assert there.get("contact_actions").status == 405


def test_a_list_is_read_in_pages_which_what_is_written_meanwhile_does_not_move(there: There) -> None:
    there.sandbox.configure(rapidpro={"page": 2})
    made = [there.made("contacts", name=f"Person {n}") for n in range(5)]
    first = there.get("contacts", reverse="true").body
    assert names(first["results"]) == ["Person 0", "Person 1"]
    there.changed("contacts", made[0]["uuid"], name="Person 0 again")
    second = there.ask("GET", first["next"]).body
    third = there.ask("GET", second["next"]).body
    assert names(second["results"] + third["results"]) == [
        "Person 2",
        "Person 3",
        "Person 4",
        "Person 0 again",
    ]
    assert third["next"] is None
    assert names(there.listed("contacts"))[:2] == ["Person 0 again", "Person 4"]


def test_a_list_of_contacts_is_bounded_by_when_they_changed_both_bounds_within(there: There) -> None:
    rows = [there.made("contacts", name=f"Person {n}") for n in range(3)]
    middle = rows[1]["modified_on"]
    assert names(there.listed("contacts", after=middle, reverse="true")) == ["Person 1", "Person 2"]
    assert names(there.listed("contacts", before=middle, reverse="true")) == ["Person 0", "Person 1"]
    assert there.get("contacts", after="soon").status == 400


def test_a_group_is_joined_and_left_by_its_members(there: There) -> None:
    nurses = there.made("groups", name="Nurses")["uuid"]
    amina, abebe = (there.made("contacts", urns=[urn])["uuid"] for urn in (AMINA, ABEBE))
    there.act("add", amina, ABEBE, group="nurses")
    assert len(there.listed("contacts", group=nurses)) == 2
    there.act("remove", abebe, group=nurses)
    assert [one["uuid"] for one in there.listed("contacts", group="Nurses")] == [amina]
    assert there.listed("groups") == [
        {"uuid": nurses, "name": "Nurses", "query": None, "status": "ready", "system": False, "count": 1}
    ]
    assert there.post("groups", {"name": "NURSES"}).body == {"name": ["This field must be unique."]}
    assert there.changed("groups", nurses, name="Senior nurses")["count"] == 1
    before = there.listed("contacts", uuid=amina)[0]["modified_on"]
    assert there.delete("groups", uuid=nurses).status == 204
    (left,) = there.listed("contacts", uuid=amina)
    assert (left["groups"], left["modified_on"] > before) == ([], True)


@pytest.mark.parametrize(
    ("how", "status"), [("block", "blocked"), ("stop", "stopped"), ("archive", "archived")]
)
def test_who_is_not_active_is_in_no_group_and_joins_none(there: There, how: str, status: str) -> None:
    there.made("groups", name="Nurses")
    amina = there.made("contacts", urns=[AMINA], groups=["Nurses"])["uuid"]
    if how == "block":
        there.act("block", amina)
    else:
        there.by_hand(how, amina)
    (now,) = there.listed("contacts")
    assert (now["status"], now["groups"]) == (status, [])
    assert there.post("contacts", {"groups": ["Nurses"]}, uuid=amina).status == 400


def test_a_field_has_a_key_by_its_name_and_there_are_only_so_many(there: There) -> None:
    field = there.made("fields", name="Staff ID (new)", type="text")
    assert field == {"key": "staff_id_new", "name": "Staff ID (new)", "type": "text"}
    there.sandbox.configure(rapidpro={"most": 1})
    full = there.post("fields", {"name": "Age", "type": "number"})
    assert (full.status, "reached limit of 1" in full.body["detail"]) == (409, True)
    renamed = there.post("fields", {"name": "Staff ID", "type": "number"}, key="staff_id_new")
    assert renamed.body == {"key": "staff_id_new", "name": "Staff ID", "type": "number"}


def test_too_many_requests_of_one_scope_are_told_when_to_come_again(there: There) -> None:
    there.sandbox.configure(rapidpro={"requests": 2, "window": 30})
    assert [there.get("groups").status for _ in range(2)] == [200, 200]
    refused = there.get("fields")
    assert (refused.status, 20 < int(refused.headers["Retry-After"]) <= 30) == (429, True)
    assert there.get("contacts").status == 200
    there.sandbox.configure(rapidpro={"requests": 2, "window": 30}, clock_offset=31)
    assert there.get("fields").status == 200


def test_what_is_read_lags_behind_what_was_written(there: There) -> None:
    there.sandbox.configure(rapidpro={"read_lag": 0.4})
    amina = there.made("contacts", name="Amina")
    assert there.listed("contacts") == []
    time.sleep(0.5)
    changed = there.changed("contacts", amina["uuid"], name="Amina Wanjiru")
    assert names(there.listed("contacts")) == ["Amina"]
    time.sleep(0.5)
    assert there.listed("contacts") == [changed]


def test_a_sandbox_that_is_emptied_has_nobody(there: There) -> None:
    there.made("contacts", name="Amina")
    there.sandbox.reset()
    assert there.listed("contacts") == []
