"""What providers and people send us: the raw inbox, receipts, what our tries are called, messages in, and
whom we ask."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from clarion.store.tables.base import count, identifier, moment, owner, table, uuid, words

inbox = table(
    "inbox",
    identifier(),
    owner(checked=False),
    uuid("channel_id"),
    moment("received_at"),
    Column("body", LargeBinary, nullable=False),
    words("problem", null=True),
    moment("done_at", null=True),
    words("method", default="POST"),
    words("query", default=""),
    words("content_type", default=""),
    Index("inbox_waiting", "channel_id", "id", postgresql_where=text("done_at IS NULL")),
    Index("inbox_age", "id", postgresql_where=text("done_at IS NOT NULL")),
    storage={"fillfactor": 80},
)

receipt = table(
    "receipt",
    uuid("attempt_id", key=True),
    Column("cohort", Date, primary_key=True),
    words("status", key=True),
    owner(checked=False),
    uuid("message_id"),
    moment("at"),
    moment("received_at"),
    words("code", null=True),
    PrimaryKeyConstraint("attempt_id", "status", "cohort"),
    partition_by="RANGE (cohort)",
)

alias = table(
    "alias",
    uuid("channel_id", key=True),
    words("provider_id", key=True),
    owner(checked=False),
    uuid("attempt_id", null=True),
    Column("cohort", Date),
    Column("bodies", ARRAY(Uuid), nullable=False, server_default=text("'{}'")),
    moment("noted_at"),
    Index("alias_age", "noted_at"),
    storage={"fillfactor": 80, "autovacuum_vacuum_scale_factor": 0.05},
)

polling = table(
    "polling",
    uuid("channel_id", key=True),
    owner(checked=False),
    words("cursor", default=""),
    Column("watch", BigInteger, nullable=False, server_default=text("0")),
    moment("due_at"),
    count("failures", default=0),
    words("problem", default=""),
    Index("polling_due", "due_at"),
    storage={"fillfactor": 70, "autovacuum_vacuum_scale_factor": 0.05},
)

inbound = table(
    "inbound",
    identifier(),
    owner(checked=False),
    uuid("channel_id"),
    uuid("contact_id", null=True),
    words("address"),
    words("provider_id"),
    words("text"),
    moment("at"),
    moment("received_at"),
    words("meaning", default=""),
    words("payload", default=""),
    UniqueConstraint("channel_id", "provider_id"),
    Index("inbound_contact", "contact_id", "id"),
    Index("inbound_page", "workspace_id", "id"),
)
