"""People, where they are reached, what they agreed to, their groups, and the files they came in."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, LargeBinary, SmallInteger, UniqueConstraint, text

from clarion.store.tables.base import (
    count,
    document,
    identifier,
    moment,
    one_of,
    owner,
    table,
    uuid,
    words,
)

contact = table(
    "contact",
    identifier(),
    owner(),
    words("external_id", null=True),
    words("name", default=""),
    words("folded_name", default=""),
    words("language", null=True),
    words("country", null=True),
    words("timezone", null=True),
    document("fields", default="{}"),
    words("status", default="active"),
    uuid("merged_into", null=True),
    moment("created_at"),
    moment("modified_at"),
    uuid("channel_id", null=True),
    one_of("status", "active", "merged", "erased"),
    Index(
        "contact_external",
        "workspace_id",
        "external_id",
        unique=True,
        postgresql_where=text("external_id IS NOT NULL"),
    ),
    Index("contact_page", "workspace_id", "id"),
    Index(
        "contact_name",
        "folded_name",
        postgresql_using="gin",
        postgresql_ops={"folded_name": "gin_trgm_ops"},
    ),
)

identity = table(
    "identity",
    owner(checked=False, key=True),
    Column("key", LargeBinary, primary_key=True),
    words("kind"),
    uuid("contact_id"),
    one_of("kind", "id", "place"),
    Index("identity_contact", "contact_id", "kind"),
)

address = table(
    "address",
    identifier(),
    owner(checked=False),
    uuid("contact_id"),
    words("scheme"),
    words("value"),
    Column("consent_key", LargeBinary, nullable=False),
    Column("position", SmallInteger, nullable=False, server_default=text("0")),
    words("status", default="active"),
    moment("last_inbound_at", null=True),
    moment("created_at"),
    words("status_reason", default=""),
    moment("status_at", null=True),
    uuid("last_channel_id", null=True),
    moment("window_at", null=True),
    uuid("window_channel_id", null=True),
    one_of("status", "active", "invalid", "retired"),
    UniqueConstraint("contact_id", "scheme", "value"),
    Index("address_value", "workspace_id", "value"),
    Index("address_consent", "workspace_id", "consent_key"),
)

invalid_address = table(
    "invalid_address",
    owner(checked=False),
    uuid("contact_id", key=True),
    words("raw", key=True),
    words("reason"),
    moment("created_at"),
)

consent_event = table(
    "consent_event",
    identifier(),
    owner(),
    Column("consent_key", LargeBinary, nullable=False),
    words("state"),
    moment("at"),
    words("how"),
    words("by", default=""),
    words("note", default=""),
    one_of("state", "in", "out"),
    Index("consent_event_key", "workspace_id", "consent_key", "id"),
)

consent = table(
    "consent",
    owner(key=True),
    Column("consent_key", LargeBinary, primary_key=True),
    words("state"),
    moment("at"),
    uuid("farewell_id", null=True),
    one_of("state", "in", "out"),
)

courtesy = table(
    "courtesy",
    owner(key=True),
    Column("consent_key", LargeBinary, primary_key=True),
    words("meaning", key=True),
    moment("at"),
    one_of("meaning", "stop", "start", "help"),
)

contact_field = table(
    "contact_field",
    owner(key=True),
    words("key", key=True),
    words("type"),
    words("label", default=""),
    one_of("type", "text", "number", "date", "datetime", "boolean"),
)

contact_group = table(
    "contact_group",
    identifier(),
    owner(),
    words("name"),
    uuid("parent_id", null=True),
    moment("created_at"),
    words("external_id", null=True),
    UniqueConstraint("workspace_id", "name"),
    Index("contact_group_parent", "parent_id"),
    Index(
        "contact_group_external",
        "workspace_id",
        "external_id",
        unique=True,
        postgresql_where=text("external_id IS NOT NULL"),
    ),
)

group_member = table(
    "group_member",
    owner(checked=False),
    uuid("group_id", key=True),
    uuid("contact_id", key=True),
    Index("group_member_contact", "contact_id"),
)

import_file = table(
    "import_file",
    identifier(),
    owner(),
    words("name"),
    words("kind"),
    words("state"),
    document("options", default="{}"),
    words("path"),
    Column("size_bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("done_bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("done_rows", BigInteger, nullable=False, server_default=text("0")),
    count("created", default=0),
    count("updated", default=0),
    count("unchanged", default=0),
    count("refused", default=0),
    words("error", default=""),
    moment("created_at"),
    moment("started_at", null=True),
    moment("finished_at", null=True),
    one_of("state", "waiting", "running", "done", "failed", "cancelled"),
    Index("import_file_page", "workspace_id", "id"),
)

import_problem = table(
    "import_problem",
    owner(),
    uuid("import_id", key=True),
    Column("line", BigInteger, primary_key=True, autoincrement=False),
    words("field", default="", key=True),
    words("reason", key=True),
    words("severity", default="refused"),
    one_of("severity", "refused", "warning"),
)

reading = table(
    "reading",
    uuid("channel_id", key=True),
    words("list", key=True),
    owner(),
    moment("mark", null=True),
    Column("under_way", Boolean, nullable=False, server_default=text("false")),
    moment("since", null=True),
    words("cursor", default=""),
    moment("newest", null=True),
)

brought_group = table(
    "brought_group",
    owner(key=True),
    words("source", key=True),
    uuid("group_id"),
    uuid("channel_id"),
    words("name"),
    moment("seen_at"),
)

brought_contact = table(
    "brought_contact",
    owner(key=True),
    Column("key", LargeBinary, primary_key=True),
    words("status"),
    words("schemes", default=""),
)

pushed_person = table(
    "pushed_person",
    owner(),
    uuid("campaign_id", key=True),
    uuid("contact_id", key=True),
    count("generation"),
    moment("began_at"),
    words("basis"),
    count("place"),
    Index("pushed_person_contact", "contact_id"),
)
