"""Cases: their types and properties, the cases themselves, whom they name, what became of them, and where
they come from."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, LargeBinary, UniqueConstraint, text

from clarion.store.tables.base import document, identifier, moment, one_of, owner, table, uuid, words

case_type = table(
    "case_type",
    identifier(),
    owner(),
    words("name"),
    words("label", default=""),
    Column("declared_only", Boolean, nullable=False, server_default=text("false")),
    moment("created_at"),
    moment("modified_at"),
    UniqueConstraint("workspace_id", "name"),
)

case_property = table(
    "case_property",
    owner(),
    uuid("type_id", key=True),
    words("key", key=True),
    words("kind"),
    words("scheme", null=True),
    words("label", default=""),
    one_of("kind", "text", "number", "date", "datetime", "boolean", "address", "contact"),
)

case = table(
    "case",
    identifier(),
    owner(),
    uuid("type_id"),
    words("external_id"),
    words("name", default=""),
    words("state", default="open"),
    document("properties", default="{}"),
    document("dates", default="{}"),
    document("numbers", default="{}"),
    document("changed", default="{}"),
    words("owner", null=True),
    words("modified_by", null=True),
    words("parent", null=True),
    words("host", null=True),
    moment("opened_at"),
    moment("closed_at", null=True),
    moment("modified_at"),
    moment("stored_at"),
    one_of("state", "open", "closed", "deleted"),
    UniqueConstraint("workspace_id", "external_id"),
    Index("case_page", "type_id", "id"),
    Index("case_parent", "workspace_id", "parent", postgresql_where=text("parent IS NOT NULL")),
    Index("case_host", "workspace_id", "host", postgresql_where=text("host IS NOT NULL")),
    Index("case_owner", "workspace_id", "owner", postgresql_where=text("owner IS NOT NULL")),
    Index("case_modifier", "workspace_id", "modified_by", postgresql_where=text("modified_by IS NOT NULL")),
    storage={"fillfactor": 80},
)

case_contact = table(
    "case_contact",
    owner(checked=False),
    uuid("case_id", key=True),
    words("role", key=True),
    uuid("contact_id", key=True),
    Index("case_contact_contact", "contact_id"),
)

case_change = table(
    "case_change",
    identifier(),
    owner(checked=False),
    uuid("case_id"),
    moment("at"),
    moment("stored_at"),
    words("by", default=""),
    words("how"),
    document("changes", default="{}"),
    Index("case_change_case", "case_id", "id"),
)

case_source = table(
    "case_source",
    identifier(),
    owner(),
    words("name"),
    words("kind"),
    document("settings", default="{}"),
    Column("secret", LargeBinary, nullable=False),
    moment("created_at"),
    moment("modified_at"),
    one_of("kind", "commcare", "inbound"),
    UniqueConstraint("workspace_id", "name"),
)

case_pull = table(
    "case_pull",
    uuid("source_id", key=True),
    owner(checked=False),
    words("state"),
    document("place", default="{}"),
    document("counts", default="{}"),
    document("problems", default="[]"),
    words("error", default=""),
    moment("waits_until", null=True),
    moment("asked_at", null=True),
    moment("started_at", null=True),
    moment("stored_at", null=True),
    moment("finished_at", null=True),
    one_of("state", "waiting", "running", "done", "stopped", "failed"),
    storage={"fillfactor": 50},
)
