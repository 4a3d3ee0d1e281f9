"""Workspaces and what belongs to their running: members, keys, stored replies, notices."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY

from clarion.store.tables.base import count, document, identifier, moment, one_of, owner, table, words

workspace = table(
    "workspace",
    identifier(),
    words("name"),
    words("country", default="US"),
    words("language", default="en"),
    words("timezone", default="UTC"),
    words("operator_address", null=True),
    document("settings", default="{}"),
    Column("pepper", LargeBinary, nullable=False),
    moment("created_at"),
)

member = table(
    "member",
    identifier(),
    owner(),
    words("name"),
    words("email"),
    words("role"),
    words("password_hash", null=True),
    moment("created_at"),
    one_of("role", "owner", "editor", "viewer"),
    UniqueConstraint("workspace_id", "email"),
)

api_key = table(
    "api_key",
    identifier(),
    owner(),
    words("name"),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    moment("created_at"),
    moment("expires_at", null=True),
    moment("revoked_at", null=True),
    moment("last_used_at", null=True),
    Index("api_key_workspace", "workspace_id"),
)

idempotency = table(
    "idempotency",
    owner(key=True),
    words("key", key=True),
    Column("request_hash", LargeBinary, nullable=False),
    Column("status", Integer),
    document("headers", null=True),
    Column("body", LargeBinary),
    moment("created_at"),
    Index("idempotency_age", "created_at"),
)

notice = table(
    "notice",
    identifier(),
    owner(),
    words("cause"),
    words("level"),
    words("text"),
    moment("first_at"),
    moment("last_at"),
    count("times", default=1),
    moment("told_at", null=True),
    moment("cleared_at", null=True),
    one_of("level", "info", "warning", "error"),
    Index("notice_open", "workspace_id", "cause", unique=True, postgresql_where=text("cleared_at IS NULL")),
)
