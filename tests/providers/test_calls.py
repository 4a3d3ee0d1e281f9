"""A call to our hook: what stands behind its question mark, and in its form."""

from __future__ import annotations

import pytest

from clarion.providers.contract import Call

HOOK = "https://clarion.example/hooks/1"
KIND = "application/x-www-form-urlencoded"
FORM = {"content-type": KIND}


def test_the_query_is_decoded_in_order_with_what_is_empty_and_what_is_twice() -> None:
    call = Call("GET", f"{HOOK}?b=2&a=%2B254+1&a=&e=%E1%88%B0%E1%88%8B%E1%88%9D?", {})
    assert call.query == [("b", "2"), ("a", "+254 1"), ("a", ""), ("e", "ሰላም?")]
    assert Call("GET", HOOK, {}).query == []


def test_the_form_is_decoded_in_order_with_what_is_empty_and_what_is_twice() -> None:
    call = Call("POST", f"{HOOK}?ref=1", FORM, b"To=%2B1+2&Body=&Body=a%26b")
    assert call.form == [("To", "+1 2"), ("Body", ""), ("Body", "a&b")]
    assert call.query == [("ref", "1")]


@pytest.mark.parametrize(
    "kind", ["Application/X-WWW-Form-Urlencoded", FORM["content-type"] + " ; charset=UTF-8"]
)
def test_a_form_is_one_however_its_type_is_spelled(kind: str) -> None:
    assert Call("POST", HOOK, {"content-type": kind}, b"a=1").form == [("a", "1")]


@pytest.mark.parametrize(
    "headers", [{}, {"content-type": "application/json"}, {"content-type": "text/plain"}]
)
def test_a_body_of_another_type_has_no_fields(headers: dict[str, str]) -> None:
    assert Call("POST", HOOK, headers, b"a=1").form == []


@pytest.mark.parametrize("body", [b"\xff=\xfe", b"%ff=%", b"&&=&=", b"\x00"])
def test_odd_bytes_are_read_as_far_as_they_say_anything(body: bytes) -> None:
    assert all(isinstance(part, str) for pair in Call("POST", HOOK, FORM, body).form for part in pair)
