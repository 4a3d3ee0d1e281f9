"""Who is who, as keys decide it."""

from __future__ import annotations

import itertools
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from clarion.domain.address import Address
from clarion.domain.identity import ID, PLACE, Claim, Known, Marks, consent_hash, marks, pseudonym, resolve
from clarion.domain.person import Person, Unreadable

PEPPER, OTHER_PEPPER = b"p" * 32, b"q" * 32
AMINA_TEL = Address("tel", "+254712000001")
AMINA_WHATSAPP = Address("whatsapp", "+254712000001")
AMINA_MAIL = Address("mailto", "amina@example.org")


def numbered() -> itertools.chain[UUID]:
    return itertools.chain(UUID(int=n) for n in itertools.count(1))


def who(rows: list[Marks], known: dict[bytes, Known] | None = None) -> list[int]:
    ids = numbered()
    found, _ = resolve(rows, known or {}, lambda: next(ids))
    return [one.contact_id.int for one in found]


def test_a_pseudonym_says_nothing_in_another_workspace() -> None:
    assert pseudonym(PEPPER, "id:E-1") == pseudonym(PEPPER, "id:E-1")
    assert pseudonym(PEPPER, "id:E-1") != pseudonym(OTHER_PEPPER, "id:E-1")
    assert len(pseudonym(PEPPER, "id:E-1")) == 16


def test_a_number_is_one_place_whatever_the_scheme() -> None:
    assert consent_hash(PEPPER, AMINA_TEL) == consent_hash(PEPPER, AMINA_WHATSAPP)
    assert consent_hash(PEPPER, AMINA_TEL) != consent_hash(PEPPER, AMINA_MAIL)
    by_tel = marks(PEPPER, Person(name="Amina", addresses=(AMINA_TEL,)))
    assert by_tel.places == marks(PEPPER, Person(name="AMINA", addresses=(AMINA_WHATSAPP,))).places


def test_the_marks_hold_what_opt_outs_of_all_addresses_are_kept_under() -> None:
    moved = marks(PEPPER, Person(name="Amina", addresses=(AMINA_TEL,), former=(AMINA_MAIL,)))
    assert moved.consents == {a: consent_hash(PEPPER, a) for a in (AMINA_TEL, AMINA_MAIL)}


def test_a_row_with_nothing_but_an_unreadable_number_is_known_by_how_it_is_written() -> None:
    row = marks(PEPPER, Person(name="John", unreadable=(Unreadable("07 12", "too_short"),)))
    assert row == marks(PEPPER, Person(name="john", unreadable=(Unreadable("0712", "too_short"),)))
    assert row != marks(PEPPER, Person(name="john", unreadable=(Unreadable("0713", "too_short"),)))
    with_id = marks(PEPPER, Person(external_id="E-1", unreadable=(Unreadable("0712", "too_short"),)))
    assert with_id.places == ()


def test_the_external_id_decides_and_a_place_only_finds() -> None:
    father, son, either = Marks(b"E-1", (b"P",)), Marks(b"E-2", (b"P",)), Marks(None, (b"P",))
    assert who([father, son, either]) == [1, 2, 1]
    assert who([either, son, father, son]) == [1, 1, 2, 1]


def test_a_contact_who_has_an_id_is_not_taken_for_one_with_another() -> None:
    known = {b"P": Known(UUID(int=77), has_id=True), b"Q": Known(UUID(int=78), has_id=False)}
    assert who([Marks(b"E-9", (b"P",))], known) == [1]
    assert who([Marks(b"E-9", (b"P", b"Q"))], known) == [78]
    assert who([Marks(None, (b"P", b"Q"))], known) == [77]


def test_of_two_contacts_that_a_row_meets_the_first_address_counts_and_the_other_is_told() -> None:
    ids = numbered()
    known = {b"P": Known(UUID(int=77), False), b"Q": Known(UUID(int=78), False)}
    (found,), claims = resolve([Marks(None, (b"P", b"Q"))], known, lambda: next(ids))
    assert (found.contact_id.int, found.twin, found.fresh) == (77, UUID(int=78), False)
    assert claims == []


def test_keys_that_are_new_are_claimed_once_with_their_kind() -> None:
    ids = numbered()
    _, claims = resolve([Marks(b"E-1", (b"P",)), Marks(b"E-1", (b"P", b"Q"))], {}, lambda: next(ids))
    one = UUID(int=1)
    assert claims == [Claim(b"E-1", ID, one), Claim(b"P", PLACE, one), Claim(b"Q", PLACE, one)]


ROWS = st.lists(
    st.builds(
        Marks,
        st.sampled_from([None, b"E-1", b"E-2"]),
        st.lists(st.sampled_from([b"P", b"Q", b"R"]), max_size=3, unique=True).map(tuple),
    ),
    max_size=8,
)


@given(rows=ROWS)
def test_no_key_ever_belongs_to_two_and_one_id_is_one_person(rows: list[Marks]) -> None:
    ids = numbered()
    found, claims = resolve(rows, {}, lambda: next(ids))
    assert len({claim.key for claim in claims}) == len(claims)
    by_id = {(row.id, one.contact_id) for row, one in zip(rows, found, strict=True) if row.id}
    assert len(by_id) == len({row.id for row in rows if row.id})


@given(rows=ROWS)
def test_the_same_rows_again_find_the_same_people(rows: list[Marks]) -> None:
    ids = numbered()
    found, claims = resolve(rows, {}, lambda: next(ids))
    with_id = {claim.contact_id for claim in claims if claim.kind == ID}
    known = {claim.key: Known(claim.contact_id, claim.contact_id in with_id) for claim in claims}
    identified = [n for n, row in enumerate(rows) if row.id or row.places]
    again, new = resolve([rows[n] for n in identified], known, lambda: next(ids))
    assert [one.contact_id for one in again] == [found[n].contact_id for n in identified]
    assert new == []
