"""One case of CommCare's as a document of ours: what becomes what, what is left out, and what is no case."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clarion.connectors.commcare.cases import NoCase, case_told, read_forwarded
from clarion.connectors.commcare.properties import LONGEST_VALUE, property_key

STORED = "2026-03-02T09:00:02.000123Z"
MOTHER = {"case_id": "case-amina", "case_type": "pregnancy", "relationship": "child"}

FORWARDED: dict[str, Any] = {
    "domain": "selam", "case_id": "case-baby", "user_id": "worker-2", "closed": False, "xform_ids": ["f1"],
    "date_closed": None, "date_modified": "2026-03-02T09:00:01.000000Z", "server_date_modified": STORED,
    "properties": {
        "due": "2026-04-01", "risk": "", "case_name": "Baby", "case_type": "child", "owner_id": "clinic",
        "external_id": "B-1", "date_opened": "2026-03-02T09:00:00.123",
    },
    "indices": {"parent": MOTHER}, "attachments": {},
}  # fmt: skip

LISTED: dict[str, Any] = {
    "domain": "selam", "case_id": "case-baby", "case_type": "child", "case_name": "Baby",
    "external_id": "B-1", "owner_id": "clinic", "date_opened": "2026-03-02T09:00:00.123456Z",
    "last_modified": "2026-03-02T09:00:01.000000Z", "server_last_modified": STORED,
    "indexed_on": "2026-03-02T09:00:05.000000Z", "closed": False, "date_closed": None,
    "properties": {"due": "2026-04-01", "risk": ""}, "indices": {"parent": MOTHER},
}  # fmt: skip

DOCUMENT: dict[str, Any] = {
    "type": "child", "external_id": "case-baby", "name": "Baby", "closed": False, "owner": "clinic",
    "modified_by": "worker-2", "modified_at": STORED, "opened_at": "2026-03-02T09:00:00.123000Z",
    "parent": "case-amina", "host": None,
    "properties": {"due": "2026-04-01", "commcare_external_id": "B-1"}, "replace": True,
}  # fmt: skip


def forwarded(**changes: Any) -> dict[str, Any]:
    """The forwarded document with other properties; None takes one of its fields away."""
    properties = {**FORWARDED["properties"], **changes.pop("properties", {})}
    return {**FORWARDED, "properties": properties, **changes}


def left_out(row: object) -> dict[str, str]:
    return {one.where: one.what for one in case_told(row).problems}


def test_what_is_forwarded_and_what_is_listed_are_the_same_case_but_a_list_does_not_tell_who_saved() -> None:
    assert case_told(FORWARDED).document == DOCUMENT
    without = {key: value for key, value in DOCUMENT.items() if key != "modified_by"}
    assert case_told(LISTED).document == without
    assert case_told(FORWARDED).problems == case_told(LISTED).problems == ()
    assert read_forwarded(json.dumps(FORWARDED).encode()) == case_told(FORWARDED)


def test_commcares_own_example_of_a_forwarded_case_is_read() -> None:
    """The one of its documentation: times without fractions, and fields that newer versions do not have."""
    told = case_told(
        {
            "case_id": "b0916685-7247-4c44-b712-633d3d64e0c0", "closed": False, "date_closed": None,
            "date_modified": "2015-04-17T16:04:54.950000Z", "domain": "demo", "indices": {},
            "properties": {
                "case_name": "Trees", "case_type": "mscase", "date_opened": "2012-03-13T18:21:52Z",
                "owner_id": "d0e472a6b36dfd3ee5059222e12b8c1b",
            },
            "server_date_modified": "2012-04-05T23:56:41Z", "server_date_opened": "2012-04-05T23:56:41Z",
            "user_id": "d0e472a6b36dfd3ee5059222e12b8c1b", "version": "2.0", "xform_ids": ["3HQEXR2S"],
        }
    )  # fmt: skip
    assert (told.document["modified_at"], told.document["properties"]) == ("2012-04-05T23:56:41.000000Z", {})


def test_when_it_was_modified_is_the_servers_word_whatever_the_phones_clock_says() -> None:
    late = forwarded(date_modified="1999-01-01T00:00:00Z")
    assert case_told(late).document["modified_at"] == STORED


def test_a_closed_case_says_so() -> None:
    assert case_told(forwarded(closed=True)).document["closed"] is True


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("due", "due"), ("EDD", "edd"), ("last-visit.date", "last-visit.date"), ("état", "_tat"),
        ("_hidden", "commcare__hidden"), ("2nd_visit", "commcare_2nd_visit"), ("state", "commcare_state"),
        ("Owner", "commcare_owner"), ("x" * 100, "x" * 100), ("x" * 101, None),
    ],
)  # fmt: skip
def test_a_propertys_key_is_its_name_in_small_letters(name: str, key: str | None) -> None:
    expected = f"commcare_{key}" if key is not None and key.startswith("_") else key
    assert property_key(name) == expected


def test_what_is_commcares_own_among_the_properties_is_no_property() -> None:
    own = {"@case_id": "1", "@status": "open", "name": "Baby", "last_modified": "2026", "case_id": "1"}
    assert case_told(forwarded(properties=own)).document == DOCUMENT


def test_a_property_without_a_value_is_none_and_numbers_stay_numbers() -> None:
    given = {
        "risk": " \t",
        "visits": 3,
        "weight": 2.5,
        "twins": True,
        "phone": "0712\x00000001",
        "gone": None,
    }
    told = case_told(forwarded(properties=given)).document["properties"]
    assert told == {
        **DOCUMENT["properties"], "visits": 3, "weight": 2.5, "twins": True, "phone": "0712000001",
    }  # fmt: skip


def test_two_properties_that_would_have_one_key_are_told_and_the_one_that_is_a_key_keeps_it() -> None:
    row = forwarded(properties={"EDD": "2026-04-02", "edd": "2026-04-01", "Edd": "2026-04-03"})
    assert case_told(row).document["properties"]["edd"] == "2026-04-01"
    assert left_out(row) == {
        "properties.EDD": "its key here is edd, and so is that of edd",
        "properties.Edd": "its key here is edd, and so is that of edd",
    }


def test_a_value_that_cannot_be_kept_is_left_out_and_told_and_the_case_comes() -> None:
    row = forwarded(properties={"notes": "x" * (LONGEST_VALUE + 1), "place": {"lat": 1}, "y" * 101: "1"})
    assert case_told(row).document == DOCUMENT
    assert left_out(row) == {
        "properties.notes": "a value has at most 10,000 characters here, and this has 10,001",
        "properties.place": "a value is a text, a number, true or false, and this is none",
        f"properties.{'y' * 100}": "its name is too long for a key here",
    }


def test_an_index_is_a_parent_or_a_host_by_its_relationship_whatever_it_is_called() -> None:
    host = {"case_id": "case-house", "case_type": "household", "relationship": "extension"}
    both = case_told(forwarded(indices={"mother": MOTHER, "parent": host})).document
    assert (both["parent"], both["host"]) == ("case-amina", "case-house")
    old = {"case_id": "case-amina", "case_type": "pregnancy"}  # from before there were extensions
    assert case_told(forwarded(indices={"parent": old})).document["parent"] == "case-amina"
    gone = {**MOTHER, "case_id": ""}
    assert case_told(forwarded(indices={"parent": gone})).document["parent"] is None


def test_of_several_parents_the_one_that_is_called_so_is_kept_and_the_others_are_told() -> None:
    father = {**MOTHER, "case_id": "case-bekele"}
    row = forwarded(
        indices={"father": father, "parent": MOTHER, "seen": {**MOTHER, "relationship": "question"}}
    )
    assert case_told(row).document["parent"] == "case-amina"
    assert list(left_out(row)) == ["indices.father", "indices.seen"]


@pytest.mark.parametrize("nobody", ["", "-", None])
def test_a_case_that_nobody_owns_has_no_owner(nobody: str | None) -> None:
    assert case_told(forwarded(properties={"owner_id": nobody})).document["owner"] is None


def test_an_opening_that_cannot_be_read_is_left_out_and_told() -> None:
    row = forwarded(properties={"date_opened": "yesterday"})
    assert "opened_at" not in case_told(row).document
    assert left_out(row) == {"properties.date_opened": "'yesterday' is no moment"}


def test_moments_of_other_zones_are_told_in_utc() -> None:
    row = {**LISTED, "server_last_modified": "2026-03-02T12:00:02+03:00", "date_opened": "2026-03-02"}
    document = case_told(row).document
    assert document["modified_at"] == "2026-03-02T09:00:02.000000Z"
    assert document["opened_at"] == "2026-03-02T00:00:00.000000Z"


NO_CASES: dict[str, tuple[object, str, str, str]] = {
    "a list": ([FORWARDED], "body", "one JSON object", "one case a request"),
    "a form": ({"form": {}, "id": "1"}, "body", "this is a form", "Forward cases"),
    "a short form": ({"form_id": "1", "case_ids": []}, "body", "this is a form", "Forward cases"),
    "a test": (forwarded(case_id=None), "case_id", "no case_id", "nothing is to be done"),
    "no type": (forwarded(properties={"case_type": " "}), "properties.case_type", "no type", "Forward cases"),
    "no type in a list": ({**LISTED, "case_type": None}, "case_type", "no type", "API v2"),
    "no state": (forwarded(closed="no"), "closed", "closed", "true or false"),
    "no moment": (forwarded(server_date_modified=None), "server_date_modified", "stored it", "newer one"),
    "no moment at all": (
        {**LISTED, "server_last_modified": "9999-12-31T23:59:59-10:00"}, "server_last_modified", "stored it",
        "ISO 8601",
    ),
    "properties that are none": ({**FORWARDED, "properties": [1]}, "properties", "no JSON object", "cases"),
}  # fmt: skip


@pytest.mark.parametrize("label", NO_CASES)
def test_what_is_no_case_is_refused_and_told_what_it_is_and_what_to_do(label: str) -> None:
    row, where, what, hint = NO_CASES[label]
    with pytest.raises(NoCase, match=what) as refused:
        case_told(row)
    assert refused.value.where == where
    assert hint in refused.value.hint


@pytest.mark.parametrize("body", [b" <case/>", b"case_id=1", b""], ids=["XML", "a form's fields", "nothing"])
def test_a_body_that_is_no_json_is_told_to_choose_json(body: bytes) -> None:
    with pytest.raises(NoCase) as refused:
        read_forwarded(body)
    assert "choose JSON" in refused.value.hint
