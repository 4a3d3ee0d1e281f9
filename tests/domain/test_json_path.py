"""Paths into JSON documents: what they lead to, and what is said of those that cannot be read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarion.domain.json_path import JsonPath, read_path
from clarion.domain.refusal import Refusal

BODY: dict[str, Any] = {
    "id": 17,
    "patient": {"name": "Amina", "phones": ["0712000001", "0712000002"], "odd.name": {"x y": True}},
    "items": [{"id": "a", "tags": ["t", "u"]}, {"id": "b"}, "none", {"id": None}],
}


def path(text: str) -> JsonPath:
    read = read_path(text)
    assert isinstance(read, JsonPath), read
    return read


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("id", [17]),
        ("$.id", [17]),
        ("$", [BODY]),
        ("patient.name", ["Amina"]),
        ("patient.phones[0]", ["0712000001"]),
        ("patient.phones[-1]", ["0712000002"]),
        ("patient.phones[*]", ["0712000001", "0712000002"]),
        ('patient["odd.name"].x y', [True]),
        ('["id"]', [17]),
        ("items[*].id", ["a", "b", None]),
        ("items[*].tags[*]", ["t", "u"]),
        ("items[0].tags", [["t", "u"]]),
        ("patient.phones[2]", []),
        ("patient.phones.first", []),
        ("patient[0]", []),
        ("id.more", []),
        ("missing.more", []),
    ],
)
def test_a_path_leads_to_what_there_is(text: str, found: list[Any]) -> None:
    assert path(text).find(BODY) == found


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("patient..name", "character 8"),
        ("patient.", "character 8"),
        (".name", "character 1"),
        ("patient[", "character 8"),
        ("patient[x]", "character 8"),
        ("items[0]id", "character 9"),
        ('["id', "character 1"),
        ("a b[", "character 4"),
    ],
)
def test_a_path_that_cannot_be_read_says_where(text: str, at: str) -> None:
    refusal = read_path(text)
    assert isinstance(refusal, Refusal)
    assert f"cannot be read at {at}:" in refusal.what
    assert "patient.phones[0].number" in refusal.hint


@pytest.mark.parametrize("text", ["", "  ", "a" * 501, ".".join("a" * 60)])
def test_a_path_is_neither_blank_nor_without_end(text: str) -> None:
    assert isinstance(read_path(text), Refusal)


def test_how_far_a_path_leads_is_told() -> None:
    assert path("patient.mobile").found_until(BODY) == "patient has name, phones, odd.name"
    assert path("data[*]").found_until(BODY) == "the body has id, patient, items"
    assert path("items[9]").found_until(BODY) == "items is a list of 4"
    assert path("id.x").found_until(BODY) == "id is no object and no list"
    assert path("id").found_until(BODY) == ""
    assert path("a[*].b").found_until({"a": []}) == ""


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(text=st.text(alphabet='ab.[]*"0-$ ', max_size=12), body=_JSON)
def test_no_text_and_no_body_make_it_fail(text: str, body: Any) -> None:
    read = read_path(text)
    if isinstance(read, JsonPath):
        assert len(read.find(body)) <= 1 or read.several
        read.found_until(body)
