"""Channels, campaigns, what is said, their runs, and who is enrolled."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    SmallInteger,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

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

channel = table(
    "channel",
    identifier(),
    owner(),
    words("name"),
    words("provider"),
    document("config", default="{}"),
    Column("credentials", LargeBinary),
    Column("rate", Numeric, nullable=False, server_default=text("80")),
    words("state", default="active"),
    words("reason", default=""),
    moment("created_at"),
    moment("modified_at"),
    Column("account_id", Uuid, ForeignKey("channel.id")),
    CheckConstraint("rate > 0", name="rate"),
    one_of("state", "active", "paused"),
    UniqueConstraint("workspace_id", "name"),
    Index("channel_account", "account_id", postgresql_where=text("account_id IS NOT NULL")),
)

catalogue = table(
    "catalogue",
    uuid("channel_id", key=True),
    owner(),
    words("source"),
    moment("read_at", null=True),
    moment("tried_at"),
    words("problem", default=""),
)

template = table(
    "template",
    owner(),
    uuid("channel_id", key=True),
    words("name", key=True),
    words("language", key=True),
    words("category"),
    words("status"),
    document("shape"),
)

pool = table(
    "pool",
    identifier(),
    owner(),
    words("name"),
    Column("skip_paused", Boolean, nullable=False, server_default=text("false")),
    moment("created_at"),
    moment("modified_at"),
    UniqueConstraint("workspace_id", "name"),
)

pool_channel = table(
    "pool_channel",
    owner(),
    uuid("pool_id", key=True),
    uuid("channel_id", key=True),
    Column("place", SmallInteger, nullable=False),
    Column("prefixes", ARRAY(Text), nullable=False, server_default="{}"),
    Column("weight", SmallInteger, nullable=False, server_default=text("1")),
)

campaign = table(
    "campaign",
    identifier(),
    owner(),
    words("kind"),
    words("name"),
    words("state"),
    words("reason", default=""),
    document("definition"),
    uuid("channel_id"),
    moment("send_at", null=True),
    words("similarity_text", default=""),
    words("created_by", default=""),
    moment("created_at"),
    moment("modified_at"),
    moment("launched_at", null=True),
    moment("finished_at", null=True),
    Column("follows", Boolean, nullable=False, server_default=text("false")),
    count("revision", default=0),
    moment("resumed_at", null=True),
    count("switched", default=0),
    one_of("kind", "announcement", "sequence", "alert", "survey", "courtesy"),
    one_of("state", "draft", "scheduled", "running", "paused", "completed", "cancelled"),
    Index("campaign_page", "workspace_id", "kind", "id"),
    Index("campaign_moment", "workspace_id", "send_at", postgresql_where=text("send_at IS NOT NULL")),
    Index("campaign_follows", "workspace_id", postgresql_where=text("follows")),
    Index("campaign_alerts", "workspace_id", postgresql_where=text("follows AND kind = 'alert'")),
)

content_version = table(
    "content_version",
    identifier(),
    owner(),
    uuid("campaign_id"),
    count("step_id"),
    count("version"),
    document("body"),
    moment("created_at"),
    UniqueConstraint("campaign_id", "step_id", "version"),
)

run = table(
    "run",
    identifier(),
    owner(),
    uuid("campaign_id"),
    count("iteration"),
    Column("cohort", Date, nullable=False),
    uuid("content_version_id"),
    uuid("lane_id"),
    moment("due_at"),
    moment("expires_at"),
    words("state"),
    words("error", default=""),
    moment("started_at", null=True),
    moment("expanded_at", null=True),
    moment("finished_at", null=True),
    count("enrolled", default=0),
    words("occasion", null=True),
    count("size", null=True),
    one_of("state", "planned", "expanding", "expanded", "cancelled"),
    UniqueConstraint("campaign_id", "iteration"),
    Index("run_occasion", "campaign_id", "occasion", unique=True),
    Index("run_open", "due_at", postgresql_where=text("state IN ('planned', 'expanding')")),
    Index("run_unfinished", "workspace_id", "id", postgresql_where=text("finished_at IS NULL")),
)

run_part = table(
    "run_part",
    owner(),
    uuid("run_id", key=True),
    Column("part", Integer, primary_key=True, autoincrement=False),
    uuid("cursor"),
    uuid("until"),
    Column("done", Boolean, nullable=False, server_default=text("false")),
    count("looked", default=0),
)

frozen_audience = table(
    "frozen_audience",
    owner(),
    uuid("campaign_id", key=True),
    uuid("contact_id", key=True),
)

enrollment = table(
    "enrollment",
    identifier(),
    owner(checked=False),
    uuid("campaign_id"),
    uuid("subject_id"),
    count("generation", default=1),
    count("iteration", default=1),
    words("state", default="active"),
    words("reason", default=""),
    Column("cohort", Date, nullable=False),
    moment("next_due", null=True),
    moment("created_at"),
    moment("began_at", null=True),
    count("place", default=0),
    words("basis", null=True),
    Column("ahead", ARRAY(BigInteger)),
    count("revision", default=0),
    document("moves", null=True),
    moment("resumed_at", null=True),
    one_of("state", "active", "paused", "finished", "stopped", "lapsed"),
    uuid("case_id", null=True),
    uuid("contact_id", null=True),
    UniqueConstraint("campaign_id", "subject_id"),
    Index("enrollment_contact", "contact_id", postgresql_where=text("contact_id IS NOT NULL")),
    Index("enrollment_case", "case_id", "campaign_id", postgresql_where=text("case_id IS NOT NULL")),
    Index("enrollment_subject", "subject_id"),
    Index("enrollment_due", "campaign_id", "next_due", "id", postgresql_where=text("state = 'active'")),
    storage={"fillfactor": 90},
)

touched = table(
    "touched",
    owner(checked=False, key=True),
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    uuid("contact_id"),
    storage={"autovacuum_vacuum_scale_factor": 0.05, "autovacuum_vacuum_cost_delay": 0},
)

episode = table(
    "episode",
    owner(checked=False),
    uuid("campaign_id", key=True),
    uuid("case_id", key=True),
    words("phase"),
    words("reason", default=""),
    count("times", default=0),
    moment("since"),
    moment("began_at", null=True),
    words("restart", default=""),
    Column("next_turn", Date),
    Column("seen", BigInteger, nullable=False),
    count("revision"),
    one_of("phase", "on", "out", "off"),
    Index(
        "episode_turn", "campaign_id", "next_turn", "case_id", postgresql_where=text("next_turn IS NOT NULL")
    ),
    storage={"fillfactor": 85},
)

touched_case = table(
    "touched_case",
    owner(checked=False, key=True),
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    uuid("case_id"),
    storage={"autovacuum_vacuum_scale_factor": 0.05, "autovacuum_vacuum_cost_delay": 0},
)

replied = table(
    "replied",
    owner(checked=False),
    uuid("campaign_id", key=True),
    uuid("case_id", key=True),
    uuid("contact_id", key=True),
    count("generation"),
    moment("at"),
    Index("replied_contact", "contact_id"),
)
