"""What is said of a person is read with nothing guessed, and nothing of it silently dropped."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from clarion.domain.address import Address
from clarion.domain.field import FieldType
from clarion.domain.person import Customs, Given, Person, Unreadable, clean_group, combine, read_person

KENYA = Customs(
    "KE",
    ZoneInfo("Africa/Nairobi"),
    {
        "start": FieldType.DATE,
        "seen": FieldType.DATETIME,
        "score": FieldType.NUMBER,
        "remote": FieldType.BOOLEAN,
    },
)


def read(**given: Any) -> Person:
    person, _ = read_person(Given(**given), KENYA)
    assert person is not None
    return person


def troubles(**given: Any) -> list[tuple[str, str]]:
    _, found = read_person(Given(**given), KENYA)
    return [(one.field, one.severity) for one in found]


def phones(*numbers: str) -> list[tuple[str, str | None, str]]:
    return [("phone", "tel", number) for number in numbers]


def test_a_national_number_is_read_by_the_rows_country_else_the_workspaces() -> None:
    assert read(addresses=phones("0712000001")).addresses == (Address("tel", "+254712000001"),)
    assert read(addresses=phones("0911000002"), country="Ethiopia").addresses == (
        Address("tel", "+251911000002"),
    )


def test_with_a_country_that_cannot_be_read_no_national_number_is_guessed() -> None:
    person = read(addresses=phones("0712000001", "+254712000004"), country="Narnia")
    assert person.addresses == (Address("tel", "+254712000004"),)
    assert person.unreadable == (Unreadable("0712000001", "needs_country"),)
    assert person.country is None
    assert ("country", "warning") in troubles(addresses=phones("0712000001"), country="Narnia")


def test_an_unreadable_number_is_kept_as_written_beside_the_good_ones() -> None:
    person = read(addresses=phones("12", " 0712000001 ", "12", "07\x0012"))
    assert person.addresses == (Address("tel", "+254712000001"),)
    assert [one.raw for one in person.unreadable] == ["12", "0712"]


def test_the_same_number_twice_is_one_address() -> None:
    assert len(read(addresses=phones("0712000001", "+254 712 000 001")).addresses) == 1


def test_who_has_neither_id_nor_address_is_refused() -> None:
    person, (refusal,) = read_person(Given(name="Amina", addresses=phones(" ")), KENYA)
    assert person is None
    assert refusal.severity == "refused"


def test_values_are_kept_in_their_stored_form_and_wrong_ones_told() -> None:
    person = read(
        external_id="E-1",
        fields={"start": "1 March 2026", "seen": "2026-03-01 09:30", "score": "12.50", "remote": ""},
    )
    assert person.fields == {
        "start": "2026-03-01",
        "seen": "2026-03-01T06:30:00.000000Z",
        "score": 12.5,
        "remote": None,
    }
    assert troubles(external_id="E-1", fields={"start": "03/04/2026", "shoe": "42"}) == [
        ("fields.start", "warning"),
        ("fields.shoe", "warning"),
    ]


def test_what_is_not_said_is_none_and_what_is_blank_is_empty() -> None:
    assert read(external_id="E-1").name is None
    assert read(external_id="E-1", name=" ", language=" ").name == ""
    assert read(external_id="E-1", name=" ", language=" ").language == ""


@pytest.mark.parametrize(
    ("said", "out", "told"),
    [(None, False, False), ("no", False, False), (False, False, False), ("yes", True, False),
     ("x", True, True), (1, True, False)],
)  # fmt: skip
def test_only_a_clear_no_or_silence_is_no_wish_to_stop(said: object, out: bool, told: bool) -> None:
    given: dict[str, Any] = {"addresses": phones("0712000001"), "opted_out": said}
    assert read(**given).opted_out is out
    assert (troubles(**given) == [("opted_out", "warning")]) is told


def test_a_wish_to_stop_without_an_address_is_told() -> None:
    assert troubles(external_id="E-1", opted_out="yes") == [("opted_out", "warning")]


@pytest.mark.parametrize("bad", ["E" * 201, "E-\ud800"])
def test_an_external_id_that_cannot_be_one_is_told_and_not_cut(bad: str) -> None:
    person, found = read_person(Given(external_id=bad), KENYA)
    assert person is None
    assert [one.field for one in found] == ["external_id", ""]


def test_too_many_addresses_or_groups_are_told() -> None:
    many = [("phone", "tel", f"07120000{n:02d}") for n in range(25)]
    assert len(read(addresses=many).addresses) == 20
    assert troubles(addresses=many) == [("phone", "warning")] * 5
    groups = [f"Group {n}" for n in range(201)]
    assert troubles(external_id="E-1", groups=groups) == [("groups", "warning")]


def test_groups_are_named_without_needless_spaces_and_once() -> None:
    assert read(external_id="E-1", groups=["Night  nurses ", "Night nurses", " "]).groups == ("Night nurses",)
    assert clean_group("\0 \n") == ""


def test_of_two_rows_of_one_person_the_later_wins_where_it_speaks() -> None:
    first = read(name="Amina", addresses=[*phones("0712000001"), ("mail", None, "a@b.org")], language="sw",
                 fields={"score": "1", "start": "2026-03-01"}, groups=["A"])  # fmt: skip
    second = read(name="AMINA", addresses=phones("0712000004"), fields={"score": "2"}, groups=["B", "A"])
    both = combine(first, second)
    assert (both.name, both.language, both.groups) == ("AMINA", "sw", ("A", "B"))
    assert both.fields == {"score": 2, "start": "2026-03-01"}
    assert [one.urn for one in both.addresses] == ["tel:+254712000004", "mailto:a@b.org"]
    assert [one.urn for one in both.former] == ["tel:+254712000001"]


def test_combining_with_nothing_new_changes_nothing() -> None:
    row = read(name="Amina", addresses=phones("0712000001", "12"), groups=["A"])
    assert combine(row, row) == row


def test_an_own_channel_is_known_by_its_name_or_id_and_the_later_word_counts() -> None:
    nairobi = "0190c2d4-7e00-7000-8000-000000000002"
    customs = Customs("KE", channels={"nairobi": nairobi, nairobi: nairobi})

    def said(channel: str | None) -> Person:
        found, _ = read_person(Given(external_id="E-1", channel=channel), customs)
        assert found is not None
        return found

    assert [said(word).channel for word in (" Nairobi", nairobi.upper(), "", None)] == [
        nairobi, nairobi, "", None,
    ]  # fmt: skip
    assert combine(said("nairobi"), said(None)).channel == nairobi
    assert combine(said("nairobi"), said("")).channel == ""
    unknown, found = read_person(Given(external_id="E-1", channel="mombasa"), customs)
    assert unknown is not None
    assert (unknown.channel, [(one.field, one.severity) for one in found]) == (None, [("channel", "warning")])
