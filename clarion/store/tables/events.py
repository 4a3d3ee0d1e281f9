"""What is told to others: subscriptions, and the events that wait for them."""

from __future__ import annotations

from sqlalchemy import Column, Date, Index, LargeBinary, PrimaryKeyConstraint, SmallInteger, Text, text
from sqlalchemy.dialects.postgresql import ARRAY

from clarion.store.tables.base import identifier, moment, one_of, owner, table, uuid, words

subscription = table(
    "subscription",
    identifier(),
    owner(),
    words("name"),
    words("url"),
    Column("types", ARRAY(Text), nullable=False),
    words("state", default="active"),
    words("reason", default=""),
    Column("secret", LargeBinary),
    Column("previous_secret", LargeBinary),
    moment("previous_until", null=True),
    moment("failing_since", null=True),
    moment("created_at"),
    moment("modified_at"),
    one_of("state", "active", "paused", "removed"),
    Index(
        "subscription_name", "workspace_id", "name", unique=True, postgresql_where=text("state <> 'removed'")
    ),
)

event = table(
    "event",
    uuid("subscription_id", key=True),
    uuid("id", key=True),
    owner(checked=False),
    words("type"),
    uuid("subject_id"),
    Column("cohort", Date),
    moment("at"),
    words("reason", null=True),
    words("state", default="waiting"),
    moment("due_at"),
    Column("tries", SmallInteger, nullable=False, server_default=text("0")),
    words("answer", null=True),
    moment("ended_at", null=True),
    PrimaryKeyConstraint("subscription_id", "id"),
    one_of("state", "waiting", "told", "given_up"),
    Index("event_due", "subscription_id", "due_at", "id", postgresql_where=text("state = 'waiting'")),
    Index("event_told", "subscription_id", "ended_at", postgresql_where=text("state = 'told'")),
    Index("event_given_up", "subscription_id", "ended_at", postgresql_where=text("state = 'given_up'")),
    storage={"autovacuum_vacuum_scale_factor": 0.05, "autovacuum_vacuum_cost_delay": 0},
)
