"""Who is who: the keyed hashes by which a person is known again, and how rows find their contacts.

The text of a key (`contact.identity_key`, `contact.natural_key`) is never kept: only its keyed hash,
which outlives erasure. Without the workspace's pepper it says nothing about anybody. The values here are
plain tuples, since several are made for every row of a file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple
from uuid import UUID

from clarion.domain.address import Address, consent_key
from clarion.domain.contact import fold_name, natural_key
from clarion.domain.person import Person

ID, PLACE = "id", "place"
"""The kinds of key: an external id, which decides; a place (address) with a name, which finds."""


def pseudonym(pepper: bytes, text: str) -> bytes:
    """The 16 bytes that stand for `text` in one workspace (BLAKE2b keyed by its pepper)."""
    return hashlib.blake2b(text.encode(), digest_size=16, key=pepper).digest()


def consent_hash(pepper: bytes, address: Address) -> bytes:
    """What an opt-out is kept under: one hash for a number whatever the scheme."""
    return pseudonym(pepper, consent_key(address))


class Marks(NamedTuple):
    """The hashes that one row carries: of its external id, of each address with the name, and of each
    address alone (those of before too), under which an opt-out would be kept."""

    id: bytes | None
    places: tuple[bytes, ...]
    consents: Mapping[Address, bytes] = {}


def marks(pepper: bytes, person: Person) -> Marks:
    """By what this row is known. An address that could not be read counts as it was written, so that
    the same unreadable row twice is one person."""
    known = None if person.external_id is None else pseudonym(pepper, f"id:{person.external_id}")
    texts = [natural_key(address, person.name) for address in person.addresses]
    if known is None and not texts:
        texts = [
            f"raw:{''.join(wrong.raw.split()).casefold()}|{fold_name(person.name)}"
            for wrong in person.unreadable
        ]
    consents = {a: consent_hash(pepper, a) for a in (*person.addresses, *person.former)}
    return Marks(known, tuple(pseudonym(pepper, text) for text in texts), consents)


class Known(NamedTuple):
    """Whose a key is already. `has_id`: the contact is known by some external id."""

    contact_id: UUID
    has_id: bool


class Found(NamedTuple):
    """The contact of one row. `fresh`: this row is the first of somebody new. `twin`: another contact
    who has the same address and name, though the external id says that it is not this one."""

    contact_id: UUID
    fresh: bool
    twin: UUID | None = None


class Claim(NamedTuple):
    """A key that belongs to a contact from now on."""

    key: bytes
    kind: str
    contact_id: UUID


def resolve(
    rows: Iterable[Marks], known: Mapping[bytes, Known], new_id: Callable[[], UUID]
) -> tuple[list[Found], list[Claim]]:
    """The contact of each row, taken one after the other, and the keys that are new.

    An external id decides. Without one known, an address with the same name finds its contact, except
    that a row with an external id never takes a contact who already has another. Of several addresses
    the first that is known counts. Whoever has a key keeps it.
    """
    search = _Search(known, new_id)
    return [search.find(row) for row in rows], search.claims


class _Search:
    def __init__(self, known: Mapping[bytes, Known], new_id: Callable[[], UUID]) -> None:
        self._owner = {key: who.contact_id for key, who in known.items()}
        self._with_id = {who.contact_id for who in known.values() if who.has_id}
        self._new_id = new_id
        self.claims: list[Claim] = []

    def find(self, row: Marks) -> Found:
        contact = None if row.id is None else self._owner.get(row.id)
        there = [owner for place in row.places if (owner := self._owner.get(place)) is not None]
        if contact is None:
            may = there if row.id is None else [owner for owner in there if owner not in self._with_id]
            contact = may[0] if may else None
        fresh = contact is None
        if contact is None:
            contact = self._new_id()
        self._claim(row, contact)
        return Found(contact, fresh, next((owner for owner in there if owner != contact), None))

    def _claim(self, row: Marks, contact: UUID) -> None:
        if row.id is not None and row.id not in self._owner:
            self._owner[row.id] = contact
            self._with_id.add(contact)
            self.claims.append(Claim(row.id, ID, contact))
        for place in row.places:
            if place not in self._owner:
                self._owner[place] = contact
                self.claims.append(Claim(place, PLACE, contact))
