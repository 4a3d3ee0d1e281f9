"""`contacts.json`: people, listed by when they changed, made, changed and deleted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

from clarion.sandbox.rapidpro.bodies import MOST_LISTED, Body, listed, optional
from clarion.sandbox.rapidpro.complaints import Complaint, no_such, not_found, wrong, wrong_query
from clarion.sandbox.rapidpro.lists import Query, Row
from clarion.sandbox.rapidpro.workspace import (
    ACTIVE,
    SYSTEM_FIELDS,
    Contact,
    Workspace,
    moment,
    new_uuid,
    spelled,
)

LONGEST_NAME, LONGEST_VALUE = 64, 640
_URN = re.compile(
    r"tel:\+[0-9]{7,15}|whatsapp:[0-9]{7,15}|(?:facebook|telegram):[0-9]{4,20}|mailto:[^@\s]+@[^@\s]+\.\w+"
    r"|(?:ext|fcm|viber|twitterid|line):\S{1,255}"
)
_LANGUAGE = re.compile("[a-z]{3}")


class Contacts:
    scope = "contacts"

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    # --- reading

    def rows(self, query: Query, at: int) -> Iterator[Row]:
        if sum(name in query for name in ("uuid", "urn", "group")) > 1:
            raise wrong_query("You may only specify one of the uuid, urn, group parameters")
        after, before = _bound(query, "after"), _bound(query, "before")
        deleted = query.get("deleted", "").lower() in ("true", "1")
        for one in self._workspace.contacts.all(at):
            inside = (after is None or one.modified_on >= after) and (
                before is None or one.modified_on <= before
            )
            if inside and one.deleted is deleted and self._asked(one, query):
                yield Row(one.modified_on, one.serial, partial(self.shown, one))

    def _asked(self, contact: Contact, query: Query) -> bool:
        if "group" in query:
            group = self._workspace.group(query["group"])
            return group is not None and group.uuid in contact.groups
        if "urn" in query:
            return query["urn"] in contact.urns
        return query.get("uuid", contact.uuid) == contact.uuid

    def shown(self, contact: Contact) -> dict[str, Any]:
        keys = () if contact.deleted else [one.key for one in self._workspace.fields.all()]
        return {
            "uuid": contact.uuid, "name": contact.name,
            "status": None if contact.deleted else contact.status, "language": contact.language,
            "urns": list(contact.urns), "groups": [self._workspace.reference(one) for one in contact.groups],
            "fields": {key: contact.fields.get(key) for key in keys}, "flow": None,
            "created_on": spelled(contact.created_on), "modified_on": spelled(contact.modified_on),
            "last_seen_on": None,
        }  # fmt: skip

    # --- writing

    def create(self, body: Body) -> dict[str, Any]:
        return self._made(body, ())

    def update(self, query: Query, body: Body) -> tuple[int, dict[str, Any]]:
        """The status, and how the contact is now: by URN, who is not there is made."""
        by_urn = "urn" in query
        if by_urn and "urns" in body:
            raise wrong("urns", "Field not allowed when using URN in URL")
        found = self._workspace.contact(_urn(query["urn"]) if by_urn else query.get("uuid", ""))
        if found is None and by_urn:
            return 201, self._made(body, (_urn(query["urn"]),))
        if found is None:
            raise not_found()
        return 200, self.shown(self._workspace.write(self._changed(found, body), self._workspace.now()))

    def delete(self, query: Query) -> None:
        found = self._workspace.contact(query.get("urn") or query.get("uuid", ""))
        if found is None:
            raise not_found()
        self._workspace.delete([found])

    def _made(self, body: Body, urns: tuple[str, ...]) -> dict[str, Any]:
        at = self._workspace.now()
        contact = Contact(new_uuid(), 0, at, at, urns=urns)
        changed = replace(self._changed(contact, body), serial=self._workspace.serial())
        return self.shown(self._workspace.write(changed, at))

    def _changed(self, contact: Contact, body: Body) -> Contact:
        return replace(
            contact,
            name=optional(body, "name", LONGEST_NAME, contact.name),
            language=_language(body, contact.language),
            urns=self._urns(body, contact) if "urns" in body else contact.urns,
            fields=self._fields(body, contact.fields) if "fields" in body else contact.fields,
            groups=self._groups(body, contact) if "groups" in body else contact.groups,
        )

    def _urns(self, body: Body, contact: Contact) -> tuple[str, ...]:
        urns = tuple(dict.fromkeys(_urn(one, number) for number, one in enumerate(listed(body, "urns"))))
        for one in urns:
            if self._workspace.owners.get(one, contact.uuid) != contact.uuid:
                raise wrong("urns", f"URN belongs to another contact: {self._workspace.owners[one]}")
        return urns

    def _fields(self, body: Body, before: dict[str, str]) -> dict[str, str]:
        given = body["fields"]
        if not isinstance(given, dict):
            raise wrong("fields", f'Expected a dictionary of items but got type "{type(given).__name__}".')
        if len(given) > MOST_LISTED:
            raise wrong("fields", f"Ensure this field has no more than {MOST_LISTED} elements.")
        values = dict(before)
        for key, value in given.items():
            field = self._workspace.field(key)
            if field is None or key in SYSTEM_FIELDS:
                raise wrong("fields", f"Unknown contact field: {key}")
            kept = _value(field.type, value)
            values.pop(key, None)
            values |= {} if kept is None else {key: kept}
        return values

    def _groups(self, body: Body, contact: Contact) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for named in listed(body, "groups"):
            group = self._workspace.group(named)
            if group is None:
                raise no_such("groups", named)
            found[group.uuid] = None
        if found and contact.status != ACTIVE:
            raise wrong("groups", "Non-active contacts can't be added to groups")
        return tuple(found)


def _bound(query: Query, name: str) -> int | None:
    if name not in query:
        return None
    try:
        return moment(query[name])
    except ValueError as error:
        raise wrong_query(f"Value for {name} must be a valid date") from error


def _urn(given: str, number: int = 0) -> str:
    if not _URN.fullmatch(given):
        words = f"Invalid URN: {given}. Ensure phone numbers contain country codes."
        raise Complaint(400, {"urns": {str(number): [words]}})
    return given


def _language(body: Body, before: str | None) -> str | None:
    language = optional(body, "language", 3, before)
    if language is not None and not _LANGUAGE.fullmatch(language):
        raise wrong("language", "Not a valid ISO639-3 language code.")
    return language


def _value(kind: str, value: object) -> str | None:
    """A value as it is told; what is no value of its kind is kept as text there, and told as none."""
    if value is None or value == "":
        return None
    given = str(value)
    if len(given) > LONGEST_VALUE:
        raise wrong("fields", f"Ensure this field has no more than {LONGEST_VALUE} characters.")
    try:
        if kind == "number":
            return format(Decimal(given).normalize(), "f")
        if kind == "datetime":
            at = datetime.fromisoformat(given)
            return spelled(moment((at if at.tzinfo else at.replace(tzinfo=UTC)).isoformat()))
    except (InvalidOperation, ValueError):
        return None
    return given
