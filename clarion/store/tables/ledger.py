"""The ledger: what is owed to whom, what waits, and every try. See the migration for the reasons."""

from __future__ import annotations

from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, ENUM

from clarion.store.tables.base import (
    count,
    document,
    identifier,
    metadata,
    moment,
    one_of,
    owner,
    table,
    uuid,
    words,
)

message_state = ENUM(
    "ready",
    "skipped",
    "cancelled",
    "expired",
    "failed",
    "unknown",
    "accepted",
    "undelivered",
    "delivered",
    "read",
    name="message_state",
    metadata=metadata,
)
attempt_state = ENUM(
    "in_flight",
    "unsent",
    "refused",
    "unknown",
    "accepted",
    "settled_not_sent",
    name="attempt_state",
    metadata=metadata,
)

lane = table(
    "lane",
    identifier(),
    owner(checked=False),
    uuid("channel_id"),
    uuid("campaign_id"),
    Column("priority", SmallInteger, nullable=False),
    count("epoch", default=1),
    words("state", default="open"),
    words("reason", default=""),
    Column("weight", SmallInteger, nullable=False, server_default=text("1")),
    uuid("next_lane_id", null=True),
    Column("next_after", Integer),
    words("hours", null=True),
    words("outside_window", null=True),
    one_of("state", "open", "paused", "cancelled", "closed"),
    UniqueConstraint("channel_id", "campaign_id", "priority"),
    Index("lane_campaign", "campaign_id"),
    storage={"fillfactor": 50},
)

channel_owner = table(
    "channel_owner",
    uuid("channel_id", key=True),
    owner(checked=False),
    uuid("worker_id", null=True),
    Column("epoch", BigInteger, nullable=False, server_default=text("0")),
    Column("beat", BigInteger, nullable=False, server_default=text("0")),
    moment("settled_through", null=True),
    document("sights", default="{}"),
    moment("asks_until", null=True),
    storage={"fillfactor": 20},
)

server = table(
    "server",
    Column("one", Boolean, CheckConstraint("one", name="one"), primary_key=True, server_default=text("true")),
    words("identity"),
    moment("since"),
)

worker = table(
    "worker",
    identifier(),
    words("host"),
    Column("pid", Integer, nullable=False),
    words("boot"),
    words("born"),
    words("flight", default=""),
    words("version"),
    moment("started_at"),
    moment("seen_at"),
    moment("stopped_at", null=True),
    document("state", default="{}"),
    moment("dead_at", null=True),
    storage={"fillfactor": 50},
)

message = table(
    "message",
    identifier(),
    Column("cohort", Date, primary_key=True),
    owner(checked=False),
    uuid("run_id", null=True),
    uuid("enrollment_id"),
    count("generation"),
    count("iteration"),
    count("step_id"),
    uuid("recipient_key"),
    Column("once_key", LargeBinary),
    uuid("address_id", null=True),
    uuid("lane_id"),
    uuid("content_version_id"),
    Column("state", message_state, nullable=False),
    Column("was", message_state),
    words("was_reason", null=True),
    words("reason", null=True),
    Column("tries", SmallInteger, nullable=False, server_default=text("0")),
    moment("due_at"),
    moment("expires_at"),
    moment("settled_at", null=True),
    moment("delivered_at", null=True),
    moment("read_at", null=True),
    Index(
        "message_occurrence",
        "enrollment_id",
        "generation",
        "iteration",
        "step_id",
        "recipient_key",
        "cohort",
        unique=True,
    ),
    Index(
        "message_once",
        "run_id",
        "once_key",
        "cohort",
        unique=True,
        postgresql_where=text("once_key IS NOT NULL"),
    ),
    partition_by="RANGE (cohort)",
)

queue = table(
    "queue",
    uuid("lane_id", key=True),
    moment("due_at", key=True),
    uuid("message_id", key=True),
    Column("cohort", Date, nullable=False),
    owner(checked=False),
    uuid("contact_id"),
    uuid("address_id"),
    Column("consent_key", LargeBinary, nullable=False),
    uuid("content_version_id"),
    moment("expires_at"),
    Column("tries", SmallInteger, nullable=False, server_default=text("0")),
    document("variables", null=True),
    uuid("again", null=True),  # its lane, where it was put back
    uuid("awaits", null=True),  # the address that must write before it goes, or who lacks a value
    moment("held_until", null=True),  # for such a value, until then at most
    Index("queue_again", "again", "due_at", "message_id", postgresql_where=text("again IS NOT NULL")),
    Index("queue_awaits", "awaits", postgresql_where=text("awaits IS NOT NULL")),
    storage={"autovacuum_vacuum_scale_factor": 0.05, "autovacuum_vacuum_cost_delay": 0},
)

fallback = table(
    "fallback",
    uuid("message_id", key=True),
    uuid("lane_id", key=True),
    Column("cohort", Date, nullable=False),
    owner(checked=False),
    moment("due_at"),
    Column("late", Boolean, nullable=False, server_default=text("false")),
    Index("fallback_due", "workspace_id", "due_at", "message_id"),
    Index("fallback_known", "lane_id", postgresql_where=text("NOT late")),
    storage={"autovacuum_vacuum_scale_factor": 0.05, "autovacuum_vacuum_cost_delay": 0},
)

spoken = table(
    "spoken",
    uuid("contact_id", key=True),
    owner(checked=False),
    Column("message_ids", ARRAY(Uuid), nullable=False, server_default=text("'{}'")),
    Column("cohorts", ARRAY(Date), nullable=False, server_default=text("'{}'")),
    Column("at", ARRAY(TIMESTAMP(timezone=True)), nullable=False, server_default=text("'{}'")),
    storage={"fillfactor": 50},
)

attempt = table(
    "attempt",
    identifier(),
    Column("cohort", Date, primary_key=True),
    owner(checked=False),
    uuid("message_id"),
    uuid("channel_id"),
    uuid("lane_id"),
    uuid("worker_id"),
    Column("epoch", BigInteger, nullable=False),
    Column("number", SmallInteger, nullable=False),
    Column("state", attempt_state, nullable=False),
    Column("effective", Boolean, nullable=False),
    moment("unknown_since", null=True),
    uuid("address_id"),
    document("variables", null=True),
    words("provider_id", null=True),
    words("code", null=True),
    words("detail", null=True),
    moment("settled_at", null=True),
    Column("units", SmallInteger, nullable=False, server_default=text("1")),
    Index("attempt_effective", "message_id", "cohort", unique=True, postgresql_where=text("effective")),
    Index("attempt_message", "message_id", "number"),
    Index(
        "attempt_unknown",
        "workspace_id",
        "unknown_since",
        "id",
        postgresql_where=text("unknown_since IS NOT NULL"),
    ),
    partition_by="RANGE (cohort)",
)

tally = table(
    "tally",
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    owner(checked=False),
    uuid("run_id"),
    Column("state", message_state, nullable=False),
    words("reason", null=True),
    Column("n", BigInteger, nullable=False),
    Index("tally_run", "run_id"),
)
