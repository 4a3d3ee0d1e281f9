"""Whom a campaign reaches, and why not the others: pieces of the statements that write messages.

Of a person `p` (`id`, `status` of the contact) the address `a` is the first active one that the campaign's
schemes reach, best scheme first.
"""

from __future__ import annotations

from typing import LiteralString


def address(person: LiteralString, columns: LiteralString = "") -> LiteralString:
    """The query of the address at which a contact (an expression of their id) is reached."""
    return f"""SELECT address.id, address.consent_key{columns} FROM address
    WHERE address.contact_id = {person} AND address.status = 'active' AND address.scheme = ANY (%(schemes)s)
    ORDER BY array_position(%(schemes)s, address.scheme), address.position, address.id LIMIT 1"""


def opted_out(key: LiteralString) -> LiteralString:
    """Whether an address (an expression of its consent key) has opted out, looked up for each: without
    OFFSET 0 the planner may read the consents of the whole workspace for a batch of a hundred."""
    return f"""EXISTS (SELECT FROM consent o WHERE o.workspace_id = clarion_workspace()
      AND o.consent_key = {key} AND o.state = 'out' OFFSET 0)"""


def unreached(out: LiteralString) -> LiteralString:
    """The first conditions of a CASE: why somebody is not sent to. `out`: whether `a` has opted out."""
    return f"""WHEN p.status = 'erased' THEN 'erased'
         WHEN p.status = 'merged' THEN 'duplicate_person'
         WHEN a.id IS NULL AND EXISTS (SELECT FROM invalid_address i WHERE i.contact_id = p.id)
           THEN 'invalid_number'
         WHEN a.id IS NULL THEN 'no_address'
         WHEN {out} THEN 'opted_out'"""
